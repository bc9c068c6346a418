# ruff: noqa: DTZ001 - date-times without a zone are what is tested
from datetime import date, datetime
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


@pytest.mark.slow
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


def test_without_properties_there_is_no_part_of_them() -> None:
    for made in (with_properties(None), with_properties({})):
        assert "docProps/custom.xml" not in made.parts
        assert b"custom" not in made.parts["_rels/.rels"]


@pytest.mark.parametrize("value", [10**200, -(10**20), Decimal("1E+400"), Decimal("NaN")])
def test_a_number_that_is_no_double_is_a_text(value: Any) -> None:
    assert read(with_properties({"a": value})) == {"a": str(value)}


def test_the_last_day_is_one_in_any_zone() -> None:
    made = with_properties({"a": date.max}, values=sw.Values(timezone=ZoneInfo("America/New_York")))
    assert read(made)["a"].date() == date.max
