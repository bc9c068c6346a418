"""What surrounds the rows of a sheet, as LibreOffice has it when it has opened the file."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

import streamware as sw
from readers import calamine_names, libreoffice_book
from workbooks import Workbook, workbook

COLUMNS = [
    sw.Column("id", "No.", note="The number\nof the order"),
    sw.Column("name", "Name", url="https://example.com/{}?a=1&b", wrap=True, width=20),
    sw.Column("amount", "Amount", format="money:EUR", total="sum", align="left"),
    sw.Column("share", "Share", format="percent", total="average", rules=[sw.ColorScale()]),
    sw.Column("count", rules=[sw.DataBar()], validation=sw.Validation(choices=["=a", 'b "c"'])),
    sw.Column("secret", hidden=True),
    sw.Column("took", "Took", total="sum"),
    sw.Column(
        "day",
        "Day",
        total="count",
        rules=[sw.Condition("between", date(2024, 1, 3), date(2024, 1, 5), sw.Style(bold=True))],
    ),
    sw.Column(
        "whole",
        rules=[sw.Condition("<>", "=A4"), sw.Condition("=", "x")],
        validation=sw.Validation(kind="whole", comparison=">", value=7, message="no", strict=False),
    ),
    sw.Column(
        "last",
        validation=sw.Validation(kind="length", value=1, other=5, title="Length", message="!"),
    ),
]
OPTIONS = sw.Ods(
    title_rows=["A report <2024>", ["a", sw.Cell("b", sw.Style(italic=True)), 5]],
    freeze_columns=1,
    zebra="#EEEEEE",
    tab_color="#00FF00",
    zoom=80,
    landscape=True,
    fit_to_width=True,
    protect="a password",
    title="Orders <&>",
    author="J. Doe",
    created=datetime(2024, 5, 17, tzinfo=UTC),
    names={"VAT": "0.19", "Amounts": "Orders!$C$4:$C$11"},
)


def orders() -> Iterator[dict[str, Any]]:
    for at in range(8):
        yield {
            "id": at,
            "name": f'Söhne & <{at}>\nof "q"',
            "amount": Decimal(100 * at),
            "share": at / 10,
            "count": at,
            "secret": "s",
            "took": timedelta(hours=10, minutes=at),
            "day": date(2024, 1, 1) + timedelta(at),
            "whole": sw.Formula(f"=A{at + 4}*2", at * 2),
            "last": sw.Cell("x", sw.Style(background="#FF0000", border="thin"), note="A note"),
        }


@pytest.fixture(scope="module")
def made() -> Workbook:
    linked = [
        (sw.Cell("text", url="https://example.com/?a=1&b=2"), sw.Cell(5, url="#Orders!A1"), "z")
    ]
    sheets = [
        sw.Sheet("Orders", orders(), COLUMNS),
        sw.Sheet("Links", linked, options=sw.SheetOptions(right_to_left=True)),
        sw.Sheet("Table", [(1, 2)], ["a", "b"], options=sw.SheetOptions(table=True)),
    ]
    return workbook(sheets, OPTIONS)


@pytest.fixture(scope="module")
def book(made: Workbook, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return libreoffice_book(made.data, tmp_path_factory.mktemp("ods"), "book.ods")


@pytest.fixture
def sheet(book: Any) -> Any:
    return book["Orders"]


@pytest.mark.slow
def test_title_rows_are_above_the_table(sheet: Any) -> None:
    assert [str(cells) for cells in sheet.merged_cells.ranges] == ["A1:J1"]
    assert (sheet["A1"].value, sheet["A1"].font.b, sheet["A1"].font.sz) == (
        "A report <2024>",
        True,
        14,
    )
    assert [cell.value for cell in sheet[2][:4]] == ["a", "b", 5, None]
    assert (sheet["A2"].font.i, sheet["B2"].font.i) == (False, True)


def test_the_header_is_bold_aligned_and_filtered(sheet: Any) -> None:
    assert [cell.value for cell in sheet[3]][:5] == ["No.", "Name", "Amount", "Share", "count"]
    assert all(cell.font.b for cell in sheet[3])
    assert sheet["C3"].alignment.horizontal == "left"
    assert sheet.auto_filter.ref == "A3:J11"


def test_columns_have_formats_widths_and_alignments(sheet: Any) -> None:
    assert sheet["C5"].number_format == r"#,##0.00\ [$EUR]"
    assert sheet["D5"].number_format == "0.00%"
    assert sheet["C5"].alignment.horizontal == "left"
    assert sheet["B5"].alignment.wrap_text
    assert sheet.column_dimensions["F"].hidden
    assert sheet.column_dimensions["B"].width > 1.5 * sheet.column_dimensions["A"].width


def test_a_column_of_links_is_one_of_formulas(sheet: Any) -> None:
    address = "https://example.com/S%C3%B6hne%20%26%20%3C0%3E%0Aof%20%22q%22?a=1&b"
    assert sheet["B4"].value == f'=HYPERLINK("{address}","Söhne & <0>\nof ""q""")'


def test_links_of_cells_keep_their_kind(book: Any) -> None:
    links = book["Links"]
    assert links["A1"].hyperlink.target == "https://example.com/?a=1&b=2"
    assert links["A1"].value == "text"
    assert links["B1"].value == '=HYPERLINK("#Orders.A1",5)'
    assert links.sheet_view.rightToLeft


def test_cells_look_as_they_say_and_have_notes(sheet: Any) -> None:
    assert sheet["J4"].fill.fgColor.rgb == "FFFF0000"
    assert sheet["J4"].border.top.style == "thin"
    assert sheet["J4"].comment.text == "A note"
    assert sheet["A3"].comment.text == "The number\nof the order"


def test_totals_are_formulas_with_their_values(made: Workbook, sheet: Any) -> None:
    row = [cell.value for cell in sheet[12]]
    assert row[2:4] == ["=SUBTOTAL(109,C4:C11)", "=SUBTOTAL(101,D4:D11)"]
    assert row[6:8] == ["=SUBTOTAL(109,G4:G11)", "=SUBTOTAL(103,H4:H11)"]
    assert sheet["C12"].font.b
    assert sheet["C12"].number_format == sheet["C11"].number_format
    values = made.rows()[11]
    assert [*values[2:4], *values[6:8]] == [2800, 0.35, "PT80H28M00S", 8]


def test_rules_hold_for_the_rows(sheet: Any) -> None:
    found = {
        (str(rules.sqref), rule.type, rule.operator, tuple(rule.formula))
        for rules in sheet.conditional_formatting
        for rule in rules.rules
    }
    assert found == {
        ("D4:D11", "colorScale", None, ()),
        ("E4:E11", "dataBar", None, ()),
        ("H4:H11", "cellIs", "between", ("45294", "45296")),
        ("I4:I11", "cellIs", "notEqual", ("A4",)),
        ("I4:I11", "cellIs", "equal", ('"x"',)),
        ("A4:J11", "expression", None, ("MOD(ROW(),2)=1",)),
    }


def test_columns_have_validations(sheet: Any) -> None:
    found = {
        str(one.sqref): (one.type, one.operator, one.formula1, one.errorStyle, one.error)
        for one in sheet.data_validations.dataValidation
    }
    assert found["E4:E11"][::2] == ("list", '"=a,b "c""', None)
    assert found["I4:I11"] == ("whole", "greaterThan", "7", "warning", "no")
    assert found["J4:J11"] == ("textLength", "between", "1", "stop", "!")


def test_the_page_the_tab_and_the_protection_are_set(sheet: Any) -> None:
    assert sheet.sheet_properties.tabColor.rgb == "FF00FF00"
    assert sheet.page_setup.orientation == "landscape"
    assert (sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight) == (1, 0)
    assert sheet.protection.sheet


def test_a_table_is_striped_and_has_a_name(made: Workbook, book: Any) -> None:
    (rules,) = book["Table"].conditional_formatting
    assert str(rules.sqref) == "A2:B2"
    assert b'table:name="Table3" table:target-range-address="&apos;Table&apos;.A1' in (
        made.parts["content.xml"].replace(b"'", b"&apos;")
    )


def test_names_and_properties_are_those_of_the_document(book: Any) -> None:
    assert book.defined_names["VAT"].attr_text == "0.19"
    assert book.defined_names["Amounts"].attr_text == "Orders!$C$4:$C$11"
    assert (book.properties.title, book.properties.creator) == ("Orders <&>", "J. Doe")


def test_custom_properties_are_called_with_the_receipt() -> None:
    properties: Any = {
        "Rows": lambda receipt: receipt.rows,
        "Query": "a < b",
        "Day": date(2024, 1, 2),
    }
    made = workbook([(1,), (2,)], sw.Ods(company="Söhne", properties=properties))
    root = ET.fromstring(made.parts["meta.xml"])
    meta = "{urn:oasis:names:tc:opendocument:xmlns:meta:1.0}"
    found = {
        one.get(f"{meta}name"): (one.get(f"{meta}value-type"), one.text)
        for one in root.iter(f"{meta}user-defined")
    }
    assert found == {
        "Company": ("string", "Söhne"),
        "Rows": ("float", "2"),
        "Query": ("string", "a < b"),
        "Day": ("date", "2024-01-02"),
    }


def test_the_settings_have_frozen_panes_and_zoom(made: Workbook) -> None:
    root = ET.fromstring(made.parts["settings.xml"])
    config = "{urn:oasis:names:tc:opendocument:xmlns:config:1.0}"
    views = {
        entry.get(f"{config}name"): {item.get(f"{config}name"): item.text for item in entry}
        for tables in root.iter(f"{config}config-item-map-named")
        for entry in tables
    }
    assert views["Orders"] == {
        "HorizontalSplitMode": "2",
        "HorizontalSplitPosition": "1",
        "VerticalSplitMode": "2",
        "VerticalSplitPosition": "3",
        "ActiveSplitRange": "3",
        "PositionRight": "1",
        "PositionBottom": "3",
        "ZoomType": "0",
        "ZoomValue": "80",
    }
    nothing = {"HorizontalSplitMode": "0", "VerticalSplitMode": "0", "ZoomValue": "100"}
    assert nothing.items() <= views["Links"].items()


def test_options_that_come_too_late_are_counted() -> None:
    late = sw.Column(0, validation=sw.Validation(choices=["a"]))
    made = workbook(
        [
            sw.Sheet("One", [(1,)]),
            sw.Sheet("Two", [(1,)], [late], options=sw.SheetOptions(tab_color="#FF0000")),
        ],
        "ods",
    )
    assert made.converted == {"validation": 1, "tab_color": 1}


def test_a_rule_of_the_export_holds_in_every_sheet() -> None:
    column = sw.Column(0, validation=sw.Validation(choices=["a"]), width=33.3)
    made = workbook([sw.Sheet("One", [(1,)]), sw.Sheet("Two", [(1,)])], "ods", columns=[column])
    assert made.parts["content.xml"].count(b'table:content-validation-name="v1"') == 2
    assert made.converted == {}


@pytest.mark.parametrize(
    ("options", "columns", "message"),
    [
        ({"table": True}, ["a", "A"], r"sheet 'S': the title 'A' occurs twice in a table"),
        ({}, [sw.Column("a", total="sum")], r"sheet 'S', row 1, column a: text has no sum"),
        (
            {},
            [sw.Column("a", rules=[sw.Condition(">", "=Table1[x]")])],
            "sheet 'S', column a: the formula of a rule has no translation for ODF",
        ),
    ],
)
def test_errors_name_the_sheet_and_the_column(options: Any, columns: Any, message: str) -> None:
    with pytest.raises(sw.EncodeError, match=message):
        workbook([sw.Sheet("S", [{"a": "text", "A": 1}], columns)], sw.Ods(**options))


def test_a_sheet_without_rows_has_a_header_and_totals_of_nothing() -> None:
    made = workbook([], "ods", columns=[sw.Column("a", total="sum"), "b"])
    assert made.rows() == [["a", "b"], ["", ""], [0, ""]]


@pytest.mark.parametrize("rows", [[], [()], [(None,)], [("",)]], ids=repr)
def test_a_sheet_without_columns_is_a_sheet(rows: Any) -> None:
    assert calamine_names(workbook(rows, "ods").data) == ["Sheet1"]


@pytest.mark.parametrize("days", [999_999, -999_999])
def test_a_sum_beyond_all_durations_is_a_number(days: int) -> None:
    took = [(timedelta(days=days),)] * 3000
    made = workbook(took, "ods", columns=[sw.Column(0, "took", total="sum")])
    total = made.parts["content.xml"].decode().rpartition("<table:table-cell ")[2]
    assert f'office:value-type="float" office:value="{days * 3000.0!r}"' in total


def test_an_average_is_not_beyond_the_calendar() -> None:
    days = [(datetime.max,)] * 3  # noqa: DTZ901 - a wall clock's
    made = workbook(days, "ods", columns=[sw.Column(0, "day", total="average")])
    total = made.parts["content.xml"].decode().rpartition("<table:table-cell ")[2]
    assert 'office:date-value="9999-12-31T23:59:59' in total


def test_an_empty_note_is_not_written() -> None:
    columns = [sw.Column(0, "a", note=""), sw.Column(1, "b")]
    cells = [None, 5, "text", sw.Formula("A1"), sw.Formula("A1", 5)]
    rows = [(1, sw.Cell(cell, note="")) for cell in cells]
    made = workbook(rows, "ods", columns=columns)
    assert b"annotation" not in made.parts["content.xml"]


@pytest.mark.parametrize("template", ["https://x/{}", "{}"])
@pytest.mark.parametrize("rows", [[("https://x/",), ("",)], [("",), (None,)], [(None,)]], ids=str)
def test_a_receipt_does_not_count_links_that_are_written(template: str, rows: Any) -> None:
    made = workbook(rows, "ods", columns=[sw.Column(0, url=template)])
    assert dict(made.receipt.converted) == {}
