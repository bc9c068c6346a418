"""Totals: the row of formulas below the last row, whose values are added up as rows are written.

Source: ECMA-376 Part 1 §18.17.7.311 (SUBTOTAL): 101, 103 and 109 leave out what a filter hides.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import repeat
from math import isfinite, nan
from typing import Any

from streamware.errors import EncodeError
from streamware.formats.text import label
from streamware.model.cell import Cell
from streamware.model.columns import Column
from streamware.values.cell_formatter import DIGITS, SEPARATOR
from streamware.values.column_formatter import FormattedColumn
from streamware.values.kinds import MOMENTS, NUMBERS, Kind
from streamware.values.numbers import orjson

# SUBTOTAL leaves out a formula that is a SUBTOTAL; whether it counts a formula that only contains
# one is not documented.
_SUBTOTAL = re.compile(rb"""\s*SUBTOTAL\s*\((?:[^()"']|"[^"]*"|'[^']*')*\)\s*""", re.IGNORECASE)
_NESTED = re.compile(rb"\b(?:SUBTOTAL|AGGREGATE)\s*\(", re.IGNORECASE)
_FUNCTIONS = {"sum": 109, "average": 101, "count": 103}
_BLOCK = 1024  # values that are added at a time
_LOADS = json.loads if orjson is None else orjson.loads
_TEXTS = frozenset({Kind.TEXT, Kind.JSON})
_ODD = {"sum": _TEXTS | MOMENTS, "average": _TEXTS}  # the kinds that cannot have this total


@dataclass(slots=True)
class _Running:
    """The running total of a column."""

    cells: int = 0  # that are not empty
    numbers: int = 0  # cells with a number
    sum: float = 0  # of whole blocks
    pending: list[float] = field(default_factory=list)  # numbers that do not fill a block yet
    kind: Kind | None = None  # of the first number
    unknown: bool = False  # whether a formula has no number yet, or perhaps none that counts

    def add(self, numbers: Sequence[float]) -> None:
        # Blocks of one size make the rounded sum independent of the batches.
        self.numbers += len(numbers)
        self.pending += numbers
        while len(self.pending) >= _BLOCK:
            self.sum += sum(self.pending[:_BLOCK])
            del self.pending[:_BLOCK]


@dataclass(frozen=True, slots=True)
class Total:
    """The total of a column.

    Attributes:
        at: Position of the column, from 0.
        name: "sum", "average" or "count".
        value: Its value; None if only a program that calculates formulas can find it.
        kind: The kind of cell as which it is shown.
    """

    at: int
    name: str
    value: float | None
    kind: Kind

    def formula(self, cells: str, *, separator: str = ",") -> str:
        """Return the formula that calculates it.

        Args:
            cells: The reference to the cells of the column.
            separator: The separator of arguments, which is a semicolon in OpenFormula.
        """
        return f"SUBTOTAL({_FUNCTIONS[self.name]}{separator}{cells})"


class Totals:
    """The totals of one sheet.

    Args:
        sheet: Name of the sheet, for messages.
        columns: Its columns.
    """

    def __init__(self, sheet: str, columns: Sequence[Column]) -> None:
        self._sheet = sheet
        self._columns = {at: column for at, column in enumerate(columns) if column.total}
        self._running = {at: _Running() for at in self._columns}  # by the column's position

    def __bool__(self) -> bool:
        return bool(self._columns)

    def check(
        self, formatted: Sequence[FormattedColumn], columns: Sequence[Sequence[object]], first: int
    ) -> None:
        """Raise EncodeError for text in a column with a sum or average, or for a date in a sum.

        Args:
            formatted: The columns of the sheet as text.
            columns: Their cells as the caller gave them.
            first: Number of the first row, from 1, for messages.
        """
        for at in self._columns:
            self.check_column(at, formatted[at], columns[at], first)

    def check_column(
        self, at: int, cells: FormattedColumn, given: Sequence[object], first: int
    ) -> None:
        """Raise the errors of `check` for one column, which has a total."""
        column = self._columns[at]
        odd = _ODD.get(str(column.total), frozenset())
        if cells.kinds is None and cells.kind not in odd:
            return
        kinds = cells.kinds or repeat(cells.kind)
        for row, (kind, token) in enumerate(zip(kinds, cells.tokens, strict=False)):
            if token and kind in odd:  # an empty text is ignored
                raise EncodeError(
                    f"sheet {self._sheet!r}, row {first + row}, column {label(column, at)}:"
                    f" {_named(kind, given[row])} has no {column.total}"
                )

    def add(self, formatted: Sequence[FormattedColumn]) -> None:
        """Add some rows."""
        for at in self._running:
            self.add_column(at, formatted[at])

    def add_column(self, at: int, cells: FormattedColumn) -> None:
        """Add some rows to the total of one column, which has one."""
        running, name = self._running[at], self._columns[at].total
        if _has_formulas(cells):
            cells, unknown, nested = _calculated(cells)
            running.unknown |= nested or (unknown and name != "count")
        empty = cells.tokens.count(None) if cells.sparse else 0
        running.cells += len(cells.tokens) - empty
        if name != "count":
            numbers, kind = _numbers(cells)
            running.add(numbers)
            running.kind = running.kind or kind

    def mark(self) -> dict[int, _Running]:
        """Return a copy of the state, for `rewind`."""
        return {
            at: replace(running, pending=running.pending.copy())
            for at, running in self._running.items()
        }

    def rewind(self, mark: dict[int, _Running]) -> None:
        """Remove the rows that were added after `mark`."""
        self._running = mark

    def row(self) -> list[Total]:
        """Return the totals, without the average of a column that has no numbers."""
        found = []
        for at, running in self._running.items():
            name = str(self._columns[at].total)
            kind = Kind.EMPTY if name == "count" else running.kind or Kind.NUMBER
            value = None if running.unknown else _value(name, running)
            if value is None or isfinite(value):
                found.append(Total(at, name, value, kind))
        return found


def _value(name: str, running: _Running) -> float:
    """Return the value of a total, which is NaN for the average of no numbers."""
    if name == "count":
        return running.cells
    value = running.sum + sum(running.pending)
    if name == "average":
        value = value / running.numbers if running.numbers else nan
    # Rounded to the digits that a spreadsheet keeps, so that ten times 0.1 is 1.
    return float(f"{value:.{DIGITS}g}")


def _named(kind: Kind | None, value: object) -> str:
    """Return what a message calls a cell that cannot be totalled: its kind, never its value."""
    value = value.value if isinstance(value, Cell) else value
    if kind in MOMENTS or isinstance(value, date):
        return "a date"
    if isinstance(value, timedelta):
        return "a duration that became text, because it is too long,"
    if isinstance(value, float):
        return "a number that is not finite (see Values.non_finite)"
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return "a number that became text (see Values.big_int and Values.decimal)"
    return "text"


def _numbers(cells: FormattedColumn) -> tuple[Sequence[float], Kind | None]:
    """Return the numbers of a column without formulas, and the kind of the first one."""
    if cells.numbers is not None:
        return cells.numbers, cells.kind
    if cells.kind in NUMBERS:
        tokens: list[Any] = cells.tokens
        present = [t for t in tokens if t is not None] if cells.sparse else tokens
        return _LOADS(b"[" + b",".join(present) + b"]"), cells.kind
    if cells.kinds is None:
        return (), None
    found = [(k, t) for k, t in zip(cells.kinds, cells.tokens, strict=True) if t and k in NUMBERS]
    numbers = _LOADS(b"[" + b",".join([token for _, token in found]) + b"]")
    return numbers, found[0][0] if found else None


def _has_formulas(cells: FormattedColumn) -> bool:
    return cells.kind is Kind.FORMULA or (cells.kinds is not None and Kind.FORMULA in cells.kinds)


def _calculated(cells: FormattedColumn) -> tuple[FormattedColumn, bool, bool]:
    """Return the column with the values of its formulas, but without nested subtotals.

    Also return whether the number of a formula is not known, and whether it is not known if
    SUBTOTAL passes over one.
    """
    kinds = cells.kinds or [Kind.FORMULA] * len(cells.tokens)
    kept: list[tuple[Kind, bytes | None]] = []
    unknown = nested = False
    for kind, token in zip(kinds, cells.tokens, strict=True):
        if kind is not Kind.FORMULA or token is None:
            kept.append((kind, token))
            continue
        formula, valued, cached, *_ = token.split(SEPARATOR)
        if _SUBTOTAL.fullmatch(formula):
            continue
        number = Kind(valued.decode())
        unknown = unknown or number not in NUMBERS
        nested = nested or _NESTED.search(formula) is not None
        kept.append((number, cached))
    tokens = [token for _, token in kept]
    return FormattedColumn(None, tokens, cells.sparse, [kind for kind, _ in kept]), unknown, nested
