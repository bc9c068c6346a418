import io
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import streamware as sw
import streamware.formats.xlsx.workbook
from readers import libreoffice_csv, ooxml_errors, zip_rules
from streamware.formats.xlsx.workbook import XlsxEncoder
from streamware.model.columns import Batch, Head
from workbooks import MAIN, Workbook, workbook

HEAD = Head("Orders", (sw.Column(0, "id"), sw.Column(1, "name")))


@pytest.fixture
def max_rows(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    module = streamware.formats.xlsx.workbook
    return lambda rows: monkeypatch.setattr(module, "MAX_ROWS", rows)


@pytest.fixture
def max_sheet(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    module = streamware.formats.xlsx.workbook
    return lambda size: monkeypatch.setattr(module, "MAX_SHEET", size)


def encoder(options: sw.Xlsx | None = None) -> XlsxEncoder:
    receipt = sw.Receipt("xlsx")
    context = sw.Context(values=sw.Values(), limits=sw.Limits(), receipt=receipt)
    return (options or sw.Xlsx()).encoder(HEAD.columns, context)


def batch(start: int, stop: int) -> Batch:
    numbers = range(start, stop)
    return Batch(HEAD, start + 1, len(numbers), [list(numbers), [f"n{n}" for n in numbers]])


def all_rows(made: Workbook) -> list[list[Any]]:
    """The data rows of every sheet, one after the other; every sheet has the same header."""
    found: list[list[Any]] = []
    headers = []
    for name in made.names:
        header, *rows = made.rows(name)
        headers.append(header)
        found += rows
    assert all(header == headers[0] for header in headers)
    return found


# Parts


def test_the_parts_are_in_the_order_that_excel_is_known_to_open() -> None:
    made = workbook([sw.Sheet("a", [{"x": 1}]), sw.Sheet("b", [{"x": 1}])])
    assert list(made.parts) == [
        "_rels/.rels",
        "docProps/core.xml",
        "docProps/app.xml",
        "xl/worksheets/sheet1.xml",
        "xl/worksheets/sheet2.xml",
        "xl/styles.xml",
        "xl/workbook.xml",
        "xl/_rels/workbook.xml.rels",
        "[Content_Types].xml",
    ]


@pytest.mark.slow
def test_a_workbook_without_rows_has_an_empty_sheet(tmp_path: Path) -> None:
    made = workbook([])
    assert made.names == ["Sheet1"]
    assert made.rows() == []
    assert ooxml_errors(made.data, tmp_path) == []
    assert libreoffice_csv(made.data, tmp_path) in ([], [[]])


def test_an_encoder_that_was_fed_nothing_has_a_header() -> None:
    making = encoder()
    data = making.start() + b"".join(making.finish())
    zip_rules(data)
    assert Workbook(data, sw.Receipt("xlsx")).rows() == [["id", "name"]]


def test_a_sheet_without_rows_has_its_header() -> None:
    made = workbook([sw.Sheet("a", [], columns=["x", "y"]), sw.Sheet("b", [(1,)])])
    assert made.rows("a") == [["x", "y"]]
    assert made.rows("b") == [[1]]


# Several sheets


def test_each_sheet_has_its_own_name_columns_and_rows() -> None:
    made = workbook(
        [
            sw.Sheet("Orders", [{"id": 1, "total": 1.5}]),
            sw.Sheet("Customers", iter([("a", "b"), ("c", "d")]), columns=["x", "y"]),
            sw.Sheet("Bare", [(True,)]),
        ]
    )
    assert made.names == ["Orders", "Customers", "Bare"]
    assert made.rows("Orders") == [["id", "total"], [1, 1.5]]
    assert made.rows("Customers") == [["x", "y"], ["a", "b"], ["c", "d"]]
    assert made.rows("Bare") == [[True]]
    assert made.receipt.rows == 4


def test_sheets_may_share_number_formats() -> None:
    column = sw.Column(0, "n", format="0.000")
    made = workbook([sw.Sheet(name, [(1,)], columns=[column]) for name in "ab"])
    styles = [made.sheet(n).findall(f".//{MAIN}c")[-1].get("s") for n in (1, 2)]
    assert styles == ["2", "2"]


def test_names_that_excel_refuses_are_cleaned_and_counted() -> None:
    names = ["Orders", "orders", "a/b", "a:b", "'quoted'", "x" * 40, ""]
    made = workbook([sw.Sheet(name, [(1,)]) for name in names], sw.Xlsx(sheet="Default"))
    assert made.names == ["Orders", "orders (2)", "a_b", "a_b (2)", "quoted", "x" * 31, "Default"]
    assert made.converted == {"sheet_name": 5}


def test_a_name_that_comes_twice_is_counted_once() -> None:
    made = workbook([sw.Sheet("Orders", [(1,)]), sw.Sheet("Orders", [(2,)])])
    assert made.names == ["Orders", "Orders (2)"]
    assert made.converted == {"sheet_name": 1}


# Rollover


@pytest.mark.parametrize("rows", [0, 8, 9, 10, 18, 19, 100, 600], ids="{} rows".format)
def test_a_full_sheet_goes_on_in_another_one(rows: int, max_rows: Callable[[int], None]) -> None:
    max_rows(10)
    made = workbook(
        [{"id": n, "name": f"n{n}"} for n in range(rows)],
        sw.Xlsx(sheet="Orders"),
        columns=["id", "name"],
    )
    assert all_rows(made) == [[n, f"n{n}"] for n in range(rows)]
    others = [f"Orders ({n})" for n in range(2, -(-rows // 9) + 1)]
    assert made.names == ["Orders", *others]
    assert made.receipt.rows == rows
    assert made.converted == {}


def test_every_sheet_but_the_last_is_full(max_rows: Callable[[int], None]) -> None:
    max_rows(100)
    made = workbook([{"id": n} for n in range(250)])
    assert [len(made.rows(name)) for name in made.names] == [100, 100, 53]


def test_rows_without_a_header_fill_their_sheets(max_rows: Callable[[int], None]) -> None:
    max_rows(10)
    made = workbook([(n,) for n in range(25)])
    assert [len(made.rows(name)) for name in made.names] == [10, 10, 5]
    assert [row for name in made.names for row in made.rows(name)] == [[n] for n in range(25)]


def test_rows_are_numbered_anew_in_every_sheet(max_rows: Callable[[int], None]) -> None:
    max_rows(3)
    made = workbook([{"id": n} for n in range(4)])
    for number in (1, 2):
        rows = made.sheet(number).iter(f"{MAIN}row")
        assert [row.get("r") for row in rows] == ["1", "2", "3"]


def test_a_sheet_goes_on_before_the_next_one(max_rows: Callable[[int], None]) -> None:
    max_rows(3)
    sheets = [sw.Sheet(name, [{"id": n} for n in range(3)]) for name in ("a", "b", "a/", "a (2)")]
    made = workbook(sheets)
    assert made.names == ["a", "a (2)", "b", "b (2)", "a_", "a_ (2)", "a (2) (2)", "a (2) (3)"]
    assert made.converted == {"sheet_name": 2}


def test_a_long_name_has_room_for_its_number(max_rows: Callable[[int], None]) -> None:
    max_rows(3)
    made = workbook([sw.Sheet("x" * 31, [{"id": n} for n in range(3)])])
    assert made.names == ["x" * 31, "x" * 27 + " (2)"]


def test_a_sheet_without_room_for_its_rows_is_an_error(max_rows: Callable[[int], None]) -> None:
    max_rows(4)
    fits = sw.Xlsx(title_rows=["one", "two"])
    assert all_rows_below(workbook([{"id": n} for n in range(3)], fits), 2) == [[0], [1], [2]]
    with pytest.raises(sw.LimitError, match="rows above and below the table of sheet 'Sheet1': 4"):
        workbook([{"id": 1}], sw.Xlsx(title_rows=["one", "two", "three"]))


def all_rows_below(made: Workbook, titles: int) -> list[list[Any]]:
    """The data rows of every sheet that has so many title rows."""
    return [row for name in made.names for row in made.rows(name)[titles + 1 :]]


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize("size", [1, 2000, 5000, 20_000], ids="{} bytes".format)
def test_a_sheet_of_too_many_bytes_goes_on_in_another_one(
    size: int, max_sheet: Callable[[int], None], *, compact: bool
) -> None:
    max_sheet(size)
    rows = [{"id": n, "text": "x" * (n % 50)} for n in range(700)]
    made = workbook(rows, sw.Xlsx(sheet="Orders", compact=compact))
    assert len(made.names) > 1
    assert made.names[:2] == ["Orders", "Orders (2)"]
    assert all_rows(made) == [[row["id"], row["text"]] for row in rows]


def test_a_sheet_stays_below_its_bytes(max_sheet: Callable[[int], None]) -> None:
    max_sheet(100_000)
    made = workbook([{"id": n, "text": "x" * 50} for n in range(10_000)])
    sizes = [len(part) for name, part in made.parts.items() if "/sheet" in name]
    assert all(size < 100_000 + 500 for size in sizes)
    assert all(size > 30_000 for size in sizes[:-1])


def test_a_value_is_converted_once_even_where_its_sheet_goes_on(
    max_sheet: Callable[[int], None],
) -> None:
    max_sheet(5000)
    calls: list[object] = []

    def convert(value: object) -> object:
        calls.append(value)
        return f"{value}\r\n"

    made = workbook([(n,) for n in range(500)], columns=[sw.Column(0, "id", convert=convert)])
    assert len(made.names) > 2
    assert calls == list(range(500))
    assert made.converted == {"newline": 500}


def test_both_limits_may_be_reached(
    max_rows: Callable[[int], None], max_sheet: Callable[[int], None]
) -> None:
    max_rows(40)
    max_sheet(3000)
    made = workbook([{"id": n, "text": "x" * (n % 90)} for n in range(500)])
    assert all_rows(made) == [[n, "x" * (n % 90)] for n in range(500)]


@pytest.mark.slow
def test_a_workbook_of_many_sheets_is_valid(
    max_rows: Callable[[int], None], tmp_path: Path
) -> None:
    max_rows(5)
    made = workbook([{"id": n, "name": "a"} for n in range(10)], sw.Xlsx(sheet="it's <&>"))
    assert ooxml_errors(made.data, tmp_path) == []
    assert libreoffice_csv(made.data, tmp_path, sheet=3) == [["id", "name"], ["8", "a"], ["9", "a"]]


def test_a_sheet_is_no_larger_than_an_entry_of_a_zip() -> None:
    assert 2**32 - 2**25 < streamware.formats.xlsx.workbook.MAX_SHEET < 2**32 - 2**20


# As a stream


def test_equal_rows_give_equal_bytes_whatever_the_batches_were() -> None:
    one, many = encoder(), encoder()
    data = one.start() + one.feed(batch(0, 5000)) + b"".join(one.finish())
    pieces = [many.start(), *(many.feed(batch(n, n + 50)) for n in range(0, 5000, 50))]
    assert b"".join([*pieces, *many.finish()]) == data


def test_what_was_flushed_can_be_read() -> None:
    making = encoder()
    data = making.start() + making.feed(batch(0, 10)) + making.flush()
    at = data.index(b"xl/worksheets/sheet1.xml") + len(b"xl/worksheets/sheet1.xml")
    xml = zlib.decompressobj(-15).decompress(data[at:])
    assert xml.endswith(b"<t>n9</t></is></c></row>")


def test_a_flushed_workbook_is_as_good_as_any() -> None:
    making = encoder()
    pieces = [making.start(), making.flush()]
    for start in range(0, 30, 10):
        pieces += [making.feed(batch(start, start + 10)), making.flush()]
    data = b"".join([*pieces, *making.finish()])
    zip_rules(data)
    assert len(Workbook(data, sw.Receipt("xlsx")).rows()) == 31


def test_an_abandoned_workbook_is_no_zip() -> None:
    making = encoder()
    data = making.start() + making.feed(batch(0, 1000)) + making.flush()
    making.abort()
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(data))


def test_a_failed_export_is_no_zip() -> None:
    def rows() -> Iterator[tuple[object, ...]]:
        for n in range(20_000):
            yield n, f"text {n}"
        raise RuntimeError("the database went away")

    chunks = []
    with pytest.raises(RuntimeError), sw.encode(rows(), "xlsx") as encoding:  # noqa: PT012
        for chunk in encoding:
            chunks.append(chunk)  # noqa: PERF402
    assert chunks
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(b"".join(chunks)))


def test_the_first_bytes_come_before_a_thousand_rows() -> None:
    pulled = 0

    def rows() -> Iterator[tuple[int]]:
        nonlocal pulled
        for pulled in range(100_000):
            yield (pulled,)

    with sw.encode(rows(), "xlsx") as encoding:
        assert next(encoding).startswith(b"PK\3\4")
        assert pulled < 1000


# Memory


def peak(rows: Iterable[tuple[object, ...]], options: sw.Xlsx) -> int:
    """The most bytes that were held at a time."""
    tracemalloc.start()
    try:
        with sw.encode(rows, options) as encoding:
            for _ in encoding:
                pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def small(count: int) -> Iterator[tuple[object, ...]]:
    return ((n, f"text {n}", n * 0.5, None, True) for n in range(count))


def small_then_large() -> Iterator[tuple[object, ...]]:
    for n in range(3000):
        yield tuple(f"{n} {at}" for at in range(10))
    for n in range(100):
        yield tuple(f"{n} {at} ".ljust(32_000, "x") for at in range(10))


@pytest.fixture(params=["fast", "zlib", "small"])
def options(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> sw.Xlsx:
    if request.param == "zlib":
        monkeypatch.setattr("streamware.formats.zip.isal_zlib", None)
    return sw.Xlsx(compression="small" if request.param == "small" else "fast")


@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows(options: sw.Xlsx) -> None:
    peak(small(2000), options)
    assert peak(small(50_000), options) < 1.2 * peak(small(5000), options)
    assert peak(small(50_000), options) < 8 * 2**20


def test_memory_stays_flat_when_large_cells_follow_small_ones(options: sw.Xlsx) -> None:
    assert peak(small_then_large(), options) < 8 * 2**20
