import io
import re
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path
from typing import Any

import pytest

import streamware as sw
from readers import libreoffice_csv, ooxml_errors, openpyxl_book, zip_parts
from streamware.formats.xlsx import table
from streamware.formats.xlsx.area import Area
from workbooks import MAIN, Workbook, workbook

ROWS = [{"id": n, "name": f"n{n}", "amount": n / 10} for n in range(20)]


def only(made: Workbook) -> Any:
    (found,) = openpyxl_book(made.data).worksheets[0].tables.values()
    return found


def test_a_table_has_header_and_rows(tmp_path: Path) -> None:
    made = workbook(ROWS, sw.Xlsx(table=True))
    found = only(made)
    assert (found.displayName, found.ref, found.autoFilter.ref) == ("Table1", "A1:C21", "A1:C21")
    assert found.column_names == ["id", "name", "amount"]
    assert found.tableStyleInfo.name == "TableStyleMedium2"
    assert ooxml_errors(made.data, tmp_path) == []


def test_a_table_is_below_the_title_rows() -> None:
    assert only(workbook(ROWS, sw.Xlsx(table=True, title_rows=["a", "b"]))).ref == "A3:C23"


def test_a_table_has_the_style_that_was_asked_for() -> None:
    found = only(workbook(ROWS, sw.Xlsx(table="TableStyleLight9")))
    assert found.tableStyleInfo.name == "TableStyleLight9"


def test_a_table_filters_by_itself() -> None:
    made = workbook(ROWS, sw.Xlsx(table=True))
    assert openpyxl_book(made.data).worksheets[0].auto_filter.ref is None
    assert b"_FilterDatabase" not in made.parts["xl/workbook.xml"]
    assert only(workbook(ROWS, sw.Xlsx(table=True, autofilter=False))).autoFilter is None


def test_a_table_without_rows_has_an_empty_one(tmp_path: Path) -> None:
    made = workbook([], sw.Xlsx(table=True), columns=["id", "name"])
    assert only(made).ref == "A1:B2"
    assert ooxml_errors(made.data, tmp_path) == []


def test_every_sheet_has_a_table_of_its_own(tmp_path: Path) -> None:
    made = workbook([sw.Sheet(name, ROWS) for name in "abc"], sw.Xlsx(table=True))
    tables = [list(sheet.tables) for sheet in openpyxl_book(made.data).worksheets]
    assert tables == [["Table1"], ["Table2"], ["Table3"]]
    assert ooxml_errors(made.data, tmp_path) == []


@pytest.mark.parametrize("shared", [False, True], ids=["inline", "shared"])
def test_titles_of_a_table_are_those_of_the_header(tmp_path: Path, *, shared: bool) -> None:
    titles = ["two\nlines", "<a> & \"b\" 'c'", "_x0041_", "[#]@", "tab\there", "注文😀", " a "]
    made = workbook(
        [range(len(titles))],
        sw.Xlsx(table=True, strings="shared" if shared else "inline"),
        columns=[sw.Column(at, title) for at, title in enumerate(titles)],
    )
    assert ooxml_errors(made.data, tmp_path) == []
    part = ET.fromstring(made.parts["xl/tables/table1.xml"])
    named = [item.attrib["name"] for item in part.iter(f"{MAIN}tableColumn")]
    assert named == [
        "two_x000a_lines",
        titles[1],
        "_x005F_x0041_",
        "[#]@",
        "tab_x0009_here",
        "注文😀",
        " a ",
    ]
    assert made.rows()[0] == titles


def test_a_table_whose_titles_repeat_is_refused_before_the_first_byte() -> None:
    pulled = []

    def rows() -> Any:
        for n in range(1000):
            pulled.append(n)
            yield (n, n)

    columns = [sw.Column(0, "a"), sw.Column(1, "a")]
    with (
        pytest.raises(sw.EncodeError),
        sw.encode(rows(), sw.Xlsx(table=True), columns=columns) as made,
    ):
        next(made)
    assert len(pulled) < 100


# Its totals


def totalled(**options: Any) -> Workbook:
    columns = [
        sw.Column("id", "No. [#]", total="count"),
        sw.Column("name"),
        sw.Column("amount", "Amount's\n@", total="sum"),
    ]
    return workbook(ROWS, sw.Xlsx(table=True, **options), columns=columns)


def test_totals_are_the_last_row_of_a_table(tmp_path: Path) -> None:
    made = totalled()
    found = only(made)
    assert (found.ref, found.autoFilter.ref, found.totalsRowCount) == ("A1:C22", "A1:C21", 1)
    functions = [column.totalsRowFunction for column in found.tableColumns]
    assert functions == ["count", None, "sum"]
    assert made.rows()[-1] == [20, "", 19]
    assert ooxml_errors(made.data, tmp_path) == []


def without_values(data: bytes) -> bytes:
    """The workbook with every formula's cached value taken out, so that a reader calculates."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, part in zip_parts(data).items():
            archive.writestr(name, re.sub(rb"(</f>)<v>[^<]*</v>", rb"\1", part))
    return out.getvalue()


@pytest.mark.slow
def test_libreoffice_calculates_the_totals_of_a_table(tmp_path: Path) -> None:
    data = without_values(totalled().data)
    assert libreoffice_csv(data, tmp_path)[-1] == ["20", "", "19"]


def test_a_table_without_numbers_has_no_average(tmp_path: Path) -> None:
    columns = [sw.Column("id", total="average"), sw.Column("name", total="count")]
    made = workbook([], sw.Xlsx(table=True), columns=columns)
    functions = [column.totalsRowFunction for column in only(made).tableColumns]
    assert functions == [None, "count"]
    assert only(made).ref == "A1:B3"
    assert ooxml_errors(made.data, tmp_path) == []


def test_marks_in_a_title_are_escaped_where_a_formula_has_it() -> None:
    assert table.column_reference(3, "a'b[c]#d@e") == "Table3[a''b'[c']'#d'@e]"


def test_a_table_without_functions_has_no_row_of_them() -> None:
    part = ET.fromstring(table.table(1, Area(1, 1, 2), ["a"], style="x", buttons=False))
    assert (part.get("ref"), part.get("totalsRowShown")) == ("A1:A2", "0")
