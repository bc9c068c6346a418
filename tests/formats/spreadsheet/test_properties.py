# ruff: noqa: DTZ001 - date-times without a zone are what is tested
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import streamware as sw
from streamware.formats.spreadsheet.properties import moment, resolved

FORMATS = pytest.mark.parametrize("form", [sw.Xlsx, sw.Ods])
IMPOSSIBLE = [
    (10**400, "more than 255 digits"),
    (Decimal("1" * 256), "more than 255 digits"),
    (Decimal("sNaN"), "a signaling NaN"),
    (datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-5))), "outside of the years"),
    (datetime(9999, 12, 31, 23), "outside of the years"),
    (date(1, 1, 1), "outside of the years"),
]


@FORMATS
@pytest.mark.parametrize(
    ("properties", "problem"),
    [
        ({"": 1}, "1 to 255 characters"),
        ({"a" * 256: 1}, "1 to 255 characters"),
        ({"a": 1, "A": 2}, "'A' is given twice"),
        ({"a": "x" * 256}, "'a' must have at most 255 characters, not 256"),
    ],
)
def test_a_property_that_cannot_be_is_refused_at_once(
    form: Any, properties: Any, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        form(properties=properties)


@FORMATS
def test_a_property_of_another_type_is_refused_at_once(form: Any) -> None:
    with pytest.raises(TypeError, match="'a' must be a text, a number, a bool or a date, not list"):
        form(properties={"a": []})


@FORMATS
@pytest.mark.parametrize(("value", "problem"), IMPOSSIBLE)
def test_a_number_or_a_date_that_cannot_be_is_refused_by_name(
    form: Any, value: Any, problem: str
) -> None:
    with pytest.raises(ValueError, match=f"'a' .*{problem}"):
        form(properties={"a": value})
    with pytest.raises(sw.EncodeError, match=f"'a' .*{problem}"):
        b"".join(sw.encode([(1,)], form(properties={"a": lambda _: value})))


@FORMATS
def test_a_callable_that_returns_something_else_is_an_error(form: Any) -> None:
    with pytest.raises(sw.EncodeError, match="'Rows' cannot be a list"):
        b"".join(sw.encode([(1,)], form(properties={"Rows": lambda receipt: []})))


@FORMATS
def test_options_with_properties_are_still_values(form: Any) -> None:
    made = [form(properties={"a": datetime(2024, 1, 1, tzinfo=UTC)}) for _ in range(2)]
    assert made[0] == made[1]
    assert hash(made[0]) == hash(made[1])


@FORMATS
def test_properties_are_those_of_when_they_were_given(form: Any) -> None:
    given = {"a": 1}
    options = form(properties=given)
    given["b"] = 2
    assert options.properties == {"a": 1}


@pytest.mark.parametrize(
    ("day", "zone", "written"),
    [
        (datetime(2024, 5, 17, 12, 30, 15, 7, tzinfo=UTC), None, "2024-05-17T12:30:15Z"),
        (datetime(2024, 5, 17, 12), ZoneInfo("Europe/Berlin"), "2024-05-17T10:00:00Z"),
        (datetime(2024, 5, 17, 12, tzinfo=UTC), ZoneInfo("Europe/Berlin"), "2024-05-17T12:00:00Z"),
        (date(2024, 5, 17), ZoneInfo("Asia/Tokyo"), "2024-05-16T15:00:00Z"),
    ],
)
def test_a_moment_is_in_utc(day: date, zone: ZoneInfo | None, written: str) -> None:
    assert moment(day, zone) == written


@FORMATS
def test_a_text_of_a_callable_is_cut_and_counted(form: Any) -> None:
    encoding = sw.encode([(1,)], form(properties={"Query": lambda _: "x" * 300}))
    b"".join(encoding)
    assert encoding.receipt.converted == {"property": 1}


def test_a_date_time_without_a_zone_is_in_that_of_the_values() -> None:
    zone, when = ZoneInfo("Europe/Berlin"), datetime(2024, 5, 17, 12)
    found = resolved({"When": when, "Day": when.date()}, sw.Receipt("ods"), zone)
    assert found == {"When": when.replace(tzinfo=zone), "Day": when.date()}
