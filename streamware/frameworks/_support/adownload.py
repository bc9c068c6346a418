"""AsyncDownload: the twin of `Download`, for a framework that iterates on an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from typing import Any, Self

from streamware.frameworks._support.download import BaseDownload
from streamware.frameworks._support.response_stream import ResponseStream
from streamware.http.delivery import SCRATCH, Answer, Job
from streamware.http.disconnect import Message, Receive, Scope
from streamware.locks import generation


class AsyncDownload(BaseDownload):
    """The body of an ASGI response: an async iterator of chunks, with `aclose()` and `close()`.

    Args:
        answer: The answer.
        scope: The request's.
        run: Runs the call that makes the task in which rows are read.
        reading: Entered while a reader waits for a chunk, or for the rows to be closed.
    """

    def __init__(
        self,
        answer: Answer,
        scope: Scope,
        run: Callable[[Callable[[], Any]], Any] = lambda call: call(),
        reading: AbstractContextManager[Any] | None = None,
    ) -> None:
        super().__init__(answer)
        # Without our middleware's watcher: the framework itself reads `receive`.
        extensions = dict(scope.get("extensions") or {})
        if SCRATCH in extensions:
            extensions[SCRATCH] = {**extensions[SCRATCH], "watcher": None}
        self._scope = {**scope, "extensions": extensions}  # of the request
        self._run = run  # runs the call that makes the stream
        self._reading = reading or nullcontext()  # entered while a reader waits
        self._stream: ResponseStream | None = None  # from the start until it is closed
        self._left = asyncio.Event()  # set when no more chunks will be taken
        self._loop: asyncio.AbstractEventLoop | None = None  # on which it was started

    async def start(self, *, open_rows: bool = True) -> None:
        """Make the first chunk.  Idempotent.

        Args:
            open_rows: If False, the body is empty, and rows that were passed open are closed.

        Raises:
            Exception: What the rows raise; everything is closed then.
        """
        if self.started:
            return
        self._loop = asyncio.get_running_loop()
        application = self._application(open_rows=open_rows)
        receive = _disconnect_at(self._left)
        make = partial(self._run, partial(ResponseStream, application.asgi, self._scope, receive))
        self._stream = await _outside_tasks(make)
        with self._reading:
            self.status, self.headers = await self._stream.start()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if not self.started:
            await self.start()
            if self.refused:
                raise self._too_late()
        if self._stream is None:
            raise StopAsyncIteration
        try:
            with self._reading:
                return await anext(self._stream)
        except asyncio.CancelledError:
            self._left.set()
            raise

    async def aclose(self) -> None:
        """Close the rows, and wait until they are closed.  Raises only if cancelled."""
        with suppress(Exception):  # the rows are not wanted, so their errors do not matter
            await self.start(open_rows=False)
        stream, self._stream = self._stream, None
        self._left.set()
        if stream is not None:
            with self._reading:
                await stream.close()

    def close(self) -> None:
        """Have the rows closed soon; from any thread.  Never raises."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop was closed, and all tasks ended before
                self._loop.call_soon_threadsafe(self._left.set)
                self._loop.call_soon_threadsafe(self._reading.__enter__)
        elif not self.started:
            self.started = True
            for job in (self._answer.body, self._answer.discarded):
                if isinstance(job, Job):
                    job.achunks().close()

    def __del__(self) -> None:
        # A last resort, for a response that was dropped: its task holds no reference to this.
        running = getattr(self, "_stream", None) is not None or not getattr(self, "started", True)
        if running and self._generation == generation():
            self.close()


async def _outside_tasks(make: Callable[[], ResponseStream]) -> ResponseStream:
    """Make the stream outside any task, so that it does not end with one.

    Django may make it in another task than the request's.
    """
    loop = asyncio.get_running_loop()
    made: asyncio.Future[ResponseStream] = loop.create_future()
    loop.call_soon(lambda: made.set_result(make()))
    return await made


def _disconnect_at(left: asyncio.Event) -> Receive:
    """Return a `receive` that reports a disconnect when the event is set."""

    # It holds no reference to the download, so that one can be collected.
    async def receive() -> Message:
        await left.wait()
        return {"type": "http.disconnect"}

    return receive
