"""Integers and Decimals that readers of JSON round are text if the caller wants it."""

import json
from decimal import Decimal
from typing import Any

import pytest

import streamware as sw
from drive import column
from readers import csv_rows, json_rows, ndjson_rows, xml_rows

SAFE = 2**53 - 1
READ: dict[str, Any] = {"json": json_rows, "ndjson": ndjson_rows}


def cells(form: str, values: list[Any], **options: Any) -> tuple[list[Any], dict[str, int]]:
    written = column(values, form, **options)
    return [row["a"] for row in READ[form](written.data, Decimal)], dict(written.converted)


@pytest.mark.parametrize("form", READ)
@pytest.mark.parametrize("choice", ["auto", "number"])
def test_a_number_of_json_has_all_its_digits(form: str, choice: str) -> None:
    given = [SAFE, SAFE + 1, -(2**64), 10**30, Decimal("0.12345678901234567890"), [2**60]]
    assert cells(form, given, big_int=choice) == (given, {"nested": 1})


@pytest.mark.parametrize("form", READ)
@pytest.mark.parametrize("mixed", [[], ["x"], [None]])
def test_an_integer_that_javascript_rounds_can_be_text(form: str, mixed: list[Any]) -> None:
    given = [SAFE, -SAFE, SAFE + 1, -SAFE - 1, 2**64, 10**30, *mixed]
    expected = [SAFE, -SAFE, str(SAFE + 1), str(-SAFE - 1), str(2**64), str(10**30), *mixed]
    assert cells(form, given, big_int="text") == (expected, {"big_int": 4})


def test_a_decimal_that_a_double_cannot_hold_can_be_text() -> None:
    given = ["1.10", "9007199254740993", "0.12345678901234567890", "1E+20", "1E+1000", "-0.1"]
    found, converted = cells("json", list(map(Decimal, given)), big_int="text")
    assert found == [Decimal("1.10"), given[1], given[2], given[3], given[4], Decimal("-0.1")]
    assert converted == {"big_int": 3, "decimal": 1}


def test_a_nested_integer_can_be_text() -> None:
    nested = {"id": 2**60, "all": [1, -(2**60), {"n": float("nan"), "s": "1" * 20}], "f": 1.5}
    found, converted = cells("json", [nested, [1]], big_int="text")
    assert found[0] == {
        "id": str(2**60),
        "all": [1, str(-(2**60)), {"n": None, "s": "1" * 20}],
        "f": Decimal("1.5"),
    }
    assert converted == {"nested": 2, "big_int": 2, "non_finite": 1}


def test_other_formats_have_all_digits_whatever_the_choice() -> None:
    for choice in ("auto", "text", "number"):
        assert csv_rows(column([2**60], "csv", big_int=choice).data)[1] == [str(2**60)]
        assert xml_rows(column([2**60], "xml", big_int=choice).data)[0]["a"] == str(2**60)


def test_a_scalar_of_numpy_is_text_as_well() -> None:
    np = pytest.importorskip("numpy")
    assert cells("json", [np.uint64(2**64 - 1)], big_int="text")[0] == [str(2**64 - 1)]


def test_what_is_text_survives_a_reader_with_doubles() -> None:
    data = column([2**53 + 1], "json", big_int="text").data
    (row,) = json.loads(data, parse_int=float)
    assert int(row["a"]) == 2**53 + 1


def test_a_wrong_choice_is_an_error() -> None:
    with pytest.raises(ValueError, match="big_int"):
        sw.Values(big_int="texts")  # type: ignore[arg-type]
