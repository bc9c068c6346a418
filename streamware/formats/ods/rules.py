"""Writes the rules of columns: conditional formats, zebra stripes and validations.

Conditional formats come after the rows, in the form that LibreOffice writes.  ODF itself has only
maps in cell styles, without ranges, colour scales and data bars.  Validations are in the form of
ODF, and have to be known before the first row of the document.

Source: OpenDocument 1.3 Part 3 §9.4.4 (table:content-validation), §19.605 (table:condition).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, tzinfo
from xml.sax.saxutils import escape

from streamware.errors import EncodeError
from streamware.formats.ods.formula import open_formula
from streamware.formats.ods.parts import attribute
from streamware.formats.ods.reference import CellRange
from streamware.formats.ods.styles import Styles
from streamware.formats.spreadsheet.column_style import ZEBRA
from streamware.formats.text import label, legal, text_literal
from streamware.model.columns import Column
from streamware.model.rules import (
    ColorScale,
    Condition,
    Operand,
    Rule,
    Validation,
    choices_formula,
)
from streamware.model.sheet_options import SheetOptions
from streamware.model.style import Style
from streamware.values.dates import datetime_serials, in_zone

_KINDS = {
    "whole": "cell-content-is-whole-number()",
    "decimal": "cell-content-is-decimal-number()",
    "date": "cell-content-is-date()",
}
_SIGNS = {"<>": "!="}


class ConditionalFormats:
    """The conditional formats of one sheet.

    Their styles are registered at once; their ranges are known only after the last row.

    Args:
        sheet: Name of the sheet, for messages.
        columns: Columns of the sheet.
        options: Options of the sheet.
        styles: Styles of the document.
        zone: Time zone in which aware date-times are compared.

    Raises:
        EncodeError: A rule has a formula that cannot be translated.
    """

    def __init__(
        self,
        sheet: str,
        columns: Sequence[Column],
        options: SheetOptions,
        styles: Styles,
        zone: tzinfo,
    ) -> None:
        # The position of a column, and a rule as XML, in the pieces around its first cell.
        self._formats: list[tuple[int, tuple[str, ...]]] = []
        for at, column in enumerate(columns):
            operands = OperandFormatter(f"sheet {sheet!r}, column {label(column, at)}", zone)
            self._formats += [(at, _format(rule, operands, styles)) for rule in column.rules]
        # A table has stripes, as in Excel.  ODF has no tables, so zebra stripes take their place.
        striped = options.zebra or bool(options.table)
        color = striped if isinstance(striped, str) else ZEBRA
        self._zebra = styles.name(Style(background=color)) if striped and columns else None

    def xml(self, rows: CellRange) -> str:
        """Return `calcext:conditional-formats`, or nothing if there are none.

        Args:
            rows: The data rows.
        """
        found = [
            _conditional_format(rows.column_address(at), attribute(rows.first_cell(at)).join(rule))
            for at, rule in self._formats
        ]
        if self._zebra is not None:
            odd = (rows.first + 1) % 2
            rule = _condition(self._zebra, f"formula-is(MOD(ROW();2)={odd})")
            found.append(
                _conditional_format(rows.address(), attribute(rows.first_cell(0)).join(rule))
            )
        if not found:
            return ""
        return f"<calcext:conditional-formats>{''.join(found)}</calcext:conditional-formats>"


class Validations:
    """The validations of a document, which say what users may type into a column, each once.

    Attributes:
        xml: `table:content-validations`, or nothing if there are none.
    """

    def __init__(self) -> None:
        self._names: dict[tuple[Validation, str], str] = {}
        self.xml = ""

    def declare(self, columns: Iterable[tuple[Column, str]], place: str, zone: tzinfo) -> None:
        """Make `xml`.  Call it once, before the others.

        Args:
            columns: The columns of the first sheet, each with the address of its first cell.
            place: What they belong to, for messages.
            zone: Time zone in which aware date-times are compared.
        """
        found = ""
        for at, (column, cell) in enumerate(columns):
            rule = column.validation
            if rule is None or _key(rule, cell) in self._names:
                continue
            name = self._names[_key(rule, cell)] = f"v{len(self._names) + 1}"
            operands = OperandFormatter(f"{place}, column {label(column, at)}", zone)
            found += _validation(name, rule, cell, operands)
        if found:
            self.xml = f"<table:content-validations>{found}</table:content-validations>"

    def name(self, rule: Validation, cell: str) -> str | None:
        """Return the name of a validation; None if it was not declared.

        Args:
            rule: The validation.
            cell: Address of the first cell that it holds for.
        """
        return self._names.get(_key(rule, cell))


class OperandFormatter:
    """Writes the operands of the rules of one column as a formula has them.

    Args:
        place: Name of the column, for messages.
        zone: Time zone in which aware date-times are compared.
    """

    def __init__(self, place: str, zone: tzinfo) -> None:
        self._place = place
        self._zone = zone

    def format(self, operand: Operand) -> str:
        """Return an operand.

        Raises:
            EncodeError: It is a formula that cannot be translated, or a date-time that is outside
                of the years 1 to 9999 in the zone.
        """
        if isinstance(operand, date):
            return self._serial(operand)
        if not isinstance(operand, str):
            return repr(operand)
        if not operand.startswith("="):
            return text_literal(operand)
        formula = open_formula(legal(operand[1:]))
        if formula is None:
            raise EncodeError(f"{self._place}: the formula of a rule has no translation for ODF")
        return formula

    def _serial(self, day: date) -> str:
        moved: date | None = day
        if isinstance(day, datetime) and day.tzinfo is not None:
            moved = in_zone(day, self._zone)
        if moved is None:
            raise EncodeError(
                f"{self._place}: a rule compares with a date-time outside of the years 1 to 9999"
            )
        moment = datetime(moved.year, moved.month, moved.day)  # noqa: DTZ001 - a wall clock has no zone
        if isinstance(moved, datetime):
            moment = moved.replace(tzinfo=None)
        (serial,), _ = datetime_serials([moment])
        return f"{serial:.15g}"


def _key(rule: Validation, cell: str) -> tuple[Validation, str]:
    """Return the key by which a validation is declared once; the cell matters only to formulas."""
    formulas = any(str(one).startswith("=") for one in (rule.value, rule.other))
    return rule, cell.rpartition(".")[2] if formulas else ""


def _format(rule: Rule, operands: OperandFormatter, styles: Styles) -> tuple[str, ...]:
    """Return a rule as XML, in the pieces around the address of its first cell."""
    if isinstance(rule, Condition):
        return _condition(styles.name(rule.style), _comparison(rule, operands))
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
    ends = "".join(
        f'<calcext:formatting-entry calcext:value="0" calcext:type="{end}"/>'
        for end in ("minimum", "maximum")
    )
    bar = (
        f'<calcext:data-bar calcext:positive-color="#{rule.color}" calcext:max-length="90"'
        f' calcext:min-length="10">{ends}</calcext:data-bar>'
    )
    return (bar,)


def _condition(style: str, value: str) -> tuple[str, str]:
    applied = f'calcext:apply-style-name="{style}" calcext:value={attribute(value)}'
    return f"<calcext:condition {applied} calcext:base-cell-address=", "/>"


def _comparison(rule: Condition | Validation, operands: OperandFormatter) -> str:
    """Return the comparison of a rule, such as `>5` or `between(1,2)`."""
    value = "" if rule.value is None else operands.format(rule.value)
    if rule.other is None:
        return f"{_SIGNS.get(rule.comparison, rule.comparison)}{value}"
    return f"{rule.comparison.replace(' ', '-')}({value},{operands.format(rule.other)})"


def _conditional_format(cells: str, rule: str) -> str:
    return (
        f"<calcext:conditional-format calcext:target-range-address={attribute(cells)}>{rule}"
        "</calcext:conditional-format>"
    )


def _validation(name: str, rule: Validation, cell: str, operands: OperandFormatter) -> str:
    listed = ' table:display-list="unsorted"' if rule.choices else ""
    title = "" if rule.title is None else f" table:title={attribute(rule.title)}"
    kind = "stop" if rule.strict else "warning"
    lines = legal(rule.message or "").split("\n") if rule.message else []
    message = "".join(f"<text:p>{escape(line)}</text:p>" for line in lines)
    return (
        f'<table:content-validation table:name="{name}"'
        f" table:condition={attribute('of:' + _allowed(rule, operands))}"
        f' table:allow-empty-cell="true"{listed} table:base-cell-address={attribute(cell)}>'
        f'<table:error-message table:message-type="{kind}" table:display="true"{title}>{message}'
        "</table:error-message></table:content-validation>"
    )


def _allowed(rule: Validation, operands: OperandFormatter) -> str:
    """Return the condition that the content of a cell must meet."""
    if cells := choices_formula(rule):
        return f"cell-content-is-in-list({operands.format(cells)})"
    if rule.choices:
        return f"cell-content-is-in-list({';'.join(map(text_literal, rule.choices))})"
    if rule.kind == "custom":
        return f"is-true-formula({operands.format(rule.value or '')})"
    compared = _comparison(rule, operands)
    between = compared.startswith(("between", "not-between"))
    if rule.kind == "length":
        return f"cell-content-text-length{'-is-' if between else '()'}{compared}"
    content = f"cell-content{'-is-' if between else '()'}{compared}"
    return f"{_KINDS[rule.kind or '']} and {content}"
