"""Buffered: a document that is made as fast as its rows come, and sent as fast as it is taken.

So the cursor is free in seconds, however slow the client.  What the client has not taken waits
in a ring; where that has no more room, the rows wait for the client after all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack, suppress
from contextvars import copy_context
from functools import partial
from threading import Condition, Thread, current_thread
from typing import Self

from streamware.engine.async_driver import AsyncDriver
from streamware.engine.deadline import call_logged
from streamware.engine.worker import Worker
from streamware.errors import StateError
from streamware.http.delivery import Chunks
from streamware.receipt import Receipt
from streamware.rows.source import is_thread_bound
from streamware.scratch.ring import Ring

_OTHER_THREAD = (
    "these rows were opened on another thread and are bound to it; with delivery='buffer' hand"
    " over a callable that opens them, such as Export(lambda: connection().execute(…))"
)
_LOOK = 0.05  # seconds between two looks for room that other requests give back


class Buffered:
    """The chunks of a document from a ring that a thread of their own fills; for a thread.

    Args:
        chunks: Of the document; opened, pulled and closed on that thread, in a copy of the
            context of the first call.
        ring: Between the two.
        finished: Called when the rows are closed, on that thread or where none was started.
        cancel: Interrupts a blocked pull, from another thread.
    """

    def __init__(
        self,
        chunks: Chunks,
        ring: Ring,
        finished: Callable[[], object],
        cancel: Callable[[], object] | None = None,
    ) -> None:
        self._chunks = chunks
        self._ring = ring
        self._finished = finished
        self._cancel = cancel
        self._thread: Thread | None = None
        self._news = Condition()
        self._ended = False
        self._closed = False
        self._error: BaseException | None = None

    @property
    def receipt(self) -> Receipt:
        """Figures so far, of what was made: the client may have less."""
        return self._chunks.receipt

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        if self._thread is None and not self._closed:
            context = copy_context()
            thread = Thread(
                target=context.run, args=(self._produce,), name="streamware", daemon=True
            )
            thread.start()
            self._thread = thread
        with self._news:
            while not self._closed:
                if chunk := self._ring.get():
                    self._news.notify_all()
                    return chunk
                if self._ended:
                    break
                self._news.wait()
        error, self._error = self._error, None
        self.close()
        if error is not None:
            raise error
        raise StopIteration

    def close(self) -> None:
        """Give up, and wait until the pull in flight has returned and rows are closed.

        Idempotent; raises nothing but what is no `Exception`.
        """
        with self._news:
            if self._closed:
                return
            self._closed = True
            self._ring.close()
            self._news.notify_all()
        if self._thread is None:
            try:
                self._chunks.close()
            finally:
                self._finished()
            return
        self._chunks.close()
        if not self._ended and self._cancel is not None:
            call_logged(self._cancel)
        if self._thread is not current_thread():
            self._thread.join()
        error, self._error = self._error, None
        if error is not None and not isinstance(error, Exception):
            raise error

    def _produce(self) -> None:
        try:
            self._read()
        except BaseException as error:  # noqa: BLE001 - it is raised where the chunks are taken
            self._error = _named(error)
        finally:
            with self._news:
                self._ended = True
                self._news.notify_all()

    def _read(self) -> None:
        # Not once the error is handled: a teardown of the application's may want to know it.
        with ExitStack() as ending:
            ending.callback(self._finished)
            ending.callback(self._chunks.close)
            for chunk in self._chunks:
                if not self._put(chunk):
                    break

    def _put(self, chunk: bytes) -> bool:
        """Put it into the ring when there is room; False where nobody wants it any more."""
        with self._news:
            while not self._closed:
                if self._ring.put(chunk):
                    self._news.notify_all()
                    return True
                self._news.wait(_LOOK)
        return False


class AsyncBuffered:
    """The same beside an event loop: a task fills the ring; a thread asks the disk."""

    def __init__(self, encoding: AsyncDriver, ring: Ring) -> None:
        self._encoding = encoding
        self._ring = ring
        self._worker = Worker()
        self._producer: asyncio.Task[None] | None = None
        self._fresh = asyncio.Event()
        self._room = asyncio.Event()

    @property
    def receipt(self) -> Receipt:
        """Figures so far, of what was made: the client may have less."""
        return self._encoding.receipt

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._producer is None:
            self._producer = asyncio.get_running_loop().create_task(self._produce())
            self._producer.add_done_callback(lambda _: self._fresh.set())
        producer = self._producer
        while True:
            ended = producer.done()
            if chunk := await self._get():
                self._room.set()
                return chunk
            if ended:
                break
            await self._fresh.wait()
            self._fresh.clear()
        producer.result()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Close the rows, and drop what was not taken.  Idempotent; raises on cancellation only."""
        dropped = self._worker.stop(self._ring.close)
        if self._producer is not None:
            self._producer.cancel()
            self._producer.add_done_callback(_retrieved)
        await self._encoding.aclose()
        # The disk, too: a call that is under way would open a spool after the ledger is closed.
        pending = [task for task in (self._producer, dropped) if task is not None]
        if pending:
            await asyncio.wait(pending)

    async def _produce(self) -> None:
        async for chunk in self._encoding:
            while not await self._put(chunk):
                await self._look_for_room()
            self._fresh.set()

    async def _look_for_room(self) -> None:
        self._room.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOK):  # wait_for of Python 3.11 swallows a cancellation
                await self._room.wait()

    async def _get(self) -> bytes:
        if self._ring.on_disk:
            return await self._worker.submit(self._ring.get)
        return self._ring.get()

    async def _put(self, chunk: bytes) -> bool:
        if self._ring.keeps(chunk):
            return self._ring.put(chunk)
        return await self._worker.submit(partial(self._ring.put, chunk))


def _named(error: BaseException) -> BaseException:
    if not isinstance(error, Exception) or not is_thread_bound(error):
        return error
    named = StateError(_OTHER_THREAD)
    named.__cause__ = error
    return named


def _retrieved(task: asyncio.Task[None]) -> None:
    """Nobody waits any more, and what came of it is in the receipt."""
    if not task.cancelled():
        task.exception()
