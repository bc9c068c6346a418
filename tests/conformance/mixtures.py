# ruff: noqa: DTZ001, DTZ901 - date-times without a zone are values like any other
"""Random mixtures: values of every kind and options of every sort, drawn by hypothesis."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

import streamware as sw
from conformance.books import Book, sheet
from conformance.views import View

# What every reader can hold: no character that one of them loses, no notation, whole seconds.
TEXT = st.text(
    st.characters(
        min_codepoint=32,
        max_codepoint=0x2FFF,
        exclude_categories=["Cc", "Cs", "Cn", "Co"],
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


@st.composite
def columns(draw: st.DrawFn) -> tuple[sw.Column, st.SearchStrategy[Any]]:
    """A column, and what is in it: of one kind, or of all."""
    kind = draw(st.sampled_from([*CELLS, "any"]))
    cells = st.one_of(*CELLS.values()) if kind == "any" else CELLS[kind]
    title = draw(NAMES)
    return sw.Column(0, title), st.none() | cells


@st.composite
def books(draw: st.DrawFn) -> Book:
    """One to three sheets of one to six columns."""
    made, seen = [], []
    for number in range(draw(st.integers(1, 3))):
        chosen = draw(st.lists(columns(), min_size=1, max_size=6))
        rows = draw(st.lists(st.tuples(*(cells for _, cells in chosen)), max_size=12))
        titles = [f"{column.title} {at}" for at, (column, _) in enumerate(chosen)]
        given = [sw.Column(at, title) for at, title in enumerate(titles)]
        made.append(sw.Sheet(f"Sheet {number}", rows, columns=given))
        seen.append(sheet(f"Sheet {number}", [titles, *rows]))
    return Book(rows=made, sees=View(seen))


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
