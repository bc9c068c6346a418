import asyncio
from typing import Any

import pytest

import streamware as sw
from fakes import AsyncRows, Rows, failing, orders, until
from readers import csv_rows
from streamware.frameworks._support.adownload import AsyncDownload
from streamware.http.admission import admission
from streamware.http.application import prepare_answer
from streamware.http.request import Request

SCOPE: dict[str, Any] = {"type": "http", "method": "GET", "headers": [], "query_string": b""}
FULL = sw.Settings(max_concurrent=1, wait_seconds=0)


def download(content: Any, **options: Any) -> AsyncDownload:
    export = sw.Export(content, **{"format": "csv"} | options)
    answer = prepare_answer(export, Request())
    return AsyncDownload(answer, SCOPE)


async def read(made: AsyncDownload) -> bytes:
    return b"".join([chunk async for chunk in made])


@pytest.mark.parametrize("kind", [Rows, AsyncRows])
async def test_rows_are_opened_by_the_start_and_closed_at_the_end(kind: Any) -> None:
    rows = kind(orders(3))
    made = download(lambda: rows, columns=["id", "name"])
    await made.start()
    await made.start()
    assert rows.pulled > 0
    assert csv_rows(await read(made))[0] == ["id", "name"]
    await made.aclose()
    assert rows.closed == 1


async def test_reading_starts_it_and_reads_no_further_than_wanted() -> None:
    rows = Rows(orders(10**9))
    made = download(lambda: rows)
    assert await anext(made)
    await asyncio.sleep(0.05)
    assert rows.pulled < 50_000
    await made.aclose()
    assert rows.closed == 1


async def test_aclose_before_the_start_opens_nothing() -> None:
    rows = Rows(orders(3))
    made = download(rows)
    await made.aclose()
    await made.aclose()
    assert (rows.pulled, rows.closed) == (0, 1)
    assert await read(made) == b""


@pytest.mark.parametrize("started", [False, True])
async def test_close_works_from_another_thread(started: bool) -> None:
    rows = Rows(orders(10**9))
    made = download(rows)
    if started:
        await made.start()
    await asyncio.to_thread(made.close)
    await until(lambda: rows.closed)
    assert (rows.pulled > 0, rows.closed) == (started, 1)


@pytest.mark.parametrize("kind", [Rows, AsyncRows])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_download_dropped_before_the_start_closes_its_rows(kind: Any, method: str) -> None:
    rows = kind(orders(3))
    export = sw.Export(rows, format="csv")
    made = AsyncDownload(prepare_answer(export, Request(method=method)), SCOPE)
    del made
    await until(lambda: rows.closed)
    assert (rows.pulled, rows.closed) == (0, 1)


async def test_a_dropped_download_closes_its_rows() -> None:
    rows = Rows(orders(10**9))
    made = download(lambda: rows)
    await made.start()
    del made
    await until(lambda: rows.closed)


async def test_a_download_whose_reader_is_cancelled_closes_its_rows() -> None:
    held = asyncio.Event()

    async def slow() -> Any:
        yield (1,)
        held.set()
        await asyncio.Event().wait()

    done: list[sw.Receipt] = []
    made = download(slow, on_done=done.append)
    reader = asyncio.create_task(read(made))
    await held.wait()
    reader.cancel()
    await asyncio.wait({reader})
    await until(lambda: done)
    assert [receipt.outcome for receipt in done] == ["client gone"]


async def test_it_outlives_the_task_that_started_it() -> None:
    made = download(lambda: orders(20_000))
    await asyncio.create_task(made.start())
    assert len(csv_rows(await read(made))) == 20_000


async def test_a_failure_before_the_first_chunk_is_raised_by_the_start() -> None:
    rows = Rows(failing(0, OSError("no disk")))
    made = download(lambda: rows)
    with pytest.raises(OSError, match="no disk"):
        await made.start()
    assert rows.closed == 1


async def test_a_later_failure_is_raised_by_the_reading() -> None:
    rows = Rows(failing(200_000, OSError("no disk")))
    made = download(lambda: rows)
    await made.start()
    with pytest.raises(OSError, match="no disk"):
        await read(made)
    assert rows.closed == 1


async def test_a_refusal_has_its_own_status_and_headers() -> None:
    places = admission(FULL)
    await places.aenter()
    try:
        made = download([(1,)], settings=FULL)
        await made.start()
        late = download([(1,)], settings=FULL)
        with pytest.raises(sw.StateError, match=r"refused \(503\) after its response was started"):
            await anext(late)
    finally:
        places.leave()
    assert (made.refused, made.status) == (True, 503)
    assert int(dict(made.headers)["content-length"]) == len(await read(made))


async def test_headers_changed_before_the_start_stay() -> None:
    made = download([(1,)])
    headers = {"Cache-Control": "no-cache"}
    await made.start()
    made.update_headers(headers)
    assert headers == {"Cache-Control": "no-cache"}
    await made.aclose()
