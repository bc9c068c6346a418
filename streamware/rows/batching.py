"""Rows pulled in batches that are bounded by rows, bytes and time.

Small batches first, so that the first bytes leave early; each at most twice the one before.  A
row that is far wider than the rest ends its batch and travels alone, so that memory stays flat
when cells of a megabyte follow small ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from threading import Lock
from time import monotonic
from typing import Any, NamedTuple, NoReturn

from streamware.model.cell import Cell
from streamware.model.columns import Tagged

FIRST_ROWS = 32
MOST_ROWS = 512
MOST_CHARACTERS = 262_144  # of text in a batch
MOST_CELLS = 10_240  # in a batch, of any kind
_LONG = (str, bytes, bytearray, memoryview)
_NESTED = (list, dict, tuple)
_COUNTED = frozenset(_LONG + _NESTED)
_ITEM = 8  # characters of an item that is no text
_WIDE = 65_536  # a row with this much text travels alone


class Untag(NamedTuple):
    """What becomes of the tags of `Tagged` rows.

    Attributes:
        note: Called with the sheet of each row, before the row is pending.
        refuse: Called with what is no tagged row; raises.
    """

    note: Callable[[Any], object]
    refuse: Callable[[Any], NoReturn]


class RowBatcher:
    """Pulls rows from one iterator into `pending`.

    Only the puller appends; `take` may be called from another thread while a pull is blocked, so
    that a clock can hand out what has come so far.

    Args:
        rows: The rows.
        untag: Where they are `Tagged`: what takes their tags; the rows are bare then.

    Attributes:
        pending: Rows pulled and not yet taken.
        heavy: Keys of the cells whose length counts: the columns that held text so far; None
            where all of them do.
        characters: So much text was counted in the last pull.
    """

    def __init__(self, rows: Iterable[Any], untag: Untag | None = None) -> None:
        self.pending: list[Any] = []
        self.heavy: Sequence[Any] | None = None
        self.characters = 0
        self.ended = False
        self._rows: Iterator[Any] = iter(rows)
        self._untag = untag
        self._size = FIRST_ROWS
        self._seen = False
        self._more: dict[Any, None] = {}  # keys of cells that are long, but in no column
        self._lock = Lock()
        self._due = [0.0]  # where the loop looks after every row
        self._stopped = False

    def stop(self) -> None:
        """Have the pull in flight be the last, from any thread."""
        self._stopped = True
        self._due[0] = 0.0

    def pull(self, due: float) -> None:
        """Pull a batch; return earlier when a row arrives after `due`, or the text is enough."""
        self._due[0] = due
        if self._stopped:  # looked at after that, or a stop in between would be lost
            self._due[0] = 0.0
        self.characters = 0
        self.characters = MOST_CHARACTERS - self._pull()

    def _pull(self) -> int:
        """The batch; returns what is left of the characters it may have."""
        keys = self._weighed()
        weighed = None if keys is None or len(keys) > _MOST_KEYS else tuple(keys)
        untag = self._untag or _BARE
        loop = _loop(weighed, tagged=self._untag is not None)
        room, left, most = MOST_CHARACTERS, self._size, MOST_ROWS
        while left:
            run = min(left, _RUN if self._seen else 1)
            room, state, row = loop(self._rows, run, self.pending, room, self._due, *untag)
            if state != _THROUGH:
                self.ended = state == _ENDED
                self._size = max(1, self._size // 2) if room < 0 else self._size
                return room
            most = max(1, MOST_CELLS // max(1, _width(row)))
            left = min(left - run, most - 1) if not self._seen else left - run
            self._seen = True
            if keys is not None and (new := [key for key in heavy(row) if key not in keys]):
                self._more.update(dict.fromkeys(new))
                return room  # text where there was none: the next batch is to weigh it
        self._size = min(2 * self._size, MOST_ROWS, most)
        return room

    def _weighed(self) -> Sequence[Any] | None:
        """Keys of the cells whose length counts, wanted or not: they are in memory."""
        return None if self.heavy is None else list(dict.fromkeys((*self.heavy, *self._more)))

    def take(self) -> list[Any]:
        """The pending rows, which are pending no more."""
        with self._lock:
            rows = self.pending[:]
            del self.pending[: len(rows)]
        return rows


_Loop = Callable[..., tuple[int, int, Any]]

_THROUGH, _CUT, _ENDED = range(3)
_RUN = 32  # rows between two looks at what a row is like
_MOST_KEYS = 64  # in one expression, whose depth the compiler bounds

# The innermost loop of every export, written out for the columns that hold text: a loop over
# them would take longer than the encoding of a cell or two.  Nothing is asked of `pending`,
# because another thread may take what is there at any time.
_SOURCE = """
def loop(rows, size, pending, room, due, note, refuse):
    count, row = 0, None
    append = pending.append
    for count, row in zip(range(1, size + 1), rows):{untag}
        append(row)
        try:
            room -= {weight}
        except (TypeError, ValueError, KeyError, IndexError):
            room -= weight(row)
        if room < 0 or monotonic() > due[0]:
            return room, CUT, row
    return room, THROUGH if count == size else ENDED, row
"""


# A generator that took the tags off would take as long as all of this.
_UNTAG = """
        if type(row) is not Tagged:
            refuse(row)
        note(row.sheet)
        row = row.row"""

_BARE = (None, None)  # what bare rows need of an `Untag`


@lru_cache(maxsize=256)
def _loop(keys: tuple[Any, ...] | None, *, tagged: bool) -> _Loop:
    """Appends at most `size` rows to `pending`, until `room` is used up or it is `due`.

    Returns what is left of `room`, how the loop ended, and the last row.
    """
    lengths = [f"len(row[{key!r}] or '')" for key in keys or ()]
    terms = "weight(row)" if keys is None else " + ".join(lengths) or "0"
    names: dict[str, Any] = {"weight": weight, "monotonic": monotonic, "Tagged": Tagged}
    names |= {"THROUGH": _THROUGH, "CUT": _CUT, "ENDED": _ENDED}
    exec(_SOURCE.format(weight=terms, untag=_UNTAG if tagged else ""), names)  # noqa: S102 - of literals of our own making
    return names["loop"]  # type: ignore[no-any-return]


def _width(row: Any) -> int:
    return len(row) if hasattr(row, "__len__") else 1


def heavy(row: Any) -> Sequence[Any]:
    """Keys of the cells of `row` whose length counts; none where that takes a closer look."""
    if hasattr(type(row), "__missing__"):  # a defaultdict: row[key] changes it
        return ()
    if isinstance(row, dict):
        return [key for key, cell in row.items() if type(cell) in _COUNTED or _is_long(cell)]
    if isinstance(row, (tuple, list)):
        return [at for at, cell in enumerate(row) if type(cell) in _COUNTED or _is_long(cell)]
    return ()


def _is_long(cell: object) -> bool:
    """Whether a `Cell` has text in it."""
    return type(cell) is Cell and (type(cell.value) in _COUNTED or bool(cell.note or cell.url))


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
    return sum(map(_length, cells))


def _length(cell: Any) -> int:
    """About as many characters as a cell takes."""
    if isinstance(cell, _LONG):
        return len(cell)
    return _nested_length(cell, {}, _DEPTH) if _has_items(cell) else 0


_Lengths = dict[tuple[int, int], tuple[int, Any]]
_DEPTH = 3  # what is nested deeper counts by its items


def _nested_length(cell: Any, known: _Lengths, depth: int) -> int:
    """The same of what has items, looked into so many times.

    What is there many times, or in itself, is looked at once: `known` has its length by identity
    and depth, and keeps it, for else its identity would soon be that of another.
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
    slots = [getattr(class_, "__slots__", ()) for class_ in type_.__mro__]
    return [name for names in slots for name in ([names] if isinstance(names, str) else names)]


def portions(rows: list[Any]) -> list[list[Any]]:
    """`rows` in runs, a wide last row in one of its own."""
    if len(rows) < 2 or weight(rows[-1]) <= _WIDE:
        return [rows]
    return [rows[:-1], rows[-1:]]
