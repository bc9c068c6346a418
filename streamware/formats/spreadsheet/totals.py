"""Totals: the row of formulas below the last row, whose values are added up as rows are written.

Source: ECMA-376 Part 1 §18.17.7.311 (SUBTOTAL): 101, 103 and 109 leave out what a filter hides.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
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
        value: Its value.
        kind: The kind of cell as which it is shown.
    """

    at: int
    name: str
    value: float
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
        for at, column in self._columns.items():
            cells, odd = formatted[at], _ODD.get(str(column.total), frozenset())
            if cells.kinds is None and cells.kind not in odd:
                continue
            kinds = cells.kinds or repeat(cells.kind)
            for row, (kind, token) in enumerate(zip(kinds, cells.tokens, strict=False)):
                if token and kind in odd:  # an empty text is ignored
                    raise EncodeError(
                        f"sheet {self._sheet!r}, row {first + row}, column {label(column, at)}:"
                        f" {_named(kind, columns[at][row])} has no {column.total}"
                    )

    def add(self, formatted: Sequence[FormattedColumn]) -> None:
        """Add some rows."""
        for at, running in self._running.items():
            cells = formatted[at]
            empty = cells.tokens.count(None) if cells.sparse else 0
            running.cells += len(cells.tokens) - empty
            if self._columns[at].total != "count":
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
            if name == "count":
                found.append(Total(at, name, running.cells, Kind.EMPTY))
                continue
            value = running.sum + sum(running.pending)
            if name == "average":
                value = value / running.numbers if running.numbers else nan
            # Rounded to the digits that a spreadsheet keeps, so that ten times 0.1 is 1.
            value = float(f"{value:.{DIGITS}g}")
            if isfinite(value):
                found.append(Total(at, name, value, running.kind or Kind.NUMBER))
        return found


def _named(kind: Kind | None, value: object) -> str:
    """Return what a message calls a cell that cannot be totalled: its kind, never its value."""
    if kind in MOMENTS:
        return "a date"
    value = value.value if isinstance(value, Cell) else value
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return "a number that became text (see Values.big_int and Values.decimal)"
    return "text"


def _total(at: int, name: str, running: _Running) -> Total:
    if name == "count":
        return Total(at, name, running.cells, Kind.EMPTY)
    value = running.sum + sum(running.pending)
    if name == "average":
        value = value / running.numbers if running.numbers else nan
    # Rounded to the digits that a spreadsheet keeps, so that ten times 0.1 is 1.
    return Total(at, name, float(f"{value:.{DIGITS}g}"), running.kind or Kind.NUMBER)


def _numbers(cells: FormattedColumn) -> tuple[Sequence[float], Kind | None]:
    """Return the numbers of a column, and the kind of the first one."""
    if cells.numbers is not None:
        return cells.numbers, cells.kind
    if cells.kind in NUMBERS:
        tokens: list[Any] = cells.tokens
        present = [t for t in tokens if t is not None] if cells.sparse else tokens
        return _LOADS(b"[" + b",".join(present) + b"]"), cells.kind
    if cells.kinds is None and cells.kind is not Kind.FORMULA:
        return (), None
    kinds = cells.kinds or [Kind.FORMULA] * len(cells.tokens)
    pairs = (_cached(kind, token) for kind, token in zip(kinds, cells.tokens, strict=True) if token)
    found = [(kind, token) for kind, token in pairs if kind in NUMBERS]
    numbers = _LOADS(b"[" + b",".join([token for _, token in found]) + b"]")
    return numbers, found[0][0] if found else None


def _cached(kind: Kind, token: bytes) -> tuple[Kind, bytes]:
    """Return the kind and the text of a cell; for a formula, those of its value."""
    if kind is not Kind.FORMULA:
        return kind, token
    _, valued, cached = token.split(SEPARATOR)
    return Kind(valued.decode()), cached
