"""Title rows and the header of a sheet, as the XML of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streamware.formats.ods.cells import CellWriter, settle
from streamware.formats.ods.style_registry import StyleRegistry
from streamware.formats.protocol import Context, interleave
from streamware.formats.spreadsheet.heading import title_cells
from streamware.formats.spreadsheet.look import ColumnStyle
from streamware.formats.text import formatters
from streamware.model.cell import Cell
from streamware.model.columns import Column, Head
from streamware.model.sheet_options import SheetOptions
from streamware.model.style import Style
from streamware.values.cell import TextRules

ROW, ROW_END = b'<table:table-row table:style-name="row">', b"</table:table-row>"

_HEADER, _HEADER_END = b"<table:table-header-rows>", b"</table:table-header-rows>"
_CELL, _COVERED = b"<table:table-cell", b"<table:covered-table-cell/>"


class Heading:
    """Title rows and the header of one sheet.

    Args:
        head: Names and columns of the sheet.
        options: What surrounds its rows.
        context: The export's.
        text_rules: How values become text.
        registry: The styles of the document.
    """

    def __init__(
        self,
        head: Head,
        options: SheetOptions,
        context: Context,
        *,
        text_rules: TextRules,
        registry: StyleRegistry,
    ) -> None:
        self._head = head
        self._options = options
        self._registry = registry
        self._look = ColumnStyle.of(Column(0), context.values.timezone)
        self._converted = context.receipt.converted
        named = [Column(0, "title row"), Column(0, "title")]
        self._formatter, self._titles = formatters(named, context, text_rules, sheet=head.name)

    def xml(self) -> bytes:
        """All of it."""
        rows = [self._title_row(row, at) for at, row in enumerate(self._options.title_rows, 1)]
        return b"".join([*rows, self._header() if self._head.titles else b""])

    def _title_row(self, row: str | Sequence[Any], number: int) -> bytes:
        written = b""
        for cell in title_cells(row):
            writer = self._writer()
            formatted = self._formatter.spell([cell], number)
            settle([writer], [formatted])
            written += interleave(writer.parts(formatted), 1)
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
            formatted = self._titles.spell([Cell(title, style, note=column.note)], 0)
            settle([writer], [formatted])
            cells += interleave(writer.parts(formatted), 1)
        return _HEADER + ROW + cells + ROW_END + _HEADER_END

    def _writer(self) -> CellWriter:
        return CellWriter(Column(0), self._look, self._registry, converted=self._converted)
