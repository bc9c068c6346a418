"""Title rows and the header of a sheet, as the XML of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streamware.formats.ods.cells import CellWriter, settle
from streamware.formats.ods.palette import Palette
from streamware.formats.protocol import Context, interleave
from streamware.formats.spreadsheet.heading import title_cells
from streamware.formats.spreadsheet.look import Look
from streamware.formats.text import spellers
from streamware.model.cell import Cell
from streamware.model.columns import Column, Head
from streamware.model.sheet_options import SheetOptions
from streamware.model.style import Style
from streamware.values.cell import Spelling

ROW, ROW_END = b'<table:table-row table:style-name="row">', b"</table:table-row>"

_HEADER, _HEADER_END = b"<table:table-header-rows>", b"</table:table-header-rows>"
_CELL, _COVERED = b"<table:table-cell", b"<table:covered-table-cell/>"


class Heading:
    """Title rows and the header of one sheet.

    Args:
        head: Names and columns of the sheet.
        options: What surrounds its rows.
        context: The export's.
        spelling: How values become text.
        palette: The styles of the document.
    """

    def __init__(
        self,
        head: Head,
        options: SheetOptions,
        context: Context,
        *,
        spelling: Spelling,
        palette: Palette,
    ) -> None:
        self._head = head
        self._options = options
        self._palette = palette
        self._look = Look.of(Column(0), context.values.timezone)
        self._converted = context.receipt.converted
        named = [Column(0, "title row"), Column(0, "title")]
        self._speller, self._titles = spellers(named, context, spelling, sheet=head.name)

    def xml(self) -> bytes:
        """All of it."""
        rows = [self._title_row(row, at) for at, row in enumerate(self._options.title_rows, 1)]
        return b"".join([*rows, self._header() if self._head.titles else b""])

    def _title_row(self, row: str | Sequence[Any], number: int) -> bytes:
        written = b""
        for cell in title_cells(row):
            writer = self._writer()
            spelled = self._speller.spell([cell], number)
            settle([writer], [spelled])
            written += interleave(writer.parts(spelled), 1)
        width = len(self._head.columns)
        if isinstance(row, str) and width > 1:
            spanned = f' table:number-columns-spanned="{width}" table:number-rows-spanned="1"'
            written = _CELL + spanned.encode() + written.removeprefix(_CELL)
            written += _COVERED * (width - 1)
        return ROW + (written or _CELL + b"/>") + ROW_END

    def _header(self) -> bytes:
        cells = b""
        for column, title in zip(self._head.columns, self._head.titles or (), strict=True):
            writer = self._writer()
            style = self._options.header.over(Style(align=column.align))
            spelled = self._titles.spell([Cell(title, style, note=column.note)], 0)
            settle([writer], [spelled])
            cells += interleave(writer.parts(spelled), 1)
        return _HEADER + ROW + cells + ROW_END + _HEADER_END

    def _writer(self) -> CellWriter:
        return CellWriter(Column(0), self._look, self._palette, converted=self._converted)
