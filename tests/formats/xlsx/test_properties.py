# ruff: noqa: DTZ001 - date-times without a zone are what is tested
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import streamware as sw
from readers import ooxml_errors, openpyxl_book
from workbooks import Workbook, workbook


def with_properties(properties: Any, **options: Any) -> Workbook:
    return workbook([{"id": n} for n in range(3)], sw.Xlsx(properties=properties), **options)


def read(made: Workbook) -> dict[str, Any]:
    return {found.name: found.value for found in openpyxl_book(made.data).custom_doc_props.props}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("select * from orders where a < 1 & b", "select * from orders where a < 1 & b"),
        ("two\nlines\x07", "two\nlines\ufffd"),
        (True, True),
        (-7, -7),
        (2**31, 2.0**31),
        (10**15, 1e15),
        (10**20, "100000000000000000000"),
        (1.5, 1.5),
        (Decimal("2.5"), 2.5),
        (float("nan"), "nan"),
        (datetime(2024, 5, 17, 12, 30, 15, 7), datetime(2024, 5, 17, 12, 30, 15)),
        (datetime(2024, 5, 17, 12, tzinfo=ZoneInfo("Asia/Tokyo")), datetime(2024, 5, 17, 3)),
        (date(2024, 5, 17), datetime(2024, 5, 17)),
    ],
    ids=repr,
)
def test_a_property_is_read_as_it_was(value: Any, expected: object, tmp_path: Path) -> None:
    made = with_properties({"The <name>": value})
    assert read(made) == {"The <name>": expected}
    assert type(read(made)["The <name>"]) is type(expected)
    assert ooxml_errors(made.data, tmp_path) == []


def test_a_moment_without_a_zone_is_in_that_of_the_values() -> None:
    values = sw.Values(timezone=ZoneInfo("Europe/Berlin"))
    made = with_properties({"When": datetime(2024, 5, 17, 12)}, values=values)
    assert read(made) == {"When": datetime(2024, 5, 17, 10)}


def test_a_callable_sees_how_many_rows_there_were() -> None:
    made = with_properties({"Source": "orders", "Rows": lambda receipt: receipt.rows})
    assert read(made) == {"Source": "orders", "Rows": 3}


def test_a_text_of_a_callable_is_cut_and_counted() -> None:
    made = with_properties({"Query": lambda receipt: "x" * 300})
    assert read(made) == {"Query": "x" * 254 + "…"}
    assert made.converted == {"property": 1}


def test_a_callable_that_returns_something_else_is_an_error() -> None:
    with pytest.raises(sw.EncodeError, match="'Rows' cannot be a list"):
        with_properties({"Rows": lambda receipt: []})


def test_without_properties_there_is_no_part_of_them() -> None:
    for made in (with_properties(None), with_properties({})):
        assert "docProps/custom.xml" not in made.parts
        assert b"custom" not in made.parts["_rels/.rels"]


@pytest.mark.parametrize(
    ("properties", "problem"),
    [
        ({"": 1}, "1 to 255 characters"),
        ({"a" * 256: 1}, "1 to 255 characters"),
        ({"a": 1, "A": 2}, "'A' comes twice"),
        ({"a": "x" * 256}, "'a' has 256 characters"),
    ],
)
def test_a_property_that_cannot_be_is_refused_at_once(properties: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        sw.Xlsx(properties=properties)


def test_a_property_of_another_type_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="'a' is a text, a number, a bool or a date, not list"):
        sw.Xlsx(properties={"a": []})  # type: ignore[dict-item]


def test_options_with_properties_are_still_values() -> None:
    made = [sw.Xlsx(properties={"a": datetime(2024, 1, 1, tzinfo=UTC)}) for _ in range(2)]
    assert made[0] == made[1]
    assert hash(made[0]) == hash(made[1])


IMPOSSIBLE = [
    (10**400, "more than 255 digits"),
    (Decimal("1" * 256), "more than 255 digits"),
    (Decimal("sNaN"), "a signaling NaN"),
    (datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-5))), "outside of the years"),
    (datetime(9999, 12, 31, 23), "outside of the years"),
    (date(1, 1, 1), "outside of the years"),
]


@pytest.mark.parametrize("options", [sw.Xlsx, sw.Ods])
@pytest.mark.parametrize(("value", "problem"), IMPOSSIBLE)
def test_a_number_or_a_date_that_cannot_be_is_refused_by_name(
    options: Any, value: Any, problem: str
) -> None:
    with pytest.raises(ValueError, match=f"'a' .*{problem}"):
        options(properties={"a": value})
    with pytest.raises(sw.EncodeError, match=f"'a' .*{problem}"):
        b"".join(sw.encode([(1,)], options(properties={"a": lambda _: value})))


@pytest.mark.parametrize("value", [10**200, -(10**20), Decimal("1E+400"), Decimal("NaN")])
def test_a_number_that_is_no_double_is_a_text(value: Any) -> None:
    assert read(with_properties({"a": value})) == {"a": str(value)}


def test_the_last_day_is_one_in_any_zone() -> None:
    made = with_properties({"a": date.max}, values=sw.Values(timezone=ZoneInfo("America/New_York")))
    assert read(made)["a"].date() == date.max


def test_properties_are_those_of_when_they_were_given() -> None:
    given = {"a": 1}
    options = sw.Xlsx(properties=given)
    given["b"] = 2
    assert options.properties == {"a": 1}
