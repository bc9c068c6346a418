"""The plain loop: chunks, the clock, closing, memory."""

import gc
import hashlib
import tracemalloc
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain, repeat
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest

import streamware as sw
from drive import FORMATS, Clock
from fakes import Broken, Rows, aorders, failing, orders
from readers import csv_rows, json_rows, ndjson_rows, openpyxl_rows, xml_rows

MIB = 2**20
TABLES: dict[str, Callable[[bytes], Any]] = {
    "csv": csv_rows,
    "tsv": lambda data: csv_rows(data, "\t"),
    "xml": xml_rows,
    "json": json_rows,
    "ndjson": ndjson_rows,
    "xlsx": openpyxl_rows,
}


# Chunks


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 5000])
def test_no_chunk_is_empty_and_all_together_are_the_document(form: str, count: int) -> None:
    columns = ["number", "cell"]
    chunks = list(sw.encode(orders(count), FORMATS[form], columns=columns))
    assert all(chunks)
    again = sw.encode(iter(list(orders(count))), FORMATS[form], columns=columns, chunk_size=1)
    assert b"".join(again) == b"".join(chunks)


@pytest.mark.parametrize("form", TABLES)
def test_every_row_is_there_once(form: str) -> None:
    rows = [{"number": at, "cell": f"order {at}"} for at in range(3000)]
    table = TABLES[form](b"".join(sw.encode(rows, form)))
    if isinstance(table[0], dict):
        assert [row["cell"] for row in table] == [row["cell"] for row in rows]
    else:
        assert [row[1] for row in table] == ["cell", *(row["cell"] for row in rows)]


def test_chunks_have_their_size_but_the_first_and_the_last() -> None:
    chunks = list(sw.encode(orders(100_000), chunk_size=50_000))
    assert all(50_000 <= len(chunk) < 65_000 for chunk in chunks[1:-1])
    assert len(chunks[0]) < 1000
    assert sum(map(len, chunks)) == sum(len(f"{at},order {at}\r\n") for at in range(100_000))


@pytest.mark.parametrize("form", FORMATS)
def test_the_first_chunk_comes_after_few_rows(form: str) -> None:
    rows = Rows({"number": at, "cell": "x" * 20} for at in range(10**9))
    with sw.encode(rows, FORMATS[form]) as chunks:
        assert next(chunks)
    assert rows.pulled <= 100


@pytest.mark.parametrize("form", FORMATS)
def test_rows_are_pulled_when_a_chunk_is_asked_for(form: str) -> None:
    rows = Rows({"number": at, "cell": "x"} for at in range(10**9))
    with sw.encode(rows, FORMATS[form], chunk_size=1000) as chunks:
        assert rows.pulled == 0
        next(chunks)
        pulled = rows.pulled
        assert chunks.receipt.rows == pulled
        next(chunks)
        assert rows.pulled > pulled


def test_an_encoding_is_its_own_iterator_and_stays_at_its_end() -> None:
    chunks = sw.encode([(1,)])
    assert iter(chunks) is chunks
    assert list(chunks) == [b"1\r\n"]
    assert list(chunks) == []


def test_what_is_opened_is_opened_with_the_first_chunk() -> None:
    opened: list[Rows] = []

    def source() -> Rows:
        opened.append(Rows([(1,)]))
        return opened[0]

    chunks = sw.encode(source)
    assert opened == []
    assert list(chunks) == [b"1\r\n"]
    assert len(opened) == 1


# The clock


def arriving(clock: Clock, *pauses: float) -> Iterator[dict[str, object]]:
    """Rows, each after a pause."""
    for at, pause in enumerate(pauses, 1):
        clock.now += pause
        yield {"number": at, "cell": f"row {at}"}


def shown(form: str, data: bytes) -> bytes:
    """What a reader has of a document so far."""
    if not form.startswith("xlsx"):
        return data
    sheet = data.index(b"xl/worksheets/sheet1.xml") + len("xl/worksheets/sheet1.xml")
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data[sheet:])


@pytest.mark.parametrize("form", FORMATS)
def test_a_late_row_has_everything_so_far_handed_out(form: str, clock: Clock) -> None:
    rows = Rows(arriving(clock, 0.1, 0.1, 0.1, 5, 0.1, 0.1, 5, *[0.1] * 100))
    chunks = sw.encode(rows, FORMATS[form], flush_interval=1)
    first = next(chunks)
    assert rows.pulled == 4
    assert b"row 4" in shown(form, first)
    second = next(chunks)
    assert rows.pulled == 7
    assert b"row 7" in shown(form, first + second)
    chunks.close()


def test_rows_in_time_wait_for_a_whole_chunk(clock: Clock) -> None:
    chunks = sw.encode(arriving(clock, *[0.001] * 10_000), flush_interval=20)
    assert [len(chunk) > 65_000 for chunk in chunks] == [False, True, True, False]


def test_the_time_that_a_slow_client_takes_is_not_the_rows_fault(clock: Clock) -> None:
    rows = Rows(arriving(clock, *[0.001] * 10_000))
    chunks = sw.encode(rows, flush_interval=20)
    next(chunks)
    clock.now += 100
    assert len(next(chunks)) > 65_000
    chunks.close()


def test_rows_that_all_come_late_are_handed_out_one_by_one(clock: Clock) -> None:
    chunks = list(sw.encode(arriving(clock, *[2] * 5), flush_interval=1))
    assert [chunk.count(b"row") for chunk in chunks[1:]] == [1] * (len(chunks) - 1)
    assert len(chunks) >= 4


# Sheets


def test_sheets_come_one_after_the_other() -> None:
    sheets = (sw.Sheet(name, Rows([{name: 1}])) for name in ("A", "B"))
    data = b"".join(sw.encode(sheets, "xlsx"))
    assert (openpyxl_rows(data, "A"), openpyxl_rows(data, "B")) == ([["A"], [1]], [["B"], [1]])


def test_rows_of_sheets_are_opened_when_their_turn_comes_and_closed_after_it() -> None:
    rows = [Rows(orders(3)), Rows(orders(3))]

    def sheets() -> Iterator[sw.Sheet]:
        for at in (0, 1):
            assert [each.closed for each in rows] == [1] * at + [0] * (2 - at)
            yield sw.Sheet(f"S{at}", partial(rows.__getitem__, at))

    b"".join(sw.encode(sheets(), "xlsx"))
    assert [each.closed for each in rows] == [1, 1]


@pytest.mark.parametrize("form", ["csv", "tsv", "xml", "json", "ndjson"])
@pytest.mark.parametrize("one", [True, False])
def test_a_format_without_sheets_refuses_them(form: str, one: bool) -> None:
    rows = Rows([(1,)])
    sheet = sw.Sheet("A", rows)
    with pytest.raises(sw.EncodeError, match=f"{form} cannot hold several sheets; .* can is xlsx"):
        b"".join(sw.encode(sheet if one else [sheet], form))
    assert rows.closed >= 1


def test_a_row_among_sheets_is_an_error() -> None:
    with pytest.raises(sw.EncodeError, match="expected only Sheets after the first, not a tuple"):
        b"".join(sw.encode([sw.Sheet("A", []), (1, 2)], "xlsx"))


def test_a_sheet_among_rows_is_an_error() -> None:
    with pytest.raises(sw.EncodeError, match="row 2 must be like row 1 of type tuple, not Sheet"):
        b"".join(sw.encode([(1, 2), sw.Sheet("A", [])], "xlsx"))


# Rows are closed on every path


@pytest.mark.parametrize("given", ["open", "callable"])
def test_rows_are_closed_at_their_end(given: str) -> None:
    rows = Rows(orders(5000))
    b"".join(sw.encode(rows if given == "open" else lambda: rows))
    assert rows.closed == 1


@pytest.mark.parametrize("count", [0, 40, 5000])
@pytest.mark.parametrize("error", [Broken, KeyboardInterrupt])
def test_rows_that_fail_are_closed_and_their_error_passes(count: int, error: Any) -> None:
    rows = Rows(failing(count, error()))
    with pytest.raises(error) as caught:
        b"".join(sw.encode(rows))
    assert rows.closed == 1
    assert caught.value.__context__ is None


def test_rows_with_a_cell_that_cannot_be_written_are_closed() -> None:
    rows = Rows([(1,), (object(),)])
    with pytest.raises(sw.CellError):
        b"".join(sw.encode(rows))
    assert rows.closed == 1


@pytest.mark.parametrize("columns", [["nope"], [7]])
def test_rows_without_the_columns_are_closed(columns: Any) -> None:
    rows = Rows([{"a": 1}])
    with pytest.raises(sw.EncodeError):
        b"".join(sw.encode(rows, columns=columns))
    assert rows.closed == 1


@pytest.mark.parametrize("chunks", [0, 1, 3])
def test_rows_are_closed_when_the_reader_gives_up(chunks: int) -> None:
    rows = Rows(orders(10**9))
    with sw.encode(rows) as encoding:
        for _ in range(chunks):
            next(encoding)
    encoding.close()
    assert rows.closed == 1
    assert list(encoding) == []


@pytest.mark.parametrize("chunks", [0, 2])
def test_rows_are_closed_when_the_encoding_is_forgotten(chunks: int) -> None:
    rows = Rows(orders(10**9))
    encoding = sw.encode(rows)
    for _ in range(chunks):
        next(encoding)
    del encoding
    gc.collect()
    assert rows.closed == 1


@pytest.mark.parametrize(
    ("form", "start"), [("csv", b"the title"), ("xml", b"<?xml"), ("xlsx", b"sheet1.xml")]
)
def test_a_document_that_one_of_its_cells_closes_does_not_start_again(
    form: str, start: bytes
) -> None:
    def closing(row: tuple[int]) -> int:
        if row == (400,):
            encoding.close()
        return row[0]

    rows = Rows((i,) for i in range(1000))
    encoding = sw.encode(rows, form, columns=[sw.Column(closing, "the title")], chunk_size=1)
    assert b"".join(encoding).count(start) == 1
    assert encoding.receipt.outcome == "closed"
    assert rows.closed == 1


def test_rows_that_another_thread_is_closing_are_not_opened_any_more() -> None:
    class Asked(Rows):
        def close(self) -> None:
            super().close()
            reader.start()
            reader.join()

    rows, chunks = Asked(orders(10)), []
    encoding = sw.encode(rows)
    reader = Thread(target=lambda: chunks.append(next(encoding, None)))
    encoding.close()
    assert chunks == [None]
    assert (rows.pulled, rows.closed) == (0, 1)
    assert encoding.receipt.outcome == "closed"


def test_rows_that_were_never_opened_stay_so() -> None:
    with sw.encode(lambda: pytest.fail("opened")):
        pass


def test_a_sheet_given_up_has_its_rows_closed_and_those_that_wait() -> None:
    rows = [Rows(orders(10**9)), Rows(orders(1))]
    sheets = [sw.Sheet("A", rows[0]), sw.Sheet("B", rows[1])]
    with sw.encode(sheets, "xlsx") as chunks:
        next(chunks)
    assert all(each.closed for each in rows)


def test_sheets_that_never_began_have_their_rows_closed() -> None:
    rows = Rows(orders(1))
    sw.encode([sw.Sheet("A", rows)], "xlsx").close()
    sw.encode(sw.Sheet("A", rows), "xlsx").close()
    assert rows.closed == 2


def test_an_error_is_not_hidden_by_one_in_closing(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Broken):
        b"".join(sw.encode(Rows(failing(1), closing=ZeroDivisionError())))
    assert caplog.messages == ["closing the rows of an export failed"]


@pytest.mark.parametrize("chunks", [0, 1, 10**6])
def test_everything_is_closed_though_the_program_is_to_end_meanwhile(chunks: int) -> None:
    rows = Rows(orders(20_000), closing=SystemExit())
    sheets = Rows([sw.Sheet("A", rows), sw.Sheet("B", [])])
    listed = [Rows(orders(20_000), closing=SystemExit()), Rows([])]
    for source in (sheets, [sw.Sheet(name, each) for name, each in zip("AB", listed, strict=True)]):
        encoding = sw.encode(source, "xlsx")
        for _ in zip(range(chunks), encoding_chunks(encoding), strict=False):
            pass
        with suppress(SystemExit):
            encoding.close()
    assert sheets.closed == 1
    assert rows.closed == (chunks > 0)
    assert all(each.closed for each in listed)


def test_rows_whose_closing_ends_the_program_are_at_fault() -> None:
    encoding = sw.encode(Rows(orders(3), closing=SystemExit()))
    with pytest.raises(SystemExit):
        b"".join(encoding)
    assert (encoding.receipt.outcome, encoding.receipt.problem) == ("source error", "SystemExit")


def encoding_chunks(encoding: sw.Encoding) -> Iterator[bytes]:
    with suppress(SystemExit):
        yield from encoding


def test_a_finally_of_the_rows_runs_before_the_last_chunk_is_done() -> None:
    ended: list[bool] = []

    def rows() -> Iterator[Any]:
        try:
            yield from orders(100)
        finally:
            ended.append(True)

    with sw.encode(rows()) as chunks:
        next(chunks)
        assert ended == []
    assert ended == [True]


def test_asynchronous_rows_are_an_error_that_names_the_remedy() -> None:
    with pytest.raises(sw.StateError, match=r"these rows are asynchronous: use sw\.aencode"):
        next(sw.encode(aorders(1)))


# What cannot be


@pytest.mark.parametrize(
    "options", [{"chunk_size": 0}, {"flush_interval": 0}, {"flush_interval": -1}]
)
def test_a_wrong_option_is_an_error_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(
        ValueError, match="chunk_size must be at least 1 and flush_interval above 0, not"
    ):
        sw.encode([], **options)


def test_no_rows_and_no_columns_are_an_empty_document() -> None:
    assert b"".join(sw.encode([], "csv")) == b""
    assert xml_rows(b"".join(sw.encode([], "xml"))) == []
    assert json_rows(b"".join(sw.encode([], "json"))) == []
    assert ndjson_rows(b"".join(sw.encode([], "ndjson"))) == []
    assert openpyxl_rows(b"".join(sw.encode([], "xlsx"))) in ([], [[None]])


def test_rows_without_cells_are_rows() -> None:
    rows = [(), (), ()]
    assert b"".join(sw.encode(rows, "csv")) == b"\r\n\r\n\r\n"
    assert xml_rows(b"".join(sw.encode(rows, "xml"))) == [{}, {}, {}]
    assert json_rows(b"".join(sw.encode(rows, "json", columns=[]))) == [{}, {}, {}]


# Memory


def peak(rows: Iterable[Any], form: str | sw.Format = "csv", **options: Any) -> int:
    """The most memory that was in use at once while the document was read, in bytes."""
    b"".join(sw.encode(orders(100), form))
    tracemalloc.start()
    try:
        for chunk in sw.encode(rows, form, **options):
            del chunk
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def mixed(count: int) -> Iterator[tuple[object, ...]]:
    for at in range(count):
        yield at, f"order {at}", at / 7, None if at % 5 else at, at % 2 == 0


@pytest.mark.slow
@pytest.mark.parametrize("form", ["csv", "xml", "json", "ndjson", "xlsx"])
def test_memory_does_not_grow_with_the_rows(form: str) -> None:
    few, many = peak(mixed(10_000), form), peak(mixed(100_000), form)
    assert many <= 1.2 * few
    assert many < 8 * MIB


@dataclass(slots=True)
class Note:
    number: int
    note: str | None


def wide(count: int) -> Iterator[str]:
    for at in range(count):
        yield f'{at}, "{"x" * MIB}"'


NARROW = 2000
WIDE: dict[str, Callable[[], Iterator[Any]]] = {
    "from the first": lambda: ((1, text) for text in wide(60)),
    "after small ones": lambda: chain(repeat((1, "x"), NARROW), ((1, text) for text in wide(60))),
    "after none": lambda: chain(repeat((1, None), NARROW), ((1, text) for text in wide(60))),
    "one in a hundred": lambda: (
        (at, text if at % 100 == 99 else "x") for at, text in enumerate(some(6000))
    ),
    "one in a hundred, else none": lambda: (
        (at, text if at % 100 == 99 else None) for at, text in enumerate(some(6000))
    ),
    "dicts": lambda: chain(repeat({"a": "x"}, NARROW), ({"a": text} for text in wide(60))),
    "dataclasses": lambda: chain(
        repeat(Note(1, None), NARROW), (Note(1, text) for text in wide(60))
    ),
    "objects": lambda: (SimpleNamespace(a=text) for text in wide(60)),
    "bytes": lambda: ((1, bytes(MIB // 2)) for _ in range(60)),
    "nested": lambda: chain(repeat((1, ["x"]), NARROW), ((1, [{"a": text}]) for text in wide(60))),
}


def some(count: int) -> Iterator[str]:
    """Wide texts, made only where they are used."""
    return (f'{at}, "{"x" * MIB}"' if at % 100 == 99 else "" for at in range(count))


@pytest.mark.slow
@pytest.mark.parametrize("rows", WIDE)
def test_memory_stays_flat_when_cells_of_a_megabyte_come(rows: str) -> None:
    assert peak(WIDE[rows]()) < 8 * MIB


# What is told of the document


def test_the_receipt_is_of_the_bytes_that_were_handed_out() -> None:
    chunks = sw.encode(orders(5000))
    data = b""
    for chunk in chunks:
        data += chunk
        assert chunks.receipt.bytes == len(data)
    assert chunks.receipt.sha256 == hashlib.sha256(data).hexdigest()
