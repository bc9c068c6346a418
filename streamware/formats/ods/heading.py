"""Writes the title rows and the header of a sheet as XML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streamware.formats.ods.cells import CellWriter, style_cells
from streamware.formats.ods.style_registry import StyleRegistry
from streamware.formats.ods.white_space import TEXT_RULES
from streamware.formats.protocol import Context, interleave
from streamware.formats.spreadsheet.column_style import ColumnStyle
from streamware.formats.spreadsheet.heading import title_cells
from streamware.formats.text import formatters
from streamware.model.cell import Cell
from streamware.model.columns import Column, Head
from streamware.model.sheet_options import SheetOptions
from streamware.model.style import Style
from streamware.values.column_formatter import FormattedColumn

ROW, ROW_END = b'<table:table-row table:style-name="row">', b"</table:table-row>"

_CELL, _COVERED = b"<table:table-cell", b"<table:covered-table-cell/>"


class Heading:
    """Title rows and header of one sheet.

    Args:
        head: Name and columns of the sheet.
        options: Options of the sheet.
        context: The context of the export.
        registry: The styles of the document.
    """

    def __init__(
        self,
        head: Head,
        options: SheetOptions,
        context: Context,
        registry: StyleRegistry,
    ) -> None:
        self._columns = head.columns  # of the sheet
        self._titles = head.titles  # of the columns, or None
        self._options = options  # of the sheet
        self._context = context  # of the export
        self._registry = registry  # of the styles of the document
        labels = [Column(0, "title row"), Column(0, "title")]
        # Formatters of the cells of title rows, and of the cells of the header.
        self._title_cells, self._header_cells = formatters(
            labels, context, TEXT_RULES, sheet=head.name
        )

    def xml(self) -> bytes:
        """Return the rows."""
        rows = [self._title_row(row, at) for at, row in enumerate(self._options.title_rows, 1)]
        return b"".join([*rows, self._header() if self._titles else b""])

    def _title_row(self, row: str | Sequence[Any], number: int) -> bytes:
        cells = b"".join(
            [self._cell(self._title_cells.format([cell], number)) for cell in title_cells(row)]
        )
        width = len(self._columns)
        if isinstance(row, str) and width > 1:
            spanned = f' table:number-columns-spanned="{width}" table:number-rows-spanned="1"'
            cells = _CELL + spanned.encode() + cells.removeprefix(_CELL) + _COVERED * (width - 1)
        return ROW + (cells or _CELL + b"/>") + ROW_END

    def _header(self) -> bytes:
        cells = b""
        for column, title in zip(self._columns, self._titles or (), strict=True):
            style = self._options.header.over(Style(align=column.align))
            cell = Cell(title, style, note=column.note)
            cells += self._cell(self._header_cells.format([cell], 0))
        return ROW + cells + ROW_END

    def _cell(self, formatted: FormattedColumn) -> bytes:
        """Return the only cell of a column."""
        style = ColumnStyle.of(Column(0), self._context.values.timezone)
        converted = self._context.receipt.converted
        writer = CellWriter(Column(0), style, self._registry, converted=converted)
        style_cells([writer], [formatted])
        return interleave(writer.parts(formatted), 1)
