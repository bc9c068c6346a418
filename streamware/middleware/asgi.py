"""ASGIMiddleware: scratch space for each request, released when its application has returned.

Source: ASGI 3 HTTP specification 2.1 to 2.4.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from functools import partial
from http import HTTPStatus
from typing import Any, ParamSpec, TypeVar, cast

from streamware.engine.worker import Worker
from streamware.http.asgi import check_loop, on_asyncio, send_answer
from streamware.http.delivery import EXPORT, SCRATCH, LateFailure, live
from streamware.http.disconnect import (
    DisconnectWatcher,
    Message,
    Receive,
    Scope,
    Send,
    answer_absent_client,
)
from streamware.http.export import Export
from streamware.middleware.failure import refusal_of
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
"""Seconds that the last message may still take after the server has reported a disconnect.

Some servers report one after every response, and a few before `send` has returned.
"""


class ASGIMiddleware:
    """An ASGI middleware that gives each request scratch space, removed when the request ends.

    Mount it outermost.  Views get the scratch with `current_scratch()`, or as
    `scope["extensions"]["streamware.scratch"]["scratch"]`.  They also find `Export`, bound to
    these settings, as `scope["extensions"]["streamware.export"]["export"]`, so they need not
    import it.

    The application runs in the server's own task.  When the client leaves, exports that are being
    sent are cancelled; the application is not, unless `cancel_on_disconnect` is set.

    What the application raises passes through unchanged, with one exception.  While no response
    has been started, `Refused`, a full disk, and groups of nothing else are answered with 503 and
    `Retry-After`, and a `LimitError` with its own status.

    Inside another `ASGIMiddleware` it does nothing but `cancel_on_disconnect`, unless it is given
    other settings.  Lifespan and websockets pass through.  On an event loop other than asyncio's
    the application runs as before, without exports and cancellation.

    Args:
        app: The application.
        settings: Settings for its requests; by default those of the environment.
        cancel_on_disconnect: Cancel the application, too, when the client leaves before the
            response is complete.  If no status had been sent, middlewares around this one see a
            499.

    Raises:
        ScratchError: The configured directory does not exist or is not safe.
        TypeError: `app` is not an ASGI application.
    """

    def __init__(
        self,
        app: Application,
        settings: Settings | None = None,
        *,
        cancel_on_disconnect: bool = False,
    ) -> None:
        check(app, "ASGI")
        self._app = app  # the application
        self._given = settings  # as passed; None defers to an outer middleware
        self._settings = settings or Settings()  # what holds if there is no outer middleware
        self._pool = scratch_pool(self._settings)  # shared by all requests of the process
        self._pool.start()
        self._cancels = cancel_on_disconnect  # whether the application is cancelled, too
        self._export = {"export": partial(Export, settings=self._settings)}  # offered to views

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application for one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        extensions = scope.get("extensions") or {}
        offered = extensions.get(SCRATCH) or {}
        outer = live(offered.get("scratch"))
        if outer is None or self._given not in (None, outer.settings):
            await self._answer(scope, extensions, receive, send)
        elif self._cancels:
            response = _Response(scope, outer, send)
            answering = self._app(scope, receive, response.send)
            await _cancel_on_disconnect(offered["watcher"], response, answering)
        else:
            await self._app(scope, receive, send)

    async def _answer(self, scope: Scope, extensions: Any, receive: Receive, send: Send) -> None:
        if self._cancels:
            check_loop()
        scratch = Scratch(self._pool, self._settings)
        receive, send = _without_scratch(receive), _without_scratch(send)
        watcher = DisconnectWatcher(receive)
        response = _Response(scope, scratch, send)
        ours = {"scratch": scratch, "watcher": watcher, "late_failure": response.late}
        offered = {SCRATCH: ours, EXPORT: self._export}
        scope = {**scope, "extensions": {**extensions, **offered}}
        token = CURRENT.set(scratch)
        try:
            answering = self._app(scope, watcher.receive, response.send)
            if self._cancels:
                await _cancel_on_disconnect(watcher, response, answering)
            else:
                await answering
        except Exception as error:
            if response.started:
                raise
            answer = refusal_of(error, scratch, head_only=response.head_only)
            if answer is None:
                raise
            await send_answer(answer, send)
        finally:
            watcher.close()
            CURRENT.reset(token)
            if on_asyncio():
                await scratch.aclose()
            else:
                scratch.close()


def _without_scratch(call: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """Return the server's `receive` or `send`, called without the request's scratch as current.

    Within `send` a server may start the connection's next request, and within `receive` it may
    have the event loop watch the socket.  Both continue in a copy of the context of the call.
    """
    outer = CURRENT.get()

    async def called(*args: P.args, **kwargs: P.kwargs) -> T:
        token = CURRENT.set(outer)
        try:
            return await call(*args, **kwargs)
        finally:
            CURRENT.reset(token)

    return called


async def _cancel_on_disconnect(
    watcher: DisconnectWatcher, response: _Response, answering: Awaitable[None]
) -> None:
    """Await the application, and cancel it when the client leaves.

    Only the `CancelledError` of that cancellation is swallowed.
    """
    cancellation = _Cancellation(watcher, response)
    watcher.watch(cancellation)
    try:
        await answering
    except asyncio.CancelledError:
        if not cancellation.was_the_cause():
            raise
    finally:
        watcher.unwatch(cancellation)
        cancellation.disarm()
    if watcher.left and not response.started:
        await answer_absent_client(response.send)


class _Cancellation:
    """A callback for a disconnect: cancels the current task unless its response is complete."""

    def __init__(self, watcher: DisconnectWatcher, response: _Response) -> None:
        self._watcher = watcher  # says whether it was a disconnect
        self._response = response  # says whether there is still something to cancel
        self._task = cast("asyncio.Task[Any]", asyncio.current_task())  # runs the application
        self._others = self._task.cancelling()  # cancellations that were requested before
        self._cancelled = False  # whether this one is requested, and not withdrawn
        self._timer: asyncio.TimerHandle | None = None  # runs while the last message is sent

    def __call__(self) -> None:
        if not self._watcher.left:  # `receive` failed; it raises in the application instead
            return
        if self._response.ending:
            self._timer = asyncio.get_running_loop().call_later(_GRACE, self._cancel)
        else:
            self._cancel()

    def was_the_cause(self) -> bool:
        """Withdraw the cancellation, and return whether it was the only one."""
        return self._withdraw() and self._task.cancelling() <= self._others

    def disarm(self) -> None:
        """Withdraw the cancellation, and make no other."""
        self._withdraw()
        if self._timer is not None:
            self._timer.cancel()

    def _withdraw(self) -> bool:
        cancelled, self._cancelled = self._cancelled, False
        if cancelled:
            self._task.uncancel()
        return cancelled

    def _cancel(self) -> None:
        if not self._response.complete:
            self._cancelled = True
            self._task.cancel()


class _Response:
    """The response to one request, as far as the application has sent it."""

    def __init__(self, scope: Scope, scratch: Scratch, send: Send) -> None:
        self.head_only = scope.get("method") == "HEAD"  # whether the server drops the body
        self.started = False  # whether the status was passed to the server
        self.ending = False  # whether the last message was passed to the server
        self.complete = False  # whether the server has taken the last message
        self.late = LateFailure()  # of an export that this is the response of
        self._scratch = scratch  # of the request; knows its files
        self._send = send  # the server's

    async def send(self, message: Message) -> None:
        """Pass a message on to the server, as the application's `send`."""
        kind = message["type"]
        if kind == "http.response.start":
            if message["status"] < HTTPStatus.MULTIPLE_CHOICES:
                self._scratch.measure()
            self.started = self.late.started = True
            await self._send(message)
        elif kind == "http.response.pathsend" and self._scratch.holds(message["path"]):
            await self._send_file(message["path"])
        elif message.get("more_body"):
            await self._send(message)
            # No server raises once the client has left, and uvicorn does not even yield.
            if on_asyncio():
                await asyncio.sleep(0)
        else:
            self.late.check()
            self.ending = self.ending or kind in _LAST  # trailers may follow
            await self._send(message)
            self.complete = self.ending

    async def _send_file(self, path: str) -> None:
        """Send the bytes of a scratch file, which is removed before the server would open it."""
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
