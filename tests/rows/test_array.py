"""Structured arrays of NumPy know the names of their fields."""

from typing import Any

import pytest

import streamware as sw
from readers import csv_rows

np = pytest.importorskip("numpy", reason="skipped: needs numpy")

TYPE = [("id", "i4"), ("at", "M8[s]"), ("name", "U5"), ("pair", "f4", 2), ("any", "O")]
EXPECTED = [
    ["id", "at", "name", "pair", "any"],
    ["1", "2024-05-06T07:08:09", "Ann", "[0.5,1.0]", "[1]"],
    ["2", "", "", "[0.0,0.0]", ""],
]


def array() -> Any:
    rows = [(1, "2024-05-06T07:08:09", "Ann", (0.5, 1), [1]), (2, "NaT", "", (0, 0), None)]
    return np.array(rows, dtype=TYPE)


def table(rows: Any, **options: Any) -> list[list[str]]:
    return csv_rows(b"".join(sw.encode(rows, "csv", **options)))


@pytest.mark.parametrize(
    "rows",
    [array, lambda: array().view(np.recarray), lambda: list(array()), lambda: iter(array())],
    ids=["array", "recarray", "records", "an iterator of records"],
)
def test_the_fields_are_the_columns(rows: Any) -> None:
    assert table(rows()) == EXPECTED
    assert table(rows(), columns=["name"]) == [["name"], ["Ann"], [""]]


def test_an_empty_one_has_its_header() -> None:
    assert table(array()[:0]) == EXPECTED[:1]


def test_what_is_masked_is_empty() -> None:
    masked = np.ma.array([(1, 2.5)], mask=[(0, 1)], dtype=[("a", int), ("b", float)])
    assert table(masked) == table(iter(masked)) == [["a", "b"], ["1", ""]]
    assert table(np.ma.array([[1, 2]], mask=[[0, 1]])) == [["1", ""]]


def test_a_long_one_is_read_to_its_end() -> None:
    rows = table(np.array([(at,) for at in range(5000)], dtype=[("a", int)]))
    assert [int(row[0]) for row in rows[1:]] == list(range(5000))


def test_an_array_of_single_values_is_an_error() -> None:
    with pytest.raises(sw.EncodeError, match=r"not int64; for one column pass \[\(value,\) for"):
        table(np.array([1]))
