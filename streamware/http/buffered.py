"""Buffered: a document that is made as fast as its rows come, and sent as fast as it is read.

So the cursor is free in seconds, however slow the client is.  What the client has not read yet
waits in a ring.  When the ring is full, the rows wait for the client after all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing, suppress
from contextvars import copy_context
from functools import partial
from threading import Thread, current_thread
from typing import Self

from streamware.engine.async_driver import AsyncDriver, mark_retrieved
from streamware.engine.worker import Worker, disconnect
from streamware.errors import StateError
from streamware.http.delivery import Chunks
from streamware.locks import condition
from streamware.rows.source import Cancelled, is_thread_bound
from streamware.scratch.ring import Ring

_OTHER_THREAD = (
    "these rows were opened on another thread and are bound to it; with delivery='buffer' pass"
    " a callable that opens them, such as Export(lambda: connection().execute(…))"
)
_POLL = (
    0.05  # seconds after which a full ring is tried again: other requests may have released room
)


class Buffered:
    """The chunks of a document, for a thread to iterate; a producer thread puts them into a ring.

    Args:
        chunks: The document; opened, pulled and closed on the producer thread, in a copy of the
            context of the first `next`.
        ring: The ring between producer and reader.
        on_closed: Called on the producer thread when the rows are closed, with what ended them.

    Attributes:
        receipt: The figures of what was made; the client may have received less.
    """

    def __init__(
        self,
        chunks: Chunks,
        ring: Ring,
        on_closed: Callable[[BaseException | None], object],
    ) -> None:
        self.receipt = chunks.receipt  # of what was made; the client may have received less
        self._chunks = chunks  # the document; used by the producer alone once there is one
        self._ring = ring  # the producer puts chunks in, the reader takes them out
        self._on_closed = on_closed  # called when the rows are closed
        self._thread: Thread | None = None  # the producer, from the first `next` on
        self._news = condition()  # notified when the ring or one of the next three changes
        self._ended = False  # whether the producer has closed the rows
        self._closed = False  # whether the reader wants no more
        self._error: BaseException | None = None  # the producer's, until the reader raises it

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
        """Cancel, and wait until the pull in flight has returned and the rows are closed.

        Idempotent; may raise only KeyboardInterrupt and the like.
        """
        with self._news:
            if self._closed:
                return
            self._closed = True
            self._ring.close()
            self._news.notify_all()
        if self._thread is None:
            self._chunks.close()
            return
        # Only the producer closes the rows, also if it is not in a pull at the moment: drivers of
        # databases refuse another thread, and what it has begun may end only there.
        self._chunks.cancel()
        if not self._ended:
            self._chunks.interrupt()
        if self._thread is not current_thread():
            with self._news:
                self._news.wait_for(lambda: self._ended)
        error, self._error = self._error, None
        if error is not None and not isinstance(error, (Exception, Cancelled)):
            raise error

    def join(self) -> None:
        """Wait until the producer thread, if there was one, has returned from `on_closed`."""
        if self._thread is not None and self._thread is not current_thread():
            self._thread.join()

    def _produce(self) -> None:
        error = None
        try:
            with closing(self._chunks):
                for chunk in self._chunks:
                    if not self._put(chunk):
                        break
        except BaseException as caught:  # noqa: BLE001 - the reader raises it
            self._error = _with_remedy(caught)
            error = None if isinstance(caught, Cancelled) else self._error
        finally:
            with self._news:
                self._ended = True
                self._news.notify_all()
        try:
            self._on_closed(error)
        finally:
            del error  # its traceback holds this frame
            disconnect()

    def _put(self, chunk: bytes) -> bool:
        """Put a chunk into the ring when there is room; return False if the reader has left."""
        with self._news:
            while not self._closed:
                if self._ring.put(chunk):
                    self._news.notify_all()
                    return True
                self._news.wait(_POLL)
        return False


class AsyncBuffered:
    """As `Buffered`, beside an event loop: a task fills the ring, and a thread waits for the disk.

    Args:
        document: The document.
        ring: The ring between the task and the reader.

    Attributes:
        receipt: The figures of what was made; the client may have received less.
    """

    def __init__(self, document: AsyncDriver, ring: Ring) -> None:
        self.receipt = document.receipt  # of what was made; the client may have received less
        self._document = document  # the producer iterates it
        self._ring = ring  # the producer puts chunks in, the reader takes them out
        self._worker = Worker()  # the thread for the disk
        self._producer: asyncio.Task[None] | None = None  # from the first `anext` on
        self._fresh = asyncio.Event()  # wakes the reader: a chunk was put in, or the last one was
        self._room = asyncio.Event()  # wakes the producer: a chunk was taken out

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._producer is None:
            self._producer = asyncio.get_running_loop().create_task(self._produce())
            self._producer.add_done_callback(lambda _: self._fresh.set())
        producer = self._producer
        while True:
            ended = producer.done()
            get = self._ring.get
            if chunk := await self._worker.submit(get) if self._ring.on_disk else get():
                self._room.set()
                return chunk
            if ended:
                break
            await self._fresh.wait()
            self._fresh.clear()
        producer.result()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Close the rows, and drop what was not read.  Idempotent; raises on cancellation only."""
        dropped = self._worker.stop(self._ring.close)
        if self._producer is not None:
            self._producer.cancel()
            self._producer.add_done_callback(mark_retrieved)
        await self._document.aclose()
        # Wait for a disk call in flight: it could open a spool after the ledger is closed.
        pending = [task for task in (self._producer, dropped) if task is not None]
        if pending:
            await asyncio.wait(pending)

    async def _produce(self) -> None:
        async for chunk in self._document:
            while not await self._put(chunk):
                self._room.clear()
                with suppress(TimeoutError):
                    # `wait_for` of Python 3.11 can swallow a cancellation.
                    async with asyncio.timeout(_POLL):
                        await self._room.wait()
            self._fresh.set()

    async def _put(self, chunk: bytes) -> bool:
        if self._ring.keeps(chunk):
            return self._ring.put(chunk)
        return await self._worker.submit(partial(self._ring.put, chunk))


def _with_remedy(error: BaseException) -> BaseException:
    """Return the error; if rows are bound to a thread, a `StateError` that names the remedy."""
    if not isinstance(error, Exception) or not is_thread_bound(error):
        return error
    remedy = StateError(_OTHER_THREAD)
    remedy.__cause__ = error
    return remedy
