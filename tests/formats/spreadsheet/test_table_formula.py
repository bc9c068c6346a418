from pathlib import Path
from typing import Any

import pytest
from openpyxl.formula import Tokenizer
from openpyxl.worksheet.formula import ArrayFormula

import streamware as sw
from readers import libreoffice_csv, ooxml_errors
from workbooks import Workbook, workbook

TITLES = ["Price", "No. of items", "It's a [#1] @ home", " led", "Total"]
COLUMNS = [sw.Column(at, title) for at, title in enumerate(TITLES)]


def made_of(formula: str, form: Any = None, **more: Any) -> Workbook:
    rows = [
        (2, 3, 5, 7, sw.Formula(formula, **more)),
        (20, 30, 50, 70, sw.Formula(formula, **more)),
    ]
    return workbook(rows, form or sw.Xlsx(table=True), columns=COLUMNS)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("formula", "written", "values"),
    [
        ("=[@Price]*2", "=Table1[[#This Row],[Price]]*2", [4, 40]),
        ("=[@[No. of items]]", "=Table1[[#This Row],[No. of items]]", [3, 30]),
        ("=[@price]", "=Table1[[#This Row],[Price]]", [2, 20]),
        ("=[@ Price]", "=Table1[[#This Row],[Price]]", [2, 20]),
        ("=[[#This Row],[Price]]", "=Table1[[#This Row],[Price]]", [2, 20]),
        ("=Table1[@Price]", "=Table1[[#This Row],[Price]]", [2, 20]),
        ("=Table1[[#This Row],[Price]]", "=Table1[[#This Row],[Price]]", [2, 20]),
        ("=SUM([Price])", "=SUM(Table1[Price])", [22, 22]),
        (
            "=SUM([@Price]:[@[No. of items]])",
            "=SUM(Table1[[#This Row],[Price]]:Table1[[#This Row],[No. of items]])",
            [5, 50],
        ),
        (
            "=SUM([@[Price]:[No. of items]])",
            "=SUM(Table1[[#This Row],[Price]:[No. of items]])",
            [5, 50],
        ),
        (
            "=[@[It''s a '['#1'] '@ home]]",
            "=Table1[[#This Row],[It''s a '['#1'] '@ home]]",
            [5, 50],
        ),
        ('=[@Price]&"[@Price]"', '=Table1[[#This Row],[Price]]&"[@Price]"', []),
    ],
)
def test_columns_of_the_row_are_written_as_files_have_them(
    formula: str, written: str, values: list[float], tmp_path: Path
) -> None:
    made = made_of(formula)
    assert made.cell("E2").value == made.cell("E3").value == written
    assert Tokenizer(written).items
    assert ooxml_errors(made.data, tmp_path) == []
    if values:
        shown = [row[-1] for row in libreoffice_csv(made.data, tmp_path)[1:]]
        assert [float(each) for each in shown] == values


@pytest.mark.slow
def test_ods_has_the_cells_themselves(tmp_path: Path) -> None:
    for table in (True, False):
        made = made_of("=[@Price]+SUM([@[Price]:[No. of items]])", sw.Ods(table=table))
        content = made.parts["content.xml"].decode()
        assert "of:=[.A2]+SUM([.A2:.B2])" in content
        assert "of:=[.A3]+SUM([.A3:.B3])" in content
        shown = libreoffice_csv(made.data, tmp_path, name="book.ods")
        assert [row[-1] for row in shown[1:]] == ["7", "70"]


def test_each_sheet_has_its_own_table() -> None:
    rows = [(1, sw.Formula("=[@a]"))]
    columns = [sw.Column(0, "a"), sw.Column(1, "b")]
    sheets = [sw.Sheet(name, rows, columns) for name in ("x", "y")]
    made = workbook(sheets, sw.Xlsx(table=True))
    written = [made.sheet(number).findtext(".//{*}f") for number in (1, 2)]
    assert written == ["Table1[[#This Row],[a]]", "Table2[[#This Row],[a]]"]


@pytest.mark.parametrize(
    ("formula", "table", "problem"),
    [
        ("=[@Price]", False, "refers to a column of a table, and the sheet has none; use"),
        ("=SUM([Price])", False, "refers to a column of a table, and the sheet has none; use"),
        ("=[@Cost]", True, "refers to a column that the table does not have"),
        ("=SUM([Cost])", True, "refers to a column that the table does not have; it has: Price, "),
    ],
)
def test_what_is_not_there_is_refused(formula: str, table: bool, problem: str) -> None:
    with pytest.raises(
        sw.EncodeError, match=rf"'Sheet1', row 1, column Total: the formula {problem}"
    ):
        made_of(formula, sw.Xlsx(table=table))


def test_a_title_row_belongs_to_no_row_of_the_table() -> None:
    with pytest.raises(sw.EncodeError, match="row 1, column 1: the formula refers to a column"):
        made_of("=1", sw.Xlsx(table=True, title_rows=[[sw.Formula("=[@Price]")]]))
    made = made_of("=1", sw.Xlsx(table=True, title_rows=[[sw.Formula("=SUM(Table1[Price])")]]))
    assert made.cell("A1").value == "=SUM(Table1[Price])"


# Formulas that Excel would remove


@pytest.mark.parametrize(
    "formula", ["=SUM(A1;B1)", "==A1", "=A1+", '="a', "=(A1", "={SUM(A1:A2)}", "=@A1", "=A1#"]
)
def test_a_formula_that_excel_would_remove_is_an_error_with_its_place(formula: str) -> None:
    with pytest.raises(
        sw.CellError, match=r"sheet 'S', row 2, column Sum: .*; Excel would remove it"
    ) as raised:
        workbook([sw.Sheet("S", [(1,), (sw.Formula(formula),)], [sw.Column(0, "Sum")])], sw.Xlsx())
    assert formula not in str(raised.value)


@pytest.mark.slow
@pytest.mark.parametrize("compact", [False, True])
def test_an_array_formula_is_one(compact: bool, tmp_path: Path) -> None:
    rows = [(2, 3, None), (4, 5, sw.Formula("=SUM(A1:A2*B1:B2)", array=True))]
    made = workbook(rows, sw.Xlsx(compact=compact), columns=[0, 1, 2])
    found = made.cell("C2").value
    assert isinstance(found, ArrayFormula)
    assert (found.ref, found.text) == ("C2", "=SUM(A1:A2*B1:B2)")
    assert ooxml_errors(made.data, tmp_path) == []
    assert libreoffice_csv(made.data, tmp_path)[-1] == ["4", "5", "26"]


@pytest.mark.slow
def test_an_array_formula_of_ods_is_one(tmp_path: Path) -> None:
    rows = [(2, 3, None), (4, 5, sw.Formula("=SUM(A1:A2*B1:B2)", array=True))]
    made = workbook(rows, "ods", columns=[0, 1, 2])
    assert b'number-matrix-columns-spanned="1"' in made.parts["content.xml"]
    assert libreoffice_csv(made.data, tmp_path, name="book.ods")[-1] == ["4", "5", "26"]


def test_array_formulas_have_their_values_styles_and_totals() -> None:
    rows = [(sw.Cell(sw.Formula("=A9", 3, array=True), sw.Style(bold=True)),), (4,)]
    for form in ("xlsx", "ods"):
        made = workbook(rows, form, columns=[sw.Column(0, "n", total="sum", format="0.0")])
        assert made.rows()[1:] == [[3], [4], [7]]


def test_other_formats_have_the_text_of_an_array_formula() -> None:
    made = b"".join(sw.encode([(sw.Formula("=A1", array=True),)], sw.Csv.profile("machine")))
    assert made == b"=A1\n"
