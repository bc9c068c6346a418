"""Rows of a real PostgreSQL, really served: memory, pools, and clients and connections that go.

The lines are those of docs/databases.md, which has them measured with 300,000 orders.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import quote

import pytest

from postgresql import Cluster, cluster
from readers import csv_rows
from servers.process import ServerProcess, until

for needed in ("psycopg", "psycopg_pool", "asyncpg", "sqlalchemy", "greenlet", "django", "fastapi"):
    pytest.importorskip(needed, reason=f"skipped: needs {needed}")
for needed in ("flask_sqlalchemy", "aiosqlite", "duckdb", "pymysql", "gunicorn", "uvicorn"):
    pytest.importorskip(needed, reason=f"skipped: needs {needed}")

from benchmarks.databases import CACHE, Databases  # noqa: E402
from benchmarks.lines import LINES, ORDERS, Line  # noqa: E402
from benchmarks.sources import MEMORY, SERVERS  # noqa: E402

pytestmark = pytest.mark.servers

FEW, MANY = 20, 30_000
OBJECTS = ("Flask-SQLAlchemy", "SQLAlchemy with asyncio", "Django")
HEAD = "GET {} HTTP/1.1\r\nHost: test\r\n\r\n"


@pytest.fixture(scope="module", name="server")
def server_() -> Iterator[Cluster]:
    with cluster() as made:
        for orders in (FEW, MANY):
            Databases(made.folder, orders).make("postgresql")
        yield made


def served(server: Cluster, application: str, orders: int, folder: Path) -> ServerProcess:
    """The application of the benchmark."""
    environment = {CACHE: str(server.folder), ORDERS: str(orders)}
    return ServerProcess(("-m", *SERVERS[application]), folder, environment, ready="/peak")


def lines(application: str, *, right: bool) -> list[tuple[int, Line]]:
    """The lines of an application that give objects, with their numbers."""
    return [
        (at, line)
        for at, line in enumerate(LINES)
        if line.application == application and line.driver in OBJECTS and line.right is right
    ]


def peak(running: ServerProcess) -> int:
    return int(running.get("/peak").text)


def backends(server: Cluster) -> list[tuple[int, str, str]]:
    """Process, state and query of the clients of the databases with orders."""
    with server.connect() as connection:
        found = connection.execute(
            "select pid, state, query from pg_stat_activity where datname like 'orders_%'"
            " and backend_type = 'client backend'"
        ).fetchall()
    return [(int(pid), str(state), str(query)) for pid, state, query in found]


def busy(server: Cluster) -> list[tuple[int, str, str]]:
    """Those that are not idle: in a transaction, or in a query."""
    return [one for one in backends(server) if one[1] != "idle"]


@pytest.mark.parametrize("application", SERVERS)
def test_right_lines_take_as_little_memory_as_the_docs_say(
    server: Cluster, application: str, tmp_path: Path
) -> None:
    found = lines(application, right=True)
    assert len(found) >= 4
    with served(server, application, FEW, tmp_path) as running:
        for at, _ in found:
            assert len(csv_rows(running.get(f"/line/{at}").content)) == FEW + 1
        base = peak(running)
    with served(server, application, MANY, tmp_path) as running:
        for at, line in found:
            assert running.get(f"/line/{at}").content.count(b"\r\n") == MANY + 1
            assert peak(running) - base < MEMORY, line.code
        at, wrong = lines(application, right=False)[0]
        assert running.get(f"/line/{at}").content.count(b"\r\n") == MANY + 1
        assert peak(running) - base > MEMORY, wrong.code


@pytest.mark.parametrize("application", SERVERS)
def test_fifty_aborted_downloads_give_their_connections_back(
    server: Cluster, application: str, tmp_path: Path
) -> None:
    drivers = (*OBJECTS, "psycopg", "asyncpg", "SQLAlchemy")
    found = [
        at
        for at, line in enumerate(LINES)
        if line.right and line.application == application and line.driver in drivers
    ]
    with served(server, application, MANY, tmp_path) as running:
        for turn in range(50):
            leave_early(running, f"/line/{found[turn % len(found)]}")
        until(lambda: busy(server) == [], patience=10)
        kept = len(backends(server))
        for at in found:
            response = running.get(f"/line/{at}")
            assert response.content.count(b"\r\n") == MANY + 1, LINES[at].code
        assert busy(server) == []
        assert len(backends(server)) <= max(kept, 5 * len(found))


def leave_early(running: ServerProcess, path: str) -> None:
    """Request a download, and leave when its first bytes are there."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        client.settimeout(30)
        client.connect(running.address)
        client.sendall(HEAD.format(path).encode())
        assert client.recv(15) == b"HTTP/1.1 200 OK"


WAYS = {
    "psycopg, WSGI": ("flask", "apps.queried:wsgi", "psycopg"),
    "SQLAlchemy, WSGI": ("flask", "apps.queried:wsgi", "sqlalchemy"),
    "Django, WSGI": ("flask", "apps.queried_django:wsgi", "django"),
    "psycopg, ASGI": ("fastapi", "apps.queried:asgi", "psycopg"),
    "psycopg with asyncio": ("fastapi", "apps.queried:asgi", "psycopg-async"),
    "asyncpg": ("fastapi", "apps.queried:asgi", "asyncpg"),
    "SQLAlchemy, ASGI": ("fastapi", "apps.queried:asgi", "sqlalchemy"),
    "SQLAlchemy with asyncio": ("fastapi", "apps.queried:asgi", "sqlalchemy-async"),
    "Django, ASGI": ("fastapi", "apps.queried_django:asgi", "django"),
}
SLEEP = "case when orders.id > {} then pg_sleep(60)::text end"


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def running(server: Cluster, way: str, tmp_path: Path) -> Iterator[ServerProcess]:
    like, application, _ = WAYS[way]
    command = ("-m", *SERVERS[like][:-1], application)
    environment = {"QUERIED": str(server.folder), ORDERS: str(MANY)}
    with ServerProcess(command, tmp_path, environment) as made:
        yield made


def asleep(way: str, after: int) -> str:
    """The path of an export that sleeps in the database after that many rows."""
    driver, expression = WAYS[way][2], SLEEP.format(after)
    query = f"select id, number, repeat(number, 20), {expression} as slept from orders order by id"
    return f"/{driver}?query={quote(expression if driver == 'django' else query)}"


def sleeping(server: Cluster) -> list[int]:
    """Processes that sleep, and do not only read rows."""
    with server.connect() as connection:
        found = connection.execute(
            "select pid from pg_stat_activity where datname like 'orders_%'"
            " and wait_event = 'PgSleep'"
        ).fetchall()
    return [int(pid) for (pid,) in found]


def timed(happens: Callable[[], Any]) -> float:
    started = monotonic()
    until(happens)
    return monotonic() - started


@pytest.mark.parametrize("after", [0, 3000], ids=["before the first row", "in the middle"])
def test_the_query_is_gone_within_two_seconds_of_its_client(
    server: Cluster, running: ServerProcess, way: str, after: int
) -> None:
    for _ in range(3):  # more than the pool has: each connection comes back
        with socket.create_connection(running.address, 30) as client:
            client.sendall(HEAD.format(asleep(way, after)).encode())
            if after:
                assert client.recv(15) == b"HTTP/1.1 200 OK"
                sleep(0.3)
            until(lambda: sleeping(server))
        took = timed(lambda: sleeping(server) == [])
        print(f"{way}: gone after {took:.2f} s")
        assert took < 2
    until(lambda: busy(server) == [], patience=5)
    assert running.get(asleep(way, MANY)).content.count(b"\r\n") == MANY + 1


def test_a_lost_connection_breaks_the_transfer_and_the_pool_recovers(
    server: Cluster, running: ServerProcess, way: str, tmp_path: Path
) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("skipped: needs curl")
    for _ in range(3):
        url = f"http://127.0.0.1:{running.port}{asleep(way, 3000)}"
        until(lambda: not sleeping(server))  # nor is the one before listed any more
        with subprocess.Popen([curl, "-sS", "-o", tmp_path / "out", url]) as download:
            try:
                until(lambda: sleeping(server))
                (pid,) = sleeping(server)
                with server.connect() as connection:
                    connection.execute("select pg_terminate_backend(%s)", [pid])
                assert download.wait(30) == 18  # "partial file"
            finally:
                download.kill()
        assert (tmp_path / "out").read_bytes().lower().startswith(b"id,number")
    assert running.log().count("ended: source error") == 3
    assert running.get(asleep(way, MANY)).content.count(b"\r\n") == MANY + 1
