"""What every reader must see, and that what is known of each is still so.

All are asked once, two at a time, about all workbooks; each test looks at what they said.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from conformance import matrix, mixtures, python_readers, report
from conformance.books import BOOKS, Book
from conformance.known import KNOWN
from conformance.matrix import Place, Results
from conformance.readers import JUDGES, READERS, Judge, Reader
from conformance.views import Cell, SheetView, View, cell_of, differences, untold
from readers import ROOT, zip_rules

REQUIRED = "STREAMWARE_REQUIRE_READERS"
PAGE = ROOT / "docs" / "readers.md"


@pytest.fixture(scope="module")
def results() -> Results:
    return matrix.run(matrix.all_books())


def present(one: Reader | Judge) -> None:
    if needs := one.missing():
        if os.environ.get(REQUIRED):
            pytest.fail(f"needs {needs}, and {REQUIRED} is set")
        pytest.skip(f"skipped: needs {needs}")


@pytest.mark.slow
@pytest.mark.parametrize("reader", READERS, ids=lambda one: one.name)
def test_a_reader_sees_what_was_meant(reader: Reader, results: Results) -> None:
    present(reader)
    said = [
        f"{place.form}, {place.feature}: {difference}"
        for (name, place), verdict in results.verdicts.items()
        if name == reader.name
        for difference in verdict.unknown
    ]
    assert said == []


@pytest.mark.slow
@pytest.mark.parametrize("judge", JUDGES, ids=lambda one: one.name)
def test_a_judge_has_nothing_against_any_file(judge: Judge, results: Results) -> None:
    present(judge)
    said = {place: text for (name, place), text in results.complaints.items() if name == judge.name}
    assert said
    assert {place: text for place, text in said.items() if text} == {}


@pytest.mark.slow
def test_a_difference_that_is_known_is_still_there(results: Results) -> None:
    """One that is no more is struck off `known.py`, and the page is due."""
    seen = set(report.seen(results))
    asked = [
        known
        for known in KNOWN
        if known.always and any(re.fullmatch(known.readers, name) for name in results.readers)
    ]
    assert [known for known in asked if known not in seen] == []


@pytest.mark.slow
def test_the_page_is_as_measured(results: Results) -> None:
    """Of those readers whose version is the page's; each Hypothesis draws other mixtures."""
    text = PAGE.read_text(encoding="utf-8")
    known = dict(rows(text, "reader", 2))
    for form in ("xlsx", "ods"):
        now, then = (tables(page, report.TITLES[form]) for page in (report.page(results), text))
        readers = [name for name in now if known.get(name) == results.readers.get(name)]
        assert {name: now[name] for name in readers} == {name: then.get(name) for name in readers}


def rows(page: str, title: str, width: int) -> list[list[str]]:
    """Of the first table whose first title that is, so many cells each."""
    lines = page.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith(f"| {title} |"))
    found = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")][:width])
    return found


def tables(page: str, title: str) -> dict[str, list[tuple[str, str]]]:
    """By reader: each feature, and whether it is as meant, not told or different."""
    part = page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    header = next((line for line in part.splitlines() if line.startswith("| feature |")), "")
    names = [cell.strip() for cell in header.strip("|").split("|")][1:]
    cells = rows(part, "feature", 99) if header else []
    words = {"yes": "yes", "-": "-"}
    return {
        name: [(row[0], words.get(row[at], "differs")) for row in cells if "mixture" not in row[0]]
        for at, name in enumerate(names, 1)
    }


# Readers that are at hand see more mixtures than the others


@pytest.mark.slow
@pytest.mark.parametrize("see", ["openpyxl_stream", "calamine"])
def test_any_mixture_is_read_as_it_was_meant(see: str, tmp_path: Path) -> None:
    @settings(max_examples=50, suppress_health_check=list(HealthCheck))
    @given(mixtures.books())
    def check(book: Book) -> None:
        data = book.made("xlsx")
        zip_rules(data)
        path = tmp_path / "book.xlsx"
        path.write_bytes(data)
        view = getattr(python_readers, see)(path)
        assert [str(one) for one in differences(view, book.sees)] == []

    check()


# The suite itself


def view(rows: Sequence[Sequence[object]], **told: object) -> View:
    return View([SheetView("a", [[cell_of(value) for value in row] for row in rows], told)])


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (view([(1, "x")]), []),
        (view([(1, "x", None), (), (None,)]), []),
        (view([("1", "x")]), ["a!A1: text '1', not number 1.0"]),
        (view([(1,)]), ["a!B1: empty, not text 'x'"]),
        (view([(1, "x"), (None, 2)]), ["a rows: 2, not 1"]),
        (view([(1, Cell("text", "x", "A1"))]), ["a!B1: text 'x' =A1, not text 'x'"]),
        (View(error="no zip"), ["workbook: error: no zip, not opened"]),
        (View(), ["sheets: [], not ['a']"]),
    ],
)
def test_what_a_reader_sees_otherwise_is_told(found: View, said: list[str]) -> None:
    assert [str(one) for one in differences(found, view([(1, "x")]))] == said


def test_what_a_reader_cannot_tell_is_no_difference() -> None:
    meant = view([(1,)], frozen=[1, 0], links={"A1": "https://a.example/"})
    assert list(differences(view([(1,)]), meant)) == []
    assert untold(view([(1,)]), meant)
    found = view([(1,)], frozen=[0, 0], links={})
    assert [str(one) for one in differences(found, meant)] == [
        "a frozen: [0, 0], not [1, 0]",
        "a links A1: None, not 'https://a.example/'",
    ]
    assert not untold(found, meant)


def test_widths_are_compared_as_if_the_font_were_there() -> None:
    meant = view([(1,)], widths={"A": 5, "B": 10, "C": 20})
    wider = view([(1,)], widths={"A": 6.5, "B": 13, "C": 26})
    other = view([(1,)], widths={"A": 6.5, "B": 13, "C": 20})
    assert list(differences(wider, meant)) == []
    assert [one.where for one in differences(other, meant)] == ["a widths C"]


def test_a_verdict_needs_a_reason_for_every_difference() -> None:
    book = replace(BOOKS["truth values"](), sees=view([(True,)]))
    place = Place("xlsx", "truth values")
    assert matrix.verdict("openpyxl", place, view([(True,)]), book).word == "yes"
    found = matrix.verdict("openpyxl", place, view([(1,)]), book)
    assert (found.word, found.unknown) == ("differs", ["a!A1: number 1.0, not bool True"])
    assert matrix.verdict("openpyxl", place, View(error="x"), book).word == "fails"


def test_the_same_mixtures_are_drawn_each_time() -> None:
    first, again = (list(mixtures.drawn(4)) for _ in range(2))
    assert [one.sees for one in first] == [one.sees for one in again]
    assert len(first) == 4
