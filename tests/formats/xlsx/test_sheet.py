import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

import streamware as sw
from readers import libreoffice_csv, ooxml_errors, openpyxl_book
from workbooks import MAIN, Workbook, workbook


class Size(Enum):
    LARGE = "L"


def widths(made: Workbook) -> list[float]:
    return [float(item.attrib["width"]) for item in made.sheet().iterfind(f"{MAIN}cols/{MAIN}col")]


def sampled(value: object, **column: Any) -> float:
    made = workbook([(value,)], columns=[sw.Column(0, **column)])
    (width,) = widths(made)
    return width


def worksheet(made: Workbook) -> Any:
    return openpyxl_book(made.data).worksheets[0]


# The header


def test_the_header_is_bold_and_the_rows_are_not() -> None:
    sheet = worksheet(workbook([{"id": 1, "name": "a"}]))
    assert [cell.value for cell in sheet[1]] == ["id", "name"]
    assert [cell.font.b for cell in sheet[1]] == [True, True]
    assert [cell.font.b for cell in sheet[2]] == [False, False]


def test_the_header_stays_in_sight() -> None:
    assert worksheet(workbook([{"id": 1}])).freeze_panes == "A2"


def test_the_header_need_not_stay_in_sight() -> None:
    assert worksheet(workbook([{"id": 1}], sw.Xlsx(freeze=False))).freeze_panes is None


@pytest.mark.parametrize(
    "title",
    [
        pytest.param("<b>\"a\" & 'b'</b>", id="markup"),
        pytest.param(" a ", id="blanks around"),
        pytest.param("two\nlines", id="line end"),
        pytest.param("=1+1", id="equals sign"),
        pytest.param("_x0041_", id="looks escaped"),
        pytest.param("", id="empty"),
        pytest.param("注文😀", id="beyond ASCII"),
    ],
)
def test_a_title_is_read_as_it_was(title: str) -> None:
    made = workbook([{title: 1, "other": 2}])
    assert made.rows() == [[title, "other"], [1, 2]]


def test_a_title_is_cleaned_like_any_text() -> None:
    made = workbook([{"a\x07b\r\nc": 1}])
    assert made.rows()[0] == ["a\ufffdb\nc"]
    assert made.converted == {"forbidden": 1, "newline": 1}


def test_equal_titles_are_both_kept() -> None:
    made = workbook([(1, 2)], columns=[sw.Column(0, "a"), sw.Column(1, "a")])
    assert made.rows() == [["a", "a"], [1, 2]]


def test_rows_without_names_have_no_header() -> None:
    made = workbook([(1, "a"), (2, "b")])
    assert made.rows() == [[1, "a"], [2, "b"]]
    sheet = worksheet(made)
    assert sheet.freeze_panes is None
    assert sheet.auto_filter.ref is None
    assert sheet["A1"].font.b is False


def test_columns_without_rows_are_a_header() -> None:
    made = workbook([], columns=["id", "name"])
    assert made.rows() == [["id", "name"]]
    assert worksheet(made).auto_filter.ref == "A1:B1"


# The autofilter


def names(made: Workbook, wanted: str) -> list[tuple[dict[str, str], str | None]]:
    book = ET.fromstring(made.parts["xl/workbook.xml"])
    found = [(dict(name.attrib), name.text) for name in book.iter(f"{MAIN}definedName")]
    return [(attributes, text) for attributes, text in found if attributes["name"] == wanted]


def filters(made: Workbook) -> list[tuple[dict[str, str], str | None]]:
    return names(made, "_xlnm._FilterDatabase")


def test_the_header_has_filter_buttons_over_all_rows() -> None:
    made = workbook([{"id": n, "name": "a", "day": None} for n in range(100)])
    assert worksheet(made).auto_filter.ref == "A1:C101"
    assert filters(made) == [
        (
            {"name": "_xlnm._FilterDatabase", "localSheetId": "0", "hidden": "1"},
            "'Sheet1'!$A$1:$C$101",
        )
    ]


def test_the_header_need_not_have_filter_buttons() -> None:
    made = workbook([{"id": 1}], sw.Xlsx(autofilter=False))
    assert worksheet(made).auto_filter.ref is None
    assert filters(made) == []


def test_each_sheet_has_a_filter_of_its_own() -> None:
    sheets = [
        sw.Sheet("it's", [{"a": 1}]),
        sw.Sheet("bare", [(1,)]),
        sw.Sheet("b", [{"a": 1, "b": 2}]),
    ]
    assert [
        (attributes["localSheetId"], text) for attributes, text in filters(workbook(sheets))
    ] == [
        ("0", "'it''s'!$A$1:$A$2"),
        ("2", "'b'!$A$1:$B$2"),
    ]


def test_the_header_is_printed_on_every_page() -> None:
    made = workbook([sw.Sheet("it's", [{"a": 1}]), sw.Sheet("bare", [(1,)])])
    found = names(made, "_xlnm.Print_Titles")
    assert found == [({"name": "_xlnm.Print_Titles", "localSheetId": "0"}, "'it''s'!$1:$1")]
    titled = workbook([{"a": 1}], sw.Xlsx(title_rows=["x", "y"], autofilter=False))
    assert worksheet(titled).print_title_rows == "$3:$3"


# Widths


def test_a_width_is_what_was_asked_for() -> None:
    made = workbook([(1, 2)], columns=[sw.Column(0, width=12.5), sw.Column(1, width=255)])
    assert widths(made) == [12.5, 255]


@pytest.mark.parametrize(
    ("value", "width"),
    [
        pytest.param("a" * 30, 31, id="text"),
        pytest.param("a" * 500, 60, id="long text"),
        pytest.param("ab\n" + "c" * 20 + "\nd", 21, id="longest line"),
        pytest.param("ü" * 30, 31, id="beyond ASCII"),
        pytest.param("", 8.43, id="no text"),
        pytest.param(None, 8.43, id="nothing"),
        pytest.param(True, 8.43, id="bool"),
        pytest.param(1, 8.43, id="short number"),
        pytest.param(123456789012345, 16, id="long number"),
        pytest.param(0.1 + 0.2, 20, id="float"),
        pytest.param(Decimal("12345678.901234"), 16, id="Decimal"),
        pytest.param(10**5000, 60, id="number as text"),
        pytest.param(date(2024, 5, 17), 11, id="date"),
        pytest.param(datetime(2024, 5, 17, tzinfo=UTC), 26, id="datetime"),
        pytest.param(time(8, 15, 0, 1), 9, id="time"),
        pytest.param(timedelta(hours=1), 10, id="duration"),
        pytest.param(Size.LARGE, 8.43, id="Enum"),
        pytest.param([1, 2, 3, 4, 5], 12, id="nested"),
        pytest.param(sw.Formula("=SUM(A1:A1000)", 1), 8.43, id="formula"),
    ],
)
def test_a_width_is_sampled_from_what_the_cells_show(value: object, width: float) -> None:
    assert sampled(value) == pytest.approx(width)


def test_a_width_has_room_for_the_title_and_its_button() -> None:
    made = workbook([{"a" * 20: 1}])
    assert widths(made) == [23]
    assert widths(workbook([{"a" * 20: 1}], sw.Xlsx(autofilter=False))) == [20]


def test_a_width_is_sampled_from_converted_values() -> None:
    class Customer:
        def __str__(self) -> str:
            raise AssertionError("nobody asked for its text")

    column = sw.Column(0, convert=lambda customer: "a" * 20)
    assert widths(workbook([(Customer(),)], columns=[column])) == [21]


def test_a_width_is_sampled_from_the_first_rows_only() -> None:
    rows = [("a",)] * 32 + [("a" * 50,)]
    assert widths(workbook(rows)) == [8.43]
    assert widths(workbook(iter(rows))) == [8.43]


def test_cells_of_several_kinds_share_a_width() -> None:
    assert widths(workbook([(1,), (None,), ("a" * 20,), (date(2024, 5, 17),)])) == [21]


def test_a_format_makes_room_for_what_it_shows() -> None:
    assert sampled(date(2024, 5, 17), format="dddd, d mmmm yyyy") == 29


def test_a_hidden_column_is_there_without_being_seen() -> None:
    columns = [sw.Column("a"), sw.Column("b", hidden=True, width=30)]
    made = workbook([{"a": 1, "b": 2}], columns=columns)
    found = worksheet(made).column_dimensions
    assert (found["A"].hidden, found["B"].hidden, found["B"].width) == (False, True, 30)
    assert made.rows() == [["a", "b"], [1, 2]]


# Columns


@pytest.mark.slow
def test_a_sheet_may_have_16384_columns() -> None:
    made = workbook([range(16_384)])
    assert made.rows() == [list(range(16_384))]
    assert made.number("XFD1") == 16_383


def test_more_columns_are_an_error() -> None:
    with pytest.raises(sw.LimitError, match="columns of the sheet") as raised:
        workbook([range(16_385)])
    assert (raised.value.limit, raised.value.actual) == (16_384, 16_385)


def test_rows_without_cells_are_rows() -> None:
    made = workbook([(), ()])
    assert [row.attrib for row in made.sheet().iter(f"{MAIN}row")] == [{"r": "1"}, {"r": "2"}]
    assert made.receipt.rows == 2


@pytest.mark.slow
def test_rows_without_cells_do_no_harm(tmp_path: Path) -> None:
    assert ooxml_errors(workbook([(), ()]).data, tmp_path) == []
    assert ooxml_errors(workbook([]).data, tmp_path) == []


@pytest.mark.slow
def test_a_row_that_is_too_short_has_empty_cells(tmp_path: Path) -> None:
    made = workbook([(1, 2, 3), (4,), ()])
    assert made.rows() == [[1, 2, 3], [4, "", ""]]
    assert libreoffice_csv(made.data, tmp_path)[:2] == [["1", "2", "3"], ["4", "", ""]]


# Every row and cell has its place


@pytest.mark.parametrize("compact", [False, True])
def test_the_elements_of_a_sheet_are_in_the_order_of_the_schema(*, compact: bool) -> None:
    made = workbook([{"a": 1}], sw.Xlsx(compact=compact))
    assert [item.tag.removeprefix(MAIN) for item in made.sheet()] == [
        "dimension",
        "sheetViews",
        "sheetFormatPr",
        "cols",
        "sheetData",
        "autoFilter",
        "pageMargins",
    ]


def test_rows_and_cells_are_referenced() -> None:
    made = workbook([{"a": n, "b": "x"} for n in range(700)])
    rows = list(made.sheet().iter(f"{MAIN}row"))
    assert [row.get("r") for row in rows] == [str(n) for n in range(1, 702)]
    assert [cell.get("r") for cell in rows[-1]] == ["A701", "B701"]


def test_only_the_first_sheet_is_selected() -> None:
    made = workbook([sw.Sheet("a", [(1,)]), sw.Sheet("b", [(1,)])])
    views = [made.sheet(n).find(f"{MAIN}sheetViews/{MAIN}sheetView[@tabSelected]") for n in (1, 2)]
    assert [view is not None for view in views] == [True, False]


# Options of a sheet


def test_a_sheet_may_have_options_of_its_own() -> None:
    made = workbook(
        [
            sw.Sheet("a", [{"x": 1}], options=sw.SheetOptions(freeze=False, tab_color="#FF0000")),
            sw.Sheet("b", [{"x": 1}]),
        ],
        sw.Xlsx(zoom=50),
    )
    first, second = openpyxl_book(made.data).worksheets
    assert (first.freeze_panes, first.sheet_view.zoomScale) == (None, None)
    assert first.sheet_properties.tabColor.rgb == "FFFF0000"
    assert (second.freeze_panes, second.sheet_view.zoomScale) == ("A2", 50)


ALL = sw.Xlsx(
    title_rows=["Orders", ["Day", date(2024, 5, 17), sw.Cell("here", url="https://a/")]],
    header=sw.Style(bold=True, background="#DDEBF7"),
    freeze_columns=1,
    zebra=True,
    tab_color="#4472C4",
    zoom=90,
    landscape=True,
    fit_to_width=True,
    protect=True,
)
COLUMNS = [
    sw.Column("id", "No.", align="left", note="From the shop", total="count"),
    sw.Column("name", wrap=True, validation=sw.Validation(choices=["a", "b"])),
    sw.Column("amount", format="money:EUR", total="sum", rules=[sw.Condition(">", 5)]),
    sw.Column("day", format="dd.mm.yyyy", hidden=True),
]


def orders(count: int) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = [
        {"id": n, "name": f"n{n}", "amount": Decimal(n) / 8, "day": date(2024, 5, 17)}
        for n in range(count)
    ]
    for row in rows[::7]:
        row["name"] = sw.Cell("leads", url=f"https://a/{row['id']}", note="by hand")
    return rows


@pytest.mark.slow
@pytest.mark.parametrize("table", [False, True], ids=["filter", "table"])
@pytest.mark.parametrize("compact", [False, True], ids=["", "compact"])
@pytest.mark.parametrize("count", [0, 1, 40], ids="{} rows".format)
def test_a_sheet_with_everything_is_valid(
    count: int, tmp_path: Path, *, table: bool, compact: bool
) -> None:
    made = workbook(orders(count), replace(ALL, table=table, compact=compact), columns=COLUMNS)
    assert ooxml_errors(made.data, tmp_path) == []
    assert [len(row) for row in made.rows()] == [4] * len(made.rows())
    assert made.rows()[2] == ["No.", "name", "amount", "day"]
    assert made.rows()[-1][0] == count
    assert made.rows()[-1][2] == sum(n / 8 for n in range(count))


@pytest.mark.slow
def test_libreoffice_shows_a_sheet_with_everything(tmp_path: Path) -> None:
    made = workbook(orders(10), replace(ALL, table=True), columns=COLUMNS)
    shown = libreoffice_csv(made.data, tmp_path)
    assert shown[0] == ["Orders", "", "", ""]
    assert shown[3] == ["0", "leads", "0.00 EUR", "17.05.2024"]
    assert shown[-1] == ["10", "", "5.63 EUR", ""]


def test_the_elements_of_a_sheet_with_everything_are_in_the_order_of_the_schema() -> None:
    made = workbook(orders(10), replace(ALL, table=True), columns=COLUMNS)
    assert [item.tag.removeprefix(MAIN) for item in made.sheet()] == [
        "sheetPr",
        "sheetViews",
        "sheetFormatPr",
        "cols",
        "sheetData",
        "sheetProtection",
        "mergeCells",
        "conditionalFormatting",
        "conditionalFormatting",
        "dataValidations",
        "hyperlinks",
        "pageMargins",
        "pageSetup",
        "legacyDrawing",
        "tableParts",
    ]


def test_equal_rows_give_equal_bytes_with_everything() -> None:
    options = replace(ALL, table=True, protect="secret", strings="shared")
    made = [workbook(rows, options, columns=COLUMNS) for rows in (orders(3000), iter(orders(3000)))]
    assert made[0].data == made[1].data


# Where it goes on


@pytest.mark.slow
@pytest.mark.parametrize("table", [False, True], ids=["filter", "table"])
def test_each_part_of_a_sheet_has_all_of_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, table: bool
) -> None:
    monkeypatch.setattr("streamware.formats.xlsx.workbook.MAX_ROWS", 24)  # 3 above, 1 below
    made = workbook(orders(50), replace(ALL, table=table), columns=COLUMNS)
    sheets = openpyxl_book(made.data).worksheets
    assert [sheet.max_row for sheet in sheets] == [24, 24, 14]
    assert [made.rows(name)[-1][0] for name in made.names] == [20, 20, 10]
    assert [made.rows(name)[-1][2] for name in made.names] == [
        sum(n / 8 for n in numbers) for numbers in (range(20), range(20, 40), range(40, 50))
    ]
    assert [sheet.freeze_panes for sheet in sheets] == ["B4"] * 3
    assert [sheet.print_title_rows for sheet in sheets] == ["$3:$3"] * 3
    filters = [
        next(iter(sheet.tables.values())).autoFilter.ref if table else sheet.auto_filter.ref
        for sheet in sheets
    ]
    assert filters == ["A3:D23", "A3:D23", "A3:D13"]
    widths = [[sheet.column_dimensions[letter].width for letter in "ABCD"] for sheet in sheets]
    assert widths[0] == widths[1] == widths[2]
    assert ooxml_errors(made.data, tmp_path) == []


@pytest.mark.slow
def test_rows_that_had_no_room_leave_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("streamware.formats.xlsx.workbook.MAX_SHEET", 40_000)
    made = workbook(orders(900), ALL, columns=COLUMNS)
    assert len(made.names) > 2
    at = 0
    for sheet in openpyxl_book(made.data).worksheets:
        count = sheet.max_row - 4
        assert sheet.cell(sheet.max_row, 1).value == f"=SUBTOTAL(103,A4:A{sheet.max_row - 1})"
        assert made.rows(sheet.title)[-1][2] == sum(n / 8 for n in range(at, at + count))
        linked = [cell.row for cell in sheet["B"] if cell.hyperlink is not None]
        assert linked == [n - at + 4 for n in range(at, at + count) if n % 7 == 0]
        noted = [cell.row for cell in sheet["B"] if cell.comment is not None]
        assert noted == linked
        at += count
    assert at == 900
    assert ooxml_errors(made.data, tmp_path) == []


def test_rows_that_had_no_room_are_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamware.formats.xlsx.workbook.MAX_SHEET", 40_000)
    monkeypatch.setattr("streamware.formats.xlsx.links.MAX_LINKS", 0)
    rows = [(sw.Cell(n, url="https://example.com"), "x" * (n % 3 * 200)) for n in range(900)]
    made = workbook(rows, columns=[sw.Column(0), sw.Column(1, url="https://example.com/{}")])
    assert len(made.names) > 2
    assert made.converted == {"link": 900, "url": 300}
