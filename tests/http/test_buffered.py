"""A document that is made as fast as its rows come, however slowly it is taken."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import streamware as sw
from drive import async_driver, driver
from fakes import PATIENCE, Broken, Gate, Rows
from oracle import storing
from streamware.engine.driver import Driver
from streamware.engine.options import resolve
from streamware.http.buffered import AsyncBuffered, Buffered
from streamware.scratch.ledger import Scratch

WIDE = "x" * 1000
MANY = 5000  # rows: 5 MB, more than stays in memory


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Scratch]:
    folder = tmp_path / "scratch"
    folder.mkdir(mode=0o700)
    with storing(folder) as scratch_pool:
        made = Scratch(scratch_pool)
        yield made
        made.close()
        assert scratch_pool.budget.used == 0


def wide(count: int) -> Iterator[tuple[int, str]]:
    return ((at, WIDE) for at in range(count))


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


async def auntil(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - it is no event of a loop
            await asyncio.sleep(0.001)


def buffered(rows: Any, scratch: Scratch, finished: list[int] | None = None) -> Buffered:
    done = list[int]() if finished is None else finished
    return Buffered(driver(rows, "csv"), scratch.ring(), lambda _: done.append(1))


WHOLE = b"".join(sw.encode(wide(MANY), "csv"))


def test_it_gives_the_same_document(scratch: Scratch) -> None:
    chunks = buffered(wide(MANY), scratch)
    assert b"".join(chunks) == WHOLE
    assert chunks.receipt.outcome == "complete"
    assert scratch.usage.bytes == 0


def test_the_rows_are_closed_however_slow_the_client(scratch: Scratch) -> None:
    rows, finished = Rows(wide(MANY)), list[int]()
    chunks = buffered(rows, scratch, finished)
    first = next(chunks)
    until(lambda: finished)
    assert (rows.pulled, rows.closed, finished) == (MANY + 1, 1, [1])
    assert scratch.usage.bytes > 0
    assert first + b"".join(chunks) == WHOLE
    chunks.close()
    assert finished == [1]


def test_without_room_the_rows_wait_for_the_client(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir(mode=0o700)
    with storing(folder, request_bytes=1, spool_memory=100_000) as scratch_pool:
        scratch = Scratch(scratch_pool)
        rows = Rows(wide(MANY))
        chunks = buffered(rows, scratch)
        first = next(chunks)
        time.sleep(0.2)
        assert rows.pulled < 1000
        assert first + b"".join(chunks) == WHOLE
        scratch.close()


def test_what_the_rows_raise_comes_after_what_they_gave(scratch: Scratch) -> None:
    def rows() -> Iterator[tuple[int, str]]:
        yield from wide(MANY)
        raise Broken

    taken = list[bytes]()
    chunks = buffered(rows(), scratch)
    with pytest.raises(Broken):
        taken.extend(chunks)
    assert WHOLE.startswith(b"".join(taken))
    assert chunks.receipt.outcome == "source error"


def test_a_client_that_leaves_ends_the_rows_and_frees_the_ring(scratch: Scratch) -> None:
    rows, finished = Rows(wide(10**9)), list[int]()
    chunks = buffered(rows, scratch, finished)
    next(chunks)
    chunks.close()
    chunks.close()
    until(lambda: finished)
    assert (rows.closed, finished) == (1, [1])
    assert chunks.receipt.outcome == "closed"
    assert scratch.usage.bytes == 0
    assert list(chunks) == []


def test_closing_raises_nothing_if_the_document_was_cancelled(scratch: Scratch) -> None:
    """As the watchdog does when the client has left."""
    document = driver(Rows((at,) for at in range(10**9)), "csv")
    finished = list[int]()
    chunks = Buffered(document, scratch.ring(), lambda _: finished.append(1))
    next(chunks)
    document.cancel()
    until(lambda: finished)
    chunks.close()
    assert chunks.receipt.outcome == "closed"


def test_closed_before_it_began_it_starts_no_thread(scratch: Scratch) -> None:
    rows, finished = Rows(wide(MANY)), list[int]()
    chunks = buffered(rows, scratch, finished)
    chunks.close()
    chunks.join()
    assert (rows.pulled, rows.closed, finished) == (0, 1, [])


def test_a_pull_that_is_blocked_is_interrupted(scratch: Scratch) -> None:
    blocked, go = threading.Event(), threading.Event()

    def rows() -> Iterator[tuple[int, str]]:
        yield from wide(100)
        blocked.set()
        assert go.wait(PATIENCE)

    finished = list[int]()
    document = Driver(rows(), sw.Csv(), resolve({}), cancel=go.set)
    chunks = Buffered(document, scratch.ring(), lambda _: finished.append(1))
    next(chunks)
    blocked.wait(PATIENCE)
    chunks.close()
    chunks.join()
    assert finished == [1]


def test_the_rows_are_closed_where_they_were_opened(tmp_path: Path) -> None:
    """Also if the client leaves while their thread is between two pulls, waiting for room."""
    folder = tmp_path / "small"
    folder.mkdir(mode=0o700)
    threads = list[threading.Thread]()

    def rows() -> Iterator[tuple[int, str]]:
        threads.append(threading.current_thread())
        try:
            yield from wide(10**9)
        finally:
            threads.append(threading.current_thread())

    with storing(folder, request_bytes=1, spool_memory=100_000) as scratch_pool:
        scratch = Scratch(scratch_pool)
        waits, ring = threading.Event(), scratch.ring()
        put = ring.put

        def tell(chunk: bytes) -> bool:
            kept = put(chunk)
            if not kept:
                waits.set()
            return kept

        ring.put = tell  # type: ignore[method-assign]
        chunks = Buffered(driver(rows, "csv"), ring, lambda _: None)
        next(chunks)
        assert waits.wait(PATIENCE)
        chunks.close()
        scratch.close()
    opened, closed = threads
    assert opened is closed is not threading.current_thread()


def test_rows_bound_to_a_thread_are_an_error_that_names_the_callable(scratch: Scratch) -> None:
    sqlite3 = pytest.importorskip("sqlite3")
    connection = sqlite3.connect(":memory:")
    cursor = connection.execute("select 1 union select 2")
    with pytest.raises(sw.StateError, match="pass a callable"):
        list(buffered(cursor, scratch))
    connection.close()


def abuffered(rows: Any, scratch: Scratch) -> AsyncBuffered:
    return AsyncBuffered(async_driver(rows, "csv"), scratch.ring())


async def test_beside_a_loop_it_gives_the_same_document(scratch: Scratch) -> None:
    chunks = abuffered(wide(MANY), scratch)
    assert b"".join([chunk async for chunk in chunks]) == WHOLE
    await chunks.aclose()
    assert chunks.receipt.outcome == "complete"


async def test_beside_a_loop_the_rows_are_closed_however_slow_the_client(scratch: Scratch) -> None:
    rows = Rows(wide(MANY))
    chunks = abuffered(rows, scratch)
    first = await anext(chunks)
    await auntil(lambda: rows.closed)
    assert scratch.usage.bytes > 0
    assert first + b"".join([chunk async for chunk in chunks]) == WHOLE
    await chunks.aclose()


async def test_beside_a_loop_without_room_the_rows_wait(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir(mode=0o700)
    with storing(folder, request_bytes=1, spool_memory=100_000) as scratch_pool:
        scratch = Scratch(scratch_pool)
        rows = Rows(wide(MANY))
        chunks = abuffered(rows, scratch)
        first = await anext(chunks)
        await asyncio.sleep(0.2)
        assert rows.pulled < 1000
        assert first + b"".join([chunk async for chunk in chunks]) == WHOLE
        await chunks.aclose()
        scratch.close()


async def test_beside_a_loop_a_client_that_leaves_ends_the_rows(scratch: Scratch) -> None:
    rows = Rows(wide(10**9))
    chunks = abuffered(rows, scratch)
    await anext(chunks)
    await chunks.aclose()
    await chunks.aclose()
    assert rows.closed == 1
    assert chunks.receipt.outcome == "closed"
    await auntil(lambda: not scratch.usage.bytes)


async def test_beside_a_loop_what_the_rows_raise_comes_after_what_they_gave(
    scratch: Scratch,
) -> None:
    async def rows() -> AsyncIterator[tuple[int, str]]:
        for row in wide(MANY):
            yield row
        raise Broken

    taken = list[bytes]()
    chunks = abuffered(rows(), scratch)
    with pytest.raises(Broken):
        taken.extend([chunk async for chunk in chunks])
    await chunks.aclose()


async def test_beside_a_loop_closed_before_it_began(scratch: Scratch) -> None:
    rows = Rows(wide(MANY))
    chunks = abuffered(rows, scratch)
    await chunks.aclose()
    assert (rows.pulled, rows.closed) == (0, 1)


@pytest.mark.parametrize("turns", range(6))
async def test_beside_a_loop_a_client_may_leave_in_the_moment_in_which_it_makes_room(
    tmp_path: Path, turns: int
) -> None:
    folder = tmp_path / "slow"
    folder.mkdir(mode=0o700)
    with storing(folder, request_bytes=5_000_000, spool_memory=4096) as scratch_pool:
        scratch, rows, disk = Scratch(scratch_pool), Rows(wide(10**9)), Gate()
        chunks = abuffered(rows, scratch)
        await anext(chunks)
        await auntil(lambda: rows.pulled > 4000)
        await asyncio.sleep(0.1)  # the rows wait for room
        await anext(chunks)
        for _ in range(turns):
            await asyncio.sleep(0)
        reading = chunks._worker.submit(disk.wait)
        closing = asyncio.create_task(chunks.aclose())
        await asyncio.sleep(0.02)
        assert not closing.done()
        disk.open()
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(closing, reading)
        assert chunks._ring._closed
        assert chunks._producer is not None
        assert chunks._producer.cancelled()
        assert rows.closed == 1
        scratch.close()
