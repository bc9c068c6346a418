"""CSV and TSV, as the csv module of the standard library reads them."""

import csv
import io
import math
import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamware as sw
from drive import XML_TEXT, column, document
from readers import csv_rows
from streamware.model.columns import Batch, Head

RFC = sw.Csv.profile("rfc4180")
ROW = {"name": 'Zoë "Z", Ltd', "price": 1.5, "paid": True, "day": date(2024, 5, 6), "note": None}


def text(rows: Any, form: sw.Csv, **options: Any) -> str:
    return document(rows, form, **options).data.decode()


# What the options write


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (sw.Csv(), 'name,price,paid,day,note\r\n"Zoë ""Z"", Ltd",1.5,true,2024-05-06,\r\n'),
        (sw.Tsv(), 'name\tprice\tpaid\tday\tnote\r\n"Zoë ""Z"", Ltd"\t1.5\ttrue\t2024-05-06\t\r\n'),
        (sw.Csv(header=False), '"Zoë ""Z"", Ltd",1.5,true,2024-05-06,\r\n'),
        (sw.Csv(header=False, line_end="\n"), '"Zoë ""Z"", Ltd",1.5,true,2024-05-06,\n'),
        (sw.Csv(header=False, bom=True), '\ufeff"Zoë ""Z"", Ltd",1.5,true,2024-05-06,\r\n'),
        (sw.Csv(header=False, null="NULL"), '"Zoë ""Z"", Ltd",1.5,true,2024-05-06,NULL\r\n'),
        (
            sw.Csv(header=False, quoting="text"),
            '"Zoë ""Z"", Ltd",1.5,"true","2024-05-06",\r\n',
        ),
        (
            sw.Csv(header=False, quoting="all", null="-"),
            '"Zoë ""Z"", Ltd","1.5","true","2024-05-06","-"\r\n',
        ),
        (
            sw.Csv(delimiter="|", header=False),
            '"Zoë ""Z"", Ltd"|1.5|true|2024-05-06|\r\n',
        ),
        (
            sw.Csv(delimiter=";", decimal=",", header=False),
            '"Zoë ""Z"", Ltd";1,5;true;2024-05-06;\r\n',
        ),
    ],
)
def test_the_options_decide_what_is_written(form: sw.Csv, expected: str) -> None:
    assert text([ROW], form) == expected


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        ("excel-us", "\ufeffa,b\r\n1.5,'=1\r\n"),
        ("excel-de", "\ufeffa;b\r\n1,5;'=1\r\n"),
        ("rfc4180", "a,b\r\n1.5,=1\r\n"),
        ("machine", "a,b\n1.5,=1\n"),
    ],
)
def test_a_profile_is_named_after_its_reader(profile: str, expected: str) -> None:
    assert text([{"a": 1.5, "b": "=1"}], sw.Csv.profile(profile)) == expected


def test_an_unknown_profile_is_an_error_that_lists_the_profiles() -> None:
    with pytest.raises(
        ValueError, match="one of 'excel-us', 'excel-de', 'rfc4180', 'machine', not "
    ):
        sw.Csv.profile("excel")


# Languages


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("de", "\ufeffa;b\r\n1,5;'=1\r\n"),
        ("de-AT", "\ufeffa;b\r\n1,5;'=1\r\n"),
        ("de_CH", "\ufeffa;b\r\n1.5;'=1\r\n"),
        ("EN-gb", "\ufeffa,b\r\n1.5,'=1\r\n"),
        ("fr", "\ufeffa;b\r\n1,5;'=1\r\n"),
        ("ja", "\ufeffa,b\r\n1.5,'=1\r\n"),
    ],
)
def test_a_language_decides_delimiter_and_decimal_sign(tag: str, expected: str) -> None:
    assert text([{"a": 1.5, "b": "=1"}], sw.Csv(language=tag)) == expected


def test_a_german_file_is_that_of_the_german_profile() -> None:
    form, profile = sw.Csv(language="de"), sw.Csv.profile("excel-de")
    assert text([ROW], form) == text([ROW], profile)
    assert (form.delimiter, form.decimal, form.bom) == (";", ",", True)


def test_a_language_leaves_the_other_options_alone() -> None:
    form = sw.Csv(language="de", line_end="\n", header=False, null="-", quoting="text")
    assert text([ROW], form) == '\ufeff"Zoë ""Z"", Ltd";1,5;"true";"2024-05-06";-\n'


def test_a_tab_stays_a_tab() -> None:
    assert text([{"a": 1.5, "b": "x"}], sw.Tsv(language="de")) == "\ufeffa\tb\r\n1,5\tx\r\n"
    assert sw.Csv(language="de", delimiter="\t").delimiter == "\t"


def encoded(form: sw.Csv, locale: str | None) -> str:
    context = sw.Context(
        values=sw.Values(), limits=sw.Limits(), receipt=sw.Receipt("csv"), locale=locale
    )
    column = sw.Column(0, "a", format="decimal")
    encoder = form.encoder([column, sw.Column(1, "b")], context)
    batch = Batch(Head(None, (column,)), 1, 1, [[1234.5], [date(2024, 5, 6)]])
    return (encoder.start() + encoder.feed(batch)).decode()


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("de", "\ufeffa;b\r\n1234,5;2024-05-06\r\n"),
        ("de-DE", "\ufeffa;b\r\n1234,5;2024-05-06\r\n"),
        ("en", "\ufeffa,b\r\n1234.5,2024-05-06\r\n"),
        ("tlh", "a|b\r\n1234.5|2024-05-06\r\n"),
        (None, "a|b\r\n1234.5|2024-05-06\r\n"),
    ],
)
def test_the_readers_language_decides_if_it_is_known(locale: str | None, expected: str) -> None:
    assert encoded(sw.Csv(language="auto", delimiter="|"), locale) == expected


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("de-DE", "\ufeffa;b\r\n1.234,5;06.05.2024\r\n"),
        ("en", '\ufeffa,b\r\n"1,234.5",5/6/2024\r\n'),
        ("tlh", "a,b\r\n1234.5,2024-05-06\r\n"),
        (None, "a,b\r\n1234.5,2024-05-06\r\n"),
    ],
)
def test_dates_and_numbers_are_localized_for_the_reader(locale: str | None, expected: str) -> None:
    assert encoded(sw.Csv(language="auto", localized=True), locale) == expected


def test_only_an_automatic_language_has_languages_to_choose_from() -> None:
    assert sw.Csv().languages is None
    assert sw.Csv(language="de").languages is None
    assert "de-CH" in (sw.Csv(language="auto").languages or ())
    assert "de-AT" not in (sw.Csv(language="auto").languages or ())
    assert "de-AT" in (sw.Csv(language="auto", localized=True).languages or ())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"language": "tlh"}, "language must be a known tag such as 'de-CH', not 'tlh'"),
        ({"language": ""}, "not ''"),
        ({"language": "Deutsch"}, "not 'Deutsch'"),
        ({"language": "tlh", "localized": True}, "not 'tlh'"),
        ({"localized": True}, "localized=True needs a language such as 'de-CH', or 'auto'"),
        ({"language": "auto", "null": ";"}, "null must contain no quote"),
        ({"language": "de", "null": ";"}, "null must contain no quote"),
    ],
)
def test_a_wrong_language_is_an_error_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        sw.Csv(**options)


# What needs quotes


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("plain", "plain"),
        (" blanks ", " blanks "),
        ("a,b", '"a,b"'),
        ('a"b', '"a""b"'),
        ('"', '""""'),
        ("a\nb", '"a\nb"'),
        ("a\rb", '"a\rb"'),
        ("a;b", "a;b"),
        ("a\tb", "a\tb"),
        ("\ufeff", "\ufeff"),
        ("。", "。"),
    ],
)
@pytest.mark.parametrize("beside", ["x", "x,y", ","])
def test_only_cells_that_need_quotes_have_them(cell: str, expected: str, beside: str) -> None:
    lines = text([(cell, 1), (beside, 2)], sw.Csv())
    assert lines.startswith(f"{expected},1\r\n")


def test_an_empty_cell_alone_in_its_row_is_not_a_blank_line() -> None:
    data = document([("",), (None,), ("x",)], columns=[""]).data
    assert data == b'""\r\n""\r\n""\r\nx\r\n'
    assert csv_rows(data) == [[""], [""], [""], ["x"]]


def test_quotes_distinguish_text_from_numbers() -> None:
    rows = [("1", 1, 1.5), ("x", None, 2)]
    data = text(rows, sw.Csv(quoting="text", null="0"))
    reader = csv.reader(io.StringIO(data, newline=""), quoting=csv.QUOTE_NONNUMERIC)
    assert list(reader) == [["1", 1.0, 1.5], ["x", 0.0, 2.0]]


@pytest.mark.parametrize(
    "cells",
    [
        [1.5, "1.5", Decimal("-0.25"), 1e22, datetime(2024, 5, 6, 7, 8, 9, 500)],  # noqa: DTZ001
        [1.5, Decimal("1E+3"), None, math.nan],
    ],
)
def test_only_numbers_have_a_decimal_comma(cells: list[Any]) -> None:
    plain = csv_rows(column(cells, sw.Csv(delimiter=";")).data, ";")
    comma = csv_rows(column(cells, sw.Csv(delimiter=";", decimal=",")).data, ";")
    numbers = [isinstance(cell, (float, Decimal)) for cell in cells]
    assert [row[0] for row in comma[1:]] == [
        row[0].replace(".", ",") if number else row[0]
        for row, number in zip(plain[1:], numbers, strict=True)
    ]


# Titles


def test_titles_are_quoted_and_guarded_like_cells() -> None:
    written = document([], columns=["a,b", "=1", 'x"y', "\x00"])
    assert written.data == '"a,b",\'=1,"x""y",\ufffd\r\n'.encode()
    assert written.converted == {"formula_text": 1, "forbidden": 1}


def test_titles_can_be_refused_like_cells() -> None:
    with pytest.raises(sw.CellError, match=r"a title in the header: .* starts like a formula"):
        document([], columns=["=1"], values=sw.Values(formula_text="error"))


# What comes out is what went in


@pytest.mark.parametrize(
    ("form", "delimiter"),
    [
        (RFC, ","),
        (sw.Csv.profile("machine"), ","),
        (sw.Csv(guard=False, delimiter=";", quoting="text"), ";"),
        (sw.Csv(guard=False, delimiter="|", quoting="all"), "|"),
        (sw.Csv(guard=False, delimiter=" "), " "),
        (sw.Tsv(guard=False), "\t"),
    ],
)
@given(rows=st.lists(st.tuples(XML_TEXT, XML_TEXT)), titles=st.tuples(XML_TEXT, XML_TEXT))
def test_text_survives(form: sw.Csv, delimiter: str, rows: list[Any], titles: Any) -> None:
    columns = [sw.Column(at, title) for at, title in enumerate(titles)]
    data = document(rows, form, columns=columns).data
    assert csv_rows(data, delimiter) == [list(titles), *map(list, rows)]


@given(st.lists(XML_TEXT, min_size=1))
def test_guarded_text_never_starts_a_formula(cells: list[str]) -> None:
    found = [row[0] for row in csv_rows(column(cells).data)[1:]]
    for text, cell in zip(found, cells, strict=True):
        assert text.replace("'", "") == cell.replace("'", "")  # anything else stays as it is
    assert not any(text.startswith(("=", "@", "\t", "\r")) for text in found)


@given(st.lists(st.tuples(st.integers(), st.floats(allow_nan=False, allow_infinity=False))))
def test_numbers_survive(rows: list[Any]) -> None:
    found = csv_rows(document(rows, RFC).data)
    assert [(int(whole), float(number)) for whole, number in found] == rows


@given(st.lists(st.decimals(allow_nan=False, allow_infinity=False)))
def test_decimals_keep_their_digits(cells: list[Decimal]) -> None:
    found = csv_rows(column(cells, RFC).data)[1:]
    assert [Decimal(row[0]).as_tuple() for row in found] == [cell.as_tuple() for cell in cells]


@given(st.lists(st.tuples(st.dates(), st.datetimes(), st.times())))
def test_dates_survive(rows: list[Any]) -> None:
    found = csv_rows(document(rows, RFC).data)
    assert [
        (date.fromisoformat(day), datetime.fromisoformat(moment), clock)
        for day, moment, clock in found
    ] == [(day, moment, clock.isoformat()) for day, moment, clock in rows]


# What cannot be


@pytest.mark.parametrize(
    "delimiter",
    ["", ",,", '"', "\r", "\n", "\x1f", "a", "7", ".", "-", "+", ":", "_", "'", "€"],
)
def test_a_delimiter_is_one_character_that_no_unquoted_cell_has(delimiter: str) -> None:
    with pytest.raises(ValueError, match="delimiter must be one character"):
        sw.Csv(delimiter=delimiter)


def test_an_option_of_the_wrong_type_is_refused() -> None:
    with pytest.raises(TypeError, match="delimiter must be a str, not int"):
        sw.Csv(delimiter=5)  # type: ignore[arg-type]  # the point


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"decimal": ","}, "decimal and delimiter must differ; both are ','"),
        ({"decimal": "x"}, "decimal must be '.' or ',', not 'x'"),
        ({"quoting": "none"}, "quoting must be 'minimal', 'text' or 'all', not 'none'"),
        ({"line_end": "\r"}, r"line_end must be '\\r\\n' or '\\n', not '\\r'"),
        ({"null": "a,b"}, "null must contain no .*, but is 'a,b'"),
        ({"null": '"'}, "null must contain no quote, line break or delimiter"),
        ({"null": "\n"}, "null must contain no quote, line break or delimiter"),
    ],
)
def test_a_wrong_option_is_an_error_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sw.Csv(**options)


def test_options_are_values() -> None:
    assert sw.Csv(bom=True) == sw.Csv(bom=True) != sw.Csv()
    assert hash(sw.Csv()) == hash(sw.Csv())
    assert sw.Tsv() != sw.Csv(delimiter="\t")


def test_a_language_tag_has_at_most_35_characters() -> None:
    assert sw.Csv(language="de" + "-abcdefgh" * 3).language == "de"
    with pytest.raises(ValueError, match="language must have at most 35 characters, not 38"):
        sw.Csv(language="de" + "-abcdefgh" * 4)


def test_a_readers_language_that_is_too_long_is_not_known() -> None:
    plain = encoded(sw.Csv(language="auto"), None)
    assert encoded(sw.Csv(language="auto"), "de" + "-abcdefgh" * 4) == plain
    assert encoded(sw.Csv(language="auto"), "de" + "-abcdefgh" * 3) != plain


# Very many columns


def wide(cell: object, at: int, row: int, **options: Any) -> list[list[str]]:
    """Rows of 3,000 cells, one of which is `cell`, as a CSV reader sees them."""
    rows: list[list[object]] = [
        [n * k if k % 3 else f"t{k}" for k in range(3000)] for n in range(9)
    ]
    rows[row][at] = cell
    return csv_rows(b"".join(sw.encode(rows, "csv", **options)))


def test_very_wide_rows_are_written_like_others() -> None:
    expected = [[str(n * k) if k % 3 else f"t{k}" for k in range(3000)] for n in range(9)]
    expected[7][1000] = 'a,"b'
    assert wide('a,"b', 1000, 7) == expected
    expected[7][1000] = "'=1"
    assert wide("=1", 1000, 7) == expected
    expected[7][1000] = ""
    assert wide(None, 1000, 7) == expected
    expected[7][1000] = "1"
    assert wide(sw.Cell(1, note="a"), 1000, 7) == expected


def test_a_wrong_cell_of_a_very_wide_row_is_named() -> None:
    with pytest.raises(sw.CellError, match="row 8, column 1001: a value of type object"):
        wide(object(), 1000, 7)
    with pytest.raises(sw.CellError, match="row 2, column 3000: a value of type float"):
        wide(float("nan"), 2999, 1, values=sw.Values(non_finite="error"))


def test_very_wide_rows_of_different_widths_are_filled_or_refused() -> None:
    short = [tuple(range(1000)), tuple(range(900)), tuple(range(1000))]
    found = csv_rows(b"".join(sw.encode(short, "csv")))
    assert [len([cell for cell in row if cell]) for row in found] == [1000, 900, 1000]
    with pytest.raises(sw.EncodeError, match="row 2 must have at most 1000 cells, not 1001"):
        b"".join(sw.encode([tuple(range(1000)), tuple(range(1001))], "csv"))
