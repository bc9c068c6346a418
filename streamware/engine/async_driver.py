"""AsyncDriver: drives a document beside an event loop.

Theory of operation
===================

Rows of an ordinary iterable are pulled and encoded on a thread of their own.  Rows of an async
iterable are opened, read and closed by one task, and encoded on that thread.  Either way encoding
passes the process-wide gate and never runs on the loop.

`__anext__` has the thread call `advance`, and waits for it or for the flush interval, whichever
comes first.  If the interval comes first, a helper thread encodes and flushes what the slow
source has given so far.  The pull in flight is never cancelled for that.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from threading import Thread
from typing import Any, Protocol, Self

from streamware.engine.deadline import call_logged
from streamware.engine.lifecycle import Lifecycle, State
from streamware.engine.turns import Turn, take
from streamware.engine.worker import Worker
from streamware.errors import LimitError, StateError
from streamware.locks import generation
from streamware.receipt import Receipt
from streamware.rows.async_rows import AsyncRowBridges
from streamware.rows.source import Bridge, aclose, is_thread_bound

_FLUSH = 0.02  # seconds to wait for a chunk after rows were passed to a thread that waited for some
_OTHER_THREAD = (
    "these rows were opened on another thread and are bound to it; beside an event loop pass a"
    " callable that opens them, such as Export(lambda: connection().execute(…))"
)


class Drivable(Protocol):
    """A document that one thread encodes and others can look at: a `Driver`, or one of a zip."""

    @property
    def lock(self) -> AbstractContextManager[Any]:
        """Held while rows are encoded or chunks are taken."""

    @property
    def lifecycle(self) -> Lifecycle:
        """The state of the document, and its receipt."""

    @property
    def has_pending(self) -> bool:
        """Whether some rows have come and were not sent."""

    @property
    def asynchronous(self) -> list[object]:
        """The rows that were passed open and not read, and that only an event loop can close."""

    def advance(self) -> bool:
        """Pull and encode until something can be sent; return False after the last row."""

    def take(self) -> bytes:
        """Return the bytes that are ready, possibly none."""

    def flush_pending(self) -> None:
        """Encode and flush the rows so far, while `advance` is blocked."""

    @property
    def time_left(self) -> float:
        """Seconds that it may still take."""

    def expire(self) -> LimitError | None:
        """Cancel it if no time is left; return the error that `advance` will raise."""

    def cancel(self) -> None:
        """Have `advance` end with the pull in flight."""

    @property
    def interruptible(self) -> bool:
        """Whether `interrupt` has something to call."""

    def interrupt(self) -> None:
        """Interrupt a blocked pull, if it can be; from another thread."""

    def close(self) -> None:
        """Close the rows."""


class AsyncDriver:
    """An async iterator of the chunks of one document.

    Args:
        make: Makes the driver, which is called from threads.
        flush_interval: Seconds after which a slow source's rows are flushed.
    """

    def __init__(self, make: Callable[[Bridge], Drivable], *, flush_interval: float) -> None:
        self._bridges = AsyncRowBridges()  # between the tasks that read async rows and the worker
        self._driver = make(self._bridges)  # what the threads run
        self._flush_interval = flush_interval  # seconds until a slow source's rows are flushed
        self._worker = Worker()  # pulls and encodes; stopped when this is closed
        self._helper = Worker()  # flushes while the worker is blocked in a pull
        self._ready: deque[bytes] = deque()  # chunks to yield
        self._filling: asyncio.Future[bool] | None = None  # the call of `advance` under way
        self._turn: Turn | None = None  # the last turn it had
        self._endings: list[asyncio.Future[Any]] = []  # what `aclose` waits for
        self._generation = generation()  # of the process that made it
        # The task that closes this, referenced here because asyncio keeps only a weak reference.
        self._closing: asyncio.Task[None] | None = None
        # The task that closes rows that were not read, for the same reason.
        self._closing_unread: asyncio.Task[None] | None = None

    @property
    def lifecycle(self) -> Lifecycle:
        """The state of the document."""
        return self._driver.lifecycle

    @property
    def receipt(self) -> Receipt:
        """The figures so far; final once the last chunk was taken, or after `aclose`."""
        return self._driver.lifecycle.receipt

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        more = True
        while more and not self._ready and not self._closed:
            if self._filling is None:
                if self.lifecycle.is_over:
                    break
                try:
                    self._filling = await self._start_filling()
                except RuntimeError as error:  # there are too many threads
                    await self._fail(error)
                    raise
            if self._filling is not None:
                more = await self._wait_for(self._filling)
        if self._ready and not self._closed:
            return self._ready.popleft()
        await self.aclose()
        raise StopAsyncIteration

    def __del__(self) -> None:
        # A last resort, if it was never closed: what is under way ends on its own thread.
        # In a forked child neither the threads nor the loop exist.
        started = hasattr(self, "_closing") and self._generation == generation()
        if started and not self._closed:
            self._stop()

    def expire(self) -> LimitError | None:
        """Cancel it if no time is left; return the error."""
        return self._driver.expire()

    def close(self) -> None:
        """Close it without waiting, from any thread, as Django closes its responses."""
        loop = self._bridges.loop
        if loop is None:
            with suppress(RuntimeError):  # this thread runs none
                loop = asyncio.get_running_loop()
        if loop is not None and loop.is_running():
            loop.call_soon_threadsafe(self._start_closing)
        elif not self._closed:
            self._stop()

    async def aclose(self) -> None:
        """Close the rows, at the end or before it.

        Waits for the pull in flight.  A cancellation ends the waiting, not the closing, and is
        all that it may raise.  Idempotent.
        """
        if not self._closed:
            self._endings = self._stop()
        if self._endings:
            await asyncio.wait(self._endings)
        if tasks := self._bridges.tasks():
            await asyncio.wait(tasks)
        if self._driver.asynchronous:
            # A task, because a cancellation of this one would interrupt the closing.
            self._closing_unread = asyncio.ensure_future(self._close_unread())
            await asyncio.wait({self._closing_unread})

    async def _close_unread(self) -> None:
        """Close the asynchronous rows that were passed open and not read."""
        while self._driver.asynchronous:
            await aclose(self._driver.asynchronous.pop())

    @property
    def _closed(self) -> bool:
        return self._worker.stopped

    def _start_closing(self) -> None:
        self._closing = asyncio.get_running_loop().create_task(self.aclose())

    async def _start_filling(self) -> asyncio.Future[bool] | None:
        """Have `advance` called when it is this export's turn; None if it was closed meanwhile."""
        self._bridges.loop = asyncio.get_running_loop()
        turn = self._turn = await take(self._turn)
        if self._closed:
            turn.end()
            return None
        try:
            filling = self._worker.submit(self._fill)
        except BaseException:
            turn.end()
            raise
        filling.add_done_callback(lambda _: turn.end())
        return filling

    def _fill(self) -> bool:
        more = self._driver.advance()
        self._collect()
        return more

    def _flush(self) -> None:
        self._driver.flush_pending()
        self._collect()

    def _collect(self) -> None:
        with self._driver.lock:  # so that chunks are queued in the order in which they were taken
            if chunk := self._driver.take():
                self._ready.append(chunk)

    async def _wait_for(self, filling: asyncio.Future[bool]) -> bool:
        """Wait for a chunk or for the flush interval; return False after the last chunk."""
        timeout = max(0, min(self._flush_interval, self._driver.time_left))
        await asyncio.wait({filling}, timeout=timeout)
        if not filling.done() and not self._closed:
            await self._check_time()
        if not filling.done() and self._bridges.flush():
            await asyncio.wait({filling}, timeout=_FLUSH)
        if self._closed:
            return False
        try:
            if filling.done():
                self._filling = None
                return filling.result()
            if self._driver.has_pending:
                await self._helper.submit(self._flush)
        except Exception as error:
            await self._fail(error)
            if is_thread_bound(error):  # an error of SQLite and the like, which names no remedy
                raise StateError(_OTHER_THREAD) from error
            raise
        return True

    async def _fail(self, error: Exception) -> None:
        """Close it, and record the error unless the driver has: it came from a thread's start."""
        if not self.lifecycle.is_over:
            self.lifecycle.close(error)
        await self.aclose()

    async def _check_time(self) -> None:
        """Close it and raise `LimitError` if no time is left."""
        if (expired := self._driver.expire()) is None:
            return
        try:
            await self.aclose()
            raise expired
        finally:
            del expired  # its traceback holds this frame

    def _stop(self) -> list[asyncio.Future[Any]]:
        """Have everything end, without waiting; return the futures to wait for."""
        if self._ready and self.lifecycle.state is State.COMPLETE:
            self.lifecycle.drop()
        self._driver.cancel()
        pulling = self._filling is not None and not self._filling.done()
        if self._filling is not None:
            with suppress(RuntimeError):  # the loop has ended
                self._filling.add_done_callback(mark_retrieved)
        self._bridges.cancel()
        endings = [self._worker.stop(self._driver.close), self._helper.stop(lambda: None)]
        if pulling and self._driver.interruptible:
            thread = Thread(target=self._driver.interrupt, name="streamware", daemon=True)
            call_logged(thread.start)  # if there are too many threads, the pull ends by itself
        return [ending for ending in endings if ending is not None]


def mark_retrieved(future: asyncio.Future[Any]) -> None:
    """Retrieve the error, which is in the receipt, so that asyncio does not log it."""
    if not future.cancelled():
        future.exception()
