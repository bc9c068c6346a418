# ruff: noqa: DTZ001 - date-times without a zone are what is tested

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamware as sw
import streamware.formats.zip
import streamware.values.numbers
from readers import (
    bsdtar_parts,
    csv_rows,
    libreoffice_csv,
    ooxml_errors,
    openpyxl_book,
    openpyxl_rows,
    unzip_complaints,
    zip_rules,
)
from workbooks import Workbook, workbook

COLUMNS = [
    sw.Column("id", "No."),
    sw.Column("customer", 'Kunde <&> "Söhne"', width=30),
    sw.Column("note"),
    sw.Column("price", format="#,##0.00"),
    sw.Column("share", format='0.0% "of <all> & more"'),
    sw.Column("paid"),
    sw.Column("day"),
    sw.Column("placed", "Placed at"),
    sw.Column("zoned"),
    sw.Column("opens"),
    sw.Column("took"),
    sw.Column("big"),
    sw.Column("mixed"),
    sw.Column("total"),
]


def order(n: int) -> dict[str, object]:
    mixed = (None, 1, "a", True, date(1900, 2, 28), float("nan"), b"\0", [1], "_x0041_", " a ")
    return {
        "id": n,
        "customer": ("Müller & Söhne", "小林 <東京>", "O'Brien 😀", "=1+1")[n % 4],
        "note": None if n % 3 else f'Leave at "{n}",\r\nring twice ',
        "price": Decimal(n * 199) / 100,
        "share": n / 7,
        "paid": n % 2 == 0,
        "day": date(2024, 1, 1) + timedelta(days=n),
        "placed": datetime(2024, 1, 1, 8, 30, n % 60, n),
        "zoned": datetime(2024, 1, 1, n % 24, tzinfo=UTC),
        "opens": time(n % 24, 15),
        "took": timedelta(hours=n, seconds=5),
        "big": 10**15 + n % 2,
        "mixed": mixed[n % len(mixed)],
        "total": sw.Formula(f"=A{n + 2}*2", n * 2),
    }


def everything(**options: Any) -> Workbook:
    """A workbook with something of all that there is."""
    sheets = [
        sw.Sheet("Orders: 2024/25", (order(n) for n in range(500)), columns=COLUMNS),
        sw.Sheet("orders_ 2024_25", [(uuid.UUID(int=1), {"a": [1, None]}, "a\x07b\ud800")]),
        sw.Sheet("'No rows'", [], columns=["a", "b"]),
        sw.Sheet("Nothing", []),
        sw.Sheet("x" * 50, [{"=title": "x" * 40_000, "_x0041_": sw.Formula("1+1")}]),
    ]
    values = sw.Values(timezone=timezone(timedelta(hours=1), 'A "zone" <&>'))
    return workbook(
        sheets,
        sw.Xlsx(
            title="Orders <&>",
            author="J. Doe",
            company="Söhne & Co.",
            created=datetime(2024, 5, 17, tzinfo=UTC),
            **options,
        ),
        values=values,
    )


# A workbook with everything


OPTIONS: list[dict[str, Any]] = [
    {},
    {"compact": True},
    {"freeze": False, "autofilter": False},
    {"compression": "small"},
]


@pytest.mark.slow
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_open_xml_sdk_has_nothing_against_it(options: dict[str, Any], tmp_path: Path) -> None:
    assert ooxml_errors(everything(**options).data, tmp_path) == []


def test_unzip_has_nothing_against_it(tmp_path: Path) -> None:
    assert unzip_complaints(everything().data, tmp_path) == ""


def test_a_reader_of_a_pipe_reads_it(tmp_path: Path) -> None:
    made = everything()
    assert bsdtar_parts(made.data, tmp_path) == made.parts


@pytest.mark.slow
def test_libreoffice_shows_what_was_meant(tmp_path: Path) -> None:
    header, first, second, *rest = libreoffice_csv(everything().data, tmp_path)
    assert header[:4] == ["No.", 'Kunde <&> "Söhne"', "note", "price"]
    assert first == [
        "0",
        "Müller & Söhne",
        'Leave at "0",\nring twice ',
        "0.00",
        "0.0% of <all> & more",
        "TRUE",
        "2024-01-01",
        "2024-01-01 08:30:00",
        "2024-01-01 01:00:00 A 'zone' <&>",
        "00:15:00",
        "0:00:05",
        "1000000000000000",
        "",
        "0",
    ]
    assert second == [
        "1",
        "小林 <東京>",
        "",
        "1.99",
        "14.3% of <all> & more",
        "FALSE",
        "2024-01-02",
        "2024-01-01 08:30:01",
        "2024-01-01 02:00:00 A 'zone' <&>",
        "01:15:00",
        "1:00:05",
        "1000000000000001",
        "1",
        "2",
    ]
    assert len(rest) == 498


@pytest.mark.parametrize("compact", [False, True])
def test_openpyxl_and_calamine_agree(*, compact: bool) -> None:
    made = everything(compact=compact)
    rows = made.rows()
    assert rows[0] == [column.title or column.key for column in COLUMNS]
    assert [row[0] for row in rows[1:]] == list(range(500))
    assert [row[3] for row in rows[1:]] == [n * 199 / 100 for n in range(500)]
    assert [row[13] for row in rows[1:]] == [2 * n for n in range(500)]
    theirs = openpyxl_rows(made.data)
    assert [row[:6] for row in theirs] == [
        [cell if cell != "" else None for cell in row[:6]] for row in rows
    ]


def test_its_receipt_says_what_became_of_it() -> None:
    made = everything()
    assert made.receipt.rows == 502
    assert made.converted == {
        "sheet_name": 4,
        "newline": 167,
        "timezone": 500,
        "big_int": 250,
        "early_date": 50,
        "non_finite": 50,
        "text_of_object": 51,
        "nested": 51,
        "escape": 51,
        "forbidden": 1,
        "long_text": 1,
    }


def test_its_sheets_have_names_that_excel_accepts() -> None:
    assert everything().names == [
        "Orders_ 2024_25",
        "orders_ 2024_25 (2)",
        "No rows",
        "Nothing",
        "x" * 31,
    ]


# Deflate


def test_every_way_to_deflate_gives_the_same_parts() -> None:
    parts = everything().parts
    assert everything(compression="small").parts == parts


@pytest.mark.slow
def test_without_isal_the_parts_are_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("isal")
    fast = everything()
    monkeypatch.setattr(streamware.formats.zip, "isal_zlib", None)
    found = everything()
    assert found.data != fast.data
    assert found.parts == fast.parts
    assert ooxml_errors(found.data, tmp_path) == []


def test_without_isal_and_orjson_the_parts_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = everything().parts
    monkeypatch.setattr(streamware.formats.zip, "isal_zlib", None)
    monkeypatch.setattr(streamware.values.numbers, "orjson", None)
    assert everything().parts == parts


def test_small_is_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamware.formats.zip, "isal_zlib", None)
    assert len(everything(compression="small").data) < len(everything().data)


def test_equal_rows_give_equal_bytes() -> None:
    assert everything().data == everything().data


# Options


def test_document_properties_are_read_as_given() -> None:
    properties = openpyxl_book(everything().data).properties
    assert (properties.title, properties.creator) == ("Orders <&>", "J. Doe")
    assert properties.created == datetime(2024, 5, 17)


def test_the_sheet_has_the_name_that_was_given() -> None:
    assert workbook([(1,)], sw.Xlsx(sheet="Orders")).names == ["Orders"]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"compression": "best"}, "compression must be 'fast' or 'small', not 'best'"),
        ({"strings": "table"}, "strings must be 'inline' or 'shared', not 'table'"),
    ],
    ids=str,
)
def test_an_option_that_does_not_exist_is_an_error(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        sw.Xlsx(**options)


def test_it_says_what_it_is() -> None:
    assert (sw.Xlsx.name, sw.Xlsx.extension) == ("xlsx", ".xlsx")
    assert sw.Xlsx.media_type.endswith("spreadsheetml.sheet")
    assert (sw.Xlsx.several_sheets, sw.Xlsx.self_terminating, sw.Xlsx.compressible) == (
        True,
        True,
        False,
    )


# Rows of every shape and kind


async def test_asynchronous_rows_give_the_same_workbook() -> None:
    async def rows() -> AsyncIterator[dict[str, object]]:
        for n in range(100):
            yield order(n)

    made = [chunk async for chunk in sw.aencode(rows(), "xlsx", columns=COLUMNS)]
    zip_rules(b"".join(made))
    assert b"".join(made) == workbook((order(n) for n in range(100)), columns=COLUMNS).data


CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**15), 10**15),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20),
    st.dates(date(1900, 3, 1)),
)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=40))
def test_any_table_is_read_as_it_was(table: list[tuple[object, ...]]) -> None:
    rows = [("first", "second", "third"), *table]
    found = workbook(rows).rows()
    expected = [["" if cell is None else cell for cell in row] for row in rows]
    assert found + [[""] * 3] * (len(rows) - len(found)) == expected


@pytest.mark.slow
def test_libreoffice_and_csv_show_the_same_table(tmp_path: Path) -> None:
    rows = [
        {
            "id": n,
            "text": f'"{n}", <&>;\n ü ',
            "price": n / 4,
            "day": date(2024, 1, 1 + n),
            "none": None,
        }
        for n in range(30)
    ]
    ours = csv_rows(b"".join(sw.encode(rows, "csv")))
    shown = libreoffice_csv(workbook(rows).data, tmp_path)
    assert [[*row[:2], float(row[2]), *row[3:]] for row in shown[1:]] == [
        [*row[:2], float(row[2]), *row[3:]] for row in ours[1:]
    ]


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
        ({"compact": "yes"}, "compact must be True or False, not str"),
        ({"index": 1}, "index must be True, False or a name, not int"),
    ],
)
def test_an_attribute_of_another_type_is_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(TypeError, match=f"^{problem}$"):
        sw.Xlsx(**options)
