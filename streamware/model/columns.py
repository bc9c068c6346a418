"""Column and Sheet: what the caller says of rows; Head and Batch: what is made of them.

Rows arrive in batches and leave as columns, because everything after this point works on a
column at a time.  `layout` has the way from the one to the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from inspect import iscoroutinefunction
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

_KINDS = ("text", "number", "bool", "date", "datetime", "time", "duration")
MAX_LITERAL = 255  # UTF-16 units of a text in a formula (Microsoft's limits page)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the document.

    Everything but `key`, `title`, `kind` and `convert` is for spreadsheets; the other formats
    leave it alone, but for a `Csv(localized=True)`, which looks at `format`.

    Attributes:
        key: Where its cells come from: a name (of a mapping's key, an attribute or the source's
            column), a position from 0, a dotted path, or a callable of the row.
        title: Its header; by default the name.  A callable is called when the document begins,
            so that it can be translated for who asks, and a lazy translation is translated then.
        kind: What its cells are, where the source cannot tell: SQLite has no dates, so that
            `kind="datetime"` reads its ISO 8601 text as one.  A value that cannot be read as
            its column's kind is a `CellError`; empty text is an empty cell.  Numbers of
            `kind="duration"` are seconds.
        format: Number format of its numbers and dates, by a name of those below or as a code
            (ECMA-376 Part 1 §18.8.31).  It shows values and reads none: text stays text, so that
            SQLite's dates need a kind as well.
        width: Width in characters of the default font, up to 255; by default, and as "auto",
            that of the title or the longest of the first rows, within reason.
        convert: Called with every value (None too) before anything else looks at it.
        align: "left", "center" or "right".
        wrap: Whether long text goes on in the next line.
        hidden: Whether it is there without being seen.
        note: A note on the header's cell, at most 32,767 UTF-16 units; made or translated as
            late as the title.
        url: Makes every cell a link: an address in which `{}` is the cell's text, quoted for an
            address.  Where that is all of it, as in `"{}"`, or its beginning, the text is an
            address itself (http, https, ftp or mailto).  What is none, or over 255 characters,
            stays plain text, and is counted.
        total: "sum", "average" or "count", calculated in a row below the last one.  Text in a
            column with a sum or an average is an `EncodeError`.
        rules: What stands out in it: `Condition`, `ColorScale`, `DataBar`.
        validation: What may be typed into it.

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
    | "money:EUR" | `#,##0.00 [$EUR]` | 1,234.57 EUR (any currency of ISO 4217) |

    Raises:
        TypeError: An attribute of another type; a bool is no number.
        ValueError: A choice that there is not.
        LimitError: An address or a note that is too long.
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
        if isinstance(key, bool) or not (isinstance(key, (str, int)) or callable(key)):
            raise TypeError(f"a column's key is a name, a position or a callable, not {key!r}")
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
            wrong.args = (f"column {getattr(key, '__name__', key)}: {wrong}",)
            raise

    def _check(self) -> None:
        if self.kind is not None and self.kind not in _KINDS:
            raise ValueError(f"unknown kind {self.kind!r}; there are: {', '.join(_KINDS)}")
        expect(self, "a number", int | float | None, "width")
        expect(self, "True or False", bool, "wrap", "hidden")
        expect(self, "a text", str | None, "url")
        if self.convert is not None and not callable(self.convert):
            raise TypeError(f"convert is a callable, not {type(self.convert).__name__}")
        if self.format is not None:
            object.__setattr__(self, "format", code_of(self.format))
        if self.width is not None and not 0 < self.width <= 255:
            raise ValueError("a column's width is above 0 and at most 255 characters")
        choose("align", self.align, get_args(Align))
        choose("total", self.total, get_args(Total))
        if self.total in ("sum", "average") and self.kind in ("text", "bool"):
            raise ValueError(f"there is no {self.total} of a column of kind {self.kind!r}")
        if self.total == "sum" and self.kind in ("date", "datetime"):
            raise ValueError(f"there is no sum of a column of kind {self.kind!r}")
        _check_made(self.title, self.note)
        _check_address(self.url)
        check_note(self.note)
        expect(self, "a list of Condition, ColorScale and DataBar", Iterable, "rules")
        object.__setattr__(self, "rules", tuple(self.rules))
        _check_rules(self.rules, self.validation)


def _check_address(url: str | None) -> None:
    if url is None:
        return
    if "{}" not in url:
        raise ValueError(f"the address {url!r} has no {{}} for the cell's text")
    if any(ord(character) <= 0x20 for character in url):
        raise ValueError(f"the address {url!r} has a blank or a control character")
    around = units(url.replace("{}", ""))
    if around >= MAX_LITERAL:
        raise LimitError("characters of an address", limit=MAX_LITERAL, actual=around)


def _check_made(*texts: object) -> None:
    if any(map(iscoroutinefunction, texts)):
        raise TypeError("a title or a note is made by a function without async")


def check_note(note: object) -> None:
    """Raises where a header's note is no text, nor can become one, or is too long."""
    if isinstance(note, str):
        if units(note) > MAX_NOTE:
            raise LimitError("UTF-16 units in a note", limit=MAX_NOTE, actual=units(note))
    # A lazy translation looks like nothing in particular, and asking it would translate it.
    elif note is not None and not callable(note) and type(note).__module__ == "builtins":
        raise TypeError(f"a note is a text, not {type(note).__name__}")


def _check_rules(rules: Sequence[object], validation: object) -> None:
    for rule in rules:
        if not isinstance(rule, Rule):
            raise TypeError(
                f"a rule is a Condition, a ColorScale or a DataBar, not {type(rule).__name__}"
            )
    if not isinstance(validation, Validation | None):
        raise TypeError(f"validation is a Validation, not {type(validation).__name__}")


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet of a workbook.

    Attributes:
        name: Its name.
        rows: Its rows, as `encode` takes them; none where rows are `Tagged` with the sheet.
        columns: Its columns; by default the export's.
        options: What surrounds its rows; by default the format's own.

    Raises:
        TypeError: The name is no text, or the options are no `SheetOptions`; those of a format
            hold for the whole workbook.
    """

    name: str
    rows: Any = ()
    columns: Iterable[Column | Key] | None = None
    options: SheetOptions | None = None

    def __post_init__(self) -> None:
        expect(self, "a text", str, "name")
        if self.options is not None and type(self.options) is not SheetOptions:
            kind = type(self.options).__name__
            raise TypeError(f"options of a sheet are SheetOptions, not {kind}")


@dataclass(slots=True)  # not frozen: one is made for every row, in a quarter of the time
class Tagged:
    """A row and the sheet that it belongs to: rows for several sheets, in any order, in one pass.

    Attributes:
        sheet: Name of the sheet; or, with the first row of a sheet at the latest, a `Sheet`
            without rows that brings columns and options of its own.
        row: The row.
    """

    sheet: str | Sheet
    row: Any


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """What stands above the rows of a sheet: its name and its settled columns.

    A column's title is None only where none has one; then there is no header.

    Attributes:
        name: Name of the sheet, where it has one.
        columns: Its columns.
        options: What surrounds its rows, where it is not as the format has it.
    """

    name: str | None
    columns: tuple[Column, ...]
    options: SheetOptions | None = None

    @property
    def titles(self) -> list[str] | None:
        """Titles of the columns, or None where there is no header."""
        titles = [column.title for column in self.columns if column.title is not None]
        return titles or None


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Some rows of one sheet, a column at a time.

    Attributes:
        head: The sheet they belong to; another one than before begins a new sheet.
        first: Number of the first row, from 1.
        count: Number of rows.
        columns: For every column of the head, `count` cells.
    """

    head: Head
    first: int
    count: int
    columns: Sequence[Cells]


def as_columns(columns: Iterable[Column | Key] | None) -> tuple[Column, ...] | None:
    """The given columns, each bare key turned into a `Column`."""
    if columns is None:
        return None
    if isinstance(columns, (str, bytes, Mapping)):
        raise TypeError("columns are a list of sw.Column, names, positions or callables")
    return tuple(c if isinstance(c, Column) else Column(c) for c in columns)


def names_of(source: object) -> list[str] | None:
    """Names of the columns as the source of rows tells them: a DB-API cursor, a result.

    Source: PEP 249 `Cursor.description`; SQLAlchemy's `Result.keys()`.
    """
    description = getattr(source, "description", None)
    if isinstance(description, (tuple, list)) and description:
        return [str(item[0]) for item in description]
    keys = None if isinstance(source, Mapping) else getattr(source, "keys", None)
    return [str(key) for key in keys()] if callable(keys) else None
