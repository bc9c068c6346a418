# ruff: noqa: DTZ001 - date-times without a zone are what most tables hold
"""Dates and numbers as languages write them, and LibreOffice, set to them, reads them back."""

import subprocess
import sys
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from babel import Locale
from babel.dates import parse_date
from babel.numbers import parse_decimal
from hypothesis import given
from hypothesis import strategies as st

import streamware as sw
from drive import column, document
from readers import csv_rows, libreoffice_cells
from streamware.formats.language import LANGUAGES
from streamware.formats.localized import LocaleFormatter, languages, with_comma
from streamware.values.kinds import Kind

MOMENT = datetime(2024, 5, 6, 7, 8, 9, 250_000)
TAGS = ["de", "de-CH", "en", "en-GB", "en-KE", "fr", "hi", "hu", "ja", "sr-Latn-RS", "zh-TW"]


def cells(values: list[Any], tag: str, *, kind: str = "decimal") -> list[str]:
    """How a column of that number format is written."""
    form = sw.Csv(language=tag, localized=True)
    columns = [sw.Column(0, "a", format=kind)]
    data = document([(value,) for value in values], form, columns=columns).data
    return [row[0] for row in csv_rows(data, form.delimiter, "utf-8-sig")[1:]]


# Dates


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("de", "06.05.2024"),
        ("de-DE", "06.05.2024"),
        ("en", "5/6/2024"),
        ("en-US", "5/6/2024"),
        ("en-GB", "06/05/2024"),
        ("fr", "06/05/2024"),
        ("fr-CA", "2024-05-06"),
        ("nl", "06-05-2024"),
        ("pl", "6.05.2024"),
        ("ja", "2024/05/06"),
        ("zh-TW", "2024/5/6"),
        ("hu", "2024.05.06"),
        ("hr", "06.05.2024"),
        ("bg", "6.05.2024"),
        ("sr-Latn-RS", "6.5.2024"),
        ("ar-EG", "6/5/2024"),
    ],
)
def test_a_date_is_in_the_order_of_its_language_with_all_digits_of_its_year(
    tag: str, expected: str
) -> None:
    assert cells([date(2024, 5, 6)], tag) == [expected]


@pytest.mark.parametrize("tag", ["ko", "da", "he", "hi", "en-KE", "es-PA", "zh-Hans-SG"])
def test_a_date_that_would_be_misread_is_in_iso_8601(tag: str) -> None:
    assert cells([date(2024, 5, 6)], tag) == ["2024-05-06"]


def test_a_date_time_has_a_blank_and_the_decimal_sign_of_its_language() -> None:
    moments = [MOMENT, datetime(999, 12, 31), datetime(2024, 5, 6, 7, 8, 9, 5)]
    assert cells(moments, "de") == [
        "06.05.2024 07:08:09,25",
        "31.12.0999 00:00:00",
        "06.05.2024 07:08:09,000005",
    ]
    assert cells(moments, "en") == [
        "5/6/2024 07:08:09.25",
        "12/31/0999 00:00:00",
        "5/6/2024 07:08:09.000005",
    ]
    assert cells(moments[1:2], "hi") == ["0999-12-31 00:00:00"]


ZONES = [UTC, timezone(timedelta(hours=-5, minutes=-30)), timezone(timedelta(seconds=3601))]


@pytest.mark.parametrize("zone", ZONES)
def test_an_offset_is_left_out_and_counted(zone: timezone) -> None:
    form = sw.Csv(language="de", localized=True)
    moments = [MOMENT.replace(tzinfo=zone), None, MOMENT.replace(tzinfo=zone, microsecond=0)]
    written = column(moments, form, timezone=zone)
    assert csv_rows(written.data, ";", "utf-8-sig")[1:] == [
        ["06.05.2024 07:08:09,25"],
        [""],
        ["06.05.2024 07:08:09"],
    ]
    assert written.converted == {"offset": 2}


def test_a_time_of_day_keeps_its_24_hours_and_its_offset() -> None:
    times = [time(19, 8), time(0, 0, 0, 500_000), time(1, 2, 3, 4, tzinfo=UTC)]
    assert cells(times, "de") == ["19:08:00", "00:00:00,5", "01:02:03.000004+00:00"]
    assert cells(times[:1], "en") == ["19:08:00"]


# Numbers


@pytest.mark.parametrize(
    ("tag", "grouped", "plain"),
    [
        ("de", "-1.234.567,5", "-1234567,5"),
        ("en", "-1,234,567.5", "-1234567.5"),
        ("en-IN", "-12,34,567.5", "-1234567.5"),
        ("fr", "-1\xa0234\xa0567,5", "-1234567,5"),
        ("pl", "-1\xa0234\xa0567,5", "-1234567,5"),
        ("de-CH", "-1234567.5", "-1234567.5"),
        ("lt", "-1234567,5", "-1234567,5"),
        ("ar", "-1234567.5", "-1234567.5"),
        ("en-KE", "-1234567.5", "-1234567.5"),
    ],
)
def test_digits_are_grouped_if_the_format_has_groups_and_programs_read_them(
    tag: str, grouped: str, plain: str
) -> None:
    assert cells([-1234567.5], tag) == [grouped]
    assert cells([-1234567.5], tag, kind="0.00") == [plain]


def test_no_digit_is_lost_and_an_exponent_stays() -> None:
    numbers = [1, 999, 1000, -999, -1000, 10**15, 0.1, 1234.5678, 1e22, -1.5e-9, Decimal("1E+30")]
    assert cells(numbers, "de") == [
        *("1", "999", "1.000", "-999", "-1.000", "1.000.000.000.000.000"),
        *("0,1", "1.234,5678", "1e+22", "-1,5e-09", "1E+30"),
    ]
    assert cells([10**5000], "de") == ["100" + ".000" * 1666]


@pytest.mark.parametrize(
    ("kind", "grouped"),
    [
        ("decimal", True),
        ("money:EUR", True),
        ("#,##0", True),
        ("0,000", True),
        ("integer", False),
        ("percent", False),
        ("0.00", False),
        ("0,", False),
    ],
)
def test_the_number_format_decides_about_groups(kind: str, *, grouped: bool) -> None:
    assert cells([1234], "de", kind=kind) == ["1.234" if grouped else "1234"]


def test_a_group_separator_that_is_the_delimiter_is_quoted() -> None:
    form = sw.Csv(language="en", localized=True, header=False)
    columns = [sw.Column(0, format="decimal"), sw.Column(1)]
    rows = [(1234, 1), (7, 2), (None, 3), ("a", 4), (1234567.5, 5)]
    assert document(rows, form, columns=columns).data.decode("utf-8-sig") == (
        '"1,234",1\r\n7,2\r\n,3\r\na,4\r\n"1,234,567.5",5\r\n'
    )
    for quoting, expected in (("text", '"1,234",1\r\n'), ("all", '"1,234","1"\r\n')):
        quoted = sw.Csv(language="en", localized=True, header=False, quoting=quoting)  # type: ignore[arg-type]
        data = document(rows[:1], quoted, columns=columns).data
        assert data.decode("utf-8-sig") == expected


@given(st.lists(st.integers() | st.none()), st.sampled_from(["de", "en", "fr", "en-IN", "lt"]))
def test_babel_reads_the_numbers_back(numbers: list[int | None], tag: str) -> None:
    locale = Locale.parse(tag, sep="-")
    found = [
        None
        if cell == ""
        else parse_decimal(cell.replace("\xa0", "\u202f"), locale)
        if tag == "fr"
        else parse_decimal(cell, locale)
        for cell in cells(numbers, tag)
    ]
    assert found == numbers


@given(st.lists(st.dates(min_value=date(1000, 1, 1))), st.sampled_from(["de", "en", "en-GB", "fr"]))
def test_babel_reads_the_dates_back(days: list[date], tag: str) -> None:
    locale = Locale.parse(tag, sep="-")
    assert [parse_date(cell, locale, format="short") for cell in cells(days, tag)] == days


# What is left alone


def test_text_bools_and_durations_stay() -> None:
    values = ["2024-05-06", "1234.5", True, timedelta(days=1, hours=2), "07:08:09"]
    assert cells(values, "de") == ["2024-05-06", "1234.5", "true", "P1DT2H", "07:08:09"]


@pytest.mark.slow
@pytest.mark.parametrize("tag", TAGS)
@given(
    values=st.lists(
        st.none()
        | st.integers()
        | st.floats()
        | st.dates()
        | st.datetimes(timezones=st.none() | st.sampled_from(ZONES))
        | st.times()
        | st.text(max_size=5)
    )
)
def test_a_cell_is_written_the_same_in_any_batch(tag: str, values: list[Any]) -> None:
    alone = [cell for value in values for cell in cells([value], tag)]
    assert cells(values, tag) == alone


def test_a_single_cell_is_rewritten_to_a_single_cell() -> None:
    localized = LocaleFormatter("de", Counter())
    for rewrite in localized.rewrites(grouped=True).values():
        assert len(rewrite([b"2024-05-06T07:08:09"])) == 1


def test_a_comma_replaces_the_decimal_point() -> None:
    assert with_comma([b"1.5", b"2", b"-1.5e-09"]) == [b"1,5", b"2", b"-1,5e-09"]


def test_the_cache_of_dates_is_bounded() -> None:
    localized = LocaleFormatter("de", Counter())
    rewrite = localized.rewrites(grouped=False)[Kind.DATE]
    days = [date(1900, 1, 1) + timedelta(at) for at in range(10_000)]
    assert rewrite([day.isoformat().encode() for day in days]) == [
        day.strftime("%d.%m.%Y").encode() for day in days
    ]
    assert len(localized._dates) <= 4096


# Languages


@pytest.mark.parametrize("tag", ["de", "de-AT", "en-GB", "zh-TW", "zh-Hant-TW", "pt-PT"])
def test_languages_are_those_of_babel(tag: str) -> None:
    assert tag in languages()


@pytest.mark.parametrize("tag", ["tlh", "de-XX", "root", "", "../de", None])
def test_other_languages_are_not_known(tag: str | None) -> None:
    assert tag not in languages()


@pytest.mark.slow
def test_every_language_can_be_written() -> None:
    for tag in LANGUAGES:
        if tag in languages():
            assert cells([date(2024, 12, 31), 1234.5, MOMENT], tag)


def test_babel_is_imported_only_when_it_is_asked_for() -> None:
    code = "import sys, streamware as sw; sw.Csv(language='de'); sys.exit('babel' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_babel_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    languages.cache_clear()
    monkeypatch.setitem(sys.modules, "babel.core", None)
    with pytest.raises(ImportError, match=r"pip install 'streamware-exports\[babel\]'"):
        sw.Csv(language="de", localized=True)
    assert sw.Csv(language="de").decimal == ","


# LibreOffice, set to the language: its numbers are those of Windows ([MS-LCID])

IDENTIFIERS = {
    "de-DE": 1031,
    "de-CH": 2055,
    "en-US": 1033,
    "en-GB": 2057,
    "fr-FR": 1036,
    "hi-IN": 1081,
    "hu-HU": 1038,
    "ja-JP": 1041,
    "ko-KR": 1042,
    "sr-Latn-RS": 9242,
}
VALUES = [
    (-1234567.25, Decimal("1234.5"), 7, date(2024, 5, 6), datetime(2024, 5, 6, 19, 8, 9), "ä;,\t"),
    (0.5, Decimal("-0.25"), 10**6, date(1999, 12, 31), datetime(2001, 2, 3, 4, 5), "=1+1"),
]


@pytest.mark.slow
@pytest.mark.parametrize("tag", IDENTIFIERS)
def test_libreoffice_set_to_the_language_reads_every_value_back(tag: str, tmp_path: Path) -> None:
    form = sw.Csv(language=tag, localized=True)
    columns = [sw.Column(at, f"c{at}", format="decimal") for at in range(6)]
    data = document(VALUES, form, columns=columns).data
    found = libreoffice_cells(data, tmp_path, form.delimiter, IDENTIFIERS[tag])
    expected = [
        [float(a), float(b), c, datetime(*d.timetuple()[:3]), e, f] for a, b, c, d, e, f in VALUES
    ]
    expected[1][5] = "'=1+1"
    assert found == [[f"c{at}" for at in range(6)], *expected]
