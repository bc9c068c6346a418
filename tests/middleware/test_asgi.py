"""What only ASGI has: clients that leave, tasks that are cancelled, messages that pass by."""

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import streamware as sw
from fakes import (
    PATIENCE,
    AsyncRows,
    Broken,
    Connection,
    Gate,
    Message,
    Reply,
    Rows,
    afailing,
    aorders,
    failing,
    gated,
    orders,
    until,
)
from readers import csv_rows
from streamware.http.disconnect import DisconnectWatcher
from streamware.middleware import asgi
from streamware.scratch.ledger import CURRENT

Application = Callable[[Any, Any, Any], Awaitable[None]]


def started(connection: Connection, app: Any) -> "asyncio.Task[Reply]":
    return asyncio.create_task(connection.run(app))


async def ended(task: "asyncio.Task[Reply]") -> Reply:
    """Its reply, which must not be long in coming."""
    return await asyncio.wait_for(asyncio.shield(task), PATIENCE)


async def text(send: Any, *chunks: bytes) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for chunk in chunks:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture(params=["bare", "wrapped"])
def wrap(request: pytest.FixtureRequest, settings: sw.Settings) -> Callable[[Any], Any]:
    """The application as it is, and within the middleware."""
    if request.param == "bare":
        return lambda app: app
    return lambda app: sw.ASGIMiddleware(app, settings)


# What passes untouched


@pytest.mark.parametrize("type_", ["lifespan", "websocket"])
async def test_other_protocols_are_given_the_very_same_objects(
    settings: sw.Settings, type_: str
) -> None:
    seen = list[Any]()

    async def app(*call: Any) -> None:
        seen.extend(call)
        with pytest.raises(sw.StateError):
            sw.current_scratch()

    call: tuple[Any, ...] = ({"type": type_}, object(), object())
    await sw.ASGIMiddleware(app, settings)(*call)
    assert all(given is got for given, got in zip(call, seen, strict=True))


async def test_the_scope_is_a_copy_and_its_extensions_are_kept(settings: sw.Settings) -> None:
    seen = list[Any]()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)
        await text(send)

    connection = Connection()
    theirs: dict[str, Any] = {"http.response.trailers": {}}
    connection.scope["extensions"] = theirs
    await connection.run(sw.ASGIMiddleware(app, settings))
    assert set(theirs) == {"http.response.trailers"}
    assert set(seen[0]["extensions"]) == {
        "http.response.trailers",
        "streamware.scratch",
        "streamware.export",
    }
    assert {key: seen[0][key] for key in connection.scope if key != "extensions"} == {
        key: connection.scope[key] for key in connection.scope if key != "extensions"
    }


@pytest.mark.parametrize("version", [None, "2.0", "2.1", "2.3", "2.4"])
@pytest.mark.parametrize("extensions", [None, {}])
async def test_any_version_of_the_specification_works(
    settings: sw.Settings, version: str | None, extensions: dict[str, Any] | None
) -> None:
    connection = Connection()
    connection.scope["asgi"] = {"version": "3.0"} | ({"spec_version": version} if version else {})
    connection.scope["extensions"] = extensions
    assert "state" not in connection.scope
    reply = await connection.run(sw.ASGIMiddleware(sw.Export(orders(3)), settings))
    assert len(csv_rows(reply.body)) == 3


async def test_messages_pass_as_they_are(settings: sw.Settings) -> None:
    messages: list[Message] = [
        {"type": "http.response.early_hint", "links": []},
        {"type": "http.response.start", "status": 200, "headers": [], "trailers": True},
        {"type": "http.response.body", "body": b"1", "more_body": True},
        {"type": "http.response.body"},
        {"type": "http.response.trailers", "headers": []},
    ]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)

    connection = Connection()
    wrapped: Any = sw.ASGIMiddleware(app, settings)
    await wrapped(connection.scope, connection.receive, connection.send)
    assert all(sent is given for sent, given in zip(connection.sent, messages, strict=True))


async def test_a_scope_need_not_have_a_method(settings: sw.Settings) -> None:
    connection = Connection()
    del connection.scope["method"]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await text(send, b"1")

    assert (await connection.run(sw.ASGIMiddleware(app, settings))).body == b"1"


async def test_the_application_runs_in_the_server_s_own_task(settings: sw.Settings) -> None:
    seen = list[Any]()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(asyncio.current_task())
        await text(send)

    for cancels in (False, True):
        connection = Connection()
        await connection.run(sw.ASGIMiddleware(app, settings, cancel_on_disconnect=cancels))
    assert seen == [asyncio.current_task()] * 2


def test_on_another_event_loop_everything_but_exports_works(settings: sw.Settings) -> None:
    connection = Connection()
    seen = list[Any]()

    async def send(message: Message) -> None:
        connection.sent.append(message)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(sw.current_scratch().path())
        await text(send, b"1")

    def run(wrapped: Any) -> None:
        with pytest.raises(StopIteration):
            wrapped(connection.scope, connection.receive, send).send(None)

    run(sw.ASGIMiddleware(app, settings))
    assert connection.reply().body == b"1"
    assert not seen[0].exists()
    for refused in (
        sw.ASGIMiddleware(sw.Export([(1,)]), settings),
        sw.ASGIMiddleware(app, settings, cancel_on_disconnect=True),
    ):
        with pytest.raises(sw.StateError, match="asyncio only"):
            run(refused)


# Scratch in every kind of code


async def test_scratch_is_current_in_tasks_threads_and_bodies(settings: sw.Settings) -> None:
    seen = list[Any]()

    def note() -> None:
        seen.append(sw.current_scratch())

    async def task() -> None:
        note()

    async def body() -> AsyncIterator[bytes]:
        note()
        yield b"1"
        note()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        note()
        await asyncio.gather(task(), asyncio.create_task(task()), asyncio.to_thread(note))
        await text(send, *[chunk async for chunk in body()])

    connection = Connection()
    await connection.run(sw.ASGIMiddleware(app, settings))
    assert len(seen) == 6
    assert len(set(map(id, seen))) == 1


async def test_async_rows_have_the_request_s_scratch(settings: sw.Settings) -> None:
    seen = list[Any]()

    async def rows() -> AsyncIterator[Any]:
        seen.append(sw.current_scratch())
        try:
            async for order in aorders(5000):
                yield order
        finally:
            seen.append(sw.current_scratch())
            assert not seen[0].closed

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(sw.current_scratch())
        await sw.Export(rows)(scope, receive, send)

    reply = await Connection().run(sw.ASGIMiddleware(app, settings))
    assert len(csv_rows(reply.body)) == 5000
    assert len(set(map(id, seen))) == 1


@pytest.mark.parametrize("twice", [False, True])
async def test_scratch_is_gone_at_once_when_the_server_cancels(
    settings: sw.Settings, twice: bool
) -> None:
    paths = list[Path]()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        paths.append(sw.current_scratch().path())
        await asyncio.Event().wait()

    task = started(Connection(), sw.ASGIMiddleware(app, settings))
    await until(lambda: paths)
    task.cancel()
    if twice:
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not paths[0].exists()


async def test_requests_at_once_do_not_mix(settings: sw.Settings) -> None:
    scratches = list[Any]()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scratch = sw.current_scratch()
        scratches.append(scratch)
        await asyncio.sleep(0.01)
        assert sw.current_scratch() is scratch
        assert not scratch.closed
        await text(send)

    wrapped = sw.ASGIMiddleware(app, settings)
    await asyncio.gather(*(Connection().run(wrapped) for _ in range(20)))
    assert len(set(map(id, scratches))) == 20
    assert all(scratch.closed for scratch in scratches)


# What the server does meanwhile


class Nosy(Connection):
    """A server that looks what is current where it is called."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.found = list[Any]()

    async def receive(self) -> Message:
        self.found.append(CURRENT.get())
        return await super().receive()

    async def send(self, message: Message) -> None:
        self.found.append(CURRENT.get())
        await super().send(message)
        await asyncio.sleep(0)
        self.found.append(CURRENT.get())


async def test_the_server_is_called_as_if_the_scratch_were_not_there(
    settings: sw.Settings,
) -> None:
    async def asking(scope: Any, receive: Any, send: Any) -> None:
        scratch = sw.current_scratch()
        await receive()
        assert sw.current_scratch() is scratch
        await text(send, b"1")
        assert sw.current_scratch() is scratch

    async def refused(scope: Any, receive: Any, send: Any) -> None:
        raise sw.Refused("no room", retry_after=1)

    for app in (asking, refused, sw.Export(list(orders(3))), sending(lambda: scratch_file(10))):
        for cancels in (False, True):
            connection = Nosy()
            wrapped = sw.ASGIMiddleware(app, settings, cancel_on_disconnect=cancels)
            assert (await connection.run(wrapped)).complete
            assert set(connection.found) == {None}


async def test_an_outer_middleware_is_called_with_its_own_scratch(settings: sw.Settings) -> None:
    seen = list[Any]()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await text(send)

    def between(inner: Any) -> Any:
        async def middleware(scope: Any, receive: Any, send: Any) -> None:
            scratch = sw.current_scratch()

            async def noted(message: Message) -> None:
                seen.append(sw.current_scratch() is scratch)
                await send(message)

            await inner(scope, receive, noted)

        return middleware

    inner = sw.ASGIMiddleware(app, replace(settings, request_files=7))
    connection = Nosy()
    await connection.run(sw.ASGIMiddleware(between(inner), settings))
    assert seen == [True, True]
    assert set(connection.found) == {None}


async def test_a_request_started_while_another_is_answered_does_not_get_its_scratch(
    settings: sw.Settings,
) -> None:
    """As uvicorn and daphne begin pipelined ones."""
    others, seen = list["asyncio.Task[Reply]"](), list[Any]()
    go_on = asyncio.Event()

    def rows() -> Iterator[Any]:
        seen.append(sw.current_scratch())
        yield from orders(3)

    class Pipelining(Connection):
        async def send(self, message: Message) -> None:
            await super().send(message)
            if "body" in message and not message.get("more_body"):
                others.append(started(Connection(), sw.Export(rows, settings=settings)))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(sw.current_scratch())
        await text(send)
        await go_on.wait()

    task = started(Pipelining(), sw.ASGIMiddleware(app, settings))
    await until(lambda: others)
    assert (await ended(others[0])).complete
    assert not seen[0].closed
    go_on.set()
    await ended(task)
    assert len(seen) == 2
    assert seen[0] is not seen[1]


# Turns for the others


async def test_every_chunk_is_a_turn_for_others(settings: sw.Settings) -> None:
    turns = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await text(send, *[b"x"] * 100)

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    connection = Connection(leave_after=0)  # its `send` does not yield
    counting = asyncio.create_task(count())
    await connection.run(sw.ASGIMiddleware(app, settings))
    counting.cancel()
    assert turns >= 100


# A client that leaves


class Bill:
    """A view that is paid whether the client waits or not.

    Attributes:
        paid: Whether it was.
    """

    def __init__(self) -> None:
        self.paid = False
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        self.begun.set()
        await self.go_on.wait()
        self.paid = True
        await text(send)


async def test_a_post_whose_client_left_still_pays_its_bill(wrap: Callable[[Any], Any]) -> None:
    bill, connection = Bill(), Connection(method="POST")
    task = started(connection, wrap(bill))
    await bill.begun.wait()
    connection.leave()
    await asyncio.sleep(0.02)
    bill.go_on.set()
    reply = await ended(task)
    assert (bill.paid, reply.error) == (True, None)


@pytest.mark.parametrize("rows", [Rows, AsyncRows])
async def test_what_a_view_does_after_an_export_is_done_though_the_client_left(
    wrap: Callable[[Any], Any], rows: Callable[..., Any]
) -> None:
    made = rows(orders(10**7))
    done = list[Any]()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await sw.Export(made)(scope, receive, send)
        await asyncio.sleep(0.001)
        while (await receive())["type"] != "http.disconnect":
            pass
        done.append("done")

    connection = Connection(leave_after=2)
    reply = await ended(started(connection, wrap(app)))
    assert (reply.error, made.closed, done) == (None, 1, ["done"])


async def test_a_background_task_runs_though_the_client_left(wrap: Callable[[Any], Any]) -> None:
    pytest.importorskip("fastapi")
    from starlette.background import BackgroundTask

    from streamware.frameworks.fastapi import ExportResponse

    done = list[str]()

    async def background() -> None:
        await asyncio.sleep(0.001)
        done.append("done")

    response = ExportResponse(Rows(orders(10**7)), background=BackgroundTask(background))
    reply = await ended(started(Connection(leave_after=2), wrap(response)))
    assert (reply.error, done) == (None, ["done"])


async def test_exports_may_follow_each_other_in_a_request(wrap: Callable[[Any], Any]) -> None:
    """As parts of a longer body, of which the client does not wait for the end."""
    first, second, third = Rows(orders(3)), Rows(orders(10**7)), Rows(orders(10**7))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        begun = False

        async def joined(message: Message) -> None:
            nonlocal begun
            if message["type"] != "http.response.start" or not begun:
                begun = True
                await send(message | ({"more_body": True} if "body" in message else {}))

        for rows in (first, second, third):
            await sw.Export(rows)(scope, receive, joined)

    class Many(Connection):
        @property
        def chunks(self) -> list[bytes]:
            return [chunk for chunk in super().chunks if chunk]

    connection = Many(leave_after=4)
    await asyncio.wait_for(
        wrap(app)(connection.scope, connection.receive, connection.send), PATIENCE
    )
    assert [rows.closed for rows in (first, second, third)] == [1, 1, 1]
    assert second.pulled < 10**5
    assert third.pulled < 10**5


async def test_the_client_may_leave_while_an_export_waits_for_its_turn(
    wrap: Callable[[Any], Any], settings: sw.Settings
) -> None:
    one = replace(settings, max_concurrent=1, wait_seconds=PATIENCE)
    gate = Gate()
    first = started(Connection(), wrap(sw.Export(gated(1, gate), settings=one)))
    await gate.was_entered()
    rows, outcomes = Rows(orders(3)), list[str]()
    export = sw.Export(rows, settings=one, on_done=lambda receipt: outcomes.append(receipt.outcome))
    connection = Connection()
    waiting = started(connection, wrap(export))
    await asyncio.sleep(0.02)
    connection.leave()
    reply = await ended(waiting)
    assert (reply.status, reply.error) == (None, None)
    assert (rows.pulled, rows.closed, outcomes) == (0, 1, ["client gone"])
    gate.open()
    assert (await ended(first)).complete
    assert (await ended(started(Connection(), wrap(sw.Export([(1,)], settings=one))))).complete


async def test_an_export_waits_for_its_turn(
    wrap: Callable[[Any], Any], settings: sw.Settings
) -> None:
    one = replace(settings, max_concurrent=1, wait_seconds=PATIENCE)
    gate = Gate()
    first = started(Connection(), wrap(sw.Export(gated(1, gate), settings=one)))
    await gate.was_entered()
    rows = Rows(orders(3))
    second = started(Connection(), wrap(sw.Export(rows, settings=one)))
    await asyncio.sleep(0.02)
    assert rows.pulled == 0
    gate.open()
    assert (await ended(first)).complete
    assert (await ended(second)).complete


async def test_the_body_of_the_request_is_there_after_an_export(settings: sw.Settings) -> None:
    """And while it is sent: rows that convert an upload."""
    got = list[bytes]()

    def uploading() -> Connection:
        connection = Connection(method="POST")
        connection._requests = [
            {"type": "http.request", "body": b"%d" % at, "more_body": at > 0} for at in range(20)
        ]
        return connection

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def upload() -> AsyncIterator[Any]:
            more = True
            while more:
                message = await receive()
                more = message["more_body"]
                await asyncio.sleep(0)
                yield (message["body"],)

        await sw.Export(upload if scope["method"] == "PUT" else [(1,)])(scope, receive, send)
        while scope["method"] == "POST" and (message := await receive())["type"] == "http.request":
            got.append(message["body"])
            if not message["more_body"]:
                break

    wrapped = sw.ASGIMiddleware(app, settings)
    await uploading().run(wrapped)
    assert got == [b"%d" % at for at in reversed(range(20))]
    putting = uploading()
    putting.scope["method"] = "PUT"
    assert len(csv_rows((await putting.run(wrapped)).body)) == 20


async def test_a_listener_beside_an_export_learns_of_the_disconnect_too(
    settings: sw.Settings,
) -> None:
    """As Starlette's streaming responses and its BaseHTTPMiddleware listen."""
    told = list[Any]()
    rows = Rows(orders(10**7))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()

        async def listen() -> None:
            told.append(await receive())

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(listen())
            tasks.create_task(sw.Export(rows).asgi(scope, receive, send))

    connection = Connection(leave_after=2)
    reply = await ended(started(connection, sw.ASGIMiddleware(app, settings)))
    assert (reply.error, told, rows.closed) == (None, [{"type": "http.disconnect"}], 1)


async def test_an_export_finds_the_watcher_whatever_receive_it_is_given(
    settings: sw.Settings,
) -> None:
    rows = Rows(orders(10**7))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def deaf() -> Message:
            await asyncio.Event().wait()
            raise AssertionError

        assert isinstance(scope["extensions"]["streamware.scratch"]["watcher"], DisconnectWatcher)
        await sw.Export(rows)(scope, deaf, send)

    reply = await ended(started(Connection(leave_after=2), sw.ASGIMiddleware(app, settings)))
    assert (reply.error, rows.closed) == (None, 1)


# Cancelling the application, by choice


class Waiting:
    """A view that waits for ever, at one point of its response or another."""

    def __init__(self, *chunks: bytes, error: Exception | None = None) -> None:
        self.cancelled = 0
        self.waiting = asyncio.Event()
        self._chunks = chunks
        self._error = error

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._chunks:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        for chunk in self._chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        self.waiting.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            if self._error is not None:
                raise self._error from None
            raise


def cancelling(app: Any, settings: sw.Settings) -> Any:
    return sw.ASGIMiddleware(app, settings, cancel_on_disconnect=True)


@pytest.mark.parametrize("chunks", [(), (b"1",)], ids=["before", "during"])
async def test_the_application_is_cancelled_if_the_middleware_says_so(
    settings: sw.Settings, chunks: tuple[bytes, ...]
) -> None:
    view, connection = Waiting(*chunks), Connection()
    task = started(connection, cancelling(view, settings))
    await view.waiting.wait()
    connection.leave()
    reply = await ended(task)
    assert (view.cancelled, reply.error, reply.complete) == (1, None, False)
    assert task.cancelling() == 0


async def test_what_it_raises_when_it_is_cancelled_passes(settings: sw.Settings) -> None:
    view, connection = Waiting(error=Broken()), Connection()
    task = started(connection, cancelling(view, settings))
    await view.waiting.wait()
    connection.leave()
    assert isinstance((await ended(task)).error, Broken)
    assert task.cancelling() == 0


async def test_it_may_refuse_to_be_cancelled(settings: sw.Settings) -> None:
    view, connection = Waiting(), Connection()

    async def stubborn(scope: Any, receive: Any, send: Any) -> None:
        try:
            await view(scope, receive, send)
        except asyncio.CancelledError:
            await asyncio.sleep(0.001)

    task = started(connection, cancelling(stubborn, settings))
    await view.waiting.wait()
    connection.leave()
    assert (await ended(task)).error is None
    assert task.cancelling() == 0


async def test_a_server_that_cancels_is_obeyed(settings: sw.Settings) -> None:
    for leave in (False, True):
        view, connection = Waiting(), Connection()
        task = started(connection, cancelling(view, settings))
        await view.waiting.wait()
        if leave:
            connection.leave()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_what_follows_the_response_is_not_cancelled(settings: sw.Settings) -> None:
    done = list[str]()
    connection = Connection()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await text(send, b"1")
        connection.leave()  # as servers say of every response that has ended
        await asyncio.sleep(0.02)
        done.append("done")

    reply = await ended(started(connection, cancelling(app, settings)))
    assert (reply.complete, done) == (True, ["done"])


async def test_what_follows_trailers_is_not_cancelled(settings: sw.Settings) -> None:
    done = list[str]()
    connection = Connection()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await text(send)
        await send({"type": "http.response.trailers", "headers": []})
        connection.leave()
        await asyncio.sleep(0.02)
        done.append("done")

    wrapped: Any = cancelling(app, settings)
    await wrapped(connection.scope, connection.receive, connection.send)
    assert done == ["done"]


async def test_a_receive_that_fails_is_the_application_s_to_handle(settings: sw.Settings) -> None:
    """As Starlette's bound of a body fails, in a middleware around."""
    caught = list[BaseException]()

    class Limited(Connection):
        async def receive(self) -> Message:
            if not caught:
                caught.append(Broken())
                raise caught[0]
            return await super().receive()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.01)
        with pytest.raises(Broken):
            await receive()
        await text(send, (await receive())["type"].encode())

    for cancels in (False, True):
        caught.clear()
        wrapped = sw.ASGIMiddleware(app, settings, cancel_on_disconnect=cancels)
        reply = await ended(started(Limited(), wrapped))
        assert (reply.error, reply.body) == (None, b"http.request")


async def test_an_application_is_not_cancelled_while_its_last_message_is_sent(
    settings: sw.Settings,
) -> None:
    done = list[str]()

    class Early(Connection):
        """A server that says that the client is gone before the last `send` has returned."""

        async def send(self, message: Message) -> None:
            await super().send(message)
            if not message.get("more_body", True):
                self.leave()
                await asyncio.sleep(0.02)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"1", "more_body": False})
        await asyncio.sleep(0.02)
        done.append("done")

    await ended(started(Early(), cancelling(app, settings)))
    assert done == ["done"]


async def test_an_application_whose_last_message_is_never_sent_is_cancelled(
    settings: sw.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As hypercorn's over HTTP/2, where a send waits for a client that has gone."""
    monkeypatch.setattr(asgi, "_GRACE", 0.02)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await text(send)

    connection = Connection(stall_after=0)
    task = started(connection, cancelling(app, settings))
    await connection.stalled.wait()
    connection.leave()
    assert (await ended(task)).error is None


async def test_an_inner_one_may_cancel_though_the_outer_does_not(settings: sw.Settings) -> None:
    view, connection = Waiting(), Connection()
    inner = sw.ASGIMiddleware(view, replace(settings), cancel_on_disconnect=True)
    task = started(connection, sw.ASGIMiddleware(inner, settings))
    await view.waiting.wait()
    connection.leave()
    assert (await ended(task)).error is None
    assert view.cancelled == 1


async def test_inner_and_outer_with_other_settings_may_both_cancel(settings: sw.Settings) -> None:
    view, connection = Waiting(), Connection()
    inner = cancelling(view, replace(settings, request_files=7))
    task = started(connection, cancelling(inner, settings))
    await view.waiting.wait()
    connection.leave()
    assert (await ended(task)).error is None
    assert (view.cancelled, task.cancelling()) == (1, 0)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="no loop begins tasks at once")
async def test_with_eager_tasks_nothing_is_cancelled_after_the_end(
    settings: sw.Settings,
) -> None:
    factory: Any = asyncio.eager_task_factory  # type: ignore[attr-defined]  # from 3.12
    asyncio.get_running_loop().set_task_factory(factory)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await text(send)

    connection = Connection()
    connection._requests.clear()
    connection.leave()
    assert (await connection.run(cancelling(app, settings))).error is None
    for _ in range(3):
        await asyncio.sleep(0)  # as a server goes on


async def test_a_cancelled_application_has_a_response_for_outer_middlewares(
    settings: sw.Settings,
) -> None:
    seen = list[Message]()

    def around(app: Any) -> Any:
        async def middleware(scope: Any, receive: Any, send: Any) -> None:
            async def noted(message: Message) -> None:
                seen.append(message)
                await send(message)

            await app(scope, receive, noted)

        return middleware

    for chunks in ((), (b"1",)):
        seen.clear()
        view, connection = Waiting(*chunks), Connection()
        task = started(connection, around(cancelling(view, settings)))
        await view.waiting.wait()
        connection.leave()
        assert (await ended(task)).error is None
        assert [message.get("status", message.get("body")) for message in seen] == (
            [200, b"1"] if chunks else [499, b""]
        )


async def test_a_cancelled_application_is_no_error_below_starlette_s_middlewares(
    settings: sw.Settings,
) -> None:
    view = Waiting()
    passing = stack("base")[0]
    for app in (
        passing(cancelling(view, settings)),
        passing(passing(cancelling(view, settings))),
        cancelling(passing(view), settings),
    ):
        connection = Connection()
        view.waiting.clear()
        task = started(connection, app)
        await view.waiting.wait()
        connection.leave()
        assert (await ended(task)).error is None
    assert view.cancelled == 3


async def test_an_export_below_is_closed_when_the_application_is_cancelled(
    settings: sw.Settings,
) -> None:
    for rows in (Rows(orders(10**7)), AsyncRows(orders(10**7))):
        reply = await ended(
            started(Connection(leave_after=2), cancelling(sw.Export(rows), settings))
        )
        assert (reply.error, rows.closed) == (None, 1)


# Files that the server would send by their path


def sending(path: Callable[[], Any]) -> Application:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.pathsend", "path": path()})

    return app


def scratch_file(size: int) -> str:
    path = sw.current_scratch().path()
    path.write_bytes(bytes(range(256)) * (size // 256) + b"x" * (size % 256))
    return str(path)


@pytest.mark.parametrize("size", [0, 1, 65_536, 200_000])
async def test_a_scratch_file_is_sent_as_chunks(settings: sw.Settings, size: int) -> None:
    app = sending(lambda: scratch_file(size))
    reply = await Connection().run(sw.ASGIMiddleware(app, settings))
    assert (len(reply.body), reply.complete, reply.error) == (size, True, None)
    assert max(map(len, reply.chunks), default=0) <= 65_536


async def test_any_other_file_is_left_to_the_server(settings: sw.Settings, tmp_path: Path) -> None:
    path = str(tmp_path / "file")
    connection = Connection()
    app: Any = sw.ASGIMiddleware(sending(lambda: path), settings)
    await app(connection.scope, connection.receive, connection.send)
    assert connection.sent[1:] == [{"type": "http.response.pathsend", "path": path}]


async def test_a_scratch_file_is_not_read_for_head(settings: sw.Settings) -> None:
    app = sw.ASGIMiddleware(sending(lambda: scratch_file(10)), settings)
    connection = Connection(method="HEAD")
    reply = await connection.run(app)
    assert (reply.chunks, reply.complete) == ([], True)


async def test_a_scratch_file_that_is_gone_breaks_the_response(settings: sw.Settings) -> None:
    def gone() -> str:
        path = scratch_file(10)
        Path(path).unlink()
        return path

    reply = await Connection().run(sw.ASGIMiddleware(sending(gone), settings))
    assert isinstance(reply.error, FileNotFoundError)
    assert not reply.complete


async def test_a_scratch_file_is_closed_when_the_sending_is_cancelled(
    settings: sw.Settings,
) -> None:
    connection = Connection(stall_after=1)
    app = sw.ASGIMiddleware(sending(lambda: scratch_file(10**6)), settings)
    task = started(connection, app)
    await connection.stalled.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# Starlette


def starlette(view: Any, *middleware: Any, settings: sw.Settings) -> Any:
    applications = pytest.importorskip("starlette.applications")
    routing = pytest.importorskip("starlette.routing")
    app = applications.Starlette(routes=[routing.Route("/", view, methods=["GET", "POST"])])
    for each in middleware:
        app.add_middleware(each)
    app.add_middleware(sw.ASGIMiddleware, settings=settings)
    return app


def stack(name: str) -> list[Any]:
    base: Any = pytest.importorskip("starlette.middleware.base")
    gzip: Any = pytest.importorskip("starlette.middleware.gzip")

    class Passing(base.BaseHTTPMiddleware):  # type: ignore[misc]  # it is any
        async def dispatch(self, request: Any, call_next: Any) -> Any:
            return await call_next(request)

    return {
        "none": [],
        "base": [Passing],
        "two": [Passing, Passing],
        "gzip": [gzip.GZipMiddleware],
        "both": [Passing, gzip.GZipMiddleware],
    }[name]


STACKS = ["none", "base", "two", "gzip", "both"]


@pytest.mark.parametrize("name", STACKS)
@pytest.mark.parametrize("rows", [lambda: orders(20_000), lambda: aorders(20_000)], ids=["", "a"])
async def test_an_export_below_other_middlewares_arrives(
    settings: sw.Settings, name: str, rows: Callable[[], Any]
) -> None:
    scratches = list[Any]()

    async def view(request: Any) -> Any:
        scratches.append(sw.current_scratch())
        return sw.Export(rows, compress="off")

    reply = await Connection().run(starlette(view, *stack(name), settings=settings))
    assert len(csv_rows(reply.body)) == 20_000
    assert scratches[0].closed


@pytest.mark.parametrize("name", STACKS)
@pytest.mark.parametrize("make", [Rows, AsyncRows])
@pytest.mark.parametrize("leave_after", [1, 3])
async def test_an_export_below_other_middlewares_ends_when_the_client_leaves(
    settings: sw.Settings, name: str, make: Callable[..., Any], leave_after: int
) -> None:
    rows = make(orders(10**7))

    async def view(request: Any) -> Any:
        return sw.Export(rows)

    app = starlette(view, *stack(name), settings=settings)
    reply = await ended(started(Connection(leave_after=leave_after), app))
    assert not reply.complete
    await until(lambda: rows.closed == 1)
    assert rows.pulled < 10**6


@pytest.mark.parametrize("name", STACKS)
async def test_a_bill_is_paid_below_other_middlewares(settings: sw.Settings, name: str) -> None:
    paid = list[bytes]()
    begun = asyncio.Event()

    async def view(request: Any) -> Any:
        from starlette.responses import PlainTextResponse

        body = await request.body()
        begun.set()
        await asyncio.sleep(0.02)
        paid.append(body)
        return PlainTextResponse("paid")

    connection = Connection(method="POST")
    connection._requests = [{"type": "http.request", "body": b"12", "more_body": False}]
    task = started(connection, starlette(view, *stack(name), settings=settings))
    await begun.wait()
    connection.leave()
    await ended(task)
    assert paid == [b"12"]


async def test_scratch_is_current_in_a_view_and_a_body_on_a_thread(settings: sw.Settings) -> None:
    seen = list[Any]()

    def view(request: Any) -> Any:
        from starlette.responses import StreamingResponse

        seen.extend((sw.current_scratch(), threading.get_ident()))
        return StreamingResponse(body())

    def body() -> Iterator[bytes]:
        yield sw.current_scratch().path().read_bytes() or b"1"
        assert sw.current_scratch() is seen[0]
        yield b"2"

    reply = await Connection().run(starlette(view, settings=settings))
    assert (reply.body, reply.error) == (b"12", None)
    assert seen[1] != threading.get_ident()


async def test_a_file_response_sends_a_scratch_file_where_the_server_could_itself(
    settings: sw.Settings,
) -> None:
    async def view(request: Any) -> Any:
        from starlette.responses import FileResponse

        return FileResponse(scratch_file(100_000))

    connection = Connection()
    connection.scope["extensions"] = {"http.response.pathsend": {}}
    reply = await connection.run(starlette(view, settings=settings))
    assert (len(reply.body), reply.complete, reply.error) == (100_000, True, None)
    assert reply.headers["content-length"] == "100000"


async def test_a_view_without_room_is_a_503_below_starlette(settings: sw.Settings) -> None:
    async def view(request: Any) -> Any:
        raise sw.Refused("no room", retry_after=3)

    for name in STACKS:
        reply = await Connection().run(starlette(view, *stack(name), settings=settings))
        assert (reply.status, reply.headers["retry-after"]) == (503, "3")


# An export that fails late


def ending(app: Any) -> Any:
    """A middleware that swallows an error, and ends the body as if it were complete."""

    async def ended(scope: Any, receive: Any, send: Any) -> None:
        try:
            await app(scope, receive, send)
        except Broken:
            await send({"type": "http.response.body", "body": b""})

    return ended


def swallowing(app: Any) -> Any:
    """A middleware that swallows an error."""

    async def swallowed(scope: Any, receive: Any, send: Any) -> None:
        with suppress(Broken):
            await app(scope, receive, send)

    return swallowed


@pytest.mark.parametrize("rows", [failing, afailing], ids=["", "a"])
async def test_no_middleware_inside_ends_the_body_of_an_export_that_failed(
    settings: sw.Settings, rows: Callable[..., Any]
) -> None:
    export = sw.Export(rows(20_000), format="csv", compress="off")
    reply = await Connection().run(sw.ASGIMiddleware(ending(export), settings))
    assert (reply.status, reply.complete) == (200, False)
    assert isinstance(reply.error, sw.StateError)
    assert str(reply.error) == (
        "an export failed (Broken), and a middleware would end its response as if it were"
        " complete: let the error pass"
    )


async def test_nor_does_one_around_starlette_s(settings: sw.Settings) -> None:
    base: Any = pytest.importorskip("starlette.middleware.base")
    inner = base.BaseHTTPMiddleware(
        sw.Export(failing(20_000), format="csv"), lambda request, call_next: call_next(request)
    )
    reply = await Connection().run(sw.ASGIMiddleware(ending(inner), settings))
    assert (reply.status, reply.complete) == (200, False)
    assert isinstance(reply.error, sw.StateError)


async def test_a_body_without_an_end_stays_without_one(settings: sw.Settings) -> None:
    export = sw.Export(failing(20_000), format="csv")
    reply = await Connection().run(sw.ASGIMiddleware(swallowing(export), settings))
    assert (reply.status, reply.complete, reply.error) == (200, False, None)


async def test_an_export_that_was_not_the_response_may_fail(settings: sw.Settings) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        other = Connection()
        with pytest.raises(Broken):
            await sw.Export(failing(20_000), format="csv")(scope, receive, other.send)
        await sw.Export(orders(10), format="csv")(scope, receive, send)

    reply = await Connection().run(sw.ASGIMiddleware(app, settings))
    assert (reply.complete, reply.error) == (True, None)
