"""The application that the servers of `benchmarks.delivery` run, and its baseline without a server.

`/orders` exports generated rows, and `/table` the rows of a table in an SQLite file.  `/state`
reports what the process has used, and when the rows of the table were last opened and closed.

`python -m benchmarks.served FORMAT ROWS [FILE]` encodes orders, or the table in an SQLite file, in
a process of its own, and prints what that took as JSON.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from contextlib import closing
from dataclasses import asdict, dataclass
from time import perf_counter, process_time
from typing import Any, cast
from urllib.parse import parse_qsl

import streamware as sw
from benchmarks.workloads import WORKLOADS, Row, orders

DATABASE = "BENCHMARK_DATABASE"
"""The environment variable with the path of the SQLite file."""
TITLES = WORKLOADS["orders"].titles
FEW = 20

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
StartResponse = Callable[[str, list[tuple[str, str]]], object]


@dataclass(slots=True)
class State:
    """What a process has used, in seconds.

    Attributes:
        cpu: CPU time so far.
        opened: When the rows of the table were last opened, by the clock; 0 if never.
        closed: When they were closed; 0 if they are open.
        used: CPU time while they were open.
    """

    cpu: float = 0.0
    opened: float = 0.0
    closed: float = 0.0
    used: float = 0.0

    @property
    def seconds(self) -> float:
        """How long the rows were open."""
        return self.closed - self.opened


@dataclass(frozen=True, slots=True)
class Baseline:
    """What encoding takes without a server, in seconds.

    Attributes:
        source: CPU time of the row source alone.
        total: CPU time of encoding, with the row source.
        wall: Time of encoding by the clock.
        size: Bytes of the document.
    """

    source: float
    total: float
    wall: float
    size: int


state = State()


def fill(path: str, rows: int) -> None:
    """Make the SQLite file, with a number of orders."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(f"create table orders ({', '.join(TITLES)})")
        marks = ", ".join("?" * len(TITLES))
        database.executemany(f"insert into orders values ({marks})", map(plain, orders(rows)))


def plain(row: Row) -> list[object]:
    """Return a row with text for the values that SQLite cannot store."""
    known = (int, float, str, type(None))
    return [cell if isinstance(cell, known) else str(cell) for cell in row]


def table_rows(path: str) -> Iterator[Row]:
    """Yield the rows of the file from a new connection."""
    with closing(sqlite3.connect(path)) as database:
        state.closed, state.opened, started = 0.0, perf_counter(), process_time()
        try:
            yield from database.execute("select * from orders")
        finally:
            state.used, state.closed = process_time() - started, perf_counter()


def export(path: str, query: str) -> sw.Export | None:
    """Return the export that a request asks for; None for another path."""
    parameters = dict(parse_qsl(query))
    if path == "/table":
        rows: Callable[[], Iterator[Row]] = lambda: table_rows(os.environ[DATABASE])  # noqa: E731
    elif path == "/orders":
        rows = lambda: orders(int(parameters["rows"]))  # noqa: E731
    else:
        return None
    delivery = parameters.get("delivery", "stream")
    return sw.Export(rows, columns=list(_columns()), delivery=cast(Any, delivery), compress="off")


def _columns() -> Iterator[sw.Column]:
    return (sw.Column(at, title) for at, title in enumerate(TITLES))


def small_response(path: str) -> bytes:
    """Return the body for a path that is not an export."""
    if path == "/ping":
        return b"pong"
    state.cpu = process_time()
    return json.dumps(asdict(state)).encode()


def wsgi(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """Run the application for gunicorn."""
    response = export(environ["PATH_INFO"], environ["QUERY_STRING"])
    if response is not None:
        body: Iterable[bytes] = response(environ, start_response)
        return body
    small = small_response(environ["PATH_INFO"])
    start_response("200 OK", [("Content-Length", str(len(small)))])
    return [small]


async def asgi(scope: Message, receive: Receive, send: Send) -> None:
    """Run the application for uvicorn."""
    response = export(scope["path"], scope["query_string"].decode())
    if response is not None:
        await response(scope, receive, send)
        return
    body = small_response(scope["path"])
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def measure(format_name: str, rows: int, path: str | None = None) -> Baseline:
    """Encode in this process, after a few rows to warm up, and the row source alone."""

    def source() -> Iterator[Row]:
        return orders(rows) if path is None else table_rows(path)

    for _ in sw.encode(orders(FEW), format_name, columns=_columns()):
        pass
    started = process_time()
    deque(source(), maxlen=0)
    needed = process_time() - started
    started, wall, size = process_time(), perf_counter(), 0
    for chunk in sw.encode(source, format_name, columns=_columns()):
        size += len(chunk)
    return Baseline(needed, process_time() - started, perf_counter() - wall, size)


if __name__ == "__main__":
    format_, count, *paths = sys.argv[1:]
    json.dump(asdict(measure(format_, int(count), *paths)), sys.stdout)
