"""What only ASGI has: a client that leaves while something waits, and tasks that are cancelled."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

import streamware as sw
from fakes import (
    PATIENCE,
    AsyncRows,
    Broken,
    Connection,
    Gate,
    Message,
    Reply,
    Rows,
    afailing,
    aorders,
    asgi_get,
    failing,
    gated,
    orders,
    stalling,
    stubborn,
    until,
)
from readers import csv_rows, openpyxl_rows
from streamware.engine.async_driver import AsyncDriver


class Done:
    """The receipts that `on_done` was called with."""

    def __init__(self) -> None:
        self.outcomes: list[str] = []

    def __call__(self, receipt: sw.Receipt) -> None:
        self.outcomes.append(receipt.outcome)


@pytest.fixture
def done() -> Done:
    return Done()


def answering(connection: Connection, app: Any) -> asyncio.Task[Reply]:
    return asyncio.create_task(connection.run(app))


async def ended(task: asyncio.Task[Reply]) -> Reply:
    """Its reply, which must not be long in coming."""
    return await asyncio.wait_for(asyncio.shield(task), PATIENCE)


# Messages


async def test_the_messages_of_a_download() -> None:
    connection = Connection()
    await connection.run(sw.Export([(1,)], headers=[("X-Name", "ä")]))
    start, *bodies = connection.sent
    assert (start["type"], start["status"]) == ("http.response.start", 200)
    assert (b"x-name", "ä".encode("latin-1")) in start["headers"]
    assert all(name == name.lower() for name, _ in start["headers"])
    assert bodies == [
        {"type": "http.response.body", "body": b"1\r\n", "more_body": True},
        {"type": "http.response.body", "body": b"", "more_body": False},
    ]


async def test_the_start_is_sent_when_the_first_chunk_is_there() -> None:
    gate = Gate()
    connection = Connection()
    task = answering(connection, sw.Export(gated(0, gate, orders(3))))
    await gate.was_entered()
    assert not connection.started
    gate.open()
    assert (await ended(task)).complete


async def test_a_header_that_came_twice_is_one_list() -> None:
    connection = Connection()
    connection.scope["headers"] = [(b"Accept", b"image/png"), (b"accept", b"application/xml")]
    reply = await connection.run(sw.Export([(1,)]))
    assert reply.headers["content-type"].startswith("application/xml")


async def test_a_scope_need_not_have_a_query() -> None:
    connection = Connection()
    del connection.scope["query_string"]
    assert (await connection.run(sw.Export([(1,)]))).complete


@pytest.mark.parametrize("type_", ["lifespan", "websocket"])
async def test_other_protocols_are_refused(type_: str) -> None:
    connection = Connection()
    connection.scope["type"] = type_
    reply = await connection.run(sw.Export([(1,)]))
    assert isinstance(reply.error, sw.StateError)
    assert f"answers HTTP requests, not {type_}" in str(reply.error)


def test_another_event_loop_is_refused() -> None:
    connection = Connection()
    answer: Any = sw.Export([(1,)])(connection.scope, connection.receive, connection.send)
    with pytest.raises(sw.StateError, match="asyncio only"):
        answer.send(None)


async def test_a_body_of_the_request_is_passed_over() -> None:
    connection = Connection()
    connection._requests = [{"type": "http.request", "body": b"x", "more_body": True}] * 3
    assert (await connection.run(sw.Export([(1,)]))).complete


# Rows of either kind


def test_asynchronous_rows_are_a_download(done: Done) -> None:
    reply = asgi_get(sw.Export(aorders(20_000), on_done=done))
    assert reply.complete
    assert len(csv_rows(reply.body)) == 20_000
    assert done.outcomes == ["complete"]


def test_sheets_may_have_asynchronous_rows() -> None:
    async def sheets() -> AsyncIterator[sw.Sheet]:
        yield sw.Sheet("a", aorders(1))
        yield sw.Sheet("b", aorders(2))

    reply = asgi_get(sw.Export(sheets, format="xlsx"))
    assert openpyxl_rows(reply.body, "b") == [[0, "order 0"], [1, "order 1"]]


def test_plain_rows_are_read_on_a_thread_of_their_own() -> None:
    rows = Rows(orders(20_000))
    asgi_get(sw.Export(rows))
    assert len(rows.threads) == 1
    assert rows.threads != [threading.get_ident()]


@pytest.mark.parametrize("number", [0, 1, 31, 20_000])
def test_asynchronous_rows_that_fail_are_closed(done: Done, number: int) -> None:
    rows = AsyncRows(failing(number))
    reply = asgi_get(sw.Export(rows, on_done=done))
    assert isinstance(reply.error, Broken)
    assert (reply.status is None) == (number < 32)
    assert not reply.complete
    assert rows.closed == 1
    assert done.outcomes == ["source error"]


@pytest.mark.parametrize("number", [0, 20_000])
@pytest.mark.parametrize("make", [failing, afailing])
def test_rows_that_cancel_themselves_do_not_pass_for_complete(
    done: Done, number: int, make: Callable[..., Any]
) -> None:
    reply = asgi_get(sw.Export(make(number, asyncio.CancelledError()), on_done=done))
    assert isinstance(reply.error, RuntimeError)
    assert not reply.complete
    assert done.outcomes == ["source error"]


@pytest.mark.parametrize("began", [False, True])
def test_a_document_that_ends_before_its_end_is_sent_no_end(
    done: Done, monkeypatch: pytest.MonkeyPatch, began: bool
) -> None:
    taken = list[bytes]()

    async def cut(driver: AsyncDriver) -> bytes:
        if taken or not began:
            raise StopAsyncIteration
        taken.append(b"0,order 0\r\n")
        return taken[0]

    monkeypatch.setattr(AsyncDriver, "__anext__", cut)
    rows = Rows(orders(3))
    reply = asgi_get(sw.Export(rows, on_done=done))
    assert isinstance(reply.error, sw.StateError)
    assert (reply.status, reply.complete) == (200 if began else None, False)
    assert rows.closed == 1
    assert len(done.outcomes) == 1


def test_asynchronous_rows_can_be_used_once() -> None:
    for rows in (aorders(3), AsyncRows(orders(3)), [sw.Sheet("a", aorders(3))]):
        export = sw.Export(rows, format="xlsx")
        assert asgi_get(export).complete
        assert isinstance(asgi_get(export).error, sw.StateError)


@pytest.mark.parametrize("query", ["", "format=pdf"])
def test_head_closes_asynchronous_rows_that_were_handed_over_open(query: str) -> None:
    rows, sheet = AsyncRows(orders(3)), AsyncRows(orders(3))
    asgi_get(sw.Export(rows), method="HEAD", query=query)
    asgi_get(sw.Export([sw.Sheet("a", sheet)]), method="HEAD", query=query)
    assert (rows.closed, sheet.closed) == (1, 1)


def test_a_coroutine_that_is_not_wanted_is_closed() -> None:
    async def opened() -> Any:
        return orders(3)

    assert asgi_get(sw.Export(opened()), method="HEAD").status == 200


# The client leaves


@pytest.mark.parametrize("chunks", [0, 1, 2])
def test_asynchronous_rows_are_closed_when_the_client_leaves(done: Done, chunks: int) -> None:
    rows = AsyncRows(orders(10**6))
    reply = asgi_get(sw.Export(rows, on_done=done), leave_after=chunks)
    assert (len(reply.chunks), reply.complete, reply.error) == (chunks, False, None)
    assert rows.closed == 1
    assert rows.pulled < 10**5
    assert done.outcomes == ["client gone"]


async def test_the_client_may_leave_while_asynchronous_rows_wait(done: Done) -> None:
    rows = list[str]()

    async def waiting() -> AsyncIterator[Any]:
        try:
            async for order in stalling(100):
                yield order
        finally:
            await asyncio.sleep(0.001)
            rows.append("closed after a wait")

    connection = Connection()
    task = answering(connection, sw.Export(waiting, on_done=done))
    await until(lambda: connection.chunks)
    connection.leave()
    reply = await ended(task)
    assert rows == ["closed after a wait"]
    assert (reply.complete, reply.error, done.outcomes) == (False, None, ["client gone"])


async def test_the_client_may_leave_while_asynchronous_rows_are_opened(done: Done) -> None:
    async def opened() -> Any:
        await asyncio.Event().wait()

    connection = Connection()
    task = answering(connection, sw.Export(opened, on_done=done))
    await asyncio.sleep(0.01)
    connection.leave()
    assert not (await ended(task)).chunks
    assert done.outcomes == ["client gone"]


async def test_the_client_may_leave_while_plain_rows_are_blocked(done: Done) -> None:
    gate = Gate()
    rows = Rows(gated(100, gate))
    connection = Connection()
    task = answering(connection, sw.Export(rows, on_done=done))
    await gate.was_entered()
    await until(lambda: connection.chunks)
    connection.leave()
    await asyncio.sleep(0.02)
    assert not task.done()
    gate.open()
    reply = await ended(task)
    assert rows.closed == 1
    assert (reply.complete, reply.error, done.outcomes) == (False, None, ["client gone"])


async def test_rows_that_are_blocked_are_interrupted_from_another_thread(done: Done) -> None:
    gate, threads = Gate(), list[int]()

    def cancel() -> None:
        threads.append(threading.get_ident())
        gate.open()

    def interrupted() -> Iterator[Any]:
        yield from gated(100, gate)
        raise Broken("interrupted")

    rows = Rows(interrupted())
    connection = Connection()
    task = answering(connection, sw.Export(rows, cancel=cancel, on_done=done))
    await gate.was_entered()
    connection.leave()
    reply = await ended(task)
    assert len(threads) == 1
    assert threads[0] not in (threading.get_ident(), *rows.threads)
    assert rows.closed == 1
    assert (reply.error, done.outcomes) == (None, ["client gone"])


async def test_what_interrupts_may_fail(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()

    def cancel() -> None:
        gate.open()
        raise Broken

    connection = Connection()
    task = answering(connection, sw.Export(gated(100, gate), cancel=cancel))
    await gate.was_entered()
    connection.leave()
    await ended(task)
    await until(lambda: caplog.messages == ["cancelling the rows of an export failed"])


def test_nothing_is_interrupted_where_no_pull_is_blocked() -> None:
    calls = list[str]()
    asgi_get(sw.Export(orders(3), cancel=lambda: calls.append("cancelled")))
    asgi_get(sw.Export(failing(3), cancel=lambda: calls.append("cancelled")))
    assert not calls


@pytest.mark.parametrize("chunks", [0, 1])
async def test_the_client_may_leave_while_it_takes_nothing(done: Done, chunks: int) -> None:
    for rows in (Rows(orders(10**6)), AsyncRows(orders(10**6))):
        connection = Connection(stall_after=chunks)
        task = answering(connection, sw.Export(rows, on_done=done))
        await connection.stalled.wait()
        connection.leave()
        assert not (await ended(task)).complete
        assert rows.closed == 1
    assert done.outcomes == ["client gone", "client gone"]


@pytest.mark.parametrize("delivery", ["stream", "buffer", "spool"])
async def test_rows_that_swallow_their_cancellation_keep_no_place_when_the_client_left(
    done: Done, delivery: Any, tmp_path: Path
) -> None:
    begun = asyncio.Event()

    async def rows() -> AsyncIterator[Any]:
        begun.set()
        async for row in stubborn():
            yield row

    settings = sw.Settings(max_concurrent=1, wait_seconds=0, scratch_dir=tmp_path)
    connection = Connection()
    export = sw.Export(rows, delivery=delivery, settings=settings, on_done=done)
    task = answering(connection, export)
    await begun.wait()
    connection.leave()
    await ended(task)
    assert done.outcomes == ["client gone"]
    assert (await Connection().run(sw.Export([(1,)], settings=settings))).status == 200


async def test_rows_wait_for_a_client_that_takes_nothing() -> None:
    for rows in (Rows(orders(10**6)), AsyncRows(orders(10**6))):
        connection = Connection(stall_after=3)
        task = answering(connection, sw.Export(rows))
        await connection.stalled.wait()
        await asyncio.sleep(0.05)
        pulled = rows.pulled
        await asyncio.sleep(0.05)
        assert rows.pulled == pulled < 50_000
        connection.leave()
        await ended(task)


def test_asynchronous_rows_that_never_truly_wait_stop_soon_after_the_client_left() -> None:
    pulled = 0

    async def rows() -> AsyncIterator[Any]:
        nonlocal pulled
        for pulled in count():
            yield (pulled, "x" * 50)

    reply = asgi_get(sw.Export(rows), leave_after=2)
    assert len(reply.chunks) == 2
    assert pulled < 50_000


async def test_a_client_that_left_before_the_first_chunk_is_sent_nothing(done: Done) -> None:
    gate = Gate()
    connection = Connection()
    task = answering(connection, sw.Export(gated(0, gate, orders(9)), on_done=done))
    await gate.was_entered()
    connection.leave()
    await asyncio.sleep(0.01)
    gate.open()
    await ended(task)
    assert not connection.sent
    assert done.outcomes == ["client gone"]


async def test_a_send_that_fails_ends_the_download(done: Done) -> None:
    class Gone(Connection):
        """As a server of ASGI 2.4 should say it."""

        async def send(self, message: Message) -> None:
            await super().send(message)
            if len(self.chunks) == 2:
                raise OSError("the client has left")

    rows = Rows(orders(10**6))
    reply = await Gone().run(sw.Export(rows, on_done=done))
    assert isinstance(reply.error, OSError)
    assert rows.closed == 1
    assert done.outcomes == ["client gone"]


async def test_a_receive_that_fails_ends_the_download(done: Done) -> None:
    class Deaf(Connection):
        async def receive(self) -> Message:
            raise Broken

    rows = Rows(orders(10**6))
    reply = await Deaf().run(sw.Export(rows, on_done=done))
    assert isinstance(reply.error, Broken)
    assert rows.closed == 1
    assert done.outcomes == ["client gone"]


# The client leaves when it has everything


class Satisfied(Connection):
    """A client that leaves when it has seen the end, before `send` has returned."""

    async def send(self, message: Message) -> None:
        await super().send(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self.leave()
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("delivery", ["stream", "buffer", "spool"])
@pytest.mark.parametrize("number", [0, 1, 5000])
@pytest.mark.parametrize("make", [Rows, AsyncRows])
async def test_a_client_that_leaves_with_the_last_byte_has_a_complete_document(
    done: Done, make: Any, number: int, delivery: Any, tmp_path: Path
) -> None:
    settings = sw.Settings(scratch_dir=tmp_path)
    rows = make(orders(number))
    export = sw.Export(rows, delivery=delivery, settings=settings, on_done=done)
    reply = await Satisfied().run(export)
    assert (reply.complete, reply.error, rows.closed) == (True, None, 1)
    assert done.outcomes == ["complete"]


@pytest.mark.parametrize("delivery", ["stream", "spool"])
async def test_a_server_may_cancel_the_last_message(
    done: Done, delivery: Any, tmp_path: Path
) -> None:
    class Slow(Connection):
        async def send(self, message: Message) -> None:
            await super().send(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                self.stalled.set()
                await asyncio.Event().wait()

    settings = sw.Settings(scratch_dir=tmp_path)
    connection = Slow()
    export = sw.Export(orders(3), delivery=delivery, settings=settings, on_done=done)
    task = answering(connection, export)
    await connection.stalled.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done.outcomes == ["complete"]


async def test_the_last_chunk_of_a_spool_that_could_not_be_sent_is_missing(
    done: Done, tmp_path: Path
) -> None:
    class Gone(Connection):
        async def send(self, message: Message) -> None:
            if message["type"] == "http.response.body":
                raise OSError("the client has left")

    settings = sw.Settings(scratch_dir=tmp_path)
    export = sw.Export(orders(3), delivery="spool", settings=settings, on_done=done)
    assert isinstance((await Gone().run(export)).error, OSError)
    assert done.outcomes == ["client gone"]


# The server cancels


@pytest.mark.parametrize("stall_after", [None, 1])
async def test_a_server_may_cancel(done: Done, stall_after: int | None) -> None:
    for rows in (Rows(orders(10**7)), AsyncRows(orders(10**7))):
        connection = Connection(stall_after=stall_after)
        task = answering(connection, sw.Export(rows, on_done=done))
        await until(partial(getattr, connection, "chunks"))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert rows.closed == 1
    assert done.outcomes == ["client gone", "client gone"]


async def test_a_server_may_cancel_before_anything_has_started() -> None:
    rows = AsyncRows(orders(3))
    connection = Connection()
    task = answering(connection, sw.Export(lambda: rows))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (rows.pulled, connection.sent) == (0, [])


async def test_a_server_that_cancels_twice_does_not_wait_but_the_rows_are_closed(
    done: Done,
) -> None:
    gate = Gate()
    rows = Rows(gated(100, gate))
    connection = Connection()
    task = answering(connection, sw.Export(rows, on_done=done))
    await gate.was_entered()
    task.cancel()
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (rows.closed, done.outcomes) == (0, [])
    gate.open()
    await until(lambda: rows.closed == 1 and done.outcomes == ["client gone"])


def test_a_loop_may_be_shut_down_during_a_download(done: Done) -> None:
    rows = AsyncRows(orders(10**7))

    async def begin() -> None:
        connection = Connection(stall_after=2)
        begin.task = answering(connection, sw.Export(rows, on_done=done))  # type: ignore[attr-defined]
        await connection.stalled.wait()
        begin.task.cancel()  # type: ignore[attr-defined]

    asyncio.run(begin())
    assert rows.closed == 1
    assert done.outcomes == ["client gone"]


# Several at once


async def test_exports_at_once_do_not_mix() -> None:
    export = sw.Export(lambda: orders(5000))
    replies = await asyncio.gather(*(Connection().run(export) for _ in range(6)))
    assert {reply.body for reply in replies} == {b"".join(sw.encode(orders(5000)))}


async def test_a_blocked_source_blocks_no_other_export() -> None:
    gate = Gate()
    blocked = answering(Connection(), sw.Export(gated(100, gate)))
    await gate.was_entered()
    assert (await ended(answering(Connection(), sw.Export(orders(5000))))).complete
    gate.open()
    assert (await ended(blocked)).complete


@pytest.mark.parametrize("layers", [0, 1, 2])
async def test_an_export_whose_client_left_before_the_first_chunk_is_no_error_below_starlette_s(
    layers: int,
) -> None:
    base: Any = pytest.importorskip("starlette.middleware.base")

    class Passing(base.BaseHTTPMiddleware):  # type: ignore[misc]  # it is any
        async def dispatch(self, request: Any, call_next: Any) -> Any:
            return await call_next(request)

    gate, connection = Gate(), Connection()
    app: Any = sw.Export(gated(0, gate, [(1,)]), format="csv")
    for _ in range(layers):
        app = Passing(app)
    task = asyncio.create_task(connection.run(app))
    await gate.was_entered()
    connection.leave()
    await asyncio.sleep(0.02)
    gate.open()
    assert (await asyncio.wait_for(task, 10)).error is None
