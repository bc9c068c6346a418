"""Rows pulled in batches that are bounded by rows, bytes and time.

Small batches first, so that the first bytes leave early; each at most twice the one before.  A
row that is far wider than the rest ends its batch and travels alone, so that memory stays flat
when cells of a megabyte follow small ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
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
        heavy: Keys of the cells whose length counts: the columns that held text so far; None
            where all of them do.
    """

    def __init__(self, rows: Iterable[Any]) -> None:
        self.pending: list[Any] = []
        self.heavy: Sequence[Any] | None = None
        self.ended = False
        self._rows: Iterator[Any] = iter(rows)
        self._size = FIRST_ROWS
        self._lock = Lock()

    def pull(self, due: float) -> None:
        """Pull a batch; return earlier when a row arrives after `due`, or the text is enough."""
        keys = self.heavy
        loop = _loop(None if keys is None or len(keys) > _MOST_KEYS else tuple(keys))
        room, count = loop(self._rows, self._size, self.pending, MOST_CHARACTERS, due)
        if room < 0:
            self._size = max(1, self._size // 2)
        elif count == self._size:
            self._size = min(2 * self._size, MOST_ROWS)
        self.ended = count == _ALL

    def take(self) -> list[Any]:
        """The pending rows, which are pending no more."""
        with self._lock:
            rows = self.pending[:]
            del self.pending[: len(rows)]
        return rows


_Loop = Callable[[Iterator[Any], int, list[Any], int, float], tuple[int, int]]

_ALL = -1
_MOST_KEYS = 64  # in one expression, whose depth the compiler bounds

# The innermost loop of every export, written out for the columns that hold text: a loop over
# them would take longer than the encoding of a cell or two.  The rows are counted here, because
# another thread may take what is pending at any time.
_SOURCE = """
def loop(rows, size, pending, room, due):
    count = 0
    append = pending.append
    for count, row in zip(range(1, size + 1), rows):
        append(row)
        try:
            room -= {weight}
        except (TypeError, ValueError, KeyError, IndexError):
            room -= weight(row)
        if room < 0 or monotonic() > due:
            return room, count
    return room, count if count == size else ALL
"""


@lru_cache(maxsize=256)
def _loop(keys: tuple[Any, ...] | None) -> _Loop:
    """Appends at most `size` rows to `pending`, until `room` is used up or it is `due`.

    Returns what is left of `room`, and how many rows came, or `_ALL` if there are no more.
    """
    lengths = [f"len(row[{key!r}] or '')" for key in keys or ()]
    terms = "weight(row)" if keys is None else " + ".join(lengths) or "0"
    names: dict[str, Any] = {"weight": weight, "monotonic": monotonic, "ALL": _ALL}
    exec(_SOURCE.format(weight=terms), names)  # noqa: S102 - of literals of our own making
    return names["loop"]  # type: ignore[no-any-return]


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
    if isinstance(row, (tuple, list)):
        cells = row
    elif isinstance(row, Mapping):
        cells = row.values()
    elif hasattr(row, "__len__"):
        cells = row
    else:
        slots = _slots(type(row))  # type: ignore[arg-type]  # a class can be hashed
        cells = [getattr(row, name, None) for name in (*getattr(row, "__dict__", ()), *slots)]
    return sum(len(cell) for cell in cells if isinstance(cell, _LONG))


@lru_cache(maxsize=256)
def _slots(type_: type) -> list[str]:
    slots = [getattr(class_, "__slots__", ()) for class_ in type_.__mro__]
    return [name for names in slots for name in ([names] if isinstance(names, str) else names)]


def portions(rows: list[Any]) -> list[list[Any]]:
    """`rows` in runs, a wide last row in one of its own."""
    if len(rows) < 2 or weight(rows[-1]) <= _WIDE:
        return [rows]
    return [rows[:-1], rows[-1:]]
