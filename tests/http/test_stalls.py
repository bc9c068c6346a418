"""A client that takes nothing, and one that leaves unnoticed, end their exports: by both twins."""

import asyncio
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import streamware as sw
from fakes import PATIENCE, Connection, Rows, asgi_get, environ, orders
from streamware.http import connection, sending, stalls, watchdog, wsgi
from streamware.http.admission import admission
from streamware.scratch.pool import _pools

DELIVERIES = ("stream", "buffer", "spool")
WIDE = "x" * 1000
STALL = 0.05


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks are more frequent, and a server has less time."""
    for module in (sending, watchdog, stalls):
        monkeypatch.setattr(module, "TICK", 0.01)
    for module in (stalls, wsgi):
        monkeypatch.setattr(module, "GRACE", 0.05)
    monkeypatch.setattr(sending, "_BLOCKED", 0.03)


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[sw.Settings]:
    folder = tmp_path / "scratch"
    folder.mkdir(mode=0o700)
    yield sw.Settings(scratch_dir=folder, max_concurrent=2, wait_seconds=5)
    for made in list(_pools.values()):
        if made.settings.scratch_dir == str(folder):
            made.directory.close()


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def wide(rows: int = 4000) -> Iterator[tuple[int, str]]:
    return ((at, WIDE) for at in range(rows))


def noise(rows: int = 20_000) -> Iterator[tuple[int, str]]:
    """Rows that do not get small in a zip: 20 MB, more than the buffers of the kernel take."""
    return ((at, os.urandom(500).hex()) for at in range(rows))


# ASGI


@pytest.mark.parametrize("delivery", DELIVERIES)
@pytest.mark.parametrize("stack", ["export", "middleware", "bundle"])
async def test_a_send_that_is_blocked_ends_the_export(
    settings: sw.Settings, delivery: Any, stack: str
) -> None:
    receipts: list[sw.Receipt] = []
    rows = Rows(wide())
    limits = sw.Limits(stall_seconds=STALL)
    done = receipts.append
    app: Any = sw.Export(
        rows, delivery=delivery, settings=settings, limits=limits, on_done=done, compress="off"
    )
    if stack == "bundle":
        app = sw.Bundle([("a.csv", app)], settings=sw.Settings(limits=limits), on_done=done)
    elif stack == "middleware":
        app = sw.ASGIMiddleware(app, settings)
    reply = await asyncio.wait_for(Connection(stall_after=1).run(app), PATIENCE)
    assert isinstance(reply.error, sw.LimitError)  # the server breaks the transfer
    assert not reply.complete
    assert (receipts[-1].outcome, rows.closed) == ("client gone", 1)
    assert (receipts[-1].problem or "").startswith("Limits.stall_seconds: 0.")
    assert admission(settings).active == 0


@pytest.mark.parametrize("delivery", DELIVERIES)
async def test_a_stall_at_the_last_message_counts(settings: sw.Settings, delivery: Any) -> None:
    receipts: list[sw.Receipt] = []
    export = sw.Export(
        orders(3),
        delivery=delivery,
        settings=settings,
        limits=sw.Limits(stall_seconds=STALL),
        on_done=receipts.append,
    )
    after = 0 if delivery == "spool" else 1
    await asyncio.wait_for(Connection(stall_after=after).run(export), PATIENCE)
    assert [receipt.outcome for receipt in receipts] == ["client gone"]


async def test_the_time_of_the_export_ends_a_send_that_is_blocked(settings: sw.Settings) -> None:
    receipts: list[sw.Receipt] = []
    export = sw.Export(
        wide(), settings=settings, limits=sw.Limits(seconds=0.1), on_done=receipts.append
    )
    reply = await asyncio.wait_for(Connection(stall_after=1).run(export), PATIENCE)
    assert isinstance(reply.error, sw.LimitError)
    assert receipts[0].outcome == "expired"


async def test_two_that_stall_do_not_keep_others_out(settings: sw.Settings) -> None:
    limits = sw.Limits(stall_seconds=STALL)
    export = sw.Export(wide, settings=settings, limits=limits)
    stalled = [asyncio.create_task(Connection(stall_after=1).run(export)) for _ in range(2)]
    await asyncio.sleep(0.01)
    reply = await Connection().run(export)
    assert reply.complete
    await asyncio.wait(stalled)


@pytest.mark.slow
async def test_a_source_that_is_slow_is_no_stall(settings: sw.Settings) -> None:
    async def rows() -> AsyncIterator[tuple[int]]:
        for at in range(4):
            await asyncio.sleep(2 * STALL)
            yield (at,)

    limits = sw.Limits(stall_seconds=STALL)
    delivery: Any
    for delivery in DELIVERIES:
        made = sw.Export(rows, delivery=delivery, settings=settings, limits=limits)
        assert (await Connection().run(made)).complete


async def test_a_send_that_is_slow_is_no_stall(settings: sw.Settings) -> None:
    class Slow(Connection):
        async def send(self, message: Any) -> None:
            await asyncio.sleep(STALL)
            await super().send(message)

    export = sw.Export(wide(500), settings=settings, limits=sw.Limits(stall_seconds=4 * STALL))
    assert (await Slow().run(export)).complete


async def test_none_waits_for_ever(settings: sw.Settings) -> None:
    connection = Connection(stall_after=1)
    limits = sw.Limits(stall_seconds=None)
    task = asyncio.create_task(connection.run(sw.Export(wide(), settings=settings, limits=limits)))
    await connection.stalled.wait()
    await asyncio.sleep(5 * STALL)
    assert not task.done()
    connection.leave()
    assert not (await task).complete


class Socketed(Connection):
    """A server's end: what is sent goes to a socket, and the client's leaving is told."""

    def __init__(self) -> None:
        super().__init__()
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.client = socket.create_connection(listening.getsockname())
            self.server = listening.accept()[0]
        self.scope |= {"client": self.client.getsockname(), "server": self.server.getsockname()}
        self.server.setblocking(False)

    async def send(self, message: Any) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_sendall(self.server, message.get("body", b""))
        except OSError:
            self.gone.set()


async def test_the_connection_is_broken_and_then_the_client_has_left(settings: sw.Settings) -> None:
    receipts: list[sw.Receipt] = []
    connection = Socketed()
    export = sw.Export(
        wide(20_000),
        settings=settings,
        limits=sw.Limits(stall_seconds=STALL),
        on_done=receipts.append,
        compress="off",
    )
    with connection.client, connection.server:
        reply = await asyncio.wait_for(connection.run(export), PATIENCE)
    assert reply.error is None  # the server knows already
    assert receipts[0].outcome == "client gone"
    assert (receipts[0].problem or "").startswith("Limits.stall_seconds")


def test_no_timer_outlives_a_response() -> None:
    assert asgi_get(sw.Export(orders(3))).complete


# WSGI


class Server:
    """A WSGI server of one request, on a thread of its own, that sends to a real socket."""

    def __init__(self, app: Any, **changes: Any) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.client = socket.create_connection(listening.getsockname())
            self.socket = listening.accept()[0]
        self.client.settimeout(PATIENCE)
        made = {**environ(), "gunicorn.socket": self.socket, **changes}
        self.environ = {key: value for key, value in made.items() if value is not None}
        self.status = ""
        self.error: BaseException | None = None
        self.ended = False
        self._app = app
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        body: Any = self._app(self.environ, self._start_response)
        try:
            for chunk in body:
                self._send(chunk)
            self.ended = True
        except Exception as error:  # noqa: BLE001 - of the socket, or of the rows
            self.error = error
        finally:
            if hasattr(body, "close"):
                body.close()

    def _send(self, chunk: bytes) -> None:
        self.socket.sendall(chunk)

    def _start_response(self, status: str, *_: object) -> Any:
        self.status = status

    def join(self) -> None:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def close(self) -> None:
        self.client.close()
        self.socket.close()


@pytest.mark.slow
@pytest.mark.parametrize("delivery", DELIVERIES)
@pytest.mark.parametrize("stack", ["export", "middleware", "bundle"])
@pytest.mark.parametrize("given", ["gunicorn.socket", "descriptors"])
def test_a_client_that_takes_nothing_is_cut_off(
    settings: sw.Settings, delivery: Any, stack: str, given: str
) -> None:
    receipts: list[sw.Receipt] = []
    rows = Rows(noise())
    limits = sw.Limits(stall_seconds=STALL)
    done = receipts.append
    app: Any = sw.Export(
        lambda: rows, delivery=delivery, settings=settings, limits=limits, on_done=done,
        compress="off",
    )  # fmt: skip
    if stack == "bundle":
        app = sw.Bundle([("a.csv", app)], settings=sw.Settings(limits=limits), on_done=done)
    elif stack == "middleware":
        app = sw.WSGIMiddleware(app, settings)
    server = serving(app, given)
    server.join()
    server.close()
    # Its call of `send` has failed; or the next chunk, if it was between two calls.
    assert isinstance(server.error, (OSError, sw.LimitError))
    assert (receipts[-1].outcome, rows.closed) == ("client gone", 1)
    assert (receipts[-1].problem or "").startswith("Limits.stall_seconds: 0.")
    assert admission(settings).active == 0


def serving(app: Any, given: str = "gunicorn.socket") -> Server:
    """A server, which gives its socket or leaves it to be found."""
    if given == "gunicorn.socket":
        return Server(app)
    holder: list[Server] = []

    def named(environ_: Any, start_response: Any) -> Any:
        until(lambda: holder)
        host, port = holder[0].client.getsockname()
        own = str(holder[0].socket.getsockname()[1])
        ends = {"REMOTE_ADDR": host, "REMOTE_PORT": str(port), "SERVER_PORT": own}
        return app({**environ_, **ends}, start_response)

    server = Server(named, **{"gunicorn.socket": None})
    holder.append(server)
    return server


@pytest.mark.parametrize("delivery", DELIVERIES)
def test_rows_of_a_client_that_cannot_be_cut_off_are_closed_anyway(
    settings: sw.Settings, delivery: Any
) -> None:
    receipts: list[sw.Receipt] = []
    rows = Rows(wide(20_000))
    export = sw.Export(
        lambda: rows,
        delivery=delivery,
        settings=settings,
        limits=sw.Limits(stall_seconds=STALL),
        on_done=receipts.append,
        compress="off",
    )
    server = Server(export, **{"gunicorn.socket": None})
    until(lambda: receipts)
    assert (receipts[0].outcome, rows.closed) == ("client gone", 1)
    assert admission(settings).active == 0
    server.client.settimeout(0.2)
    with suppress(TimeoutError):
        while not server.error:  # it reads on, after all
            server.client.recv(2**16)
    server.join()
    server.close()
    assert isinstance(server.error, sw.LimitError)  # so that the body does not look complete
    assert not server.ended


class Deaf(Server):
    """A server that asks for more although its connection is broken, as bridges to ASGI do."""

    def _send(self, chunk: bytes) -> None:
        with suppress(OSError):
            self.socket.sendall(chunk)


@pytest.mark.parametrize(
    ("how", "delivery"),
    # Such a server takes all of a spool before anybody looks.
    [*(("stalls", each) for each in DELIVERIES), ("leaves", "stream"), ("leaves", "buffer")],
)
def test_no_more_rows_are_read_for_a_broken_connection(
    settings: sw.Settings, how: str, delivery: Any
) -> None:
    receipts: list[sw.Receipt] = []
    rows = Rows(noise() if how == "stalls" else drip())
    export = sw.Export(
        lambda: rows,
        delivery=delivery,
        settings=settings,
        limits=sw.Limits(stall_seconds=STALL if how == "stalls" else None),
        on_done=receipts.append,
        compress="off",
    )
    server = Deaf(export)
    server.client.recv(1)
    if how == "leaves":
        server.client.close()
    server.join()
    server.close()
    assert (receipts[0].outcome, rows.closed) == ("client gone", 1)
    assert server.ended == (how == "leaves")  # else it is told, so that it breaks the transfer


def test_the_time_of_the_export_ends_a_send_of_wsgi(settings: sw.Settings) -> None:
    receipts: list[sw.Receipt] = []
    limits = sw.Limits(seconds=0.1)
    rows = Rows(wide(20_000))
    export = sw.Export(
        lambda: rows, settings=settings, limits=limits, on_done=receipts.append, compress="off"
    )
    server = Server(export)
    server.join()
    server.close()
    assert (receipts[0].outcome, rows.closed) == ("expired", 1)


def drip(stop: threading.Event | None = None) -> Iterator[tuple[int]]:
    for at in range(10_000):
        if stop is not None and stop.wait(PATIENCE):
            raise RuntimeError("interrupted")
        time.sleep(0.01)
        yield (at,)


@pytest.mark.parametrize("delivery", DELIVERIES)
@pytest.mark.parametrize("source", ["drips", "blocks"])
@pytest.mark.parametrize("how", ["leaves", "half-closes"])
def test_a_client_that_leaves_is_noticed(
    settings: sw.Settings, delivery: Any, source: str, how: str
) -> None:
    receipts: list[sw.Receipt] = []
    stop = threading.Event()
    rows = Rows(drip(stop=stop if source == "blocks" else None))
    export = sw.Export(
        lambda: rows,
        delivery=delivery,
        settings=settings,
        cancel=stop.set,
        on_done=receipts.append,
    )
    server = Server(export)
    time.sleep(0.05)
    if how == "leaves":
        server.client.close()
    else:
        server.client.shutdown(socket.SHUT_WR)
    server.join()
    assert (receipts[0].outcome, receipts[0].problem, rows.closed) == ("client gone", None, 1)
    if delivery == "spool" or source == "blocks":
        assert server.status == "499 Client Closed Request"
    if how == "half-closes":
        assert server.client.recv(2**16) in (b"", *([b"0\r\n"] if source == "drips" else []))
    server.close()


def test_a_pipelined_request_is_not_leaving(settings: sw.Settings) -> None:
    server = Server(sw.Export(lambda: orders(20_000), settings=settings, compress="off"))
    server.client.sendall(b"GET / HTTP/1.1\r\n\r\n")
    left = sum(map(len, sw.encode(orders(20_000))))
    while left:
        left -= len(server.client.recv(2**16))
    server.join()
    server.close()
    assert server.ended


def test_no_thread_is_left(settings: sw.Settings) -> None:
    before = threading.active_count()
    server = Server(sw.Export(lambda: orders(3), settings=settings))
    server.join()
    server.close()
    until(lambda: threading.active_count() <= before)


def test_the_next_request_on_a_connection_is_not_hit_by_a_look_at_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client, server = socket.socketpair()
    looking, ended = threading.Event(), threading.Event()

    class Slow(connection.Connection):
        """The look at the client takes until the response has ended."""

        def has_left(self) -> bool:
            looking.set()
            assert ended.wait(PATIENCE)
            return True

    status = os.fstat(server.fileno())
    found = Slow(server.fileno(), (status.st_dev, status.st_ino))
    monkeypatch.setattr(wsgi, "from_environ", lambda _: lambda _: found)
    with client, server:
        body: Any = sw.Export(orders(3)).wsgi(environ(), lambda *_: len)
        assert looking.wait(PATIENCE)
        assert b"".join(body)
        body.close()
        ended.set()
        until(lambda: watchdog.watchdog._thread is None)
        server.sendall(b"the next response")
        assert client.recv(100) == b"the next response"
