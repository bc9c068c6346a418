"""An error inside the code of a row is no missing cell."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from types import SimpleNamespace
from typing import NamedTuple

import pytest

import streamware as sw

NOTHING: dict[str, object] = {}


class Order:
    """A row whose `total` fails where it has no lines."""

    def __init__(self, lines: list[int] | None, customer: object = None) -> None:
        self.lines = lines
        self.customer = customer

    @property
    def total(self) -> int:
        return len(self.lines.copy())  # type: ignore[union-attr]

    @cached_property
    def first(self) -> int:
        raise AttributeError

    @property
    def gone(self) -> int:
        raise Gone


class Gone(AttributeError):
    """As Django's RelatedObjectDoesNotExist: there is none."""


class Lazy:
    """A row that makes attributes when they are asked for."""

    __slots__ = ("empty", "lines")

    def __init__(self, lines: object) -> None:
        self.lines = lines

    def __getattr__(self, name: str) -> object:
        if name == "broken":
            return self.lines.nothing  # type: ignore[attr-defined]
        raise AttributeError(f"no {name}")


class Record(Mapping[str, object]):
    """A mapping that makes its items when they are asked for."""

    def __init__(self, **made: Callable[[], object]) -> None:
        self._made = made

    def __getitem__(self, key: str) -> object:
        return self._made[key.lower()]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)


class Own(dict[str, object]):
    def __getitem__(self, key: str) -> object:
        return NOTHING["nothing"] if super().__getitem__(key) == "raise" else 1


class Sale(NamedTuple):
    customer: object
    id: int


def failing() -> object:
    return NOTHING["nothing"]


@pytest.mark.parametrize(
    ("good", "bad", "key", "error"),
    [
        (Order([]), Order(None), "total", "AttributeError"),
        (SimpleNamespace(first=1), Order([]), "first", "AttributeError"),
        (SimpleNamespace(broken=1), Lazy(None), "broken", "AttributeError"),
        (
            SimpleNamespace(customer=Order([])),
            SimpleNamespace(customer=Order(None)),
            "customer.total",
            "AttributeError",
        ),
        ({"customer": Order([])}, {"customer": Order(None)}, "customer.total", "AttributeError"),
        (Record(a=int), Record(a=failing), "a", "KeyError"),
        (Own(a=1), Own(a="raise"), "a", "KeyError"),
        ({"r": Record(a=int)}, {"r": Record(a=failing)}, "r.a", "KeyError"),
    ],
    ids=["property", "cached", "getattr", "path", "path of a dict", "mapping", "dict", "nested"],
)
@pytest.mark.parametrize("place", [1, 2, 40])
def test_an_error_inside_a_row_names_row_and_column(
    good: object, bad: object, key: str, error: str, place: int
) -> None:
    rows = [good] * (place - 1) + [bad]
    with pytest.raises(sw.EncodeError, match=rf"row {place}, column {key}: .* raised {error}"):
        b"".join(sw.encode(rows, "csv", columns=[key]))


def test_an_error_inside_a_cell_of_a_tuple_names_row_and_column() -> None:
    rows = [Sale(Order([]), 1), Sale(Order(None), 2)]
    with pytest.raises(sw.EncodeError, match=r"row 2, column customer\.total: "):
        b"".join(sw.encode(rows, "csv", columns=["id", "customer.total"]))


@pytest.mark.parametrize(
    "later",
    [
        Order(None),
        Lazy(None),
        SimpleNamespace(),
        {"b": 1},
        defaultdict(failing),
        Record(b=int),
        Own(b=1),
    ],
    ids=lambda row: type(row).__name__,
)
@pytest.mark.parametrize("key", ["a", "empty", "gone", "a.b"])
def test_what_a_later_row_really_lacks_is_empty(later: object, key: str) -> None:
    first = {"a": 1, "empty": 1, "gone": 1, "a.b": 1}
    data = b"".join(sw.encode([first, later], "csv", columns=[key]))
    assert data.split(b"\r\n")[2] == b'""'


def fail_at(number: int) -> Callable[[object], object]:
    """A callable that fails for the row of that number."""
    seen: list[object] = []

    def call(row: object) -> object:
        seen.append(row)
        if len(seen) == number:
            raise ZeroDivisionError
        return row

    return call


class Share:
    """A row with a property that fails."""

    def __init__(self, of: int) -> None:
        self.of = of

    @property
    def each(self) -> float:
        return 1 / self.of


@pytest.mark.parametrize("number", [1, 8, 9, 700])
@pytest.mark.parametrize(
    ("rows", "column"),
    [
        ([(1,)] * 800, lambda number: sw.Column(fail_at(number), "Share")),
        ([{"a": 1}] * 800, lambda number: sw.Column(fail_at(number), "Share")),
        ([{"a": 1}, (1,)] * 400, lambda number: sw.Column(fail_at(number), "Share")),
        ([{"a": 1}] * 800, lambda number: sw.Column("a", "Share", convert=fail_at(number))),
        ([(1,)] * 800, lambda number: sw.Column(0, "Share", convert=fail_at(number))),
    ],
    ids=["tuples", "mappings", "mixed", "a conversion", "a conversion of tuples"],
)
def test_an_error_of_the_callers_code_has_a_note_of_its_place(
    rows: list[object], column: Callable[[int], sw.Column], number: int
) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        b"".join(sw.encode(rows, columns=[column(number)]))
    assert caught.value.__notes__ == [f"row {number}, column Share"]


@pytest.mark.parametrize("before", [0, 2])
def test_an_error_of_a_property_has_a_note_of_its_place(before: int) -> None:
    rows = [Share(1)] * before + [Share(0)]
    with pytest.raises(ZeroDivisionError) as caught:
        b"".join(sw.encode(rows, columns=["of", "each"]))
    assert caught.value.__notes__ == [f"row {before + 1}, column each"]
