"""One sheet of a workbook.

What needs no foresight, such as filters, links and rules, comes after the rows.

Source: ECMA-376 Part 1 §18.3.1.99 (worksheet): the order of its elements.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.sax.saxutils import escape

from streamware.formats.protocol import Context, Part, interleave
from streamware.formats.spreadsheet.look import ColumnStyle
from streamware.formats.spreadsheet.reference import column_letters, quoted
from streamware.formats.spreadsheet.sheet import check_columns
from streamware.formats.spreadsheet.table import check_titles
from streamware.formats.spreadsheet.totals import Total, Totals
from streamware.formats.spreadsheet.width import column_widths
from streamware.formats.text import formatters
from streamware.formats.xlsx import page, parts, table
from streamware.formats.xlsx.area import Area
from streamware.formats.xlsx.cells import CellText, CellWriter, notation, settle
from streamware.formats.xlsx.heading import Heading
from streamware.formats.xlsx.links import Links
from streamware.formats.xlsx.notes import Notes
from streamware.formats.xlsx.protection import protection
from streamware.formats.xlsx.rules import ColumnRules
from streamware.formats.xlsx.strings import SharedStrings
from streamware.formats.xlsx.style_registry import StyleRegistry
from streamware.model.columns import Batch, Head
from streamware.model.style import Style
from streamware.values.cell import TextRules
from streamware.values.formatter import FormattedColumn
from streamware.values.kinds import Kind

if TYPE_CHECKING:
    from streamware.formats.xlsx import Xlsx

_COUNTED = ("link", "note", "url")  # what is counted while rows are written, not while spelled

_START = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    ' xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">'
)
_FORMAT = '<sheetFormatPr defaultRowHeight="15"/>'

TEXT_RULES = TextRules(escape=CellText(), true=b"1", false=b"0", spreadsheet=True, escaped=notation)


class SheetWriter:
    """The XML of one sheet, a batch at a time, and the parts that belong to it.

    Args:
        options: The workbook's; those of the sheet, where it has its own, come with `head`.
        head: Its columns.
        context: The export's.
        registry: The formats of the workbook.
        strings: The table of texts, where they are shared.
        name: Its name in the workbook.
        number: That of its part, from 1.

    Attributes:
        above: Rows above the first data row.
        below: Rows to keep free below the last one.
        formulas: Whether there are any so far.
    """

    def __init__(
        self,
        options: Xlsx,
        head: Head,
        context: Context,
        registry: StyleRegistry,
        strings: SharedStrings | None,
        *,
        name: str,
        number: int,
    ) -> None:
        check_columns(name, len(head.columns))
        self.head = head
        self._again = (options, head, context, registry, strings)
        self._compact = options.compact
        self._options = options if head.options is None else head.options
        self._registry = registry
        self._name = name
        self._number = number
        self._converted = context.receipt.converted
        self._links = Links()
        self._notes = Notes()
        self._totals = Totals(name, head.columns)
        zone = self._zone = context.values.timezone
        self._rules = ColumnRules(name, head.columns, self._options, registry.styles, zone)
        self._formatters = formatters(head.columns, context, TEXT_RULES, sheet=head.name)
        self._heading = Heading(
            head,
            self._options,
            context,
            text_rules=TEXT_RULES,
            registry=registry,
            strings=strings,
            links=self._links,
            notes=self._notes,
        )
        self._titles = table.texts_of(self._heading.titles)
        if self._options.table:
            check_titles(name, self._titles)
        self._looks = [ColumnStyle.of(column, zone) for column in head.columns]
        self._writers = [
            CellWriter(
                column,
                at,
                self._looks[at],
                registry,
                converted=self._converted,
                strings=strings,
                links=self._links,
                notes=self._notes,
            )
            for at, column in enumerate(head.columns)
        ]
        self.above = self._heading.rows
        self.below = 1 if self._totals else 0
        self.formulas = False
        self._widths: list[float] | None = None
        self._end = self.above  # the last row so far
        self._undo: _Undo | None = None

    def continued(self, name: str, number: int) -> SheetWriter:
        """The sheet in which its rows go on; its columns are as wide."""
        other = SheetWriter(*self._again, name=name, number=number)
        other._widths = self._widths
        return other

    def spell(self, batch: Batch) -> list[FormattedColumn]:
        """The cells of `batch`, settled: what `rows` takes, wherever in a sheet they will stand."""
        formatted = [
            formatter.spell(cells, batch.first)
            for formatter, cells in zip(self._formatters, batch.columns, strict=True)
        ]
        if self._totals:
            self._totals.check(formatted, batch.columns, batch.first)
        return formatted

    def top(self, formatted: Sequence[FormattedColumn], *, selected: bool) -> bytes:
        """Everything before the first data row; widths are sampled from its first cells."""
        options = self._options
        frozen = self.above if options.freeze and self._titles else 0
        xml = (
            _START
            + page.properties(options)
            + page.view(options, rows=frozen, selected=selected)
            + _FORMAT
            + self._columns(formatted)
            + "<sheetData>"
        )
        heading = self._heading.xml()
        self.formulas |= self._heading.formulas
        return xml.encode() + heading

    def rows(self, formatted: Sequence[FormattedColumn], count: int, number: int) -> bytes:
        """`count` rows of these cells; the first stands in row `number` of the sheet."""
        self._undo = _Undo(
            number,
            self._links.mark(),
            self._notes.mark(),
            self._totals.mark(),
            {name: self._converted[name] for name in _COUNTED if name in self._converted},
        )
        self._totals.add(formatted)
        settle(self._writers, formatted, number)
        numbers = b" ".join([b"%d" % n for n in range(number, number + count)]).split()
        row: list[Part] = [b"<row>"] if self._compact else [b'<row r="', numbers, b'">']
        for writer, cells in zip(self._writers, formatted, strict=True):
            row += writer.parts(cells, numbers)
            if cells.kind is Kind.FORMULA or (cells.kinds and Kind.FORMULA in cells.kinds):
                self.formulas = True
        return interleave([*row, b"</row>"], count)

    def bottom(self, rows: int) -> bytes:
        """Everything after the last of `rows` rows, those above the first counted."""
        self._end = rows
        self._take_back(rows)
        options = self._options
        merged = "".join(f'<mergeCell ref="{cells}"/>' for cells in self._heading.merged)
        if merged:
            merged = f'<mergeCells count="{len(self._heading.merged)}">{merged}</mergeCells>'
        filtered = self._filtered()
        drawing, tables = self._references()
        return (
            self._totals_row()
            + "</sheetData>"
            + protection(options.protect, self._name)
            + (f'<autoFilter ref="{filtered.reference()}"/>' if filtered else "")
            + merged
            + self._rules.formats(self._area)
            + self._rules.validations(self._area)
            + self._links.element()
            + page.setup(options)
            + drawing
            + tables
            + "</worksheet>"
        ).encode()

    def attachments(self) -> list[parts.Part]:
        """The parts that belong to the sheet, once `bottom` was asked for."""
        number = self._number
        found = []
        others = self._relations()
        if others or self._links.addresses:
            name = f"xl/worksheets/_rels/sheet{number}.xml.rels"
            relations = parts.relations_of(chain(self._links.relations(), others))
            found.append(parts.Part(name, None, relations))
        if self._notes:
            drawing = self._notes.drawing(number)
            found.append(parts.Part(f"xl/drawings/vmlDrawing{number}.vml", None, drawing))
            notes = self._notes.part()
            found.append(parts.Part(f"xl/comments{number}.xml", parts.NOTES_TYPE, notes))
        if self._options.table:
            name = f"xl/tables/table{number}.xml"
            found.append(parts.Part(name, parts.TABLE_TYPE, self._table()))
        return found

    def defined(self, position: int) -> list[parts.DefinedName]:
        """The names that the workbook lists for the sheet in this place, counted from 0."""
        sheet = quoted(self._name)
        found = []
        filtered = self._filtered()
        if filtered:
            text = f"{sheet}!{filtered.reference(dollar='$')}"
            found.append(parts.DefinedName("_xlnm._FilterDatabase", text, position, hidden=True))
        if self._titles:
            text = f"{sheet}!${self.above}:${self.above}"
            found.append(parts.DefinedName("_xlnm.Print_Titles", text, position))
        return found

    # What comes before the rows

    def _columns(self, formatted: Sequence[FormattedColumn]) -> str:
        if not self.head.columns:
            return ""
        if self._widths is None:
            self._widths = column_widths(
                self.head.columns, self._looks, formatted, self._options, self._zone
            )
        cols = "".join(
            f'<col min="{at}" max="{at}" width="{width:g}" customWidth="1"'
            + (' hidden="1"/>' if column.hidden else "/>")
            for at, (column, width) in enumerate(
                zip(self.head.columns, self._widths, strict=True), 1
            )
        )
        return f"<cols>{cols}</cols>"

    # What comes after them

    def _take_back(self, rows: int) -> None:
        """Rows that were written and then had no room in the sheet leave nothing in it."""
        undo = self._undo
        if undo is not None and rows < undo.number:
            self._links.rewind(undo.links)
            self._notes.rewind(undo.notes)
            self._totals.rewind(undo.totals)
            for name in _COUNTED:
                self._converted.pop(name, None)
            self._converted.update(undo.counts)

    @property
    def _area(self) -> Area:
        """The data rows; one at the least, for what holds for them needs some."""
        first = self.above + 1
        return Area(len(self.head.columns), first, max(self._end, first))

    def _filtered(self) -> Area | None:
        """What the autofilter covers; a table has one of its own."""
        if not self._options.autofilter or not self._titles or self._options.table:
            return None
        return Area(len(self.head.columns), self.above, self._end)

    def _totals_row(self) -> str:
        totals = self._totals.row()
        if not totals:
            return ""
        number = self._area.last + 1
        cells = {total.at: self._total(total, number) for total in totals}
        if not self._compact:
            return f'<row r="{number}">{"".join(cells.values())}</row>'
        return f"<row>{''.join(cells.get(at, '<c/>') for at in range(max(cells) + 1))}</row>"

    def _total(self, total: Total, number: int) -> str:
        start = "<c" if self._compact else f'<c r="{column_letters(total.at)}{number}"'
        style = Style(bold=True).over(self._looks[total.at].style(total.kind))
        cells = self._area.column(total.at)
        if self._options.table:
            cells = table.column_of(self._number, self._titles[total.at])
        index = self._registry.styles.index(style)
        formula = escape(total.formula(cells))
        return f'{start} s="{index}"><f>{formula}</f><v>{total.value:.15g}</v></c>'

    def _table(self) -> bytes:
        options = self._options
        totals = {total.at: total.name for total in self._totals.row()}
        return table.table(
            self._number,
            self._area._replace(first=self.above),
            self._titles,
            style=options.table if isinstance(options.table, str) else table.STYLE,
            buttons=options.autofilter,
            totals=totals or None,
        )

    def _relations(self) -> list[parts.Relation]:
        """Those to the parts that belong to it; the links have theirs before them."""
        number = self._number
        found = []
        if self._notes:
            found.append(parts.Relation("vmlDrawing", f"../drawings/vmlDrawing{number}.vml"))
            found.append(parts.Relation("comments", f"../comments{number}.xml"))
        if self._options.table:
            found.append(parts.Relation("table", f"../tables/table{number}.xml"))
        return found

    def _references(self) -> tuple[str, str]:
        """The elements that point to the drawing of the notes and to the table."""
        first = self._links.addresses + 1
        ids = {relation.type: f"rId{n}" for n, relation in enumerate(self._relations(), first)}
        drawing, tables = "", ""
        if "vmlDrawing" in ids:
            drawing = f'<legacyDrawing r:id="{ids["vmlDrawing"]}"/>'
        if "table" in ids:
            tables = f'<tableParts count="1"><tablePart r:id="{ids["table"]}"/></tableParts>'
        return drawing, tables


class _Undo(NamedTuple):
    """What there was before the last rows."""

    number: int  # of the first of them
    links: int
    notes: int
    totals: Any
    counts: dict[str, int]
