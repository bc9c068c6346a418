"""SheetGrouper: rows for several sheets, in any order, grouped into long runs for each sheet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from enum import Enum
from operator import itemgetter
from typing import Any

from streamware.errors import EncodeError, StateError
from streamware.model.cell import Cell
from streamware.model.columns import Column, Key, Sheet
from streamware.rows.layout import Layout
from streamware.rows.table import Table

MOST_PULLS = 8  # rows that wait, as a multiple of the largest batch pulled
MOST_CHARACTERS = 524_288  # of text in the rows that wait


class SheetGrouper:
    """Collects rows by their sheets, so that the columns of each sheet are long when encoded.

    The rows that wait are bounded over all sheets, in number and in text.

    Args:
        key: Where the sheet of a row is, as `Column.key`; None if rows are `Tagged`.
        columns: The columns of sheets that have none of their own.
        names: Names of the source's own columns, if it has any.
        make: Makes the table of a sheet, from its name and the `Sheet` of its first row, if any.
    """

    def __init__(
        self,
        key: Key | None,
        columns: tuple[Column, ...] | None,
        names: list[str] | None,
        make: Callable[[str | None, Sheet | None], Table],
    ) -> None:
        self.rows = 0  # that wait
        self._key = key  # where the sheet of a row is
        self._columns = columns or ()  # the caller's
        self._names = names  # of the source's own columns
        self._make = make  # makes a table
        self._layout: Layout | None = None  # in which the key is the only column
        self._row = 1  # number of the next row
        self._pulled: list[Any] = []  # the sheets of Tagged rows that were pulled and not added
        self._waiting: defaultdict[str | None, list[Any]] = defaultdict(list)  # rows, by sheet
        self._given: dict[str | None, Sheet] = {}  # those with columns or options, by name
        self._tables: dict[str | None, Table] = {}  # of sheets whose first rows were yielded
        self._characters = 0  # about as much text waits
        self._most = 0  # rows of the largest batch pulled

    @property
    def sheets(self) -> list[Any] | None:
        """The list that gets the sheets of `Tagged` rows as they are pulled; None with a key."""
        return None if self._key is not None else self._pulled

    def add(self, rows: Sequence[Any], characters: int) -> None:
        """Add rows, in the order in which they were pulled.

        Args:
            rows: The rows.
            characters: About how many characters of text they hold.
        """
        waiting = self._waiting
        for name, row in zip(self._sheets(rows), rows, strict=True):
            waiting[name or None].append(row)
        self.rows += len(rows)
        self._row += len(rows)
        self._characters += characters
        self._most = max(self._most, len(rows))

    def ready(self) -> Iterator[tuple[Table, list[Any]]]:
        """Yield the runs of rows that are long enough to be encoded.

        They are all rows that wait, if too many wait or a run would start a sheet: sheets start in
        the order in which they appeared.
        """
        crowded = self.rows >= MOST_PULLS * self._most or self._characters >= MOST_CHARACTERS
        full = [name for name, rows in self._waiting.items() if len(rows) >= self._most]
        if crowded or not self._tables or any(name not in self._tables for name in full):
            return self.rest()
        return self._take(full)

    def rest(self) -> Iterator[tuple[Table, list[Any]]]:
        """Yield all rows that wait."""
        return self._take([name for name, rows in self._waiting.items() if rows])

    def finish(self) -> None:
        """Raise EncodeError if a chosen column is in none of the rows of a sheet."""
        for table in self._tables.values():
            table.finish()

    def any_thread(self, row: Any) -> bool:
        """Return whether any thread may find the sheet of rows like `row`, and read their cells."""
        plain = not callable(self._key) and not (isinstance(self._key, str) and "." in self._key)
        return plain and all(table.any_thread(row) for table in self._tables.values())

    def _take(self, names: Sequence[str | None]) -> Iterator[tuple[Table, list[Any]]]:
        for name in names:
            rows, self._waiting[name] = self._waiting[name], []
            self._characters -= self._characters * len(rows) // self.rows
            self.rows -= len(rows)
            table = self._tables.get(name)
            if table is None:
                table = self._tables[name] = self._make(name, self._given.get(name))
            yield table, rows

    # Which sheet a row belongs to

    def _sheets(self, rows: Sequence[Any]) -> Sequence[Any]:
        """Return the names of the sheets of `rows`."""
        if self._key is None:
            sheets = self._pulled[: len(rows)]
            del self._pulled[: len(rows)]
            return sheets if set(map(type, sheets)) == {str} else self._names_of_tags(sheets)
        cells = self._sheet_cells(self._key, rows)
        if set(map(type, cells)) == {str}:
            return cells
        return [_text(cell, row) for row, cell in enumerate(cells, self._row)]

    def _sheet_cells(self, key: Key, rows: Sequence[Any]) -> Sequence[Any]:
        """Return the cell of each row that names its sheet."""
        if self._layout is None:
            names, row = self._names, rows[0]
            # The cells of all rows have names, except those of a plain sequence.
            named = not isinstance(row, Sequence) or hasattr(row, "_fields") or hasattr(row, "keys")
            if names is None and not named:
                names = [c.key if isinstance(c.key, str) else "" for c in self._columns]
            self._layout = Layout((Column(key),), names, row)
            self._layout.look_for_unseen(rows)
            if self._layout.unseen:
                raise self._layout.missing(len(rows))
        at = self._layout.keys[0]
        if type(at) is int and set(map(type, rows)) == {tuple}:
            with suppress(IndexError):  # some row is shorter: the layout can read it
                return list(map(itemgetter(at), rows))
        return self._layout.cells_of_few(rows, self._row)[0]

    def _names_of_tags(self, sheets: Sequence[Any]) -> list[str]:
        """Return the names of `sheets`, some of which may be a `Sheet` with columns or options."""
        known = set(self._waiting)
        names = []
        for sheet in sheets:
            name = sheet
            if isinstance(sheet, Sheet):
                name = sheet.name
                if self._given.get(name) is not sheet:
                    self._keep(sheet, started=name in known)
            if not isinstance(name, str):
                kind = type(name).__name__
                raise EncodeError(f"the sheet of a Tagged row must be a str or a Sheet, not {kind}")
            known.add(name)
            names.append(name)
        return names

    def _keep(self, sheet: Sheet, *, started: bool) -> None:
        if not (isinstance(sheet.rows, tuple) and not sheet.rows):
            raise EncodeError(
                f"the Sheet {sheet.name!r} of a Tagged row must not have rows of its own"
            )
        if sheet.columns is None and sheet.options is None:
            return
        if started and self._given.get(sheet.name) != sheet:
            raise StateError(
                f"the columns and options of the sheet {sheet.name!r} must come with its first row,"
                " not with a later one"
            )
        self._given[sheet.name] = sheet


def _text(value: object, row: int) -> str | None:
    if type(value) is Cell:
        value = value.value
    if isinstance(value, Enum):
        value = value.value
    if value is None:
        return None
    if isinstance(value, (bytes, bytearray, memoryview)):
        kind = type(value).__name__
        raise EncodeError(f"row {row}: the name of its sheet must be a str, not {kind}")
    return str.__str__(value) if isinstance(value, str) else str(value)
