"""A thread that cannot be started is a failure of the export, and nothing stays open."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import streamware as sw
from fakes import AsyncRows, Get, Rows, orders
from streamware.scratch.pool import _pools

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
ERROR = "can't start new thread"


@pytest.fixture
def allow(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let so many threads start, and no more."""
    start = threading.Thread.start

    def allow(count: int) -> None:
        left = iter(range(count))

        def limited(thread: threading.Thread) -> None:
            if thread.name == "streamware" and next(left, None) is None:
                raise RuntimeError(ERROR)
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", limited)

    return allow


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[sw.Settings]:
    yield sw.Settings(scratch_dir=tmp_path, spool_memory=100, max_concurrent=1)
    for made in list(_pools.values()):
        if made.directory.path == str(tmp_path):
            made.process_directory.close()
            made.directory.close()


@pytest.mark.parametrize("count", range(4))
@pytest.mark.parametrize("opened", [True, False], ids=["open rows", "a callable"])
@pytest.mark.parametrize("delivery", ["stream", "buffer", "spool"])
@pytest.mark.parametrize("rows", [Rows, AsyncRows])
def test_it_is_recorded_as_a_failure_and_the_rows_are_closed(
    *,
    get: Get,
    kind: str,
    allow: Callable[[int], None],
    settings: sw.Settings,
    rows: Any,
    delivery: Any,
    opened: bool,
    count: int,
) -> None:
    if kind == "wsgi" and rows is AsyncRows:
        pytest.skip("WSGI has no asynchronous rows")
    source, done = rows(orders(3000)), list[sw.Receipt]()
    allow(count)
    export = sw.Export(
        source if opened else lambda: source,
        format="csv",
        delivery=delivery,
        limits=sw.Limits(seconds=1e10),  # with `cancel=` it takes a timer, which is a thread
        cancel=lambda: None,
        on_done=done.append,
        settings=settings,
    )
    reply = get(export)
    assert source.closed == (opened or source.pulled > 0)
    (receipt,) = done
    if reply.error is not None:
        assert str(reply.error) == ERROR
        assert (receipt.outcome, receipt.problem) == ("source error", "RuntimeError")
    else:
        assert (receipt.outcome, reply.complete) == ("complete", True)


def test_an_encoding_has_it_in_its_receipt(allow: Callable[[int], None]) -> None:
    async def read(encoding: sw.AsyncEncoding) -> None:
        with pytest.raises(RuntimeError, match=ERROR):
            await anext(encoding)

    allow(0)
    rows = Rows(orders(3))
    encoding = sw.aencode(rows)
    asyncio.run(read(encoding))
    assert (encoding.receipt.outcome, rows.closed) == ("source error", 1)


def test_a_pull_that_cannot_be_interrupted_ends_by_itself(
    allow: Callable[[int], None], caplog: pytest.LogCaptureFixture
) -> None:
    entered, go = threading.Event(), threading.Event()

    def rows() -> Iterator[Any]:
        yield from orders(50)
        entered.set()
        go.wait(5)
        yield (1, "b")

    async def leave() -> None:
        export = sw.Export(rows, format="csv", cancel=go.set)

        async def receive() -> Any:
            await asyncio.to_thread(entered.wait, 5)
            asyncio.get_running_loop().call_later(0.1, go.set)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            pass

        scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
        await export.asgi(scope, receive, send)

    allow(1)
    asyncio.run(leave())
    assert "cancelling the rows of an export failed" in caplog.text
