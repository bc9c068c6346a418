"""One sheet of an ODS file: a table.

Source: OpenDocument 1.3 Part 3 §9.1 (tables), §9.2 (their structure), §9.4.15 (database ranges).
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from streamware.formats.ods.cells import CellWriter, settle
from streamware.formats.ods.heading import ROW, ROW_END, Heading
from streamware.formats.ods.parts import attribute
from streamware.formats.ods.reference import Table
from streamware.formats.ods.rules import ColumnRules, Validations
from streamware.formats.ods.serials import numeric, valued
from streamware.formats.ods.style_registry import StyleRegistry
from streamware.formats.ods.white_space import CellText, characters
from streamware.formats.protocol import Context, Part, interleave
from streamware.formats.spreadsheet.heading import rows_above
from streamware.formats.spreadsheet.look import ColumnStyle
from streamware.formats.spreadsheet.sheet import check_columns
from streamware.formats.spreadsheet.table import check_titles, table_name
from streamware.formats.spreadsheet.totals import Total, Totals
from streamware.formats.spreadsheet.width import column_widths
from streamware.formats.text import formatters
from streamware.model.columns import Batch, Head
from streamware.model.sheet_options import SheetOptions
from streamware.model.style import Style
from streamware.values.cell import TextRules
from streamware.values.formatter import FormattedColumn
from streamware.values.kinds import Kind

if TYPE_CHECKING:
    from streamware.formats.ods import Ods

TEXT_RULES = TextRules(escape=CellText(), spreadsheet=True, iso=True)

_EMPTY = b"<table:table-cell/>"
_DIGEST = "http://www.w3.org/2000/09/xmldsig#sha256"


class Shape(NamedTuple):
    """How a column is shown.

    Attributes:
        width: Characters.
        hidden: Whether it is there without being seen.
    """

    width: float
    hidden: bool


class SheetWriter:
    """The XML of one table, a batch at a time.

    Attributes:
        head: Names and columns of the sheet.
        options: What surrounds its rows.
        name: As it is listed.
        above: Rows above the first data row.
        below: Rows to keep free below the last one.
        frozen: Rows that stay in sight.

    Args:
        options: Those of the document.
        head: Names and columns of the sheet.
        context: The export's.
        registry: The styles of the document.
        validations: Those of the document.
        name: As it is to be listed.
    """

    def __init__(
        self,
        options: Ods,
        head: Head,
        context: Context,
        registry: StyleRegistry,
        validations: Validations,
        *,
        name: str,
    ) -> None:
        check_columns(name, len(head.columns))
        self.head = head
        self.options: SheetOptions = head.options or options
        self.name = name
        if self.options.table:
            check_titles(name, head.titles)
        self.above = rows_above(head, self.options)
        self._end = self.above  # the last row so far
        self.frozen = self.above if self.options.freeze and head.titles else 0
        self._again = (options, head, context, registry, validations)
        self._context = context
        self._shapes: list[Shape] = []
        self._totals = Totals(name, head.columns)
        self.below = 1 if self._totals else 0
        zone = context.values.timezone
        self._rules = ColumnRules(name, head.columns, self.options, registry.styles, zone)
        self._formatters = formatters(head.columns, context, TEXT_RULES, sheet=head.name)
        self._heading = Heading(
            head, self.options, context, text_rules=TEXT_RULES, registry=registry
        )
        self._looks = [ColumnStyle.of(column, zone) for column in head.columns]
        self._writers = [
            CellWriter(
                column,
                self._looks[at],
                registry,
                converted=context.receipt.converted,
                validation=self._validation(at, validations),
            )
            for at, column in enumerate(head.columns)
        ]

    def continued(self, name: str) -> SheetWriter:
        """The sheet in which its rows go on; its columns are as wide."""
        other = SheetWriter(*self._again, name=name)
        other._shapes = self._shapes
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

    def shapes(self, formatted: Sequence[FormattedColumn]) -> list[Shape]:
        """How its columns are shown; widths are sampled from its first cells, once."""
        if not self._shapes:
            zone = self._context.values.timezone
            columns = self.head.columns
            widths = column_widths(
                columns, self._looks, formatted, self.options, zone, text=characters
            )
            self._shapes = [
                Shape(width, column.hidden) for width, column in zip(widths, columns, strict=True)
            ]
        return self._shapes

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
            f"{_protection(self.options.protect)}>{shown or '<table:table-column/>'}"
        )
        return start.encode() + self._heading.xml()

    def rows(self, formatted: Sequence[FormattedColumn], count: int) -> bytes:
        """`count` rows of these cells."""
        self._end += count
        if self._totals:
            columns = zip(self.head.columns, formatted, strict=True)
            self._totals.add([numeric(cells) if c.total else cells for c, cells in columns])
        settle(self._writers, formatted)
        parts: list[Part] = [ROW]
        for writer, cells in zip(self._writers, formatted, strict=True):
            parts += writer.parts(cells)
        return interleave([*parts, ROW_END], count)

    def bottom(self) -> bytes:
        """Everything after the last row."""
        totals = self._totals.row()
        # A table has a row at least, and a row of totals cells to calculate them from.
        missing = not self._end or (totals and self._end == self.above)
        empty = ROW + _EMPTY + ROW_END if missing else b""
        formats = self._rules.formats(self._area) if self.head.columns else ""
        return empty + self._totals_row(totals) + formats.encode() + b"</table:table>"

    def database_range(self, number: int) -> str:
        """What has filter buttons: the sheet's table, or all its rows; empty where nothing does.

        Args:
            number: Of the sheet, from 1.
        """
        buttons = self.options.autofilter
        if not self.head.titles or not (buttons or self.options.table):
            return ""
        # LibreOffice shows no name that begins so.
        name = table_name(number) if self.options.table else f"__Anonymous_Sheet_DB__{number - 1}"
        area = self._area._replace(first=self.above, last=max(self._end, self.above))
        shown = ' table:display-filter-buttons="true"' if buttons else ""
        return (
            f'<table:database-range table:name="{name}"'
            f" table:target-range-address={attribute(area.range())}{shown}/>"
        )

    @property
    def _area(self) -> Table:
        """The data rows; one at the least, for what holds for them needs some."""
        first = self.above + 1
        return Table(self.name, len(self.head.columns), first, max(self._end, first))

    def _validation(self, at: int, validations: Validations) -> str | None:
        """Name of the rule of a column."""
        rule = self.head.columns[at].validation
        if rule is None:
            return None
        name = validations.name(rule, self._area.cell(at))
        if name is None:
            self._context.receipt.converted["validation"] += 1
        return name

    def _totals_row(self, totals: Sequence[Total]) -> bytes:
        cells = {total.at: self._total(total) for total in totals}
        if not cells:
            return b""
        inner = [cells.get(at, _EMPTY) for at in range(len(self.head.columns))]
        return b"".join([ROW, *inner, ROW_END])

    def _total(self, total: Total) -> bytes:
        style = Style(bold=True).over(self._looks[total.at].style(total.kind))
        formula = total.formula(self._area.formula(total.at), separator=";")
        meant = Kind.NUMBER if total.kind is Kind.EMPTY else total.kind
        kind, token = valued(meant, total.value)
        return self._writers[total.at].calculated(kind, token, style, formula)


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
