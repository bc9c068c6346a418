# ruff: noqa: DTZ001, DTZ901 - date-times without a zone are values like any other
"""Random mixtures: values of every kind and options of every sort, drawn by hypothesis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

import streamware as sw
from conformance.books import Book, sheet
from conformance.views import SheetView, View, letters

# What every reader can hold: no character that one of them loses, no notation, whole seconds.
TEXT = st.text(
    st.characters(
        min_codepoint=32,
        max_codepoint=0x2FFF,
        exclude_categories=["C", "Z"],
        include_characters=" ",
        exclude_characters="_&",
    ),
    max_size=20,
)
SECONDS = st.integers(0, 86_399)
DAYS = st.dates(date(1900, 3, 1), date(2199, 12, 31))
CELLS: dict[str, st.SearchStrategy[Any]] = {
    "text": TEXT,
    "whole": st.integers(-(10**15) + 1, 10**15 - 1),
    "number": st.integers(-(10**9), 10**9).map(lambda n: n / 1024),
    "bool": st.booleans(),
    "date": DAYS,
    "datetime": st.builds(
        lambda day, second: datetime(day.year, day.month, day.day) + timedelta(seconds=second),
        DAYS,
        SECONDS,
    ),
    "time": SECONDS.map(lambda s: (datetime.min + timedelta(seconds=s)).time()),
    "duration": st.integers(0, 10**8).map(lambda s: timedelta(seconds=s)),
}
EACH = 5
"""One of so many is taken: those drawn one after the other are alike."""
NAMES = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=20)


STYLES = st.builds(
    sw.Style,
    bold=st.booleans(),
    background=st.sampled_from([None, "#FFEB9C", "#DDEBF7"]),
    border=st.sampled_from([None, "thin"]),
    align=st.sampled_from([None, "left", "center", "right"]),
)
TITLE_ROWS = st.lists(TEXT.filter(str.strip) | st.tuples(TEXT, CELLS["whole"]), max_size=2)


class Chosen(NamedTuple):
    """A column, and what may be in it."""

    title: str
    options: dict[str, Any]
    cells: st.SearchStrategy[Any]


@st.composite
def columns(draw: st.DrawFn) -> Chosen:
    """Of one kind, or of all; some with looks, a note or a sum."""
    kind = draw(st.sampled_from([*CELLS, "any"]))
    cells = st.one_of(*CELLS.values()) if kind == "any" else CELLS[kind]
    options: dict[str, Any] = {
        "align": draw(st.sampled_from([None, None, "left", "right"])),
        "wrap": draw(st.booleans()),
        "width": draw(st.sampled_from([None, None, 5, 40])),
        "note": draw(st.none() | NAMES),
        "total": draw(st.sampled_from([None, "sum"])) if kind == "number" else None,
    }
    if kind == "number" and draw(st.booleans()):
        options["rules"] = [draw(st.sampled_from([sw.ColorScale(), sw.Condition(">", 5)]))]
    return Chosen(draw(NAMES), options, st.none() | cells)


ZEBRA: list[bool | str] = [False, True, "#EEEEEE"]
PROTECT: list[bool | str] = [False, True, "secret"]


@st.composite
def surroundings(draw: st.DrawFn) -> sw.SheetOptions:
    return sw.SheetOptions(
        title_rows=draw(TITLE_ROWS),
        header=draw(STYLES),
        freeze=draw(st.booleans()),
        freeze_columns=draw(st.integers(0, 2)),
        autofilter=draw(st.booleans()),
        zebra=draw(st.sampled_from(ZEBRA)),
        tab_color=draw(st.sampled_from([None, "#FF0000"])),
        zoom=draw(st.integers(10, 400)),
        right_to_left=draw(st.booleans()),
        landscape=draw(st.booleans()),
        fit_to_width=draw(st.booleans()),
        protect=draw(st.sampled_from(PROTECT)),
    )


@st.composite
def sheets(draw: st.DrawFn, name: str) -> tuple[sw.Sheet, SheetView]:
    """A sheet of one to six columns, and what is seen of it."""
    chosen = draw(st.lists(columns(), min_size=1, max_size=6))
    rows = draw(st.lists(st.tuples(*(one.cells for one in chosen)), max_size=12))
    styled = draw(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 5), STYLES), max_size=4))
    options = draw(surroundings())
    titles = [f"{one.title} {at}" for at, one in enumerate(chosen)]
    given = [sw.Column(at, titles[at], **one.options) for at, one in enumerate(chosen)]
    above = [[row] if isinstance(row, str) else row for row in options.title_rows]
    seen = [*above, titles, *rows, *_totals(chosen, rows, len(above) + 2)]
    made = [list(row) for row in rows]
    for r, c, style in styled:
        if r < len(made) and c < len(made[r]):
            made[r][c] = sw.Cell(rows[r][c], style=style)
    return sw.Sheet(name, made, columns=given, options=options), sheet(name, seen)


def _totals(
    chosen: Sequence[Chosen], rows: Sequence[Sequence[Any]], first: int
) -> Iterator[list[object]]:
    """The row below, if a column has a sum."""
    if not any(one.options["total"] for one in chosen):
        return
    if not rows:
        yield []  # what is summed up
    last = first + max(len(rows), 1) - 1
    below: list[object] = []
    for at, one in enumerate(chosen):
        total = sum(row[at] or 0 for row in rows) if one.options["total"] else None
        area = f"{letters(at)}{first}:{letters(at)}{last}"
        shown = None if total is None else float(f"{total:.15g}")  # as spreadsheets add up
        below.append(None if shown is None else sw.Formula(f"=SUBTOTAL(109,{area})", shown))
    yield below


@st.composite
def books(draw: st.DrawFn) -> Book:
    """One to three sheets."""
    made, seen = [], []
    for number in range(draw(st.integers(1, 3))):
        one, view = draw(sheets(f"Sheet {number}"))
        made.append(one)
        seen.append(view)
    strings = draw(st.sampled_from(["inline", "shared"]))
    return Book(rows=made, sees=View(seen), xlsx={"strings": strings})


def drawn(count: int) -> Iterator[Book]:
    """The same mixtures at every call."""
    found: list[Book] = []

    @seed(0)
    @settings(
        max_examples=EACH * count,
        database=None,
        derandomize=False,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(books())
    def keep(one: Book) -> None:
        found.append(one)

    keep()
    yield from found[EACH - 1 :: EACH][:count]
