"""An export as an ASGI response; the twin of `wsgi`.

Source: ASGI 3 HTTP specification 2.1 to 2.4.
"""

from __future__ import annotations

import asyncio
from typing import Any

from streamware.engine.async_driver import AsyncDriver
from streamware.errors import LimitError, StateError, StreamwareError
from streamware.http.buffered import AsyncBuffered
from streamware.http.connection import Find, from_scope
from streamware.http.delivery import (
    SCRATCH,
    Answer,
    AsyncAnswerer,
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
from streamware.http.relay import break_relays, unknown_relay
from streamware.http.request import Request
from streamware.http.sending import Sending
from streamware.http.spooled import AsyncSpooled, Content
from streamware.http.stalls import StallTimer
from streamware.http.transport import silent_asgi
from streamware.receipt import check_complete
from streamware.scratch.ledger import CURRENT


async def respond(answerer: AsyncAnswerer, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request; the first chunk is made before the response is started."""
    if scope["type"] != "http":
        raise StateError(f"an Export answers HTTP requests, not {scope['type']}")
    answer = await answerer(Request.from_scope(scope))
    if not isinstance(answer.body, Job):
        if answer.discarded is not None:
            await answer.discarded.achunks().aclose()
        await send_answer(answer, send)
        return
    check_loop()
    outer: DisconnectWatcher | None = _from_middleware(scope).get("watcher")
    watcher = DisconnectWatcher(receive, keep=False) if outer is None else outer
    started = False

    async def send_noted(message: Message) -> None:
        nonlocal started
        started = True
        await send(message)

    try:
        await watcher.unless_left(_stream(answer, answer.body, scope, watcher, send_noted))
        if not started:  # the client has left
            await answer_absent_client(send)
    except BaseException as error:
        if started:
            await _break_transfer(scope, send, error)
        raise
    finally:
        if outer is None:
            watcher.close()


async def _break_transfer(scope: Scope, send: Send, error: BaseException) -> None:
    """Tell the middlewares around the application that its body must not be ended as complete."""
    kind = type(error).__name__
    failure = error if isinstance(error, Exception) else RuntimeError(f"{kind} ended the export")
    if late := _from_middleware(scope).get("late_failure"):
        late.note(failure)
    if (telling := break_relays(scope, send, failure)) and failure is error:
        # A middleware in between could end the body as soon as this raises.
        await asyncio.wait(telling)


async def send_answer(answer: Answer, send: Send) -> None:
    """Send an answer that needs no job."""
    await send(_start_message(answer))
    await send({"type": "http.response.body", "body": answer.body})


async def _stream(
    answer: Answer, job: Job, scope: Scope, watcher: DisconnectWatcher, send: Send
) -> None:
    """Make and send the body; this is the task that is cancelled when the client leaves."""
    refused, problem = None, None
    async with ExportLease(job, _from_middleware(scope).get("scratch")) as lease:
        CURRENT.set(lease.scratch)  # rows are read in copies of this task's context
        body = Body(answer, job, lease, send, from_scope(scope))
        try:
            if watcher.left:
                await body.close()
            else:
                await body.run(silent_asgi(scope) or unknown_relay())
        except StreamwareError as error:
            refused, problem = None if body.started else refusal(error), error
            if refused is None:
                raise
        except asyncio.CancelledError:
            if body.overdue is None or watcher.left:
                raise
            raise body.overdue from None
        finally:
            await body.conclude(problem)
            del problem  # its traceback refers to this frame
    if refused is not None:
        await send_answer(refused, send)


class Body:
    """The body of a response: makes the chunks of an export, and sends them.

    Args:
        answer: The status and the headers.
        job: Makes the document.
        lease: The ledger and the admission slot.
        send: The server's `send`.
        find: Finds the connection.

    Attributes:
        started: Whether the response was started.
    """

    def __init__(
        self,
        answer: Answer,
        job: Job,
        lease: ExportLease,
        send: Send,
        find: Find,
    ) -> None:
        self.started = False  # whether the response was started
        self._answer = answer  # the status and the headers
        self._job = job  # makes the document
        self._lease = lease  # the ledger and the admission slot
        self._document = job.achunks(lease.quota)  # what encodes the rows
        # What is sent: the document as it is made, or from a spool or ring.
        self._chunks: AsyncDriver | AsyncSpooled | AsyncBuffered = self._document
        self._watch = job.watch(self._document.receipt, lease.scratch.settings)  # observers
        bounds = job.bounds(lease.scratch.settings)
        # Ends this task if the client takes nothing.
        self._stalls = StallTimer(send, Sending(bounds, self._document.expire, find))
        self._send = self._stalls.send  # the server's `send`
        self._sent = False  # whether all of it was sent
        self._error: BaseException | None = None  # what ended the chunks

    @property
    def overdue(self) -> LimitError | None:
        """The limit that the client has exceeded by taking nothing."""
        return self._stalls.overdue

    async def run(self, silent: str | None) -> None:
        """Send all of it; close the rows before its end is sent.

        Args:
            silent: What would hide from the client that the body was cut; None if nothing.
        """
        try:
            self._watch.opened()
            await self._lease.aenter(self._document.receipt)
            self._set_delivery(*self._job.mode(silent, self._lease.scratch.settings))
            chunk = await self._next()
            self.started = True
            finished = self._chunks.content if isinstance(self._chunks, AsyncSpooled) else None
            answer = self._answer if finished is None else finished.answer(self._answer)
            await self._send(_start_message(answer))
            while chunk:
                if finished is not None and finished.is_read:
                    await self._send_last({"type": "http.response.body", "body": chunk})
                    break
                await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
                await asyncio.sleep(0)  # uvicorn's send does not yield once the client has left
                chunk = await self._next()
        finally:
            await self.close()
        if not self._sent:
            await self._lease.aleave()
            self._sent = True  # whatever becomes of the message, the server has the last byte
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_last(self, message: Message) -> None:
        """Send the last chunk of a document whose length the client knows.

        The client may leave as soon as it has it, before the call returns.
        """
        try:
            await self._send(message)
        except asyncio.CancelledError:
            self._sent = True
            raise
        self._sent = True

    async def close(self) -> None:
        """Close the rows."""
        await self._chunks.aclose()

    async def conclude(self, problem: StreamwareError | None) -> None:
        """Release what is held, and report how the export ended."""
        self._stalls.stop()
        sent = self._sent and self.overdue is None
        try:
            await self._lease.aleave()
        finally:
            error, self._error = self.overdue or problem or self._error, None
            conclude(self._document.lifecycle, self._lease.quota, error, sent=sent)
            del error, problem  # their tracebacks refer to this frame
            self._watch.done()

    def _set_delivery(self, mode: Mode, reason: str | None) -> None:
        document, quota = self._document, self._lease.quota
        document.receipt.delivery, document.receipt.delivery_reason = mode, reason
        if mode == "spool":
            self._chunks = AsyncSpooled(document, Content(quota.spool(), self._job.conditions))
        elif mode == "buffer":
            self._chunks = AsyncBuffered(document, quota.ring())

    async def _next(self) -> bytes:
        try:
            chunk = await anext(self._chunks, b"")
            if chunk:
                self._watch.look()
        except BaseException as error:
            self._error = error
            raise
        if not chunk:
            check_complete(self._document.receipt)
        return chunk


def _from_middleware(scope: Scope) -> dict[str, Any]:
    """Return the ledger and the watcher, if a middleware has put them into the scope."""
    return (scope.get("extensions") or {}).get(SCRATCH) or {}


def check_loop() -> None:
    """Raise `StateError` unless the event loop is asyncio's."""
    if not on_asyncio():
        raise StateError("exports run on asyncio only, and this event loop is not asyncio's")


def on_asyncio() -> bool:
    """Return whether the event loop is asyncio's."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _start_message(answer: Answer) -> Message:
    """Return the message that starts the response."""
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers]
    return {"type": "http.response.start", "status": answer.status.value, "headers": headers}
