"""One sheet of an ODS file: a table.

Source: OpenDocument 1.3 Part 3 §9.1 (tables), §9.2 (their structure).
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from streamware.cell import Cell
from streamware.columns import Batch, Column, Head
from streamware.encoder import Context, Part, interleave
from streamware.errors import LimitError
from streamware.formats.ods.cells import CellWriter, settle
from streamware.formats.ods.parts import attribute
from streamware.formats.ods.styles import Styles
from streamware.formats.ods.white_space import CellText
from streamware.formats.text import spellers
from streamware.sheet_options import SheetOptions
from streamware.style import Style
from streamware.values.cell import Spelling
from streamware.values.speller import Spelled

if TYPE_CHECKING:
    from streamware.formats.ods import Ods

MAX_COLUMNS = 16_384  # LibreOffice 7.4 and Excel
SAMPLED_ROWS = 32  # for the widths; the first batch has no more
TITLE = Style(bold=True, size=14)

_ROW, _ROW_END = b"<table:table-row>", b"</table:table-row>"
_HEADER, _HEADER_END = b"<table:table-header-rows>", b"</table:table-header-rows>"
_COVERED = b"<table:covered-table-cell/>"
_NARROWEST, _WIDEST, _FILTER_BUTTON = 8.43, 60.0, 3.0
_DIGEST = "http://www.w3.org/2000/09/xmldsig#sha256"

SPELLING = Spelling(escape=CellText(), spreadsheet=True, iso=True)


class ColumnShape(NamedTuple):
    """How a column is shown."""

    width: float
    hidden: bool


class SheetWriter:
    """The XML of one table, a batch at a time.

    Attributes:
        head: Names and columns of the sheet.
        options: What surrounds its rows.
        name: As it is listed.
        above: Rows above the first data row.
        header: Whether the last of them is a header.

    Args:
        options: Those of the document.
        head: Names and columns of the sheet.
        context: The export's.
        styles: Those of the document.
        name: As it is listed.
    """

    def __init__(
        self, options: Ods, head: Head, context: Context, styles: Styles, *, name: str
    ) -> None:
        if len(head.columns) > MAX_COLUMNS:
            raise LimitError("columns of the sheet", limit=MAX_COLUMNS, actual=len(head.columns))
        self.head = head
        self.options: SheetOptions = head.options or options
        self.name = name
        self.header = bool(head.titles)
        self.above = len(self.options.title_rows) + self.header
        self._context = context
        self._styles = styles
        self._shapes: list[ColumnShape] = []
        self._spellers = spellers(head.columns, context, SPELLING)
        self._writers = [self._writer(column) for column in head.columns]

    def spell(self, batch: Batch) -> list[Spelled]:
        """The cells of `batch`, settled: what `rows` takes, wherever in a sheet they will stand."""
        return [
            speller.spell(cells, batch.first)
            for speller, cells in zip(self._spellers, batch.columns, strict=True)
        ]

    def shapes(self, spelled: Sequence[Spelled]) -> list[ColumnShape]:
        """How its columns are shown; widths are sampled from the first of `spelled`, once."""
        if not self._shapes:
            self._shapes = [
                ColumnShape(
                    column.width or self._sampled(column.title, writer.length(cells, SAMPLED_ROWS)),
                    column.hidden,
                )
                for column, writer, cells in zip(
                    self.head.columns, self._writers, spelled, strict=True
                )
            ]
        return self._shapes

    def continued(self, name: str) -> SheetWriter:
        """The sheet that its rows go on in."""
        options: Any = self.options
        following = SheetWriter(options, self.head, self._context, self._styles, name=name)
        following._shapes = self._shapes
        return following

    def top(self, style: str, columns: Sequence[str]) -> bytes:
        """Everything before the first data row.

        Args:
            style: Name of the table's style.
            columns: Name of each column's style.
        """
        shown = "".join(
            f'<table:table-column table:style-name="{name}"'
            + (' table:visibility="collapse"/>' if column.hidden else "/>")
            for name, column in zip(columns, self.head.columns, strict=True)
        )
        start = (
            f'<table:table table:name={attribute(self.name)} table:style-name="{style}"'
            f"{_protection(self.options.protect)}>{shown}"
        )
        return start.encode() + self._heading()

    def rows(self, spelled: Sequence[Spelled], count: int) -> bytes:
        """`count` rows of these cells."""
        settle(self._writers, spelled)
        parts: list[Part] = [_ROW]
        for writer, cells in zip(self._writers, spelled, strict=True):
            parts += writer.parts(cells)
        return interleave([*parts, _ROW_END], count)

    def bottom(self, rows: int) -> bytes:
        """Everything after the last of `rows` rows, those above the data counted."""
        # A table has at least one row (§9.1.2).
        return (b"" if rows else _ROW + b"<table:table-cell/>" + _ROW_END) + b"</table:table>"

    def _writer(self, column: Column) -> CellWriter:
        return CellWriter(
            column,
            self._styles,
            self._context.values.timezone,
            converted=self._context.receipt.converted,
        )

    # What stands above the rows

    def _heading(self) -> bytes:
        titles = [self._title_row(row, at) for at, row in enumerate(self.options.title_rows, 1)]
        return b"".join(titles) + (self._header() if self.header else b"")

    def _title_row(self, row: str | Sequence[Any], number: int) -> bytes:
        cells: Sequence[Any] = [Cell(row, TITLE)] if isinstance(row, str) else row
        speller = spellers([Column(0, "title row")], self._context, SPELLING)[0]
        writer = self._writer(Column(0))
        written = b""
        for cell in cells:
            spelled = speller.spell([cell], number)
            settle([writer], [spelled])
            written += interleave(writer.parts(spelled), 1)
        width = len(self.head.columns)
        if isinstance(row, str) and width > 1:
            spanned = b'<table:table-cell table:number-columns-spanned="%d"' % width
            spanned += b' table:number-rows-spanned="1"'
            written = spanned + written.removeprefix(b"<table:table-cell") + _COVERED * (width - 1)
        return _ROW + written + _ROW_END

    def _header(self) -> bytes:
        speller = spellers([Column(0, "title")], self._context, SPELLING)[0]
        header = self.options.header
        cells = b""
        for column, title in zip(self.head.columns, self.head.titles or (), strict=True):
            writer = self._writer(Column(0))
            style = header.over(Style(align=column.align))
            spelled = speller.spell([Cell(title, style, note=column.note)], 0)
            settle([writer], [spelled])
            cells += interleave(writer.parts(spelled), 1)
        return _HEADER + _ROW + cells + _ROW_END + _HEADER_END

    def _sampled(self, title: str | None, longest: int) -> float:
        """Characters of the longest of the title and the first cells, within reason."""
        filtered = self.options.autofilter or self.options.table
        header = len(title) + (_FILTER_BUTTON if filtered else 0) if title else 0
        return min(max(header, longest + 1.0, _NARROWEST), _WIDEST)


def _protection(protect: bool | str) -> str:
    if not protect:
        return ""
    if protect is True:
        return ' table:protected="true"'
    key = b64encode(hashlib.sha256(str(protect).encode("utf-8", "replace")).digest()).decode()
    return (
        f' table:protected="true" table:protection-key="{key}"'
        f' table:protection-key-digest-algorithm="{_DIGEST}"'
    )
