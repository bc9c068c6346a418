"""JSON and NDJSON, as the json module of the standard library reads them."""

import json
import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamware as sw
from drive import XML_TEXT, column, document
from readers import csv_rows, json_rows, ndjson_rows

ROW = {"name": 'Zoë "Z"', "price": 1.5, "paid": True, "day": date(2024, 5, 6), "note": None}
LINE = '{"name":"Zoë \\"Z\\"","price":1.5,"paid":true,"day":"2024-05-06","note":null}'


def text(rows: Any, form: str, **options: Any) -> str:
    return document(rows, form, **options).data.decode()


# What is written


@pytest.mark.parametrize(
    ("form", "count", "expected"),
    [
        ("json", 0, "[\n]\n"),
        ("json", 1, f"[\n{LINE}\n]\n"),
        ("json", 2, f"[\n{LINE},\n{LINE}\n]\n"),
        ("ndjson", 0, ""),
        ("ndjson", 1, f"{LINE}\n"),
        ("ndjson", 2, f"{LINE}\n{LINE}\n"),
    ],
)
def test_json_is_an_array_and_ndjson_an_object_per_line(
    form: str, count: int, expected: str
) -> None:
    assert text([ROW] * count, form) == expected


def test_many_rows_are_one_array() -> None:
    assert json_rows(document([{"a": at} for at in range(5000)], "json").data) == [
        {"a": at} for at in range(5000)
    ]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["x", None], '"x" null'),
        ([1, None], "1 null"),
        ([None, None], "null null"),
        (["x", 1, True, None, [1]], '"x" 1 true null [1]'),
        ([[1], {}], "[1] {}"),
        ([[1], None], "[1] null"),
        ([True, None], "true null"),
        ([Decimal("1E+3"), Decimal("-0.10")], "1E+3 -0.10"),
        ([""], '""'),
    ],
)
def test_each_kind_has_its_form(cells: list[Any], expected: str) -> None:
    lines = column(cells, "ndjson").data.decode().splitlines()
    assert " ".join(line[len('{"a":') : -1] for line in lines) == expected


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ('"', '"\\""'),
        ("\\", '"\\\\"'),
        ("\\n", '"\\\\n"'),
        ("\n\r\t", '"\\n\\r\\t"'),
        ("/", '"/"'),
        ("\x7f\u2028é😀", '"\x7f\u2028é😀"'),
    ],
)
def test_only_what_json_requires_is_escaped(cell: str, expected: str) -> None:
    assert column([cell], "ndjson").data.decode() == f'{{"a":{expected}}}\n'


# Keys


def test_columns_of_the_same_title_have_different_keys() -> None:
    columns = [
        sw.Column(at, title) for at, title in enumerate(["a", "a", "a_2", "\ufffd", "\ud800"])
    ]
    (row,) = json_rows(document([(1, 2, 3, 4, 5)], "json", columns=columns).data)
    assert row == {"a": 1, "a_3": 2, "a_2": 3, "\ufffd": 4, "\ufffd_2": 5}


def test_columns_without_titles_are_numbered() -> None:
    assert json_rows(document([(1, 2)], "json").data) == [{"column1": 1, "column2": 2}]


@given(st.lists(st.text(st.characters(codec="utf-8")), min_size=1, max_size=5, unique=True))
def test_any_title_is_a_key(titles: list[str]) -> None:
    columns = [sw.Column(at, title) for at, title in enumerate(titles)]
    (row,) = json_rows(document([tuple(range(len(titles)))], "json", columns=columns).data)
    assert row == {title: at for at, title in enumerate(titles)}


# What comes out is what went in


@given(st.lists(st.tuples(XML_TEXT, st.none() | XML_TEXT)))
def test_text_survives(rows: list[Any]) -> None:
    expected = [{"a": a, "b": b} for a, b in rows]
    assert json_rows(document(rows, "json", columns=["a", "b"]).data) == expected
    assert ndjson_rows(document(rows, "ndjson", columns=["a", "b"]).data) == expected


def paired(text: str) -> str:
    """Two surrogates beside each other are the one character that they are in JSON; one is lost."""
    joined = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    return re.sub("[\ud800-\udfff]", "\ufffd", joined)


@given(st.lists(st.text(st.characters())))
def test_any_escaped_text_survives(cells: list[str]) -> None:
    found = json_rows(column(cells, "json", forbidden="escape").data)
    assert [row["a"] for row in found] == [paired(cell) for cell in cells]


SCALARS = st.none() | st.booleans() | st.integers() | XML_TEXT
FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.integers() | FINITE | st.booleans() | st.none()))
def test_numbers_survive(cells: list[Any]) -> None:
    found = [row["a"] for row in json_rows(column(cells, "json").data)]
    assert [(cell, type(cell)) for cell in found] == [(cell, type(cell)) for cell in cells]


@pytest.mark.slow
@given(st.lists(st.decimals(allow_nan=False, allow_infinity=False)))
def test_decimals_keep_their_digits(cells: list[Decimal]) -> None:
    data = column(cells, "json").data
    found = json.loads(data, parse_float=Decimal, parse_int=Decimal)
    assert [row["a"].as_tuple() for row in found] == [cell.as_tuple() for cell in cells]


@given(st.lists(st.tuples(st.dates(), st.datetimes())))
def test_dates_survive(rows: list[Any]) -> None:
    found = json_rows(document(rows, "json", columns=["a", "b"]).data)
    days = [date.fromisoformat(row["a"]) for row in found]
    moments = [datetime.fromisoformat(row["b"]) for row in found]
    assert list(zip(days, moments, strict=True)) == rows


@pytest.mark.slow
@given(
    st.recursive(
        st.lists(SCALARS | FINITE) | st.dictionaries(XML_TEXT, SCALARS),
        lambda inner: st.lists(inner | SCALARS) | st.dictionaries(XML_TEXT, inner),
        max_leaves=8,
    )
)
def test_nested_values_survive(value: object) -> None:
    assert json_rows(column([value], "json").data) == [{"a": value}]
    assert json.loads(csv_rows(column([value]).data)[1][0]) == value


def test_an_array_that_was_cut_is_not_valid() -> None:
    data = document([ROW] * 2, "json").data
    for end in range(len(data) - 2):
        with pytest.raises(ValueError, match=r"line|decode"):
            json.loads(data[:end])


@pytest.mark.parametrize(
    "value",
    [
        {";=": []},
        ["a;=1+1;b", "x\n=cmd|' /C calc'!A0"],
        ["a\\;-x(1)", "\t@x"],
        {"a;": -1, "b": "\uff1d1;\uff1d2"},
    ],
)
def test_nested_values_in_csv_are_harmless_and_the_same(value: object) -> None:
    made = column([value])
    cell = csv_rows(made.data)[1][0]
    assert json.loads(cell) == value
    for delimiter in ",;\t|":
        pieces = re.split(f"[{re.escape(delimiter)}\r\n]", cell)
        assert not [piece for piece in pieces if re.match('[ "]*[=@\uff1d+]|[ "]*-[^0-9]', piece)]
