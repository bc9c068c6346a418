"""AsyncDownload: the twin of `Download`, for a framework that iterates beside an event loop."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Self

from streamware.frameworks._support.download import Beginning
from streamware.frameworks._support.exchange import Exchange
from streamware.http.application import Application
from streamware.http.delivery import SCRATCH, Answer, Job
from streamware.http.disconnect import Message, Receive, Scope


class AsyncDownload(Beginning):
    """The body of an ASGI response: an async iterator of chunks, with `aclose()` and `close()`.

    Args:
        answer: What is answered.
        scope: Of the request.
    """

    def __init__(self, answer: Answer, scope: Scope) -> None:
        super().__init__(answer)
        self._scope = _without_watcher(scope)
        self._exchange: Exchange | None = None
        self._left = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def begin(self, *, wanted: bool = True) -> None:
        """Make the first chunk; idempotent.  Where it is not wanted, open nothing, and end.

        Raises:
            Exception: What rows raise; nothing is left open then.
        """
        if self.begun:
            return
        self._loop = asyncio.get_running_loop()
        application = self._application(wanted=wanted)
        self._exchange = await _unowned(application, self._scope, _until(self._left))
        start = await self._exchange.start()
        self.status = start["status"]
        self.headers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in start["headers"]]

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if not self.begun:
            await self.begin()
            if self.refused:
                raise self._too_late()
        if self._exchange is None:
            raise StopAsyncIteration
        try:
            return await anext(self._exchange)
        except asyncio.CancelledError:
            self._left.set()  # nobody takes another
            raise

    async def aclose(self) -> None:
        """Close the rows, however far they are, and wait for it.  Raises on cancellation only."""
        with suppress(Exception):  # of rows that are wrong, and are not wanted
            await self.begin(wanted=False)
        exchange, self._exchange = self._exchange, None
        self._left.set()
        if exchange is not None:
            await exchange.close()

    def close(self) -> None:
        """Close the rows soon, from any thread.  Never raises."""
        if self._loop is not None:
            with suppress(RuntimeError):  # it has ended, and all tasks with it
                self._loop.call_soon_threadsafe(self._left.set)
        elif not self.begun:
            self.begun = True
            for job in (self._answer.body, self._answer.discarded):
                if isinstance(job, Job):
                    job.achunks().close()

    def __del__(self) -> None:
        # A last resort, for a response that was dropped; the task itself does not know of us.
        if getattr(self, "_exchange", None) is not None or not getattr(self, "begun", True):
            self.close()


async def _unowned(application: Application, scope: Scope, receive: Receive) -> Exchange:
    """An exchange that no task ends: the one in which Django makes it may not be the request's."""
    loop = asyncio.get_running_loop()
    made: asyncio.Future[Exchange] = loop.create_future()

    def make() -> None:  # in no task
        made.set_result(Exchange(application.asgi, scope, receive))

    loop.call_soon(make)
    return await made


def _until(left: asyncio.Event) -> Receive:
    """A `receive` that tells that the client has left."""

    async def receive() -> Message:
        await left.wait()
        return {"type": "http.disconnect"}

    return receive


def _without_watcher(scope: Scope) -> Scope:
    """The scope of a request whose `receive` is the framework's to read."""
    extensions = dict(scope.get("extensions") or {})
    if SCRATCH in extensions:
        extensions[SCRATCH] = {**extensions[SCRATCH], "watcher": None}
    return {**scope, "extensions": extensions}
