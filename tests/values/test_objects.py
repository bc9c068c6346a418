"""Values of other libraries: their text, what they hold, or an error that names the cure."""

import asyncio
import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import partial
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import attrs
import msgspec
import pytest
from pydantic import AnyUrl, BaseModel, Field, HttpUrl, PostgresDsn, RootModel, SecretStr

import streamware as sw
from drive import column, document
from readers import calamine_rows, csv_rows, json_rows, ndjson_rows


def texts(value: object) -> tuple[Any, Any, Any]:
    """The value in CSV, in a workbook and in JSON."""
    in_json = json_rows(column([value], "json").data)[0]["a"]
    return (
        csv_rows(column([value], "csv").data)[1][0],
        next((row[0] for row in calamine_rows(column([value], "xlsx").data)[1:]), ""),
        in_json,
    )


def ranges() -> Iterator[tuple[Any, str]]:
    psycopg = pytest.importorskip("psycopg.types.range", reason="skipped: needs psycopg")
    several = pytest.importorskip("psycopg.types.multirange")
    yield psycopg.Range(1, 5), "[1, 5)"
    yield psycopg.Range(date(2024, 5, 6), None, "(]"), "(2024-05-06, )"
    yield psycopg.Range(empty=True), "empty"
    yield psycopg.Int4Range(None, 5, "[]"), "(, 5]"
    yield several.Multirange([psycopg.Range(1, 2), psycopg.Range(4, 5)]), "{[1, 2), [4, 5)}"
    asyncpg = pytest.importorskip("asyncpg", reason="skipped: needs asyncpg")
    yield asyncpg.Range(1, 5), "[1, 5)"
    yield asyncpg.Range(empty=True), "empty"
    yield asyncpg.BitString("101"), "101"
    dialect = pytest.importorskip("sqlalchemy.dialects.postgresql", reason="skipped: needs it")
    yield dialect.Range(1, 5), "[1, 5)"
    yield dialect.Range(empty=True), "empty"


def test_ranges_of_postgresql_are_its_texts() -> None:
    for value, expected in ranges():
        assert texts(value) == (expected, expected, expected)
        assert column([value], "csv").converted == {"text_of_object": 1}
        assert texts([value])[2] == [expected]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (HttpUrl("https://example.com/?a=1"), "https://example.com/?a=1"),
        (AnyUrl("redis://host:1"), "redis://host:1"),
        (PostgresDsn("postgres://host/db"), "postgres://host/db"),
        (SecretStr("hunter2"), "**********"),
        (ZoneInfo("Europe/Berlin"), "Europe/Berlin"),
    ],
    ids=str,
)
def test_addresses_and_secrets_are_their_texts(value: object, expected: str) -> None:
    assert texts(value) == (expected, expected, expected)
    assert texts({"a": value})[2] == {"a": expected}


class Money:
    """As that of `moneyed`, which django-money uses."""

    def __str__(self) -> str:
        return "€10.00"


Money.__module__ = "moneyed.classes"


class Shape:
    """As a geometry of GEOS or Shapely."""

    wkt = "POINT (1 2)"


def test_a_class_is_recognised_by_its_library() -> None:
    assert texts(Money())[0] == "€10.00"


@dataclass
class Line:
    number: int
    price: Decimal
    tags: set[str] = field(default_factory=set)


@attrs.define
class Attrs:
    number: int


class Struct(msgspec.Struct, rename="camel"):
    line_number: int
    other: int | msgspec.UnsetType = msgspec.UNSET


class Model(BaseModel):
    number: int = Field(serialization_alias="No")
    secret: SecretStr = SecretStr("x")
    line: Line | None = None


class Pair(NamedTuple):
    a: int
    b: int


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset({"b", "a"}), ["a", "b"]),
        ({"k": 1}.keys(), ["k"]),
        (deque([2, 1]), [2, 1]),
        (Pair(1, 2), [1, 2]),
        (Line(1, Decimal("1.50"), {"b", "a"}), {"number": 1, "price": "1.50", "tags": ["a", "b"]}),
        (Attrs(1), {"number": 1}),
        (Struct(1), {"lineNumber": 1, "other": None}),
        (Model(number=1), {"No": 1, "secret": "**********", "line": None}),
        (RootModel[list[int]]([1]), {"root": [1]}),
        (
            [Fraction(1, 4), Model(number=1), {1}],
            [0.25, {"No": 1, "secret": "*" * 10, "line": None}, [1]],
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_containers_and_records_are_json(value: object, expected: object) -> None:
    in_csv, in_xlsx, in_json = texts(value)
    assert in_json == json.loads(in_csv) == json.loads(in_xlsx) == expected
    assert column([value], "csv").converted == {"nested": 1}
    with pytest.raises(sw.CellError, match="nested"):
        column([value], "csv", nested="error")


def test_values_of_arrow_are_those_that_they_hold() -> None:
    pa = pytest.importorskip("pyarrow", reason="skipped: needs pyarrow")
    assert texts(pa.scalar(5)) == ("5", 5, 5)
    assert texts(pa.scalar(None)) == ("", "", None)
    assert texts(pa.array([1, None]))[2] == [1, None]
    assert texts(pa.scalar({"a": [1]}))[2] == {"a": [1]}


def test_an_interval_of_arrow_is_a_duration() -> None:
    pa = pytest.importorskip("pyarrow", reason="skipped: needs pyarrow")
    span = pa.scalar((0, 2, 5_000_000_000), pa.month_day_nano_interval()).as_py()
    assert texts(span) == ("P2DT5S", timedelta(days=2, seconds=5), "P2DT5S")
    months = column([pa.MonthDayNano([1, 2, 1_001])], "json")
    assert (json_rows(months.data)[0]["a"], months.converted) == (
        "P32DT0.000001S",
        {"month": 1, "nanosecond": 1},
    )
    kind = document([(span,)], "ndjson", columns=[sw.Column("a", kind="duration")])
    assert ndjson_rows(kind.data) == [{"a": "P2DT5S"}]


def test_an_array_of_times_has_times() -> None:
    np = pytest.importorskip("numpy", reason="skipped: needs numpy")
    assert texts(np.array(["2024-05-06", "NaT"], "M8[ns]"))[2] == ["2024-05-06T00:00:00", None]
    assert texts([np.array([[1]], "m8[h]")])[2] == [[["PT1H"]]]


def test_what_is_masked_is_empty() -> None:
    np = pytest.importorskip("numpy", reason="skipped: needs numpy")
    assert texts(np.ma.masked) == ("", "", None)


def test_a_series_inside_a_row_is_a_list() -> None:
    pl = pytest.importorskip("polars", reason="skipped: needs polars")
    assert texts(pl.Series([1, 2]))[2] == [1, 2]
    assert texts([pl.Series([1, 2])])[2] == [[1, 2]]


def test_a_lazy_object_of_django_is_what_it_stands_for() -> None:
    functional = pytest.importorskip("django.utils.functional", reason="skipped: needs Django")
    for made, expected in (("ä", "ä"), (7, "7"), ([1], "[1]")):
        lazy = functional.SimpleLazyObject(lambda made=made: made)
        assert texts(lazy)[0] == expected


class Order:
    def get_status_display(self) -> str:
        return "Paid"


async def later() -> int:
    return 1


@pytest.mark.parametrize(
    ("make", "cure"),
    [
        (
            lambda: Order().get_status_display,
            r"Column\(lambda row: row.get_status_display\(\), 'get_st",
        ),
        (lambda: "x".upper, r"call it in the column: Column\(lambda row: row.upper\(\)"),
        (lambda: 1j, "convert= for its column"),
        (lambda: iter([1]), "convert= for its column"),
        (Shape, "convert=lambda shape: shape and shape.wkt"),
        (Order, 'convert= for its column, or Values\\(other="str"\\)'),
    ],
    ids=["method", "function of a text", "complex", "iterator", "geometry", "another object"],
)
def test_what_no_document_holds_is_an_error_with_its_cure(make: Any, cure: str) -> None:
    with pytest.raises(sw.CellError, match=cure):
        column([make()], "csv")


def test_a_method_of_an_attribute_is_an_error_with_its_cure() -> None:
    with pytest.raises(sw.CellError, match=r"row 1, column get_status_display: .*call it"):
        document([Order()], columns=["get_status_display"])
    read = document([Order()], columns=[sw.Column(Order.get_status_display, "Status")])
    assert csv_rows(read.data) == [["Status"], ["Paid"]]


def test_a_forgotten_await_is_an_error_with_its_cure() -> None:
    coroutine = later()
    with pytest.raises(sw.CellError, match="await it before the row is given"):
        column([coroutine], "csv")
    assert asyncio.run(coroutine) == 1


def test_a_frame_in_a_cell_is_an_error_with_its_cure() -> None:
    pd = pytest.importorskip("pandas", reason="skipped: needs pandas")
    with pytest.raises(sw.CellError, match="a table of its own; yield its rows"):
        column([pd.DataFrame({"a": [1]})], "csv")


def test_the_context_of_decimals_changes_nothing() -> None:
    cells = [Decimal("123456.789012345678901"), Decimal("1E+5"), Decimal("0.10"), Decimal(10**16)]
    write = partial(column, cells)
    plain = {form: write(form).data for form in ("csv", "json", "ods", "xml")}
    with localcontext(prec=2, Emax=3, Emin=-3) as context:
        for signal in context.traps:
            context.traps[signal] = True
        assert {form: write(form).data for form in plain} == plain
        assert calamine_rows(write("xlsx").data)[3] == [0.1]
        kind = document([(date(2024, 5, 6), 1.5)], columns=["a", sw.Column("b", kind="duration")])
        assert csv_rows(kind.data)[1] == ["2024-05-06", "PT1.5S"]
