"""How long a slow client holds a transaction of PostgreSQL open, and how soon it lets go.

A cluster of its own is started for these tests, and removed after them.  The rows come from a
server-side cursor, the client reads 1.3 MB a second, and another connection asks
`pg_stat_activity`.
"""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import streamware as sw
from postgresql import PATIENCE, Cluster, cluster
from streamware.scratch.pool import _pools

psycopg = pytest.importorskip("psycopg", reason="skipped: needs psycopg")
uvicorn = pytest.importorskip("uvicorn", reason="skipped: needs uvicorn")

pytestmark = [pytest.mark.slow, pytest.mark.servers]

ROWS = 30_000
QUERY = "select n, repeat(md5(n::text), 3), n / 8.0 from generate_series(1, %s) n"
RATE = 1_300_000  # bytes a second of the slow client
WINDOW = 2**16
NAME = "streamware export"


@pytest.fixture(scope="module", name="cluster")
def cluster_() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


class Watch:
    """What `pg_stat_activity` says of the export's connection, looked at every few milliseconds.

    Attributes:
        transaction: Seconds for which it was seen in a transaction.
        idle: Those of them in which the transaction waited for us.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._connection = cluster.connect()
        self._connection.autocommit = True
        self.transaction = self.idle = 0.0

    def state(self) -> tuple[str, float]:
        """Its state, and the age of its transaction in seconds; nothing where there is none."""
        row = self._connection.execute(
            "select state, extract(epoch from clock_timestamp() - xact_start)::float"
            " from pg_stat_activity where application_name = %s and xact_start is not null",
            [NAME],
        ).fetchone()
        return (str(row[0]), float(row[1])) if row else ("", 0.0)

    def until(self, ended: Callable[[], bool]) -> None:
        """Look until something is over, and the transaction with it."""
        last, end = time.monotonic(), time.monotonic() + PATIENCE
        while time.monotonic() < end:
            over = ended()
            state, age = self.state()
            now = time.monotonic()
            self.transaction = max(self.transaction, age)
            self.idle += (now - last) * (state == "idle in transaction")
            last = now
            if over and not state:
                return
            time.sleep(0.005)
        raise AssertionError("the transaction does not end")

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def watch(cluster: Cluster) -> Iterator[Watch]:
    made = Watch(cluster)
    yield made
    made.close()


def application(cluster: Cluster, delivery: Any) -> Callable[..., Any]:
    """An export of rows from a named cursor, over a connection of its own."""

    def rows() -> Iterator[Any]:
        with cluster.connect(NAME) as connection, connection.cursor("export") as cursor:
            cursor.itersize = 2000
            yield from cursor.execute(QUERY, [ROWS])

    export = sw.Export(rows, format="csv", delivery=delivery)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await export(scope, receive, send)

    return app


def sleeping(cluster: Cluster) -> Callable[..., Any]:
    """An export whose source sleeps in the database after its first row."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        connection = await asyncio.to_thread(cluster.connect, NAME)

        def rows() -> Iterator[Any]:
            with connection:
                yield ("x" * 100_000,)
                yield from connection.execute("select pg_sleep(20)")

        await sw.Export(rows, format="csv", cancel=connection.cancel)(scope, receive, send)

    return app


class Served:
    """An application served by uvicorn on a thread of this process."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        # What it accepts has the same, so that the kernel does not take half of the answer.
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, WINDOW)
        self._server = uvicorn.Server(
            uvicorn.Config(app, log_level="critical", lifespan="off", loop="asyncio")
        )
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._listening]}
        )
        self._thread.start()

    def ask(self) -> socket.socket:
        """A connection over which a request was sent, and that takes little before it is read."""
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW)
        client.settimeout(PATIENCE)
        client.connect(self._listening.getsockname())
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return client

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(PATIENCE)
        self._listening.close()


class Reader:
    """A client that reads all of an answer on a thread, not fast."""

    def __init__(self, client: socket.socket) -> None:
        self.data = bytearray()
        self.seconds = 0.0
        self._client = client
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        begun = time.monotonic()
        with self._client:
            while piece := self._client.recv(20_000):
                self.data += piece
                ahead = len(self.data) / RATE - (time.monotonic() - begun)
                time.sleep(max(0.0, ahead))
        self.seconds = time.monotonic() - begun

    def ended(self) -> bool:
        return not self._thread.is_alive()

    def join(self) -> None:
        self._thread.join(PATIENCE)


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where scratch goes."""
    monkeypatch.setenv("STREAMWARE_SCRATCH_DIR", str(tmp_path))
    monkeypatch.setenv("STREAMWARE_KEEP_FREE_BYTES", "0")
    yield
    for made in list(_pools.values()):
        if made.directory.path == str(tmp_path):
            made.directory.close()


@pytest.mark.usefixtures("scratch")
def test_only_a_stream_keeps_a_transaction_open_for_a_slow_client(cluster: Cluster) -> None:
    found: dict[str, tuple[float, float, float]] = {}
    for delivery in ("stream", "buffer", "spool"):
        watch, served = Watch(cluster), Served(application(cluster, delivery))
        try:
            reader = Reader(served.ask())
            while not watch.state()[0] and not reader.ended():
                time.sleep(0.002)
            watch.until(lambda: True)
            reader.join()
        finally:
            served.close()
            watch.close()
        assert reader.data.startswith(b"HTTP/1.1 200")
        assert reader.data.count(b"\r\n") > ROWS
        found[delivery] = (watch.transaction, watch.idle, reader.seconds)
        print(
            f"{delivery}: transaction {watch.transaction:.2f} s, idle in it {watch.idle:.2f} s,"
            f" {len(reader.data) / 1e6:.1f} MB in {reader.seconds:.2f} s"
        )
    stream, buffer, spool = (found[delivery] for delivery in ("stream", "buffer", "spool"))
    assert stream[0] > stream[2] / 2
    assert stream[1] > stream[2] / 3
    for transaction, _, download in (buffer, spool):
        assert transaction < download / 3


def test_cancel_interrupts_a_query_within_a_second_of_the_client_leaving(
    cluster: Cluster, watch: Watch
) -> None:
    served = Served(sleeping(cluster))
    try:
        client = served.ask()
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
        end = time.monotonic() + PATIENCE
        while watch.state()[0] != "active" and time.monotonic() < end:
            time.sleep(0.01)
        client.close()
        left = time.monotonic()
        watch.until(lambda: True)
        print(f"pg_sleep ended {time.monotonic() - left:.3f} s after the client left")
        assert time.monotonic() - left < 1
    finally:
        served.close()
