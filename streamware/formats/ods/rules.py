"""What holds for whole columns: conditional formats, zebra, and what may be typed in.

Conditional formats stand behind the rows, as LibreOffice writes them: ODF's own way, a map in the
style of a cell, has neither ranges nor scales nor bars.  What may be typed in is ODF's, and has
to be known before the first row of the document.

Source: OpenDocument 1.3 Part 3 §9.4.4 (table:content-validation), §19.605 (table:condition).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, tzinfo
from xml.sax.saxutils import escape

from streamware.errors import EncodeError
from streamware.formats.ods.formula import open_formula
from streamware.formats.ods.parts import attribute
from streamware.formats.ods.reference import Table
from streamware.formats.ods.styles import Styles
from streamware.formats.spreadsheet.look import ZEBRA
from streamware.formats.text import label, legal, text_literal
from streamware.model.columns import Column
from streamware.model.rules import ColorScale, Condition, DataBar, Operand, Rule, Validation
from streamware.model.sheet_options import SheetOptions
from streamware.model.style import Style
from streamware.values.tokens import datetime_serials, in_zone

_KINDS = {
    "whole": "cell-content-is-whole-number()",
    "decimal": "cell-content-is-decimal-number()",
    "date": "cell-content-is-date()",
}
_SIGNS = {"<>": "!="}


class ColumnRules:
    """The conditional formats of one sheet.

    What they look like is settled at once, where they hold when the rows are known.

    Args:
        sheet: Name of the sheet, for messages.
        columns: Its columns.
        options: What surrounds its rows.
        styles: Those of the document.
        zone: Zone that aware date-times are compared in.

    Raises:
        EncodeError: A formula that ODF has no way for.
    """

    def __init__(
        self,
        sheet: str,
        columns: Sequence[Column],
        options: SheetOptions,
        styles: Styles,
        zone: tzinfo,
    ) -> None:
        self._formats = [
            (
                at,
                _format(
                    rule, Literals(f"sheet {sheet!r}, column {label(column, at)}", zone), styles
                ),
            )
            for at, column in enumerate(columns)
            for rule in column.rules
        ]
        # A native table of Excel has stripes; here they make one of it.
        striped = options.zebra or bool(options.table)
        color = striped if isinstance(striped, str) else ZEBRA
        self._zebra = styles.name(Style(background=color)) if striped and columns else None

    def formats(self, table: Table) -> str:
        """`calcext:conditional-formats`; empty where there are none.

        Args:
            table: The data rows.
        """
        found = [
            _formatting(table.column(at), attribute(table.cell(at)).join(rule))
            for at, rule in self._formats
        ]
        if self._zebra is not None:
            odd = (table.first + 1) % 2
            rule = _condition(self._zebra, f"formula-is(MOD(ROW();2)={odd})")
            found.append(_formatting(table.range(), attribute(table.cell(0)).join(rule)))
        if not found:
            return ""
        return f"<calcext:conditional-formats>{''.join(found)}</calcext:conditional-formats>"


class Validations:
    """What may be typed into the columns of the document, each rule once."""

    def __init__(self) -> None:
        self._names: dict[tuple[Validation, str], str] = {}

    def declare(self, columns: Iterable[tuple[Column, str]], place: str, zone: tzinfo) -> str:
        """`table:content-validations`; empty where there are none.

        Args:
            columns: Columns, and their first cells.
            place: Of what, for messages.
            zone: Zone that aware date-times are compared in.
        """
        found = ""
        for at, (column, cell) in enumerate(columns):
            rule = column.validation
            if rule is None or _key(rule, cell) in self._names:
                continue
            name = self._names[_key(rule, cell)] = f"v{len(self._names) + 1}"
            literals = Literals(f"{place}, column {label(column, at)}", zone)
            found += _validation(name, rule, cell, literals)
        return f"<table:content-validations>{found}</table:content-validations>" if found else ""

    def name(self, rule: Validation, cell: str) -> str | None:
        """Name of a rule; None where it was not declared.

        Args:
            rule: The rule.
            cell: The first cell that it holds for.
        """
        return self._names.get(_key(rule, cell))


class Literals:
    """Operands as they stand in the formulas of one column.

    Args:
        place: Of the column, for messages.
        zone: Zone that aware date-times are compared in.
    """

    def __init__(self, place: str, zone: tzinfo) -> None:
        self._place = place
        self._zone = zone

    def literal(self, operand: Operand) -> str:
        """An operand within a formula.  Raises EncodeError where ODF has no way for it."""
        if isinstance(operand, date):
            return self._serial(operand)
        if not isinstance(operand, str):
            return repr(operand)
        if not operand.startswith("="):
            return text_literal(operand)
        formula = open_formula(legal(operand[1:]))
        if formula is None:
            raise EncodeError(f"{self._place}: a rule has a formula that ODF has no way for")
        return formula

    def _serial(self, day: date) -> str:
        moved: date | None = day
        if isinstance(day, datetime) and day.tzinfo is not None:
            moved = in_zone(day, self._zone)
        if moved is None:
            raise EncodeError(f"{self._place}: a rule compares with a date out of all calendars")
        moment = datetime(moved.year, moved.month, moved.day)  # noqa: DTZ001 - a wall clock's
        if isinstance(moved, datetime):
            moment = moved.replace(tzinfo=None)
        return f"{datetime_serials([moment])[0]:.15g}"


def _key(rule: Validation, cell: str) -> tuple[Validation, str]:
    """What makes two rules one: where they stand only counts in formulas."""
    formulas = any(str(one).startswith("=") for one in (rule.value, rule.other))
    return rule, cell.rpartition(".")[2] if formulas else ""


def _format(rule: Rule, literals: Literals, styles: Styles) -> tuple[str, ...]:
    """Its XML, in the pieces between which its first cell stands."""
    if isinstance(rule, Condition):
        return _condition(styles.name(rule.style), _compared(rule, literals))
    if isinstance(rule, ColorScale):
        points = [("minimum", rule.low), ("maximum", rule.high)]
        if rule.middle is not None:
            points.insert(1, ("percentile", rule.middle))
        entries = "".join(
            f'<calcext:color-scale-entry calcext:value="{50 if type_ == "percentile" else 0}"'
            f' calcext:type="{type_}" calcext:color="#{color}"/>'
            for type_, color in points
        )
        return (f"<calcext:color-scale>{entries}</calcext:color-scale>",)
    return (_bar(rule),)


def _condition(style: str, value: str) -> tuple[str, str]:
    marks = f'calcext:apply-style-name="{style}" calcext:value={attribute(value)}'
    return f"<calcext:condition {marks} calcext:base-cell-address=", "/>"


def _bar(rule: DataBar) -> str:
    ends = "".join(
        f'<calcext:formatting-entry calcext:value="0" calcext:type="{end}"/>'
        for end in ("minimum", "maximum")
    )
    return (
        f'<calcext:data-bar calcext:positive-color="#{rule.color}" calcext:max-length="90"'
        f' calcext:min-length="10">{ends}</calcext:data-bar>'
    )


def _compared(rule: Condition | Validation, literals: Literals) -> str:
    """`>5`, `between(1,2)`."""
    value = "" if rule.value is None else literals.literal(rule.value)
    if rule.other is None:
        return f"{_SIGNS.get(rule.comparison, rule.comparison)}{value}"
    return f"{rule.comparison.replace(' ', '-')}({value},{literals.literal(rule.other)})"


def _formatting(cells: str, rule: str) -> str:
    return (
        f"<calcext:conditional-format calcext:target-range-address={attribute(cells)}>{rule}"
        "</calcext:conditional-format>"
    )


def _validation(name: str, rule: Validation, cell: str, literals: Literals) -> str:
    listed = ' table:display-list="unsorted"' if rule.choices else ""
    title = "" if rule.title is None else f" table:title={attribute(rule.title)}"
    kind = "stop" if rule.strict else "warning"
    lines = legal(rule.message or "").split("\n") if rule.message else []
    message = "".join(f"<text:p>{escape(line)}</text:p>" for line in lines)
    return (
        f'<table:content-validation table:name="{name}"'
        f" table:condition={attribute('of:' + _allowed(rule, literals))}"
        f' table:allow-empty-cell="true"{listed} table:base-cell-address={attribute(cell)}>'
        f'<table:error-message table:message-type="{kind}" table:display="true"{title}>{message}'
        "</table:error-message></table:content-validation>"
    )


def _allowed(rule: Validation, literals: Literals) -> str:
    """The condition that what is typed in has to meet."""
    if rule.choices:
        return f"cell-content-is-in-list({';'.join(map(text_literal, rule.choices))})"
    if rule.kind == "custom":
        return f"is-true-formula({literals.literal(rule.value or '')})"
    compared = _compared(rule, literals)
    between = compared.startswith(("between", "not-between"))
    if rule.kind == "length":
        return f"cell-content-text-length{'-is-' if between else '()'}{compared}"
    content = f"cell-content{'-is-' if between else '()'}{compared}"
    return f"{_KINDS[rule.kind or '']} and {content}"
