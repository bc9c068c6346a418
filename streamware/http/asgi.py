"""An export as an ASGI response.

Source: ASGI 3 HTTP specification 2.1 to 2.4.
"""

from __future__ import annotations

import asyncio
from typing import Any

from streamware.aencoding import AsyncEncoding
from streamware.errors import OrderError, StreamwareError
from streamware.http import headers as head
from streamware.http.buffered import AsyncBuffered
from streamware.http.delivery import SCRATCH, Answer, Answerer, Job, Stay, conclude, refusal
from streamware.http.pump import Message, Pump, Receive, Scope, Send, answer_nobody
from streamware.http.spooled import AsyncSpooled
from streamware.http.transport import silent_asgi
from streamware.scratch.ledger import CURRENT, Scratch


async def respond(answer: Answerer, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request; the first chunk is made before the response is started."""
    if scope["type"] != "http":
        raise OrderError(f"an Export answers HTTP requests, not {scope['type']}")
    answered = answer(
        head_only=scope["method"] == "HEAD",
        query=scope.get("query_string", b""),
        accept=_given(scope, b"accept"),
        coding=_given(scope, b"accept-encoding"),
        language=_given(scope, b"accept-language"),
    )
    if not isinstance(answered.body, Job):
        if answered.discarded is not None:
            await answered.discarded.achunks().aclose()
        await whole(answered, send)
        return
    check_loop()
    around: Pump | None = _offered(scope).get("pump")
    pump = Pump(receive, keep=False) if around is None else around
    begun = False

    async def noted(message: Message) -> None:
        nonlocal begun
        begun = True
        await send(message)

    try:
        await pump.unless_left(_stream(answered, answered.body, scope, pump, noted))
        if not begun:  # the client has left
            await answer_nobody(send)
    finally:
        if around is None:
            pump.close()


async def whole(answered: Answer, send: Send) -> None:
    """Send an answer that is there as it is."""
    await send(_start(answered))
    await send({"type": "http.response.body", "body": answered.body})


async def _stream(answered: Answer, job: Job, scope: Scope, pump: Pump, send: Send) -> None:
    """Send the body, in a task of its own."""
    scratch: Scratch | None = _offered(scope).get("scratch")
    with Stay(job, scratch) as stay:
        CURRENT.set(stay.scratch)  # for rows are read in copies of this task's context
        document = job.achunks(stay.share)
        encoding: AsyncEncoding | AsyncSpooled | AsyncBuffered = document
        watch = job.watch(document.receipt, stay.scratch.settings)
        started, sent, problem, refused = False, False, None, None
        try:
            try:
                if pump.left:
                    return
                watch.opened()
                await stay.aenter(document.receipt)
                encoding = _delivered(job, document, stay, silent_asgi(scope))
                chunk = await anext(encoding, b"")
                started = True
                known = encoding.content.headers() if isinstance(encoding, AsyncSpooled) else []
                await send(_start(answered, known))
                while chunk:
                    watch.look()
                    if isinstance(encoding, AsyncSpooled) and encoding.content.is_read:
                        # The client knows the length, and may leave as soon as it has this.
                        sent = True
                        await send({"type": "http.response.body", "body": chunk})
                        return
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                    await asyncio.sleep(0)  # uvicorn's send does not yield once the client left
                    chunk = await anext(encoding, b"")
            finally:
                await encoding.aclose()
            stay.leave()
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            sent = True
        except StreamwareError as error:
            refused, problem = None if started else refusal(error), error
            if refused is None:
                raise
        finally:
            stay.leave()
            conclude(encoding.receipt, stay.share, problem, sent=sent)
            watch.done()
            del problem  # its traceback holds this frame
    if refused is not None:
        await whole(refused, send)


def _offered(scope: Scope) -> dict[str, Any]:
    """What a middleware has put there."""
    return (scope.get("extensions") or {}).get(SCRATCH) or {}


def _delivered(
    job: Job, encoding: AsyncEncoding, stay: Stay, silent: str | None
) -> AsyncEncoding | AsyncSpooled | AsyncBuffered:
    mode, reason = job.mode(silent, stay.scratch.settings)
    encoding.receipt.delivery, encoding.receipt.delivery_reason = mode, reason
    if mode == "spool":
        return AsyncSpooled(encoding, stay.share.spool())
    return AsyncBuffered(encoding, stay.share.ring()) if mode == "buffer" else encoding


def check_loop() -> None:
    """Raises `OrderError` on an event loop that is not asyncio's."""
    if not on_asyncio():
        raise OrderError("exports run on asyncio only; this is another event loop")


def on_asyncio() -> bool:
    """Whether the event loop is asyncio's."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _given(scope: Scope, wanted: bytes) -> str | None:
    """A header of the request; one that came several times is a list (RFC 9110 §5.3)."""
    values = [value.decode("latin-1") for name, value in scope["headers"] if name.lower() == wanted]
    return ", ".join(values) if values else None


def _start(answered: Answer, known: list[tuple[str, str]] | None = None) -> Message:
    given = head.merged(answered.headers, known or [])
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in given]
    return {"type": "http.response.start", "status": answered.status.value, "headers": headers}
