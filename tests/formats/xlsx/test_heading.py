from datetime import date
from pathlib import Path
from typing import Any

import pytest

import streamware as sw
from readers import libreoffice_csv, ooxml_errors, openpyxl_book
from workbooks import MAIN, Workbook, workbook

ROWS = [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]


def titled(*rows: Any, **options: Any) -> Workbook:
    return workbook(ROWS, sw.Xlsx(title_rows=rows, **options))


def sheet(made: Workbook) -> Any:
    return openpyxl_book(made.data).worksheets[0]


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"compact": True}, {"strings": "shared"}], ids=str)
def test_title_rows_are_above_the_header(options: dict[str, Any], tmp_path: Path) -> None:
    made = titled("Orders & <more>", ["Day", date(2024, 5, 17)], **options)
    assert made.rows() == [
        ["Orders & <more>", ""],
        ["Day", date(2024, 5, 17)],
        ["id", "name"],
        [1, "a"],
        [2, "b"],
    ]
    assert ooxml_errors(made.data, tmp_path) == []
    assert libreoffice_csv(made.data, tmp_path)[:3] == [
        ["Orders & <more>", ""],
        ["Day", "2024-05-17"],
        ["id", "name"],
    ]


def test_a_text_takes_the_width_of_the_table_and_is_bold() -> None:
    found = sheet(titled("Orders", ["not", "merged"], "Again"))
    assert sorted(map(str, found.merged_cells.ranges)) == ["A1:B1", "A3:B3"]
    assert (found["A1"].font.b, found["A1"].font.sz) == (True, 14)
    assert found["A2"].font.b is False


def test_one_column_is_merged_with_none() -> None:
    made = workbook([{"id": 1}], sw.Xlsx(title_rows=["Orders"]))
    assert b"mergeCell" not in made.parts["xl/worksheets/sheet1.xml"]


def test_a_title_row_may_be_empty() -> None:
    found = sheet(titled("Orders", [], "", ["a"]))
    assert [cell.value for cell in found["A"]] == ["Orders", None, None, "a", "id", 1, 2]
    assert list(map(str, found.merged_cells.ranges)) == ["A1:B1"]


def test_a_cell_above_may_be_all_that_a_cell_may(tmp_path: Path) -> None:
    made = titled(
        [
            sw.Cell("styled", style=sw.Style(italic=True)),
            sw.Cell("link", url="https://a/"),
            sw.Cell("noted", note="by hand"),
            None,
            sw.Formula("=1+1", 2),
            1.5,
        ]
    )
    found = sheet(made)
    assert found["A1"].font.i is True
    assert found["B1"].hyperlink.target == "https://a/"
    assert found["C1"].comment.text == "by hand"
    assert found["E1"].value == "=1+1"
    assert found["F1"].value == 1.5
    assert b"fullCalcOnLoad" in made.parts["xl/workbook.xml"]
    assert ooxml_errors(made.data, tmp_path) == []


def test_a_cell_above_that_has_no_place_is_an_error() -> None:
    with pytest.raises(sw.CellError, match="row 2, column title row: a value of type object"):
        titled("Orders", [object()])


@pytest.mark.slow
def test_a_title_row_may_be_as_wide_as_a_sheet_and_no_wider() -> None:
    assert len(titled(list(range(16_384))).rows()[0]) == 16_384
    with pytest.raises(sw.LimitError, match="cells of a title row"):
        titled([1] * 16_385)


def test_rows_without_titles_may_have_title_rows() -> None:
    made = workbook([(1, 2)], sw.Xlsx(title_rows=["Orders"]))
    assert made.rows() == [["Orders", ""], [1, 2]]
    assert sheet(made).auto_filter.ref is None
    assert sheet(made).freeze_panes is None


def test_title_rows_are_repeated_where_a_sheet_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamware.formats.xlsx.workbook.MAX_ROWS", 4)
    made = workbook([{"id": n} for n in range(5)], sw.Xlsx(title_rows=["Orders"]))
    assert [made.rows(name) for name in made.names] == [
        [["Orders"], ["id"], [0], [1]],
        [["Orders"], ["id"], [2], [3]],
        [["Orders"], ["id"], [4]],
    ]


# The header


def test_the_header_has_the_style_that_was_asked_for(tmp_path: Path) -> None:
    style = sw.Style(italic=True, color="#FFFFFF", background="#4472C4", border="thin")
    made = workbook(ROWS, sw.Xlsx(header=style))
    cell = sheet(made)["B1"]
    assert (cell.font.b, cell.font.i) == (False, True)
    assert cell.fill.fgColor.rgb == "FF4472C4"
    assert ooxml_errors(made.data, tmp_path) == []


def test_the_header_is_aligned_as_its_column() -> None:
    columns = [sw.Column("id", align="right"), sw.Column("name")]
    found = sheet(workbook(ROWS, columns=columns))
    assert [cell.alignment.horizontal for cell in found[1]] == ["right", None]
    header = sw.Style(align="center")
    found = sheet(workbook(ROWS, sw.Xlsx(header=header), columns=columns))
    assert [cell.alignment.horizontal for cell in found[1]] == ["center", "center"]


def test_a_plain_header_has_no_style() -> None:
    made = workbook(ROWS, sw.Xlsx(header=sw.Style()))
    row = made.sheet().find(f"{MAIN}sheetData/{MAIN}row")
    assert row is not None
    assert [cell.get("s") for cell in row] == [None, None]


def test_the_header_is_in_the_table_of_shared_strings() -> None:
    made = workbook(ROWS, sw.Xlsx(strings="shared"))
    assert b"inlineStr" not in made.parts["xl/worksheets/sheet1.xml"]
    assert made.parts["xl/sharedStrings.xml"].index(b"name") < made.parts[
        "xl/sharedStrings.xml"
    ].index(b"<t>a<")


def test_a_note_that_has_no_room_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamware.formats.xlsx.notes.MAX_NOTES", 1)
    columns = [sw.Column("id", note="a"), sw.Column("name", note="b")]
    made = workbook(ROWS, columns=columns)
    assert [cell.comment is not None for cell in sheet(made)[1]] == [True, False]
    assert made.converted == {"note": 1}
