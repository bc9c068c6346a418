"""Rows pulled in batches that are bounded by rows, bytes and time.

Small batches first, so that the first bytes leave early; each at most twice the one before.  A
row that is far wider than the rest ends its batch and travels alone, so that memory stays flat
when cells of a megabyte follow small ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from threading import Lock
from time import monotonic
from typing import Any

FIRST_ROWS = 32
MOST_ROWS = 512
MOST_CHARACTERS = 262_144  # of text in a batch
_LONG = (str, bytes, list, dict)
_WIDE = 65_536  # a row with this much text travels alone


class Puller:
    """Pulls rows from one iterator into `pending`.

    Only the puller appends; `take` may be called from another thread while a pull is blocked, so
    that a clock can hand out what has come so far.

    Attributes:
        pending: Rows pulled and not yet taken.
        heavy: Keys of the cells whose length counts: the columns that held text so far.  A key
            that the row does not have makes all of its cells count.
    """

    def __init__(self, rows: Iterable[Any]) -> None:
        self.pending: list[Any] = []
        self.heavy: Sequence[Any] = ()
        self.ended = False
        self._rows: Iterator[Any] = iter(rows)
        self._size = FIRST_ROWS
        self._lock = Lock()

    def pull(self, due: float) -> None:
        """Pull a batch; return earlier when a row arrives after `due`, is wide, or is the last."""
        pending = self.pending
        keys = self.heavy
        room = MOST_CHARACTERS
        begun = len(pending)
        row: Any
        for row in islice(self._rows, self._size):
            pending.append(row)
            before = room
            try:
                for key in keys:
                    cell = row[key]
                    if cell:
                        room -= len(cell)
            except (TypeError, KeyError, IndexError, AttributeError):
                room = before - weight(row)
            if room < 0 or monotonic() > due or before - room > _WIDE:
                self._size = max(1, self._size // 2) if room < 0 else self._size
                return
        count = len(pending) - begun
        self.ended = count < self._size
        self._size = min(2 * self._size, MOST_ROWS)

    def take(self) -> list[Any]:
        """The pending rows, which are pending no more."""
        with self._lock:
            rows = self.pending[:]
            del self.pending[: len(rows)]
        return rows


def heavy(row: Any) -> Sequence[Any]:
    """Keys of the cells of `row` whose length counts."""
    if isinstance(row, dict):
        return [key for key, cell in row.items() if isinstance(cell, _LONG)]
    if isinstance(row, (tuple, list)):
        return [at for at, cell in enumerate(row) if isinstance(cell, _LONG)]
    return ()


def weight(row: Any, keys: Sequence[Any] = ()) -> int:
    """Characters of text in a row of any shape; of the cells at `keys`, where there are any."""
    if keys:
        try:
            return sum([len(row[key]) for key in keys if row[key]])
        except (TypeError, KeyError, IndexError):
            return weight(row)
    cells: Iterable[Any]
    if isinstance(row, dict):
        cells = row.values()
    elif isinstance(row, (tuple, list)):
        cells = row
    else:
        cells = vars(row).values() if hasattr(row, "__dict__") else ()
    return sum(len(cell) for cell in cells if isinstance(cell, _LONG))


def portions(rows: list[Any]) -> list[list[Any]]:
    """`rows` in runs, a wide last row in one of its own."""
    if len(rows) < 2 or weight(rows[-1]) <= _WIDE:
        return [rows]
    return [rows[:-1], rows[-1:]]
