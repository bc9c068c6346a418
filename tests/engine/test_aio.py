"""aencode: the same document as `encode` makes, and a loop, a clock and rows left in order."""

import asyncio
import contextvars
import gc
import sqlite3
import threading
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from itertools import count, repeat
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

import streamware as sw
from fakes import (
    PATIENCE,
    AsyncRows,
    Broken,
    Gate,
    Rows,
    afailing,
    aorders,
    failing,
    gated,
    orders,
    stalling,
    stubborn,
    until,
)
from readers import csv_rows, openpyxl_rows, xml_rows

FORMATS = ("csv", "tsv", "xml", "xlsx", "json", "ndjson")
SOON = 0.02
"""Seconds after which the clocks of these tests want a flush."""


async def whole(encoding: sw.AsyncEncoding) -> bytes:
    chunks = [chunk async for chunk in encoding]
    assert all(chunks), "an empty chunk"
    return b"".join(chunks)


async def first_of(encoding: sw.AsyncEncoding) -> bytes:
    return await asyncio.wait_for(anext(encoding), PATIENCE)


def nine_hundred() -> Iterator[Any]:
    return orders(900)


async def fetched() -> AsyncIterator[Any]:
    await asyncio.sleep(0)
    return aorders(900)


async def listed() -> list[Any]:
    return list(orders(900))


# The twin of encode


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: list(orders(900)), id="list"),
        pytest.param(nine_hundred, id="iterator"),
        pytest.param(lambda: nine_hundred, id="callable"),
        pytest.param(lambda: aorders(900), id="async generator"),
        pytest.param(lambda: lambda: aorders(900), id="lambda that opens an async generator"),
        pytest.param(lambda: fetched, id="async callable that opens an async generator"),
        pytest.param(lambda: listed, id="async callable that opens a list"),
        pytest.param(fetched, id="coroutine"),
        pytest.param(lambda: AsyncRows(orders(900)), id="async iterator"),
        pytest.param(lambda: lambda: AsyncRows(orders(900)), id="lambda that opens a cursor"),
    ],
)
async def test_the_document_is_that_of_encode(form: str, make: Callable[[], Any]) -> None:
    columns = [sw.Column("id"), sw.Column("name", width=20)]
    rows = make()
    encoding = sw.aencode(rows, form, columns=columns)
    known = isinstance(rows, list)  # XLSX has the number of rows in advance if it is known
    plain = sw.encode(list(orders(900)) if known else orders(900), form, columns=columns)
    assert await whole(encoding) == b"".join(plain)
    assert encoding.receipt.sha256 == plain.receipt.sha256
    assert encoding.receipt.rows == 900
    assert encoding.receipt.outcome == "complete"


async def sheets_one_by_one() -> AsyncIterator[sw.Sheet]:
    for name in ("ä", "b", "c"):
        await asyncio.sleep(0)
        yield sw.Sheet(name, aorders(40))


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: [sw.Sheet(name, aorders(40)) for name in "äbc"], id="open rows"),
        pytest.param(
            lambda: [sw.Sheet(name, lambda: aorders(40)) for name in "äbc"], id="callables"
        ),
        pytest.param(
            lambda: [
                sw.Sheet("ä", aorders(40)),
                sw.Sheet("b", orders(40)),
                sw.Sheet("c", iter(list(orders(40)))),
            ],
            id="rows of both kinds",
        ),
        pytest.param(sheets_one_by_one, id="async generator of sheets"),
        pytest.param(lambda: sheets_one_by_one, id="callable that opens an async generator"),
    ],
)
async def test_sheets_may_have_asynchronous_rows(make: Callable[[], Any]) -> None:
    plain = sw.encode([sw.Sheet(name, orders(40)) for name in "äbc"], "xlsx")
    encoding = sw.aencode(make(), "xlsx")
    assert await whole(encoding) == b"".join(plain)
    assert encoding.receipt.rows == 120


async def test_names_come_from_a_cursor_that_was_awaited() -> None:
    class Cursor(AsyncRows):
        description = (("id", None), ("name", None))

    async def execute() -> Cursor:
        return Cursor(orders(1))

    assert csv_rows(await whole(sw.aencode(execute))) == [["id", "name"], ["0", "order 0"]]


async def test_no_rows_are_a_document_too() -> None:
    encoding = sw.aencode(aorders(0), "xml", columns=["id"])
    assert xml_rows(await whole(encoding)) == []
    assert encoding.receipt.outcome == "complete"


async def test_an_encoding_stays_at_its_end() -> None:
    encoding = sw.aencode(orders(1))
    assert aiter(encoding) is encoding
    await whole(encoding)
    with pytest.raises(StopAsyncIteration):
        await anext(encoding)


async def test_a_wrong_option_is_an_error_at_once() -> None:
    with pytest.raises(ValueError, match="unknown format 'pdf'"):
        sw.aencode([], "pdf")
    with pytest.raises(TypeError, match="not int"):
        sw.aencode(7)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="flush_interval above 0"):
        sw.aencode([], flush_interval=0)


async def test_the_first_chunk_comes_after_few_rows() -> None:
    for rows in (Rows(orders(10**6)), AsyncRows(orders(10**6))):
        async with sw.aencode(rows, "csv") as encoding:
            assert await first_of(encoding)
            assert rows.pulled < 1000


async def test_rows_are_read_no_faster_than_their_document_is_taken() -> None:
    rows = AsyncRows(orders(10**7))
    async with sw.aencode(rows, "csv") as encoding:
        await first_of(encoding)
        await asyncio.sleep(0.05)
        pulled = rows.pulled
        await asyncio.sleep(0.05)
        assert rows.pulled == pulled < 20_000


# One thread, one task, one context


async def test_plain_rows_are_opened_read_and_closed_on_one_thread() -> None:
    rows = Rows(orders(5000))
    threads = list[int]()

    def opened() -> Rows:
        threads.append(threading.get_ident())
        return rows

    await whole(sw.aencode(opened))
    assert rows.threads == threads
    assert rows.threads != [threading.get_ident()]
    assert rows.closed == 1


async def test_plain_rows_are_read_in_one_context_that_is_a_copy_of_the_caller_s() -> None:
    variable = contextvars.ContextVar("variable", default="unset")

    def rows() -> Iterator[Any]:
        token = variable.set(variable.get() + " and changed")
        yield (variable.get(),)
        yield from (("x" * 1000, variable.get()) for _ in range(300))
        variable.reset(token)
        yield (variable.get(),)

    variable.set("set before")
    encoding = sw.aencode(rows, columns=["text", "more"], chunk_size=1)
    variable.set("set later")
    lines = csv_rows(await whole(encoding))
    assert lines[1][0] == "set before and changed"
    assert lines[300][1] == "set before and changed"
    assert lines[-1][0] == "set before"


async def test_asynchronous_rows_are_opened_read_and_closed_in_one_task() -> None:
    rows = AsyncRows(orders(5000))
    tasks = list[asyncio.Task[Any] | None]()

    async def opened() -> AsyncRows:
        tasks.append(asyncio.current_task())
        return rows

    await whole(sw.aencode(opened))
    assert rows.tasks == tasks
    assert rows.closed == 1


async def test_six_cursors_of_sqlite_are_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "orders.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("create table orders (id, name)")
    connection.executemany("insert into orders values (?, ?)", orders(3000))
    connection.commit()
    connection.close()

    def rows() -> Iterator[Any]:
        connection = sqlite3.connect(path)
        try:
            yield from connection.execute("select * from orders")
        finally:
            connection.close()

    documents = await asyncio.gather(*(whole(sw.aencode(rows, "csv")) for _ in range(6)))
    assert {len(csv_rows(document)) for document in documents} == {3000}


async def test_a_cursor_of_another_thread_is_an_error_that_names_the_callable_form() -> None:
    connection = sqlite3.connect(":memory:")
    cursor = connection.execute("select 1 as one")
    encoding = sw.aencode(cursor)
    with pytest.raises(sw.StateError, match=r"a callable that opens them") as raised:
        await whole(encoding)
    assert isinstance(raised.value.__cause__, sqlite3.ProgrammingError)
    assert encoding.receipt.outcome == "source error"
    connection.close()


# The clock


def slowly(number: int, gate: Gate) -> Iterator[Any]:
    """Rows that come, and then a long nothing."""
    return gated(number, gate, orders(1))


@pytest.mark.parametrize("form", ["csv", "json", "xml"])
async def test_plain_rows_that_wait_are_flushed(form: str) -> None:
    gate = Gate()
    async with sw.aencode(slowly(3, gate), form, flush_interval=SOON) as encoding:
        chunk = await first_of(encoding)
        assert b"order 2" in chunk
        gate.open()
        assert b"order 0" in await whole(encoding)
    assert encoding.receipt.rows == 4
    assert encoding.receipt.outcome == "complete"


@pytest.mark.parametrize("form", ["csv", "json", "xml"])
async def test_asynchronous_rows_that_wait_are_flushed(form: str) -> None:
    data = b""
    async with sw.aencode(stalling(3), form, flush_interval=SOON) as encoding:
        while b"order 2" not in data:
            data += await first_of(encoding)


def inflated_sheet(data: bytes) -> bytes:
    """What a reader can have of the first sheet so far."""
    name = b"xl/worksheets/sheet1.xml"
    at = data.find(name)
    return b"" if at < 0 else zlib.decompressobj(-15).decompress(data[at + len(name) :])


@pytest.mark.parametrize("given", ["plain", "asynchronous"])
async def test_what_is_flushed_of_a_workbook_inflates_to_the_rows_so_far(given: str) -> None:
    gate, data = Gate(), b""
    rows = slowly(40, gate) if given == "plain" else stalling(40)
    async with sw.aencode(rows, "xlsx", flush_interval=SOON) as encoding:
        while b"order 39" not in inflated_sheet(data):
            data += await first_of(encoding)
        gate.open()


async def test_an_asynchronous_source_is_flushed_after_one_interval_not_two() -> None:
    begun = monotonic()
    async with sw.aencode(stalling(3), "csv", flush_interval=0.5) as encoding:
        await first_of(encoding)
    assert monotonic() - begun < 0.95


async def paused(rows: Any, pause: float) -> AsyncIterator[Any]:
    for row in rows:
        await asyncio.sleep(pause)
        yield row


def paused_here(rows: Any, pause: float) -> Iterator[Any]:
    for row in rows:
        sleep(pause)
        yield row


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("make", [paused, paused_here])
async def test_no_row_is_lost_when_every_chunk_is_of_the_clock(form: str, make: Any) -> None:
    encoding = sw.aencode(
        make(orders(60), 0.002), form, columns=["id", "name"], flush_interval=0.001
    )
    chunks = [chunk async for chunk in encoding]
    assert all(chunks)
    assert len(chunks) > 5
    if form == "xlsx":
        assert openpyxl_rows(b"".join(chunks))[1:] == [list(order) for order in orders(60)]
    else:
        assert b"".join(chunks) == b"".join(sw.encode(orders(60), form, columns=["id", "name"]))


async def test_the_clock_never_cancels_a_pull() -> None:
    cancelled = list[str]()

    async def rows() -> AsyncIterator[Any]:
        for order in orders(3):
            try:
                await asyncio.sleep(3 * SOON)
            except asyncio.CancelledError:
                cancelled.append("by the clock")
                raise
            yield order

    document = await whole(sw.aencode(rows, flush_interval=SOON))
    assert csv_rows(document) == [[str(number), name] for number, name in orders(3)]
    assert not cancelled


async def test_a_consumer_that_loses_patience_loses_no_row() -> None:
    encoding = sw.aencode(paused(orders(40), 0.002), chunk_size=10**6)
    chunks = []
    while True:
        try:
            chunks.append(await asyncio.wait_for(anext(encoding), 0.005))
        except TimeoutError:
            continue
        except StopAsyncIteration:
            break
    assert b"".join(chunks) == b"".join(sw.encode(orders(40)))


class Records:
    """Rows as drivers make them: neither tuples nor dicts."""

    def __init__(self, row: Any) -> None:
        self.row = row

    def __len__(self) -> int:
        return len(self.row)

    def __getitem__(self, at: int) -> Any:
        return self.row[at]


async def test_records_of_a_driver_are_flushed_by_the_clock() -> None:
    gate = Gate()
    rows = map(Records, slowly(3, gate))
    async with sw.aencode(rows, flush_interval=SOON) as encoding:
        assert b"order 2" in await first_of(encoding)
        gate.open()


@dataclass
class Customer:
    name: str


@pytest.mark.parametrize(
    "column",
    [
        pytest.param(sw.Column("name.name", "name"), id="dotted path"),
        pytest.param(sw.Column(lambda row: row["name"].name, "name"), id="callable"),
        pytest.param(sw.Column("name", convert=lambda name: name.name), id="conversion"),
    ],
)
async def test_what_may_run_code_of_the_caller_waits_for_the_thread_of_the_rows(
    column: sw.Column,
) -> None:
    threads = set[int]()

    class Watched(Customer):
        def __getattribute__(self, name: str) -> Any:
            threads.add(threading.get_ident())
            return super().__getattribute__(name)

    gate, pulling = Gate(), list[int]()

    def rows() -> Iterator[Any]:
        pulling.append(threading.get_ident())
        yield {"name": Watched("x")}
        gate.wait()

    encoding = sw.aencode(rows, columns=[column], flush_interval=SOON)
    reading = asyncio.create_task(whole(encoding))
    await gate.was_entered()
    await asyncio.sleep(3 * SOON)
    gate.open()
    assert csv_rows(await reading) == [["name"], ["x"]]
    assert threads == set(pulling)


async def test_a_cell_that_cannot_be_written_shows_when_the_clock_has_it_written() -> None:
    async def rows() -> AsyncIterator[Any]:
        yield (1,)
        yield (object(),)
        await asyncio.Event().wait()

    encoding = sw.aencode(rows, flush_interval=SOON)
    with pytest.raises(sw.CellError, match="row 2, column 1"):
        await asyncio.wait_for(whole(encoding), PATIENCE)
    assert encoding.receipt.outcome == "encode error"
    assert encoding.receipt.sha256 is None


async def test_after_such_an_error_no_further_row_is_written() -> None:
    gate = Gate()

    def rows() -> Iterator[Any]:
        yield (object(),)
        gate.wait()
        yield from orders(1000)

    encoding = sw.aencode(rows, "xlsx", columns=["a", "b"], flush_interval=SOON)
    reading = asyncio.create_task(whole(encoding))
    await gate.was_entered()
    await until(lambda: encoding.receipt.outcome == "encode error")
    gate.open()
    with pytest.raises(sw.CellError):
        await reading
    assert encoding.receipt.rows == 0


class SlowEnd:
    """A format whose last bytes take longer than the clock has patience."""

    name = "slow"
    media_type = "text/plain"
    extension = ".slow"
    several_sheets = False
    self_terminating = True
    compressible = True

    def __init__(self) -> None:
        self.calls: list[str] = []

    def encoder(self, columns: Any, context: sw.Context) -> Any:
        return self

    def start(self) -> bytes:
        return b""

    def feed(self, batch: Any) -> bytes:
        self.calls.append("feed")
        return b"rows "

    def flush(self) -> bytes:
        self.calls.append("flush")
        return b"flushed "

    def finish(self) -> bytes:
        self.calls.append("begin to finish")
        sleep(5 * SOON)
        self.calls.append("finish")
        return b"end"

    def abort(self) -> None:
        self.calls.append("abort")


async def test_the_clock_lets_an_end_that_takes_long_be_the_end() -> None:
    form = SlowEnd()
    rows = paused_here(orders(2), SOON / 4)
    assert await whole(sw.aencode(rows, form, flush_interval=SOON)) == b"rows end"
    assert form.calls == ["feed", "begin to finish", "finish"]


# Closing


def given(kind: str, rows: Any) -> Any:
    return Rows(rows) if kind == "plain" else AsyncRows(rows)


@pytest.fixture(params=["plain", "asynchronous"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_rows_are_closed_at_their_end(kind: str) -> None:
    rows = given(kind, orders(100))
    await whole(sw.aencode(rows))
    assert rows.closed == 1


@pytest.mark.parametrize("number", [0, 1, 100, 5000])
async def test_rows_that_fail_are_closed_and_their_error_passes(kind: str, number: int) -> None:
    rows = given(kind, failing(number))
    encoding = sw.aencode(rows)
    with pytest.raises(Broken):
        await whole(encoding)
    assert rows.closed == 1
    assert (encoding.receipt.outcome, encoding.receipt.sha256) == ("source error", None)
    with pytest.raises(StopAsyncIteration):
        await anext(encoding)


@pytest.mark.parametrize("form", ["csv", "xlsx", "xml"])
@pytest.mark.parametrize("number", [0, 5000])
@pytest.mark.parametrize("error", [StopAsyncIteration, GeneratorExit])
async def test_what_ends_other_loops_does_not_pass_for_the_end_of_the_rows(
    error: type[BaseException], number: int, form: str
) -> None:
    rows = Rows(failing(number, error()))
    encoding = sw.aencode(rows, form)
    with pytest.raises(RuntimeError, match=f"the rows raised {error.__name__}"):
        await whole(encoding)
    assert rows.closed == 1
    assert (encoding.receipt.outcome, encoding.receipt.problem) == ("source error", error.__name__)


async def test_a_generator_exit_of_asynchronous_rows_is_their_error() -> None:
    encoding = sw.aencode(afailing(100, GeneratorExit()))
    with pytest.raises(RuntimeError, match="the rows raised GeneratorExit"):
        await whole(encoding)
    assert encoding.receipt.outcome == "source error"


async def test_nor_does_it_where_rows_are_opened_or_converted() -> None:
    async def opened() -> Any:
        return [await anext(AsyncRows([]))]  # the first line of an empty upload, say

    def converted(cell: Any) -> Any:
        raise StopAsyncIteration

    columns = [sw.Column(0, convert=converted)]
    encodings = [sw.aencode(opened), sw.aencode(orders(3), columns=columns)]
    for encoding in (*encodings, sw.aencode(aorders(3), columns=columns)):
        with pytest.raises(RuntimeError, match="the rows raised StopAsyncIteration"):
            await whole(encoding)
        assert encoding.receipt.outcome == "source error"


@pytest.mark.parametrize("number", [0, 100])
async def test_rows_that_cancel_themselves_do_not_pass_for_complete(kind: str, number: int) -> None:
    rows = given(kind, failing(number, asyncio.CancelledError()))
    encoding = sw.aencode(rows)
    with pytest.raises(RuntimeError, match=r"cancelled|CancelledError"):
        await whole(encoding)
    assert rows.closed == 1
    assert encoding.receipt.outcome == "source error"


async def test_rows_that_cannot_be_opened_are_an_error() -> None:
    def fail() -> Any:
        raise Broken

    async def afail() -> Any:
        raise Broken

    for rows in (fail, afail, afail()):
        encoding = sw.aencode(rows)
        with pytest.raises(Broken):
            await whole(encoding)
        assert encoding.receipt.outcome == "source error"


async def test_rows_with_a_cell_that_cannot_be_written_are_closed(kind: str) -> None:
    rows = given(kind, [(0, ""), (object(), ""), *orders(10_000)])
    encoding = sw.aencode(rows)
    with pytest.raises(sw.CellError, match="row 2"):
        await whole(encoding)
    assert rows.closed == 1
    assert encoding.receipt.outcome == "encode error"


async def test_rows_beyond_a_limit_are_closed(kind: str) -> None:
    rows = given(kind, orders(10_000))
    encoding = sw.aencode(rows, limits=sw.Limits(rows=99))
    with pytest.raises(sw.LimitError, match="over the limit of 99"):
        await whole(encoding)
    assert rows.closed == 1
    assert encoding.receipt.outcome == "limit"


async def test_rows_are_closed_when_the_reader_gives_up(kind: str) -> None:
    rows = given(kind, orders(10**6))
    async with sw.aencode(rows) as encoding:
        await first_of(encoding)
    assert rows.closed == 1
    assert (encoding.receipt.outcome, encoding.receipt.sha256) == ("closed", None)
    with pytest.raises(StopAsyncIteration):
        await anext(encoding)


async def test_a_document_whose_last_chunk_was_never_taken_is_not_complete() -> None:
    encoding = sw.aencode(orders(33), chunk_size=10**6)
    await first_of(encoding)
    reading = asyncio.ensure_future(anext(encoding))
    await asyncio.sleep(0)
    reading.cancel()
    await until(lambda: encoding.receipt.rows == 33)
    await asyncio.sleep(SOON)
    await encoding.aclose()
    assert (encoding.receipt.outcome, encoding.receipt.sha256) == ("closed", None)


async def test_what_rows_raise_when_they_are_interrupted_is_not_their_error() -> None:
    gate = Gate()
    encoding = sw.aencode(gated(3, gate, failing(0)))
    reading = asyncio.create_task(anext(encoding))
    await gate.was_entered()
    closing = asyncio.create_task(encoding.aclose())
    await asyncio.sleep(0)
    gate.open()
    await closing
    assert encoding.receipt.outcome == "closed"
    with pytest.raises(StopAsyncIteration):
        await reading


async def test_rows_handed_over_open_are_closed_when_they_never_begin(kind: str) -> None:
    rows = given(kind, orders(3))
    encoding = sw.aencode(rows)
    await encoding.aclose()
    assert (rows.pulled, rows.closed) == (0, 1)
    assert encoding.receipt.outcome == "closed"


async def test_the_rows_of_sheets_are_closed_when_they_never_begin() -> None:
    plain, asynchronous = Rows([]), AsyncRows([])
    await sw.aencode([sw.Sheet("a", plain), sw.Sheet("b", asynchronous)], "xlsx").aclose()
    assert (plain.closed, asynchronous.closed) == (1, 1)


async def test_the_rows_of_sheets_are_closed_when_an_earlier_one_fails() -> None:
    rows: list[Any] = [AsyncRows(failing(3)), Rows([]), AsyncRows([])]
    with pytest.raises(Broken):
        await whole(sw.aencode([sw.Sheet("a", each) for each in rows], "xlsx"))
    assert [(each.pulled, each.closed) for each in rows] == [(4, 1), (0, 1), (0, 1)]


async def test_a_callable_is_not_called_when_its_rows_never_begin() -> None:
    calls = list[str]()
    encoding = sw.aencode(lambda: calls.append("opened"))
    await encoding.aclose()
    assert not calls


async def test_a_coroutine_that_never_begins_is_closed_without_a_warning() -> None:
    await sw.aencode(listed()).aclose()
    gc.collect()


async def test_an_encoding_is_closed_once(kind: str) -> None:
    rows = given(kind, orders(10_000))
    encoding = sw.aencode(rows)
    await first_of(encoding)
    await asyncio.gather(encoding.aclose(), encoding.aclose())
    await encoding.aclose()
    assert rows.closed == 1


async def test_whoever_closes_an_encoding_waits_until_it_is() -> None:
    gate = Gate()
    rows = Rows(gated(3, gate))
    encoding = sw.aencode(rows)
    reading = asyncio.create_task(anext(encoding))
    await gate.was_entered()
    closings = [asyncio.create_task(encoding.aclose()) for _ in range(2)]
    await asyncio.sleep(SOON)
    assert not any(closing.done() for closing in closings)
    gate.open()
    await asyncio.gather(*closings)
    assert rows.closed == 1
    with pytest.raises(StopAsyncIteration):
        await reading


async def test_asynchronous_rows_that_wait_are_cancelled_when_they_are_closed() -> None:
    ended = list[str]()
    waiting = asyncio.Event()

    async def rows() -> AsyncIterator[Any]:
        try:
            yield (1,)
            waiting.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.001)
            ended.append("after a wait")

    encoding = sw.aencode(rows)
    reading = asyncio.create_task(anext(encoding))
    await waiting.wait()
    await encoding.aclose()
    assert ended == ["after a wait"]
    assert encoding.receipt.outcome == "closed"
    with pytest.raises(StopAsyncIteration):
        await reading


@pytest.mark.parametrize("begun", [True, False])
async def test_an_encoding_can_be_closed_without_waiting(kind: str, begun: bool) -> None:
    rows = given(kind, orders(10**6))
    encoding = sw.aencode(rows)
    if begun:
        await first_of(encoding)
    encoding.close()
    encoding.close()
    await until(lambda: rows.closed == 1)
    await encoding.aclose()
    assert encoding.receipt.outcome == "closed"


async def test_an_encoding_can_be_closed_by_a_thread_without_a_loop(kind: str) -> None:
    rows = given(kind, orders(10**6))
    encoding = sw.aencode(rows)
    await first_of(encoding)
    await asyncio.to_thread(encoding.close)
    await until(lambda: rows.closed == 1)


def test_an_encoding_that_never_began_can_be_closed_without_a_loop() -> None:
    rows = Rows(orders(3))
    encoding = sw.aencode(rows)
    encoding.close()
    assert rows.closed == 1
    encoding.close()


async def test_a_plain_encoding_can_be_closed_by_another_thread() -> None:
    gate = Gate()
    rows = Rows(gated(3, gate, orders(10**6)))
    encoding = sw.encode(rows, "xlsx")
    reading = asyncio.create_task(asyncio.to_thread(list, encoding))
    await gate.was_entered()
    encoding.close()
    assert encoding.receipt.outcome == "closed"
    gate.open()
    assert await reading == []
    assert rows.closed == 1
    assert rows.pulled < 100


async def test_a_reader_that_is_cancelled_can_close() -> None:
    ended, encoding = list[str](), sw.aencode(stalling(3))

    async def read() -> None:
        try:
            await anext(encoding)
        finally:
            await encoding.aclose()
            ended.append(encoding.receipt.outcome)

    reading = asyncio.create_task(read())
    await asyncio.sleep(SOON)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert ended == ["closed"]


async def test_a_cancellation_ends_the_waiting_not_the_closing() -> None:
    gate = Gate()
    rows = Rows(gated(3, gate))
    encoding = sw.aencode(rows)
    reading = asyncio.create_task(anext(encoding))
    await gate.was_entered()
    closing = asyncio.create_task(encoding.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert rows.closed == 0
    gate.open()
    with pytest.raises(StopAsyncIteration):
        await reading
    await until(lambda: rows.closed == 1)
    await encoding.aclose()


async def test_rows_that_never_truly_wait_stop_soon() -> None:
    pulled = 0

    async def rows() -> AsyncIterator[Any]:
        nonlocal pulled
        for pulled in count():
            yield (pulled, "x" * 50)

    encoding = sw.aencode(rows)
    await first_of(encoding)
    await encoding.aclose()
    stopped = pulled
    await asyncio.sleep(SOON)
    assert pulled == stopped < 50_000


async def test_closing_never_raises_and_is_logged(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    rows = Rows(orders(1), closing=Broken()) if kind == "plain" else None
    arows = AsyncRows(orders(1), closing=Broken())
    assert csv_rows(await whole(sw.aencode(rows or arows))) == [["0", "order 0"]]
    assert [record.getMessage() for record in caplog.records] == [
        "closing the rows of an export failed"
    ]


async def test_rows_are_closed_when_an_encoding_is_forgotten(kind: str) -> None:
    rows = given(kind, orders(10**6))
    encoding = sw.aencode(rows)
    await first_of(encoding)
    gc.disable()
    try:
        del encoding
        await until(lambda: rows.closed == 1)
    finally:
        gc.enable()


async def test_an_encoding_that_never_began_is_forgotten_without_a_trace() -> None:
    rows = Rows(orders(1))
    encoding = sw.aencode(rows)
    del encoding
    assert rows.closed == 1


def test_an_encoding_may_outlive_its_loop() -> None:
    rows = Rows(orders(10**6))
    encoding = sw.aencode(rows)
    asyncio.run(first_of_them(encoding))
    del encoding
    end = monotonic() + PATIENCE
    while not rows.closed and monotonic() < end:
        sleep(0.001)
    assert rows.closed == 1


async def first_of_them(encoding: sw.AsyncEncoding) -> None:
    await first_of(encoding)


async def test_a_host_without_room_for_a_thread_is_an_error_and_no_hang(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    rows = Rows(orders(1))
    encoding = sw.aencode(rows)
    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        await anext(encoding)
    await encoding.aclose()
    assert rows.closed == 1


# The loop


async def longest_wait(work: asyncio.Future[Any]) -> float:
    """The longest time that another task had to wait for its turn."""
    loop = asyncio.get_running_loop()
    longest, last = 0.0, loop.time()
    while not work.done():
        await asyncio.sleep(0)
        longest, last = max(longest, loop.time() - last), loop.time()
    return longest


@pytest.mark.slow
@pytest.mark.parametrize("form", ["csv", "xlsx"])
async def test_other_tasks_get_their_turn_while_exports_run(kind: str, form: str) -> None:
    def rows() -> Any:
        made = zip(range(20_000), repeat("a text of some length"), repeat(1.5))
        return AsyncRows(made) if kind == "asynchronous" else made

    work = asyncio.gather(*(whole(sw.aencode(rows, form)) for _ in range(4)))
    assert await longest_wait(work) < 0.5
    await work


async def test_rows_that_swallow_their_cancellation_are_left_all_the_same() -> None:
    encoding = sw.aencode(stubborn)
    async with asyncio.timeout(PATIENCE):
        await first_of(encoding)
        await encoding.aclose()
    assert encoding.receipt.outcome == "closed"


async def test_rows_that_swallow_their_cancellation_take_no_longer_than_they_may() -> None:
    encoding = sw.aencode(stubborn, limits=sw.Limits(seconds=0.2))
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(sw.LimitError, match="seconds"):
            await whole(encoding)
    assert encoding.receipt.outcome == "expired"


async def test_a_slow_source_is_left_after_the_pull_in_flight() -> None:
    pulled = 0

    def rows() -> Iterator[tuple[int]]:
        nonlocal pulled
        for at in range(1000):
            pulled += 1
            yield (at,)
            sleep(0.01)

    encoding = sw.aencode(rows(), flush_interval=0.05)
    await anext(encoding)
    await asyncio.sleep(0.02)
    before = pulled
    await encoding.aclose()
    assert pulled - before <= 2
