"""Look: how the cells of a spreadsheet's column look, by their kinds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from functools import lru_cache

from streamware.formats.text import legal
from streamware.model.columns import Column
from streamware.model.style import Align, Style
from streamware.values.cell import SEPARATOR
from streamware.values.formatter import FormattedColumn
from streamware.values.kinds import NUMBERS, Kind

LINK = Style(color="#0563C1", underline=True)
"""How a cell that leads somewhere looks, unless it says otherwise (Excel's own style for it)."""
ZEBRA = "F2F2F2"
"""The background of every second row, unless it has another: a grey that still shows on paper."""

_ZONE_CHARACTERS = 99  # of a zone's name, for a number format may have 255

# What is shown of dates and times unless the column says otherwise.
_FORMATS = {
    Kind.DATE: "yyyy-mm-dd",
    Kind.DATETIME: "yyyy-mm-dd hh:mm:ss",
    Kind.TIME: "hh:mm:ss",
    Kind.DURATION: "[h]:mm:ss",
}
_AS_TEXT = "@"  # the one format that text has, too: what is typed over it stays text


@dataclass(frozen=True, slots=True)
class ColumnStyle:
    """How the cells of columns look that were given the same.

    Attributes:
        format: Code of their number format, or None.
        align: Where they have their text, or None.
        wrap: Whether long text goes on in the next line.
        zoned: Number format of date-times that were moved to a zone, with its name.
    """

    format: str | None
    align: Align | None
    wrap: bool
    zoned: str

    @classmethod
    def of(cls, column: Column, zone: tzinfo) -> ColumnStyle:
        """The look of the cells of `column`."""
        return cls(column.format, column.align, column.wrap, _zoned(str(zone)))

    def code(self, kind: Kind) -> str | None:
        """The number format of cells of this kind."""
        if self.format and (kind in NUMBERS or kind is Kind.FORMULA):
            return self.format
        if self.format == _AS_TEXT and kind is Kind.TEXT:
            return self.format
        return self.zoned if kind is Kind.ZONED else _FORMATS.get(kind)

    def style(self, kind: Kind) -> Style:
        """How cells of this kind look, unless they say otherwise themselves."""
        return _style(self.code(kind), self.align, self.wrap)


def shown_kind(kind: Kind, token: bytes | None) -> Kind:
    """The kind whose format a cell has: that of its value, where it is a formula."""
    if kind is not Kind.FORMULA or token is None:
        return kind
    valued = Kind(token.split(SEPARATOR)[1].decode())
    return valued if valued in NUMBERS else kind


def styled_places(formatted: Sequence[FormattedColumn]) -> list[tuple[int, int]]:
    """The row and the column, from 0, of every cell that came as a `Cell` with more than a value.

    They go row by row, not column by column, so that equal rows have equal styles, links and
    strings in whatever batches they come.
    """
    return sorted((row, at) for at, column in enumerate(formatted) for row in column.styled or ())


@lru_cache(maxsize=256)
def _style(code: str | None, align: Align | None, wrap: bool) -> Style:
    """Columns mostly look alike, and to check a style takes a while: a sheet may have 16,384."""
    return Style(format=code, align=align, wrap=wrap)


@lru_cache(maxsize=16)
def _zoned(zone: str) -> str:
    # A format cannot have controls, and has at most 255 characters.
    name = " ".join(legal(zone).split())[:_ZONE_CHARACTERS].replace('"', "'")
    return f'yyyy-mm-dd hh:mm:ss "{name}"'
