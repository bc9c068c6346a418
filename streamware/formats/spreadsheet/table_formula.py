"""Formulas of the rows of a table: `[@Price]` is the column `Price` in the row of the formula.

Excel shows it so, but a file has the name of the table, and `#This Row` instead of `@`.

Source: ECMA-376 Part 1 §18.17.2.5 (structured references); Microsoft, "Using structured references
with Excel tables" (what has to be escaped).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import repeat

from streamware.errors import EncodeError
from streamware.formats.spreadsheet.reference import column_letters
from streamware.formats.text import label
from streamware.model.columns import Head
from streamware.model.formula import replace_columns_of_tables
from streamware.values.cell_formatter import SEPARATOR
from streamware.values.column_formatter import FormattedColumn
from streamware.values.kinds import Kind

_THIS_ROW = re.compile(r"\s*(?:@|\[#This Row\]\s*,?)\s*", re.IGNORECASE)
_SPECIFIER = re.compile(r"\[((?:[^][']|'.)*)\]", re.DOTALL)
_ESCAPE = re.compile("'(.)", re.DOTALL)
_SPECIAL = re.compile(r"([][#@'])")  # of a title, which are escaped by an apostrophe
_SPACE = re.compile(r"\s+")


class TableFormulas:
    """The formulas in the rows of one sheet that refer to columns of its table.

    Args:
        sheet: Name of the sheet, for messages.
        head: Its columns.
        table: Whether the sheet has a table.
    """

    def __init__(self, sheet: str, head: Head, *, table: bool) -> None:
        self._sheet = sheet
        self._head = head
        self._table = table
        self._columns = {_folded(title): at for at, title in enumerate(head.titles or ())}

    def check(self, formatted: Sequence[FormattedColumn], first: int, start: int = 0) -> None:
        """Raise EncodeError for a formula that refers to a table or a column that is not there.

        Args:
            formatted: Some columns of some rows as text.
            first: Number of the first row, from 1, for messages.
            start: The position of the first column, from 0.
        """
        for at, cells in enumerate(formatted, start):
            for row, formula in _formulas(cells):
                if problem := self._problem(formula):
                    raise EncodeError(
                        f"sheet {self._sheet!r}, row {first + row}, column"
                        f" {label(self._head.columns[at], at)}: the formula {problem}"
                    )

    def in_files(
        self, formatted: Sequence[FormattedColumn], table: str
    ) -> Sequence[FormattedColumn]:
        """Return the columns with formulas as files of Excel have them.

        Args:
            formatted: The columns of some rows as text.
            table: Name of the table of the sheet.
        """

        def replaced(name: str, inside: str) -> str:
            found = _THIS_ROW.match(inside)
            columns = inside[found.end() :] if found else inside
            if columns and not columns.startswith("["):
                columns = f"[{columns}]" if found or not columns.startswith("#") else columns
            if not name:
                columns = _SPECIFIER.sub(self._exact, columns)
            if found:
                columns = f"[#This Row],{columns}" if columns else "#This Row"
            elif columns.count("[") == 1:
                columns = columns[1:-1]
            return f"{name or table}[{columns}]"

        return _rewritten(formatted, lambda text, _: replace_columns_of_tables(text, replaced))

    def as_cells(
        self, formatted: Sequence[FormattedColumn], first: int
    ) -> Sequence[FormattedColumn]:
        """Return the columns with cells instead of columns of the row in formulas.

        Args:
            formatted: The columns of some rows as text.
            first: Number of the first row in the sheet, from 1.
        """

        def rewritten(formula: str, row: int) -> str:
            def replaced(name: str, inside: str) -> str:
                found = _THIS_ROW.match(inside)
                places = self._places(inside[found.end() :]) if found and not name else []
                cells = [f"{column_letters(at)}{first + row}" for at in places if at is not None]
                return ":".join(cells) if cells else f"{name}[{inside}]"

            return replace_columns_of_tables(formula, replaced)

        return _rewritten(formatted, rewritten)

    def _exact(self, found: re.Match[str]) -> str:
        """Return the name of a column in brackets, written as its title is."""
        at = self._columns.get(_folded(_ESCAPE.sub(r"\1", found[1])))
        titles = self._head.titles
        if at is None or titles is None:
            return found[0]
        escaped = _SPECIAL.sub(r"'\1", titles[at])
        return f"[{escaped}]"

    def _problem(self, formula: str) -> str | None:
        problems = []

        def noted(name: str, inside: str) -> str:
            found = _THIS_ROW.match(inside)
            if name:
                pass
            elif not self._table:
                problems.append(
                    "refers to a column of a table, and the sheet has none; use"
                    " SheetOptions(table=True), or the name of a cell such as B2"
                )
            elif None in self._places(inside[found.end() :] if found else inside):
                titles = ", ".join(self._head.titles or ())
                problems.append(
                    f"refers to a column that the table does not have; it has: {titles}"
                )
            return ""

        replace_columns_of_tables(formula, noted)
        return problems[0] if problems else None

    def _places(self, columns: str) -> list[int | None]:
        """Return the positions of `Price` or `[Price]:[Total]`; None for an unknown column."""
        if not columns.startswith("["):
            names = [columns] if columns and not columns.startswith("#") else []
        else:
            names = [name for name in _SPECIFIER.findall(columns) if not name.startswith("#")]
        if not names and not columns:  # the whole row
            return [0, len(self._head.columns) - 1]
        return [self._columns.get(_folded(_ESCAPE.sub(r"\1", name))) for name in names]


def _rewritten(
    formatted: Sequence[FormattedColumn], rewrite: Callable[[str, int], str]
) -> Sequence[FormattedColumn]:
    """Return the columns with other formulas; those that are given may be needed once more."""
    columns = list(formatted)
    for at, cells in enumerate(formatted):
        formulas = _formulas(cells)
        if formulas:
            tokens = list(cells.tokens)
            for row, formula in formulas:
                rest = tokens[row].partition(SEPARATOR)[2]
                tokens[row] = rewrite(formula, row).encode() + SEPARATOR + rest
            columns[at] = replace(cells, tokens=tokens)
    return columns


def _folded(title: str) -> str:
    return _SPACE.sub(" ", title).casefold()


def _formulas(cells: FormattedColumn) -> list[tuple[int, str]]:
    """Return the row, from 0, and the text of each formula with brackets."""
    if Kind.FORMULA not in (cells.kinds or (cells.kind,)):
        return []
    if b"[" not in b"".join(filter(None, cells.tokens)):
        return []
    kinds = cells.kinds or repeat(Kind.FORMULA)
    return [
        (row, token.partition(SEPARATOR)[0].decode())
        for row, (kind, token) in enumerate(zip(kinds, cells.tokens, strict=False))
        if kind is Kind.FORMULA and token is not None and b"[" in token
    ]
