"""Writes the title rows and the header of a sheet as XML."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from streamware.formats.protocol import Part, interleave
from streamware.formats.spreadsheet.heading import title_cells
from streamware.formats.spreadsheet.reference import column_letters
from streamware.formats.spreadsheet.table_formula import TableFormulas
from streamware.formats.text import formatters
from streamware.formats.xlsx.attachments import Attachments
from streamware.formats.xlsx.cells import (
    CellWriter,
    share_strings,
    style_cells,
    text_rules,
    text_value,
)
from streamware.formats.xlsx.context import WorkbookContext
from streamware.model.columns import Column, Head
from streamware.model.sheet_options import SheetOptions
from streamware.model.style import Align, Style
from streamware.values.column_formatter import FormattedColumn
from streamware.values.kinds import Kind

_LABELS = (Column(0, "title row"), Column(0, "title"))  # for messages


@lru_cache(256)
def _header_style(header: Style, align: Align | None) -> Style:
    return header.over(Style(align=align))


class Heading:
    """Title rows and header of one sheet.

    Args:
        head: Name and columns of the sheet.
        options: Options of the sheet.
        workbook: What it shares with other sheets.
        attachments: The links and notes of the sheet.

    Attributes:
        titles: What the cells of the header hold, escaped; empty if there is no header.
        formulas: Whether a title row has a formula, once `xml` was called.
    """

    def __init__(
        self,
        head: Head,
        options: SheetOptions,
        workbook: WorkbookContext,
        attachments: Attachments,
    ) -> None:
        self._head = head  # name and columns of the sheet
        self._options = options  # of the sheet
        self._workbook = workbook  # what all sheets share
        self._attachments = attachments  # takes links and notes
        # Index of the style of a header cell, by the alignment of its column.
        self._header_styles = {
            align: workbook.registry.styles.index(_header_style(options.header, align))
            for align in dict.fromkeys([None, *(column.align for column in head.columns)])
        }
        # Formats the cells of title rows, one at a time.
        self._formatter, titles = formatters(
            _LABELS, workbook.export, text_rules(workbook), sheet=head.name
        )
        formatted = titles.format(head.titles, 0).tokens if head.titles else []
        # The header's cells as escaped text; empty if there is no header.
        self.titles: list[bytes] = [title or b"" for title in formatted]
        self.formulas = False  # whether a title row had one

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self._options.title_rows) + bool(self.titles)

    @property
    def merged(self) -> list[str]:
        """The ranges of the title rows that are one text across the table."""
        width = len(self._head.columns)
        last = column_letters(width - 1)
        return [
            f"A{number}:{last}{number}"
            for number, row in enumerate(self._options.title_rows, 1)
            if row and isinstance(row, str) and width > 1
        ]

    def xml(self) -> bytes:
        """Return the rows."""
        rows = [
            self._title_row(title_cells(row) if row else (), number)
            for number, row in enumerate(self._options.title_rows, 1)
        ]
        return b"".join([*rows, self._header() if self.titles else b""])

    def _title_row(self, cells: Sequence[Any], number: int) -> bytes:
        writers = [
            CellWriter(Column(0), at, self._workbook, self._attachments) for at in range(len(cells))
        ]
        formatted = [self._formatter.format([cell], number) for cell in cells]
        columns = Head(self._head.name, tuple(map(Column, range(len(cells)))))
        TableFormulas(self._head.name or "", columns, table=False).check(formatted, number)
        style_cells(writers, formatted, number)
        share_strings(writers, formatted)
        inner: list[Part] = []
        for writer, cell in zip(writers, formatted, strict=True):
            inner += writer.parts(cell, [b"%d" % number])
            self.formulas |= cell.kind is Kind.FORMULA
        return interleave([self._row_start(number), *inner, b"</row>"], 1)

    def _header(self) -> bytes:
        strings = self._workbook.strings
        if strings is not None:
            strings.collect([FormattedColumn(Kind.TEXT, [title]) for title in self.titles])
        number = self.rows  # the header is the last of them
        cells = []
        for at, (column, title) in enumerate(zip(self._head.columns, self.titles, strict=True)):
            if column.note:
                self._attachments.add_note(number, at, column.note)
            start = b"<c"
            if not self._workbook.compact:
                start = b'<c r="%s%d"' % (column_letters(at).encode(), number)
            style = self._header_styles[column.align]
            start += b' s="%d"' % style if style else b""
            cells.append(start + text_value(title, strings))
        return b"".join([self._row_start(number), *cells, b"</row>"])

    def _row_start(self, number: int) -> bytes:
        return b"<row>" if self._workbook.compact else b'<row r="%d">' % number
