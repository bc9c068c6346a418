"""Layout: where the cells of each column are in a row, whatever its shape.

It is decided once, from the given columns, the names that the source has and the first row.  A
batch whose rows are all like the first is read by one C call a column; any other, row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from inspect import getattr_static, isroutine
from operator import attrgetter, itemgetter, length_hint
from pathlib import PurePath
from sys import intern
from types import MemberDescriptorType
from typing import Any, Literal
from uuid import UUID

from streamware.errors import EncodeError
from streamware.kernel import native
from streamware.model.columns import (
    Cells,
    Column,
    Head,
    Key,
    Row,
    RowColumns,
    Sheet,
    Tagged,
    bare_columns,
    check_note,
    copied,
)
from streamware.model.sheet_options import SheetOptions
from streamware.rows.batching import FIRST_ROWS
from streamware.rows.columnar import ArrowSlice
from streamware.rows.declared import DeclaredCell, declared
from streamware.rows.held import UnheldError, is_in_dict, is_slot
from streamware.rows.unloaded import remedy

_ABSENT = object()
# Types of values that are no rows.
_SINGLE = (
    *(str, bytes, bytearray, int, float, complex, set, frozenset),
    *(date, time, timedelta, Decimal, UUID, Enum, PurePath),
)


class Layout:
    """Where the cells of each column are in the rows of one source.

    Args:
        columns: The caller's columns; None: the source or the first row decides.
        names: Names of the source's own columns, if it has any.
        first: The first row, or `Layout.NO_ROWS`.
        extra: What to do with a key of a mapping that the first row did not have.
        name: Name of the sheet.
        options: Options of the sheet.
        count: The number of its rows, if it is known.

    Raises:
        EncodeError: The first row cannot be a row, or lacks one of the columns.
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
        count: int | None = None,
    ) -> None:
        self._sheet = name  # for messages
        self._type = type(first)  # type of the rows that can be read a column at a time
        self._shape = "none" if first is _ABSENT else self._shape_of(first, 1)  # shape of these
        self._declared = declared(first) if self._shape == "object" else {}  # cells of the class
        own = list(self._declared) if self._declared else _row_names(first, self._shape)
        # Names of the source's columns, or of the cells of the first row.
        self._names: list[Any] | None = own if names is None else names
        self._position_of: dict[Any, int] | None = None  # of each name, once asked for
        # The chosen keys that no row had so far, with what to say of each; a later row may.
        self.unseen: dict[str | int, str] = {}
        self._chosen = columns is not None  # whether the caller gave columns
        if columns is None:
            columns = self._implied(first)
        self._width = self._expected_width(columns)  # the most cells of a sequence; None: any
        # Where the cells of each column are in rows like the first.
        self.keys: list[Key] = self._resolved(columns, first)
        # Where they are in rows of another shape: by name, if there are names.
        self._named_keys = self._names_of(columns)
        strict = extra == "error" and not self._chosen
        # The keys that a mapping may have; None if others are ignored.
        self._known = dict.fromkeys(self._named_keys) if strict else None
        # Return the cells at the keys, unless rows are read as they are.
        self._getters = list(map(self._getter, self.keys)) if self._width is None else []
        self.head = Head(name, tuple(self._titled(columns)), options, count)  # of every batch
        # Positions of the columns whose cells are in the `__dict__` of an object.
        self._in_dict = self._found(first, is_in_dict)
        slots = self._found(first, is_slot)
        # Where the kernel finds the cells of the columns that it reads.
        self._stored = self._stored_at(slots)
        # Whether it makes None of what a dict lacks: no cell is at the end of a path, or made.
        self._lenient = self._type is dict and not any(map(_is_made_of, self.keys))
        # Positions of the columns whose cells code of the caller may make, when they are read.
        self.made = self._made(columns, self._in_dict | slots)
        # Whether rows like the first are passed on as they are.
        self._takes_rows = self._type in (tuple, list) and self._width is not None and not self.made

    def cells_of_few(self, rows: Sequence[Row], first: int) -> Sequence[Cells]:
        """Return what `cells` returns, for as few rows as may be read whatever code makes of them.

        Raises:
            EncodeError: As `cells`.
        """
        try:
            return self.cells(rows, first)
        except UnheldError:
            return self.cells(rows, first)

    def _are_alike(self, rows: Sequence[Row]) -> bool:
        """Return whether all rows are tuples, or all lists, with a cell for each column."""
        if native is not None and type(rows) is list:
            return bool(native.alike(rows, self._type, self._width))
        types = list(map(type, rows))
        return types.count(self._type) == len(rows) and set(map(len, rows)) == {self._width}  # type: ignore[arg-type]

    def cells(self, rows: Sequence[Row], first: int) -> Sequence[Cells]:
        """Return the columns of `rows`, the first of which has the number `first`.

        Raises:
            UnheldError: They lack what those before held; `made` has changed.
            EncodeError: A row cannot be a row, or has more cells or other keys than it may.
        """
        columns = None
        if type(rows) is ArrowSlice and not self.made:
            return rows.chosen(self.keys)  # type: ignore[arg-type]  # a table's are positions
        if self._takes_rows and self._are_alike(rows):
            return RowColumns(rows)
        if list(map(type, rows)).count(self._type) == len(rows):
            by = self._by_position if self._shape == "sequence" else self._by_name
            columns = by(rows, first)
        if columns is None:
            columns = list(
                zip(*(self._row(row, first + at) for at, row in enumerate(rows)), strict=True)
            )
        return [
            cells if column.convert is None else self._gathered(column.convert, cells, first, at)
            for at, (column, cells) in enumerate(zip(self.head.columns, columns, strict=True))
        ]

    # The columns, resolved once -------------------------------------------------------------

    def _implied(self, first: Row) -> tuple[Column, ...]:
        """Return the columns that the source or the first row has."""
        if self._names is not None and self._shape in ("none", "sequence"):
            return bare_columns(range(len(self._names)), self._names)
        if self._shape == "none":
            return ()
        if self._shape == "sequence":
            width = len(first)  # type: ignore[arg-type]  # it has a length
            return bare_columns(range(width), [None] * width)
        if not self._names:
            raise self._error(
                f"columns= must be given: row 1 is of type {type(first).__name__},"
                " which has no named cells"
            )
        for key in self._names:
            if isinstance(key, bool) or not isinstance(key, (str, int)):
                kind = type(key).__name__
                raise self._error(f"the keys of row 1 must be str or int, not {kind}")
        if self._shape == "object":
            cells = [self._declared.get(name, DeclaredCell(name, name)) for name in self._names]
            return tuple(Column(cell.key, cell.title) for cell in cells)
        named = [key if isinstance(key, str) else str(key) for key in self._names]
        return bare_columns(self._names, named)

    def _resolved(self, columns: Sequence[Column], first: Row) -> list[Key]:
        """Return the keys by which rows like the first are read."""
        if not self._chosen and (self._shape != "sequence" or len(columns) <= len(first)):  # type: ignore[arg-type]  # it has a length
            return [column.key for column in columns]
        if self._chosen and self._width is not None:
            return list(range(len(columns)))
        return [self._resolve(column.key, at, first) for at, column in enumerate(columns)]

    def _resolve(self, key: Key, at: int, first: Row) -> Key:
        """Return the key by which rows like the first are read, for the column at `at`."""
        if not isinstance(key, str):
            self._check_position(key, first)
            return key
        if self._names is not None and self._shape in ("none", "sequence"):
            if key in self._positions:
                return self._positions[key]
            head, dot, rest = key.partition(".")
            if dot and head in self._positions:
                return _Path(key, self._positions[head], rest)
            raise self._error(f"there is no column {key!r}; there are: {_listed(self._names)}")
        if self._shape == "sequence":
            return at
        if self._chosen and self._shape != "none" and self._lacks(first, key):
            cells = [cell for cell in self._declared.values() if cell.title == key]
            if cells:  # by the title that its class gives it
                return cells[0].key
            self.unseen[key] = _said_of(first, key)
        elif self._chosen and key in self._declared:
            return self._declared[key].key
        return key

    @property
    def _positions(self) -> dict[str, int]:
        """The position of each name; of equal ones that of the first."""
        if self._position_of is None:
            names = reversed(list(enumerate(self._names or ())))
            self._position_of = {name: at for at, name in names}
        return self._position_of

    def _lacks(self, row: Row, key: str | int) -> bool:
        try:
            return _reach(row, key, _ABSENT) is _ABSENT
        except _InsideError as error:
            raise self._inside(error, 1) from error.__cause__
        except Exception as error:
            if made := self._explained(error, row, key, 1, key):
                raise made from error
            raise

    def _check_position(self, key: Key, first: Row) -> None:
        if self._shape not in ("none", "sequence") and isinstance(key, int):
            if not hasattr(first, "__getitem__"):
                kind = type(first).__name__
                raise self._error(f"column {key} must be a name: row 1 is of type {kind}")
            if self._shape == "mapping" and key not in first:  # type: ignore[operator]  # a mapping
                self.unseen[key] = ""
        if self._shape == "sequence" and isinstance(key, int):
            width = len(first)  # type: ignore[arg-type]  # a sequence
            if not -width <= key < width:
                raise self._error(f"there is no column {key} in row 1, which has {width} cells")

    def look_for_unseen(self, rows: Sequence[Row]) -> None:
        """Forget those of the unseen keys that one of these rows has."""
        for key in list(self.unseen):
            if any(self._has_key(row, key) for row in rows):
                del self.unseen[key]
        if self._shape == "mapping" and self.unseen:
            known = [key for row in rows if isinstance(row, Mapping) for key in row]
            self._names = list(dict.fromkeys((*(self._names or ()), *known)))

    def missing(self, rows: int) -> EncodeError:
        """Return the error to raise for a key that none of the first rows has.

        Args:
            rows: How many they are.
        """
        key, said = next(iter(self.unseen.items()))
        if not said:
            names = self._names or [name for name in dir(self._type) if not name.startswith("_")]
            said = f"there are: {_listed(names)}"
        where = f"the first {rows} rows" if rows > 1 else "row 1"
        if rows >= FIRST_ROWS and isinstance(key, str) and not self._declared:
            said += f"; if later ones have it, pass Column(lambda row: …, {key!r})"
        return self._error(f"there is no column {key!r} in {where}; {said}")

    def _has_key(self, row: Row, key: str | int) -> bool:
        return self._shape_of(row, 1) == "sequence" or not self._lacks(row, key)

    def _titled(self, columns: tuple[Column, ...]) -> Iterable[Column]:
        bare = all(c.title is None and isinstance(c.key, int) for c in columns)
        if bare and not (self._chosen and self._names):
            return columns
        titles = [
            c.title
            if c.title is not None
            else c.key
            if isinstance(c.key, str)
            else self._title(c.key, at)
            for at, c in enumerate(columns)
        ]
        keys = [column.key for column in columns]
        if columns == bare_columns(keys, [None] * len(keys)):
            return bare_columns(keys, titles)
        return map(replace_title, columns, titles)

    def _title(self, key: Key, at: int) -> str:
        if isinstance(key, int) and self._shape == "mapping":
            return str(key)
        if isinstance(key, int):
            names = self._names
            inside = names is not None and -len(names) <= key < len(names)
            return names[key] if names is not None and inside else f"Column {at + 1}"
        name = getattr(key, "__name__", "<")
        return f"Column {at + 1}" if name.startswith("<") else name

    def _found(self, first: Row, holds: Callable[[Any, str], bool]) -> set[int]:
        """Return the positions of the columns whose cells an object like the first one holds."""
        if self._shape != "object":
            return set()
        keys = enumerate(self.keys)
        return {at for at, key in keys if isinstance(key, str) and holds(first, key)}

    def _made(self, columns: Sequence[Column], held: set[int]) -> list[int]:
        """Return the positions of the columns whose cells code of the caller may make."""
        if not self._chosen and self._shape == "sequence":
            return []
        if self._shape == "object":
            return [at for at, column in enumerate(columns) if column.convert or at not in held]
        # Names are looked at here: they are many, and a call for each costs more than their cells.
        return [
            at
            for at, column in enumerate(columns)
            if column.convert
            or ("." in key if type(key := column.key) is str else _is_made_of(key))
        ]

    def _expected_width(self, columns: tuple[Column, ...]) -> int | None:
        """Return how many cells a sequence may have; None if the columns choose among them."""
        if self._shape != "sequence":
            return None
        if not self._chosen:
            return len(columns)
        others = [column for column in columns if not isinstance(column.key, str)]
        return len(columns) if self._names is None and not others else None

    # Rows to columns ------------------------------------------------------------------------

    def _by_position(self, rows: Sequence[Row], first: int) -> list[Cells] | None:
        try:
            columns: list[Cells] = list(zip(*rows, strict=True))
        except ValueError:
            return None
        if self._width is not None:
            return columns if len(columns) == self._width else None
        try:
            return [
                columns[key] if type(key) is int else self._gathered(get, rows, first, at)
                for at, (key, get) in enumerate(zip(self.keys, self._getters, strict=True))
            ]
        except (IndexError, _InsideError):
            return None

    def _by_name(self, rows: Sequence[Row], first: int) -> list[Cells] | None:
        if _makes_defaults(self._type):
            return None
        held = self._stored_in(rows)
        if held is None:
            exact = self._known is not None and self._shape == "mapping"
            if exact and set(map(len, rows)) != {len(self.keys)}:  # type: ignore[arg-type]
                return None
            held = self._held(rows) if self._in_dict else {}
        try:
            return [
                held[at] if at in held else self._gathered(get, rows, first, at)
                for at, get in enumerate(self._getters)
            ]
        except (KeyError, AttributeError):  # of a callable, too, which is then called again
            return None

    def _stored_at(self, slots: set[int]) -> dict[int, object]:
        """Return the key or the descriptor of the slot by which the kernel reads columns."""
        if native is None or self._shape == "sequence":
            return {}
        if self._type is dict:
            return {at: key for at, key in enumerate(self.keys) if not callable(key)}
        names = {at: str.__str__(self.keys[at]) for at in self._in_dict | slots}
        return {
            # Attributes have interned names, and the same object is found sooner than an equal one.
            at: intern(name) if at in self._in_dict else getattr_static(self._type, name)
            for at, name in names.items()
        }

    def _stored_in(self, rows: Sequence[Row]) -> Mapping[int, Sequence[object]] | None:
        """Return the columns that the kernel reads; None if some rows have other cells."""
        if not self._stored:
            return None
        columns = None
        with suppress(Exception):  # of a key that is compared: raised again where it is told of
            columns = native.columns(  # type: ignore[union-attr]  # there is one, if any are stored
                rows,
                self._type,
                tuple(self._stored.values()),
                self._shape == "mapping" and self._known is not None,
                self._lenient,
            )
        return None if columns is None else dict(zip(self._stored, columns, strict=True))

    def _held(self, rows: Sequence[Row]) -> dict[int, list[object]]:
        """Return the columns whose cells these objects hold in their `__dict__`.

        Raises:
            UnheldError: One of them lacks some, which code may make from now on.
        """
        held: dict[int, list[object]] = {}
        dicts = list(map(vars, rows))
        for at in self._in_dict:
            with suppress(KeyError):
                held[at] = list(map(itemgetter(self.keys[at]), dicts))
        if lacking := self._in_dict - held.keys():
            self._in_dict -= lacking
            self._stored = {at: key for at, key in self._stored.items() if at not in lacking}
            self.made = sorted(lacking.union(self.made))
            raise UnheldError
        return held

    def _gathered(
        self, get: Callable[[Any], object], rows: Sequence[Row], first: int, at: int
    ) -> list[object]:
        """Return what `get` returns for each row, the first of which has the number `first`.

        Raises:
            RuntimeError: It raised StopIteration, which must not pass for the end of the rows.
            Exception: What `get` raises, with a note of the row and the column at position `at`.
        """
        left = iter(rows)
        try:
            cells = list(map(get, left))
        except Exception as error:
            read = len(rows) - length_hint(left) - 1  # rows before this one
            key, column = self.keys[at], self._name_at(at)
            if made := self._explained(error, rows[read], key, first + read, column):
                raise made from error
            raise
        if len(cells) != len(rows):
            raise RuntimeError("a callable or an attribute of a row raised StopIteration")
        return cells

    def _name_at(self, at: int) -> object:
        return self.head.columns[at].title or at + 1

    def _getter(self, key: Key) -> Callable[[Any], object]:
        if callable(key):
            return key
        if self._shape == "object":
            return attrgetter(key) if isinstance(key, str) else itemgetter(key)
        return itemgetter(key)

    def _row(self, row: Any, number: int) -> list[object]:
        shape = self._shape_of(row, number)
        if shape == "sequence":
            return self._sequence(row, number)
        keys = self._named_keys
        if shape == "mapping":
            new = [] if self._known is None else [key for key in row if key not in self._known]
            if new:
                raise self._error(
                    f"row {number} has a new key {new[0]!r}; row 1 had:"
                    f" {_listed(self._known or ())}"
                    ' (to leave it out, pass Values(extra="ignore"))'
                )
        elif not hasattr(row, "__getitem__") and any(isinstance(key, int) for key in keys):
            cure = "name the columns with columns= to mix them"
            if isinstance(row, Sheet):
                cure = "pass only Sheets, or none"
            raise self._error(
                f"row {number} must be like row 1 of type {self._type.__name__}, not"
                f" {type(row).__name__}; {cure}"
            )
        return [self._cell(row, key, number, at) for at, key in enumerate(keys)]

    def _cell(self, row: Any, key: Key | Callable[[Any], object], number: int, at: int) -> object:
        try:
            return key(row) if callable(key) else _reach(row, key, None)
        except _InsideError as error:
            raise self._inside(error, number) from error.__cause__
        except Exception as error:
            if made := self._explained(error, row, key, number, self._name_at(at)):
                raise made from error
            raise

    def _explained(
        self, error: Exception, row: Any, key: object, number: int, column: object
    ) -> Exception | None:
        """Return what to raise for an error of the caller's code; None: itself, with a note."""
        place = f"row {number}, column {column}"
        if cure := remedy(error, row, key):
            return self._error(f"{place}: {cure}")
        error.add_note(place)
        return None

    def _inside(self, error: _InsideError, number: int) -> EncodeError:
        """Return the error to raise for one that code of the row's own class raised."""
        return self._error(
            f"row {number}, column {error.key}: the code of {error.owner} that gives"
            f" {error.step!r} raised {type(error.__cause__).__name__}"
        )

    def _sequence(self, row: Any, number: int) -> list[object]:
        given, width = row, len(row)
        if not isinstance(row, (tuple, list)):  # the position may be a label, as in pandas' Series
            row = list(row)
        keys, most = self.keys, self._width
        if self._shape != "sequence":
            keys = [key if callable(key) else at for at, key in enumerate(keys)]
            most = len(keys)
        if most is not None and width > most:
            cells = "1 cell" if most == 1 else f"{most} cells"
            raise self._error(f"row {number} must have at most {cells}, not {width}")
        return [
            self._cell(given, key, number, at)
            if callable(key)
            else row[key]
            if -width <= key < width  # type: ignore[operator]
            else None
            for at, key in enumerate(keys)
        ]

    def _shape_of(self, row: Row, number: int) -> Literal["mapping", "sequence", "object"]:
        if isinstance(row, (tuple, list)):
            return "sequence"
        if isinstance(row, Mapping):
            return "mapping"
        if isinstance(row, Tagged):
            raise self._error(f"row {number} must not be Tagged: its sheet is already known")
        if row is None or isinstance(row, _SINGLE) or _is_scalar(row):
            raise self._error(
                f"row {number} must be a sequence, a mapping or an object, not"
                f" {type(row).__name__}; for one column pass [(value,) for value in rows]"
            )
        if hasattr(row, "__len__") and hasattr(row, "__getitem__") and not _is_scalar(row):
            if hasattr(row, "iloc") and hasattr(row, "columns"):
                raise self._error(
                    f"row {number} must not be a {type(row).__name__}, which has rows of its own;"
                    " yield from its itertuples(index=False)"
                )
            return "sequence"
        return "object"

    def _error(self, problem: str) -> EncodeError:
        return EncodeError(problem if self._sheet is None else f"sheet {self._sheet!r}: {problem}")

    def _names_of(self, columns: Sequence[Column]) -> list[Key]:
        """Return the keys for a mapping or an object, if row 1 was a sequence."""
        keys = [column.key for column in columns]
        names = self._names
        if self._shape != "sequence" or names is None:
            return keys
        width = len(names)
        return [
            names[key] if isinstance(key, int) and -width <= key < width else key for key in keys
        ]


@dataclass(frozen=True, slots=True)
class _Path:
    """A key of a position and a dotted path: `customer.name` if `customer` is a source's column."""

    name: str
    at: int
    rest: str

    def __call__(self, row: Any) -> object:
        try:
            return _reach(row[self.at], self.rest, None) if self.at < len(row) else None
        except _InsideError as error:
            error.key = self.name
            raise


def replace_title(column: Column, title: object) -> Column:
    """Return the column with another title.

    If the title or the note is a callable or a lazy translation, it becomes text here.
    """
    if type(title) is str and title is column.title and column.note is None:
        return column
    renamed = copied(column)
    object.__setattr__(renamed, "title", _resolved_text(title))
    if column.note is not None:
        object.__setattr__(renamed, "note", _resolved_text(column.note))
        check_note(renamed.note)
    return renamed


def _resolved_text(text: object) -> str:
    """Return a text as a `str`, called or translated; some lazy translations are callable, too."""
    if type(text) is str:
        return text
    makes = callable(text) and type(text).__str__ is object.__str__
    made = text() if makes or isroutine(text) else text  # type: ignore[operator]  # it is callable
    return str.__str__(made) if issubclass(type(made), str) else str(made)


def _is_made_of(key: Key) -> bool:
    """Return whether a cell is made of others: by a callable, or along a path."""
    return callable(key) or (isinstance(key, str) and "." in key)


def _row_names(row: Any, shape: str) -> list[str] | None:
    """Return the names that a row itself has for its cells; None if it has none."""
    if shape == "mapping":
        return list(row)
    if shape == "sequence" and type(row) not in (tuple, list):
        names = getattr(row, "_fields", None) or (row.keys() if hasattr(row, "keys") else None)
        if names is None:  # a record of NumPy
            names = getattr(getattr(row, "dtype", None), "names", None)
        return None if names is None else [str(name) for name in names]
    return None


def _is_scalar(row: Any) -> bool:
    """Return whether a row is a single value of NumPy, and not a record with names."""
    type_ = getattr(row, "dtype", None)
    return type_ is not None and not getattr(row, "shape", (0,)) and not type_.names


def _makes_defaults(type_: type) -> bool:
    """Return whether rows of this type are like a defaultdict, which reading a key changes."""
    return hasattr(type_, "__missing__")


def _reach(row: Any, key: Key, default: object) -> object:
    """Return the cell at `key`: by the whole name, or else step by step along its dots.

    Return `default` if a step is absent, and None if a cell on the way is None.
    """
    try:
        found = _step(row, key)
        if found is not _ABSENT:
            return found
        if isinstance(key, str) and "." in key:
            for step in key.split("."):
                row = _step(row, step)
                if row is None or row is _ABSENT:
                    return default if row is _ABSENT else None
            return row
    except _InsideError as error:
        error.key = key
        raise
    return default


class _InsideError(Exception):
    """An attribute or a key is there, but its own code raised the error that says it is not."""

    key: Key = ""  # of the column

    def __init__(self, row: object, step: object) -> None:
        self.owner = type(row).__name__
        self.step = step


def _step(row: Any, key: Any) -> object:
    """Return an item or an attribute, or `_ABSENT`.

    Raises:
        _InsideError: It is there, but getting it raised a KeyError or an AttributeError.
    """
    if isinstance(row, dict) and type(row).__getitem__ is dict.__getitem__:
        return row.get(key, _ABSENT)  # without `__missing__`, which may change the row
    if isinstance(key, int) and not isinstance(row, Mapping):
        return row[key]
    try:
        return row[key] if isinstance(row, Mapping) else getattr(row, key)
    except KeyError as error:
        if error.args != (key,) and key in list(row):
            raise _InsideError(row, key) from error
    except AttributeError as error:
        if _has(row, key, error):
            raise _InsideError(row, key) from error
    return _ABSENT


def _has(row: object, name: str, error: AttributeError) -> bool:
    """Return whether `row` has an attribute of this name, although getting it raised `error`.

    A subclass of AttributeError is how a descriptor says that there is nothing, as Django's do for
    a related object that does not exist.  An empty slot has nothing either.
    """
    if type(error) is not AttributeError:
        return False
    found = getattr_static(row, name, _ABSENT)
    if found is _ABSENT:  # `__getattr__` was asked, and may have failed to find another name
        return error.name is not None and error.name != name
    return not isinstance(found, MemberDescriptorType)


def _said_of(row: object, key: str) -> str:
    """Return what to say of a path that a row lacks; nothing if it ends at the row itself."""
    with suppress(Exception):  # of the caller's code, which has been called before
        path = key.replace("__", ".")
        if path != key and _reach(row, path, _ABSENT) is not _ABSENT:
            return f"a path has dots: {path!r}"
        *steps, last = key.split(".")
        for step, after in zip(steps, [*steps[1:], last], strict=True):
            row = _step(row, step)
            if row is not _ABSENT and _step(row, after) is _ABSENT:
                names = {} if isinstance(row, Mapping) else declared(row)
                return f"{step} has no {after!r}" + (f"; it has: {_listed(names)}" if names else "")
    return ""


def _listed(names: Iterable[object]) -> str:
    """Return names as a message lists them."""
    return ", ".join(map(str, names)) or "none"
