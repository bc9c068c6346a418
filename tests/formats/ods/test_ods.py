# ruff: noqa: DTZ001 - date-times without a zone are what is tested
"""ODS, as LibreOffice and calamine read it."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamware as sw
from drive import XML_TEXT
from readers import bsdtar_parts, libreoffice_csv, unzip_complaints
from workbooks import Workbook, workbook

MIXED = {
    "id": 7,
    "text": " two  blanks,\ta tab\nand <a> & line ",
    "price": Decimal("1.10"),
    "share": 1 / 3,
    "day": date(2024, 2, 29),
    "moment": datetime(2024, 2, 29, 23, 59, 58, 250_000),
    "zoned": datetime(2024, 2, 29, 12, tzinfo=UTC),
    "opens": time(8, 30),
    "took": timedelta(hours=30, minutes=1, seconds=2),
    "paid": True,
    "nothing": None,
    "total": sw.Formula("=A2*2", 14),
}


def ods(rows: Any, form: sw.Format | None = None, **options: Any) -> Workbook:
    return workbook(rows, form or sw.Ods(), **options)


def shown(made: Workbook, tmp_path: Path, sheet: int = 1) -> list[list[str]]:
    """What LibreOffice shows on the screen."""
    return libreoffice_csv(made.data, tmp_path, sheet, "book.ods")


# One sheet of mixed values


def test_calamine_reads_each_value_by_its_kind() -> None:
    header, row = ods([MIXED]).rows()
    assert header == list(MIXED)
    assert row == [
        7,
        MIXED["text"],
        1.1,
        1 / 3,
        date(2024, 2, 29),
        datetime(2024, 2, 29, 23, 59, 58, 250_000),
        datetime(2024, 2, 29, 12),
        time(8, 30),
        "PT30H01M02S",
        True,
        "",
        14,
    ]


@pytest.mark.slow
def test_libreoffice_shows_what_was_meant(tmp_path: Path) -> None:
    header, row = shown(ods([MIXED]), tmp_path)
    assert header == list(MIXED)
    assert row == [
        "7",
        MIXED["text"],
        "1.1",
        "0.333333333333333",
        "2024-02-29",
        "2024-02-29 23:59:58",
        "2024-02-29 12:00:00 UTC",
        "08:30:00",
        "30:01:02",
        "TRUE",
        "",
        "14",
    ]


def test_the_media_type_comes_first_and_the_manifest_last() -> None:
    made = ods([MIXED])
    assert list(made.parts) == [
        "mimetype",
        "content.xml",
        "styles.xml",
        "settings.xml",
        "meta.xml",
        "META-INF/manifest.xml",
    ]
    assert made.data[30:84] == b"mimetype" + made.parts["mimetype"]


def test_other_programs_find_no_errors_in_the_zip(tmp_path: Path) -> None:
    made = ods([MIXED])
    assert unzip_complaints(made.data, tmp_path) == ""
    assert bsdtar_parts(made.data, tmp_path) == made.parts


@pytest.mark.parametrize(
    ("value", "read", "converted"),
    [
        (10**15 + 1, "1000000000000001", {"big_int": 1}),
        (Decimal("0.5000000000000000001"), 0.5, {"decimal": 1}),
        (float("nan"), "", {"non_finite": 1}),
        (date(1582, 10, 15), date(1582, 10, 15), {}),
        (date(1582, 10, 14), "1582-10-14", {"early_date": 1}),
        (datetime(1582, 10, 14, 23), "1582-10-14T23:00:00", {"early_date": 1}),
        (datetime(9999, 12, 31, 23), datetime(9999, 12, 31, 23), {}),
        (timedelta(hours=-1.5), "-PT01H30M00S", {}),
        (timedelta(days=10**8), "P100000000D", {"long_duration": 1}),
        (time(1, 2, 3, 4), time(1, 2, 3, 4), {}),
        (time(1, tzinfo=UTC), "01:00:00+00:00", {"aware": 1}),
        ("a\r\nb", "a\nb", {"newline": 1}),
        ("a\x07b", "a\ufffdb", {"forbidden": 1}),
        ("x" * 40_000, "x" * 32_766 + "…", {"long_text": 1}),
        ("=1+1", "=1+1", {}),
        ("", "", {}),
        ({"a": [1, None]}, '{"a":[1,null]}', {"nested": 1}),
    ],
)
@pytest.mark.parametrize("beside", [(), (None,), (object,)], ids=["alone", "sparse", "mixed"])
def test_what_a_spreadsheet_cannot_hold_is_counted(
    value: object, read: object, converted: dict[str, int], beside: tuple[Any, ...]
) -> None:
    others = [("other", 1) if one is object else (one, 1) for one in beside]
    made = ods([(value, 1), *others], values=sw.Values())
    assert made.rows()[0] == [read, 1]
    assert made.converted == converted


@pytest.mark.slow
def test_libreoffice_reads_durations_back(tmp_path: Path) -> None:
    spans = [timedelta(hours=-1.5), timedelta(days=30_000), timedelta(0)]
    column = [sw.Column(0, format="[h]:mm:ss")]
    made = ods([(span,) for span in spans], columns=column)
    assert shown(made, tmp_path) == [["-1:30:00"], ["720000:00:00"], ["0:00:00"]]


@given(st.lists(XML_TEXT, min_size=1, max_size=5))
def test_any_texts_are_read_back(texts: list[str]) -> None:
    made = ods([(text, "end") for text in texts])
    lines = [text.replace("\r\n", "\n").replace("\r", "\n") for text in texts]
    assert made.rows() == [[line, "end"] for line in lines]


@given(st.lists(st.datetimes(datetime(1583, 1, 1)), min_size=1, max_size=3))
def test_any_datetime_keeps_its_microseconds(moments: list[datetime]) -> None:
    assert ods([(moment, 1) for moment in moments]).rows() == [[moment, 1] for moment in moments]


def test_equal_rows_give_equal_bytes_in_any_batches() -> None:
    def rows(pause: float) -> Any:
        for at in range(40):
            style = sw.Style(size=10 + at % 7)
            yield (sw.Cell(at, style), sw.Cell("b", sw.Style(bold=True)), MIXED["text"])

    whole = ods(list(rows(0))).data
    with sw.encode(rows(0), sw.Ods(), flush_interval=1000) as encoding:
        assert b"".join(encoding) == whole


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"sheet": 2026}, "sheet must be a str, not int"),
        ({"title": 1}, "title must be a str, not int"),
        ({"author": ["a"]}, "author must be a str, not list"),
        ({"company": b"a"}, "company must be a str, not bytes"),
        ({"created": "2026-01-01"}, "created must be a datetime, not str"),
        ({"created": date(2026, 1, 1)}, "created must be a datetime, not date"),
        ({"properties": ["a"]}, "properties must be a mapping, not list"),
        ({"names": ["a"]}, "names must be a mapping, not list"),
    ],
)
def test_an_attribute_of_another_type_is_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(TypeError, match=f"^{problem}$"):
        sw.Ods(**options)
