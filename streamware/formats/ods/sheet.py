"""Writes one sheet of an ODS file, a table, as XML.

Source: OpenDocument 1.3 Part 3 §9.1 (tables), §9.2 (their structure), §9.4.15 (database ranges).
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Sequence

from streamware.formats.kernel_rows import EntangledError, KernelRow, KernelRows, kernel_rows
from streamware.formats.ods.cells import WORDS, CellWriter, style_cells
from streamware.formats.ods.heading import ROW, ROW_END, Heading
from streamware.formats.ods.parts import attribute
from streamware.formats.ods.reference import CellRange
from streamware.formats.ods.rules import ConditionalFormats, Validations
from streamware.formats.ods.serials import as_numbers, typed_value
from streamware.formats.ods.settings import View
from streamware.formats.ods.style_registry import StyleRegistry
from streamware.formats.ods.white_space import TEXT_RULES, characters
from streamware.formats.protocol import Context, Part, interleave, joined
from streamware.formats.spreadsheet.column_style import ColumnStyle
from streamware.formats.spreadsheet.heading import rows_above
from streamware.formats.spreadsheet.sheet import MAX_ROWS, by_python, check_columns
from streamware.formats.spreadsheet.table import check_titles, table_name
from streamware.formats.spreadsheet.table_formula import TableFormulas
from streamware.formats.spreadsheet.totals import Total, Totals
from streamware.formats.spreadsheet.width import column_widths
from streamware.formats.text import formatters
from streamware.model.columns import Batch, Head
from streamware.model.sheet_options import SheetOptions
from streamware.model.style import Style
from streamware.values.column_formatter import FormattedColumn
from streamware.values.kinds import Kind

_EMPTY = b"<table:table-cell/>"
# Spreadsheet::Read, for one, wants to know the style of the cells that have none.
_CELLS = ' table:default-cell-style-name="Default"'
_DIGEST = "http://www.w3.org/2000/09/xmldsig#sha256"


class SheetWriter:
    """The XML of one sheet, a batch at a time.

    Args:
        name: Name of the sheet in the document.
        head: Its name as given, and its columns.
        options: Its options.
        context: The context of the export.
        registry: The styles of the document.
        validations: The validations of the document.

    Attributes:
        name: Name of the sheet in the document.
        head: Its name as given, and its columns.
        options: Its options.
        opened: Whether `top` was called.

    Raises:
        EncodeError: The columns, titles or rules are impossible in a sheet.
    """

    def __init__(
        self,
        name: str,
        head: Head,
        options: SheetOptions,
        context: Context,
        *,
        registry: StyleRegistry,
        validations: Validations,
    ) -> None:
        check_columns(name, len(head.columns))
        if options.table:
            check_titles(name, head.titles)
        self.name = name  # in the document
        self.head = head  # the name as given, and the columns
        self.options = options  # of the sheet
        self.opened = False  # whether `top` was called
        self._context = context  # of the export
        self._above = rows_above(head, options)  # rows above the first data row
        self._last = self._above  # the last row so far
        self._widths: list[float] = []  # of the columns; empty until they are sampled
        self._totals = Totals(name, head.columns)  # of the rows so far
        # Formulas with columns of the table.
        self._references = TableFormulas(name, head, table=bool(options.table))
        zone = context.values.timezone
        # Rules for whole columns, written after the rows.
        self._formats = ConditionalFormats(name, head.columns, options, registry.styles, zone)
        # Make text of the cells of each column.
        self._formatters = formatters(head.columns, context, TEXT_RULES, sheet=head.name)
        # Make XML of the text.
        self._writers = [
            CellWriter(
                column,
                ColumnStyle.of(column, zone),
                registry,
                converted=context.receipt.converted,
                validation=self._validation(at, validations),
            )
            for at, column in enumerate(head.columns)
        ]
        # Writes the rows above the data.
        self._heading = Heading(head, options, context, registry)
        # Writes the rows after the first batch; None without the kernel, or before they come.
        self._kernel: KernelRows | None = None

    def share_widths(self, other: SheetWriter) -> None:
        """Make the columns as wide as those of `other`, whose rows continue here."""
        self._widths = other._widths

    @property
    def room(self) -> int:
        """The number of rows that it can still take."""
        return MAX_ROWS - self._last - bool(self._totals)

    @property
    def view(self) -> View:
        """What `settings.xml` says of the sheet: its frozen rows and columns, and its zoom."""
        frozen = self._above if self.options.freeze and self.head.titles else 0
        return View(self.name, self.options.freeze_columns, frozen, self.options.zoom)

    def format(self, batch: Batch) -> list[FormattedColumn]:
        """Return the cells of `batch` as text, which `rows` takes, of this or the next sheet."""
        formatted = [
            formatter.format(cells, batch.first)
            for formatter, cells in zip(self._formatters, batch.columns, strict=True)
        ]
        if self._totals:
            self._totals.check(formatted, batch.columns, batch.first)
        return formatted

    def widths(self, formatted: Sequence[FormattedColumn]) -> list[float]:
        """Return the widths of the columns, in characters, sampled once from the first cells."""
        if not self._widths:
            self._widths = column_widths(
                self.head.columns,
                [writer.style for writer in self._writers],
                formatted,
                self.options,
                self._context.values.timezone,
                text=characters,
            )
        return self._widths

    def top(self, style: str, columns: Sequence[str]) -> bytes:
        """Return everything before the first data row.

        Args:
            style: Name of the style of the table.
            columns: Name of the style of each column.
        """
        self.opened = True
        declared = "".join(
            f'<table:table-column table:style-name="{name}"{_CELLS}'
            + (' table:visibility="collapse"/>' if column.hidden else "/>")
            for name, column in zip(columns, self.head.columns, strict=True)
        )
        start = (
            f'<table:table table:name={attribute(self.name)} table:style-name="{style}"'
            f"{_protection(self.options.protect)}>{declared or f'<table:table-column{_CELLS}/>'}"
        )
        return start.encode() + self._heading.xml()

    def rows(self, formatted: Sequence[FormattedColumn], count: int) -> bytes:
        """Return `count` rows of these cells."""
        formatted = self._references.as_cells(formatted, self._last + 1)
        self._last += count
        if self._totals:
            columns = zip(self.head.columns, formatted, strict=True)
            self._totals.add([as_numbers(cells) if c.total else cells for c, cells in columns])
        style_cells(self._writers, formatted)
        parts: list[Part] = [ROW]
        for writer, cells in zip(self._writers, formatted, strict=True):
            parts += writer.parts(cells)
        return interleave([*parts, ROW_END], count)

    def compiled(self, batch: Batch) -> bytes | None:
        """Return the next rows, written by the kernel; None if it takes `format` and `rows`."""
        if self._kernel is None:
            self._kernel = kernel_rows(
                KernelRow(start=ROW, end=ROW_END, words=WORDS),
                map(CellWriter.kernel_column, self._writers, self.head.columns),
                text_rules=TEXT_RULES,
                context=self._context,
                spliced=by_python(self.head.columns),
            )
            if self._kernel is None:
                return None
        before = self._totals.mark()
        xml = self._kernel.write(batch, self._last + 1, self._pieces)
        if xml is None:
            self._totals.rewind(before)
        else:
            self._last += batch.count
        return xml

    def bottom(self) -> bytes:
        """Return everything after the last data row."""
        totals = self._totals.row()
        # A table must have a row, and totals must have data rows that they refer to.
        missing = not self._last or (totals and self._last == self._above)
        empty = ROW + _EMPTY + ROW_END if missing else b""
        formats = self._formats.xml(self._data_rows) if self.head.columns else ""
        return empty + self._totals_row(totals) + formats.encode() + b"</table:table>"

    def database_range(self, number: int) -> str:
        """Return the range that users sort and filter, or nothing if there is none.

        Args:
            number: Number of the sheet, from 1.
        """
        buttons = self.options.autofilter
        if not self.head.titles or not (buttons or self.options.table):
            return ""
        # LibreOffice does not list ranges whose names start like this one.
        name = table_name(number) if self.options.table else f"__Anonymous_Sheet_DB__{number - 1}"
        area = self._data_rows._replace(first=self._above, last=max(self._last, self._above))
        shown = ' table:display-filter-buttons="true"' if buttons else ""
        return (
            f'<table:database-range table:name="{name}"'
            f" table:target-range-address={attribute(area.address())}{shown}/>"
        )

    def _pieces(self, at: int, cells: Sequence[object], first: int, number: int) -> Sequence[bytes]:
        formatted = self._formatters[at].format(cells, first)
        if formatted.styled:  # styles are registered row by row
            raise EntangledError
        total = self.head.columns[at].total
        if total:
            self._totals.check_column(at, formatted, cells, first)
        (formatted,) = self._references.as_cells([formatted], number)
        if total:
            self._totals.add_column(at, as_numbers(formatted))
        return joined(self._writers[at].parts(formatted), len(cells))

    @property
    def _data_rows(self) -> CellRange:
        """The data rows, at least one, because a range cannot be empty."""
        first = self._above + 1
        return CellRange(self.name, len(self.head.columns), first, max(self._last, first))

    def _validation(self, at: int, validations: Validations) -> str | None:
        """Return the name of the validation of a column."""
        rule = self.head.columns[at].validation
        if rule is None:
            return None
        name = validations.name(rule, self._data_rows.first_cell(at))
        if name is None:
            self._context.receipt.converted["validation"] += 1
        return name

    def _totals_row(self, totals: Sequence[Total]) -> bytes:
        cells = {total.at: self._total_cell(total) for total in totals}
        if not cells:
            return b""
        inner = [cells.get(at, _EMPTY) for at in range(len(self.head.columns))]
        return b"".join([ROW, *inner, ROW_END])

    def _total_cell(self, total: Total) -> bytes:
        writer = self._writers[total.at]
        style = Style(bold=True).over(writer.style.style(total.kind))
        formula = total.formula(self._data_rows.formula_reference(total.at), separator=";")
        # A count has no kind; it is shown as a number.
        kind = Kind.NUMBER if total.kind is Kind.EMPTY else total.kind
        if total.value is None:
            return writer.calculated_cell(Kind.EMPTY, b"", style, formula)
        return writer.calculated_cell(*typed_value(kind, total.value), style, formula)


def _protection(protect: bool | str) -> str:
    if not protect:
        return ""
    if protect is True:
        return ' table:protected="true"'
    key = b64encode(hashlib.sha256(protect.encode("utf-8", "replace")).digest()).decode()
    return (
        f' table:protected="true" table:protection-key="{key}"'
        f' table:protection-key-digest-algorithm="{_DIGEST}"'
    )
