"""ResponseStream: an ASGI application's response, for a framework that does the sending itself.

Quart, Falcon and Django want a status, headers and something to iterate; only then do they send.
So the export runs as a task and sends to a queue.  Its first chunk is made before the framework
starts the response, and each further one when the framework asks for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Self

from streamware.http.disconnect import (
    CLIENT_LEFT,
    CancellableTask,
    Message,
    Receive,
    Scope,
    Send,
)

_GRACE = 0.5
"""Seconds for a framework to return from sending to a client that has left."""


class ResponseStream:
    """The response of an ASGI application to one request: its start, then its chunks.

    It ends with its last chunk, with `close()`, or with the task in which it was made.  That is
    the request's task, so a response that is never sent ends, too.  If that task is stuck in
    sending to a client that has left, as under hypercorn over HTTP/2, it is cancelled.

    Args:
        application: The application.
        scope: The request's.
        receive: The request's, which reports that the client has left; None if the framework
            itself reads it.
    """

    def __init__(
        self,
        application: Callable[[Scope, Receive, Send], Awaitable[None]],
        scope: Scope,
        receive: Receive | None = None,
    ) -> None:
        self._wanted = asyncio.Event()  # set while the framework waits for a message
        self._messages: asyncio.Queue[Message | None] = asyncio.Queue()  # None is the end
        # The application's task.
        self._running = CancellableTask(partial(application, scope, receive or _never, self._send))
        self._running.task.add_done_callback(self._ended)
        self._sending = False  # whether the framework has a chunk, and sends it
        self._stuck: asyncio.TimerHandle | None = None  # cancels the owner, which is still sending
        self._owner: asyncio.Task[Any] | None = asyncio.current_task()  # the request's task
        if self._owner is not None:
            self._owner.add_done_callback(self._cancel)

    async def start(self) -> tuple[int, list[tuple[str, str]]]:
        """Return status and headers, once the first chunk has been made.

        If the client left before, the status is `CLIENT_LEFT`, and there are no chunks.

        Raises:
            Exception: What the application raised instead; everything is closed.
        """
        try:
            message = await self._next()
        except BaseException:
            await self.close()
            raise
        if message is None:
            return CLIENT_LEFT, []
        headers = message["headers"]
        return message["status"], [(n.decode("latin-1"), v.decode("latin-1")) for n, v in headers]

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Return the next chunk, which is never empty.

        Raises:
            Exception: What the application raised: the framework must break the transfer.
        """
        while (message := await self._next()) is not None:
            if body := message.get("body", b""):
                chunk: bytes = body
                self._sending = True
                return chunk
        raise StopAsyncIteration

    async def close(self) -> None:
        """Cancel the application, and wait until everything is closed.  Idempotent."""
        self._cancel()
        await asyncio.wait({self._running.task})

    async def _next(self) -> Message | None:
        """Return the next message; once the application has returned, always None."""
        self._sending = False
        if self._stuck is not None:
            self._stuck.cancel()
        self._wanted.set()
        message = await self._messages.get()
        if message is None:
            self._messages.put_nowait(None)
            self._running.task.result()
        return message

    async def _send(self, message: Message) -> None:
        """Queue a message, as the application's `send`; return when the next is wanted."""
        self._wanted.clear()
        self._messages.put_nowait(message)
        await self._wanted.wait()

    def _cancel(self, *ignored: object) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
        self._running.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._messages.put_nowait(None)
        if self._owner is not None:
            self._owner.remove_done_callback(self._cancel)
        if task.cancelled():
            return
        task.exception()  # marks it as retrieved, whether or not the framework asks for more
        if self._sending and self._owner is not None:  # it returned because the client has left
            self._stuck = task.get_loop().call_later(_GRACE, self._owner.cancel)


async def _never() -> Message:
    return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]
