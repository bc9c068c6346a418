import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamware as sw
from readers import libreoffice_csv, ooxml_errors, openpyxl_book
from streamware.formats.spreadsheet.names import SheetNames
from workbooks import workbook


def named(*names: str) -> list[str]:
    sheets = SheetNames()
    return [sheets.add(name) for name in names]


def units(name: str) -> int:
    return len(name.encode("utf-16-le")) // 2


@pytest.mark.parametrize(
    "name", ["Orders", "Q1 2024", "Aufträge", "注文", "it's", "a" * 31, "😀" * 15]
)
def test_a_good_name_stays(name: str) -> None:
    assert named(name) == [name]


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        pytest.param("a[b]c:d*e?f/g\\h", "a_b_c_d_e_f_g_h", id="forbidden characters"),
        pytest.param("a\x00b\tc\nd\x1f", "a_b_c_d_", id="controls"),
        pytest.param("a\ud800b\uffff", "a_b_", id="no characters"),
        pytest.param("a_x0041_b", "a-x0041_b", id="what programs unescape"),
        pytest.param("_x003A__x002f_", "-x003A_-x002f_", id="all of it such"),
        pytest.param("_x0041_x0042_", "-x0041-x0042_", id="one in the other"),
        pytest.param(":x0041_", "-x0041_", id="one that is made by cleaning"),
        pytest.param("'Orders'", "Orders", id="apostrophes at the ends"),
        pytest.param(" ' Orders ' ", "Orders", id="apostrophes and blanks"),
        pytest.param("", "Sheet", id="empty"),
        pytest.param("''", "Sheet", id="only apostrophes"),
        pytest.param("   ", "Sheet", id="only blanks"),
        pytest.param("a" * 40, "a" * 31, id="too long"),
        pytest.param("😀" * 16, "😀" * 15, id="too long in UTF-16"),
        pytest.param("a" * 30 + "😀", "a" * 30, id="cut within a pair"),
        pytest.param("a" * 30 + " b", "a" * 30, id="blank where it is cut"),
        pytest.param("a" * 30 + "'b", "a" * 30, id="apostrophe where it is cut"),
    ],
)
def test_a_bad_name_is_cleaned_and_cut(name: str, clean: str) -> None:
    assert named(name) == [clean]


def test_a_name_that_is_taken_is_numbered() -> None:
    assert named("Orders", "Orders", "Orders") == ["Orders", "Orders (2)", "Orders (3)"]


def test_names_equal_but_for_case_are_the_same() -> None:
    assert named("Orders", "ORDERS", "STRASSE", "straße") == [
        "Orders",
        "ORDERS (2)",
        "STRASSE",
        "straße (2)",
    ]


def test_names_may_become_equal_by_being_cleaned() -> None:
    assert named("a/b", "a_b", "a:b") == ["a_b", "a_b (2)", "a_b (3)"]


def test_a_number_that_is_taken_is_passed_over() -> None:
    assert named("Orders (2)", "Orders", "Orders") == ["Orders (2)", "Orders", "Orders (3)"]


def test_a_numbered_name_is_cut_before_its_number() -> None:
    assert named("a" * 31, "a" * 35, "😀" * 15, "😀" * 15)[1::2] == [
        "a" * 27 + " (2)",
        "😀" * 13 + " (2)",
    ]


def test_a_number_may_have_several_digits() -> None:
    assert named(*["a" * 31] * 12)[-1] == "a" * 26 + " (12)"


@given(
    st.lists(st.text(st.characters() | st.sampled_from("[]:*?/\\' aA😀"), max_size=40), max_size=8)
)
def test_any_names_become_names_that_excel_accepts(names: list[str]) -> None:
    found = named(*names)
    assert all(1 <= units(name) <= 31 for name in found)
    assert not set("".join(found)) & set("[]:*?/\\")
    assert not any(name[0] in "' " or name[-1] in "' " for name in found)
    assert len({name.casefold() for name in found}) == len(names)


# Names that stand for formulas


def test_names_stand_for_formulas_in_the_whole_workbook(tmp_path: Path) -> None:
    names = {"VAT": "0.19", "Amounts": "=Orders!$A$2:$A$9", "größe_1.a": '"a<b" & "c"'}
    made = workbook([{"id": 1}], sw.Xlsx(sheet="Orders", names=names))
    found = openpyxl_book(made.data).defined_names
    assert {name: item.attr_text for name, item in found.items()} == {
        "VAT": "0.19",
        "Amounts": "Orders!$A$2:$A$9",
        "größe_1.a": '"a<b" & "c"',
    }
    assert ooxml_errors(made.data, tmp_path) == []


@pytest.mark.parametrize("form", [sw.Xlsx, sw.Ods])
@pytest.mark.parametrize(
    "name",
    [
        "",
        "a b",
        "1a",
        "A1",
        "xfd9",
        "R",
        "c",
        "R1C1",
        "r2",
        "table7",
        "_xlnm.Print_Area",
        "a" * 256,
    ],
)
def test_a_name_that_excel_refuses_is_refused_at_once(form: Any, name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a name: it must have at most 255"):
        form(names={name: "1"})


@pytest.mark.parametrize("form", [sw.Xlsx, sw.Ods])
def test_names_differ_by_more_than_case(form: Any) -> None:
    with pytest.raises(ValueError, match="'RATE' is given twice"):
        form(names={"rate": "1", "RATE": "2"})


@pytest.mark.parametrize("form", [sw.Xlsx, sw.Ods])
@pytest.mark.parametrize("formula", ["", "=", " 1", "= 1", "1" * 8193])
def test_a_formula_that_excel_refuses_is_refused_at_once(form: Any, formula: str) -> None:
    with pytest.raises(ValueError, match="the formula of the name 'rate'"):
        form(names={"rate": formula})


@pytest.mark.parametrize("form", [sw.Xlsx, sw.Ods])
def test_a_formula_is_text(form: Any) -> None:
    with pytest.raises(
        TypeError, match="the name 'rate' must stand for a formula such as 'Orders!"
    ):
        form(names={"rate": 1})


@pytest.mark.parametrize("form", [sw.Xlsx, sw.Ods])
@pytest.mark.parametrize("name", ["TRUE", "False"])
def test_a_constant_is_no_name(form: Any, name: str) -> None:
    with pytest.raises(ValueError, match=f"'{name}' cannot be a name"):
        form(names={name: "1"})


@pytest.mark.slow
def test_a_sheet_named_like_an_escape_is_loaded_everywhere(tmp_path: Path) -> None:
    made = workbook([sw.Sheet("_x003A__x002F_", [(1,)])], sw.Xlsx(index=True))
    assert made.rows("Index") == [["-x003A_-x002F_", 1]]
    assert made.receipt.converted["sheet_name"] == 1
    assert libreoffice_csv(made.data, tmp_path) == [["-x003A_-x002F_", "1"]]


@pytest.mark.parametrize("names", [["Orders"], [f"{'A' * 27}{at:04}" for at in range(5000)]])
def test_many_equal_names_take_little_time(names: list[str]) -> None:
    sheets, start = SheetNames(), time.process_time()
    found = [sheets.add(name) for name in names * (10_000 // len(names))]
    assert len({name.casefold() for name in found}) == 10_000
    assert max(map(len, found)) <= 31
    assert time.process_time() - start < 2


def test_a_number_that_was_given_is_skipped() -> None:
    given = ["A", "A (3)", "A", "a", "A (2)", "A"]
    assert named(*given) == ["A", "A (3)", "A (2)", "a (4)", "A (2) (2)", "A (5)"]
