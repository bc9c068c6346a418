# ruff: noqa: DTZ001 - date-times without a zone are what is tested
"""Widths: LibreOffice, which prints ### for what has no room, prints none."""

import subprocess
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from unicodedata import east_asian_width

import pytest

import readers
import streamware as sw
from streamware.formats.spreadsheet.column_style import ColumnStyle
from streamware.formats.spreadsheet.width import (
    column_widths,
    least_width,
    number_width,
    sampled_width,
    text_width,
    title_widths,
)
from streamware.values.column_formatter import FormattedColumn
from streamware.values.kinds import Kind
from workbooks import workbook

COLUMNS = [
    *(sw.Column(kind, kind=kind) for kind in ("date", "datetime", "time", "duration")),
    sw.Column("aware", kind="datetime"),
    *(sw.Column(code, format=code) for code in ("decimal", "money:EUR", "percent", "0.00")),
    sw.Column("long", format="dddd, d mmmm yyyy"),
    sw.Column("short", format="d.m.yyyy"),
]
LAST = {
    "date": date(2024, 12, 31),
    "datetime": datetime(2024, 12, 31, 23, 59, 59),
    "time": time(23, 59, 59),
    "duration": timedelta(hours=99, minutes=59),
    "aware": datetime(2024, 12, 31, 23, 59, 59, tzinfo=UTC),
    "decimal": 123456789.5,
    "money:EUR": 12345678.5,
    "percent": 1,
    "0.00": 98765432.25,
    "long": date(2024, 9, 25),
    "short": date(2024, 12, 31),
}


def printed(data: bytes, extension: str, tmp_path: Path) -> str:
    """The text of the pages that LibreOffice prints."""
    pdf = readers._converted(data, tmp_path, f"book{extension}", "pdf")
    program = readers._program("pdftotext")
    found = subprocess.run(
        [program, "-layout", "-", "-"], input=pdf, capture_output=True, timeout=60, check=True
    )
    return found.stdout.decode()


@pytest.mark.slow
@pytest.mark.parametrize("form", [sw.Xlsx(), sw.Ods()], ids=["xlsx", "ods"])
def test_what_comes_after_the_first_rows_has_room(form: Any, tmp_path: Path) -> None:
    rows = [dict.fromkeys(LAST)] * 40 + [LAST]
    text = printed(workbook(rows, form, columns=COLUMNS).data, form.extension, tmp_path)
    assert "#" not in text
    assert "2024-12-31 23:59:59 UTC" in text
    assert "Wednesday, 25 September 2024" in text


@pytest.mark.slow
@pytest.mark.parametrize("form", [sw.Xlsx, sw.Ods], ids=["xlsx", "ods"])
def test_what_is_no_text_in_a_title_row_has_room(form: Any, tmp_path: Path) -> None:
    large = sw.Cell(1234567, sw.Style(format="money:EUR", bold=True, size=16))
    above = ["All of it", [date(2024, 5, 17), "a text that goes on and on", None, large]]
    made = workbook([{"a": 1, "b": 2, "c": 3, "d": 4}], form(title_rows=above))
    text = printed(made.data, form.extension, tmp_path)
    assert "#" not in text
    assert "2024-05-17" in text
    assert "1,234,567.00 EUR" in text


@pytest.mark.slow
@pytest.mark.parametrize("form", ["xlsx", "ods"])
def test_a_cells_own_format_has_room(form: str, tmp_path: Path) -> None:
    cell = sw.Cell(1234567, sw.Style(format="money:EUR"))
    made = workbook([(cell,)], form)
    assert "1,234,567.00 EUR" in printed(made.data, "." + form, tmp_path)


@pytest.mark.parametrize(
    ("text", "width"),
    [("", 0), ("abc", 3), ("Söhne", 5), ("東京", 4), ("東京 a", 6), ("カ", 2), ("ｶ", 1)],
)
def test_a_character_of_east_asia_counts_twice(text: str, width: int) -> None:
    assert text_width(text) == width


@pytest.mark.slow
@pytest.mark.parametrize("form", ["xlsx", "ods"])
def test_titles_and_texts_of_east_asia_have_room(form: str, tmp_path: Path) -> None:
    rows = [{"x": "東京都" * 8, "顧客の名前" * 4: "a"}]
    made = workbook(rows, form)
    sheet = readers.libreoffice_book(made.data, tmp_path, f"book.{form}").worksheets[0]
    widths = sheet.column_dimensions
    assert widths["A"].width == pytest.approx(49, rel=0.15)
    assert widths["B"].width == pytest.approx(43, rel=0.15)


@pytest.mark.parametrize(
    ("code", "number", "width"),
    [
        ("yyyy-mm-dd", 0, 10),
        ("d.m.yy", 0, 8),
        ("dddd, d mmmm yyyy", 0, 28),
        ("[h]:mm:ss", 0, 9),
        ("General", 5, 7),
        ("#,##0.00", 1234.5, 8),
        ("", 0, 0),
    ],
)
def test_a_format_shows_so_many_characters(code: str, number: float, width: int) -> None:
    assert number_width(code, number) == width


@pytest.mark.parametrize(
    ("column", "width"),
    [
        ({}, 0),
        ({"kind": "text"}, 0),
        ({"kind": "number"}, 0),
        ({"format": "text"}, 0),
        ({"format": "General"}, 0),
        ({"kind": "date"}, 10),
        ({"kind": "datetime"}, 19),
        ({"kind": "date", "format": "d.m.yy"}, 8),
        ({"format": "#,##0"}, 15),
        ({"format": "money:EUR"}, 18),
        ({"format": "percent"}, 7),
        ({"format": "#,##0%"}, 15),
        ({"format": "0"}, 9),
    ],
)
def test_a_column_that_is_known_has_room_for_its_cells(column: Any, width: int) -> None:
    assert least_width(sw.Column(0, **column)) == width


def test_titles_need_room_only_where_they_are_no_text() -> None:
    rows = [
        "a text",
        [date(2024, 5, 17), "text", 5, None, True],
        [datetime(2024, 5, 17, tzinfo=UTC), sw.Cell(time(1), sw.Style(size=22))],
        [None, None, sw.Cell(sw.Formula("A1", 1234), sw.Style(format="0.00"))],
    ]
    assert title_widths(rows, UTC) == {0: 23, 1: 16, 2: 7, 3: 0, 4: 0}
    assert title_widths([], UTC) == {}


def test_a_width_is_within_reason() -> None:
    assert sampled_width(None, 0, button=True) == 8.43
    assert sampled_width("a" * 20, 5, button=True) == 23
    assert sampled_width("a" * 20, 25, button=False) == 26
    assert sampled_width("東" * 20, 500, button=False) == 60


def test_a_width_that_was_given_is_that_of_the_column() -> None:
    columns = [sw.Column(0, "a", width=7), sw.Column(1, "b"), sw.Column(2, "c")]
    styles = [ColumnStyle.of(column, UTC) for column in columns]
    formatted = [FormattedColumn(Kind.TEXT, [b"x" * size]) for size in (20, 20, 3)]
    options = sw.SheetOptions(title_rows=[[None, None, date(2024, 5, 17)]])
    assert column_widths(columns, styles, formatted, options, UTC) == [7, 21, 11]


def test_no_latin_character_is_wide() -> None:
    wide = [each for each in map(chr, range(0x370)) if east_asian_width(each) in ("W", "F")]
    assert wide == []
    assert text_width("é\u1100") == 3
