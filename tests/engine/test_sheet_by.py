"""Several sheets from one pass over the rows, from the rows to the workbook and its scratch."""

import asyncio
import io
import random
import tracemalloc
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import oracle
import streamware as sw
import streamware.formats.xlsx.workbook
from drive import Clock
from fakes import Broken, Rows, aorders, until
from readers import libreoffice_csv, ooxml_errors, openpyxl_book
from streamware.formats.protocol import Format
from streamware.scratch.ledger import CURRENT, Scratch
from streamware.scratch.pool import ScratchPool, scratch_pool
from workbooks import MAIN, Workbook, workbook

REGIONS = ("north", "south", "east", "west")


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScratchPool]:
    """Every spool goes to disk, into a directory of the test's own."""
    monkeypatch.setenv("STREAMWARE_SCRATCH_DIR", str(tmp_path))
    monkeypatch.setenv("STREAMWARE_SPOOL_MEMORY", "1000")
    made = scratch_pool()
    yield made
    assert (made.files, made.budget.used) == (0, 0)
    oracle.close(made)


def sales(count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Rows in no order, with text that hardly compresses."""
    chosen = random.Random(seed)
    return [
        {"region": chosen.choice(REGIONS), "id": at, "note": chosen.randbytes(20).hex()}
        for at in range(count)
    ]


def of(rows: list[dict[str, Any]], region: str) -> list[list[Any]]:
    return [[row["id"], row["note"]] for row in rows if row["region"] == region]


def split(rows: list[dict[str, Any]], **options: Any) -> Workbook:
    return workbook(rows, sheet_by="region", columns=["id", "note"], **options)


def linked(sheets: int, count: int) -> Iterator[dict[str, Any]]:
    """Rows of many sheets, each with a link and a note of its own."""
    for at in range(count):
        for sheet in range(sheets):
            url = f"https://example.com/orders/{sheet}/{at}"
            cell = sw.Cell(f"order {at}", url=url, note=f"checked {sheet} {at}")
            yield {"region": f"S{sheet}", "order": cell}


# What is in the sheets


def test_each_sheet_has_its_rows_in_their_order() -> None:
    rows = sales(5000)
    made = split(rows)
    assert made.names == list(dict.fromkeys(row["region"] for row in rows))
    for region in REGIONS:
        assert made.rows(region) == [["id", "note"], *of(rows, region)]
    assert made.receipt.rows == 5000
    assert made.receipt.outcome == "complete"


def test_tagged_rows_give_the_same_bytes() -> None:
    rows = sales(5000)
    tagged = (sw.Tagged(row["region"], (row["id"], row["note"])) for row in rows)
    assert workbook(tagged, columns=["id", "note"]).data == split(rows).data


def test_equal_rows_give_equal_bytes() -> None:
    assert split(sales(3000)).data == split(sales(3000)).data


def test_a_sheet_is_the_same_as_one_that_was_written_alone() -> None:
    rows = sales(2000)
    made, regions = split(rows), list(dict.fromkeys(row["region"] for row in rows))
    alone = workbook(
        [sw.Sheet(region, iter(of(rows, region)), columns=["id", "note"]) for region in regions]
    )
    assert made.parts == alone.parts


def test_the_key_s_own_column_is_there_unless_columns_say_otherwise() -> None:
    made = workbook([{"region": "a", "id": 1}, {"region": "b", "id": 2}], sheet_by="region")
    assert made.rows("b") == [["region", "id"], ["b", 2]]


def test_rows_without_a_sheet_are_in_the_default_one() -> None:
    rows = [("a", 1), (None, 2), ("", 3)]
    made = workbook(rows, sw.Xlsx(sheet="Others"), sheet_by=0, columns=[1])
    assert made.names == ["a", "Others"]
    assert made.rows("Others") == [[2], [3]]


@pytest.mark.parametrize("tagged", [False, True])
def test_an_error_tells_the_sheet_and_the_number_of_the_row_among_its_own(tagged: bool) -> None:
    rows: list[Any] = [("a", 1), ("b", 2)] * 100 + [("a", 3), ("b", 1j)]
    given = [sw.Tagged(*row) for row in [(name, (cell,)) for name, cell in rows]]
    with pytest.raises(sw.CellError, match=r"^sheet 'b', row 101, column x: .* complex") as caught:
        workbook(
            given if tagged else rows,
            columns=[sw.Column(0 if tagged else 1, "x")],
            sheet_by=None if tagged else 0,
        )
    assert (caught.value.sheet, caught.value.row) == ("b", 101)


def test_an_error_in_rows_without_a_sheet_tells_none() -> None:
    with pytest.raises(sw.CellError, match=r"^row 1, column x: ") as caught:
        workbook([("a", 1), (None, 1j)], sheet_by=0, columns=[sw.Column(1, "x")])
    assert caught.value.sheet is None


def test_rows_that_go_on_in_another_sheet_are_counted_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streamware.formats.xlsx.workbook, "MAX_ROWS", 100)
    rows: list[Any] = [(at,) for at in range(150)]
    with pytest.raises(sw.CellError, match=r"^sheet 'Orders', row 151, column 1: "):
        workbook([sw.Sheet("Orders", [*rows, (1j,)])])


def test_no_rows_are_a_sheet_with_its_header() -> None:
    made = workbook([], sheet_by="region", columns=["id", "note"])
    assert (made.names, made.rows()) == (["Sheet1"], [["id", "note"]])


def test_sheets_may_have_columns_of_different_shapes() -> None:
    made = workbook(
        [
            sw.Tagged("orders", {"id": 1, "total": 1.5}),
            sw.Tagged(sw.Sheet("customers", columns=["x"]), (7,)),
            sw.Tagged("orders", {"id": 2, "total": 2.5}),
            sw.Tagged("bare", (True, "text")),
            sw.Tagged("customers", (8,)),
        ]
    )
    assert made.rows("orders") == [["id", "total"], [1, 1.5], [2, 2.5]]
    assert made.rows("customers") == [["x"], [7], [8]]
    assert made.rows("bare") == [[True, "text"]]


def test_what_surrounds_a_sheet_may_be_its_own() -> None:
    sheet = sw.Sheet("b", options=sw.SheetOptions(zoom=50))
    made = workbook([sw.Tagged("a", {"x": 1}), sw.Tagged(sheet, {"x": 2})])
    assert b"zoomScale" not in made.parts["xl/worksheets/sheet1.xml"]
    assert b'zoomScale="50"' in made.parts["xl/worksheets/sheet2.xml"]


def test_names_that_excel_refuses_are_cleaned_and_kept_apart() -> None:
    made = workbook([("a/b", 1), ("a:b", 2), ("a/b", 3)], sheet_by=0, columns=[1])
    assert made.names == ["a_b", "a_b (2)"]
    assert made.converted == {"sheet_name": 2}
    assert made.rows("a_b")[-2:] == [[1], [3]]


@pytest.mark.slow
def test_the_workbook_is_valid_and_opens(tmp_path: Path) -> None:
    rows = sales(300)
    made = split(rows)
    assert ooxml_errors(made.data, tmp_path) == []
    at = made.names.index("west") + 1
    found = libreoffice_csv(made.data, tmp_path, sheet=at)
    assert found == [["id", "note"], *([str(id_), note] for id_, note in of(rows, "west"))]


@pytest.mark.slow
@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.integers() | st.text()), max_size=60),
    st.sampled_from([1, 7, 10**6]),
)
def test_no_row_is_lost_or_in_a_wrong_sheet(rows: list[tuple[str, Any]], chunk_size: int) -> None:
    encoding = sw.encode(rows, "xlsx", sheet_by=0, columns=[1], chunk_size=chunk_size)
    made = Workbook(b"".join(encoding), encoding.receipt)
    assert made.receipt.rows == len(rows)
    if rows:
        assert made.names == list(dict.fromkeys(name for name, _ in rows))
        for at, name in enumerate(made.names, 1):
            assert len(list(made.sheet(at).iter(f"{MAIN}row"))) == sum(n == name for n, _ in rows)


# Full sheets


@pytest.fixture
def max_rows(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    module = streamware.formats.xlsx.workbook
    return lambda rows: monkeypatch.setattr(module, "MAX_ROWS", rows)


def test_any_sheet_goes_on_in_another_one_that_stands_beside_it(
    max_rows: Callable[[int], None], tmp_path: Path
) -> None:
    max_rows(101)
    rows = sales(1000)
    made = split(rows)
    names = []
    for region in dict.fromkeys(row["region"] for row in rows):
        expected = of(rows, region)
        own = [region, *(f"{region} ({n})" for n in range(2, -(-len(expected) // 100) + 1))]
        names += own
        found = [row for name in own for row in made.rows(name)[1:]]
        assert found == expected
    assert made.names == names
    assert ooxml_errors(made.data, tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("index", [False, True])
@pytest.mark.parametrize("interleaved", [True, False])
def test_the_nth_tab_is_the_nth_part(
    max_rows: Callable[[int], None], tmp_path: Path, interleaved: bool, index: bool
) -> None:
    """Some readers, such as xlsx-populate, do not look up which part is a sheet."""
    max_rows(101)
    rows = sales(1000)
    columns = [sw.Column("id", note="a note", total="count"), sw.Column("note")]
    names = list(dict.fromkeys(row["region"] for row in rows))
    sheets = [sw.Sheet(name, of(rows, name), columns=["id", "note"]) for name in names]
    made = workbook(
        rows if interleaved else sheets,
        sw.Xlsx(index=index, table=True),
        columns=columns if interleaved else None,
        sheet_by="region" if interleaved else None,
    )
    assert len(made.names) > len(names) + 3
    main = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    listed = ET.fromstring(made.parts["xl/workbook.xml"]).iter(f"{main}sheet")
    assert [int(sheet.get("sheetId", "")) for sheet in listed] == [*range(1, len(made.names) + 1)]
    relations = ET.fromstring(made.parts["xl/_rels/workbook.xml.rels"])
    targets = {one.get("Id"): one.get("Target") for one in relations}
    for number, name in enumerate(made.names, 1):
        assert targets[f"rId{number}"] == f"worksheets/sheet{number}.xml"
        part = ET.fromstring(made.parts[f"xl/worksheets/sheet{number}.xml"])
        assert len(list(part.iter(f"{main}row"))) == len(made.rows(name))
        if interleaved and not (index and number == 1):
            assert f"xl/comments{number}.xml" in made.parts
    written = [part for part in made.parts if part.startswith("xl/worksheets/sheet")]
    in_order = [f"xl/worksheets/sheet{n}.xml" for n in range(1, len(made.names) + 1)]
    assert written == in_order[index:] + in_order[:index]  # the index is written last
    assert ooxml_errors(made.data, tmp_path) == []


def test_a_sheet_that_nears_four_gibibytes_goes_on_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamware.formats.xlsx.workbook, "MAX_SHEET", 20_000)
    rows = sales(2000)
    made = split(rows)
    assert len(made.names) >= 8
    for region in REGIONS:
        own = [name for name in made.names if name.split(" ")[0] == region]
        assert [row for name in own for row in made.rows(name)[1:]] == of(rows, region)


# The clock


def test_a_late_row_has_everything_so_far_encoded(clock: Clock) -> None:
    def rows() -> Iterator[Any]:
        for at in range(200):
            yield ("ab"[at % 2], at)
        yield clock.after(2, ("a", 200))
        yield ("b", 201)

    encoding = sw.encode(rows(), "xlsx", sheet_by=0, columns=[1])
    chunks = [next(encoding), next(encoding)]
    assert encoding.receipt.rows == 201
    data = b"".join([*chunks, *encoding])
    assert Workbook(data, encoding.receipt).rows("a")[-1] == [200]


# Scratch


def test_the_spools_are_on_disk_compressed_and_given_back(scratch: ScratchPool) -> None:
    rows = sales(40_000)
    with sw.encode(rows, "xlsx", sheet_by="region") as encoding:
        size, most = 0, 0
        for chunk in encoding:
            size += len(chunk)
            most = max(most, scratch.budget.used)
    assert 0.5 * size < most <= size
    assert scratch.files == 0


def test_a_spool_is_given_back_as_soon_as_it_was_copied(scratch: ScratchPool) -> None:
    files = []
    with sw.encode(sales(40_000), "xlsx", sheet_by="region", chunk_size=10_000) as encoding:
        for _ in encoding:
            files.append(scratch.files)  # noqa: PERF401 - while it goes on
    copying = files[files.index(3) :]
    assert list(dict.fromkeys(copying)) == [3, 2, 1, 0]
    assert copying == sorted(copying, reverse=True)


def test_one_sheet_needs_no_scratch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scratch, "__init__", None)
    made = workbook([("a", n) for n in range(5000)], sheet_by=0)
    assert made.names == ["a"]


def test_rows_in_the_order_of_sheets_need_none_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scratch, "__init__", None)
    assert workbook([sw.Sheet(name, [(1,)]) for name in "ab"]).names == ["a", "b"]


def test_the_scratch_is_that_of_the_settings_around(tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir(mode=0o700)
    settings = sw.Settings(scratch_dir=folder, spool_memory=10)
    around = Scratch(scratch_pool(settings))
    token = CURRENT.set(around)
    try:
        with sw.encode(sales(40_000), "xlsx", sheet_by="region") as encoding:
            next(encoding)
            while not scratch_pool(settings).files:
                next(encoding)
            around.close()
            assert sum(map(len, encoding)) > 1_000_000
    finally:
        CURRENT.reset(token)
        oracle.close(scratch_pool(settings))


@pytest.mark.parametrize("chunks", [0, 1, 3, 12])
def test_who_gives_up_has_all_scratch_given_back(chunks: int, scratch: ScratchPool) -> None:
    rows = Rows(sales(40_000))
    encoding = sw.encode(rows, "xlsx", sheet_by="region")
    for _ in range(chunks):
        next(encoding)
    encoding.close()
    assert (scratch.files, scratch.budget.used, rows.closed) == (0, 0, 1)
    assert encoding.receipt.outcome == "closed"


def test_who_gives_up_while_sheets_are_copied_has_it_given_back_too(scratch: ScratchPool) -> None:
    encoding = sw.encode(sales(40_000), "xlsx", sheet_by="region")
    while scratch.files < 3:
        next(encoding)
    while scratch.files == 3:
        next(encoding)
    assert scratch.files == 2
    encoding.close()
    assert scratch.files == 0


def test_rows_that_fail_have_it_given_back(scratch: ScratchPool) -> None:
    def rows() -> Iterator[Any]:
        yield from sales(20_000)
        assert scratch.files == 3
        raise Broken

    encoding = sw.encode(rows(), "xlsx", sheet_by="region")
    with pytest.raises(Broken):
        b"".join(encoding)
    assert (scratch.files, scratch.budget.used) == (0, 0)


def test_scratch_has_a_limit(scratch: ScratchPool) -> None:
    limits = sw.Limits(scratch_bytes=50_000)
    encoding = sw.encode(sales(40_000), "xlsx", sheet_by="region", limits=limits)
    with pytest.raises(sw.LimitError, match="scratch bytes of the export") as caught:
        b"".join(encoding)
    assert caught.value.name == "scratch_bytes"
    assert encoding.receipt.outcome == "limit"
    assert scratch.files == 0


def test_a_place_for_scratch_that_is_not_there_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STREAMWARE_SCRATCH_DIR", str(tmp_path / "missing"))
    encoding = sw.encode(sales(40_000), "xlsx", sheet_by="region")
    with pytest.raises(sw.ScratchError):
        b"".join(encoding)
    assert encoding.receipt.outcome == "no space"


def test_too_many_sheets_are_an_error_that_names_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamware.formats.xlsx.workbook, "MAX_OPEN", 5)
    assert len(workbook([(n, n) for n in range(5)], sheet_by=0).names) == 5
    with pytest.raises(sw.LimitError, match="sheets in one pass: 6 is over the limit of 5"):
        workbook([(n, n) for n in range(6)], sheet_by=0)


def peak(count: int, sheets: int) -> int:
    tracemalloc.start()
    try:
        rows = ((f"s{at % sheets}", at, f"text {at}", None) for at in range(count))
        with sw.encode(rows, "xlsx", sheet_by=0) as encoding:
            for _ in encoding:
                pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows() -> None:
    peak(5000, 8)
    assert peak(100_000, 8) < 1.2 * peak(20_000, 8)
    assert peak(100_000, 8) < 12 * 2**20


# Errors


@pytest.mark.parametrize("form", ["csv", "tsv", "json", "ndjson", "xml"])
def test_a_format_of_one_sheet_refuses_them_at_once(form: str) -> None:
    match = "cannot hold several sheets from one pass; a format that can is xlsx"
    with pytest.raises(sw.EncodeError, match=match):
        sw.encode([], form, sheet_by="region")
    with pytest.raises(sw.EncodeError, match=match):
        b"".join(sw.encode([sw.Tagged("a", (1,))], form))


def test_a_format_of_others_that_does_not_say_takes_one_sheet() -> None:
    class Foreign:
        name = "foreign"

        def __getattr__(self, name: str) -> object:
            return getattr(sw.Xlsx(), name) if name != "interleaves" else self.__missing

    form: Any = Foreign()
    with pytest.raises(sw.EncodeError, match="foreign cannot hold several sheets"):
        sw.encode([], form, sheet_by="region")


@pytest.mark.parametrize("key", [True, 1.5, ["region"]])
def test_what_is_no_key_is_an_error_at_once(key: Any) -> None:
    with pytest.raises(TypeError, match="key"):
        sw.encode([], "xlsx", sheet_by=key)


def test_sheets_are_not_sorted_again() -> None:
    with pytest.raises(sw.EncodeError, match="sheet_by= cannot be used with Sheets"):
        b"".join(sw.encode([sw.Sheet("a", [(1,)])], "xlsx", sheet_by=0))


def test_tagged_rows_have_no_place_in_a_sheet() -> None:
    with pytest.raises(sw.EncodeError, match="row 1 must not be Tagged"):
        b"".join(sw.encode([sw.Sheet("a", [sw.Tagged("b", (1,))])], "xlsx"))
    with pytest.raises(sw.EncodeError, match="row 1 must not be Tagged"):
        b"".join(sw.encode([sw.Tagged("b", (1,))], "xlsx", sheet_by=0))


def test_rows_are_counted_over_all_sheets_and_before_they_are_encoded() -> None:
    with pytest.raises(sw.LimitError, match="rows of the export: 601 is over the limit of 600"):
        split(sales(601), limits=sw.Limits(rows=600))


def test_an_abandoned_workbook_is_no_zip() -> None:
    with sw.encode(sales(40_000), "xlsx", sheet_by="region") as encoding:
        data = next(encoding) + next(encoding)
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(data))


# save, and beside an event loop


def test_save_takes_it(tmp_path: Path) -> None:
    rows = sales(2000)
    target = tmp_path / "sales.xlsx"
    sw.save(rows, target, sheet_by="region", columns=["id", "note"])
    assert target.read_bytes() == split(rows).data
    target.unlink()


async def test_aencode_and_asave_take_it(tmp_path: Path) -> None:
    rows = sales(20_000)
    expected = split(rows).data
    chunks = [chunk async for chunk in sw.aencode(rows, "xlsx", sheet_by="region")]
    assert len(b"".join(chunks)) > len(expected)
    target = tmp_path / "sales.xlsx"
    await sw.asave(rows, target, sheet_by="region", columns=["id", "note"])
    assert target.read_bytes() == expected
    target.unlink()


async def test_async_rows_are_sorted_too() -> None:
    encoding = sw.aencode(aorders(3000), "xlsx", sheet_by=lambda row: row[0] % 3)
    data = b"".join([chunk async for chunk in encoding])
    made = Workbook(data, encoding.receipt)
    assert made.rows("2") == [[n, f"order {n}"] for n in range(2, 3000, 3)]


async def test_who_gives_up_beside_an_event_loop_has_it_given_back(scratch: ScratchPool) -> None:
    encoding = sw.aencode(Rows(sales(40_000)), "xlsx", sheet_by="region")
    while not scratch.files:
        await anext(encoding)
    await encoding.aclose()
    assert scratch.files == 0


async def test_a_slow_source_is_flushed_by_the_timer() -> None:
    """Also rows that wait for others of their sheet, where no code of the caller is needed."""
    go_on = asyncio.Event()

    async def rows() -> Any:
        for at in range(100):
            yield ("ab"[at % 2], at)
        await go_on.wait()
        yield ("a", 100)

    async def read() -> bytes:
        return b"".join([chunk async for chunk in encoding])

    encoding = sw.aencode(rows(), "xlsx", sheet_by=0, flush_interval=0.02)
    reading = asyncio.ensure_future(read())
    await until(lambda: encoding.receipt.rows == 100)
    go_on.set()
    assert Workbook(await reading, encoding.receipt).rows("a")[-1] == ["a", 100]


def test_a_format_says_whether_it_can() -> None:
    assert sw.Xlsx.interleaves
    formats: list[Format] = [sw.Csv(), sw.Json(), sw.Xml()]
    assert not any(getattr(form, "interleaves", False) for form in formats)


def test_a_cell_that_tells_the_sheet_may_have_a_style() -> None:
    rows = [(sw.Cell("north", style=sw.Style(bold=True)), 1), (sw.Cell(None), 2), ("north", 3)]
    made = workbook(rows, sheet_by=0, columns=[1])
    assert made.names == ["north", "Sheet1"]
    assert made.rows("north") == [[1], [3]]


@pytest.mark.parametrize("key", [b"north", bytearray(b"north")])
def test_bytes_are_no_name_of_a_sheet(key: Any) -> None:
    kind = type(key).__name__
    with pytest.raises(
        sw.EncodeError, match=f"row 2: the name of its sheet must be a str, not {kind}"
    ):
        workbook([("a", 1), (key, 2)], sheet_by=0)


def test_a_row_that_does_not_fit_is_told_with_its_sheet() -> None:
    sheets = [sw.Sheet("a", [(1, 2)]), sw.Sheet("b", [(1, 2), (1, 2, 3)])]
    with pytest.raises(
        sw.EncodeError, match=r"^sheet 'b': row 2 must have at most 2 cells, not 3$"
    ):
        b"".join(sw.encode(sheets, "xlsx"))
    tagged = [sw.Tagged("a", {"x": 1}), sw.Tagged("b", {"y": 1}), sw.Tagged("b", {"z": 1})]
    with pytest.raises(sw.EncodeError, match=r"^sheet 'b': row 2 has a new key 'z'"):
        b"".join(sw.encode(tagged, "xlsx"))
    with pytest.raises(
        sw.EncodeError,
        match=r"^sheet 'b': row 1 must be a sequence, a mapping or an object, not int",
    ):
        b"".join(sw.encode([sw.Sheet("b", [1])], "xlsx"))


@pytest.mark.slow
def test_links_and_notes_of_many_sheets_are_where_they_belong(tmp_path: Path) -> None:
    made = workbook(linked(7, 300), sheet_by="region")
    book = openpyxl_book(made.data)
    for number, sheet in enumerate(book.worksheets):
        cells = [row[1] for row in sheet.iter_rows(min_row=2)]
        assert len(cells) == 300
        for at, cell in enumerate(cells):
            assert cell.value == f"order {at}"
            assert cell.hyperlink.target == f"https://example.com/orders/{number}/{at}"
            assert cell.comment.text == f"checked {number} {at}"
    assert made.converted == {}
    assert libreoffice_csv(made.data, tmp_path, sheet=7)[-1][1] == "order 299"
    assert ooxml_errors(made.data, tmp_path) == []


@pytest.mark.slow
@pytest.mark.usefixtures("clock")  # else a busy machine decides how many rows a batch has
def test_links_and_notes_of_many_sheets_do_not_wait_in_memory() -> None:
    def peak(rows: Iterator[dict[str, Any]]) -> int:
        tracemalloc.start()
        with sw.encode(rows, "xlsx", sheet_by="region") as encoding:
            for _ in encoding:
                pass
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(linked(2, 30))  # what is made once
    plain = peak(row | {"order": row["order"].value} for row in linked(20, 800))
    assert peak(linked(20, 800)) < plain + 20 * 90_000
