"""An export as an ASGI response.

Source: ASGI 3 HTTP specification 2.1 to 2.4.
"""

from __future__ import annotations

import asyncio
from typing import Any

from streamware.engine.async_driver import AsyncDriver
from streamware.errors import StateError, StreamwareError
from streamware.http.buffered import AsyncBuffered
from streamware.http.delivery import (
    SCRATCH,
    Answer,
    Answerer,
    ExportLease,
    Job,
    Mode,
    conclude,
    refusal,
)
from streamware.http.disconnect import (
    DisconnectWatcher,
    Message,
    Receive,
    Scope,
    Send,
    answer_absent_client,
)
from streamware.http.headers import merge_headers
from streamware.http.request import Request
from streamware.http.spooled import AsyncSpooled
from streamware.http.transport import silent_asgi
from streamware.receipt import check_complete
from streamware.scratch.ledger import CURRENT


async def respond(answer: Answerer, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request; the first chunk is made before the response is started."""
    if scope["type"] != "http":
        raise StateError(f"an Export answers HTTP requests, not {scope['type']}")
    answered = answer(Request.from_scope(scope))
    if not isinstance(answered.body, Job):
        if answered.discarded is not None:
            await answered.discarded.achunks().aclose()
        await whole(answered, send)
        return
    check_loop()
    around: DisconnectWatcher | None = _offered(scope).get("watcher")
    watcher = DisconnectWatcher(receive, keep=False) if around is None else around
    begun = False

    async def noted(message: Message) -> None:
        nonlocal begun
        begun = True
        await send(message)

    try:
        await watcher.unless_left(_stream(answered, answered.body, scope, watcher, noted))
        if not begun:  # the client has left
            await answer_absent_client(send)
    finally:
        if around is None:
            watcher.close()


async def whole(answered: Answer, send: Send) -> None:
    """Send an answer that is there as it is."""
    await send(_start(answered))
    await send({"type": "http.response.body", "body": answered.body})


async def _stream(
    answered: Answer, job: Job, scope: Scope, watcher: DisconnectWatcher, send: Send
) -> None:
    """Send the body, in a task of its own."""
    refused, problem = None, None
    with ExportLease(job, _offered(scope).get("scratch")) as lease:
        CURRENT.set(lease.scratch)  # for rows are read in copies of this task's context
        body = Body(answered, job, lease, send)
        try:
            if watcher.left:
                await body.close()
            else:
                await body.run(silent_asgi(scope))
        except StreamwareError as error:
            refused, problem = None if body.started else refusal(error), error
            if refused is None:
                raise
        finally:
            body.conclude(problem)
            del problem  # its traceback holds this frame
    if refused is not None:
        await whole(refused, send)


class Body:
    """What is sent of an export, from its first chunk to its end.

    Attributes:
        started: Whether the response was started, as far as it came to that.
    """

    def __init__(self, answered: Answer, job: Job, lease: ExportLease, send: Send) -> None:
        self.started = False
        self._answered = answered
        self._job = job
        self._lease = lease
        self._send = send
        self._document = job.achunks(lease.quota)
        self._encoding: AsyncDriver | AsyncSpooled | AsyncBuffered = self._document
        self._watch = job.watch(self._document.receipt, lease.scratch.settings)
        self._sent = False

    async def run(self, silent: str | None) -> None:
        """Send all of it, once there is a place for it; the rows are closed before its end is sent.

        Args:
            silent: What hides a cut body from the client; None where nothing does.
        """
        try:
            self._watch.opened()
            await self._lease.aenter(self._document.receipt)
            self._deliver(*self._job.mode(silent, self._lease.scratch.settings))
            chunk = await self._next()
            await self._start()
            while chunk:
                self._watch.look()
                await self._send_chunk(chunk)
                chunk = b"" if self._sent else await self._next()
        finally:
            await self.close()
        if not self._sent:
            self._lease.leave()
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
            self._sent = True

    async def close(self) -> None:
        """Close the rows."""
        await self._encoding.aclose()

    def conclude(self, problem: StreamwareError | None) -> None:
        """Give back what is held, and tell everybody what became of it."""
        self._lease.leave()
        conclude(self._document.lifecycle, self._lease.quota, problem, sent=self._sent)
        self._watch.done()

    def _deliver(self, mode: Mode, reason: str | None) -> None:
        document, quota = self._document, self._lease.quota
        document.receipt.delivery, document.receipt.delivery_reason = mode, reason
        if mode == "spool":
            self._encoding = AsyncSpooled(document, quota.spool())
        elif mode == "buffer":
            self._encoding = AsyncBuffered(document, quota.ring())

    async def _next(self) -> bytes:
        chunk = await anext(self._encoding, b"")
        if not chunk:
            check_complete(self._encoding.receipt)
        return chunk

    async def _start(self) -> None:
        self.started = True
        spooled = self._encoding if isinstance(self._encoding, AsyncSpooled) else None
        known = None if spooled is None else spooled.content.headers()
        await self._send(_start(self._answered, known))

    async def _send_chunk(self, chunk: bytes) -> None:
        if isinstance(self._encoding, AsyncSpooled) and self._encoding.content.is_read:
            # The client knows the length, and may leave as soon as it has this.
            self._sent = True
            await self._send({"type": "http.response.body", "body": chunk})
            return
        await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
        await asyncio.sleep(0)  # uvicorn's send does not yield once the client left


def _offered(scope: Scope) -> dict[str, Any]:
    """What a middleware has put there."""
    return (scope.get("extensions") or {}).get(SCRATCH) or {}


def check_loop() -> None:
    """Raises `StateError` on an event loop that is not asyncio's."""
    if not on_asyncio():
        raise StateError("exports run on asyncio only; this is another event loop")


def on_asyncio() -> bool:
    """Whether the event loop is asyncio's."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _start(answered: Answer, known: list[tuple[str, str]] | None = None) -> Message:
    given = merge_headers(answered.headers, known or [])
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in given]
    return {"type": "http.response.start", "status": answered.status.value, "headers": headers}
