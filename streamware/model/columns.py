"""Columns and sheets: the caller makes Column, Sheet and Tagged; encoders get Head and Batch.

Rows arrive in batches and are passed on as columns, because everything after this point works on a
column at a time.  `rows.layout` turns one into the other.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from csv import DictReader
from dataclasses import dataclass, fields
from functools import lru_cache
from inspect import iscoroutinefunction
from itertools import repeat
from operator import attrgetter
from typing import Any, Literal, get_args

from streamware.errors import LimitError
from streamware.model.cell import MAX_NOTE
from streamware.model.number_format import code_of
from streamware.model.rules import Rule, Validation
from streamware.model.sheet_options import SheetOptions
from streamware.model.style import Align, choose, expect
from streamware.model.utf16 import units

Key = str | int | Callable[[Any], object]
ColumnKind = Literal["text", "number", "bool", "date", "datetime", "time", "duration"]
Total = Literal["sum", "average", "count"]
Row = object
Cells = Sequence[object]

# An absolute path that does not end as the name of a file.
_OF_SITE = re.compile(r"/(?!.*\.[A-Za-z0-9]{1,5}\Z)")
_RUN = re.compile(r"(?:javascript|vbscript|data):", re.IGNORECASE)

MAX_LITERAL = 255  # UTF-16 units of a text in a formula (Microsoft's limits page)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the document.

    Every format uses `key`, `title`, `kind` and `convert`.  The rest is for spreadsheets, except
    that `Csv(localized=True)` uses `format` too.

    Attributes:
        key: Where its cells come from: a name (of a mapping's key, an attribute or the source's
            column), a position from 0, a dotted path, or a callable of the row.
        title: Its header; by default the name.  A callable is called, and a lazy translation is
            translated, when the document starts, so that it can depend on the reader's language.
        kind: What its cells are, if the source has no such type.  SQLite has no dates, for example,
            so `kind="datetime"` reads its ISO 8601 text as dates.  A value that cannot be read as
            the kind of its column is a `CellError`; empty text, NaN and pandas' `NA` and `NaT` are
            empty cells.  A date is the day in `Values.timezone`.  With `kind="duration"` numbers
            are seconds.
        format: Number format of its numbers and dates, by one of the names below or as a code
            (ECMA-376 Part 1 §18.8.31), in which the point is decimal in every language.  It changes
            how values look, not what they are: text stays text, so SQLite's dates need a kind as
            well.
        width: Width in characters of the default font, up to 255; by default, and as "auto", the
            width of the title or of the longest cell in the first rows, within bounds.
        convert: Called with every value (None too) before anything else is done with it.
        align: "left", "center" or "right".
        wrap: Whether long text is wrapped onto further lines.
        hidden: Whether it is hidden.
        note: A note on the cell of the header, at most 32,767 UTF-16 units; made or translated
            when the title is.
        url: The address to which every cell links.  `{}` in it stands for the text of the cell,
            quoted for a URL.  If the address is `"{}"`, or starts with it, the text must be an
            address itself (http, https, ftp, ftps or mailto).  If it is not, or if the address has
            over 255 characters, the cell is not a link, and is counted.
        total: "sum", "average" or "count", calculated in a row below the last one.  Text in a
            column with a sum or an average is an `EncodeError`.  The row holds formulas with their
            values.  If a value depends on a `Formula` whose number is not in `cached`, only the
            program that opens the file calculates it.  Cells with a SUBTOTAL do not count.
        rules: How cells are highlighted: `Condition`, `ColorScale`, `DataBar`.
        validation: What may be typed into its cells.

    Number formats by name:

    | Name | Code | Example |
    |---|---|---|
    | "integer" | `0` | 1235 |
    | "decimal" | `#,##0.00` | 1,234.57 |
    | "percent" | `0.00%` | 25.60% (of 0.256) |
    | "date" | `yyyy-mm-dd` | 2024-05-17 |
    | "datetime" | `yyyy-mm-dd hh:mm:ss` | 2024-05-17 08:30:00 |
    | "time" | `hh:mm:ss` | 08:30:00 |
    | "duration" | `[h]:mm:ss` | 30:00:00 |
    | "text" | `@` | as it is |
    | "money:EUR" | `#,##0.00 [$EUR]` | 1,234.57 EUR (any three capital letters) |

    A currency is not checked, as new ones come and others, such as BTC, are in no list.  It has two
    decimals, unless ISO 4217 gives it none or three.

    Raises:
        TypeError: An attribute has the wrong type; a bool does not count as a number.
        ValueError: A value is not one of those allowed.
        LimitError: An address or a note is too long.
    """

    key: Key
    title: str | None = None
    kind: ColumnKind | None = None
    format: str | None = None
    width: float | None = None
    convert: Callable[[Any], object] | None = None
    align: Align | None = None
    wrap: bool = False
    hidden: bool = False
    note: str | None = None
    url: str | None = None
    total: Total | None = None
    rules: Sequence[Rule] = ()
    validation: Validation | None = None

    def __init__(
        self,
        key: Key,
        title: str | Callable[[], object] | None = None,
        *,
        kind: ColumnKind | None = None,
        format: str | None = None,  # noqa: A002 - the contract's name
        width: float | Literal["auto"] | None = None,
        convert: Callable[[Any], object] | None = None,
        align: Align | None = None,
        wrap: bool = False,
        hidden: bool = False,
        note: str | Callable[[], object] | None = None,
        url: str | None = None,
        total: Total | None = None,
        rules: Iterable[Rule] = (),
        validation: Validation | None = None,
    ) -> None:
        for name, value in (
            ("key", key),
            ("title", title),
            ("kind", kind),
            ("format", format),
            ("width", None if width == "auto" else width),
            ("convert", convert),
            ("align", align),
            ("wrap", wrap),
            ("hidden", hidden),
            ("note", note),
            ("url", url),
            ("total", total),
            ("rules", rules),
            ("validation", validation),
        ):
            object.__setattr__(self, name, value)
        try:
            self._check()
        except (TypeError, ValueError) as wrong:
            named = key if isinstance(key, (str, int)) else getattr(key, "__name__", title)
            if isinstance(named, (str, int)):
                wrong.args = (f"column {named}: {wrong}",)
            raise

    def _check(self) -> None:
        key = self.key
        if isinstance(key, bool) or not (isinstance(key, (str, int)) or callable(key)):
            raise TypeError(
                f"key must be a name, a position or a callable, not {type(key).__name__}"
                + _cure_of(key)
            )
        choose("kind", self.kind, _KINDS)
        expect(self, "a number", int | float | None, "width")
        expect(self, "True or False", bool, "wrap", "hidden")
        expect(self, "a str", str | None, "url")
        if self.convert is not None and not callable(self.convert):
            raise TypeError(f"convert must be callable, not {type(self.convert).__name__}")
        if self.format is not None:
            object.__setattr__(self, "format", code_of(self.format))
        if self.width is not None and not 0 < self.width <= 255:
            raise ValueError(f"width must be above 0 and at most 255 characters, not {self.width}")
        choose("align", self.align, _ALIGNS)
        choose("total", self.total, _TOTALS)
        if self.total in ("sum", "average") and self.kind in ("text", "bool"):
            raise ValueError(f"total must not be {self.total!r} in a column of kind {self.kind!r}")
        if self.total == "sum" and self.kind in ("date", "datetime"):
            raise ValueError(f"total must not be 'sum' in a column of kind {self.kind!r}")
        if any(map(iscoroutinefunction, filter(callable, (self.title, self.note)))):
            raise TypeError("title and note must be made by an ordinary function, not an async one")
        _check_address(self.url)
        check_note(self.note)
        expect(self, "a list of Condition, ColorScale and DataBar", Iterable, "rules")
        object.__setattr__(self, "rules", tuple(self.rules))
        for rule in self.rules:
            if not isinstance(rule, Rule):
                raise TypeError(
                    "each of rules must be a Condition, a ColorScale or a DataBar,"
                    f" not {type(rule).__name__}"
                )
        expect(self, "a Validation", Validation | None, "validation")


_KINDS, _ALIGNS, _TOTALS = map(get_args, (ColumnKind, Align, Total))


def _cure_of(key: object) -> str:
    """Return what to pass in place of a column of SQLAlchemy or Django, for a message."""
    for owner, attribute in ((key, "key"), (key, "name"), (getattr(key, "field", None), "name")):
        name = getattr(owner, attribute, None)
        if isinstance(name, str):
            return f"; pass its name, {name!r}"
    return ""


def _check_address(url: str | None) -> None:
    if url is None:
        return
    if "{}" not in url:
        raise ValueError(f"url must contain {{}} for the text of the cell, and {url!r} does not")
    if any(ord(character) <= 0x20 for character in url):
        raise ValueError(
            f"url must not contain blanks or control characters, as {url!r} does; write %20"
        )
    if _RUN.match(url):
        raise ValueError(
            f"url must be an address such as 'https://example.com/{{}}', not code as {url!r} is"
        )
    if _OF_SITE.match(url):
        raise ValueError(
            f"url must begin with the site, as 'https://example.com{url}' does: of {url!r} alone"
            " programs make the path of a file"
        )
    around = units(url.replace("{}", ""))
    if around >= MAX_LITERAL:
        raise LimitError("characters of an address", limit=MAX_LITERAL, actual=around)


def check_note(note: object) -> None:
    """Raise TypeError if a header's note cannot become text, LimitError if it is too long."""
    if isinstance(note, str):
        if units(note) > MAX_NOTE:
            raise LimitError("UTF-16 units in a note", limit=MAX_NOTE, actual=units(note))
    # A lazy translation can be of any class, and converting it here would translate it too early.
    elif note is not None and not callable(note) and type(note).__module__ == "builtins":
        raise TypeError(f"note must be a str, not {type(note).__name__}")


def bare_columns(keys: Sequence[Key], titles: Sequence[str | None]) -> tuple[Column, ...]:
    """Return columns with keys and titles that are known to be right, and with nothing else.

    One call of `Column` each would cost more than writing a hundred cells of each.  Those of a
    small table are made once, because a table is usually exported again.
    """
    types = {*map(type, keys), *map(type, titles)}
    if len(keys) > _FEW or not types <= _NAMES:
        return _bare_columns(keys, titles)
    return _kept_columns(tuple(keys), tuple(titles))


_FEW = 64  # columns of a table whose columns are kept
_NAMES = frozenset({str, int, None.__class__})


@lru_cache(256)
def _kept_columns(keys: tuple[Key, ...], titles: tuple[str | None, ...]) -> tuple[Column, ...]:
    return _bare_columns(keys, titles)


def _bare_columns(keys: Sequence[Key], titles: Sequence[str | None]) -> tuple[Column, ...]:
    values: dict[str, Iterable[object]] = {"key": keys, "title": titles}
    columns = list(map(object.__new__, repeat(Column, len(keys))))
    for name, set_value in zip(_FIELDS, _SETTERS, strict=True):
        its = values.get(name, repeat(getattr(_BARE, name)))
        deque(map(set_value, columns, its), maxlen=0)
    return tuple(columns)


_BARE = Column(0)
_FIELDS = [field.name for field in fields(Column)]
_SETTERS = [getattr(Column, name).__set__ for name in _FIELDS]
_values: Callable[[Column], tuple[object, ...]] = attrgetter(*_FIELDS)


def copied(column: Column) -> Column:
    """Return a copy of a column, in a fifth of the time that `copy.copy` takes."""
    new = object.__new__(Column)
    for set_value, value in zip(_SETTERS, _values(column), strict=True):
        set_value(new, value)
    return new


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet of a workbook.

    Attributes:
        name: Its name.
        rows: Its rows, as `encode` takes them; leave them out if rows are `Tagged` with the sheet.
        columns: Its columns; by default those of the export.
        options: Its options; by default those of the format.

    Raises:
        TypeError: The name is not a str, or the options are not `SheetOptions`.  The options of a
            format are not accepted here: they belong to the whole workbook.
    """

    name: str
    rows: Any = ()
    columns: Iterable[Column | Key] | None = None
    options: SheetOptions | None = None

    def __post_init__(self) -> None:
        expect(self, "a str", str, "name")
        if self.options is not None and type(self.options) is not SheetOptions:
            kind = type(self.options).__name__
            raise TypeError(f"options must be SheetOptions, not {kind}")


@dataclass(slots=True)  # one is made for every row, and a frozen one takes four times as long
class Tagged:
    """A row with its sheet, so that rows for several sheets can come in one pass, in any order.

    Attributes:
        sheet: Name of the sheet.  The first row of a sheet may have a `Sheet` without rows instead,
            which sets the columns and the options of that sheet.
        row: The row.
    """

    sheet: str | Sheet
    row: Any


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """The name, columns and options of one sheet, the same object for all of its batches.

    The columns are complete: an encoder finds in each what the caller chose or the first row
    implied.  Titles are plain `str`, callables and lazy translations resolved.  Either every column
    has a title, or none has: then the document has no header.

    Attributes:
        name: Name of the sheet; None if the rows belong to none.
        columns: Its columns, from left to right.
        options: Its own options; None if those of the format apply.
        count: The number of its rows, if the source knows it before they come; else None.
    """

    name: str | None
    columns: tuple[Column, ...]
    options: SheetOptions | None = None
    count: int | None = None

    @property
    def titles(self) -> list[str] | None:
        """The titles of the columns, or None if there is no header."""
        titles = [column.title for column in self.columns if column.title is not None]
        return titles or None


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Some consecutive rows of one sheet, as columns: what `Encoder.feed` receives.

    A batch has up to 512 rows, or 1,023 of interleaved sheets; fewer if they are wide.  A document
    without rows has one batch with a `count` of 0, from which an encoder learns the columns.
    `Column.convert` has been called for the cells; otherwise they are as the source gave them, of
    any type.

    Attributes:
        head: The sheet that the rows belong to.  A head that no earlier batch had starts a new
            sheet.  Only if `Context.interleaved` is true does one come back after another.
        first: Number of the first row in its sheet, from 1, for error messages.
        count: Number of rows.
        columns: The cells: one sequence for each of `head.columns`, each `count` long.
    """

    head: Head
    first: int
    count: int
    columns: Sequence[Cells]


WIDE = 512
"""Columns from which rows are weighed whole, and may be written row by row."""


class RowColumns(Sequence[Cells]):
    """The columns of rows that all have a cell in each.

    They are made only if something asks for them: what writes rows as they are does without, and of
    thousands of columns with a few cells each one costs more than its cells.

    Args:
        rows: The rows, tuples or lists.
    """

    def __init__(self, rows: Sequence[Any]) -> None:
        self.rows = rows
        self._made: list[Cells] | None = None

    @property
    def _columns(self) -> list[Cells]:
        # Before CPython 3.12 `cached_property` has a lock, which a forked child may find held.
        if self._made is None:
            self._made = list(zip(*self.rows, strict=True))
        return self._made

    def __len__(self) -> int:
        return len(self.rows[0])

    def __getitem__(self, at: Any) -> Any:
        return self._columns[at]

    def __iter__(self) -> Iterator[Cells]:
        return iter(self._columns)


class StoredColumns(Sequence[Cells]):
    """The columns of rows that are not made of Python objects.

    The cells of a column are made only if something asks for them.

    Args:
        stored: What holds each column.
        cells: Returns the cells of the column at a position.
    """

    def __init__(self, stored: Sequence[Any], cells: Callable[[int], Cells]) -> None:
        self.stored = stored
        self._cells = cells
        self._made: dict[int, Cells] = {}

    def __len__(self) -> int:
        return len(self.stored)

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return [self[each] for each in range(*at.indices(len(self)))]
        if at not in self._made:
            self._made[at] = self._cells(range(len(self))[at])
        return self._made[at]

    def __iter__(self) -> Iterator[Cells]:
        return map(self.__getitem__, range(len(self)))


def as_columns(columns: Iterable[Column | Key] | None) -> tuple[Column, ...] | None:
    """Return the given columns, with each bare key turned into a `Column`.

    Raises:
        TypeError: They are a str, bytes or a mapping, or one is not a valid key.
    """
    if columns is None:
        return None
    if isinstance(columns, (str, bytes, Mapping)):
        raise TypeError(
            "columns must be a list of sw.Column, names, positions or callables,"
            f" not {type(columns).__name__}"
        )
    given = tuple(columns)
    types = set(map(type, given))
    if types == {Column}:
        return given  # type: ignore[return-value]  # its types say so
    if types <= {str, int}:
        return bare_columns(given, [None] * len(given))  # type: ignore[arg-type]  # a list of keys
    return tuple(c if isinstance(c, Column) else Column(c) for c in given)


def numbered(names: Sequence[str]) -> list[str]:
    """Return names that are all different, as SQLAlchemy makes those of columns."""
    seen: Counter[str] = Counter()
    made = []
    for name in names:
        made.append(f"{name}_{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return made


def names_of(source: object) -> list[str] | None:
    """Return the names of the columns, if the source of rows has them, as a DB-API cursor does.

    A generator has those of the cursor whose method it is.

    Source: PEP 249 `Cursor.description`; SQLAlchemy's `Result.keys()`; `csv.DictReader`.
    """
    if type(source) in (list, tuple):
        return None
    frame = getattr(source, "gi_frame", None) or getattr(source, "ag_frame", None)
    if frame is not None:  # that of a method of a cursor, such as psycopg's `stream`
        source, code = frame.f_locals.get("self"), frame.f_code
        started = len(frame.f_locals) > code.co_argcount + code.co_kwonlyargcount
        if not started or not hasattr(source, "fetchmany"):
            return None
    description = getattr(source, "description", None)
    if isinstance(description, (tuple, list)) and description:
        return [str(item[0]) for item in description]
    if isinstance(source, DictReader):  # knows them even if no row follows
        return None if source.fieldnames is None else list(source.fieldnames)
    keys = None if isinstance(source, Mapping) else getattr(source, "keys", None)
    return [str(key) for key in keys()] if callable(keys) else None
