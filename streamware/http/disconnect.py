"""DisconnectWatcher: notices that the client of an ASGI request has left.

No tested server raises from `send` after a disconnect, and on some a blocked `send` then never
returns; only `receive` reports that the client has left.  But `receive` belongs to the application,
which may be waiting in it, or may read the body of the request later.  So one object owns it.  At
first each call of the application goes straight to the server.  Once something is to be cancelled
when the client leaves, a task reads `receive` beside the application, and keeps the messages that
the application has not asked for yet.

Source: ASGI 3 HTTP specification 2.1 to 2.4.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from contextlib import suppress
from typing import Any

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

BACKLOG = 2**20
"""Bytes of a request's body that are kept unread at most; a message counts for 256 more."""
_MESSAGE = 256

CLIENT_LEFT = 499
"""The status of a response whose client left before it was started, as nginx logs it.

A 5xx would alarm the operators of the server, and a 2xx would be untrue.
"""
_GRACE = 1.0
"""Seconds that sending it may take: a few servers wait for a client that has gone."""


class CancellableTask:
    """A task that `cancel` cancels at most once, and not before its first step.

    Before that, not even a `finally` would run, and a second cancellation would interrupt the
    cleanup.

    Args:
        work: Makes what the task awaits.

    Attributes:
        started: Whether the first step was taken.
        task: The task.
    """

    __slots__ = ("_wanted", "_work", "started", "task")

    def __init__(self, work: Callable[[], Awaitable[None]]) -> None:
        self.started = False
        self._work = work
        self._wanted = True  # whether it was not cancelled
        self.start()

    def start(self) -> None:
        """Make the task; once more, if something else has cancelled it before its first step."""
        self.task = asyncio.get_running_loop().create_task(self._run())

    def cancel(self, *ignored: object) -> None:
        """Cancel it, with or after its first step.  Idempotent."""
        self._wanted = False
        if self.started and not self.task.cancelling():
            self.task.cancel()  # of one that has failed: asyncio then does not log its error

    async def _run(self) -> None:
        self.started = True
        if not self._wanted:
            asyncio.get_running_loop().call_soon(self.cancel)
        await self._work()


class DisconnectWatcher:
    """The owner of one request's `receive`.

    It never calls the server's `receive` twice at the same time: a server that keeps its messages
    in a queue would lose one of them.

    Args:
        receive: The server's `receive`.
        keep: Keep what the application has not asked for yet, up to `BACKLOG`; then stop reading
            until the application catches up.  If False, drop it.

    Attributes:
        left: Whether the client has left; `receive` says so once it has returned what was kept.
    """

    __slots__ = (
        "_backlog",
        "_callbacks",
        "_direct_calls",
        "_error",
        "_keep",
        "_news",
        "_reader",
        "_receive",
        "_size",
        "_turn",
        "left",
    )

    def __init__(self, receive: Receive, *, keep: bool = True) -> None:
        self.left = False  # whether the client has left
        self._receive = receive  # the server's `receive`
        self._keep = keep  # whether unread messages are kept, or dropped
        self._direct_calls = 0  # calls of the application that wait in the server's receive
        self._reader: asyncio.Task[None] | None = None  # reads beside the application, if needed
        self._error: BaseException | None = None  # what receive raised in that task
        self._callbacks: list[Callable[[], object]] = []  # called when the client leaves
        self._backlog: deque[Message] = deque()  # messages that the application has yet to read
        self._size = 0  # bytes in the backlog
        self._news = asyncio.Event()  # wakes the application: there is something to receive
        self._turn = asyncio.Event()  # wakes the task: it may read on

    async def receive(self) -> Message:
        """Return the next message to the application; after a disconnect, always `http.disconnect`.

        Raises:
            Exception: What the server's `receive` raised, here or in the task.
        """
        while not self._backlog:
            if self.left:
                return {"type": "http.disconnect"}
            self._raise()
            if not self._reading:
                self._direct_calls += 1
                try:
                    message = await self._receive()
                finally:
                    self._direct_calls -= 1
                    self._turn.set()
                if message["type"] == "http.disconnect":
                    self._end(None)
                return message
            self._news.clear()
            await self._news.wait()
        message = self._backlog.popleft()
        self._size -= _size_of(message)
        self._turn.set()
        return message

    async def unless_left(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` in a task of its own, and cancel that task when the client leaves.

        The cancellation is not an error, and nothing but `work` is cancelled.  It comes after the
        first step of `work`: before that, not even a `finally` would run.

        Raises:
            Exception: What `work` raised, or the server's `receive`.
        """
        running = CancellableTask(lambda: work)
        self.watch(running.cancel)
        try:
            await asyncio.wait({running.task})
        finally:
            self.unwatch(running.cancel)
            running.cancel()
            await asyncio.wait({running.task})
            if not running.started:  # something else has cancelled it, before its first step
                running.start()
                await asyncio.wait({running.task})
        task = running.task
        if not task.cancelled():
            task.result()
            return
        self._raise()
        if not self.left:  # something else cancelled it
            raise asyncio.CancelledError

    def watch(self, callback: Callable[[], object]) -> None:
        """Call `callback` once when the client leaves, or when `receive` fails."""
        self._callbacks.append(callback)
        if not self._reading:
            # Not by the loop's task factory: an eager one would run the first step in here.
            self._reader = asyncio.Task(self._read(), loop=asyncio.get_running_loop())

    def unwatch(self, callback: Callable[[], object]) -> None:
        """Stop calling `callback`."""
        if callback in self._callbacks:
            self._callbacks.remove(callback)

    def close(self) -> None:
        """Stop reading: the request is over."""
        self._callbacks.clear()
        if self._reader is not None:
            self._reader.cancel()
            self._reader = None
            self._news.set()  # a call that still waits continues in the server's receive

    @property
    def _reading(self) -> bool:
        return self._reader is not None and not self._reader.done()

    async def _read(self) -> None:
        try:
            while not self.left:
                if self._direct_calls or self._size >= BACKLOG:
                    self._turn.clear()
                    await self._turn.wait()
                else:
                    self._note(await self._receive())
        except Exception as error:  # noqa: BLE001 - raised where the work is awaited
            self._end(error)
        else:
            self._end(None)

    def _raise(self) -> None:
        """Raise what the server's `receive` raised in the task, once."""
        error, self._error = self._error, None
        try:
            if error is not None:
                raise error
        finally:
            del error  # its traceback holds this frame

    def _note(self, message: Message) -> None:
        if message["type"] == "http.disconnect":
            self.left = True
        elif self._keep:
            self._backlog.append(message)
            self._size += _size_of(message)
            self._news.set()

    def _end(self, error: BaseException | None) -> None:
        """Call the callbacks: the client has left, or `receive` has failed."""
        self.left = self.left or error is None
        self._error = error
        self._news.set()
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()


async def answer_absent_client(send: Send) -> None:
    """Send a status of 499, for a request whose client left before its response was started.

    A middleware around the application may need a response anyway: Starlette's
    `BaseHTTPMiddleware` raises `RuntimeError` without one.  Raises on cancellation only.
    """
    with suppress(Exception):  # by the specification `send` may fail once the client has left
        async with asyncio.timeout(_GRACE):
            headers = [(b"content-length", b"0")]
            await send({"type": "http.response.start", "status": CLIENT_LEFT, "headers": headers})
            await send({"type": "http.response.body", "body": b""})


def _size_of(message: Message) -> int:
    return len(message.get("body") or b"") + _MESSAGE
