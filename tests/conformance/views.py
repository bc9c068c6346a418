# ruff: noqa: DTZ001 - date-times without a zone are values like any other
"""A workbook as a reader sees it, in one form for all of them.

The drivers in `programs/` print it as JSON: `{"sheets": [{"name", "rows", "told"}], "told"}`, or
`{"error"}`; a cell is null or `[kind, value, formula]`.  What a reader tells beyond the cells is
in `told`, under the same names for every reader; a name that is not there is something that the
reader cannot tell.

| of a sheet | what |
| --- | --- |
| formats, bold, italic, underline, color, background, font, size | by cell |
| align, valign, wrap, border | by cell |
| links, notes, shown (on the screen) | by cell |
| widths | by column, in characters of the default font |
| hidden | columns |
| frozen | rows and columns |
| filter, merged | ranges |
| rules, validations | pairs of a range and a type of ECMA-376 §18.18.12 and §18.18.21 |
| tables | name, ref, columns, totals, style |
| tab, rtl, zoom, landscape, fit, repeat, protected | as written |
| of the workbook: names, title, author, company, created, custom | as written |
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Literal, NamedTuple

import streamware as sw

Kind = Literal["text", "number", "bool", "moment", "error", "shown", "formula"]
Told = Mapping[str, Any]

EPOCH = datetime(1899, 12, 30)
DAY = timedelta(days=1)
PRECISION = 0.0015 / 86_400
"""Days by which a moment may differ: JavaScript's dates are whole milliseconds."""
WIDTH = 1.0
"""Characters by which a width may differ: readers keep it in pixels or points."""
LONG = 80
"""Characters of a value that are told."""
SCALES = (0.8, 1.5)
"""Characters are wider or narrower where the font is not there: for all columns the same."""


class Cell(NamedTuple):
    """A cell that is not empty.

    Attributes:
        kind: Its type as the reader has it.  A moment is a date, a time or a duration, in days
            since 1899-12-30; "shown" is text of a reader that has
            nothing else, "formula" a cell of which it tells no value.
        value: Its value; a formula's, its cached one.
        formula: Without the leading `=`.
    """

    kind: Kind
    value: str | float | bool
    formula: str | None = None

    def __str__(self) -> str:
        value = repr(self.value)
        if len(value) > LONG:
            value = f"{value[:LONG]}… of {len(str(self.value))} characters"
        return f"{self.kind} {value}" + ("" if self.formula is None else f" ={self.formula}")


@dataclass(frozen=True)
class SheetView:
    name: str | None
    rows: Sequence[Sequence[Cell | None]]
    told: Told = field(default_factory=dict)


@dataclass(frozen=True)
class View:
    sheets: Sequence[SheetView] = ()
    told: Told = field(default_factory=dict)
    error: str | None = None


def cell_of(value: object) -> Cell | None:
    """What a reader should see of a value; the sheet's own limits are not looked at."""
    match value:
        case None | "":
            return None
        case Cell():
            return value
        case sw.Formula():
            cached = cell_of(value.cached) or Cell("text", "")
            return cached._replace(formula=value.text.removeprefix("="))
        case bool() | str():
            return Cell("bool" if isinstance(value, bool) else "text", value)
        case int() | float() | Decimal():
            return Cell("number", float(value))
        case datetime():
            return Cell("moment", (value - EPOCH) / DAY)
        case date():
            return Cell("moment", float((value - EPOCH.date()).days))
        case time():
            return Cell("moment", (datetime.combine(EPOCH, value) - EPOCH) / DAY)
        case timedelta():
            return Cell("moment", value / DAY)
        case _:
            raise TypeError(f"what a reader sees of a {type(value).__name__} is not known here")


def view_of(said: str) -> View:
    """A view as a driver printed it."""
    found = json.loads(said)
    if "error" in found:
        return View(error=found["error"])
    sheets = [
        SheetView(
            sheet["name"],
            [[None if cell is None else Cell(*cell) for cell in row] for row in sheet["rows"]],
            sheet["told"],
        )
        for sheet in found["sheets"]
    ]
    return View(sheets, found["told"])


def tried(see: Callable[[], View]) -> View:
    """What a reader sees, or what it raises."""
    try:
        return see()
    except Exception as error:  # noqa: BLE001 - whatever it raises
        return View(error=f"{type(error).__name__}: {error}")


class Difference(NamedTuple):
    """Something that a reader sees otherwise than it was meant."""

    where: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.where}: {self.found}, not {self.expected}"


def differences(found: View, expected: View) -> Iterator[Difference]:
    """What is not as it should be; what the reader cannot tell is none of it."""
    if found.error is not None:
        yield Difference("workbook", f"error: {found.error}", "opened")
        return
    names = [sheet.name for sheet in found.sheets]
    wanted = [sheet.name for sheet in expected.sheets]
    if names != wanted:
        yield Difference("sheets", str(names), str(wanted))
    for one, other in zip(found.sheets, expected.sheets, strict=False):
        yield from _rows(str(other.name), trimmed(one.rows), trimmed(other.rows))
        yield from _told(str(other.name), one.told, other.told)
    yield from _told("workbook", found.told, expected.told)


def untold(found: View, expected: View) -> bool:
    """Whether the reader can tell nothing of what is expected beyond the cells."""
    asked = [
        (one.told, key)
        for one, other in zip(found.sheets, expected.sheets, strict=False)
        for key in other.told
    ]
    asked += [(found.told, key) for key in expected.told]
    return bool(asked) and not any(key in told for told, key in asked)


def trimmed(rows: Iterable[Sequence[Cell | None]]) -> list[list[Cell | None]]:
    """Without the empty cells at the end of a row and the empty rows at the end."""
    made = [_trimmed_row(row) for row in rows]
    while made and not made[-1]:
        made.pop()
    return made


def _trimmed_row(row: Sequence[Cell | None]) -> list[Cell | None]:
    cells = [
        None if cell == Cell("text", "") or cell == Cell("shown", "") else cell for cell in row
    ]
    while cells and cells[-1] is None:
        cells.pop()
    return cells


def _rows(
    sheet: str, found: list[list[Cell | None]], expected: list[list[Cell | None]]
) -> Iterator[Difference]:
    if len(found) != len(expected):
        yield Difference(f"{sheet} rows", str(len(found)), str(len(expected)))
    for r, (one, other) in enumerate(zip(found, expected, strict=False), 1):
        for c in range(max(len(one), len(other))):
            have = one[c] if c < len(one) else None
            want = other[c] if c < len(other) else None
            if not _same(have, want):
                yield Difference(f"{sheet}!{reference(r, c)}", _said(have), _said(want))


def _said(cell: Cell | None) -> str:
    return "empty" if cell is None else str(cell)


def _same(found: Cell | None, expected: Cell | None) -> bool:
    if found is None or expected is None:
        return found is expected
    if found.kind == "shown":
        return _shown(str(found.value), expected)
    if found.formula is not None and not _same_formula(found.formula, expected.formula):
        return False
    if found.kind == "formula":
        return True
    if found.kind != expected.kind:
        return False
    if found.kind == "moment":
        return abs(float(found.value) - float(expected.value)) < PRECISION
    return found.value == expected.value


def _same_formula(found: str, expected: str | None) -> bool:
    """Whether they are, but for the case and prefix of names, and for `A1:A1`, which is `A1`."""
    return expected is not None and _canonical(found) == _canonical(expected)


def _canonical(formula: str) -> str:
    plain = re.sub(r"_xlfn\.|com\.microsoft\.", "", formula.casefold())
    return re.sub(r"([a-z]+\d+):\1\b", r"\1", plain)


def _shown(text: str, expected: Cell) -> bool:
    """Whether a text stands for a value; of a moment and a formatted number, that there is one."""
    if expected.kind == "bool":
        return text == str(expected.value).upper()
    if expected.kind == "number":
        try:
            return math.isclose(float(text), float(expected.value), rel_tol=1e-9)
        except ValueError:
            return bool(re.search(r"\d(?!E[+-])", text)) and not re.search(r"\dE[+-]|\[", text)
    return bool(text) if expected.kind == "moment" else text == expected.value


def _told(where: str, found: Told, expected: Told) -> Iterator[Difference]:
    for key, want in expected.items():
        if key not in found:
            continue
        have = found[key]
        if key == "widths":
            have = _scaled(have, want)
        if isinstance(want, Mapping):
            for at, value in want.items():
                if not _equal(key, have.get(at), value):
                    yield Difference(f"{where} {key} {at}", repr(have.get(at)), repr(value))
        elif not _equal(key, have, want):
            yield Difference(f"{where} {key}", repr(have), repr(want))


def _equal(key: str, found: object, expected: object) -> bool:
    if key == "widths":
        return isinstance(found, (int, float)) and abs(found - float(str(expected))) <= WIDTH
    if key == "tables" and isinstance(found, list) and isinstance(expected, list):
        return _same_tables(found, expected)
    if isinstance(found, str) and isinstance(expected, str) and key in {"names", "filter"}:
        return _plain(found) == _plain(expected)
    return _listed(found) == _listed(expected)


def _same_tables(found: list[Told], expected: list[Told]) -> bool:
    """In all that the reader tells of one."""
    return len(found) == len(expected) and all(
        _listed(one[name]) == _listed(value)
        for one, other in zip(found, expected, strict=True)
        for name, value in other.items()
        if name in one
    )


def _scaled(found: Mapping[str, float], expected: Mapping[str, float]) -> dict[str, float]:
    """Widths as if a character were as wide as it was meant."""
    both = sorted(found[at] / want for at, want in expected.items() if at in found)
    middle = both[len(both) // 2] if both else 1.0
    scale = min(max(middle, SCALES[0]), SCALES[1])
    return {at: round(width / scale, 2) for at, width in found.items()}


def _plain(ref: str) -> str:
    return ref.replace("$", "").replace("'", "").removeprefix("=")


def _listed(value: object) -> object:
    """As a list, however it came: JSON has no tuples, and ranges are in no order."""
    if isinstance(value, (list, tuple)):
        made = [_listed(item) for item in value]
        return (
            sorted(made, key=str) if any(isinstance(item, (str, list)) for item in made) else made
        )
    if isinstance(value, Mapping):
        return {name: _listed(item) for name, item in value.items()}
    return value


def letters(column: int) -> str:
    """Of a column, counted from 0."""
    text = ""
    column += 1
    while column:
        column, digit = divmod(column - 1, 26)
        text = chr(65 + digit) + text
    return text


def reference(row: int, column: int) -> str:
    """Of a cell; rows are counted from 1, columns from 0."""
    return f"{letters(column)}{row}"
