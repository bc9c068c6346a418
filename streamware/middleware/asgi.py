"""ASGIMiddleware: the scratch of a request, given back when its application has returned.

Source: ASGI 3 HTTP specification 2.1 to 2.4.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from functools import partial
from http import HTTPStatus
from typing import Any, ParamSpec, TypeVar, cast

from streamware.engine.worker import Worker
from streamware.http.asgi import check_loop, on_asyncio, whole
from streamware.http.delivery import EXPORT, SCRATCH, live
from streamware.http.disconnect import (
    DisconnectWatcher,
    Message,
    Receive,
    Scope,
    Send,
    answer_nobody,
)
from streamware.http.export import Export
from streamware.middleware.failure import instead_of
from streamware.middleware.signature import check
from streamware.scratch.ledger import CURRENT, Scratch
from streamware.scratch.pool import scratch_pool
from streamware.settings import Settings

Application = Callable[[Scope, Receive, Send], Awaitable[None]]
P = ParamSpec("P")
T = TypeVar("T")

_READ = 65_536
_LAST = ("http.response.body", "http.response.pathsend", "http.response.zerocopysend")
_GRACE = 1.0
"""Seconds that the end of a response may take to be sent after the client was said to be gone.

Some servers say so of every response that has ended, and a few before `send` has returned.
"""


class ASGIMiddleware:
    """Gives every request of an ASGI application scratch that is gone when it ends.

    Mount it outermost.  Views find the scratch by `current_scratch()`, or as
    `scope["extensions"]["streamware.scratch"]["scratch"]`; and without an import `Export` itself,
    bound to these settings, as `scope["extensions"]["streamware.export"]["export"]`.

    The application runs in the server's own task, and is never cancelled, whatever the client
    does: exports that are being sent end when it leaves, and nothing else does.

    What the application raises passes unchanged, as long as no response was started but for
    `Refused`, a disk that is full, and groups of these, which are answered with 503 and
    `Retry-After`, and for a `LimitError`, with its status.

    Below another one with equal settings, or if it has none of its own, it leaves everything but
    the cancelling to that.  Lifespan and websockets pass through.  On an event loop that is not
    asyncio's the application runs as before, but there are no exports and no cancelling.

    Args:
        app: The application.
        settings: What holds for its requests; by default what the environment says.
        cancel_on_disconnect: Cancel the application, too, when the client leaves before the
            response is complete.  Middlewares around this one see a status of 499 if none was
            sent by then.

    Raises:
        ScratchError: The directory that was set does not exist or is not safe.
        TypeError: `app` is no ASGI application.
    """

    def __init__(
        self,
        app: Application,
        settings: Settings | None = None,
        *,
        cancel_on_disconnect: bool = False,
    ) -> None:
        check(app, "ASGI")
        self._app = app
        self._own = settings
        self._settings = settings or Settings()
        self._pool = scratch_pool(self._settings)
        self._pool.start()
        self._cancels = cancel_on_disconnect
        self._export = {"export": partial(Export, settings=self._settings)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the application answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        extensions = scope.get("extensions") or {}
        offered = extensions.get(SCRATCH) or {}
        around = live(offered.get("scratch"))
        if around is None or self._own not in (None, around.settings):
            await self._answer(scope, extensions, receive, send)
        elif self._cancels:
            response = _Response(scope, around, send)
            answering = self._app(scope, receive, response.send)
            await _unless_left(offered["watcher"], response, answering)
        else:
            await self._app(scope, receive, send)

    async def _answer(self, scope: Scope, extensions: Any, receive: Receive, send: Send) -> None:
        if self._cancels:
            check_loop()
        scratch = Scratch(self._pool, self._settings)
        receive, send = _outside(receive), _outside(send)
        watcher = DisconnectWatcher(receive)
        response = _Response(scope, scratch, send)
        offered = {SCRATCH: {"scratch": scratch, "watcher": watcher}, EXPORT: self._export}
        scope = {**scope, "extensions": {**extensions, **offered}}
        token = CURRENT.set(scratch)
        try:
            answering = self._app(scope, watcher.receive, response.send)
            if self._cancels:
                await _unless_left(watcher, response, answering)
            else:
                await answering
        except Exception as error:
            if response.started:
                raise
            instead = instead_of(error, scratch, head_only=response.head_only)
            if instead is None:
                raise
            await whole(instead, send)
        finally:
            scratch.close()
            watcher.close()
            CURRENT.reset(token)


def _outside(call: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """What the server gave us, called as if the request's scratch were not there.

    In its `send` a server may begin the next request of the connection, and in `receive` it may
    have the loop watch the socket: either goes on in a copy of the context of the call.
    """
    around = CURRENT.get()

    async def called(*args: P.args, **kwargs: P.kwargs) -> T:
        token = CURRENT.set(around)
        try:
            return await call(*args, **kwargs)
        finally:
            CURRENT.reset(token)

    return called


async def _unless_left(
    watcher: DisconnectWatcher, response: _Response, answering: Awaitable[None]
) -> None:
    """Await the application; cancel it when the client leaves, and swallow just that."""
    leave = _Leave(watcher, response)
    watcher.watch(leave)
    try:
        await answering
    except asyncio.CancelledError:
        if not leave.was_the_cause():
            raise
    finally:
        watcher.unwatch(leave)
        leave.end()
    if watcher.left and not response.started:
        await answer_nobody(response.send)


class _Leave:
    """What is done when the client leaves: the task is cancelled, unless the response is sent."""

    def __init__(self, watcher: DisconnectWatcher, response: _Response) -> None:
        self._watcher = watcher
        self._task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._before = self._task.cancelling()
        self._cancelled = False
        self._response = response
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self) -> None:
        if not self._watcher.left:  # `receive` failed, and tells that to the application
            return
        if self._response.ending:
            self._timer = asyncio.get_running_loop().call_later(_GRACE, self._cancel)
        else:
            self._cancel()

    def was_the_cause(self) -> bool:
        """Whether a cancellation that arrived came from here, and from nowhere else."""
        return self._uncancelled() and self._task.cancelling() <= self._before

    def end(self) -> None:
        """It is too late for that; what became of it is forgotten."""
        self._uncancelled()
        if self._timer is not None:
            self._timer.cancel()

    def _uncancelled(self) -> bool:
        cancelled, self._cancelled = self._cancelled, False
        if cancelled:
            self._task.uncancel()
        return cancelled

    def _cancel(self) -> None:
        if not self._response.complete:
            self._cancelled = True
            self._task.cancel()


class _Response:
    """What the application has sent of its response.

    Attributes:
        head_only: Whether the server drops the body.
        started: Whether the response was.
        ending: Whether the last message was handed to the server.
        complete: Whether the server has taken it.
    """

    def __init__(self, scope: Scope, scratch: Scratch, send: Send) -> None:
        self.head_only = scope.get("method") == "HEAD"
        self.started = self.ending = self.complete = False
        self._scratch = scratch
        self._send = send

    async def send(self, message: Message) -> None:
        """What the application is given as `send`."""
        kind = message["type"]
        if kind == "http.response.start":
            if message["status"] < HTTPStatus.MULTIPLE_CHOICES:
                self._scratch.settle()
            self.started = True
            await self._send(message)
        elif kind == "http.response.pathsend" and self._scratch.holds(message["path"]):
            await self._send_file(message["path"])
        elif message.get("more_body"):
            await self._send(message)
            # No server raises once the client has left, and uvicorn does not even yield.
            if on_asyncio():
                await asyncio.sleep(0)
        else:
            self.ending = self.ending or kind in _LAST  # trailers may follow
            await self._send(message)
            self.complete = self.ending

    async def _send_file(self, path: str) -> None:
        """The bytes of a scratch file, of which the server would find nothing later."""
        if not self.head_only:
            chunks, worker = _read(path), Worker()
            try:
                while chunk := await worker.submit(partial(next, chunks, b"")):
                    await self.send(
                        {"type": "http.response.body", "body": chunk, "more_body": True}
                    )
            finally:
                worker.stop(chunks.close)
        await self.send({"type": "http.response.body", "body": b""})


def _read(path: str) -> Generator[bytes, None, None]:
    with open(path, "rb") as file:  # noqa: PTH123 - as the server would
        while chunk := file.read(_READ):
            yield chunk
