"""Title rows and the header of a sheet, as its XML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streamware.formats.protocol import Context, Part, interleave
from streamware.formats.spreadsheet.heading import rows_above, title_cells
from streamware.formats.spreadsheet.look import ColumnStyle
from streamware.formats.spreadsheet.reference import column_letters
from streamware.formats.text import formatters
from streamware.formats.xlsx.cells import CellWriter, settle, text_value
from streamware.formats.xlsx.links import Links
from streamware.formats.xlsx.notes import Notes
from streamware.formats.xlsx.strings import SharedStrings
from streamware.formats.xlsx.style_registry import StyleRegistry
from streamware.model.columns import Column, Head
from streamware.model.sheet_options import SheetOptions
from streamware.model.style import Style
from streamware.values.cell import TextRules
from streamware.values.formatter import FormattedColumn
from streamware.values.kinds import Kind


class Heading:
    """Title rows and the header of one sheet.

    Attributes:
        rows: So many.
        titles: What the cells of the header hold; empty where there is none.
        merged: Ranges of cells that are one.
        formulas: Whether there are any.

    Args:
        head: Names and columns of the sheet.
        options: What surrounds its rows.
        context: The export's.
        text_rules: How values become text.
        registry: The formats of the workbook.
        strings: The table of texts, where they are shared.
        links: Those of the sheet.
        notes: Those of the sheet.
    """

    def __init__(
        self,
        head: Head,
        options: SheetOptions,
        context: Context,
        *,
        text_rules: TextRules,
        registry: StyleRegistry,
        strings: SharedStrings | None,
        links: Links,
        notes: Notes,
    ) -> None:
        self._columns = head.columns
        self._registry = registry
        self._strings = strings
        self._links = links
        self._notes = notes
        self._compact = registry.compact
        self._look = ColumnStyle.of(Column(0), context.values.timezone)
        self._converted = context.receipt.converted
        self._header_styles = {
            align: registry.styles.index(options.header.over(Style(align=align)))
            for align in dict.fromkeys([None, *(column.align for column in head.columns)])
        }
        self._above = [title_cells(row) if row else () for row in options.title_rows]
        last = column_letters(len(head.columns) - 1)
        self.merged = [
            f"A{number}:{last}{number}"
            for number, row in enumerate(options.title_rows, 1)
            if row and isinstance(row, str) and len(head.columns) > 1
        ]
        named = [Column(0, "title row"), Column(0, "title")]
        self._formatter, titles = formatters(named, context, text_rules, sheet=head.name)
        self.titles: list[bytes] = titles.spell(head.titles, 0).tokens if head.titles else []
        self.rows = rows_above(head, options)
        self.formulas = False

    def xml(self) -> bytes:
        """All of it."""
        above = [self._row(cells, number) for number, cells in enumerate(self._above, 1)]
        return b"".join([*above, self._header(self.rows) if self.titles else b""])

    def _row(self, cells: Sequence[Any], number: int) -> bytes:
        """A title row."""
        writers = [self._writer(at) for at in range(len(cells))]
        formatted = [self._formatter.spell([cell], number) for cell in cells]
        settle(writers, formatted, number)
        inner: list[Part] = []
        for writer, cell in zip(writers, formatted, strict=True):
            inner += writer.parts(cell, [b"%d" % number])
            self.formulas |= cell.kind is Kind.FORMULA
        return interleave([self._opening(number), *inner, b"</row>"], 1)

    def _writer(self, at: int) -> CellWriter:
        return CellWriter(
            Column(0),
            at,
            self._look,
            self._registry,
            converted=self._converted,
            strings=self._strings,
            links=self._links,
            notes=self._notes,
        )

    def _header(self, number: int) -> bytes:
        if self._strings is not None:
            self._strings.collect([FormattedColumn(Kind.TEXT, [title]) for title in self.titles])
        cells = map(self._title, range(len(self.titles)), self._columns, self.titles)
        return b"".join([self._opening(number), *cells, b"</row>"])

    def _title(self, at: int, column: Column, title: bytes) -> bytes:
        """A cell of the header."""
        number = self.rows
        if column.note and not self._notes.add(number, at, column.note):
            self._converted["note"] += 1
        style = self._header_styles[column.align]
        start = b"<c" if self._compact else b'<c r="%s%d"' % (column_letters(at).encode(), number)
        return start + (b' s="%d"' % style if style else b"") + text_value(title, self._strings)

    def _opening(self, number: int) -> bytes:
        return b"<row>" if self._compact else b'<row r="%d">' % number
