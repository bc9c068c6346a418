# ruff: noqa: DTZ001 - date-times without a zone are what is tested
"""Cells: whatever they hold, the XML is sound and the same in whatever batches they came."""

import xml.etree.ElementTree as ET
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamware as sw
from drive import written
from readers import calamine_names
from workbooks import Workbook, one, workbook

VALUES: list[Any] = [
    *(None, "", "text", "https://x/{}", " two  blanks\n ", 7, -0.5, 1e300, 10**20, Decimal("1.5")),
    *(True, False, date(2024, 2, 29), datetime(2024, 2, 29, 1, 2, 3, 4), time(1, 2, 3, 4)),
    *(timedelta(hours=-30), timedelta(days=2), sw.Formula("A1*2", 4), sw.Formula("A1&B1", "<x>")),
    *(sw.Formula("[1]S!A1", 5), sw.Formula("A1"), date(1066, 10, 14), [1], b"x"),
]
STYLE = sw.Style(bold=True, format="0.00", border="double", font="Courier New", size=12)
CELLS = [
    sw.Cell(value, style, url, note)
    for value in VALUES
    for style, url, note in ((STYLE, None, None), (None, "#S!A1", None), (None, None, "a\n<note>"))
]


def content(made: Workbook) -> str:
    return made.parts["content.xml"].decode()


@pytest.mark.slow
@given(st.lists(st.integers(1, 30), max_size=6))
def test_equal_rows_give_equal_bytes_in_any_batches(sizes: list[int]) -> None:
    columns = [sw.Column(0), sw.Column(1, url="https://x/{}?a&b"), sw.Column(2, total="count")]
    rows = [(cell, cell.value, cell) for cell in CELLS]
    values = sw.Values(nested="json")
    form = sw.Ods(autofilter=False)
    whole = written(form, columns, rows, [], values)
    assert whole.error is None
    # Widths are sampled from the first batch, which is never this short.
    fixed = [sw.Column(c.key, url=c.url, total=c.total, width=10) for c in columns]
    assert written(form, fixed, rows, sizes, values) == written(form, fixed, rows, [], values)


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_styled_value_is_the_same_value(value: object) -> None:
    plain = workbook([(value, 1)], "ods")
    styled = workbook([(sw.Cell(value, STYLE, "https://x/", "a note"), 1)], "ods")
    assert styled.rows() == plain.rows()
    assert "a note" in content(styled)


@pytest.mark.parametrize(
    ("value", "formula"),
    [
        (5, 'HYPERLINK("https://x/5";5)'),
        (1e300, 'HYPERLINK("https://x/1e%2B300";1E+300)'),
        (True, 'HYPERLINK("https://x/true";TRUE())'),
        ('a "b" &<c>', 'HYPERLINK("https://x/a%20%22b%22%20%26%3Cc%3E";"a ""b"" &<c>")'),
        (" a\n", 'HYPERLINK("https://x/%20a%0A";" a\n")'),
        (date(2024, 1, 1), 'HYPERLINK("https://x/2024-01-01";45292.0)'),
        (time(6, 30, 0, 5), 'HYPERLINK("https://x/06%3A30%3A00.000005";0.2708333333912037)'),
        (timedelta(hours=36), 'HYPERLINK("https://x/P1DT12H";1.5)'),
    ],
    ids=repr,
)
@pytest.mark.parametrize(
    "beside", [[], [None, ""], ["x", 1, None]], ids=["alone", "sparse", "mixed"]
)
def test_a_column_of_links_has_formulas_that_keep_the_kind(
    value: object, formula: str, beside: list[object]
) -> None:
    rows = [(value, "end"), *((other, "end") for other in beside)]
    made = workbook(rows, "ods", columns=[sw.Column(0, url="https://x/{}"), sw.Column(1)])
    table = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
    cell = next(ET.fromstring(content(made)).iter(f"{table}table-cell"))
    assert cell.get(f"{table}formula") == f"of:={formula}"
    assert made.rows() == workbook(rows, "ods").rows()
    assert made.converted == {}


@pytest.mark.parametrize("beside", [[], [None], [1]], ids=["alone", "sparse", "mixed"])
def test_links_that_spreadsheets_refuse_are_counted(beside: list[object]) -> None:
    rows = [("x" * 300,), *((other,) for other in beside), (sw.Formula("A1", "x"),)]
    made = workbook(rows, "ods", columns=[sw.Column(0, url="https://x/{}")])
    assert made.converted == {"url": 2}
    assert one(sw.Cell(None, url="https://x"), "ods").converted == {"link": 1}


def test_a_text_with_a_url_is_a_link_in_each_line() -> None:
    made = one(sw.Cell("a\nb", url="#'Other one'!B2"), "ods")
    link = '<text:a xlink:type="simple" xlink:href="#\'Other one\'.B2">'
    assert f"<text:p>{link}a</text:a></text:p><text:p>{link}b</text:a></text:p>" in content(made)


def test_equal_styles_are_one_and_plain_cells_have_none() -> None:
    made = workbook([(sw.Cell(n, sw.Style(italic=True)), n) for n in range(3)], "ods")
    assert content(made).count('table:style-name="s') == 3
    assert made.parts["styles.xml"].count(b'fo:font-style="italic"') == 1


def test_numbers_that_are_too_long_for_an_address_are_counted() -> None:
    made = workbook([(10**9,)], "ods", columns=[sw.Column(0, url="https://x/" * 24 + "abcdef{}")])
    assert (made.rows(), made.converted) == ([[10**9]], {"url": 1})
    long = workbook([("😀" * 20,), ("é" * 130,)], "ods", columns=[sw.Column(0, url="x{}")])
    assert long.converted == {"url": 1}


def test_every_look_of_a_cell_is_in_its_style() -> None:
    style = sw.Style(
        valign="center", underline=True, color="#112233", font="Name, of a font", wrap=True
    )
    styles = one(sw.Cell("x", style), "ods").parts["styles.xml"].decode()
    assert 'style:vertical-align="middle"' in styles
    assert 'fo:wrap-option="wrap"' in styles
    assert "fo:font-family=\"'Name, of a font'\"" in styles
    assert 'fo:color="#112233"' in styles


TEXT = st.text(max_size=20)


@pytest.mark.slow
@given(TEXT, TEXT, TEXT, TEXT, TEXT)
def test_any_text_anywhere_makes_a_valid_document(
    title: str, note: str, url: str, name: str, text: str
) -> None:
    column = sw.Column(0, title, note=note, format="0.0")
    cell = sw.Cell(text, sw.Style(bold=True), url, note)
    options = sw.Ods(title_rows=[title, [cell, text]], title=title, author=text, company=note)
    made = workbook([sw.Sheet(name, [(cell,), (sw.Formula("A1&B1", text),)], [column])], options)
    for part in list(made.parts)[1:]:
        ET.fromstring(made.parts[part])
    assert len(calamine_names(made.data)) == 1


@pytest.mark.parametrize("others", [0, 3])
@pytest.mark.parametrize("microsecond", [500_000, 999_499, 999_999])
def test_the_end_of_a_day_is_not_shown_as_the_next_day(microsecond: int, others: int) -> None:
    moment = datetime(2024, 1, 31, 23, 59, 59, microsecond)
    made = workbook([(moment,), *[(datetime(2024, 1, 1, 12, 0, 0, 250_000),)] * others], "ods")
    assert made.rows()[0] == [datetime(2024, 1, 31, 23, 59, 59)]
    assert made.converted == {"end_of_day": 1}
