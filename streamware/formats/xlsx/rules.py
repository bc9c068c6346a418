"""Writes the rules of columns: conditional formats and data validation.

Source: ECMA-376 Part 1 §18.3.1.18 (conditionalFormatting), §18.3.1.10 (cfRule), §18.3.1.33
(dataValidations).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, tzinfo
from xml.sax.saxutils import escape, quoteattr

from streamware.errors import EncodeError
from streamware.formats.spreadsheet.column_style import ZEBRA
from streamware.formats.text import label, legal, text_literal
from streamware.formats.xlsx.area import Area
from streamware.formats.xlsx.functions import prefixed
from streamware.formats.xlsx.styles import Styles
from streamware.model.columns import Column
from streamware.model.formula import has_columns_of_tables
from streamware.model.rules import (
    Condition,
    DataBar,
    Operand,
    Rule,
    Validation,
    choices_formula,
)
from streamware.model.sheet_options import SheetOptions
from streamware.model.style import Style
from streamware.values.cell_formatter import TextRules
from streamware.values.dates import datetime_serials, in_zone

_OPERATORS = {
    "<": "lessThan",
    "<=": "lessThanOrEqual",
    "=": "equal",
    "<>": "notEqual",
    ">=": "greaterThanOrEqual",
    ">": "greaterThan",
    "between": "between",
    "not between": "notBetween",
}
_TYPES = {
    None: "list",
    "whole": "whole",
    "decimal": "decimal",
    "date": "date",
    "length": "textLength",
    "custom": "custom",
}
_BREAKS = {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}


class ColumnRules:
    """The conditional formats and validations of one sheet.

    They are made when the sheet begins, except for the ranges, which are known after the last row.

    Args:
        sheet: Name of the sheet, for messages.
        columns: Its columns.
        options: Its options.
        styles: The styles of the workbook.
        zone: Zone in which aware date-times are compared.
        text_rules: How the workbook has its dates.

    Raises:
        EncodeError: A rule compares with a date that spreadsheets do not have.
    """

    def __init__(
        self,
        sheet: str,
        columns: Sequence[Column],
        options: SheetOptions,
        styles: Styles,
        zone: tzinfo,
        *,
        text_rules: TextRules,
    ) -> None:
        self._zone = zone  # in which aware date-times are compared
        self._text_rules = text_rules  # how the workbook has its dates
        self._styles = styles  # of the workbook
        self._formats: list[tuple[int, str]] = []  # by column, with `{}` for the priority
        self._validations: list[tuple[int, str]] = []  # by column, with `{}` for the range
        for at, column in enumerate(columns):
            self._place = f"sheet {sheet!r}, column {label(column, at)}"  # for messages
            self._formats += [(at, self._format(rule)) for rule in column.rules]
            if column.validation is not None:
                self._validations.append((at, self._validation(column.validation)))
        color = ZEBRA if options.zebra is True else options.zebra
        # The differential format of every second row.
        self._zebra = styles.difference(Style(background=color)) if color else None

    def formats(self, area: Area) -> str:
        """Return the elements `conditionalFormatting`; earlier rules of a column have priority."""
        found = [
            _formatting(area.column(at), rule.replace("{}", str(priority), 1))
            for priority, (at, rule) in enumerate(self._formats, 1)
        ]
        if self._zebra is not None and area.columns:
            rule = (
                f'<cfRule type="expression" dxfId="{self._zebra}" priority="{len(found) + 1}">'
                f"<formula>MOD(ROW(),2)={(area.first + 1) % 2}</formula></cfRule>"
            )
            found.append(_formatting(area.reference(), rule))
        return "".join(found)

    def validations(self, area: Area) -> str:
        """Return the element `dataValidations`; empty if there are none."""
        found = [
            validation.replace("{}", area.column(at), 1) for at, validation in self._validations
        ]
        if not found:
            return ""
        return f'<dataValidations count="{len(found)}">{"".join(found)}</dataValidations>'

    def _format(self, rule: Rule) -> str:
        """Return the element `cfRule`, with `{}` for the priority."""
        if isinstance(rule, Condition):
            marks = f' dxfId="{self._styles.difference(rule.style)}"'
            compared = f' operator="{_OPERATORS[rule.comparison]}"'
            formulas = self._formulas("formula", rule.value, rule.other)
            return f'<cfRule type="cellIs" priority="{{}}"{marks}{compared}>{formulas}</cfRule>'
        if isinstance(rule, DataBar):
            color = f'<color rgb="FF{rule.color}"/>'
            bar = f'<dataBar><cfvo type="min"/><cfvo type="max"/>{color}</dataBar>'
            return f'<cfRule type="dataBar" priority="{{}}">{bar}</cfRule>'
        points = [('type="min"', rule.low), ('type="max"', rule.high)]
        if rule.middle is not None:
            points.insert(1, ('type="percentile" val="50"', rule.middle))
        values = "".join(f"<cfvo {point}/>" for point, _ in points)
        colors = "".join(f'<color rgb="FF{color}"/>' for _, color in points)
        scale = f"<colorScale>{values}{colors}</colorScale>"
        return f'<cfRule type="colorScale" priority="{{}}">{scale}</cfRule>'

    def _validation(self, rule: Validation) -> str:
        """Return the element `dataValidation`, with `{}` for the range."""
        marks = f' type="{_TYPES[rule.kind]}"'
        if cells := choices_formula(rule):
            formulas = self._formulas("formula1", cells)
        elif rule.kind is None:
            formulas = f"<formula1>{escape(text_literal(','.join(rule.choices)))}</formula1>"
        else:
            formulas = self._formulas("formula1", rule.value)
            formulas += self._formulas("formula2", rule.other)
        if rule.kind not in (None, "custom"):
            marks += f' operator="{_OPERATORS[rule.comparison]}"'
        if not rule.strict:
            marks += ' errorStyle="warning"'
        for name, text in (("errorTitle", rule.title), ("error", rule.message)):
            if text is not None:
                marks += f" {name}={quoteattr(legal(text), _BREAKS)}"
        return (
            f'<dataValidation sqref="{{}}"{marks} allowBlank="1" showErrorMessage="1">{formulas}'
            "</dataValidation>"
        )

    def _formulas(self, element: str, *operands: Operand | None) -> str:
        return "".join(
            f"<{element}>{escape(self._literal(operand))}</{element}>"
            for operand in operands
            if operand is not None
        )

    def _literal(self, operand: Operand) -> str:
        """Return an operand as it is written in a formula."""
        if isinstance(operand, date):
            return self._serial(operand)
        if not isinstance(operand, str):
            return repr(operand)
        if not operand.startswith("="):
            return text_literal(operand)
        if has_columns_of_tables(operand[1:]):
            raise EncodeError(
                f"{self._place}: the formula of a rule has a column of a table, which Excel does"
                " not allow there; write its cells, such as A2 or $A$2:$A$9"
            )
        return prefixed(legal(operand[1:]))

    def _serial(self, day: date) -> str:
        """Return the serial number of a date or date-time."""
        moved: date | None = day
        if isinstance(day, datetime) and day.tzinfo is not None:
            moved = in_zone(day, self._zone)
        rules = self._text_rules
        if moved is None or date(moved.year, moved.month, moved.day) < rules.first_date:
            raise EncodeError(
                f"{self._place}: a rule compares with a date that spreadsheets do not have;"
                f" the first is {rules.first_date}"
            )
        if isinstance(moved, datetime):
            (serial,), _ = datetime_serials([moved.replace(tzinfo=None)], rules.epoch)
            return repr(serial)
        return str(moved.toordinal() - rules.epoch.toordinal())


def _formatting(cells: str, rule: str) -> str:
    return f'<conditionalFormatting sqref="{cells}">{rule}</conditionalFormatting>'
