from typing import Any

import pytest

import streamware as sw
from streamware.formats.spreadsheet.table import check_titles, table_name
from workbooks import workbook

FORMATS = pytest.mark.parametrize("form", [sw.Xlsx, sw.Ods])


@FORMATS
@pytest.mark.parametrize("titles", [["id", "ID"], ["a", "b", "a"], ["Straße", "STRASSE"]])
def test_titles_of_a_table_differ(form: Any, titles: list[str]) -> None:
    columns = [sw.Column(at, title) for at, title in enumerate(titles)]
    with pytest.raises(sw.EncodeError, match=f"'Orders'.*'{titles[-1]}'"):
        workbook([range(3)], form(table=True, sheet="Orders"), columns=columns)


@FORMATS
@pytest.mark.parametrize("title", ["", " "])
def test_titles_of_a_table_are_not_empty(form: Any, title: str) -> None:
    with pytest.raises(sw.EncodeError, match="'Orders': column 2 of a table has no title"):
        workbook(
            [(1, 2)],
            form(table=True, sheet="Orders"),
            columns=[sw.Column(0, "a"), sw.Column(1, title)],
        )


@FORMATS
def test_titles_of_a_table_are_not_too_long(form: Any) -> None:
    with pytest.raises(sw.LimitError, match="title in a table") as raised:
        workbook([{"a" * 256: 1}], form(table=True))
    assert (raised.value.limit, raised.value.actual) == (255, 256)


@FORMATS
def test_a_table_has_titles(form: Any) -> None:
    with pytest.raises(sw.EncodeError, match="'Orders': a table needs columns with titles"):
        workbook([(1, 2)], form(table=True, sheet="Orders"))


def test_a_title_is_as_long_as_spreadsheets_count() -> None:
    check_titles("a", ["😀" * 127])
    with pytest.raises(sw.LimitError, match="256"):
        check_titles("a", ["😀" * 128])


def test_a_table_is_called_by_the_number_of_its_sheet() -> None:
    assert table_name(3) == "Table3"
