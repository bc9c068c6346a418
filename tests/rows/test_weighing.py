"""How much text rows hold, whatever the types of their cells."""

import sqlite3
from collections import UserDict, defaultdict, deque, namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from itertools import accumulate, chain, groupby
from pathlib import PurePosixPath
from types import MappingProxyType, SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

import streamware as sw
from streamware.model.columns import WIDE
from streamware.rows.weighing import GAPS, MOST_CHARACTERS, RowWeigher, Sizer

LONG = "x" * 5000


class Text(str):
    __slots__ = ()


class Lying(str):
    __slots__ = ()

    def __len__(self) -> int:
        return 0


class Doubtful(Text):
    __slots__ = ()

    def __bool__(self) -> bool:
        return False


class LyingBytes(bytes):
    def __len__(self) -> int:
        return 1


class Level(Enum):
    HIGH = LONG


class Told:
    def __str__(self) -> str:
        return LONG


class Broken:
    def __str__(self) -> str:
        raise OSError


def size(cell: object) -> int:
    return Sizer()(cell)


def weight(row: object) -> int:
    return Sizer().row(row)


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
        pytest.param(defaultdict(str, a="abc"), id="defaultdict"),
        pytest.param(MappingProxyType({"a": "abc", "b": 1}), id="mapping"),
        pytest.param((bytearray(2), Text("x")), id="text of other kinds"),
        pytest.param(SimpleNamespace(a="abc", b=1), id="object"),
        pytest.param(Slotted("abc", 1), id="slots"),
        pytest.param(type("Row", (), {"__slots__": "a"})(), id="one slot, unset"),
    ],
)
def test_the_text_of_a_row_counts(row: Any) -> None:
    assert weight(row) == (3 if type(row).__name__ != "Row" else 0)


def test_the_text_of_a_row_of_sqlite_counts() -> None:
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    row = connection.execute("select 'abc', 1, null").fetchone()
    connection.close()
    assert weight(row) == 3


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param(LONG, id="text"),
        pytest.param(Text(LONG), id="of a subclass"),
        pytest.param(Lying(LONG), id="with another length"),
        pytest.param(LONG.encode(), id="bytes"),
        pytest.param(LyingBytes(LONG.encode()), id="bytes with another length"),
        pytest.param(PurePosixPath(LONG), id="path"),
        pytest.param([PurePosixPath(LONG)], id="path in a list"),
        pytest.param(bytearray(5000), id="bytearray"),
        pytest.param(memoryview(bytes(5000)), id="memoryview"),
        pytest.param(Level.HIGH, id="enum"),
        pytest.param(sw.Cell(Text(LONG)), id="cell"),
        pytest.param(sw.Cell(1, note=LONG), id="note"),
        pytest.param(sw.Cell(1, url=LONG), id="link"),
        pytest.param(sw.Formula(LONG), id="formula"),
        pytest.param(sw.Formula("A1", cached=Text(LONG)), id="cached value"),
        pytest.param(sw.Cell(sw.Formula("A1", cached=LONG)), id="formula in a cell"),
        pytest.param([LONG], id="list"),
        pytest.param([Lying(LONG)], id="list with another length"),
        pytest.param([[[[[[Text(LONG)]]]]]], id="deep"),
        pytest.param({LONG: 1}, id="key"),
        pytest.param({"a": {"b": {"c": {"d": Level.HIGH}}}}, id="dict"),
        pytest.param(UserDict(a=LONG), id="mapping"),
        pytest.param([sw.Cell(LONG)], id="cell in a list"),
        pytest.param({LONG}, id="set"),
        pytest.param(SimpleNamespace(a=LONG), id="object"),
        pytest.param(10**5000, id="int"),
        pytest.param(Decimal("1" * 5000), id="decimal"),
        pytest.param([Decimal("1" * 5000)], id="decimal in a list"),
    ],
)
def test_the_length_of_a_cell_is_seen(cell: object) -> None:
    assert 0.9 * len(LONG) < size(cell) < 1.5 * len(LONG)
    assert Sizer().column([cell, None, cell]) == 2 * size(cell)


@pytest.mark.parametrize(
    "cell",
    [
        *(None, True, 1, 2**60, 1.5, Decimal("1.10"), Fraction(1, 3), UUID(int=1), 1j),
        *(date(2024, 1, 1), datetime.now(UTC), sw.Cell(1), object(), [], {}, (), Broken()),
    ],
)
def test_an_ordinary_cell_weighs_nothing(cell: object) -> None:
    assert size(cell) == 0
    assert Sizer().column([cell]) == 0


def test_an_object_weighs_its_text_if_it_will_be_written() -> None:
    assert size(Told()) == 0
    assert Sizer(spelled=lambda _: True)(Told()) == len(LONG)
    assert Sizer(spelled=lambda _: True)(Broken()) == 0


def test_numpy_scalars_and_arrays_weigh_their_bytes() -> None:
    numpy = pytest.importorskip("numpy")
    assert size(numpy.str_(LONG)) == len(LONG)
    assert size(numpy.zeros(5000, dtype="u1")) == 5000
    texts = numpy.array([LONG], dtype=object)
    assert len(LONG) <= size(texts) == size([texts]) - 8 < 1.1 * len(LONG)
    assert size(numpy.float64(1)) == size(numpy.int64(1)) == 0


def test_what_is_nested_counts_with_all_its_text() -> None:
    assert weight((["abc", 1],)) == 2 * 8 + 3
    assert weight(({"a": ("bc", None)},)) == 1 * 8 + 1 + 2 * 8 + 2
    assert weight(([[[["abc"]]]],)) == 4 * 8 + 3


def test_what_is_nested_in_itself_is_not_counted_for_ever() -> None:
    endless: list[object] = []
    endless.append(endless)
    many: list[object] = []
    many.extend([many] * 150)
    for cell in (endless, many, [[0] * 10**6] * 10**6):
        assert MOST_CHARACTERS <= size(cell) < 10 * 10**6


def test_cells_within_each_other_are_not_looked_into_for_ever() -> None:
    cell = sw.Cell("x")
    for _ in range(100_000):
        cell = sw.Cell(cell)
    assert weight((cell,)) == 0


def test_an_attribute_that_is_made_is_not_called() -> None:
    class Row:
        def __init__(self) -> None:
            self.a, self._state = "abc", object()

        @property
        def made(self) -> str:
            raise AssertionError

    assert weight(Row()) == 3


def test_a_private_attribute_from_which_a_property_may_be_made_counts() -> None:
    class Model:
        def __init__(self) -> None:
            self.__data__ = {"a": LONG}
            self._text = LONG

    assert 2 * len(LONG) <= weight(Model()) <= 2.1 * len(LONG)


# Which cells of rows count

Pair = namedtuple("Pair", "a b")  # noqa: PYI024 - it has no types
SHAPES: dict[str, Callable[[Any, Any], Any]] = {
    "tuple": lambda a, b: (a, b),
    "list": lambda a, b: [a, b],
    "namedtuple": Pair,
    "dict": lambda a, b: {"a": a, "b": b},
    "defaultdict": lambda a, b: defaultdict(str, a=a, b=b),
    "mapping": lambda a, b: UserDict(a=a, b=b),
    "object": lambda a, b: SimpleNamespace(a=a, b=b),
    "slots": Slotted,
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))
@pytest.mark.parametrize(
    "cell",
    [LONG, Text(LONG), Lying(LONG), Doubtful(LONG), [LONG], sw.Cell(LONG), 10**5000],
    ids=["text", "of a subclass", "with another length", "false", "list", "cell", "number"],
)
def test_a_long_cell_counts_once_it_was_seen(shape: Callable[..., Any], cell: Any) -> None:
    weigher = RowWeigher(Sizer())
    assert not weigher.look(shape(1, 1.5))
    assert weigher.weigh(shape(1, cell)) == 0
    assert weigher.look(shape(2, cell))
    assert not weigher.look(shape(3, cell))
    assert size(cell) <= weigher.weigh(shape(4, cell)) <= 1.2 * size(cell) + 100 or cell == 10**5000
    assert weigher.weigh(shape(5, None)) == weigher.weigh(shape(5, 1)) == 0


@pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))
def test_a_long_text_counts_at_once_where_there_was_nothing(shape: Callable[..., Any]) -> None:
    weigher = RowWeigher(Sizer())
    for at in range(3):
        assert not weigher.look(shape(at, None))
        assert weigher.weigh(shape(at, None)) == 0
    assert weigher.weigh(shape(3, LONG)) >= len(LONG)
    weigher.look(shape(4, 1.5))
    assert weigher.weigh(shape(5, 2.5)) == 0


@pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))
def test_a_column_of_texts_and_other_types_counts_exactly(shape: Callable[..., Any]) -> None:
    weigher = RowWeigher(Sizer())
    weigher.look(shape("a", 1))
    for cell in (1, [LONG], None, Text(LONG), sw.Cell(LONG), 2.5, "a"):
        weigher.look(shape(cell, 1))
        assert weigher.weigh(shape(cell, 1)) == pytest.approx(size(cell), abs=30)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))
def test_texts_among_numbers_count_exactly_and_a_long_number_once_it_was_seen(
    shape: Callable[..., Any],
) -> None:
    weigher = RowWeigher(Sizer())
    for at in range(4):
        weigher.look(shape(at, "ab") if at % 2 else shape("ab", 1.5))
    assert weigher.weigh(shape(LONG, None)) == weigher.weigh(shape(7, Text(LONG))) == len(LONG)
    assert weigher.weigh(shape(LONG, LONG)) == 2 * len(LONG)
    long = shape(1, Decimal("1" * 5000))
    while not weigher.weigh(long):
        weigher.look(long)
    assert size(Decimal("1" * 5000)) == weigher.weigh(long)
    assert weigher.weigh(shape("ab", "abc")) == 5


@pytest.mark.parametrize("type_", [tuple, list])
def test_rows_of_nothing_but_texts_count_exactly(type_: Callable[..., Any]) -> None:
    weigher = RowWeigher(Sizer())
    assert weigher.look(type_(["a", Text("b")]))
    assert weigher.weigh(type_([LONG, Lying(LONG)])) == 2 * len(LONG)
    for row in ([LONG, None], [LONG, 1.5], [LONG, b"ab"], [LONG, LONG], [LONG]):
        given = type_(row)
        assert weigher.weigh(given) == sum(map(size, row))
        weigher.look(given)
        assert weigher.weigh({"a": LONG}) == weigher.weigh(SimpleNamespace(a=LONG)) == len(LONG)


@pytest.mark.parametrize("type_", [tuple, list])
def test_very_wide_rows_count_exactly_wherever_their_texts_are(type_: Callable[..., Any]) -> None:
    weigher = RowWeigher(Sizer())
    assert not weigher.look(type_(range(WIDE + 1)))
    assert weigher.weigh(type_(["ab"] * (WIDE + 1))) == 0
    assert weigher.look(type_(["ab", *range(WIDE)]))
    for cells in ([None, 1.5, "abc", Text(LONG)], ["a"] * 4, [1] * 4, [b"ab", True, None, LONG]):
        row = type_(cells * WIDE)
        assert weigher.weigh(row) == sum(map(size, row))
        assert not weigher.look(row)
    assert not any([weigher.texts, weigher.mixed, weigher.others])


@pytest.mark.parametrize(
    "cell",
    [[LONG], Lying(LONG), sw.Cell(LONG), Decimal("1" * 4000)],
    ids=["list", "with another length", "cell", "number"],
)
@pytest.mark.parametrize("before", ["a", 1, None, ("a", None, 1)])
def test_a_long_cell_of_any_type_counts_in_very_wide_rows(before: Any, cell: Any) -> None:
    weigher = RowWeigher(Sizer())
    common = ((before if isinstance(before, tuple) else (before,)) * WIDE)[:WIDE]
    for _ in range(3):
        weigher.look((*common, before))
    row = (*common, cell, "abc", 1)
    assert weigher.look(row) or weigher.weigh(row) >= size(cell)
    weigher.look(row)
    assert weigher.weigh(row) >= size(cell)
    for _ in range(3):
        weigher.weigh(row)
        assert not weigher.look(row)


def test_very_wide_rows_of_nothing_but_texts_may_have_other_cells_later() -> None:
    weigher = RowWeigher(Sizer())
    assert weigher.look(("a",) * (WIDE + 1))
    assert weigher.joins
    assert weigher.weigh(("abc",) * (WIDE + 1)) == 3 * (WIDE + 1)
    row = (LONG, None, *["ab"] * (WIDE - 1))
    assert weigher.weigh(row) == weigher.weigh(row) == size(LONG) + 2 * (WIDE - 1)
    assert not weigher.look(row)
    assert weigher.look([LONG] * (WIDE + 1))
    assert weigher.weigh([LONG] * (WIDE + 1)) == len(LONG) * (WIDE + 1)
    assert weigher.weigh(row) == size(LONG) + 2 * (WIDE - 1)


def test_rows_of_types_in_any_order_are_ordinary_once_each_was_seen_in_its_place() -> None:
    weigher = RowWeigher(Sizer())
    rows = [tuple("a" if at >> place & 1 else 1 for place in range(8)) for at in range(256)]
    for row in rows:
        weigher.look(row)
    assert not any(weigher.look(row) for row in rows)
    assert [weigher.weigh(row) for row in rows] == [row.count("a") for row in rows]
    assert weigher.weigh((10**5000, *"aaaaaaa")) == 7
    while not weigher.weigh((10**5000, 1, *"aaaaaa")) > len(LONG) // 2:
        weigher.look((10**5000, 1, *"aaaaaa"))


def test_looking_at_a_defaultdict_does_not_change_it() -> None:
    weigher = RowWeigher(Sizer())
    weigher.look(defaultdict(str, a="x"))
    row = defaultdict[str, str](str)
    assert weigher.weigh(row) == 0
    assert not row


def test_a_row_of_another_shape_is_weighed_whole() -> None:
    weigher = RowWeigher(Sizer())
    weigher.look({"a": "x"})
    assert weigher.weigh(("ab", "c")) == 3
    assert weigher.weigh(SimpleNamespace(b="ab")) == 2


def test_rows_that_are_watched_are_looked_at_again_and_again() -> None:
    weigher = RowWeigher(Sizer())
    found = [weigher.watch(sw.Tagged("a", row)) for row in [(1,)] * 500 + [(Text(LONG),)] * 20]
    assert sum(found[:500]) == 0
    assert found[500:].index(5000) < max(GAPS)
    assert found[-1] == 5000
    assert weigher.watch(sw.Sheet("a", [(LONG,)])) == 0


@pytest.mark.parametrize("period", range(1, 14))
def test_no_period_hides_from_the_weigher(period: int) -> None:
    looks = set(accumulate(chain([0], GAPS * 9)))
    for phase in range(period):
        seen = [at in looks for at in range(phase, max(looks), period)]
        unseen = [len(list(run)) for found, run in groupby(seen) if not found]
        assert max(unseen) <= 33


# What holds others


@dataclass
class Record:
    held: object


@dataclass(slots=True)
class Holding:
    held: object


@pytest.mark.parametrize(
    "cell",
    [
        deque([LONG]),
        {LONG: 1}.keys(),
        Record(Record(LONG)),
        Record([Holding(Record(LONG))]),
        [Holding(LONG)],
        {"a": (Record(LONG),)},
        deque([{1: Holding(LONG)}]),
    ],
)
def test_all_that_is_written_as_json_counts(cell: object) -> None:
    assert Sizer()(cell) >= len(LONG)


HOLDING: dict[str, tuple[str, Callable[[Any], object]]] = {
    "scalar of Arrow": ("pyarrow", lambda of: of.scalar(LONG)),
    "nested scalar of Arrow": ("pyarrow", lambda of: [of.scalar({"a": [LONG]})]),
    "series of Polars": ("polars", lambda of: of.Series([LONG])),
    "struct": ("msgspec", lambda of: [of.defstruct("Made", ["a"])(LONG)]),
    "class of attrs": ("attrs", lambda of: [of.make_class("Made", ["a"])(LONG)]),
    "model": ("pydantic", lambda of: [of.create_model("Made", a=str)(a=LONG)]),
    "record in a model": (
        "pydantic",
        lambda of: of.create_model("Made", a=object)(a=Record(LONG)),
    ),
    "JSON of psycopg": ("psycopg.types.json", lambda of: of.Jsonb(Record(LONG))),
    "lazy text": ("django.utils.functional", lambda of: [of.SimpleLazyObject(lambda: LONG)]),
    "lazy record": (
        "django.utils.functional",
        lambda of: of.SimpleLazyObject(lambda: Record(LONG)),
    ),
}


@pytest.mark.parametrize("name", HOLDING)
def test_so_does_what_objects_of_libraries_hold(name: str) -> None:
    library, make = HOLDING[name]
    assert Sizer()(make(pytest.importorskip(library, reason=f"needs {library}"))) >= len(LONG)


def test_what_fails_or_holds_itself_ends() -> None:
    endless = Record(None)
    endless.held = [endless]
    assert Sizer()(endless) >= MOST_CHARACTERS
    functional = pytest.importorskip("django.utils.functional", reason="needs django")
    assert Sizer()(functional.SimpleLazyObject(lambda: 1 / 0)) == 0
