"""Rows, clients and servers that keep what became of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol, Self
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

Message = dict[str, Any]
PATIENCE = 10.0
"""Seconds that a test waits for what takes a few thousandths of one."""


class Broken(Exception):
    """What the rows of a test raise."""


class Rows:
    """An open iterator of rows, as a cursor is.

    Attributes:
        pulled: How many times a row was asked for.
        closed: How many times it was closed.
        threads: The threads on which it was used.
    """

    def __init__(self, rows: Iterable[Any], *, closing: BaseException | None = None) -> None:
        self.pulled = 0
        self.closed = 0
        self.threads: list[int] = []
        self._rows = iter(rows)
        self._closing = closing

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        self._note()
        self.pulled += 1
        return next(self._rows)

    def close(self) -> None:
        self._note()
        self.closed += 1
        if self._closing is not None:
            raise self._closing

    def _note(self) -> None:
        thread = threading.get_ident()
        if thread not in self.threads:
            self.threads.append(thread)


class AsyncRows:
    """The asynchronous twin of `Rows`; awaits `pause` in every call."""

    def __init__(self, rows: Iterable[Any], *, closing: BaseException | None = None) -> None:
        self.pulled = 0
        self.closed = 0
        self.tasks: list[asyncio.Task[Any] | None] = []
        self._rows = iter(rows)
        self._closing = closing

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        await self._note()
        self.pulled += 1
        for row in self._rows:
            return row
        raise StopAsyncIteration

    async def aclose(self) -> None:
        await self._note()
        self.closed += 1
        if self._closing is not None:
            raise self._closing

    async def _note(self) -> None:
        await asyncio.sleep(0)
        task = asyncio.current_task()
        if task not in self.tasks:
            self.tasks.append(task)


class Gate:
    """Where rows wait until a test lets them go on; `entered` once they wait."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self._open = threading.Event()

    def open(self) -> None:
        self._open.set()

    def wait(self) -> None:
        self.entered.set()
        assert self._open.wait(PATIENCE), "nobody opened the gate"

    async def was_entered(self) -> None:
        """Wait for the rows, beside an event loop."""
        assert await asyncio.to_thread(self.entered.wait, PATIENCE), "no rows came to the gate"


def orders(count: int) -> Iterator[tuple[int, str]]:
    for at in range(count):
        yield (at, f"order {at}")


def failing(count: int, error: BaseException | None = None) -> Iterator[tuple[int, str]]:
    """As many orders, and then an error."""
    yield from orders(count)
    raise error or Broken


def gated(count: int, gate: Gate, then: Iterable[Any] = ()) -> Iterator[Any]:
    """As many orders, then a wait."""
    yield from orders(count)
    gate.wait()
    yield from then


async def aorders(count: int) -> AsyncIterator[tuple[int, str]]:
    for at in range(count):
        await asyncio.sleep(0)
        yield (at, f"order {at}")


async def afailing(count: int, error: BaseException | None = None) -> AsyncIterator[Any]:
    """As many orders, and then an error."""
    for order in orders(count):
        yield order
    raise error or Broken


async def stalling(count: int) -> AsyncIterator[Any]:
    """As many orders, then a wait that only a cancellation ends."""
    for order in orders(count):
        yield order
    await asyncio.Event().wait()


async def stubborn() -> AsyncIterator[Any]:
    """Rows without end that take the first cancellation for a hiccup, and go on."""
    with suppress(asyncio.CancelledError):
        while True:
            await asyncio.sleep(0.01)
            yield (1,)
    while True:
        await asyncio.sleep(0.001)
        yield (2,)


async def until(condition: Callable[[], object]) -> None:
    """Wait until it holds."""
    loop = asyncio.get_running_loop()
    end = loop.time() + PATIENCE
    while not condition():
        assert loop.time() < end, "waited in vain"
        await asyncio.sleep(0.001)


# Clients


@dataclass
class Reply:
    """What a client was told.

    Attributes:
        status: The status code, None if the response was not started.
        headers: By their names in lower case.
        chunks: The body, as it came.
        complete: Whether the end of the body came.
        error: What the application raised.
    """

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    chunks: list[bytes] = field(default_factory=list)
    complete: bool = False
    error: BaseException | None = None

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)


class Get(Protocol):
    """A client of one of the two kinds; leaves after as many chunks, if told to."""

    def __call__(
        self,
        app: Any,
        *,
        method: str = "GET",
        query: str = "",
        headers: Mapping[str, str] | None = None,
        leave_after: int | None = None,
    ) -> Reply: ...


def wsgi_get(
    app: Any,
    *,
    method: str = "GET",
    query: str = "",
    headers: Mapping[str, str] | None = None,
    leave_after: int | None = None,
) -> Reply:
    """What a WSGI server gets of `app`; it closes the body on every path, as PEP 3333 wants."""
    reply = Reply()

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: object = None
    ) -> Callable[[bytes], object]:
        assert reply.status is None, "started twice"
        reply.status = int(status[:3])
        reply.headers = {name.lower(): value for name, value in headers}
        return reply.chunks.append

    try:
        body: Any = validator(app)(environ(method, query, headers), start_response)
    except Exception as error:  # noqa: BLE001 - a server's
        reply.error = error
        return reply
    try:
        while len(reply.chunks) != leave_after:
            chunk = next(body, None)
            if chunk is None:
                reply.complete = True
                break
            assert chunk or method == "HEAD", "an empty chunk"
            reply.chunks.append(chunk)
    except Exception as error:  # noqa: BLE001 - a server's
        reply.error = error
    finally:
        body.close()
    return reply


def environ(
    method: str = "GET", query: str = "", headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The environment of a WSGI request."""
    made: dict[str, Any] = {"REQUEST_METHOD": method, "QUERY_STRING": query}
    made["SERVER_PROTOCOL"] = "HTTP/1.1"
    setup_testing_defaults(made)
    for name, value in (headers or {}).items():
        made[f"HTTP_{name.upper().replace('-', '_')}"] = value
    return made


class Connection:
    """Both ends of an ASGI connection: `scope`, `receive` and `send` for the application.

    Attributes:
        sent: What the application sent.
        leave: Set, or called, when the client leaves.
        stalled: Set when the client takes no more, while `send` waits.
    """

    def __init__(
        self,
        *,
        method: str = "GET",
        query: str = "",
        headers: Mapping[str, str] | None = None,
        leave_after: int | None = None,
        stall_after: int | None = None,
    ) -> None:
        self.scope: Message = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "path": "/",
            "query_string": query.encode("latin-1"),
            "headers": [
                (name.lower().encode(), value.encode("latin-1"))
                for name, value in (headers or {}).items()
            ],
        }
        self.sent: list[Message] = []
        self.gone = asyncio.Event()
        self.stalled = asyncio.Event()
        self._requests = [{"type": "http.request", "body": b"", "more_body": False}]
        self._leave_after = leave_after
        self._stall_after = stall_after
        if leave_after == 0:
            self.leave()

    def leave(self) -> None:
        self.gone.set()

    async def receive(self) -> Message:
        if self._requests:
            return self._requests.pop()
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if self.gone.is_set():
            return  # as servers do: it says nothing, and does not yield
        chunks = len(self.chunks)
        if chunks == self._stall_after and message["type"] == "http.response.body":
            self.stalled.set()
            await asyncio.Event().wait()
        self.sent.append(message)
        if len(self.chunks) == self._leave_after:
            self.leave()

    @property
    def chunks(self) -> list[bytes]:
        bodies = [m for m in self.sent if m["type"] == "http.response.body"]
        return [message["body"] for message in bodies if message.get("more_body")]

    @property
    def started(self) -> bool:
        return any(message["type"] == "http.response.start" for message in self.sent)

    def reply(self, error: BaseException | None = None) -> Reply:
        """What the client was told so far."""
        reply = Reply(error=error)
        for at, message in enumerate(self.sent):
            if message["type"] == "http.response.start":
                assert at == 0, "not the first message"
                reply.status = message["status"]
                reply.headers = {
                    name.decode(): value.decode("latin-1") for name, value in message["headers"]
                }
                continue
            assert not reply.complete, "a message after the end"
            assert message["body"] or not message.get("more_body"), "an empty chunk"
            reply.chunks += [message["body"]] if message["body"] else []
            reply.complete = not message.get("more_body", False)
        return reply

    async def run(self, app: Callable[..., Awaitable[None]]) -> Reply:
        """Have the application answer."""
        try:
            await app(self.scope, self.receive, self.send)
        except Exception as error:  # noqa: BLE001 - a server's
            return self.reply(error)
        return self.reply()


def asgi_get(
    app: Any,
    *,
    method: str = "GET",
    query: str = "",
    headers: Mapping[str, str] | None = None,
    leave_after: int | None = None,
) -> Reply:
    """What an ASGI server gets of `app`."""

    async def run() -> Reply:
        connection = Connection(
            method=method, query=query, headers=headers, leave_after=leave_after
        )
        return await connection.run(app)

    return asyncio.run(run())
