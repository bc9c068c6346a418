"""Writes one sheet of a workbook as XML.

Everything that needs no foresight, such as filters, links and rules, comes after the rows.

Source: ECMA-376 Part 1 §18.3.1.99 (worksheet): the order of its elements.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

from streamware.formats.kernel_rows import EntangledError, KernelRow, KernelRows, kernel_rows
from streamware.formats.protocol import Part, interleave, joined
from streamware.formats.spreadsheet.heading import title_cells
from streamware.formats.spreadsheet.reference import column_letters, quoted
from streamware.formats.spreadsheet.sheet import by_python, check_columns
from streamware.formats.spreadsheet.table import check_titles, table_name
from streamware.formats.spreadsheet.table_formula import TableFormulas
from streamware.formats.spreadsheet.totals import Total, Totals
from streamware.formats.spreadsheet.width import column_widths
from streamware.formats.text import formatters
from streamware.formats.xlsx import page, parts, table
from streamware.formats.xlsx.area import Area
from streamware.formats.xlsx.attachments import Attachments
from streamware.formats.xlsx.cells import CellWriter, share_strings, style_cells, text_rules
from streamware.formats.xlsx.context import WorkbookContext
from streamware.formats.xlsx.heading import Heading
from streamware.formats.xlsx.protection import protection
from streamware.formats.xlsx.rules import ColumnRules
from streamware.model.columns import Batch, Head
from streamware.model.sheet_options import SheetOptions
from streamware.model.style import Style
from streamware.values.column_formatter import FormattedColumn
from streamware.values.kinds import Kind

_START = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    ' xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">'
)
_FORMAT = '<sheetFormatPr defaultRowHeight="15"/>'


class SheetWriter:
    """The XML of one sheet, a batch at a time, and the parts that belong to it.

    Args:
        name: Name of the sheet in the workbook.
        number: Number of its table, from 1.
        head: Its name as given, and its columns.
        options: Its options.
        workbook: What it shares with other sheets.

    Attributes:
        head: Its name as given, and its columns.
        last: Number of its last row so far, counting those above the data.
        formulas: Whether it has formulas so far.

    Raises:
        EncodeError: The columns, titles or rules are impossible in a sheet.
    """

    def __init__(
        self,
        name: str,
        number: int,
        head: Head,
        options: SheetOptions,
        workbook: WorkbookContext,
    ) -> None:
        check_columns(name, len(head.columns))
        self.head = head  # its name as given, and its columns
        self.formulas = False  # whether there are formulas so far
        self._name = name  # in the workbook
        self._number = number  # of its table, from 1
        self._options = options  # of the sheet
        self._workbook = workbook  # what all sheets share
        # Links, notes and the table.
        self._attachments = Attachments(workbook.converted, workbook.records, table=options.table)
        self._totals = Totals(name, head.columns)  # of the rows so far
        # Formulas with columns of the table.
        self._references = TableFormulas(name, head, table=bool(options.table))
        # Conditional formats and validations, written after the rows.
        self._rules = ColumnRules(
            name,
            head.columns,
            options,
            workbook.registry.styles,
            workbook.timezone,
            text_rules=text_rules(workbook),
        )
        # Make text of the cells of each column.
        self._formatters = formatters(
            head.columns, workbook.export, text_rules(workbook), sheet=head.name
        )
        # Writes the rows above the data.
        self._heading = Heading(head, options, workbook, self._attachments)
        if options.table:
            check_titles(name, self._titles)
        # Make XML of the text of each column.
        self._writers = [
            CellWriter(column, at, workbook, self._attachments)
            for at, column in enumerate(head.columns)
        ]
        self._widths: list[float] = []  # of the columns; empty until they are sampled
        self.last = self.above  # number of the last row so far
        self._before: _Snapshot | None = None  # the state before the last call of `rows`
        # Writes the rows after the first batch; None without the kernel, or before they come.
        self._kernel: KernelRows | None = None

    def share_widths(self, other: SheetWriter) -> None:
        """Make the columns as wide as those of `other`, whose rows continue here."""
        self._widths = other._widths

    @property
    def above(self) -> int:
        """The number of rows above the first data row."""
        return self._heading.rows

    @property
    def below(self) -> int:
        """The number of rows to keep free below the last data row."""
        return 1 if self._totals else 0

    def format(self, batch: Batch) -> list[FormattedColumn]:
        """Return the cells of `batch` as text, which `rows` takes, of this or the next sheet."""
        formatted = [
            formatter.format(cells, batch.first)
            for formatter, cells in zip(self._formatters, batch.columns, strict=True)
        ]
        if self._totals:
            self._totals.check(formatted, batch.columns, batch.first)
        self._references.check(formatted, batch.first)
        return formatted

    def top(
        self, formatted: Sequence[FormattedColumn], *, selected: bool, count: int | None = None
    ) -> bytes:
        """Return everything before the first data row.

        Args:
            formatted: The first cells, from which widths are sampled.
            selected: Whether the sheet is shown when the workbook is opened.
            count: The number of data rows that will come, if it is known.
        """
        options = self._options
        frozen = self.above if options.freeze and self._heading.titles else 0
        xml = (
            _START
            + page.properties(options)
            + self._dimension(count)
            + page.view(options, rows=frozen, selected=selected)
            + _FORMAT
            + self._columns(formatted)
            + "<sheetData>"
        )
        heading = self._heading.xml()
        self.formulas |= self._heading.formulas
        return xml.encode() + heading

    def rows(self, formatted: Sequence[FormattedColumn], count: int) -> bytes:
        """Return the next `count` rows, which have these cells."""
        self._before = self._snapshot()
        self._totals.add(formatted)
        formatted = self._references.in_files(formatted, table_name(self._number))
        first = self.last + 1
        self.last += count
        style_cells(self._writers, formatted, first)
        share_strings(self._writers, formatted)
        numbers = b" ".join([b"%d" % n for n in range(first, first + count)]).split()
        compact = self._workbook.compact
        row: list[Part] = [b"<row>"] if compact else [b'<row r="', numbers, b'">']
        for writer, cells in zip(self._writers, formatted, strict=True):
            row += writer.parts(cells, numbers)
            self.formulas = self.formulas or _has_formulas(cells)
        return interleave([*row, b"</row>"], count)

    def compiled(self, batch: Batch) -> bytes | None:
        """Return the next rows, written by the kernel; None if it takes `format` and `rows`."""
        if self._kernel is None:
            self._kernel = self._kernel_rows()
            if self._kernel is None:
                return None
        self._before = self._snapshot()
        xml = self._kernel.write(batch, self.last + 1, self._pieces)
        if xml is None:  # no link, note or row was added
            self._totals.rewind(self._before.totals)
        else:
            self.last += batch.count
        return xml

    def undo(self) -> None:
        """Undo the last call of `rows` or `compiled`."""
        if self._before is not None:
            self.last = self._before.last
            self._attachments.rewind(self._before.attachments)
            self._totals.rewind(self._before.totals)
            converted = self._workbook.converted
            converted.clear()
            converted.update(self._before.counts)

    def keep(self) -> None:
        """Let go of what `undo` needs, which may be as much as the sheet keeps in memory."""
        self._before = None

    def bottom(self) -> Iterator[bytes]:
        """Yield everything after the last data row, in pieces."""
        options = self._options
        merged = "".join(f'<mergeCell ref="{cells}"/>' for cells in self._heading.merged)
        if merged:
            merged = f'<mergeCells count="{len(self._heading.merged)}">{merged}</mergeCells>'
        filtered = self._filtered()
        yield (
            self._totals_row()
            + "</sheetData>"
            + protection(options.protect, self._name)
            + (f'<autoFilter ref="{filtered.reference()}"/>' if filtered else "")
            + merged
            + self._rules.formats(self._data_rows)
            + self._rules.validations(self._data_rows)
        ).encode()
        yield from self._attachments.hyperlinks()
        yield (page.setup(options) + self._attachments.references() + "</worksheet>").encode()

    def attachments(self, number: int) -> list[parts.Part]:
        """Return the parts that belong to the sheet, after `bottom` was called.

        Args:
            number: Number of the part of the sheet, from 1.
        """
        return self._attachments.parts(number, self._table() if self._options.table else b"")

    def defined_names(self) -> list[parts.DefinedName]:
        """Return the names that the workbook lists for the sheet, after `bottom` was called."""
        sheet = quoted(self._name)
        found = []
        filtered = self._filtered()
        if filtered:
            text = f"{sheet}!{filtered.reference(dollar='$')}"
            found.append(parts.DefinedName("_xlnm._FilterDatabase", text, hidden=True))
        if self._heading.titles:
            text = f"{sheet}!${self.above}:${self.above}"
            found.append(parts.DefinedName("_xlnm.Print_Titles", text))
        return found

    def _kernel_rows(self) -> KernelRows | None:
        if self._workbook.strings is not None:  # whose numbers are given row by row
            return None
        row = KernelRow(start=b'<row r="', number=b'">', end=b"</row>")
        if self._workbook.compact:
            row = KernelRow(start=b"<row>", end=b"</row>")
        columns = map(CellWriter.kernel_column, self._writers, self.head.columns)
        return kernel_rows(
            row,
            columns,
            text_rules=text_rules(self._workbook),
            context=self._workbook.export,
            spliced=by_python(self.head.columns),
        )

    def _pieces(self, at: int, cells: Sequence[object], first: int, number: int) -> Sequence[bytes]:
        formatted = self._formatters[at].format(cells, first)
        if formatted.styled:  # styles, links and notes are registered row by row
            raise EntangledError
        if self.head.columns[at].total:
            self._totals.check_column(at, formatted, cells, first)
            self._totals.add_column(at, formatted)
        if _has_formulas(formatted):
            self.formulas = True
            self._references.check([formatted], first, at)
            (formatted,) = self._references.in_files([formatted], table_name(self._number))
        count = len(cells)
        numbers = [b"%d" % n for n in range(number, number + count)]
        return joined([b"", *self._writers[at].parts(formatted, numbers)], count)

    def _snapshot(self) -> _Snapshot:
        return _Snapshot(
            self.last,
            self._attachments.mark(),
            self._totals.mark(),
            dict(self._workbook.converted),
        )

    @property
    def _titles(self) -> list[str]:
        """The titles of the columns as they are shown."""
        return [table.shown_title(title) for title in self._heading.titles]

    @property
    def _data_rows(self) -> Area:
        """The data rows, at least one, because a range cannot be empty."""
        first = self.above + 1
        return Area(len(self.head.columns), first, max(self.last, first))

    def _dimension(self, count: int | None) -> str:
        """Return the element `dimension`, which is optional; empty unless it is known for sure.

        openpyxl's read-only mode believes it: rows beyond it would be lost.  If the sheet nears
        4 GiB before the last of these rows it has fewer, which does no harm.

        Args:
            count: The number of data rows, if it is known.
        """
        # Whether there is a row of totals is not known: an average of no numbers has none.
        if count is None or self._totals or not self.above + count:
            return ""
        widths = [len(title_cells(row)) for row in self._options.title_rows]
        width = max([len(self.head.columns), *widths])
        return f'<dimension ref="{Area(width, 1, self.above + count).reference()}"/>' * bool(width)

    def _columns(self, formatted: Sequence[FormattedColumn]) -> str:
        """Return the element `cols`; empty if there are no columns."""
        if not self.head.columns:
            return ""
        self._widths = self._widths or column_widths(
            self.head.columns,
            [writer.style for writer in self._writers],
            formatted,
            self._options,
            self._workbook.timezone,
        )
        cols = "".join(
            f'<col min="{at}" max="{at}" width="{width:g}" customWidth="1"'
            + (' hidden="1"/>' if column.hidden else "/>")
            for at, (column, width) in enumerate(
                zip(self.head.columns, self._widths, strict=True), 1
            )
        )
        return f"<cols>{cols}</cols>"

    def _filtered(self) -> Area | None:
        """Return what the autofilter covers; a table has an autofilter of its own."""
        if not self._options.autofilter or not self._heading.titles or self._options.table:
            return None
        return Area(len(self.head.columns), self.above, self.last)

    def _totals_row(self) -> str:
        totals = self._totals.row()
        if not totals:
            return ""
        number = self._data_rows.last + 1
        cells = {total.at: self._total_cell(total, number) for total in totals}
        if not self._workbook.compact:
            return f'<row r="{number}">{"".join(cells.values())}</row>'
        return f"<row>{''.join(cells.get(at, '<c/>') for at in range(max(cells) + 1))}</row>"

    def _total_cell(self, total: Total, number: int) -> str:
        start = "<c"
        if not self._workbook.compact:
            start = f'<c r="{column_letters(total.at)}{number}"'
        kind = total.kind
        if kind in (Kind.DURATION, Kind.NEGATIVE):  # the sum may have another sign than a cell
            below = total.value is not None and total.value < 0 and not self._workbook.since_1904
            kind = Kind.NEGATIVE if below else Kind.DURATION
        style = Style(bold=True).over(self._writers[total.at].style.style(kind))
        cells = self._data_rows.column(total.at)
        if self._options.table:
            cells = table.column_reference(
                self._number, table.shown_title(self._heading.titles[total.at])
            )
        index = self._workbook.registry.styles.index(style)
        formula = escape(total.formula(cells))
        value = "" if total.value is None else f"<v>{total.value:.15g}</v>"
        return f'{start} s="{index}"><f>{formula}</f>{value}</c>'

    def _table(self) -> bytes:
        options = self._options
        totals = {total.at: total.name for total in self._totals.row()}
        return table.table(
            self._number,
            self._data_rows._replace(first=self.above),
            self._titles,
            style=options.table if isinstance(options.table, str) else table.STYLE,
            buttons=options.autofilter,
            totals=totals or None,
        )


def _has_formulas(cells: FormattedColumn) -> bool:
    return cells.kind is Kind.FORMULA or (cells.kinds is not None and Kind.FORMULA in cells.kinds)


class _Snapshot(NamedTuple):
    """The state of a sheet between two batches.

    Attributes:
        last: Number of the last row.
        attachments: The mark of the links and notes.
        totals: The mark of the totals.
        counts: The conversions.
    """

    last: int
    attachments: Any
    totals: Any
    counts: dict[str, int]
