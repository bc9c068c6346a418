"""Exchange: an export's answer, taken apart for a framework that sends by itself.

Quart and Falcon want a status, headers and something to iterate; only then do they send.  So the
export answers a conversation of its own, in a task: its first chunk is there before the framework
begins, and it makes the next one when the framework asks for it, no sooner.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Self

from streamware.http.disconnect import Message, Receive, Scope, Send

CLIENT_LEFT = 499
"""The status of an answer that nobody is there for any more; nginx logs the same."""
GRACE = 0.5
"""Seconds for a framework to come back from sending to a client that has left."""


class Exchange:
    """The answer of an ASGI application to one request: its start, then its chunks.

    It ends with the chunks, with `close()`, and with the task in which it was made, which is the
    request's: whatever becomes of a response that nobody sends.  That task is cancelled where it
    is stuck in sending to a client that has left, as hypercorn has it over HTTP/2.

    Args:
        application: What answers.
        scope: The request's.
        receive: The request's, if nobody else reads it; it says when the client has left.
    """

    def __init__(
        self,
        application: Callable[[Scope, Receive, Send], Awaitable[None]],
        scope: Scope,
        receive: Receive | None = None,
    ) -> None:
        self._wanted = asyncio.Event()
        self._messages: asyncio.Queue[Message | None] = asyncio.Queue()
        self._task = asyncio.ensure_future(application(scope, receive or _never, self._send))
        self._task.add_done_callback(self._ended)
        self._sending = False
        self._stuck: asyncio.TimerHandle | None = None
        self._owner: asyncio.Task[Any] | None = asyncio.current_task()
        if self._owner is not None:
            self._owner.add_done_callback(self._end)

    async def start(self) -> Message:
        """The `http.response.start`; the first chunk has been made, too.

        Where the client left before, the status is `CLIENT_LEFT`, and there are no chunks.

        Raises:
            Exception: What the application raised instead; everything is closed.
        """
        try:
            message = await self._next()
        except BaseException:
            await self.close()
            raise
        return message or {"type": "http.response.start", "status": CLIENT_LEFT, "headers": []}

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """The next chunk, never an empty one.

        Raises:
            Exception: What the application raised: the transfer is to be broken.
        """
        while (message := await self._next()) is not None:
            if body := message.get("body", b""):
                chunk: bytes = body
                self._sending = True
                return chunk
        raise StopAsyncIteration

    async def close(self) -> None:
        """End it, and wait until everything is closed.  Idempotent; raises nothing."""
        self._end()
        await asyncio.wait({self._task})

    async def _next(self) -> Message | None:
        """The next message; None, ever after, when the application has returned."""
        self._sending = False
        if self._stuck is not None:
            self._stuck.cancel()
        self._wanted.set()
        message = await self._messages.get()
        if message is None:
            self._messages.put_nowait(None)
            self._task.result()
        return message

    async def _send(self, message: Message) -> None:
        """What the application sends with; returns when the framework has sent it on."""
        self._wanted.clear()
        self._messages.put_nowait(message)
        await self._wanted.wait()

    def _end(self, *ignored: object) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
        # A second cancellation would end the waiting for what is closed.
        if not self._task.done() and not self._task.cancelling():
            self._task.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._messages.put_nowait(None)
        if self._owner is not None:
            self._owner.remove_done_callback(self._end)
        if task.cancelled():
            return
        task.exception()  # now it counts as seen, whether or not somebody asks again
        if self._sending and self._owner is not None:  # it ended for the client has left
            self._stuck = task.get_loop().call_later(GRACE, self._owner.cancel)


async def _never() -> Message:
    return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]
