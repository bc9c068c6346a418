"""Rows for several sheets, gathered by sheet."""

from collections import namedtuple
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamware as sw
from streamware.model.columns import as_columns
from streamware.rows.batching import RowBatcher
from streamware.rows.grouping import MOST_CHARACTERS, SheetGrouper
from streamware.rows.table import Table

Runs = list[tuple[str | None, list[Any]]]


class Grouping:
    """A grouper, and the sheets that it was given."""

    def __init__(
        self, key: Any = None, columns: Any = None, names: list[str] | None = None
    ) -> None:
        self.brought: dict[str | None, sw.Sheet | None] = {}
        self.grouper = SheetGrouper(key, as_columns(columns), names, self._make)

    def _make(self, name: str | None, sheet: sw.Sheet | None) -> Table:
        self.brought[name] = sheet
        return Table(None, None, extra="error", name=name)

    def add(self, rows: Iterable[Any], characters: int = 0) -> Runs:
        """The runs that are ready once these rows were pulled at a time."""
        batcher = RowBatcher(rows, self.grouper.sheets)
        pulled: list[Any] = []
        while not batcher.ended:
            batcher.pull(float("inf"))
            pulled += batcher.take()
        self.grouper.add(pulled, characters)
        return self._encoded(self.grouper.ready())

    def rest(self) -> Runs:
        return self._encoded(self.grouper.rest())

    def _encoded(self, runs: Iterable[tuple[Table, list[Any]]]) -> Runs:
        """Each run, encoded as far as the grouper can see."""
        taken: Runs = []
        for table, rows in runs:
            list(table.batches(rows))
            taken.append((table.name, rows))
        return taken


def tagged(names: str, first: int = 0) -> list[sw.Tagged]:
    """A row for each letter, in the sheet of that name."""
    return [sw.Tagged(name, (at,)) for at, name in enumerate(names, first)]


def told(rows: Sequence[Any], key: Any, columns: Any = None, names: Any = None) -> list[str | None]:
    """The sheets of `rows`, in their order."""
    grouping = Grouping(key, columns, names)
    runs = dict(grouping.add(rows))
    sheets = {id(row): name for name, taken in runs.items() for row in taken}
    return [sheets[id(row)] for row in rows]


# Runs


def test_the_first_rows_are_handed_on_at_once() -> None:
    assert Grouping().add(tagged("abab")) == [("a", [(0,), (2,)]), ("b", [(1,), (3,)])]


def test_later_ones_wait_for_as_many_as_were_pulled_at_a_time() -> None:
    grouping = Grouping()
    grouping.add(tagged("ab"))
    assert grouping.add(tagged("aaab")) == []
    assert grouping.grouper.rows == 4
    assert grouping.add(tagged("a", 4)) == [("a", [(0,), (1,), (2,), (4,)])]
    assert grouping.grouper.rows == 1
    assert grouping.rest() == [("b", [(3,)])]
    assert grouping.rest() == []


def test_a_new_sheet_that_is_ready_takes_the_others_with_it_in_their_order() -> None:
    grouping = Grouping()
    grouping.add(tagged("aa"))
    assert grouping.add(tagged("b")) == []
    assert grouping.add(tagged("cc")) == [("b", [(0,)]), ("c", [(0,), (1,)])]


def test_too_many_rows_do_not_wait() -> None:
    grouping = Grouping()
    grouping.add(tagged("abcdefghij"))
    runs = [len(grouping.add(tagged("abcdefghij"))) for _ in range(16)]
    assert runs == [*[0] * 7, 10, *[0] * 7, 10]


def test_too_much_text_does_not_wait() -> None:
    grouping = Grouping()
    grouping.add(tagged("ab"), 10)
    assert grouping.add(tagged("a"), MOST_CHARACTERS - 1) == []
    assert [name for name, _ in grouping.add(tagged("b"), 1)] == ["a", "b"]
    assert grouping.add(tagged("a"), MOST_CHARACTERS - 1) == []


@given(names=st.lists(st.sampled_from("abcde"), max_size=300), sizes=st.lists(st.integers(1, 40)))
def test_every_row_comes_once_and_in_its_order(names: list[str], sizes: list[int]) -> None:
    grouping, rows = Grouping(), iter(tagged("".join(names)))
    found: dict[str | None, list[Any]] = {}
    runs: Runs = []
    for size in (*sizes, len(names)):
        if pulled := list(islice(rows, size)):
            runs += grouping.add(pulled)
    for name, run in runs + grouping.rest():
        found.setdefault(name, []).extend(run)
    assert found == {
        name: [(at,) for at, other in enumerate(names) if other == name]
        for name in dict.fromkeys(names)
    }
    assert list(found) == list(dict.fromkeys(names))
    assert grouping.grouper.rows == 0


# Which sheet


class Region(Enum):
    NORTH = "north"
    UNKNOWN = None
    FIRST = 1


Order = namedtuple("Order", "id region")  # noqa: PYI024 - as the caller may have it


@dataclass
class Sale:
    id: int
    customer: Any


def test_a_position_tells_the_sheet() -> None:
    assert told([(1, "north"), (2, "south")], 1) == ["north", "south"]
    assert told([(1, "north"), (2, "south")], -1) == ["north", "south"]


def test_a_name_tells_the_sheet() -> None:
    assert told([{"id": 1, "region": "north"}, {"region": "south"}], "region") == ["north", "south"]
    assert told([Order(1, "north"), Order(2, "south")], "region") == ["north", "south"]
    assert told([Sale(1, Order(2, "north"))], "customer.region") == ["north"]


def test_the_name_of_a_column_of_the_source_tells_the_sheet() -> None:
    assert told([(1, "north")], "region", names=["id", "region"]) == ["north"]


def test_the_name_of_a_chosen_column_tells_the_sheet_of_bare_sequences() -> None:
    assert told([(1, "north")], "region", columns=["id", "region"]) == ["north"]


def test_a_name_that_nothing_has_is_an_error() -> None:
    with pytest.raises(sw.EncodeError, match="there is no column 'region'"):
        told([(1, "north")], "region", columns=["id", "area"])
    with pytest.raises(sw.EncodeError, match="there is no column 'region'"):
        told([(1, "north")], "region")
    with pytest.raises(sw.EncodeError, match="there is no column 'region'"):
        told([{"id": 1}], "region")


def test_a_callable_tells_the_sheet() -> None:
    assert told([(1,), (2,), (3,)], lambda row: f"{row[0] % 2} left") == [
        "1 left",
        "0 left",
        "1 left",
    ]


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (2026, "2026"),
        (1.5, "1.5"),
        (True, "True"),
        (Region.NORTH, "north"),
        (Region.FIRST, "1"),
        (None, None),
        (Region.UNKNOWN, None),
        ("", None),
    ],
)
def test_the_sheet_is_named_by_the_text_of_the_value(value: object, name: str | None) -> None:
    assert told([(value,), ("other",)], 0) == [name, "other"]
    assert told([(value,)], 0) == [name]


def test_a_row_without_the_key_belongs_to_the_sheet_that_there_is_by_default() -> None:
    assert told([{"region": "north"}, {"id": 2}], "region") == ["north", None]


# Tagged rows


def test_a_sheet_may_bring_columns_with_its_first_row_and_with_every_row() -> None:
    sheet = sw.Sheet("a", columns=["x"])
    grouping = Grouping()
    grouping.add([sw.Tagged(sheet, (1,)), sw.Tagged("b", (2,)), sw.Tagged(sheet, (3,))])
    grouping.add([sw.Tagged(sheet, (4,)), sw.Tagged(sw.Sheet("a", columns=["x"]), (5,))])
    assert grouping.brought == {"a": sheet, "b": None}


def test_a_sheet_that_brings_nothing_is_a_name() -> None:
    grouping = Grouping()
    grouping.add([sw.Tagged("a", (1,)), sw.Tagged(sw.Sheet("a"), (2,))])
    assert grouping.brought == {"a": None}


@pytest.mark.parametrize("pulls", [[2], [1, 1]], ids=["in one pull", "in two"])
@pytest.mark.parametrize(
    "sheet", [sw.Sheet("a", columns=["x"]), sw.Sheet("a", options=sw.SheetOptions())]
)
def test_what_a_sheet_brings_after_its_rows_began_is_an_error(
    pulls: list[int], sheet: sw.Sheet
) -> None:
    rows = iter([sw.Tagged("a", (1,)), sw.Tagged(sheet, (2,))])
    grouping = Grouping()
    *before, last = pulls
    for size in before:
        grouping.add(list(islice(rows, size)))
    with pytest.raises(
        sw.StateError, match="the columns and options of the sheet 'a' must come with its first row"
    ):
        grouping.add(list(islice(rows, last)))


def test_a_sheet_that_brings_something_else_later_is_an_error() -> None:
    sheets = sw.Sheet("a", columns=["x"]), sw.Sheet("a", columns=["y"])
    with pytest.raises(sw.StateError, match="'a'"):
        Grouping().add([sw.Tagged(sheet, (1,)) for sheet in sheets])


def test_the_sheet_of_a_tagged_row_has_no_rows_of_its_own() -> None:
    with pytest.raises(
        sw.EncodeError, match="the Sheet 'a' of a Tagged row must not have rows of its own"
    ):
        Grouping().add([sw.Tagged(sw.Sheet("a", [(1,)]), (1,))])


def test_a_row_without_a_tag_among_those_that_have_one_is_an_error() -> None:
    rows: list[Any] = [sw.Tagged("a", (1,)), (2,)]
    with pytest.raises(sw.EncodeError, match="row 2 must be Tagged like the first row, not tuple"):
        Grouping().add(rows)


def test_a_sheet_is_a_name_or_a_sheet() -> None:
    with pytest.raises(sw.EncodeError, match="must be a str or a Sheet, not int"):
        Grouping().add([sw.Tagged(1, (1,))])  # type: ignore[arg-type]  # what is tested


# Other threads


@pytest.mark.parametrize(
    ("key", "row", "any_thread"),
    [(0, (1,), True), ("a", {"a": 1}, True), ("a.b", {"a": 1}, False), (len, (1,), False)],
)
def test_only_what_no_code_of_the_caller_is_needed_for_is_told_elsewhere(
    key: Any, row: object, any_thread: bool
) -> None:
    assert Grouping(key).grouper.any_thread(row) is any_thread
