"""What the caller says of columns and sheets."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

import streamware as sw

# Wrong columns


@pytest.mark.parametrize("columns", ["id", b"", {"id": "note"}])
def test_columns_are_a_list(columns: Any) -> None:
    with pytest.raises(TypeError, match=r"columns must be a list of sw.Column, names, positions"):
        sw.encode([], columns=columns)


@pytest.mark.parametrize("key", [None, 1.5, True, ("a",)])
def test_a_key_is_a_name_a_position_or_a_callable(key: Any) -> None:
    with pytest.raises(TypeError, match="key must be a name, a position or a callable"):
        sw.Column(key)


def test_the_error_for_a_column_of_a_mapper_has_the_name_to_pass() -> None:
    field: Any = SimpleNamespace(name="number")
    keys: list[Any] = [SimpleNamespace(key="number"), field, SimpleNamespace(field=field)]
    for key in keys:
        with pytest.raises(
            TypeError, match=r"^key must .* SimpleNamespace; pass its name, 'number'"
        ):
            sw.encode([], columns=[key])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "money"}, "kind must be 'text', 'number', .* or 'duration', not 'money'"),
        ({"width": 0}, "width must be above 0"),
        ({"width": 256}, "at most 255"),
        ({"format": "0 kg"}, "the number format '0 kg' has 'kg', which needs quotes"),
        ({"align": "middle"}, "align must be 'left', 'center' or 'right', not 'middle'"),
        ({"total": "max"}, "total must be 'sum', 'average' or 'count', not 'max'"),
        ({"total": "sum", "kind": "text"}, "total must not be 'sum' in a column of kind 'text'"),
        (
            {"total": "average", "kind": "bool"},
            "total must not be 'average' in a column of kind 'bool'",
        ),
        ({"url": "https://example.com/"}, "url must contain {} for the text of the cell"),
        ({"url": "/orders/{}"}, "url must begin with the site, as 'https://example.com/orders/{}'"),
        ({"url": "//example.com/{}/"}, "url must begin with the site"),
        ({"url": "https://example.com/ {}"}, "url must not contain blanks or control characters"),
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
        ({"format": 0}, "format must be a str"),
        ({"note": 5}, "note must be a str, not int"),
        ({"note": ["a"]}, "note must be a str, not list"),
        ({"width": "20"}, "width must be a number, not str"),
        ({"width": True}, "width must be a number, not bool"),
        ({"convert": "int"}, "convert must be callable, not str"),
        ({"wrap": "yes"}, "wrap must be True or False, not str"),
        ({"hidden": "no"}, "hidden must be True or False, not str"),
        ({"url": 5}, "url must be a str, not int"),
        (
            {"rules": sw.DataBar()},
            "rules must be a list of Condition, ColorScale and DataBar, not Data",
        ),
        (
            {"rules": None},
            "rules must be a list of Condition, ColorScale and DataBar, not NoneType",
        ),
        (
            {"rules": ["red"]},
            "each of rules must be a Condition, a ColorScale or a DataBar, not str",
        ),
        ({"validation": ["a"]}, "validation must be a Validation, not list"),
    ],
)
def test_an_option_of_another_type_is_an_error(options: Mapping[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=f"column a: .*{message}"):
        sw.Column("a", **options)


def test_the_error_of_a_column_tells_its_key() -> None:
    with pytest.raises(ValueError, match="column 3: kind must be"):
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
        ({"name": 2026}, "name must be a str, not int"),
        ({"name": "a", "options": {"zoom": 50}}, "options must be SheetOptions, not dict"),
        ({"name": "a", "options": sw.Xlsx(author="a")}, "options must be SheetOptions, not Xlsx"),
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
    with pytest.raises(
        TypeError, match="column a: title and note must be made by an ordinary function"
    ):
        sw.Column("a", **given)


class StreamingCursor:
    """As psycopg's, whose `stream` is a generator of plain tuples."""

    def __init__(self) -> None:
        self.description = [("of an earlier query",)]

    def fetchmany(self) -> None:
        raise AssertionError

    def stream(self, query: str, *, size: int = 1) -> Iterator[tuple[int, ...]]:
        row = (len(query), size)
        self.description = [("a",), ("b",)]
        yield from [row, row]

    async def astream(self, query: str) -> AsyncIterator[tuple[int, ...]]:
        row = (len(query), 2)
        self.description = [("a",), ("b",)]
        yield row


def test_a_generator_of_a_cursor_has_the_names_of_the_cursor() -> None:
    assert b"".join(sw.encode(StreamingCursor().stream("select"))) == b"a,b\r\n6,1\r\n6,1\r\n"

    async def read() -> bytes:
        rows = StreamingCursor().astream("select")
        return b"".join([chunk async for chunk in sw.aencode(rows)])

    assert asyncio.run(read()) == b"a,b\r\n6,2\r\n"


def test_another_generator_has_no_names() -> None:
    def rows(self: Any) -> Iterator[tuple[int]]:
        number = 1
        yield (number,)

    assert b"".join(sw.encode(rows(7))) == b"1\r\n"
