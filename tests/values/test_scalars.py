# ruff: noqa: DTZ001 - date-times without a zone are what is tested
"""Values of NumPy and pandas are written as those of Python, whatever the kind of their column."""

from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

import pytest

import streamware as sw
from drive import column, document
from readers import calamine_rows, json_rows, ndjson_rows
from streamware.values.scalars import plain_timedelta

np = pytest.importorskip("numpy")
pd = pytest.importorskip("pandas")


def in_json(cells: Iterable[object], **values: Any) -> list[Any]:
    return [row["a"] for row in json_rows(column(cells, "json", **values).data)]


def read_as(kind: Any, value: object) -> tuple[object, dict[str, int]]:
    written = document([(value,)], "ndjson", columns=[sw.Column("a", kind=kind)])
    return ndjson_rows(written.data)[0]["a"], written.converted


@pytest.mark.parametrize("unit", ["Y", "M", "W", "D"])
def test_a_day_of_numpy_is_a_date(unit: str) -> None:
    day = np.datetime64("2024-05-01", unit)
    expected = day.astype("M8[D]").item().isoformat()
    assert in_json([day]) == [expected]
    assert read_as("date", day) == (expected, {})
    assert read_as("datetime", day) == (f"{expected}T00:00:00", {})


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns", "ps", "25s"])
def test_a_moment_of_numpy_is_a_date_time(unit: str) -> None:
    moment = np.datetime64("1970-01-05T07:08:20", unit)
    for kind in (None, "datetime"):
        assert read_as(kind, moment) == ("1970-01-05T07:08:20", {})
    assert read_as("date", moment) == ("1970-01-05", {})
    assert read_as("time", moment) == ("07:08:20", {})
    assert read_as("text", moment) == ("1970-01-05T07:08:20", {})


@pytest.mark.parametrize("unit", ["W", "D", "h", "m", "s", "ms", "us", "ns"])
def test_a_span_of_numpy_is_a_duration(unit: str) -> None:
    span = np.timedelta64(7, "D").astype(f"m8[{unit}]") if unit != "W" else np.timedelta64(1, "W")
    for kind in (None, "duration", "text"):
        assert read_as(kind, span) == ("P7D", {})


@pytest.mark.parametrize(
    ("fine", "expected"),
    [
        (np.datetime64("2024-05-06T07:08:09.123456789"), "2024-05-06T07:08:09.123456"),
        (np.timedelta64(1_234_567_891, "ns"), "PT1.234567S"),
        (pd.Timestamp("2024-05-06T07:08:09.123456789"), "2024-05-06T07:08:09.123456"),
        (pd.Timedelta(1_234_567_891, "ns"), "PT1.234567S"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("given", [False, True])
def test_lost_nanoseconds_are_counted(fine: object, expected: str, given: bool) -> None:
    kind = None
    if given:
        kind = "duration" if expected.startswith("P") else "datetime"
    assert read_as(kind, fine) == (expected, {"nanosecond": 1})


@pytest.mark.parametrize(
    ("odd", "expected"),
    [
        (np.datetime64("20000-01-01"), "20000-01-01"),
        (pd.Timestamp(np.datetime64("20000-01-01", "s")), "20000-01-01T00:00:00"),
        (np.timedelta64(5, "M"), "P5M"),
        (np.timedelta64(-2, "Y"), "-P2Y"),
        (pd.Period("2024-01"), "2024-01"),
        (pd.Period("2024Q1"), "2024Q1"),
        (pd.Interval(0, 1), "(0, 1]"),
    ],
    ids=repr,
)
def test_what_python_has_no_type_for_is_text(odd: object, expected: str) -> None:
    for form in ("json", "xlsx", "xml", "ods"):
        written = column([odd], form)
        assert written.converted == {"text_of_object": 1}
    assert in_json([odd]) == [expected]
    assert calamine_rows(column([odd], "xlsx").data)[1] == [expected]
    assert read_as("text", odd)[0] == expected


@pytest.mark.parametrize(
    "missing", [pd.NA, pd.NaT, np.datetime64("NaT"), np.timedelta64("NaT", "ns")], ids=repr
)
@pytest.mark.parametrize(
    "kind", [None, "text", "number", "bool", "date", "datetime", "time", "duration"]
)
def test_what_is_missing_is_empty(kind: Any, missing: object) -> None:
    read, _ = read_as(kind, missing)
    assert read is None


def test_a_missing_time_is_counted_only_where_there_are_no_times() -> None:
    assert read_as("number", pd.NaT)[1] == {"non_finite": 1}
    assert read_as("number", pd.NA)[1] == {}
    assert read_as("date", pd.NaT)[1] == {}
    assert read_as(None, pd.NaT)[1] == {}


@pytest.mark.parametrize(
    ("scalar", "expected"),
    [
        (np.int8(-5), -5),
        (np.uint64(2**64 - 1), 2**64 - 1),
        (np.float16(0.5), 0.5),
        (np.float32(0.1), 0.10000000149011612),
        (np.float64(0.1), 0.1),
        (np.bool_(True), True),
        (np.str_("a\x07"), "a\ufffd"),
        (np.bytes_(b"abc"), "YWJj"),
        (np.array(7), 7),
        (np.array([1, 2]), [1, 2]),
        (np.longdouble(1.5), 1.5),
    ],
    ids=repr,
)
def test_a_scalar_of_numpy_is_its_value(scalar: object, expected: object) -> None:
    assert in_json([scalar]) == [expected]
    if not isinstance(expected, list | str):
        assert read_as("number", scalar)[0] == expected


@pytest.mark.parametrize(
    "scalar", [np.complex64(1j), np.timedelta64(5), np.array([[1], [2]])], ids=repr
)
@pytest.mark.parametrize("kind", [None, "number", "datetime", "duration"])
def test_a_scalar_that_no_document_holds_is_an_error(scalar: object, kind: Any) -> None:
    with pytest.raises(sw.CellError, match="row 1, column a: "):
        read_as(kind, scalar)


def test_scalars_inside_a_nested_value_are_written_as_elsewhere() -> None:
    nested = {
        "at": pd.Timestamp("2024-05-06"),
        "na": [pd.NA, pd.NaT, np.datetime64("NaT"), float("nan")],
        "n": np.int64(7),
        "day": np.datetime64("2024-05-06"),
        "month": pd.Period("2024-01"),
        "list": np.array([1.5]),
    }
    assert in_json([nested]) == [
        {
            "at": "2024-05-06T00:00:00",
            "na": [None] * 4,
            "n": 7,
            "day": "2024-05-06",
            "month": "2024-01",
            "list": [1.5],
        }
    ]


def test_a_moment_of_pandas_in_another_zone_is_converted() -> None:
    moment = pd.Timestamp("2024-05-06 00:30", tz="Europe/Berlin")
    assert read_as("date", moment) == ("2024-05-05", {"timezone": 1})
    assert read_as(None, moment) == ("2024-05-05T22:30:00+00:00", {"timezone": 1})
    written = column([moment, pd.Timestamp("1600-01-01"), pd.Timestamp("9999-12-31")], "xlsx")
    assert calamine_rows(written.data)[1:] == [
        [datetime(2024, 5, 5, 22, 30)],
        ["1600-01-01T00:00:00"],
        [date(9999, 12, 31)],
    ]


class Odd(timedelta):
    """As pendulum's Duration, whose fields mean something else."""

    days = property(lambda self: 0)
    seconds = property(lambda self: -3600)


def test_a_subclass_of_a_span_has_the_length_of_its_base() -> None:
    assert plain_timedelta(Odd(hours=-1), Counter()) == timedelta(hours=-1)
    assert in_json([Odd(hours=-1)]) == ["-PT1H"]


def test_a_date_of_numpy_is_a_date_in_a_workbook() -> None:
    columns = [sw.Column("a", kind="date")]
    written = document([(np.datetime64("2024-05-06T23:00"),)], "xlsx", columns=columns)
    assert calamine_rows(written.data)[1] == [date(2024, 5, 6)]
