"""An export as an ASGI response.

Source: ASGI 3 HTTP specification 2.1 to 2.4.  No server tested raises from `send` after a
disconnect, and on some a blocked `send` never returns then; so `receive` is listened to while
the body is sent, and what is under way is cancelled when the client has left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from streamware.errors import OrderError
from streamware.http.delivery import Answer, Answerer, Job

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


async def respond(answer: Answerer, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request; the first chunk is made before the response is started."""
    if scope["type"] != "http":
        raise OrderError(f"an Export answers HTTP requests, not {scope['type']}")
    answered = answer(
        head_only=scope["method"] == "HEAD",
        query=scope.get("query_string", b""),
        accept=_given(scope, b"accept"),
        coding=_given(scope, b"accept-encoding"),
    )
    if not isinstance(answered.body, Job):
        if answered.discarded is not None:
            await answered.discarded.achunks().aclose()
        await send(_start(answered))
        await send({"type": "http.response.body", "body": answered.body})
        return
    _check_loop()
    await _unless_left(_stream(answered, answered.body, send), receive)


async def _stream(answered: Answer, job: Job, send: Send) -> None:
    encoding = job.achunks()
    try:
        chunk = await anext(encoding, b"")
        await send(_start(answered))
        while chunk:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await asyncio.sleep(0)  # uvicorn's send does not yield once the client has left
            chunk = await anext(encoding, b"")
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        try:
            await encoding.aclose()
        finally:
            job.done(encoding.receipt)


async def _unless_left(streaming: Awaitable[None], receive: Receive) -> None:
    """Wait for the stream, or for the client to leave, which ends the stream."""
    stream = asyncio.ensure_future(streaming)
    departure = asyncio.ensure_future(_departure(receive))
    try:
        await asyncio.wait({stream, departure}, return_when=asyncio.FIRST_COMPLETED)
        if stream.done():
            stream.result()
    finally:
        departure.cancel()
        stream.cancel()
        await asyncio.wait({stream, departure})
    if not stream.cancelled():
        stream.result()
    if not departure.cancelled():
        departure.result()


async def _departure(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _given(scope: Scope, wanted: bytes) -> str | None:
    """A header of the request; one that came several times is a list (RFC 9110 §5.3)."""
    values = [value.decode("latin-1") for name, value in scope["headers"] if name.lower() == wanted]
    return ", ".join(values) if values else None


def _start(answered: Answer) -> Message:
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in answered.headers]
    return {"type": "http.response.start", "status": answered.status.value, "headers": headers}


def _check_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise OrderError("exports run on asyncio only; this is another event loop") from None
