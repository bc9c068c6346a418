"""ColumnStyle: the style of the cells of a column, by their kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from functools import lru_cache

from streamware.formats.text import legal
from streamware.model.columns import Column
from streamware.model.number_format import shows_time
from streamware.model.style import Align, Style
from streamware.values.cell_formatter import SEPARATOR
from streamware.values.column_formatter import FormattedColumn
from streamware.values.kinds import NUMBERS, Kind

LINK = Style(color="#0563C1", underline=True)
"""The default style of a link (Excel's own)."""
ZEBRA = "F2F2F2"
"""The default background of every second row: a grey that still shows on paper."""

_ZONE_CHARACTERS = 99  # of a zone's name, because a number format may have 255

# The default number formats.
_FORMATS = {
    Kind.DATE: "yyyy-mm-dd",
    Kind.DATETIME: "yyyy-mm-dd hh:mm:ss",
    Kind.TIME: "hh:mm:ss",
    Kind.DURATION: "[h]:mm:ss",
}
_AS_TEXT = "@"  # the only format that is given to text, too: what a user types there stays text


@dataclass(frozen=True, slots=True)
class ColumnStyle:
    """The style of the cells of a column; equal columns have equal styles.

    Attributes:
        format: Code of the number format, or None.
        align: Horizontal alignment, or None.
        wrap: Whether long text is wrapped.
        zoned: Number format of date-times that were converted to a zone; it has the zone's name.
    """

    format: str | None
    align: Align | None
    wrap: bool
    zoned: str

    @classmethod
    def of(cls, column: Column, zone: tzinfo) -> ColumnStyle:
        """Return the style of the cells of `column`."""
        return cls(column.format, column.align, column.wrap, _zoned(str(zone)))

    def code(self, kind: Kind) -> str | None:
        """Return the number format of cells of this kind."""
        if kind is Kind.NEGATIVE and (self.format is None or shows_time(self.format)):
            return None
        if self.format and (kind in NUMBERS or kind is Kind.FORMULA):
            return self.format
        if self.format == _AS_TEXT and kind is Kind.TEXT:
            return self.format
        return self.zoned if kind is Kind.ZONED else _FORMATS.get(kind)

    def style(self, kind: Kind) -> Style:
        """Return the style of cells of this kind that have none of their own."""
        return _style(self.code(kind), self.align, self.wrap)


def shown_kind(kind: Kind, token: bytes | None) -> Kind:
    """Return the kind by which a cell is styled: for a formula, that of its value if a number."""
    if kind is not Kind.FORMULA or token is None:
        return kind
    valued = Kind(token.split(SEPARATOR)[1].decode())
    return valued if valued in NUMBERS else kind


def styled_places(formatted: Sequence[FormattedColumn]) -> list[tuple[int, int]]:
    """Return the row and the column, from 0, of every cell with a style, link or note of its own.

    They are in the order of the rows, not of the columns, so that equal rows give equal styles,
    links and strings, whatever the batches.
    """
    return sorted((row, at) for at, column in enumerate(formatted) for row in column.styled or ())


@lru_cache(maxsize=256)
def _style(code: str | None, align: Align | None, wrap: bool) -> Style:
    """Return a cached style: checking one is slow, and up to 16,384 columns have few styles."""
    return Style(format=code, align=align, wrap=wrap)


@lru_cache(maxsize=16)
def _zoned(zone: str) -> str:
    # A number format has no control characters, and at most 255 characters.
    name = " ".join(legal(zone).split())[:_ZONE_CHARACTERS].replace('"', "'")
    return f'yyyy-mm-dd hh:mm:ss "{name}"'
