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


def test_title_rows_keep_their_cells() -> None:
    rows = ["Orders", ("Total", sw.Cell(3, style=Style(bold=True)))]
    assert SheetOptions(title_rows=rows).title_rows == tuple(rows)


@pytest.mark.parametrize("options", [SheetOptions, sw.Xlsx])
@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"zebra": "grey"}, "a colour must be like"),
        ({"tab_color": "#12"}, "a colour must be like"),
        ({"zoom": 9}, "zoom must be 10 to 400 percent, not"),
        ({"zoom": 401}, "zoom must be 10 to 400 percent, not"),
        ({"freeze_columns": -1}, "freeze_columns must be 0 to 16,383, not"),
        ({"freeze_columns": 16_384}, "freeze_columns must be 0 to 16,383, not"),
        ({"protect": ""}, "protect must be True or a password, not an empty str"),
        (
            {"protect": "x" * 256},
            "the password of protect must have at most 255 characters, not 256",
        ),
        (
            {"table": ""},
            "table must be True or the name of a style such as 'TableStyleLight9', not ''",
        ),
        ({"table": "Fancy"}, "table must be True or the name of a style .*, not 'Fancy'"),
        ({"table": "TableStyleLight22"}, "table must be True .*, not 'TableStyleLight22'"),
        ({"table": "TableStyleDark12"}, "table must be True .*, not 'TableStyleDark12'"),
        ({"table": "TableStyleMedium0"}, "table must be True .*, not 'TableStyleMedium0'"),
    ],
)
def test_a_choice_that_there_is_not_is_refused(
    options: type[SheetOptions], given: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        options(**given)


@pytest.mark.parametrize("rows", ["Orders", [1], [None], [{"a": 1}]], ids=repr)
def test_title_rows_are_a_list_of_rows(rows: Any) -> None:
    with pytest.raises(
        TypeError, match="title_rows must be a list of rows, each a str, a list or a tuple"
    ):
        SheetOptions(title_rows=rows)


def test_the_header_is_a_style() -> None:
    with pytest.raises(TypeError, match="header must be a Style, not str"):
        SheetOptions(header="bold")  # type: ignore[arg-type]


@pytest.mark.parametrize("header", [False, None])
def test_how_to_have_no_header_is_told(header: Any) -> None:
    with pytest.raises(TypeError, match=r"give columns by position alone: columns=\[0, 1\]"):
        SheetOptions(header=header)
    assert list(sw.encode([(1, 2)], "csv", columns=[0, 1])) == [b"1,2\r\n"]


@pytest.mark.parametrize("options", [SheetOptions, sw.Xlsx, sw.Ods])
@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"freeze_columns": True}, "freeze_columns must be an int, not bool"),
        ({"freeze_columns": "A"}, "freeze_columns must be an int, not str"),
        ({"zoom": 100.5}, "zoom must be an int, not float"),
        ({"zoom": "100%"}, "zoom must be an int, not str"),
        ({"freeze": "A2"}, "freeze must be True or False, not str"),
        ({"autofilter": "A1:C1"}, "autofilter must be True or False, not str"),
        ({"right_to_left": "no"}, "right_to_left must be True or False, not str"),
        ({"landscape": "no"}, "landscape must be True or False, not str"),
        ({"fit_to_width": 1}, "fit_to_width must be True or False, not int"),
        ({"zebra": 1}, "zebra must be True, False or a str, not int"),
        ({"table": None}, "table must be True, False or a str, not NoneType"),
        ({"protect": 1234}, "protect must be True, False or a str, not int"),
        ({"title_rows": 1}, "title_rows must be a list of rows, not int"),
    ],
)
def test_an_attribute_of_another_type_is_refused(
    options: type[SheetOptions], given: dict[str, Any], problem: str
) -> None:
    with pytest.raises(TypeError, match=f"^{problem}$"):
        options(**given)


@pytest.mark.parametrize("style", ["Light1", "Light21", "Medium28", "Dark11"])
def test_the_styles_of_tables_are_those_there_are(style: str) -> None:
    assert SheetOptions(table=f"TableStyle{style}").table == f"TableStyle{style}"


def test_options_with_title_rows_are_values() -> None:
    row = [1]
    found = sw.Xlsx(title_rows=["a", row])
    row.append(2)
    assert found.title_rows == ("a", (1,))
    assert hash(found) == hash(sw.Xlsx(title_rows=("a", (1,))))
