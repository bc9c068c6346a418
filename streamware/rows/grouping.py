"""SheetGrouper: rows for several sheets, in any order, as long runs of rows for each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from enum import Enum
from operator import itemgetter
from typing import Any

from streamware.errors import EncodeError, StateError
from streamware.model.cell import Cell
from streamware.model.columns import Column, Key, Sheet
from streamware.rows.layout import Layout
from streamware.rows.table import Table

MOST_PULLS = 8  # as many rows wait as were pulled at a time
MOST_CHARACTERS = 524_288  # of text in the rows that wait


class SheetGrouper:
    """Gathers rows by their sheets, so that each sheet's columns are long when they are encoded.

    What waits is bounded over all sheets, in rows and in text.

    Args:
        key: Tells a row's sheet, as `Column.key` tells a cell; None where rows are `Tagged`.
        columns: The columns of sheets that bring none, or None.
        names: Names of the source's own columns, where it tells them.
        make: Makes the table of a sheet: of its name, and of what it brings, if anything.

    Attributes:
        rows: So many wait.
    """

    def __init__(
        self,
        key: Key | None,
        columns: tuple[Column, ...] | None,
        names: list[str] | None,
        make: Callable[[str | None, Sheet | None], Table],
    ) -> None:
        self.rows = 0
        self._key = key
        self._columns = columns or ()
        self._names = names
        self._make = make
        self._layout: Layout | None = None  # in which the key is a column
        self._row = 1
        self._pulled: list[Any] = []  # the sheets of rows that were pulled
        self._waiting: defaultdict[str | None, list[Any]] = defaultdict(list)
        self._brought: dict[str | None, Sheet] = {}
        self._tables: dict[str | None, Table] = {}  # whose first rows were handed on
        self._heavy: dict[str | None, Sequence[Any] | None] = {}
        self._keys: Sequence[Any] | None = None
        self._characters = 0
        self._most = 0

    @property
    def sheets(self) -> list[Any] | None:
        """The list that gets the sheets of `Tagged` rows as they are pulled; None with a key."""
        return None if self._key is not None else self._pulled

    def add(self, rows: Sequence[Any], characters: int) -> None:
        """Take in rows, in the order in which they were pulled, with so much text."""
        waiting = self._waiting
        for name, row in zip(self._sheets(rows), rows, strict=True):
            waiting[name or None].append(row)
        self.rows += len(rows)
        self._row += len(rows)
        self._characters += characters
        self._most = max(self._most, len(rows))

    def ready(self) -> Iterator[tuple[Table, list[Any]]]:
        """Runs of rows that are long enough; all that wait where those are too many.

        Sheets begin in the order in which they appeared.
        """
        crowded = self.rows >= MOST_PULLS * self._most or self._characters >= MOST_CHARACTERS
        full = [name for name, rows in self._waiting.items() if len(rows) >= self._most]
        if crowded or not self._tables or any(name not in self._tables for name in full):
            return self.rest()
        return self._handed_on(full)

    def rest(self) -> Iterator[tuple[Table, list[Any]]]:
        """All that wait."""
        return self._handed_on([name for name, rows in self._waiting.items() if rows])

    @property
    def heavy(self) -> Sequence[Any] | None:
        """Keys of the cells whose length counts, in any sheet; None where all of them do."""
        return self._keys

    def any_thread(self, row: Any) -> bool:
        """Whether any thread may tell the sheet of rows like `row`, and reach their cells."""
        plain = not callable(self._key) and not (isinstance(self._key, str) and "." in self._key)
        return plain and all(table.any_thread(row) for table in self._tables.values())

    def _handed_on(self, names: Sequence[str | None]) -> Iterator[tuple[Table, list[Any]]]:
        for name in names:
            rows, self._waiting[name] = self._waiting[name], []
            self._characters -= self._characters * len(rows) // self.rows
            self.rows -= len(rows)
            table = self._tables.get(name)
            if table is None:
                table = self._tables[name] = self._make(name, self._brought.get(name))
            yield table, rows
            self._weigh(name, table.heavy)

    def _weigh(self, name: str | None, heavy: Sequence[Any] | None) -> None:
        if name in self._heavy and self._heavy[name] == heavy:
            return
        self._heavy[name] = heavy
        known = [keys for keys in self._heavy.values() if keys is not None]
        every = len(known) == len(self._heavy)
        self._keys = list(dict.fromkeys(key for keys in known for key in keys)) if every else None

    # Which sheet a row belongs to

    def _sheets(self, rows: Sequence[Any]) -> Sequence[Any]:
        """The names of the sheets of `rows`."""
        if self._key is None:
            sheets = self._pulled[: len(rows)]
            del self._pulled[: len(rows)]
            return sheets if set(map(type, sheets)) == {str} else self._brought_by(sheets)
        cells = self._told(rows)
        if set(map(type, cells)) == {str}:
            return cells
        return [_text(cell, row) for row, cell in enumerate(cells, self._row)]

    def _told(self, rows: Sequence[Any]) -> Sequence[Any]:
        """The cell of each row that tells its sheet."""
        layout = self._layout or self._laid_out(rows[0])
        key = layout.keys[0]
        if type(key) is int and set(map(type, rows)) == {tuple}:
            with suppress(IndexError):  # a shorter row, which a layout knows how to read
                return list(map(itemgetter(key), rows))
        return layout.cells(rows, self._row)[0]

    def _brought_by(self, sheets: Sequence[Any]) -> list[str]:
        """The names of `sheets`, some of which may bring columns and options."""
        known = set(self._waiting)
        names = []
        for sheet in sheets:
            name = sheet
            if isinstance(sheet, Sheet):
                name = sheet.name
                if self._brought.get(name) is not sheet:
                    self._bring(sheet, begun=name in known)
            if not isinstance(name, str):
                kind = type(name).__name__
                raise EncodeError(f"the sheet of a tagged row is its name or a Sheet, not a {kind}")
            known.add(name)
            names.append(name)
        return names

    def _bring(self, sheet: Sheet, *, begun: bool) -> None:
        if not (isinstance(sheet.rows, tuple) and not sheet.rows):
            raise EncodeError(f"the sheet {sheet.name!r} of a tagged row has rows of its own")
        if sheet.columns is None and sheet.options is None:
            return
        if begun and self._brought.get(sheet.name) != sheet:
            raise StateError(
                f"the sheet {sheet.name!r} brings columns or options after its rows began;"
                " they come with its first row"
            )
        self._brought[sheet.name] = sheet

    def _laid_out(self, first: Any) -> Layout:
        key = self._key
        if key is None:
            raise StateError("tagged rows tell their sheets themselves")
        names = self._names
        if names is None and not _tells_names(first):
            names = [column.key if isinstance(column.key, str) else "" for column in self._columns]
        self._layout = Layout((Column(key),), names, first)
        return self._layout


def _tells_names(row: Any) -> bool:
    """Whether a row tells what its cells are called, or is reached by name anyway."""
    bare = isinstance(row, Sequence) and not isinstance(row, Mapping)
    return not bare or hasattr(row, "_fields") or hasattr(row, "keys")


def _text(value: object, row: int) -> str | None:
    if type(value) is Cell:
        value = value.value
    if isinstance(value, Enum):
        value = value.value
    if value is None:
        return None
    if isinstance(value, (bytes, bytearray, memoryview)):
        kind = type(value).__name__
        raise EncodeError(f"row {row}: the sheet of a row is told by a text, not {kind}")
    return str.__str__(value) if isinstance(value, str) else str(value)
