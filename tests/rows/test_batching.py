"""Batches that are bounded by rows, by text and by the clock."""

import gc
import sys
from collections import OrderedDict, namedtuple
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from functools import partial
from itertools import accumulate, count, islice, repeat
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamware as sw
from drive import Clock
from fakes import Broken
from streamware.kernel import native
from streamware.rows import batching
from streamware.rows.batching import FIRST_ROWS, RowBatcher, spans
from streamware.rows.weighing import MOST_CHARACTERS, Sizer

NEVER = float("inf")
WIDE = "x" * (MOST_CHARACTERS + 1)


@pytest.fixture(params=["kernel", "pure"], scope="module", autouse=True)
def path(request: pytest.FixtureRequest) -> Iterator[str]:
    """Who pulls the rows: the compiled kernel, or Python."""
    if request.param == "kernel" and native is None:
        pytest.skip("needs the compiled kernel")
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "pure":
            patch.setattr(batching, "native", None)
        yield request.param


def batches(rows: Any) -> Iterator[list[Any]]:
    """What is pulled, batch after batch, by a clock that stands still."""
    batcher = RowBatcher(rows)
    while not batcher.ended:
        batcher.pull(NEVER)
        yield batcher.take()


def sizes(rows: Any) -> list[int]:
    return [len(batch) for batch in batches(rows)]


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
    assert sizes(rows) == [32, 64, 5, 64, 36]


def test_rows_that_are_all_wide_come_one_by_one() -> None:
    assert sizes([(WIDE,)] * 8) == [1, 1, 1, 1, 1, 1, 1, 1, 0]


def test_wide_rows_are_seen_from_the_first_on() -> None:
    assert sizes([(1, WIDE)] * 3) == [1, 1, 1, 0]


def test_text_where_there_was_none_is_noticed_within_a_few_rows() -> None:
    rows = [(1, "x")] * 600 + [(WIDE, "x")] * 20
    pulled = list(accumulate(sizes(rows)))
    noticed = next(at for at in pulled if at > 600)
    assert noticed <= 611
    assert pulled[pulled.index(noticed) :] == [*range(noticed, 621), 620]


def test_text_that_is_in_no_column_counts_and_keeps_nothing_small() -> None:
    assert sizes([("left out", "x")] * 2000) == [32, 64, 128, 256, 512, 512, 496]
    assert sizes([(1, "x")] * 32 + [(WIDE, "x")] * 40)[-8:] == [*[1] * 7, 0]


def portions(rows: list[Any]) -> list[tuple[int, int]]:
    """The rows and the characters of each portion of the first batch."""
    batcher = RowBatcher(iter(rows))
    batcher.pull(NEVER)
    return [(len(portion), characters) for portion, characters in batcher.portions()]


def test_the_text_of_a_batch_is_told() -> None:
    assert portions([("abc", 1)] * 32) == [(32, 96)]


def test_rows_of_many_cells_make_smaller_batches() -> None:
    assert sizes([tuple(range(1000))] * 45) == [10, 10, 10, 10, 5]
    assert sizes([tuple(range(16_000))] * 9) == [4, 4, 1]
    assert sizes([tuple(range(70_000))] * 3) == [1, 1, 1, 0]


@pytest.mark.parametrize("cell", [1, 1.5, b"", object(), None])
def test_a_cell_of_any_type_may_stand_where_text_was(cell: object) -> None:
    rows = [("x",)] * 40 + [(cell,)] * 40
    assert sizes(rows) == [32, 48]


def test_a_wide_row_is_seen_wherever_its_text_is() -> None:
    rows = [("x", 1)] * 40 + [(1, WIDE)] + [("x", 1)] * 40
    assert sizes(rows)[:2] == [32, 9]


@pytest.mark.parametrize("key", ["name", "it's", 'a "b" {c}', "\\", "\ud800", "'''\n"])
def test_any_name_can_be_a_key(key: str) -> None:
    rows = [{key: "x"}] * 40 + [{key: WIDE}, {}]
    assert sizes(rows) == [32, 9, 1]


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
    assert sizes(rows) == [32, 9, 1]
    assert not ran


@pytest.mark.parametrize("key", [Colour.RED, 1.5, Told("b"), ("a", 1), None])
def test_a_row_may_have_keys_of_any_type_besides_its_columns(key: Any) -> None:
    rows = [{"a": 7, key: "text"}] * 200
    assert b"".join(sw.encode(rows, columns=["a"])).split() == [b"a", *[b"7"] * 200]
    assert not ran


def test_there_may_be_any_number_of_keys() -> None:
    row = tuple("x" * 5000)
    rows = [row] * 40 + [(*row, WIDE)]
    assert [each for batch in batches(rows) for each in batch] == rows


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
    pulled = list(batches(rows))
    assert [row for batch in pulled for row in batch] == rows
    assert all(sum(map(Sizer().row, batch[:-1])) <= MOST_CHARACTERS for batch in pulled)


def test_tagged_rows_are_bare_once_they_are_pulled() -> None:
    sheets: list[Any] = []
    batcher = RowBatcher([sw.Tagged("ab"[at % 2], (at, "xyz")) for at in range(3)], sheets)
    batcher.pull(NEVER)
    assert batcher.portions() == [([(0, "xyz"), (1, "xyz"), (2, "xyz")], 9)]
    assert sheets == ["a", "b", "a"]


def test_what_is_no_tagged_row_is_refused_and_not_pending() -> None:
    batcher = RowBatcher([sw.Tagged("a", (0,)), (1,)], [])
    with pytest.raises(sw.EncodeError, match="row 2 must be Tagged like the first row, not tuple"):
        batcher.pull(NEVER)
    assert batcher.take() == [(0,)]


def test_a_wide_last_row_is_a_portion_of_its_own() -> None:
    small, wide = ("x",), ("x" * 70_000,)
    assert portions([small, small, wide]) == [(2, 2), (1, 70_000)]
    assert portions([wide, small]) == [(2, 70_001)]
    assert portions([wide]) == [(1, 70_000)]
    assert portions([]) == [(0, 0)]


def test_long_cells_that_were_not_weighed_are_encoded_a_few_at_a_time() -> None:
    found = portions([(1,)] * 16 + [(WIDE,)] * 16)
    assert found[0] == (16, 0)
    assert found[1:] == [(1, len(WIDE))] * (len(found) - 1)
    assert len(found) < 12


@given(st.lists(st.integers(0, MOST_CHARACTERS * 2)))
def test_spans_have_as_much_text_as_a_batch_may_have(weights: list[int]) -> None:
    found = [weights[start:stop] for start, stop in spans(weights)]
    assert [each for span in found for each in span] == weights
    assert all(len(span) == 1 or sum(span) <= MOST_CHARACTERS for span in found if span)


def test_an_endless_source_is_pulled_by_and_by() -> None:
    assert [len(batch) for batch in islice(batches(repeat((1,))), 6)] == [
        32,
        64,
        128,
        256,
        512,
        512,
    ]


Named = namedtuple("Named", "a b")  # noqa: PYI024 - of any cells


class Counted(tuple[Any, ...]):
    """A row whose cells are not those of the tuple that it is."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Any]:
        return iter(["x" * 150])

    def __getitem__(self, at: Any) -> Any:
        return "x" * 150


class Text(str):
    __slots__ = ()

    def __len__(self) -> int:
        raise Broken


class Nested(list[Any]):
    def __len__(self) -> int:
        raise Broken


def as_tuple(*cells: Any) -> Any:
    return cells


def as_list(*cells: Any) -> Any:
    return [*cells]


def as_dict(*cells: Any) -> Any:
    return dict(zip("ab", cells, strict=True))


def as_ordered_dict(*cells: Any) -> Any:
    return OrderedDict(as_dict(*cells))


def as_object(*cells: Any) -> Any:
    return SimpleNamespace(**as_dict(*cells))


def as_counted(*cells: Any) -> Any:
    return Counted(cells)


@dataclass(slots=True)
class Slotted:
    a: Any
    b: Any


# By the kernel.
weighed: list[Any] = [as_tuple, as_list, as_dict, Named, as_ordered_dict, as_object, Slotted]
shapes: list[Any] = [*weighed, as_counted]
cells = st.one_of(
    st.integers(0, 300).map("x".__mul__),
    st.integers(0, 300).map("\U0001f600".__mul__),
    st.integers(0, 300).map(b"x".__mul__),
    st.integers(0, 300).map(lambda digits: 10**digits),
    st.integers(0, 300).map(lambda digits: Decimal("1" * (digits + 1))),
    st.integers(0, 300).map(lambda length: {"a": ["x" * length]}),
    st.sampled_from([None, True, 1, 1.5, date(2024, 5, 6), UUID(int=5), Colour.RED, object()]),
    st.builds(Text, st.text(max_size=300)),
)


def rows_of(shapes: list[Any]) -> st.SearchStrategy[Any]:
    return st.builds(lambda shape, a, b: shape(a, b), st.sampled_from(shapes), cells, cells)


@given(st.sampled_from([weighed, shapes]).map(rows_of).flatmap(partial(st.lists, max_size=50)))
def test_rows_of_any_kind_come_once_and_in_order(path: str, rows: list[Any]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batching, "MOST_CHARACTERS", 300)
        pulled = list(batches(rows))
    assert [id(row) for batch in pulled for row in batch] == [id(row) for row in rows]
    if path == "kernel" and rows and type(rows[0]) is not Counted:
        assert all(sum(map(Sizer().row, batch[:-1])) <= 300 for batch in pulled)


@pytest.mark.parametrize("shape", weighed)
def test_the_kernel_sees_a_long_cell_among_short_ones(path: str, shape: Any) -> None:
    for cell in (WIDE, WIDE.encode(), {"a": [WIDE]}, Text(WIDE), 7 ** len(WIDE), bytearray(10**6)):
        found = sizes([shape(1, 2)] * 40 + [shape(cell, 2)] + [shape(1, 2)] * 4)
        assert sum(found) == 45
        assert path == "pure" or found == [32, 9, 4]


@pytest.mark.parametrize(("hostile", "value"), [(Text, "x"), (Nested, [1])])
@pytest.mark.parametrize("at", [0, 1, 20])
def test_a_cell_that_cannot_be_weighed_is_written_all_the_same(
    hostile: Any, value: Any, at: int
) -> None:
    rows: list[Any] = [(1,)] * 30
    rows[at] = (hostile(value),)
    expected = [b"1"] * 30
    expected[at] = str(value).encode()
    assert b"".join(sw.encode(rows)).split() == expected


def test_a_row_that_cannot_be_weighed_is_read_all_the_same() -> None:
    class Row(tuple[Any, ...]):
        __slots__ = ()

        def __iter__(self) -> Iterator[Any]:
            raise Broken

    assert sizes([(1,), Row((1,))]) == sizes([Row((1,)), (1,)]) == [2]


@pytest.mark.parametrize("make", [list, dict])
def test_a_row_may_change_while_it_is_weighed(make: Any) -> None:
    class Clearing:
        @property
        def nbytes(self) -> int:
            row.clear()
            gc.collect()
            return 10**9

    row: Any = [1, Clearing(), "x" * 99, Clearing()]
    if make is dict:
        row = dict(enumerate(row))
    assert sum(sizes([make(), *[row] * 20])) == 21
    assert not row


def test_a_stop_ends_the_pull_with_the_next_row() -> None:
    def rows() -> Iterator[Any]:
        yield (1,)
        yield (2,)
        batcher.stop()
        yield (3,)
        yield (4,)

    batcher = RowBatcher(rows())
    batcher.pull(NEVER)
    assert batcher.take() == [(1,), (2,), (3,)]
    assert not batcher.ended
    batcher.pull(NEVER)
    assert batcher.take() == [(4,)]


@pytest.mark.parametrize("error", [KeyboardInterrupt, StopAsyncIteration, MemoryError])
@pytest.mark.parametrize("before", [0, 1, 40])
def test_any_error_of_the_source_comes_through(error: type[BaseException], before: int) -> None:
    def rows() -> Iterator[Any]:
        yield from [(1,)] * before
        raise error

    batcher = RowBatcher(rows())
    if before > FIRST_ROWS:
        batcher.pull(NEVER)
    with pytest.raises(error):
        batcher.pull(NEVER)
    assert batcher.take() == [(1,)] * before


def test_pending_rows_may_be_taken_while_others_are_pulled() -> None:
    def rows() -> Iterator[Any]:
        for at in range(2000):
            if at % 7 == 0:
                taken.extend(batcher.take())
            yield (at, "x" * (at % 50))

    taken = list[Any]()
    batcher = RowBatcher(rows())
    while not batcher.ended:
        batcher.pull(NEVER)
    assert [row[0] for row in taken + batcher.take()] == [*range(2000)]


def alive(type_: type) -> list[Any]:
    return [each for each in gc.get_objects() if type(each) is type_]


@pytest.mark.parametrize("shape", weighed)
def test_rows_are_held_by_nobody_once_they_are_taken(shape: Any) -> None:
    def rows() -> Iterator[Any]:
        for at in range(3000):
            yield shape(cell, text) if at % 2 else shape(number, Nested())

    cell, text, number = Told("abc"), "x" * 1000, 10**1000
    before = [sys.getrefcount(each) for each in (cell, text, number)]
    nested = len(alive(Nested))
    batcher = RowBatcher(rows())
    while not batcher.ended:
        batcher.pull(NEVER)
        batcher.take()
    del batcher
    gc.collect()
    assert len(alive(Nested)) == nested
    assert [sys.getrefcount(each) for each in (cell, text, number)] == before
