import re
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamware as sw
from readers import libreoffice_csv, ooxml_errors
from streamware.model.number_format import code_of, shown_length
from workbooks import workbook


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("integer", "0"),
        ("decimal", "#,##0.00"),
        ("percent", "0.00%"),
        ("date", "yyyy-mm-dd"),
        ("datetime", "yyyy-mm-dd hh:mm:ss"),
        ("time", "hh:mm:ss"),
        ("duration", "[h]:mm:ss"),
        ("text", "@"),
        ("money:EUR", "#,##0.00 [$EUR]"),
        ("money:JPY", "#,##0 [$JPY]"),
        ("money:KWD", "#,##0.000 [$KWD]"),
        ("money:BTC", "#,##0.00 [$BTC]"),  # in no list of currencies
    ],
)
def test_a_name_stands_for_a_code(name: str, code: str) -> None:
    assert code_of(name) == code


@pytest.mark.parametrize(
    "code",
    [
        "General",
        "0",
        "0.0%",
        '0%"of"',
        "0%General",
        "0.00E+00",
        "# ?/?",
        "0.0,,",
        "yyyy-mm-dd hh:mm:ss.000",
        "d. mmmm yyyy",
        "h:mm AM/PM",
        "[h]:mm:ss",
        "[$-407]dddd",
        "[$€-407] #,##0.00",
        "[Red][<0]0;[Color 10]0",
        '"kg" 0',
        '0" [x]"',
        r"0 \k\g",
        r"0\[\]",
        '_-* #,##0.00 "€"_-;-* #,##0.00 "€"_-;_-* "-"?? "€"_-;_-@_-',
        "0;-0;;@",
        "ge.m.d",
        "0" * 255,
        *("0,", "0,000", "#,###", "#,#", "#,0", "#,#0", "0,0.00", "#,##,##0", "#.##", "#,##0.0,,"),
        *(
            "### ### ##0",
            "# ### ##0",
            "00 00 00",
            "000'000",
            '"0,00"',
            "0\\,00",
            '#,##0"."00',
            "dd.mm.yyyy, hh:mm",
            "ss.00",
        ),
    ],
)
def test_a_code_stays_as_it_is(code: str) -> None:
    assert code_of(code) == code
    assert code_of(code_of(code)) == code


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("", "is empty"),
        ("0" * 256, "has 256 characters, and at most 255 are allowed"),
        ("0\n", "has a control character"),
        ("0\ud800", "has a control character"),
        ('0 "kg', "has a quote that is not closed"),
        ("[h:mm", "has a bracket without its pair"),
        ("0]", "has a bracket without its pair"),
        ("[purple]0", r"has \[purple\], which has no meaning in a code"),
        ("[]0", r"has \[\], which has no meaning in a code"),
        ("0\\", "ends with .*, which needs a character after it"),
        ("0_", "ends with '_', which needs a character after it"),
        ("0;0;0;@;0", "has more than four sections"),
        ("0 kg", "has 'kg', which needs quotes"),
        ("money:eur", "is unknown; a currency is written in capital letters: money:EUR"),
        ("money:EURO", "is unknown; a currency is written in capital letters: money:EUR"),
        ("money", "is unknown; a currency is written in capital letters: money:EUR"),
        ("EUR", "is unknown; a currency is written in capital letters: money:EUR"),
        ("eur", "is unknown; a currency is written in capital letters: money:EUR"),
        ("%d.%m.%Y", "has '%d', which only strftime knows; write a date as dd.mm.yyyy"),
        ("%H:%M", "has '%H', which only strftime knows"),
        ("%B %Y", "has '%B', which only strftime knows"),
        ("currency", "has 'currency', which needs quotes"),
        ("ä 0", "has 'ä', which needs quotes"),
    ],
)
def test_what_is_no_code_is_refused(code: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        code_of(code)


@pytest.mark.parametrize(
    ("code", "english"),
    [
        ("0,00", "0.00"),
        ("0,0", "0.0"),
        ("0,##", "0.##"),
        ("0,0#", "0.0#"),
        ("0,###", "0.###"),
        ("0,0000", "0.0000"),
        ("#,00", "#.00"),
        (",00", ".00"),
        ("0,00%", "0.00%"),
        ("0,00E+00", "0.00E+00"),
        ("#.##0", "#,##0"),
        ("#.##0,00 €", "#,##0.00 €"),
        ("0.000,00", "0,000.00"),
        ("#.###.##0,00", "#,###,##0.00"),
        ('#.##0,00 "a.b,c"', '#,##0.00 "a.b,c"'),
        ("[$€-407] #.##0,00;[Red]-#.##0,00", "[$€-407] #,##0.00;[Red]-#,##0.00"),
        ("# ##0,00", "#,##0.00"),
        ("#'##0,00", "#,##0.00"),
        ("#'##0.00", "#,##0.00"),
        ("#\u2019##0.00;-#\u2019##0.00", "#,##0.00;-#,##0.00"),
        ("# ##0", "#,##0"),
        ("#\u202f##0.000 €", "#,##0.000 €"),
        ("#\u202f##0,00", "#,##0.00"),
        ("#,##0,00", "#,##0.00"),
        ("0.00;0,00", "#,##0.00"),
        ("mm:ss,0", "mm:ss.0"),
        ("dd.mm.yyyy hh:mm:ss,000", "dd.mm.yyyy hh:mm:ss.000"),
    ],
)
def test_a_decimal_comma_is_refused_with_the_code_to_write(code: str, english: str) -> None:
    with pytest.raises(ValueError, match=f"; write {re.escape(repr(english))}: in a code"):
        code_of(code)
    assert code_of(english) == english


def test_the_refusal_tells_the_names_there_are() -> None:
    with pytest.raises(ValueError, match=r"or a name: date, datetime, decimal, .* money:EUR"):
        code_of("euro")


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(TypeError, match=r"must be a str such as '0\.00', not int"):
        code_of(0)  # type: ignore[arg-type]


@given(st.text("0#?.,;-+/ ()%@€:hmsydE\"\\_*[]Redx'", max_size=12))
def test_any_code_is_taken_as_it_is_or_refused(code: str) -> None:
    problem = None
    try:
        taken = code_of(code)
    except ValueError as refused:
        taken, problem = code, str(refused)
    assert taken == code
    assert problem is None or repr(code) in problem


@pytest.mark.slow
def test_named_formats_show_what_they_say(tmp_path: Path) -> None:
    formats = ["integer", "decimal", "percent", "money:EUR", "duration", "date"]
    columns = [sw.Column(at, name, format=name) for at, name in enumerate(formats)]
    row = (1234.4, 1234.567, 0.256, 1234.5, timedelta(hours=30), date(2024, 5, 17))
    made = workbook([row], columns=columns)
    assert libreoffice_csv(made.data, tmp_path)[1] == [
        "1234",
        "1,234.57",
        "25.60%",
        "1,234.50 EUR",
        "30:00:00",
        "2024-05-17",
    ]
    assert ooxml_errors(made.data, tmp_path) == []


@pytest.mark.parametrize(
    ("code", "number", "shown"),
    [
        ("#,##0.00 [$EUR]", 1234.5, "1,234.50 EUR"),
        ("#,##0.00 [$€-407]", 10, "10.00 €"),
        ("0.0%", -0.0861, "-8.6%"),
        ("0", 12.3, "12"),
        ("#,##0.00", -1234567.891, "-1,234,567.89"),
        ('0.00" kg"', 3, "3.00 kg"),
        ("[Red]0;-0", 5, "5"),
        ("00000", 42, "00042"),
        ("0.00E+00", 42, "0.00E+00"),
        ("yyyy-mm-dd", 42, "yyyy-mm-dd"),
    ],
)
def test_it_is_known_how_long_a_number_is_shown(code: str, number: float, shown: str) -> None:
    assert shown_length(code, number) == len(shown)


def test_a_code_is_as_long_as_spreadsheets_count() -> None:
    assert code_of('"' + "😀" * 126 + '"')
    with pytest.raises(ValueError, match="has 256 characters, and at most 255 are allowed"):
        code_of('"' + "😀" * 127 + '"')


def test_any_number_of_percent_signs_has_a_length() -> None:
    assert shown_length("0" + "%" * 200, 1.5) > 200
    assert shown_length("0" + "%" * 200, 1e308) > 200
    workbook([(1.5,)], columns=[sw.Column(0, format="0" + "%" * 200)])
