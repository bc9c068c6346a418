"""Pulls rows in batches that are bounded by rows, text and time.

The first batches are small, so that the first bytes leave early; each is at most twice as long as
the one before.  A row that exhausts the text of a batch ends it, and is encoded alone if it is
wide, so that memory stays flat when cells of a megabyte follow small ones.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain, islice
from threading import Lock
from time import monotonic
from typing import Any

from streamware.errors import EncodeError
from streamware.locks import fork_safe
from streamware.model.cell import Cell
from streamware.model.columns import Tagged

FIRST_ROWS = 32
MOST_ROWS = 512
MOST_CHARACTERS = 262_144  # of text in a batch
MOST_CELLS = 10_240  # in a batch, of any kind
_RUN = 32  # rows after which the number of cells in a row is looked at again
_LONG = (str, bytes, bytearray, memoryview)
_NESTED = (list, dict, tuple)
_COUNTED = frozenset(_LONG + _NESTED)
_ITEM = 8  # characters that any item but text counts for
_WIDE = 65_536  # characters; the last row of a batch is encoded alone if it has more text


class RowBatcher:
    """Pulls rows from one iterator into `pending`, a batch at a time.

    Only the thread that pulls appends to `pending`.  Another thread may `take` what is there while
    a pull is blocked, so that a clock can flush the rows that have come so far.

    Args:
        rows: The rows.
        sheets: The list that gets the sheets of `Tagged` rows, each before its row is pending; None
            if rows are not tagged.
    """

    def __init__(self, rows: Iterable[Any], sheets: list[Any] | None = None) -> None:
        self.pending: list[Any] = []  # rows pulled and not yet taken
        # Keys of the cells whose length counts, which is set by the caller; None if all of them do.
        self.heavy_keys: Sequence[Any] | None = None
        self.characters = 0  # of text counted in the last pull
        self.ended = False  # whether the iterator is exhausted
        # The rows that are still to come, without their tags.
        self._rows = iter(rows) if sheets is None else _untagged(rows, sheets)
        self._size = FIRST_ROWS  # rows in the next batch, at most
        self._started = False  # whether the first row has come
        self._unchosen: dict[Any, None] = {}  # keys of text that is in no column, as a set
        self._lock = fork_safe(Lock())  # held while pending rows are taken
        self._due = 0.0  # the time after which the next row ends the batch
        self._stopped = False  # whether the next row ends the pull in flight

    def stop(self) -> None:
        """Make the next row end the pull in flight; any thread may call this."""
        self._stopped = True
        self._due = 0.0

    def pull(self, due: float) -> None:
        """Pull a batch; return earlier when a row arrives after `due`, or the text is enough.

        Raises:
            EncodeError: A row is not `Tagged`, and the first one was.
        """
        self._due = due
        if self._stopped:  # checked after the assignment, which could undo a stop in between
            self._due = 0.0
        self.characters = MOST_CHARACTERS - self._pull_batch()

    def take(self) -> list[Any]:
        """Return the pending rows, and remove them from `pending`."""
        with self._lock:
            rows = self.pending[:]
            del self.pending[: len(rows)]
        return rows

    def _pull_batch(self) -> int:
        """Pull a batch; return what is left of the characters that it may have.

        Text in cells that belong to no column counts too, because it is in memory.
        """
        known = (
            None if self.heavy_keys is None else dict.fromkeys((*self.heavy_keys, *self._unchosen))
        )
        keys = None if known is None else list(known)
        room = MOST_CHARACTERS  # characters that it may still have
        left = self._size  # rows that it may still have
        most = MOST_ROWS  # rows of this width that a batch may have
        while left:
            run = min(left, _RUN if self._started else 1)
            room, row, whole = self._pull_run(run, keys, room)
            if not whole:
                if room < 0:
                    self._size = max(1, self._size // 2)
                return room
            most = max(1, MOST_CELLS // max(1, len(row) if hasattr(row, "__len__") else 1))
            left = left - run if self._started else min(left - run, most - 1)
            self._started = True
            if known is not None and (new := heavy_keys(row, known)):
                self._unchosen.update(dict.fromkeys(new))
                return room  # some cells have text for the first time: the next batch counts it
        self._size = min(2 * self._size, MOST_ROWS, most)
        return room

    def _pull_run(self, size: int, keys: Sequence[Any] | None, room: int) -> tuple[int, Any, bool]:
        """Append `size` rows to `pending`; fewer if the text is enough, or a row comes late.

        This is the innermost loop of every export.  It never looks at `pending`, because another
        thread may empty it at any time.

        Returns:
            What is left of `room`, the last row, and whether there were `size` rows.
        """
        append = self.pending.append
        count, row = 0, None
        for count, row in enumerate(islice(self._rows, size), 1):  # noqa: B007 - used below
            append(row)
            text = 0
            try:
                if keys is None:
                    text = weight(row)
                else:
                    for key in keys:
                        text += len(row[key] or "")
            except (TypeError, ValueError, KeyError, IndexError):
                text = weight(row)
            room -= text
            if room < 0 or monotonic() > self._due:
                return room, row, False
        self.ended = count < size
        return room, row, not self.ended


def _untagged(rows: Iterable[Any], sheets: list[Any]) -> Iterator[Any]:
    """Yield the rows of `Tagged` ones, after appending the sheet of each to `sheets`."""
    for number, row in enumerate(rows, 1):
        if type(row) is not Tagged:
            kind = type(row).__name__
            raise EncodeError(f"row {number} must be Tagged like the first row, not {kind}")
        sheets.append(row.sheet)
        yield row.row


def heavy_keys(row: Any, known: Container[Any] = ()) -> Sequence[Any]:
    """Return the keys of the cells of `row` whose length counts, except those that are `known`.

    Rows that are not dicts, tuples or lists have none, because all their cells are weighed.
    """
    if hasattr(type(row), "__missing__"):  # a defaultdict: row[key] changes it
        return ()
    if isinstance(row, dict):
        cells: Iterable[tuple[Any, Any]] = row.items()
    elif isinstance(row, (tuple, list)):
        cells = enumerate(row)
    else:
        return ()
    return [
        key
        for key, cell in cells
        if key not in known and (type(cell) in _COUNTED or _is_long(cell))
    ]


def _is_long(cell: object) -> bool:
    """Return whether a cell is a `Cell` with text in it."""
    return type(cell) is Cell and (type(cell.value) in _COUNTED or bool(cell.note or cell.url))


def weight(row: Any, keys: Sequence[Any] = ()) -> int:
    """Return the characters of text in a row: at `keys`, if any are given, else in all cells."""
    if keys:
        try:
            return sum([len(row[key]) for key in keys if row[key]])
        except (TypeError, KeyError, IndexError):
            return weight(row)
    cells: Iterable[Any]
    if isinstance(row, (tuple, list)):
        cells = row
    elif isinstance(row, Mapping):
        try:
            cells = list(row.values())
        except KeyError:  # raised inside the mapping; the layout names its row and column
            return 0
    elif hasattr(row, "__len__"):
        cells = row
    else:
        slots = _slots(type(row))  # type: ignore[arg-type]  # a class can be hashed
        cells = [getattr(row, name, None) for name in (*getattr(row, "__dict__", ()), *slots)]
    return sum(map(_length, cells))


def _length(cell: Any) -> int:
    """Return about how many characters a cell takes."""
    if isinstance(cell, _LONG):
        return len(cell)
    return _nested_length(cell, {}, _DEPTH) if _has_items(cell) else 0


_Lengths = dict[tuple[int, int], tuple[int, Any]]
_DEPTH = 3  # levels that are measured; of deeper ones only the number of items counts


def _nested_length(cell: Any, known: _Lengths, depth: int) -> int:
    """Return the same for a cell that has items, down to `depth` levels.

    An object that occurs many times, or in itself, is measured once: `known` has its length by
    identity and depth.  It keeps the object too, because a new one could get the identity of a
    freed one.
    """
    items: Iterable[Any]
    if isinstance(cell, Cell):
        length, items = 0, (cell.value, cell.note, cell.url)
    else:
        length = _ITEM * len(cell)
        items = chain(cell, cell.values()) if isinstance(cell, dict) else cell
    if not depth:
        return length
    key = id(cell), depth
    if key not in known:
        for item in items:
            if isinstance(item, _LONG):
                length += len(item)
            elif _has_items(item):
                length += _nested_length(item, known, depth - 1)
        known[key] = length, cell
    return known[key][0]


def _has_items(cell: object) -> bool:
    return isinstance(cell, _NESTED) or type(cell) is Cell


@lru_cache(maxsize=256)
def _slots(type_: type) -> list[str]:
    """Return the names in `__slots__` of a class and of its bases."""
    slots = [getattr(class_, "__slots__", ()) for class_ in type_.__mro__]
    return [name for names in slots for name in ([names] if isinstance(names, str) else names)]


def portions(rows: list[Any]) -> list[list[Any]]:
    """Split `rows` into lists to encode one after the other: a wide last row is encoded alone."""
    if len(rows) < 2 or weight(rows[-1]) <= _WIDE:
        return [rows]
    return [rows[:-1], rows[-1:]]
