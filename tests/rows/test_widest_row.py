"""Memory is that of the widest row, whatever makes it wide, from whichever row on."""

import asyncio
import sys
import tracemalloc
from collections import UserDict
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from pathlib import PurePosixPath
from types import SimpleNamespace
from typing import Any

import pytest

import streamware as sw

LENGTH = 200_000
ROWS, FIRST_WIDE = 120, 60
FIRST = [pytest.param(0, marks=pytest.mark.slow), FIRST_WIDE]  # of the rows that are wide
MOST = 8 * 2**20


class Text(str):
    __slots__ = ()


class Lying(str):
    __slots__ = ()

    def __len__(self) -> int:
        return 1

    def __bool__(self) -> bool:
        return False


class Level(Enum):
    LOW = "low"
    HIGH = "x" * LENGTH


class Lazy:
    def __str__(self) -> str:
        return text(7)


class Made:
    """A row whose cell is made when it is asked for."""

    def __init__(self, a: int, b: object) -> None:
        self.a, self._b = a, b

    @property
    def b(self) -> object:
        return text(self.a) if self._b else "a"


class Stored:
    """A row whose cells are properties of what it keeps, as peewee's models do."""

    def __init__(self, a: int, b: object) -> None:
        self.__data__ = {"a": a, "b": b}

    a = property(lambda self: self.__data__["a"])
    b = property(lambda self: self.__data__["b"])


@dataclass
class Row:
    a: int
    b: object


@dataclass(slots=True)
class Slotted:
    a: int
    b: object


def text(at: int) -> str:
    return f"{at:07}" + "x" * (LENGTH - 7)


# The wide cell of a row, and the cell of the rows before.
CELLS: dict[str, tuple[Callable[[int], object], object]] = {
    "text": (text, "a"),
    "text after numbers": (text, 1),
    "text after nothing": (text, None),
    "text of a subclass": (lambda at: Text(text(at)), Text("a")),
    "of a subclass after numbers": (lambda at: Text(text(at)), 1),
    "text and numbers in turn": (lambda at: text(at) if at % 2 else at, 1),
    "numbers and texts in turn": (lambda at: at if at % 2 else Text(text(at)), 1.5),
    "every third": (lambda at: text(at) if at % 3 == 1 else None, None),
    "with another length": (lambda at: Lying(text(at)), Lying("a")),
    "with another length after nothing": (lambda at: Lying(text(at)), None),
    "path": (lambda at: PurePosixPath(text(at)), PurePosixPath("a")),
    "bytes": (lambda at: text(at).encode(), b"a"),
    "bytearray": (lambda at: bytearray(LENGTH), bytearray(1)),
    "memoryview": (lambda at: memoryview(text(at).encode()), memoryview(b"a")),
    "cell": (lambda at: sw.Cell(Text(text(at))), sw.Cell(1)),
    "styled": (lambda at: sw.Cell(text(at), style=sw.Style(bold=True)), 1),
    "cached": (lambda at: sw.Formula("A1", cached=text(at)), sw.Formula("A1")),
    "list": (lambda at: [text(at)], []),
    "deep": (lambda at: [[[[[[text(at)]]]]]], None),
    "dict": (lambda at: {"a": {"b": {"c": {"d": Text(text(at))}}}}, 1),
    "mapping": (lambda at: UserDict(a=text(at)), {}),
    "records": (lambda at: [Slotted(at, Row(at, text(at)))], None),
    "decimal": (lambda at: Decimal("1" * LENGTH), Decimal(1)),
    "enum": (lambda at: Level.HIGH, Level.LOW),
    "object": (lambda at: Lazy(), 1),
}
SHAPES: dict[str, Callable[[int, object], Any]] = {
    "tuples": lambda a, b: (a, b),
    "lists": lambda a, b: [a, b],
    "dicts": lambda a, b: {"a": a, "b": b},
    "mappings": lambda a, b: UserDict(a=a, b=b),
    "objects": lambda a, b: SimpleNamespace(a=a, b=b),
    "dataclasses": Row,
    "slots": Slotted,
    "stored": Stored,
    "properties": lambda a, b: Made(a, len(str(b)) > 1),
}
FORMS = ("csv", "json", "ndjson", "xml", "xlsx", "ods")
COLUMNS = (sw.Column("a"), sw.Column("b"))


def rows(
    cell: Callable[[int], object],
    before: object,
    first: int,
    shape: Callable[[int, object], Any] = SHAPES["tuples"],
) -> Iterator[Any]:
    for at in range(ROWS):
        yield shape(at, cell(at) if at >= first else before)


def peak(given: Iterator[Any], form: str = "csv", **options: Any) -> int:
    """The most bytes that were in use while it was encoded."""
    options = {
        "columns": COLUMNS,
        "values": sw.Values(other="str", long_text="cut"),
        **options,
    }
    for _ in sw.encode([(1, 2)], form, columns=COLUMNS):  # what is made only once
        pass
    tracemalloc.start()
    try:
        size = sum(map(len, sw.encode(given, form, **options)))
        assert size > 100
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize("name", CELLS)
def test_memory_is_bounded_whatever_the_type_of_a_cell(name: str, first: int) -> None:
    if name == "path" and sys.version_info[:2] == (3, 12):
        pytest.skip("str() of a path interns its parts, which CPython 3.12 keeps for ever")
    assert peak(rows(*CELLS[name], first)) < MOST


@pytest.mark.parametrize("first", FIRST)
def test_memory_is_bounded_for_lazy_translations(first: int) -> None:
    functional = pytest.importorskip("django.utils.functional", reason="needs django")
    made = functional.lazy(text, str)
    assert peak(rows(made, 1, first), values=sw.Values()) < MOST


@pytest.mark.parametrize("first", FIRST)
def test_memory_is_bounded_for_arrays_of_objects(first: int) -> None:
    numpy = pytest.importorskip("numpy", reason="needs numpy")
    made = rows(lambda at: numpy.array([text(at)], dtype=object), 1, first)
    assert peak(made) < MOST


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["of a subclass after numbers", "cell"])
def test_memory_is_bounded_in_every_format(name: str, form: str) -> None:
    assert peak(rows(*CELLS[name], FIRST_WIDE), form) < MOST


@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize("shape", SHAPES)
def test_memory_is_bounded_whatever_the_shape_of_a_row(shape: str, first: int) -> None:
    made = rows(lambda at: Text(text(at)), 1, first, SHAPES[shape])
    assert peak(made) < MOST


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("first", FIRST)
def test_what_a_conversion_makes_is_bounded(first: int, form: str) -> None:
    columns = [
        sw.Column(0, "a", convert=lambda at: Text(text(at)) if at >= first else at),
        sw.Column(lambda row: text(row[0]) if row[0] >= first else None, "b"),
    ]
    assert peak(((at, 1) for at in range(ROWS)), form, columns=columns) < MOST


def test_cells_of_no_column_are_bounded() -> None:
    given = rows(lambda at: Text(text(at)), 1, FIRST_WIDE)
    assert peak(given, columns=[sw.Column(0, "a")]) < MOST


@pytest.mark.parametrize("tagged", [False, True])
@pytest.mark.parametrize("form", ["xlsx"])
def test_rows_of_several_sheets_are_bounded(form: str, tagged: bool) -> None:
    given = rows(lambda at: Text(text(at)), 1, FIRST_WIDE)
    if tagged:
        assert peak((sw.Tagged(f"{row[0] % 7}", row) for row in given), form) < MOST
    else:
        assert peak(given, form, sheet_by=lambda row: f"{row[0] % 7}") < MOST


@pytest.mark.slow
@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize("name", ["of a subclass after numbers", "deep", "object"])
def test_asynchronous_rows_are_bounded(name: str, first: int) -> None:
    async def source() -> AsyncIterator[Any]:
        for row in rows(*CELLS[name], first):
            yield row

    async def run() -> int:
        tracemalloc.start()
        try:
            values = sw.Values(other="str")
            async for _ in sw.aencode(source, "csv", columns=COLUMNS, values=values):
                pass
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert asyncio.run(run()) < MOST


@pytest.mark.slow
@pytest.mark.parametrize("type_", ["string", "large_string", "string_view", "dictionary", "list"])
def test_rows_of_arrow_are_bounded(type_: str) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="needs pyarrow")
    texts = ["a"] * FIRST_WIDE + ["x" * LENGTH] * (ROWS - FIRST_WIDE)
    if type_ == "dictionary":
        column = pyarrow.array(texts).dictionary_encode()
    elif type_ == "list":
        column = pyarrow.array([[each] for each in texts])
    else:
        column = pyarrow.array(texts, getattr(pyarrow, type_)())
    table = pyarrow.table({"a": range(ROWS), "b": column})
    assert peak(table, columns=["a", "b"]) < MOST
