"""How much text rows hold, whatever the types of their cells.

A batch is bounded by what its rows hold, so every long cell has to count before the next row is
pulled, and every short one must cost next to nothing.  So a `RowWeigher` weighs only the cells in
which something long was seen, and looks for others in one row of a few.  Those rows are irregularly
far apart, so that no pattern in the rows can hide from it for long.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from itertools import chain, compress, cycle, repeat
from operator import attrgetter, contains, is_, itemgetter, length_hint, not_
from pathlib import PurePath
from sys import getsizeof
from types import MemberDescriptorType, WrapperDescriptorType
from typing import Any
from uuid import UUID

from streamware.model.cell import Cell
from streamware.model.columns import WIDE, Sheet, Tagged
from streamware.model.holders import is_record, reader_of

MOST_CHARACTERS = 262_144  # of text in a batch
_ITEM = 8  # characters that any item of a nested value counts for
_NUMBER = 256  # bytes of memory from which a number counts; each is 2.4 digits
_TEXT = (str, bytes, bytearray)
_HOLDERS = (*_TEXT, list, dict, tuple)  # types that may hold text, of the attributes of an object
_CONTAINERS = (list, tuple, AbstractSet, deque)  # that are written as JSON, as mappings are
_LENGTHS = frozenset(type_.__len__ for type_ in _TEXT)  # that tell the truth
SMALL = frozenset(
    (None.__class__, bool, float, complex, date, datetime, time, timedelta, UUID, range)
)
_MOST_SHAPES = 64  # sequences of types that are remembered
_NUMBERS = frozenset((int, Decimal))
# Types of cells that need no look where there were only such.
_EMPTY = frozenset((None.__class__,))
_TEXTS = frozenset((None.__class__, str))
_LIGHT = SMALL | _NUMBERS
_MIXED = _LIGHT | {str}
_WEIGHTLESS = _LIGHT - _EMPTY

# fmt: off
GAPS = (
    4, 9, 8, 7, 4, 8, 14, 14, 6, 6, 5, 15, 6, 13, 10, 8, 6, 5, 7, 6, 13, 10, 7,
)
# fmt: on
"""Rows from one that is looked at to the next.

Of long cells that come in every n-th row, for any n up to 13, at most 33 come before one is seen.
"""


class _All(frozenset[type]):
    """All types."""

    __slots__ = ()

    def __contains__(self, type_: object) -> bool:
        return True


_ALL = _All()


class Sizer:
    """Returns about how many characters a cell takes: in memory, or once it is text.

    A cell is taken for nothing if code of its class raises an error.  Where the cell is written, it
    raises it again, and is told of with its place.

    Args:
        spelled: Returns whether an object of an unknown type will be written as its `str()`.
    """

    def __init__(self, *, spelled: Callable[[object], bool] | None = None) -> None:
        self._spelled = spelled  # whether an object of an unknown type is written as its `str()`
        self._by_type: dict[type, Callable[[Any], int]] = dict.fromkeys(SMALL, _nothing)

    def __call__(self, cell: object) -> int:
        """Return the characters of a cell; of a nested value, at most those that fill a batch."""
        measure = self._by_type.get(type(cell))
        try:
            if measure is None:
                measure = self._by_type[type(cell)] = self._measure_of(cell)
            return measure(cell)
        except Exception:  # noqa: BLE001 - of the caller's code
            return 0

    def column(self, cells: Sequence[object]) -> int:
        """Return the characters of some cells."""
        types = list(map(type, cells))
        different = set(types)
        if not different <= _MIXED:
            return sum(map(self, cells))
        text = sum(map(length_hint, cells)) if str in different else 0
        for type_ in different & _NUMBERS:
            numbers = list(compress(cells, map(is_, types, repeat(type_))))
            if max(map(getsizeof, numbers)) > _NUMBER:
                text += sum(map(_digits, numbers))
        return text

    def row(self, row: object) -> int:
        """Return the characters of all cells of a row."""
        return self.column(cells_of(row))

    def _measure_of(self, cell: object) -> Callable[[Any], int]:
        type_ = type(cell)
        if issubclass(type_, Enum):
            return lambda cell: self(cell.value)
        if issubclass(type_, _TEXT):
            return _length
        if issubclass(type_, (int, Decimal)):
            return _digits
        if issubclass(type_, PurePath):
            return lambda cell: len(str(cell))
        if issubclass(type_, Cell):
            return lambda cell: sum(map(self, (cell.note, cell.url, _value(cell))))
        if issubclass(type_, (*_CONTAINERS, Mapping)) or is_record(cell):
            return _nested
        if hasattr(type_, "nbytes"):  # a memoryview, or something of NumPy
            return _bytes
        if reader_of(cell) is not None:
            return _nested
        if issubclass(type_, tuple(SMALL - {None.__class__, bool, range})):
            return _nothing
        return self._spelling if self._spelled and self._spelled(cell) else _attributes

    def _spelling(self, cell: object) -> int:
        try:
            return max(len(str(cell)), _attributes(cell))
        except Exception:  # noqa: BLE001 - of the caller's code; the formatter will raise it again
            return _attributes(cell)


class RowWeigher:
    """Weighs the rows of one source.

    Args:
        size: Returns the characters of a cell.

    Attributes:
        texts: The keys of the cells that are weighed by their `len`.
        mixed: The keys of those of which some are texts, and the others weigh nothing.
        others: The keys of the other cells that count.
        gaps: The number of rows up to the next one that `look` should see.
        width: The number of cells in the last row that `look` saw, at least 1.
        whole: The type of rows of which all cells are weighed in one call; None if there is none.
        joins: Whether such rows are joined, because all of their cells have been texts so far.
    """

    def __init__(self, size: Sizer) -> None:
        # The keys of cells are in ordered sets.
        self.texts: dict[Any, None] = {}  # of the cells that are weighed by their `len`
        self.mixed: dict[Any, None] = {}  # of those of which some are texts; others weigh nothing
        self.others: dict[Any, None] = {}  # of the other cells that count
        self.gaps: Iterator[int] = cycle(GAPS)  # rows up to the next one that `look` should see
        self.width = 1  # cells in the last row that `look` saw, at least 1
        self.whole: Any = None  # type of rows of which all cells are weighed in one call
        self.joins = False  # whether they are joined, because all have been texts so far
        self._mixed_of: Callable[[Any], Iterable[Any]] = _none  # returns the cells at `mixed`
        self._others_of: Callable[[Any], Iterable[Any]] = _none  # returns the cells at `others`
        self._size = size  # of a cell
        self._gap = 1  # rows up to the next one that `watch` looks at
        self._known: dict[Any, dict[Any, None]] = {}  # the set in which a key is
        self._moved = False  # whether one has been put into another since the last row
        self._filled: set[Any] = set()  # the keys at which there was anything but None
        # The types of rows without a cell that might have to count, by which most rows pass, and
        # the places of their numbers.
        self._ordinary: dict[tuple[type, ...], list[int]] = {}
        self._passed: dict[Any, Container[Any]] = {}  # the types at a key that need no look
        # The same by the set in which the key is.
        self._passing: dict[int, Container[Any]] = {
            id(self.texts): _TEXTS,
            id(self.mixed): _MIXED,
            id(self.others): _ALL,
        }
        self._turn = 0  # of the numbers, of which one in each row is looked at: types do not tell

    def weigh(self, row: Any) -> int:
        """Return the characters of the cells of a row that count, or of all if it is unlike."""
        try:
            if type(row) is self.whole:
                return len("".join(row)) if self.joins else sum(map(length_hint, row))
            text = 0
            for key in self.texts:
                text += len(row[key] or "")
            if self.has_rest:
                text += self.weigh_rest(row)
        except (TypeError, ValueError, LookupError, AttributeError):
            return self.weigh_unlike(row)
        return text

    def weigh_unlike(self, row: Any) -> int:
        """Return the characters of all cells of a row that cannot be weighed like others."""
        if self.joins:
            self.joins, self.whole = False, None if self._filled else self.whole
        return self._size.row(row)

    def watch(self, row: Any) -> int:
        """Return the characters of the next row, and look at it when it is its turn."""
        row = row.row if type(row) is Tagged else row
        if type(row) is Sheet:
            return 0
        self._gap -= 1
        if not self._gap:
            self._gap = next(self.gaps)
            if self.look(row):
                return self._size.row(row)
        return self.weigh(row)

    @property
    def has_rest(self) -> bool:
        """Whether there are cells that are not weighed by their `len`."""
        return bool(self.mixed or self.others)

    def weigh_rest(self, row: Any) -> int:
        """Return the characters of the cells that are not weighed by their `len`."""
        text = sum(map(length_hint, self._mixed_of(row)))  # 0 of what has no length
        return text + sum(map(self._size, self._others_of(row))) if self.others else text

    def look(self, row: Any) -> bool:
        """Have the cells of a row count that may be long; return whether there was a new one."""
        cells = row if type(row) is tuple else cells_of(row)
        types = tuple(map(type, cells))
        numbers = self._ordinary.get(types)
        if numbers is not None:
            self._turn += 1
            if not numbers or getsizeof(cells[numbers[self._turn % len(numbers)]]) <= _NUMBER:
                return False
        return self._look_at(row, types)

    def _look_at(self, row: Any, types: tuple[type, ...]) -> bool:
        """Look at the cells of types that were not at their key before, and at all numbers."""
        self.width = len(types) or 1
        if self.width > WIDE and type(row) in (tuple, list) and self._takes_whole(row, types):
            new = self.whole is None
            if new:
                self.whole, self.joins = type(row), _are_texts(types)
            return new
        keys, cells = _keys_and_cells(row)
        if not self._filled and type(row) in (tuple, list) and _are_texts(types):
            self.whole, self.joins = type(row), True
        numbers = [at for at, type_ in enumerate(types) if type_ in _NUMBERS]
        long = bool(numbers) and max([getsizeof(cells[at]) for at in numbers]) > _NUMBER
        if not self._passed and not long and type(row) in (tuple, list) and set(types) <= _MIXED:
            new = self._count_first(types)
        else:
            passed = map(contains, map(self._passed.get, keys, repeat(())), types)
            looked_at = list(compress(zip(keys, cells, strict=True), map(not_, passed)))
            looked_at += [(keys[at], cells[at]) for at in numbers if long]
            indexed = _access(row)[1]
            new = sum([self._count(key, cell, indexed=indexed) for key, cell in looked_at]) > 0
        if self._moved:
            self._reach(row)
        if not new and len(self._ordinary) < _MOST_SHAPES:
            self._ordinary[types] = numbers
        return new

    def _takes_whole(self, row: Any, types: tuple[type, ...]) -> bool:
        """Return whether all cells of rows like this very wide one are weighed in one call.

        That takes longer than weighing some of them, but knowing these takes longer still.
        """
        different = set(types)
        if (
            self.whole not in (None, type(row))
            or (self.whole is None and different <= _WEIGHTLESS)
            or not all(map(_is_hinted, different))
            or (self.texts or self.mixed or self.others)
        ):
            return False
        numbers = compress(row, map(_NUMBERS.__contains__, types))
        return max(map(getsizeof, numbers), default=0) <= _NUMBER

    def _count_first(self, types: tuple[type, ...]) -> bool:
        """Have the cells of a first row count whose types are ordinary; return whether any is text.

        It is what `_count` does with each of them, which takes too long for thousands.
        """
        texts = dict.fromkeys([at for at, type_ in enumerate(types) if type_ is str])
        empty = dict.fromkeys([at for at, type_ in enumerate(types) if type_ is None.__class__])
        self.texts.update(texts | empty)
        self._known.update(dict.fromkeys(self.texts, self.texts))
        self._filled.update(range(len(types)))
        self._filled.difference_update(empty)
        self._passed.update(dict.fromkeys(range(len(types)), _LIGHT))
        self._passed.update(dict.fromkeys(texts, _TEXTS))
        self._passed.update(dict.fromkeys(empty, _EMPTY))
        self._moved = True
        return bool(texts)

    def _count(self, key: Any, cell: object, *, indexed: bool) -> bool:
        """Have the cell at `key` count if it may be long; return whether it did not before."""
        before = self._known.get(key)
        if cell is None:
            if before is None and key not in self._filled:
                # A text of any length may follow.  As long as all are None, it costs little.
                self._put(key, self.texts if indexed else self.mixed)
                self._passed[key] = _EMPTY
            return False
        if key not in self._filled:
            self._filled.add(key)
            if before is not None:  # it counted while it was None
                self._take(key)
                before = None
        kind: Any = type(cell)
        if before is self.others:
            pass
        elif kind in SMALL or (kind in _NUMBERS and getsizeof(cell) <= _NUMBER):
            if before is self.texts:  # of which `len` would fail
                self._put(key, self.mixed)
        elif not _tells_length(kind):
            self._put(key, self.others)
        elif before is None:
            self._put(key, self.texts if indexed else self.mixed)
            self._ordinary.clear()  # in which there may be numbers where text is now
        now = self._known.get(key)
        self._passed[key] = _LIGHT if now is None else self._passing[id(now)]
        return before is None and now is not None

    def _put(self, key: Any, keys: dict[Any, None]) -> None:
        """Have the cell at `key` be one of those in a set."""
        self._take(key)
        keys[key] = None
        self._known[key] = keys
        self._moved = True

    def _take(self, key: Any) -> None:
        """Have the cell at `key` no longer count."""
        if key in self._known:
            del self._known.pop(key)[key]
            self._moved = True

    def _reach(self, row: Any) -> None:
        """Have the cells of rows like this one be found."""
        self._moved = False
        self._mixed_of = _reach(self.mixed, row)
        self._others_of = _reach(self.others, row)
        if not self.joins:
            all_mixed = len(self.mixed) == self.width and type(row) in (tuple, list)
            self.whole = type(row) if all_mixed else None


def _reach(keys: Iterable[Any], row: Any) -> Callable[[Any], Iterable[Any]]:
    """Return what returns the cells at `keys` of rows like this one."""
    makes_defaults, indexed = _access(row)
    if not keys:
        return _none
    if makes_defaults:
        return lambda row: [row.get(key) for key in keys]
    if not indexed:  # a key of other rows that were before is no attribute of any
        keys = [key if isinstance(key, str) else "" for key in keys]
    getter = itemgetter if indexed else attrgetter
    first, *more = keys
    if more:
        return getter(first, *more)
    only = getter(first)  # returns a bare cell
    return lambda row: (only(row),)


def _access(row: object) -> tuple[bool, bool]:
    """Return whether reading an unknown key changes a row, and whether its cells are `row[key]`."""
    makes_defaults = hasattr(type(row), "__missing__")
    return makes_defaults, hasattr(row, "__getitem__") and not makes_defaults


def cells_of(row: Any) -> Sequence[Any]:
    """Return the cells of a row; of an object, its attributes."""
    return list(row.values()) if type(row) is dict else _keys_and_cells(row)[1]


def _keys_and_cells(row: Any) -> tuple[Sequence[Any], Sequence[Any]]:
    if type(row) in (tuple, list):
        return range(len(row)), row
    if type(row) is dict:
        return list(row), list(row.values())
    items = list(_items(row))
    return [key for key, _ in items], [cell for _, cell in items]


def _items(row: Any) -> Iterable[tuple[Any, Any]]:
    """Return the cells of a row with their keys; of an object, its attributes.

    Private ones are often what a property returns.  They count if they are texts or containers: the
    state of an ORM is no cell.
    """
    if isinstance(row, Mapping) or hasattr(row, "__len__"):
        with suppress(Exception):  # of the caller's code: raised again where cells are read
            return list(row.items() if isinstance(row, Mapping) else enumerate(row))
        return ()
    type_: Any = type(row)
    found = dict(getattr(row, "__dict__", ()))
    found.update((name, getattr(row, name)) for name in _slots(type_) if hasattr(row, name))
    return [
        (name, value)
        for name, value in found.items()
        if not name.startswith("_") or isinstance(value, _HOLDERS)
    ]


@lru_cache(maxsize=256)
def _slots(type_: Any) -> list[str]:
    """Return the names in `__slots__` of a class and of its bases."""
    slots = [getattr(class_, "__slots__", ()) for class_ in type_.__mro__]
    names = [name for names in slots for name in ([names] if isinstance(names, str) else names)]
    return [name for name in names if name not in ("__dict__", "__weakref__")]


Places = tuple[type, tuple[MemberDescriptorType, ...] | None]
"""A class, and the slots that its instances have besides a `__dict__`; None for sequences."""


def places_of(row: object) -> Places | None:
    """Return where objects like this one keep their cells: in attributes, or as a sequence.

    Return None if code of their class has to be asked for the cells.
    """
    type_ = type(row)
    if isinstance(row, Mapping):
        return None
    if hasattr(row, "__len__"):
        compiled = type(getattr(type_, "__iter__", None)) is WrapperDescriptorType
        return (type_, None) if compiled and not issubclass(type_, _TEXT) else None
    found = (vars(class_).values() for class_ in type_.__mro__)
    slots = tuple(each for each in chain(*found) if type(each) is MemberDescriptorType)
    return (type_, slots) if type_.__dictoffset__ or slots else None


def _none(row: object) -> Sequence[Any]:
    return ()


# How the types are measured -----------------------------------------------------------------


def _nothing(cell: object) -> int:
    return 0


def _digits(cell: object) -> int:
    memory = getsizeof(cell)
    return 0 if memory <= _NUMBER else 3 * memory


def _length(cell: Any) -> int:
    """Return the length of a text, whatever the class of the caller says."""
    if isinstance(cell, str):
        return str.__len__(cell)
    return (bytes if isinstance(cell, bytes) else bytearray).__len__(cell)


@lru_cache(maxsize=256)
def _tells_length(type_: type) -> bool:
    """Return whether `len(cell or "")` is the length of a text of this type."""
    honest = getattr(type_, "__len__", None) in _LENGTHS and not hasattr(type_, "__bool__")
    return honest and issubclass(type_, _TEXT)


def _is_hinted(type_: type) -> bool:
    """Return whether `length_hint` tells the length of the text of a short cell of this type."""
    return type_ in _LIGHT or _tells_length(type_)


def _are_texts(types: Iterable[type]) -> bool:
    """Return whether `"".join` takes cells of these types, which calls none of their methods."""
    return all(issubclass(type_, str) for type_ in set(types))


def _bytes(cell: Any) -> int:
    """Return the bytes of a memoryview, or of an array; of one of objects, their characters."""
    if getattr(getattr(cell, "dtype", None), "hasobject", False):
        return _nested(cell)
    return int(cell.nbytes) if cell.nbytes > _NUMBER else 0


def _value(cell: Cell) -> object:
    """Return the value of a cell, unless it is another cell, which is an error."""
    return None if isinstance(cell.value, Cell) else cell.value


def _attributes(cell: object) -> int:
    """Return the characters of the texts that an object of an unknown type has."""
    found = [value for _, value in _items(cell)] if not hasattr(cell, "__len__") else []
    return sum(_nested(value) for value in found if isinstance(value, _HOLDERS))


def _nested(cell: Any) -> int:
    """Return the characters of a nested value; no more are counted than fill a batch.

    So what is nested in itself is not counted for ever.
    """
    length = 0
    rest = [cell]
    while rest and length < MOST_CHARACTERS:
        item = rest.pop()
        type_ = type(item)
        if type_ is str:
            length += len(item)
        elif type_ in SMALL:
            continue
        elif type_ is dict or type_ is list:
            length += _ITEM * len(item)
            if length < MOST_CHARACTERS:
                rest += item
                rest += item.values() if type_ is dict else ()
        else:
            length += _odd(item, rest, MOST_CHARACTERS - length)
    return length


def _odd(item: Any, rest: list[Any], room: int) -> int:
    """Return the characters of an item of a rarer type, and append what it holds to `rest`."""
    kind = type(item)  # what `isinstance` asks, a lazy object of Django evaluates
    if issubclass(kind, _TEXT):
        return _length(item)
    if issubclass(kind, (int, Decimal)):
        return _digits(item)
    if issubclass(kind, (*_CONTAINERS, Mapping)):
        length = _ITEM * len(item)
        if length < room:
            with suppress(Exception):  # of the caller's code: raised again where it is written
                rest += item
                rest += item.values() if issubclass(kind, Mapping) else ()
        return length
    if issubclass(kind, PurePath):
        return len(str(item))
    if hasattr(kind, "nbytes"):
        if getattr(getattr(item, "dtype", None), "hasobject", False):
            rest.append(item.tolist())
        return int(item.nbytes)
    held = _held(item)
    rest += held
    return _ITEM * len(held)


def _held(item: Any) -> Sequence[Any]:
    """Return what a cell, a record or an object of another library holds; nothing of others."""
    kind = type(item)
    if issubclass(kind, Cell):
        return item.value, item.note, item.url
    if issubclass(kind, Enum):
        return (item.value,)
    if is_record(item):
        return [value for _, value in _items(item)]
    if (read := reader_of(item)) is not None:
        with suppress(Exception):  # of the caller's code: raised again where it is written
            return (read(item),)
    return ()
