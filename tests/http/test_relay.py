"""An export that fails late below middlewares that run it in a task of their own."""

import asyncio
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import partial, wraps
from typing import Any

import pytest

import streamware as sw
from fakes import Broken, Connection, Message, Reply, afailing, aorders, failing, orders
from readers import csv_rows
from streamware.http import relay

base: Any = pytest.importorskip("starlette.middleware.base")
responses: Any = pytest.importorskip("starlette.responses")

MANY = 20_000


class Passing(base.BaseHTTPMiddleware):  # type: ignore[misc]  # it is any
    async def dispatch(self, request: Any, call_next: Any) -> Any:
        return await call_next(request)


class Collecting(base.BaseHTTPMiddleware):  # type: ignore[misc]  # it is any
    """Makes a response of what the one below has."""

    async def dispatch(self, request: Any, call_next: Any) -> Any:
        response = await call_next(request)
        body = b"".join([chunk async for chunk in response.body_iterator])
        return responses.Response(body, response.status_code)


class Streaming(base.BaseHTTPMiddleware):  # type: ignore[misc]  # it is any
    """Streams what the response below streams."""

    async def dispatch(self, request: Any, call_next: Any) -> Any:
        return responses.StreamingResponse((await call_next(request)).body_iterator)


class Layer:
    def __init__(self, app: Any) -> None:
        self.app = app


class Copying(Layer):
    """Adds a header to the request, in a copy of the scope, and wraps `send`."""

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        async def passing(message: Message) -> None:
            await send(message)

        headers = [*scope["headers"], (b"x-request-id", b"1")]
        await self.app({**scope, "headers": headers}, receive, passing)


class Tasked(Layer):
    """Runs the application in a task, as `wait_for` does in Python 3.11."""

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        await asyncio.create_task(self.app(scope, receive, send))


class Grouped(Layer):
    """Runs the application in a task group, with headers of its own."""

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        scope = {**scope, "headers": [*scope["headers"]]}
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.app(scope, receive, send))
            with suppress(Exception):
                await task


class Responder:
    """Sends as a method of an object that has no `__dict__`."""

    __slots__ = ("_send",)

    def __init__(self, send: Any) -> None:
        self._send = send

    async def pass_on(self, message: Message) -> None:
        await self._send(message)


class Objects(Layer):
    """Sends by a method, in a task, with headers of its own."""

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        scope = {**scope, "headers": [*scope["headers"]]}
        passing = partial(Responder.pass_on, Responder(send))
        await asyncio.create_task(self.app(scope, receive, passing))


class Queued(Layer):
    """Has a queue of its own, from which it sends, and headers of its own."""

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        queue = asyncio.Queue[Message]()

        async def pass_on() -> None:
            while True:
                await send(await queue.get())

        sending = asyncio.create_task(pass_on())
        try:
            await self.app({**scope, "headers": []}, receive, queue.put)
        finally:
            sending.cancel()


class Swallowing(Layer):
    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        with suppress(Broken):
            await self.app(scope, receive, send)


class Ending(Layer):
    """Swallows an error, and ends the body as if it were complete."""

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        try:
            await self.app(scope, receive, send)
        except Broken:
            await send({"type": "http.response.body", "body": b""})


class Slow(Connection):
    """A client that takes its time for each message."""

    async def send(self, message: Message) -> None:
        await asyncio.sleep(0.002)
        await super().send(message)


STACKS: dict[str, list[Any]] = {
    "one": [Passing],
    "two": [Passing, Passing],
    "three": [Passing, Passing, Passing],
    "a copied scope between": [Passing, Copying, Passing],
    "a copied scope inside": [Passing, Copying],
    "a task between": [Passing, Tasked, Passing],
    "a task between, and a copied scope inside": [Passing, Tasked, Passing, Copying],
    "a task inside": [Passing, Passing, Tasked],
    "a task around a copied scope": [Passing, Copying, Tasked],
    "a task between that has a copied scope": [Passing, Tasked, Copying, Passing, Copying],
    "a task group": [Passing, Grouped],
    "task groups between": [Passing, Grouped, Passing, Grouped, Passing],
    "a method between": [Passing, Objects, Passing],
    "methods inside": [Passing, Passing, Objects, Objects],
    "a queue between": [Passing, Queued, Passing],
    "a body that is passed on": [Passing, Streaming],
    "swallowed inside": [Passing, Swallowing],
    "swallowed between": [Passing, Swallowing, Passing],
    "ended inside": [Passing, Ending],
    "ended between": [Passing, Ending, Passing],
}
ROWS: dict[str, Callable[..., Any]] = {"threaded": failing, "async": afailing}


def below(stack: list[Any], app: Any) -> Any:
    for layer in reversed(stack):
        app = layer(app)
    return app


async def failed(stack: list[Any], make: Callable[..., Any] = failing, **options: Any) -> Reply:
    app = sw.Export(make(MANY), format="csv", compress="off", **options)
    return await Connection().run(below(stack, app))


@pytest.mark.slow
@pytest.mark.parametrize("stack", STACKS.values(), ids=STACKS)
@pytest.mark.parametrize("make", ROWS.values(), ids=ROWS)
async def test_rows_that_fail_late_break_the_transfer(
    stack: list[Any], make: Callable[..., Any]
) -> None:
    reply = await failed(stack, make)
    assert (reply.status, reply.complete) == (200, False)
    assert isinstance(reply.error, Broken)
    assert 10_000 < len(csv_rows(reply.body)) <= MANY


@pytest.mark.parametrize("delivery", ["stream", "buffer"])
async def test_they_do_with_any_delivery(delivery: Any) -> None:
    reply = await failed([Passing, Passing], delivery=delivery)
    assert (reply.status, reply.complete) == (200, False)


async def test_a_spool_that_fails_has_no_status_yet() -> None:
    reply = await failed([Passing, Passing], delivery="spool")
    assert reply.status is None
    assert isinstance(reply.error, Broken)


async def test_a_bundle_breaks_off_too() -> None:
    members = [("a.csv", sw.Export(failing(MANY), format="csv"))]
    reply = await Connection().run(below([Passing, Passing], sw.Bundle(members)))
    assert (reply.status, reply.complete) == (200, False)


async def test_a_collected_body_that_breaks_off_is_no_response() -> None:
    for stack in ([Collecting], [Passing, Collecting], [Collecting, Passing]):
        reply = await failed(stack)
        assert reply.status is None
        assert isinstance(reply.error, Broken)


async def test_a_client_that_is_slow_gets_all_that_came_before() -> None:
    app = below([Passing, Passing], sw.Export(failing(MANY), format="csv", compress="off"))
    reply = await Slow().run(app)
    assert not reply.complete
    assert isinstance(reply.error, Broken)
    assert len(csv_rows(reply.body)) > 10_000


class Odd(BaseException):
    """No exception that a middleware would catch."""


@pytest.mark.parametrize("error", [asyncio.CancelledError(), Odd()], ids=repr)
async def test_what_is_no_exception_breaks_the_transfer_too(error: BaseException) -> None:
    async def rows() -> Any:
        async for order in aorders(MANY):
            yield order
        raise error

    app = below([Passing, Passing], sw.Export(rows, format="csv", compress="off"))
    connection = Connection()
    with pytest.raises((RuntimeError, asyncio.CancelledError, BaseExceptionGroup)):
        await app(connection.scope, connection.receive, connection.send)
    assert not connection.reply().complete


async def test_another_request_at_the_same_time_is_left_alone() -> None:
    good = below([Passing, Passing], sw.Export(aorders(MANY), format="csv", compress="off"))
    bad = failed([Passing, Passing], afailing)
    whole, broken = await asyncio.gather(Slow().run(good), bad)
    assert (whole.complete, broken.complete) == (True, False)
    assert len(csv_rows(whole.body)) == MANY


async def test_nothing_is_left_to_send() -> None:
    await failed([Passing, Passing])
    await asyncio.sleep(0.01)
    assert relay._sending == set()


def test_the_installed_starlette_is_known() -> None:
    assert relay.unknown_relay() is None


@pytest.mark.parametrize("named", [False, True])
def test_a_known_starlette_is_known_although_an_observer_has_wrapped_it(
    named: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = base.BaseHTTPMiddleware.__call__

    async def observed(self: Any, scope: Any, receive: Any, send: Any) -> None:  # as Sentry does
        await call(self, scope, receive, send)

    async def observed_again(*given: Any) -> None:
        await observed(*given)

    wrapped = wraps(call)(lambda *given: None) if named else observed_again
    monkeypatch.setattr(base.BaseHTTPMiddleware, "__call__", wrapped)
    assert relay.unknown_relay() is None


async def test_below_a_starlette_that_is_not_known_auto_spools(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def other(self: Any, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)

    receipts: list[sw.Receipt] = []
    monkeypatch.setattr(base.BaseHTTPMiddleware, "__call__", other)
    app = sw.Export(orders(10), format="csv", on_done=receipts.append)
    reply = await Connection().run(app)
    assert "content-length" in reply.headers
    assert receipts[0].delivery == "spool"
    assert receipts[0].delivery_reason == (
        "this version of Starlette's BaseHTTPMiddleware would hide that it was cut"
    )
    assert "BaseHTTPMiddleware a client would not notice" in caplog.text


def bridged(name: str, app: Any) -> Any:
    """The ASGI application that a bridge makes of a WSGI application."""
    module, kind = name.split(":")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return vars(pytest.importorskip(module))[kind](app)


BRIDGES = (
    "a2wsgi.wsgi:WSGIMiddleware",
    "asgiref.wsgi:WsgiToAsgi",
    "hypercorn.middleware.wsgi:AsyncioWSGIMiddleware",
    "starlette.middleware.wsgi:WSGIMiddleware",
    "uvicorn.middleware.wsgi:_WSGIMiddleware",
)


@pytest.fixture(scope="module")
def asgiref_thread() -> None:
    """The thread that asgiref keeps for the process."""
    sync = pytest.importorskip("asgiref.sync")
    asyncio.run(sync.sync_to_async(lambda: None)())


@pytest.mark.usefixtures("asgiref_thread")
@pytest.mark.parametrize("name", BRIDGES)
@pytest.mark.parametrize(
    ("stack", "delivery"),
    [([], "stream"), ([Tasked], "stream"), ([Passing], "spool"), ([Tasked, Passing], "spool")],
)
async def test_a_wsgi_application_in_a_bridge_is_spooled_below_relays_only(
    name: str, stack: list[Any], delivery: str
) -> None:
    receipts: list[sw.Receipt] = []
    app = sw.Export(orders(10), format="csv", on_done=receipts.append)
    connection = Connection(headers={"host": "shop"})
    connection.scope |= {"root_path": "", "server": ("shop", 80)}
    bridge = bridged(name, app)
    await below(stack, bridge)(connection.scope, connection.receive, connection.send)
    body = b"".join(message.get("body", b"") for message in connection.sent)
    assert len(csv_rows(body)) == 10
    assert [(each.delivery, each.outcome) for each in receipts] == [(delivery, "complete")]
    if (executor := getattr(bridge, "executor", None)) is not None:
        executor.shutdown()
