"""Batches that are bounded by rows, by text and by the clock."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import accumulate, count, islice, repeat
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamware as sw
from drive import Clock
from fakes import Broken
from streamware.rows.batching import MOST_CHARACTERS, RowBatcher, heavy_keys, portions, weight

NEVER = float("inf")
WIDE = "x" * (MOST_CHARACTERS + 1)


def batches(rows: Any, keys: Sequence[Any] | None = ()) -> Iterator[list[Any]]:
    """What is pulled, batch after batch, by a clock that stands still."""
    batcher = RowBatcher(rows)
    while not batcher.ended:
        batcher.pull(NEVER)
        batcher.heavy_keys = keys
        yield batcher.take()


def sizes(rows: Any, keys: Sequence[Any] | None = ()) -> list[int]:
    return [len(batch) for batch in batches(rows, keys)]


def test_batches_begin_small_and_double() -> None:
    assert sizes([(1,)] * 2000) == [32, 64, 128, 256, 512, 512, 496]


def test_no_row_is_pulled_before_its_batch() -> None:
    rows = count()
    batcher = RowBatcher((at,) for at in rows)
    batcher.pull(NEVER)
    assert batcher.take() == [(at,) for at in range(32)]
    assert next(rows) == 32


@pytest.mark.parametrize(
    ("rows", "expected"), [(0, [0]), (1, [1]), (32, [32, 0]), (96, [32, 64, 0])]
)
def test_the_end_shows_when_a_batch_is_not_full(rows: int, expected: list[int]) -> None:
    assert sizes([(1,)] * rows) == expected


def test_too_much_text_ends_a_batch_and_halves_the_next() -> None:
    rows = [("x",)] * 100 + [(WIDE,)] + [("x",)] * 100
    assert sizes(rows, [0]) == [32, 64, 5, 64, 36]


def test_rows_that_are_all_wide_come_one_by_one() -> None:
    assert sizes([(WIDE,)] * 8, [0]) == [1, 1, 1, 1, 1, 1, 1, 1, 0]


def test_wide_rows_are_seen_from_the_first_on() -> None:
    assert sizes([(1, WIDE)] * 3, None) == [1, 1, 1, 0]


def test_text_where_there_was_none_is_noticed_within_a_few_rows() -> None:
    rows = [(1, "x")] * 600 + [("wide", "x")] * 600
    assert any(600 < pulled <= 632 for pulled in accumulate(sizes(rows, [1])))


def test_text_that_is_in_no_column_counts_and_keeps_nothing_small() -> None:
    assert sizes([("left out", "x")] * 2000, [1]) == [32, 32, 64, 128, 256, 512, 512, 464]
    assert sizes([(1, "x")] * 32 + [(WIDE, "x")] * 40, [1])[2:] == [*[1] * 8, 0]


def test_the_text_of_the_last_pull_is_told() -> None:
    batcher = RowBatcher(iter([("abc", 1)] * 40))
    batcher.pull(NEVER)
    assert batcher.characters == 96
    batcher.pull(NEVER)
    assert batcher.characters == 24


def test_rows_of_many_cells_make_smaller_batches() -> None:
    assert sizes([tuple(range(1000))] * 45) == [10, 10, 10, 10, 5]
    assert sizes([tuple(range(20_000))] * 3) == [1, 1, 1, 0]


@pytest.mark.parametrize("cell", [1, 1.5, b"", object(), None])
def test_a_cell_of_any_type_may_stand_where_text_was(cell: object) -> None:
    rows = [("x",)] * 40 + [(cell,)] * 40
    assert sizes(rows, [0]) == [32, 48]


def test_a_wide_row_is_seen_wherever_its_text_is() -> None:
    rows = [("x", 1)] * 40 + [(1, WIDE)] + [("x", 1)] * 40
    assert sizes(rows, [0])[:2] == [32, 9]


@pytest.mark.parametrize("key", ["name", "it's", 'a "b" {c}', "\\", "\ud800", "'''\n"])
def test_any_name_can_be_a_key(key: str) -> None:
    rows = [{key: "x"}] * 40 + [{key: WIDE}, {}]
    assert sizes(rows, [key]) == [32, 9, 1]


class Colour(Enum):
    RED = 1


class Told(str):
    """A key whose repr is a program."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "__import__('sys').modules[__name__].ran.append(1)"


ran = list[int]()


@pytest.mark.parametrize("key", [Colour.RED, 1.5, Told("a"), ("a", 1), None, frozenset()])
def test_a_key_of_any_type_counts_and_is_never_run(key: Any) -> None:
    rows = [{key: "x"}] * 40 + [{key: WIDE}, {}]
    assert sizes(rows, [key]) == [32, 9, 1]
    assert not ran


@pytest.mark.parametrize("key", [Colour.RED, 1.5, Told("b"), ("a", 1), None])
def test_a_row_may_have_keys_of_any_type_besides_its_columns(key: Any) -> None:
    rows = [{"a": 7, key: "text"}] * 200
    assert b"".join(sw.encode(rows, columns=["a"])).split() == [b"a", *[b"7"] * 200]
    assert not ran


def test_there_may_be_any_number_of_keys() -> None:
    row = tuple("x" * 5000)
    rows = [row] * 40 + [(*row, WIDE)]
    assert [each for batch in batches(rows, range(5001)) for each in batch] == rows


def test_what_came_before_the_source_failed_is_pending() -> None:
    def rows() -> Iterator[Any]:
        yield (1,)
        raise Broken

    batcher = RowBatcher(rows())
    with pytest.raises(Broken):
        batcher.pull(NEVER)
    assert batcher.take() == [(1,)]
    assert batcher.take() == []


def test_a_row_that_arrives_late_ends_its_batch(clock: Clock) -> None:
    batcher = RowBatcher(clock.after(seconds, (seconds,)) for seconds in (1, 2, 3, 0, 1))
    batcher.pull(clock.now + 5)
    assert batcher.take() == [(1,), (2,), (3,)]
    assert not batcher.ended
    batcher.pull(clock.now + 5)
    assert batcher.take() == [(0,), (1,)]
    assert batcher.ended


@given(st.lists(st.integers(0, 3 * MOST_CHARACTERS), max_size=100))
def test_every_row_comes_once_and_no_batch_has_too_much_text(widths: list[int]) -> None:
    rows = [("x" * width,) for width in widths]
    pulled = list(batches(rows, [0]))
    assert [row for batch in pulled for row in batch] == rows
    assert all(sum(map(weight, batch[:-1])) <= MOST_CHARACTERS for batch in pulled)


# What counts


@dataclass(slots=True)
class Slotted:
    a: str
    b: int


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(("abc", 1, None, 2.5), id="tuple"),
        pytest.param([b"abc", 1], id="list"),
        pytest.param({"a": "abc", "b": 1}, id="dict"),
        pytest.param(MappingProxyType({"a": "abc", "b": 1}), id="mapping"),
        pytest.param((bytearray(2), memoryview(b"x")), id="bytes of other kinds"),
        pytest.param(SimpleNamespace(a="abc", b=1), id="object"),
        pytest.param(Slotted("abc", 1), id="slots"),
        pytest.param(type("Row", (), {"__slots__": "a"})(), id="one slot, unset"),
    ],
)
def test_the_text_of_a_row_counts(row: Any) -> None:
    assert weight(row) == (3 if type(row).__name__ != "Row" else 0)


def test_what_is_nested_counts_with_all_its_text() -> None:
    assert weight(([], {}, ())) == 0
    assert weight((["abc", 1],)) == 2 * 8 + 3
    assert weight(({"a": ("bc", None)},)) == 1 * 8 + 1 + 2 * 8 + 2
    assert weight(([[[["abc"]]]],)) == 4 * 8


def test_what_is_nested_in_itself_is_not_counted_for_ever() -> None:
    endless: list[object] = []
    endless.append(endless)
    assert weight((endless,)) == 4 * 8


def test_what_is_nested_in_itself_many_times_is_looked_at_once() -> None:
    looks = list[int]()

    class Looked(list[Any]):
        def __iter__(self) -> Iterator[Any]:
            looks.append(1)
            return super().__iter__()

    endless = Looked()
    endless.extend([endless] * 150)
    assert weight((endless,)) == 8 * (150 + 150**2 + 150**3 + 150**4)
    assert len(looks) == 3


def test_cells_that_are_made_when_they_are_asked_for_are_not_taken_for_each_other() -> None:
    class Decoded(Mapping[int, Any]):
        def __getitem__(self, key: int) -> Any:
            return [["x" * key]]

        def __iter__(self) -> Iterator[int]:
            return iter(range(100))

        def __len__(self) -> int:
            return 100

    assert weight((Decoded(),)) == 0
    assert weight(Decoded()) == 100 * 16 + sum(range(100))


def test_the_text_of_a_row_of_sqlite_counts() -> None:
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    row = connection.execute("select 'abc', 1, null").fetchone()
    connection.close()
    assert weight(row) == 3
    assert weight(row, [0]) == 3


@pytest.mark.parametrize(("keys", "expected"), [([0], 1), ([0, 1], 3), ([7], 3), (["a"], 3)])
def test_the_text_at_some_keys_counts_or_else_all(keys: list[Any], expected: int) -> None:
    assert weight(("a", "bc"), keys) == expected


def test_the_keys_that_count_are_those_of_text() -> None:
    assert heavy_keys((1, "x", b"", None, [1])) == [1, 2, 4]
    assert heavy_keys({"a": 1, "b": "x"}) == ["b"]
    assert heavy_keys(SimpleNamespace(a="x")) == ()


def test_the_text_of_a_cell_counts_with_all_that_it_has() -> None:
    assert weight((sw.Cell("abc"), sw.Cell(1), 2)) == 3
    assert weight((sw.Cell(1, note="ab", url="c"),)) == 3
    assert weight((sw.Cell(["abc"]), [sw.Cell("ab")])) == 8 + 3 + 8 + 2
    assert weight((sw.Cell("abc"), "d"), [0, 1]) == 4


def test_a_cell_without_text_has_no_key_that_counts() -> None:
    cells = (sw.Cell(1), sw.Cell("x"), sw.Cell(1, note="x"), sw.Cell(1, url="x"), sw.Cell([1]))
    assert heavy_keys(cells) == [1, 2, 3, 4]
    assert heavy_keys({"a": sw.Cell(1), "b": sw.Cell("x")}) == ["b"]


def test_cells_within_each_other_are_not_looked_into_for_ever() -> None:
    cell = sw.Cell("x")
    for _ in range(100_000):
        cell = sw.Cell(cell)
    assert weight((cell,)) == 0


def test_tagged_rows_are_bare_once_they_are_pulled() -> None:
    sheets: list[Any] = []
    batcher = RowBatcher([sw.Tagged("ab"[at % 2], (at, "xyz")) for at in range(3)], sheets)
    batcher.pull(NEVER)
    assert (batcher.take(), sheets) == ([(0, "xyz"), (1, "xyz"), (2, "xyz")], ["a", "b", "a"])
    assert batcher.characters == 9


def test_what_is_no_tagged_row_is_refused_and_not_pending() -> None:
    batcher = RowBatcher([sw.Tagged("a", (0,)), (1,)], [])
    with pytest.raises(sw.EncodeError, match="row 2 must be Tagged like the first row, not tuple"):
        batcher.pull(NEVER)
    assert batcher.take() == [(0,)]


def test_a_wide_last_row_is_a_run_of_its_own() -> None:
    small, wide = ("x",), ("x" * 70_000,)
    assert portions([small, small]) == [[small, small]]
    assert portions([small, small, wide]) == [[small, small], [wide]]
    assert portions([wide, small]) == [[wide, small]]
    assert portions([wide]) == [[wide]]
    assert portions([]) == [[]]


def test_an_endless_source_is_pulled_by_and_by() -> None:
    assert [len(batch) for batch in islice(batches(repeat((1,))), 6)] == [
        32,
        64,
        128,
        256,
        512,
        512,
    ]
