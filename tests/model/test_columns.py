"""What the caller says of columns and sheets."""

from collections.abc import Mapping
from typing import Any

import pytest

import streamware as sw

# Wrong columns


@pytest.mark.parametrize("columns", ["id", b"", {"id": "note"}])
def test_columns_are_a_list(columns: Any) -> None:
    with pytest.raises(TypeError, match=r"columns are a list of sw.Column, names, positions"):
        sw.encode([], columns=columns)


@pytest.mark.parametrize("key", [None, 1.5, True, ("a",)])
def test_a_key_is_a_name_a_position_or_a_callable(key: Any) -> None:
    with pytest.raises(TypeError, match="a column's key is a name, a position or a callable"):
        sw.Column(key)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "money"}, "unknown kind 'money'; there are: text, number, bool, date, datetime"),
        ({"width": 0}, "width is above 0"),
        ({"width": 256}, "at most 255"),
        ({"format": "0 kg"}, "the number format '0 kg' has 'kg', which needs quotes"),
        ({"align": "middle"}, "align='middle': choose one of left, center, right"),
        ({"total": "max"}, "total='max': choose one of sum, average, count"),
        ({"total": "sum", "kind": "text"}, "there is no sum of a column of kind 'text'"),
        ({"total": "average", "kind": "bool"}, "there is no average of a column of kind 'bool'"),
        ({"url": "https://example.com/"}, "has no {} for the cell's text"),
        ({"url": "https://example.com/ {}"}, "has a blank or a control character"),
        ({"url": "x" * 255 + "{}"}, "characters of an address: 255 is over the limit of 255"),
        ({"note": "😀" * 16_384}, "UTF-16 units in a note: 32,768 is over the limit of 32,767"),
    ],
)
def test_a_wrong_option_of_a_column_is_an_error(options: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"column a: .*{message}"):
        sw.Column("a", **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": 0}, "a number format is a text"),
        ({"note": 5}, "a note is a text, not int"),
        ({"note": ["a"]}, "a note is a text, not list"),
        ({"width": "20"}, "width is a number, not str"),
        ({"width": True}, "width is a number, not bool"),
        ({"convert": "int"}, "convert is a callable, not str"),
        ({"wrap": "yes"}, "wrap is True or False, not str"),
        ({"hidden": "no"}, "hidden is True or False, not str"),
        ({"url": 5}, "url is a text, not int"),
        ({"rules": sw.DataBar()}, "rules is a list of Condition, ColorScale and DataBar, not Data"),
        ({"rules": None}, "rules is a list of Condition, ColorScale and DataBar, not NoneType"),
        ({"rules": ["red"]}, "a rule is a Condition, a ColorScale or a DataBar, not str"),
        ({"validation": ["a"]}, "validation is a Validation, not list"),
    ],
)
def test_an_option_of_another_type_is_an_error(options: Mapping[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=f"column a: .*{message}"):
        sw.Column("a", **options)


def test_the_error_of_a_column_tells_its_key() -> None:
    with pytest.raises(ValueError, match="column 3: unknown kind"):
        sw.Column(3, kind="money")  # type: ignore[arg-type]
    with pytest.raises(sw.LimitError, match="column len: UTF-16 units in a note") as raised:
        sw.Column(len, note="x" * 32_768)
    assert (raised.value.limit, raised.value.actual) == (32_767, 32_768)


def test_a_column_keeps_what_spreadsheets_need() -> None:
    rule, choice = sw.DataBar(), sw.Validation(choices=["a"])
    column = sw.Column(
        "a", width="auto", url="x{}", note="", total="count", rules=iter([rule]), validation=choice
    )
    assert (column.width, column.url, column.total) == (None, "x{}", "count")
    assert (column.rules, column.validation) == ((rule,), choice)
    assert sw.Column("a", total="count", kind="text").total == "count"
    assert sw.Column("a", format="money:EUR").format == "#,##0.00 [$EUR]"


# Wrong sheets


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": 2026}, "name is a text, not int"),
        ({"name": "a", "options": {"zoom": 50}}, "options of a sheet are SheetOptions, not dict"),
        ({"name": "a", "options": sw.Xlsx(author="a")}, "options of a sheet are .*, not Xlsx"),
    ],
)
def test_a_sheet_has_a_name_and_options_of_its_own(given: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        sw.Sheet(**given)


@pytest.mark.parametrize("name", ["title", "note"])
def test_a_title_is_not_awaited(name: str) -> None:
    async def late() -> str:
        return "Amount"

    given: dict[str, Any] = {name: late}
    with pytest.raises(TypeError, match="column a: a title or a note is made by a function"):
        sw.Column("a", **given)
