"""Functions that came after the first edition of the format: their names have a prefix."""

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamware as sw
from readers import libreoffice_csv, ooxml_errors, openpyxl_book
from streamware.formats.spreadsheet.functions import LATER
from streamware.formats.xlsx.functions import prefixed
from workbooks import Workbook, one, workbook

LETTERS = [*'AIFSifsX_.9(")', "'", "[", "]", "!", "\\", ",", " ", "Ä", "\u017f", "\n"]
PIECES = [*LETTERS, "IFS(", "sort(", "_xlfn.", "SUM(", "STDEV.S(", '"IFS("', "'IFS('", "[IFS(]"]


@pytest.mark.parametrize(
    ("formula", "written"),
    [
        ("IFS(A1>1,2)", "_xlfn.IFS(A1>1,2)"),
        ("ifs(A1,Concat(B1))", "_xlfn.IFS(A1,_xlfn.CONCAT(B1))"),
        ("STDEV.S(A1)-STDEV(A1)", "_xlfn.STDEV.S(A1)-STDEV(A1)"),
        ("T.INV.2T(0.1,9)", "_xlfn.T.INV.2T(0.1,9)"),
        ("FORECAST.ETS.STAT(A1)", "_xlfn.FORECAST.ETS.STAT(A1)"),
        ("SORT(FILTER(A:A,B:B))", "_xlfn._xlws.SORT(_xlfn._xlws.FILTER(A:A,B:B))"),
        ("SORTBY(A:A,B:B)", "_xlfn.SORTBY(A:A,B:B)"),
        ("-IFS(1,2)+{1,2}*(DAYS(A1,B1))", "-_xlfn.IFS(1,2)+{1,2}*(_xlfn.DAYS(A1,B1))"),
        ("SUM(A1:INDEX(A:A,XMATCH(1,B:B)))", "SUM(A1:INDEX(A:A,_xlfn.XMATCH(1,B:B)))"),
    ],
)
def test_a_function_of_a_later_excel_has_a_prefix_in_the_file(formula: str, written: str) -> None:
    assert prefixed(formula) == written


@pytest.mark.parametrize(
    "formula",
    [
        *("SUM(A1)", "A1+1", "IF(A1,2)", "IFERROR(A1,2)", "CONCATENATE(A1)", "DAYS360(A1,B1)", ""),
        *("NETWORKDAYS.INTL(A1,B1)", "WORKDAY.INTL(A1,2)", "ISO.CEILING(A1)", "ERROR.TYPE(A1)"),
        *("_xlfn.IFS(A1,2)", "_xlfn._xlws.SORT(A:A)", "_XLFN.IFS(A1,2)"),
        *("MY.IFS(1)", "IFSX(1)", "MY_IFS(1)", "ÄIFS(1)", "IFS.MY(1)", "IFS_(1)", "2IFS(1)"),
        *("Book!IFS(1)", "'a b'!IFS(1)", "[1]!IFS(1)", "IF\u017f(1)", "IFS+1", "IFS (1)", "IFS"),
        *('"IFS("', '"say ""IFS("""', "'IFS('!A1", "'it''s IFS('!A1", '"\'"&"IFS("'),
        *("Table1[IFS(]", "Table1[[#Headers],[IFS(x)]]", "Table1[it'[s IFS(]"),
    ],
)
def test_whatever_else_looks_like_one_stays_as_it_is(formula: str) -> None:
    assert prefixed(formula) == formula


def test_what_stands_between_texts_and_sheets_is_no_text() -> None:
    given = '"IFS("&IFS(1,\'IFS(\'!A1)&""""&IFS(1,2)&Table1[it\'s]&IFS(1,\'x\'!A1)'
    assert prefixed(given).split("_xlfn.IFS(1,") == [
        '"IFS("&',
        '\'IFS(\'!A1)&""""&',
        "2)&Table1[it's]&",
        "'x'!A1)",
    ]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_what_has_its_prefix_gets_no_other(formula: str) -> None:
    once = prefixed(formula)
    assert prefixed(once) == once
    plain = once.replace("_xlfn.", "").replace("_xlws.", "").upper()
    assert plain == formula.replace("_xlfn.", "").upper()


@pytest.mark.parametrize("piece", ["A", "IFS", '"a', "'a", "['", "[", "\"'[", "A.(", "[a'"])
def test_no_formula_takes_long(piece: str) -> None:
    formulas = ["IFS(" + piece * (8000 // len(piece) - odd) for odd in (0, 1)]
    start = time.process_time()
    for formula in formulas:
        prefixed(formula)
    assert time.process_time() - start < 0.05


@pytest.mark.parametrize("name", sorted(LATER))
def test_a_name_is_known_in_any_case(name: str) -> None:
    assert prefixed(f"{name.lower()}(1)") == prefixed(f"{name}(1)")
    assert prefixed(f"{name}(1)").endswith(f".{name}(1)")


# Wherever a workbook has formulas


def cells(made: Workbook) -> list[Any]:
    sheet = openpyxl_book(made.data).worksheets[0]
    return [cell.value for row in sheet.iter_rows() for cell in row]


def test_a_cell_has_it() -> None:
    made = one(sw.Formula('=IFS(A1<2,"a&b<IFS(")', "x"))
    assert cells(made) == ['=_xlfn.IFS(A1<2,"a&b<IFS(")']
    assert made.rows() == [["x"]]


def test_a_cell_of_a_title_row_has_it() -> None:
    above = [[sw.Formula("=CONCAT(A2:A9)")]]
    made = workbook([("x",)], sw.Xlsx(title_rows=above))
    assert cells(made) == ["=_xlfn.CONCAT(A2:A9)", "x"]


def test_a_name_has_it_and_the_option_what_was_given() -> None:
    options = sw.Xlsx(names={"Last": "=XLOOKUP(9,Sheet1!$A:$A,Sheet1!$B:$B)"})
    found = openpyxl_book(workbook([(1,)], options).data).defined_names
    assert found["Last"].attr_text == "_xlfn.XLOOKUP(9,Sheet1!$A:$A,Sheet1!$B:$B)"
    assert options.names == {"Last": "XLOOKUP(9,Sheet1!$A:$A,Sheet1!$B:$B)"}


def test_rules_and_validations_have_it() -> None:
    rule = sw.Condition(">", "=STDEV.S($A:$A)")
    check = sw.Validation(kind="custom", value='=XOR(A1=1,A1="IFS(")')
    made = workbook([(1,)], columns=[sw.Column(0, rules=[rule], validation=check)])
    sheet = openpyxl_book(made.data).worksheets[0]
    ((_, (found,)),) = sheet.conditional_formatting._cf_rules.items()
    assert found.formula == ["_xlfn.STDEV.S($A:$A)"]
    (validation,) = sheet.data_validations.dataValidation
    assert validation.formula1 == '_xlfn.XOR(A1=1,A1="IFS(")'


FORMULAS = [
    ('=IFS(A1>5,"many",TRUE,"few")', "few"),
    ('=CONCAT(A1:B1,"!")', "23!"),
    ('=TEXTJOIN(", ",TRUE,A1:B1,"IFS(")', "2, 3, IFS("),
    ('=MAXIFS(A1:B1,A1:B1,">1")', "3"),
    ('=switch(A1,2,"two","other")', "two"),
    ("=ROUND(STDEV.S(A1:B1),4)", "0.7071"),
    ("=DAYS(B1,A1)+XOR(A1=2,B1=2)", "2"),
]


@pytest.mark.slow
def test_libreoffice_calculates_what_has_it(tmp_path: Path) -> None:
    made = workbook([(2, 3, *(sw.Formula(text) for text, _ in FORMULAS))])
    (shown,) = libreoffice_csv(made.data, tmp_path)
    assert shown == ["2", "3", *(value for _, value in FORMULAS)]
    assert ooxml_errors(made.data, tmp_path) == []
