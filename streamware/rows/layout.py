"""Layout: a row of any shape becomes cells.

It is decided once, by the given columns, the names that the source tells and the first row; each
batch then takes the fast way (one C call a column) as long as its rows look like the first, and
the careful way, row by row, when one does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, fields, is_dataclass
from inspect import isroutine
from operator import attrgetter, itemgetter
from typing import Any, Literal

from streamware.errors import EncodeError
from streamware.model.cell import Cell
from streamware.model.columns import Cells, Column, Head, Key, Row, Tagged, check_note
from streamware.model.sheet_options import SheetOptions

_ABSENT = object()
_LONG = frozenset({str, bytes, bytearray, memoryview})  # types whose cells can be any length
_NESTED = frozenset({list, dict, tuple})  # types whose cells are longer than they say


class Layout:
    """How the rows of one source lie in its columns.

    Args:
        columns: The caller's, or None: the source or the first row decides.
        names: Names of the source's own columns, where it tells them.
        first: The first row, or `Layout.NO_ROWS`.
        extra: What to do with a mapping's key that the first row did not have.
        name: Name of the sheet.
        options: What surrounds its rows.
    """

    NO_ROWS = _ABSENT

    def __init__(
        self,
        columns: tuple[Column, ...] | None,
        names: list[str] | None,
        first: Row,
        *,
        extra: Literal["error", "ignore"] = "error",
        name: str | None = None,
        options: SheetOptions | None = None,
    ) -> None:
        self._sheet = name
        self._type = type(first)
        self._defaults = hasattr(self._type, "__missing__")  # a defaultdict: row[key] changes it
        self._shape = "none" if first is _ABSENT else self._shape_of(first, 1)
        self._names: list[Any] | None = names
        if names is None:
            self._names = _row_names(first, self._shape)
        self._chosen = columns is not None
        self._strict = extra == "error" and not self._chosen
        if columns is None:
            columns = self._natural(first)
        self.keys: list[Key] = [
            self._settle(column.key, at, first) for at, column in enumerate(columns)
        ]
        self._getters = [self._getter(key) for key in self.keys]
        self._by_any_name = [self._name_of(column.key) for column in columns]
        self._known = dict.fromkeys(self._by_any_name) if self._strict else {}
        self._width = self._expected_width(columns)
        self.head = Head(name, tuple(self._titled(columns)), options)
        self._light: set[int] = set()
        self._heavy: set[int] = set()
        self._nested = False

    @property
    def heavy(self) -> Sequence[Key] | None:
        """Keys of the cells whose length counts, as `row[key]` reaches them; None means all.

        They are those of the columns that have held text, or nothing yet.
        """
        keys = [key for at, key in enumerate(self.keys) if at not in self._light]
        plain = self._shape != "object" and all(type(key) in (int, str) for key in keys)
        return keys if plain and not self._nested and not self._defaults else None

    def cells(self, rows: Sequence[Row], first: int) -> list[Cells]:
        """The columns of `rows`, whose first has the number `first`."""
        columns = None
        if list(map(type, rows)).count(self._type) == len(rows):
            columns = self._by_position(rows) if self._shape == "sequence" else self._by_name(rows)
        if columns is None:
            columns = list(
                zip(*(self._row(row, first + at) for at, row in enumerate(rows)), strict=True)
            )
        self._weigh(columns)
        return [
            cells if column.convert is None else [column.convert(cell) for cell in cells]
            for column, cells in zip(self.head.columns, columns, strict=True)
        ]

    def _weigh(self, columns: Sequence[Cells]) -> None:
        for at, cells in enumerate(columns):
            if at in self._heavy:
                continue
            types = {type(cells[-1])} if cells[-1] is not None else set(map(type, cells))
            if Cell in types:
                types = set(map(_weighed, cells))
            self._nested |= not _NESTED.isdisjoint(types)
            if not _LONG.isdisjoint(types):
                self._heavy.add(at)
                self._light.discard(at)
            elif types != {None.__class__}:
                self._light.add(at)

    # How the columns are settled ------------------------------------------------------------

    def _natural(self, first: Row) -> tuple[Column, ...]:
        if self._names is not None and self._shape in ("none", "sequence"):
            return tuple(Column(at, name) for at, name in enumerate(self._names))
        if self._shape == "none":
            return ()
        if self._shape == "sequence":
            return tuple(map(Column, range(len(first))))  # type: ignore[arg-type]  # it has a length
        if not self._names:
            raise self._error(
                f"row 1 is a {type(first).__name__} that does not tell its columns;"
                " name them with columns="
            )
        odd = [
            key for key in self._names if isinstance(key, bool) or not isinstance(key, (str, int))
        ]
        if odd:
            raise self._error(f"row 1 has a key that is no name, but a {type(odd[0]).__name__}")
        return tuple(Column(key, None if isinstance(key, str) else str(key)) for key in self._names)

    def _settle(self, key: Key, at: int, first: Row) -> Key:
        if not isinstance(key, str):
            self._check_position(key, first)
            return key
        if self._names is not None and self._shape in ("none", "sequence"):
            return self._named(key)
        if self._shape == "sequence":
            return at
        if self._chosen and self._shape != "none":
            self._check_present(key, first)
        return key

    def _named(self, key: str) -> Key:
        names = self._names or []
        if key in names:
            return names.index(key)
        head, dot, rest = key.partition(".")
        if dot and head in names:
            return _Path(names.index(head), rest)
        raise self._error(f"there is no column {key!r}; there are: {_listed(names)}")

    def _check_position(self, key: Key, first: Row) -> None:
        if self._shape not in ("none", "sequence") and isinstance(key, int):
            if not hasattr(first, "__getitem__"):
                raise self._error(
                    f"column {key} is a position, but row 1 is a {type(first).__name__}"
                )
            if self._shape == "mapping" and key not in first:  # type: ignore[operator]  # a mapping
                raise self._error(
                    f"there is no column {key} in row 1; there are: {_listed(self._names or [])}"
                )
        if self._shape == "sequence" and isinstance(key, int):
            width = len(first)  # type: ignore[arg-type]  # a sequence
            if not -width <= key < width:
                raise self._error(f"there is no column {key} in row 1, which has {width} cells")

    def _check_present(self, key: str, first: Row) -> None:
        if _reach(first, key, _ABSENT) is _ABSENT:
            names = self._names or [name for name in dir(first) if not name.startswith("_")]
            raise self._error(f"there is no column {key!r} in row 1; there are: {_listed(names)}")

    def _titled(self, columns: tuple[Column, ...]) -> Iterable[Column]:
        bare = all(c.title is None and isinstance(c.key, int) for c in columns)
        if bare and not (self._chosen and self._names):
            return columns
        return (
            replace_title(c, self._title(c.key, at) if c.title is None else c.title)
            for at, c in enumerate(columns)
        )

    def _title(self, key: Key, at: int) -> str:
        if isinstance(key, str):
            return key
        if isinstance(key, int) and self._shape == "mapping":
            return str(key)
        if isinstance(key, int):
            names = self._names
            inside = names is not None and -len(names) <= key < len(names)
            return names[key] if names is not None and inside else f"Column {at + 1}"
        name = getattr(key, "__name__", "<")
        return f"Column {at + 1}" if name.startswith("<") else name

    def _expected_width(self, columns: tuple[Column, ...]) -> int | None:
        """Cells that a sequence may have at most; None where columns choose among them."""
        if self._shape != "sequence":
            return None
        if not self._chosen:
            return len(columns)
        naming = self._names is None and all(isinstance(column.key, str) for column in columns)
        return len(columns) if naming else None

    # Rows to columns ------------------------------------------------------------------------

    def _by_position(self, rows: Sequence[Row]) -> list[Cells] | None:
        try:
            columns: list[Cells] = list(zip(*rows, strict=True))
        except ValueError:
            return None
        if self._width is not None:
            return columns if len(columns) == self._width else None
        try:
            return [
                columns[key] if type(key) is int else _gathered(get, rows)
                for key, get in zip(self.keys, self._getters, strict=True)
            ]
        except IndexError:
            return None

    def _by_name(self, rows: Sequence[Row]) -> list[Cells] | None:
        if self._strict and self._shape == "mapping" and set(map(len, rows)) != {len(self.keys)}:  # type: ignore[arg-type]
            return None
        if self._defaults:
            return None
        try:
            return [_gathered(get, rows) for get in self._getters]
        except (KeyError, AttributeError):
            if any(callable(key) for key in self.keys):
                return self._column_by_column(rows)
            return None

    def _column_by_column(self, rows: Sequence[Row]) -> list[Cells]:
        # A callable runs once a row even here, and what it raises is the caller's to see.
        return [
            _gathered(key, rows) if callable(key) else [_reach(row, key, None) for row in rows]
            for key in self.keys
        ]

    def _getter(self, key: Key) -> Callable[[Any], object]:
        if callable(key):
            return key
        if self._shape == "object":
            return attrgetter(key) if isinstance(key, str) else itemgetter(key)
        return itemgetter(key)

    def _row(self, row: Row, number: int) -> list[object]:
        shape = self._shape_of(row, number)
        if shape == "sequence":
            return self._sequence(row, number)
        keys = self._by_any_name
        if shape == "mapping":
            self._check_keys(row, number)
        elif not hasattr(row, "__getitem__") and any(isinstance(key, int) for key in keys):
            raise self._error(
                f"row {number} is a {type(row).__name__}, row 1 was a {self._type.__name__};"
                " name the columns with columns="
            )
        return [key(row) if callable(key) else _reach(row, key, None) for key in keys]

    def _sequence(self, row: Any, number: int) -> list[object]:
        width = len(row)
        keys, most = self.keys, self._width
        if self._shape != "sequence":
            keys = [key if callable(key) else at for at, key in enumerate(keys)]
            most = len(keys)
        if most is not None and width > most:
            raise self._error(f"row {number} has {width} cells for {most} columns")
        return [
            key(row) if callable(key) else row[key] if -width <= key < width else None  # type: ignore[operator]
            for key in keys
        ]

    def _shape_of(self, row: Row, number: int) -> Literal["mapping", "sequence", "object"]:
        if isinstance(row, (tuple, list)):
            return "sequence"
        if isinstance(row, Mapping):
            return "mapping"
        if isinstance(row, Tagged):
            raise self._error(f"row {number} is Tagged, where rows belong to one sheet already")
        if row is None or isinstance(
            row, (str, bytes, bytearray, int, float, complex, set, frozenset)
        ):
            raise self._error(
                f"row {number} is a {type(row).__name__};"
                " a row is a sequence, a mapping or an object"
            )
        if hasattr(row, "__len__") and hasattr(row, "__getitem__"):
            return "sequence"
        return "object"

    def _error(self, problem: str) -> EncodeError:
        return EncodeError(problem if self._sheet is None else f"sheet {self._sheet!r}: {problem}")

    def _name_of(self, key: Key) -> Key:
        """The key by which a mapping or an object is reached where row 1 was a sequence."""
        names = self._names
        if self._shape != "sequence" or names is None or not isinstance(key, int):
            return key
        return names[key] if -len(names) <= key < len(names) else key

    def _check_keys(self, row: Any, number: int) -> None:
        new = [key for key in row if key not in self._known] if self._strict else []
        if new:
            raise self._error(
                f"row {number} has a new key {new[0]!r}; row 1 had: {_listed(list(self._known))}"
                ' (Values(extra="ignore") leaves it out)'
            )


@dataclass(frozen=True, slots=True)
class _Path:
    """A position, then a dotted path: `customer.name` where the source names `customer`."""

    at: int
    rest: str

    def __call__(self, row: Any) -> object:
        return _reach(row[self.at], self.rest, None) if self.at < len(row) else None


def replace_title(column: Column, title: object) -> Column:
    """The same column under another title; it and the note are made or translated only now."""
    renamed = copy(column)
    object.__setattr__(renamed, "title", _said(title))
    if column.note is not None:
        object.__setattr__(renamed, "note", _said(column.note))
        check_note(renamed.note)
    return renamed


def _said(text: object) -> str:
    """A text, or what makes one; lazy translations can be callable, too, but have a text."""
    makes = callable(text) and type(text).__str__ is object.__str__
    made = text() if makes or isroutine(text) else text  # type: ignore[operator]  # it is callable
    return str.__str__(made) if issubclass(type(made), str) else str(made)


def _row_names(row: Any, shape: str) -> list[str] | None:
    """Names that a row tells of itself."""
    if shape == "mapping":
        return list(row)
    if shape == "sequence":
        names = getattr(row, "_fields", None) or (row.keys() if hasattr(row, "keys") else None)
        return None if names is None else [str(name) for name in names]
    if shape == "object":
        if is_dataclass(row):
            return [field.name for field in fields(row)]
        return [name for name in getattr(row, "__dict__", ()) if not name.startswith("_")]
    return None


def _weighed(cell: object) -> type:
    """The type by which a cell is known as long or short."""
    if type(cell) is not Cell:
        return type(cell)
    return str if cell.note or cell.url else type(cell.value)  # a note can be any length, too


def _gathered(get: Callable[[Any], object], rows: Sequence[Row]) -> list[object]:
    cells = list(map(get, rows))
    if len(cells) != len(rows):
        raise RuntimeError("a callable or an attribute of a row raised StopIteration")
    return cells


def _reach(row: Any, key: Key, default: object) -> object:
    """The cell at `key`: the whole name first, then step by step along the dots."""
    found = _step(row, key)
    if found is not _ABSENT:
        return found
    if isinstance(key, str) and "." in key:
        for step in key.split("."):
            row = _step(row, step)
            if row is None or row is _ABSENT:
                return default if row is _ABSENT else None
        return row
    return default


def _step(row: Any, key: Any) -> object:
    if isinstance(row, Mapping):
        return row.get(key, _ABSENT)
    if isinstance(key, int):
        return row[key]
    return getattr(row, key, _ABSENT)


def _listed(names: Iterable[object]) -> str:
    return ", ".join(map(str, names)) or "none"
