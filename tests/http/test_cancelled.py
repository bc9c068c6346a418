"""A task may be cancelled at any step, again and again, or with all others: nothing is left."""

import asyncio
import gc
import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import streamware as sw
from children import ran
from fakes import PATIENCE
from streamware.http.admission import admission
from streamware.scratch.pool import _pools

ROWS = 300
SCOPE = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}


class Source:
    """Rows of either kind that count how often they were pulled and closed."""

    def __init__(self) -> None:
        self.pulled = self.closed = 0
        self.opened = False

    def open(self) -> Any:
        self.opened = True
        return self

    def pull(self, end: type[Exception]) -> Any:
        self.pulled += 1
        if self.pulled > ROWS:
            raise end
        return self.pulled, "x" * 30


class Ordinary(Source):
    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        return self.pull(StopIteration)

    def close(self) -> None:
        self.closed += 1


class Asynchronous(Source):
    def __aiter__(self) -> Any:
        return self

    async def __anext__(self) -> Any:
        await asyncio.sleep(0)
        return self.pull(StopAsyncIteration)

    async def aclose(self) -> None:
        self.closed += 1
        await asyncio.sleep(0)


def from_coroutine(source: Any) -> Any:
    async def rows() -> Any:
        await asyncio.sleep(0)
        return source.open()

    return rows


WAYS: dict[str, tuple[type[Source], Callable[[Any], Any]]] = {
    "open": (Ordinary, Source.open),
    "callable": (Ordinary, lambda source: source.open),
    "async, open": (Asynchronous, Source.open),
    "async, callable": (Asynchronous, lambda source: source.open),
    "async, coroutine": (Asynchronous, from_coroutine),
}


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[sw.Settings]:
    yield sw.Settings(scratch_dir=tmp_path, spool_memory=1000)
    for made in list(_pools.values()):
        if made.directory.path == str(tmp_path):
            made.process_directory.close()
            made.directory.close()


async def run(app: sw.Export, steps: int, times: int, *, everything: bool) -> None:
    """Run it, and cancel it after as many steps of the loop."""

    async def send(message: Any) -> None:
        await asyncio.sleep(0)

    async def receive() -> Any:
        await asyncio.get_running_loop().create_future()

    task = asyncio.ensure_future(app.asgi(SCOPE, receive, send))
    for _ in range(times):
        for _ in range(steps):
            await asyncio.sleep(0)
        for each in asyncio.all_tasks() if everything else {task}:
            if each is not asyncio.current_task():
                each.cancel()
        steps = 1
    async with asyncio.timeout(PATIENCE):
        await asyncio.wait({task})
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others)
    if not task.cancelled():
        error = task.exception()
        assert error is None or "cancelled" in str(error), error


def check(way: str, delivery: Any, settings: sw.Settings, at: tuple[int, int, bool]) -> None:
    steps, times, everything = at
    kind, wrap = WAYS[way]
    source, done = kind(), list[sw.Receipt]()
    app = sw.Export(
        wrap(source),
        format="csv",
        delivery=delivery,
        cancel=lambda: None,
        on_done=done.append,
        settings=settings,
    )
    asyncio.run(run(app, steps, times, everything=everything))
    until = time.monotonic() + PATIENCE
    while any(thread.name == "streamware" for thread in threading.enumerate()):
        assert time.monotonic() < until, f"a thread is left: {at}"
        time.sleep(0.0005)
    assert len(done) == 1, at
    assert source.closed == source.opened, at
    assert admission(settings).active == 0, at


@pytest.mark.slow
@pytest.mark.parametrize("everything", [False, True], ids=["alone", "with all others"])
@pytest.mark.parametrize("delivery", ["stream", "buffer", "spool"])
@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_left_whenever_it_is_cancelled(
    way: str,
    delivery: Any,
    everything: bool,
    settings: sw.Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "asyncio")
    for steps in (1, 2, 3, 4, 6, 9, 14):
        for times in (1,) if everything else (1, 2):
            check(way, delivery, settings, (steps, times, everything))
    gc.collect()
    assert not [record for record in caplog.records if record.name == "asyncio"]


@pytest.mark.slow
@pytest.mark.parametrize("everything", [False, True], ids=["alone", "with all others"])
@pytest.mark.parametrize("delivery", ["stream", "buffer", "spool"])
@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_left_whenever_it_is_cancelled_at_each_of_60_steps(
    way: str,
    delivery: Any,
    everything: bool,
    settings: sw.Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "asyncio")
    for steps in range(1, 61):
        for times in (1,) if everything else (1, 2, 3):
            check(way, delivery, settings, (steps, times, everything))
    gc.collect()
    assert not [record for record in caplog.records if record.name == "asyncio"]


INTERRUPTED = """
import asyncio, gc, itertools, os, sys
os.environ["STREAMWARE_SCRATCH_DIR"] = sys.argv[1]
import streamware as sw

SCOPE = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}

async def run(app):
    async def send(message):
        await asyncio.sleep(0)
    async def receive():
        await asyncio.get_running_loop().create_future()
    await app.asgi(SCOPE, receive, send)

def check(raised, kind, delivery, count):
    closed, done = [], []
    async def arows():
        try:
            for at in range(count):
                yield at, "x"
            raise raised
        finally:
            closed.append(1)
    def rows():
        try:
            for at in range(count):
                yield at, "x"
            raise raised
        finally:
            closed.append(1)
    source = rows if kind == "rows" else arows
    app = sw.Export(source, format="csv", delivery=delivery, on_done=done.append)
    try:
        asyncio.run(run(app))
    except raised:
        gc.collect()
        (receipt,) = done
        # asyncio cancels all tasks, and that may come first.
        assert receipt.outcome == "source error" or kind == "arows", receipt.outcome
        assert closed == [1], (kind, delivery)
    else:
        raise AssertionError(kind)

raises = KeyboardInterrupt, SystemExit
for one in itertools.product(raises, ["rows", "arows"], ["stream", "buffer", "spool"], [0, 100]):
    check(*one)
"""


@pytest.mark.slow
def test_rows_that_interrupt_the_process_are_closed_and_asyncio_has_no_complaint(
    tmp_path: Path,
) -> None:
    said = ran(INTERRUPTED, tmp_path).stderr
    assert "never retrieved" not in said
    assert "Task was destroyed" not in said
