from typing import Any

import pytest

import streamware as sw
from streamware import SheetOptions, Style


def test_a_sheet_has_a_bold_header_that_stays_and_filters() -> None:
    found = SheetOptions()
    assert (found.header, found.freeze, found.autofilter) == (Style(bold=True), True, True)
    assert (found.title_rows, found.zebra, found.table, found.protect) == ((), False, False, False)


def test_a_workbook_has_the_same_options() -> None:
    assert isinstance(sw.Xlsx(), SheetOptions)
    assert sw.Xlsx(zoom=80).zoom == 80


def test_colors_are_colors() -> None:
    found = SheetOptions(zebra="#eeeeee", tab_color="c00000")
    assert (found.zebra, found.tab_color) == ("EEEEEE", "C00000")


def test_title_rows_are_kept_as_they_are() -> None:
    rows = ["Orders", ["Total", sw.Cell(3, style=Style(bold=True))]]
    assert SheetOptions(title_rows=rows).title_rows == tuple(rows)


@pytest.mark.parametrize("options", [SheetOptions, sw.Xlsx])
@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"zebra": "grey"}, "a colour is given like"),
        ({"tab_color": "#12"}, "a colour is given like"),
        ({"zoom": 9}, "zoom is 10 to 400 percent"),
        ({"zoom": 401}, "zoom is 10 to 400 percent"),
        ({"freeze_columns": -1}, "freeze_columns is 0 to 16,383"),
        ({"freeze_columns": 16_384}, "freeze_columns is 0 to 16,383"),
        ({"protect": ""}, "protect=True needs no password; an empty one is none"),
        ({"protect": "x" * 256}, "a password has at most 255 characters"),
        ({"table": ""}, "table=True, or the name of its style"),
    ],
)
def test_a_choice_that_there_is_not_is_refused(
    options: type[SheetOptions], given: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        options(**given)


@pytest.mark.parametrize("rows", ["Orders", [1], [None], [{"a": 1}]], ids=repr)
def test_title_rows_are_a_list_of_rows(rows: Any) -> None:
    with pytest.raises(TypeError, match="title_rows is a list of rows, each a text or a sequence"):
        SheetOptions(title_rows=rows)


def test_the_header_is_a_style() -> None:
    with pytest.raises(TypeError, match="header is a Style, not str"):
        SheetOptions(header="bold")  # type: ignore[arg-type]
