"""Number formats: LibreOffice shows the same in an ODS file as in a workbook of Excel."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import streamware as sw
from readers import libreoffice_csv
from streamware.formats.ods.number_style import number_style
from streamware.formats.ods.parts import opening
from workbooks import workbook

CODES = [
    *("General", "0", "0.00", "#,##0", "#,##0.00", "0%", "0.0%", "0.###", "0.0##", "#.##", "#"),
    *("0.00E+00", "##0.0E+0", "# ?/?", "# ??/??", "# ?/8", "0.0,", '#,##0.0,,"M"', "000-00-0000"),
    *("[$€-407] #,##0.00", "#,##0.00 [$EUR]", "#,##0.00 €", "$#,##0.00", '0 "items <&>"'),
    *("0.00;[Red]-0.00", '0.00;[Red]-0.00;"zero"', '[<100]"small";[>=1000]"big";0', "0;;"),
    *("(0.00)", '"a""b"0', "\\x0", "+0;-0;0", '0.00" "%', "0.0_)", "[Blue]0.0", 'General" kg"'),
    *("_(* #,##0.00_);_(* (#,##0.00)", '0" of "0', "@", '0;-0;0;"text: "@', "[Color10]0"),
    *("yyyy-mm-dd", "d.m.yy", "dd/mm/yyyy", "mmm d, yyyy", "mmmm", "dddd, d mmmm yyyy", "ddd"),
    *("h:mm AM/PM", "hh:mm:ss.00", "[h]:mm", "[mm]:ss", "[ss]", "mm:ss", "m/d", "h", "s", "yy"),
    *(
        'yyyy"年"m"月"',
        "yyyy-mm-dd hh:mm",
        "hh\\h mm\\m",
        "[$-407]mmmm",
        "[$-40C]dddd",
        "[h]:mm:ss",
    ),
]
VALUES = (1234.5678, -0.75, 0, 99.5, 45292.7234, 5_000_000)


def shown(form: sw.Format, folder: Path) -> list[list[str]]:
    columns = [sw.Column(at, format=code) for at, code in enumerate(CODES)]
    rows = [tuple([value] * len(CODES)) for value in VALUES]
    data = workbook(rows, form, columns=columns).data
    return libreoffice_csv(data, folder, 1, f"book{form.extension}")


@pytest.mark.slow
def test_libreoffice_shows_numbers_as_in_a_workbook_of_excel(tmp_path: Path) -> None:
    ours, excels = shown(sw.Ods(), tmp_path), shown(sw.Xlsx(), tmp_path)
    different = [
        (code, value, excel, our)
        for value, row, other in zip(VALUES, excels, ours, strict=True)
        for code, excel, our in zip(CODES, row, other, strict=True)
        if excel != our
    ]
    assert different == []


@pytest.mark.parametrize(
    ("code", "marks"),
    [
        ("0.00", b' office:value-type="float"'),
        ("0.0%", b' office:value-type="percentage"'),
        ("0.00 [$EUR]", b' office:value-type="currency" office:currency="EUR"'),
        ("[$€-407] 0.00", b' office:value-type="float"'),
        ("yyyy", b' office:value-type="float"'),
    ],
)
def test_the_type_of_a_cell_follows_its_number_format(code: str, marks: bytes) -> None:
    assert number_style("N1", code).value_type == marks


def test_a_date_has_no_currency() -> None:
    assert "currency" not in number_style("N1", "[$EUR] yyyy").xml


def test_the_sections_of_a_code_are_styles_that_the_last_one_maps_to() -> None:
    xml = number_style("N1", '0;[Red]-0;"<none>"').xml
    assert xml == (
        '<number:number-style style:name="N1P0" style:volatile="true">'
        '<number:number number:decimal-places="0" number:min-decimal-places="0"'
        ' number:min-integer-digits="1"/></number:number-style>'
        '<number:number-style style:name="N1P1" style:volatile="true">'
        '<style:text-properties fo:color="#FF0000"/><number:text>-</number:text>'
        '<number:number number:decimal-places="0" number:min-decimal-places="0"'
        ' number:min-integer-digits="1"/></number:number-style>'
        '<number:number-style style:name="N1"><number:text>&lt;none&gt;</number:text>'
        '<style:map style:condition="value()&gt;0" style:apply-style-name="N1P0"/>'
        '<style:map style:condition="value()&lt;0" style:apply-style-name="N1P1"/>'
        "</number:number-style>"
    )


PIECES = [
    *("/", "# ?", "?/?", "/10", "0", "#", ".", ",", ";", "1", " ", "%", "@", "E+0", "E-", "h", "m"),
    *("s", "ss.00", "[h]", "AM/PM", "y", "d", "e", "g", "_ ", "* ", '"x"', "\\x", "General"),
    *("[Red]", "[DBNum1]", "[<1]", "[$EUR]", "[$-407]"),
]


@example("/# ?/10[DBNum1]1/E+0")
@given(st.text(max_size=12) | st.lists(st.sampled_from(PIECES), max_size=7).map("".join))
def test_any_code_that_a_column_takes_is_a_style(code: str) -> None:
    try:
        column = sw.Column(0, format=code)
    except ValueError:
        return
    style = number_style("N1", str(column.format))
    ET.fromstring(opening("x", "office", "number", "style", "fo") + style.xml + "</office:x>")
