import asyncio
from typing import Any

import pytest

import streamware as sw
from fakes import Broken, Rows, failing, orders, until
from streamware.frameworks._support.response_stream import ResponseStream
from streamware.http.disconnect import CLIENT_LEFT

SCOPE = {"type": "http", "method": "GET", "headers": [], "query_string": b""}
ENDLESS = 10**9


def stream(rows: Any, receive: Any = None) -> ResponseStream:
    return ResponseStream(sw.Export(rows, format="csv").asgi, SCOPE, receive)


async def test_it_gives_its_start_and_then_its_chunks() -> None:
    rows = Rows(orders(20_000))
    made = stream(lambda: rows)
    status, headers = await made.start()
    assert status == 200
    assert ("content-type", "text/csv; charset=utf-8") in headers
    data = b"".join([chunk async for chunk in made])
    assert data.endswith(b"19999,order 19999\r\n")
    assert rows.closed == 1
    assert [chunk async for chunk in made] == []


async def test_a_chunk_is_made_when_it_is_asked_for() -> None:
    rows = Rows(orders(ENDLESS))
    made = stream(lambda: rows)
    await made.start()
    await anext(made)
    pulled = rows.pulled
    await asyncio.sleep(0.05)
    assert rows.pulled == pulled
    await anext(made)
    assert rows.pulled > pulled
    await made.close()
    await made.close()
    assert rows.closed == 1


async def test_an_early_error_is_raised_by_the_start() -> None:
    rows = Rows(failing(0))
    with pytest.raises(Broken):
        await stream(lambda: rows).start()
    assert rows.closed == 1


async def test_a_later_error_is_raised_by_every_further_chunk() -> None:
    rows = Rows(failing(50_000))
    made = stream(lambda: rows)
    await made.start()
    with pytest.raises(Broken):
        async for _ in made:
            pass
    with pytest.raises(Broken):
        await anext(made)
    assert rows.closed == 1


async def test_it_ends_with_the_task_that_made_it() -> None:
    rows = Rows(orders(ENDLESS))

    async def request() -> None:
        await stream(lambda: rows).start()

    await asyncio.create_task(request())
    await until(lambda: rows.closed)


async def test_a_start_that_is_cancelled_closes_the_rows() -> None:
    opened, closed = asyncio.Event(), asyncio.Event()

    async def waiting() -> Any:
        opened.set()
        try:
            await asyncio.Event().wait()
            yield
        finally:
            closed.set()

    request = asyncio.create_task(stream(waiting).start())
    await opened.wait()
    request.cancel()
    await asyncio.wait({request})
    assert request.cancelled()
    assert closed.is_set()


async def test_a_client_that_left_before_gets_no_chunk() -> None:
    async def left() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    rows = Rows(orders(ENDLESS))
    made = stream(lambda: rows, left)
    assert (await made.start())[0] == CLIENT_LEFT
    assert [chunk async for chunk in made] == []
    assert rows.closed == 1


async def test_a_framework_stuck_in_sending_is_cancelled() -> None:
    leaving = asyncio.Event()
    rows = Rows(orders(ENDLESS))

    async def receive() -> dict[str, Any]:
        await leaving.wait()
        return {"type": "http.disconnect"}

    async def request() -> None:
        made = stream(lambda: rows, receive)
        await made.start()
        try:
            async for _ in made:
                leaving.set()
                await asyncio.Event().wait()
        finally:
            await made.close()

    stuck = asyncio.create_task(request())
    await asyncio.wait({stuck}, timeout=1)
    assert stuck.cancelled()
    assert rows.closed == 1
