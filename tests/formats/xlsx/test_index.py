from pathlib import Path

import pytest

import streamware as sw
from readers import libreoffice_csv, ooxml_errors, openpyxl_book
from streamware.formats.xlsx.index import index_sheet
from streamware.formats.xlsx.styles import Styles
from workbooks import workbook

SHEETS = ["Orders", "it's <&>", "Empty"]


def sheets() -> list[sw.Sheet]:
    return [
        sw.Sheet(name, [{"id": n} for n in range(rows)], columns=["id"])
        for name, rows in zip(SHEETS, (3, 1, 0), strict=True)
    ]


@pytest.mark.slow
def test_an_index_lists_the_sheets_and_their_rows(tmp_path: Path) -> None:
    made = workbook(sheets(), sw.Xlsx(index=True))
    assert made.names == ["Index", *SHEETS]
    assert made.rows("Index") == [["Orders", 3], ["it's <&>", 1], ["Empty", 0]]
    assert ooxml_errors(made.data, tmp_path) == []
    assert libreoffice_csv(made.data, tmp_path) == [
        ["Orders", "3"],
        ["it's <&>", "1"],
        ["Empty", "0"],
    ]


def test_each_name_leads_to_its_sheet() -> None:
    index = openpyxl_book(workbook(sheets(), sw.Xlsx(index=True)).data).worksheets[0]
    assert [cell.hyperlink.location for cell in index["A"]] == [
        "'Orders'!A1",
        "'it''s <&>'!A1",
        "'Empty'!A1",
    ]


def test_the_index_is_what_one_sees_first() -> None:
    book = openpyxl_book(workbook(sheets(), sw.Xlsx(index=True)).data)
    assert book.active.title == "Index"
    assert [sheet.sheet_view.tabSelected for sheet in book.worksheets[1:]] == [None] * 3


def test_the_index_has_the_name_that_was_asked_for() -> None:
    assert workbook(sheets(), sw.Xlsx(index="Inhalt")).names == ["Inhalt", *SHEETS]


def test_a_sheet_of_that_name_gets_another_one() -> None:
    made = workbook([sw.Sheet("index", [(1,)])], sw.Xlsx(index=True))
    assert made.names == ["Index", "index (2)"]
    assert made.rows("Index") == [["index (2)", 1]]


def test_names_of_the_sheets_belong_to_them_still() -> None:
    made = workbook(sheets(), sw.Xlsx(index=True))
    book = openpyxl_book(made.data)
    assert [sheet.auto_filter.ref for sheet in book.worksheets] == [None, "A1:A4", "A1:A2", "A1:A1"]
    assert [sheet.print_title_rows for sheet in book.worksheets] == [
        None,
        "$1:$1",
        "$1:$1",
        "$1:$1",
    ]


def test_a_sheet_that_went_on_is_listed_with_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamware.formats.xlsx.workbook.MAX_ROWS", 3)
    made = workbook([{"id": n} for n in range(5)], sw.Xlsx(index=True))
    assert made.rows("Index") == [["Sheet1", 2], ["Sheet1 (2)", 2], ["Sheet1 (3)", 1]]


def test_only_so_many_have_links_as_a_sheet_can_have() -> None:
    xml = index_sheet([("a", 1)] * 65_533, Styles())
    assert xml.count(b"<hyperlink ") == 65_530
    assert xml.count(b"<row ") == 65_533


def test_an_index_of_nothing_is_a_sheet() -> None:
    assert b"hyperlink" not in index_sheet([], Styles())
