"""DisconnectWatcher: who reads `receive` when a download has to know that its client has left.

No server tested raises from `send` after a disconnect, and on some a blocked `send` never returns
then; only `receive` tells.  It belongs to the application, though, which may be waiting in it, or
may ask for the body of the request later.  So one object owns it: what the application asks for
passes straight through, until something is to end when the client leaves.  From then on a task
reads `receive` beside the application and keeps what it has not asked for yet.

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
"""Bytes of a request's body that are kept unread at the most; a message counts for 256 more."""
_MESSAGE = 256

GONE = 499
"""The status of a response that nobody waits for, as nginx has it.

A 5xx would have whoever watches the server look for its fault, and a 2xx would be untrue.
"""
_GRACE = 1.0
"""Seconds that its sending may take: a few servers wait for a client that has gone."""


class DisconnectWatcher:
    """The `receive` of one request.

    The server's `receive` is never called twice at the same time: servers that keep their
    messages in a queue would give one of them to nobody.

    Args:
        receive: The server's.
        keep: Keep what the application has not asked for, as long as it fits into `BACKLOG`; past
            that the reading stops until the application goes on.  Without it, it is dropped.

    Attributes:
        left: Whether the client has left, as far as it was told; `receive` says so ever after.
    """

    __slots__ = (
        "_backlog",
        "_error",
        "_keep",
        "_news",
        "_passing",
        "_reader",
        "_receive",
        "_size",
        "_turn",
        "_watchers",
        "left",
    )

    def __init__(self, receive: Receive, *, keep: bool = True) -> None:
        self.left = False
        self._receive = receive
        self._keep = keep
        self._passing = 0
        self._reader: asyncio.Task[None] | None = None
        self._error: BaseException | None = None
        self._watchers: list[Callable[[], object]] = []
        self._backlog: deque[Message] = deque()
        self._size = 0
        self._news = asyncio.Event()  # for the application: something to receive
        self._turn = asyncio.Event()  # for the task: it may read on

    async def receive(self) -> Message:
        """The next message, for the application; `http.disconnect` for ever after the first.

        Raises:
            Exception: What the server's `receive` raised, here or to the task.
        """
        while not self._backlog:
            if self.left:
                return {"type": "http.disconnect"}
            self._raise()
            if not self._reading:
                return await self._pass()
            self._news.clear()
            await self._news.wait()
        message = self._backlog.popleft()
        self._size -= _size_of(message)
        self._turn.set()
        return message

    async def unless_left(self, work: Coroutine[Any, Any, None]) -> None:
        """Do `work` in a task of its own, which is cancelled when the client leaves.

        That is no error, and nothing but `work` is cancelled.

        Raises:
            Exception: What `work` raised, or the server's `receive`.
        """
        task = asyncio.get_running_loop().create_task(work)
        self.watch(task.cancel)
        try:
            await asyncio.wait({task})
        finally:
            self.unwatch(task.cancel)
            if not task.cancelling():  # a second time would end the waiting for what is closed
                task.cancel()
            await asyncio.wait({task})
        if not task.cancelled():
            task.result()
            return
        self._raise()
        if not self.left:  # somebody else cancelled it
            raise asyncio.CancelledError

    def watch(self, leave: Callable[[], object]) -> None:
        """Have `leave` called, once, when the client leaves, or when `receive` fails.

        It is called by a task that begins after those that were made so far: one that is
        cancelled before its first step would not run at all, not even a `finally`.
        """
        self._watchers.append(leave)
        if not self._reading:
            # Not by the loop's factory, which may be an eager one: that would run it in here.
            self._reader = asyncio.Task(self._read(), loop=asyncio.get_running_loop())

    def unwatch(self, leave: Callable[[], object]) -> None:
        """Nothing is to be called any more."""
        if leave in self._watchers:
            self._watchers.remove(leave)

    def close(self) -> None:
        """The request is over: nothing is read any more."""
        self._watchers.clear()
        if self._reader is not None:
            self._reader.cancel()
            self._reader = None
            self._news.set()  # who still waits is told by the server

    @property
    def _reading(self) -> bool:
        return self._reader is not None and not self._reader.done()

    async def _pass(self) -> Message:
        """What the server says, straight to who asks."""
        self._passing += 1
        try:
            message = await self._receive()
        finally:
            self._passing -= 1
            self._turn.set()
        if message["type"] == "http.disconnect":
            self._end(None)
        return message

    async def _read(self) -> None:
        try:
            while not self.left:
                if self._passing or self._size >= BACKLOG:
                    self._turn.clear()
                    await self._turn.wait()
                else:
                    self._note(await self._receive())
        except Exception as error:  # noqa: BLE001 - it is raised where the work is awaited
            self._end(error)
        else:
            self._end(None)

    def _raise(self) -> None:
        """What the server's `receive` raised, to the first who asks."""
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
        self.left = self.left or error is None
        self._error = error
        self._news.set()
        self._tell()

    def _tell(self) -> None:
        watchers, self._watchers = self._watchers, []
        for leave in watchers:
            leave()


async def answer_nobody(send: Send) -> None:
    """End a request that nothing was sent for, once its client has left.

    A middleware around may want a response all the same: Starlette's `BaseHTTPMiddleware` raises
    `RuntimeError` where none comes.  Never raises but on cancellation.
    """
    with suppress(Exception):  # by the specification `send` may fail, for nobody is there
        async with asyncio.timeout(_GRACE):
            headers = [(b"content-length", b"0")]
            await send({"type": "http.response.start", "status": GONE, "headers": headers})
            await send({"type": "http.response.body", "body": b""})


def _size_of(message: Message) -> int:
    return len(message.get("body") or b"") + _MESSAGE
