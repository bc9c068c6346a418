"""What removes many bytes never runs on the thread of an event loop."""

import asyncio
import gc
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import streamware as sw
from fakes import Broken, Connection, until
from oracle import close as close_pool
from streamware.scratch import background
from streamware.scratch.ledger import CURRENT, Scratch
from streamware.scratch.pool import ScratchPool
from streamware.scratch.pool import scratch_pool as pool_of

stat = os.stat
SMALL, LARGE = 2**16, 2**18
Removed = list[tuple[int, int]]


@pytest.fixture
def removed(monkeypatch: pytest.MonkeyPatch) -> Removed:
    """The thread and the size of everything large that is closed, unlinked or cut."""
    found: Removed = []

    def noting(name: str) -> None:
        real = getattr(os, name)

        def call(file: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                before = stat(file, **kwargs).st_size
            except OSError:
                before = 0
            size = before - args[0] if name == "ftruncate" else before
            if size >= LARGE:
                found.append((threading.get_ident(), size))
            return real(file, *args, **kwargs)

        monkeypatch.setattr(os, name, call)

    for name in ("close", "unlink", "ftruncate"):
        noting(name)
    monkeypatch.setattr(background, "LARGE", LARGE)
    return found


@pytest.fixture
def settings(root: Path) -> Iterator[sw.Settings]:
    made = sw.Settings(scratch_dir=root, spool_memory=SMALL, keep_free_bytes=0)
    yield made
    close_pool(pool_of(made))


def filled(scratch: sw.Scratch, size: int = 2 * LARGE) -> sw.Spool:
    spool = scratch.spool()
    spool.write(b"x" * size)
    spool.flush()
    return spool


async def off_the_loop(removed: Removed, count: int = 1) -> None:
    """As many removals were made, none of them here."""
    await until(lambda: len(removed) >= count)
    assert threading.get_ident() not in [thread for thread, _ in removed]


ENDS: dict[str, Any] = {
    "complete": None,
    "an error": RuntimeError("the view"),
    "no room": sw.Refused("none", retry_after=1),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("spools", [1, 8])
async def test_a_request_removes_its_spools_on_another_thread(
    removed: Removed, settings: sw.Settings, end: str, spools: int
) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        for _ in range(spools):
            filled(sw.current_scratch())
        if ENDS[end] is not None:
            raise ENDS[end]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    await Connection().run(sw.ASGIMiddleware(app, settings))
    assert len(removed) == spools
    await off_the_loop(removed, spools)


async def test_many_small_spools_are_removed_on_another_thread(
    scratch_pool: ScratchPool, removed: Removed, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch, closers = Scratch(scratch_pool), set[int]()

    def noting(close: Callable[[], object]) -> None:
        closers.add(threading.get_ident())
        close()

    for _ in range(40):
        spool = filled(scratch, LARGE // 8)
        monkeypatch.setattr(spool, "close", partial(noting, spool.close))
    await scratch.aclose()
    assert len(closers) == 1
    assert threading.get_ident() not in closers


async def test_a_file_with_a_name_is_removed_on_another_thread(
    scratch_pool: ScratchPool, removed: Removed
) -> None:
    scratch = Scratch(scratch_pool)
    scratch.path(".bin").write_bytes(b"x" * 2 * LARGE)
    await scratch.aclose()
    assert len(removed) == 1
    await off_the_loop(removed)


async def test_a_cancelled_request_removes_its_scratch_anyway(
    removed: Removed, settings: sw.Settings
) -> None:
    ready = asyncio.Event()

    async def app(*_: Any) -> None:
        filled(sw.current_scratch())
        ready.set()
        await asyncio.sleep(60)

    answering = asyncio.create_task(Connection().run(sw.ASGIMiddleware(app, settings)))
    await ready.wait()
    answering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await answering
    assert len(removed) == 1
    await off_the_loop(removed)


def close(scratch: Scratch) -> None:
    scratch.close()


def forget(scratch: Scratch) -> None:
    """Leave it to the garbage collector."""


@pytest.mark.parametrize("end", [close, forget])
async def test_a_ledger_that_cannot_wait_has_its_scratch_removed_on_another_thread(
    scratch_pool: ScratchPool, removed: Removed, end: Callable[[Scratch], None]
) -> None:
    scratch: Scratch | None = Scratch(scratch_pool)
    assert scratch is not None
    filled(scratch)
    scratch.path().write_bytes(b"x" * 2 * LARGE)
    end(scratch)
    del scratch
    gc.collect()
    await off_the_loop(removed, 2)
    await until(lambda: scratch_pool.budget.used == 0 and scratch_pool.files == 0)


async def test_a_spool_that_a_view_closes_is_closed_on_another_thread(
    scratch: Scratch, removed: Removed
) -> None:
    with filled(scratch) as spool:
        pass
    assert spool.closed
    await off_the_loop(removed)
    await until(lambda: scratch.usage.bytes == 0)


async def test_what_is_small_is_removed_at_once(scratch: Scratch, removed: Removed) -> None:
    filled(scratch, SMALL + 1).close()
    assert scratch.usage.bytes == 0


async def test_without_another_thread_it_is_removed_at_once(
    scratch: Scratch, removed: Removed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object, **__: object) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(background, "Thread", none)
    filled(scratch).close()
    await scratch.aclose()
    assert [thread for thread, _ in removed] == [threading.get_ident()]


def test_a_thread_without_a_loop_removes_it_itself(scratch: Scratch, removed: Removed) -> None:
    filled(scratch).close()
    assert [thread for thread, _ in removed] == [threading.get_ident()]


async def test_tracked_objects_are_closed_on_the_thread_of_the_loop_after_the_files(
    scratch_pool: ScratchPool, removed: Removed
) -> None:
    class Tracked:
        def close(self) -> None:
            self.thread, self.files = threading.get_ident(), len(removed)

    scratch = Scratch(scratch_pool)
    tracked = scratch.track(Tracked())
    filled(scratch)
    await scratch.aclose()
    assert (tracked.thread, tracked.files) == (threading.get_ident(), 1)


# Exports


def wide(rows: int = 24) -> Iterator[tuple[str, int]]:
    for number in range(rows):
        yield (os.urandom(2**14).hex(), number % 3)


async def awide(rows: int = 24) -> AsyncIterator[tuple[str, int]]:
    for row in wide(rows):
        yield row


def failing() -> Iterator[tuple[str, int]]:
    yield from wide()
    raise Broken


OPTIONS: dict[str, dict[str, Any]] = {
    "spool": {"delivery": "spool"},
    "spool, xlsx": {"delivery": "spool", "format": "xlsx"},
    "sheets in spools": {"format": "xlsx", "sheet_by": 1, "delivery": "stream"},
    "buffer": {"delivery": "buffer"},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("rows", [wide, awide, failing])
@pytest.mark.parametrize("stack", ["export", "middleware", "bundle"])
async def test_an_export_removes_its_scratch_on_another_thread(
    removed: Removed, settings: sw.Settings, options: dict[str, Any], rows: Any, stack: str
) -> None:
    app: Any = sw.Export(rows, settings=settings, **options)
    if stack == "middleware":
        app = sw.ASGIMiddleware(app, settings)
    elif stack == "bundle":
        app = sw.Bundle([("a", app)], settings=settings)
    await Connection().run(app)
    assert threading.get_ident() not in [thread for thread, _ in removed]
    assert removed or options["delivery"] != "spool" or stack == "bundle"


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
async def test_so_does_one_whose_client_leaves(
    removed: Removed, settings: sw.Settings, options: dict[str, Any]
) -> None:
    connection = Connection(leave_after=1)
    await connection.run(sw.Export(wide, settings=settings, **options))
    assert threading.get_ident() not in [thread for thread, _ in removed]


async def test_so_does_one_that_exceeds_a_limit(removed: Removed, settings: sw.Settings) -> None:
    export = sw.Export(wide, delivery="spool", settings=settings, limits=sw.Limits(bytes=2 * LARGE))
    assert (await Connection().run(export)).status == 413
    await off_the_loop(removed)


@pytest.mark.parametrize("end", ["complete", "closed", "dropped"])
async def test_so_does_aencode(removed: Removed, settings: sw.Settings, end: str) -> None:
    with closing(Scratch(pool_of(settings))) as around:
        token = CURRENT.set(around)
        chunks = sw.aencode(wide, "xlsx", sheet_by=1)
        if end == "complete":
            async for _ in chunks:
                pass
        else:
            await anext(chunks)
        if end == "closed":
            await chunks.aclose()
        del chunks
        gc.collect()
        assert threading.get_ident() not in [thread for thread, _ in removed]
        CURRENT.reset(token)
