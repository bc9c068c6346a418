"""What the servers of `benchmarks.delivery` serve, and the same work without a server.

`/orders` is an export of made-up rows, `/table` one of a table in an SQLite file.  `/state` tells
what the process has used, and when the rows of the last table were opened and closed.

`python -m benchmarks.served FORMAT ROWS` encodes orders in a process of its own, with a path
behind it the table in that file, and prints what that took as JSON.
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
"""The variable that names the SQLite file."""
TITLES = WORKLOADS["orders"].titles
FEW = 20

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
StartResponse = Callable[[str, list[tuple[str, str]]], object]


@dataclass(slots=True)
class State:
    """What a process has used; seconds.

    Attributes:
        cpu: CPU time so far.
        opened: When the rows of a table were opened last, by the clock; 0 is not yet.
        closed: When they were closed; 0 is not yet.
        used: CPU time between the two.
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
class Alone:
    """What encoding takes without a server; seconds.

    Attributes:
        source: CPU time of the rows alone.
        total: CPU time of the encoding, the rows included.
        wall: Of the encoding, by the clock.
        size: Bytes of the document.
    """

    source: float
    total: float
    wall: float
    size: int


state = State()


def fill(path: str, rows: int) -> None:
    """Make the SQLite file, with as many orders."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(f"create table orders ({', '.join(TITLES)})")
        marks = ", ".join("?" * len(TITLES))
        database.executemany(f"insert into orders values ({marks})", map(_plain, orders(rows)))


def _plain(row: Row) -> list[object]:
    """As SQLite keeps it."""
    known = (int, float, str, type(None))
    return [cell if isinstance(cell, known) else str(cell) for cell in row]


def tabled(path: str) -> Iterator[Row]:
    """The rows of the file, over a connection of their own."""
    with closing(sqlite3.connect(path)) as database:
        state.closed, state.opened, begun = 0.0, perf_counter(), process_time()
        try:
            yield from database.execute("select * from orders")
        finally:
            state.used, state.closed = process_time() - begun, perf_counter()


def export(path: str, query: str) -> sw.Export | None:
    """What is asked for, if it is an export."""
    asked = dict(parse_qsl(query))
    if path == "/table":
        rows: Callable[[], Iterator[Row]] = lambda: tabled(os.environ[DATABASE])  # noqa: E731
    elif path == "/orders":
        rows = lambda: orders(int(asked["rows"]))  # noqa: E731
    else:
        return None
    delivery = asked.get("delivery", "stream")
    return sw.Export(rows, columns=list(_columns()), delivery=cast(Any, delivery), compress="off")


def _columns() -> Iterator[sw.Column]:
    return (sw.Column(at, title) for at, title in enumerate(TITLES))


def told(path: str) -> bytes:
    """What is asked for that is no export."""
    if path == "/ping":
        return b"pong"
    state.cpu = process_time()
    return json.dumps(asdict(state)).encode()


def wsgi(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """The application for gunicorn."""
    answer = export(environ["PATH_INFO"], environ["QUERY_STRING"])
    if answer is not None:
        body: Iterable[bytes] = answer(environ, start_response)
        return body
    small = told(environ["PATH_INFO"])
    start_response("200 OK", [("Content-Length", str(len(small)))])
    return [small]


async def asgi(scope: Message, receive: Receive, send: Send) -> None:
    """The application for uvicorn."""
    answer = export(scope["path"], scope["query_string"].decode())
    if answer is not None:
        await answer(scope, receive, send)
        return
    body = told(scope["path"])
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def alone(format_name: str, rows: int, path: str | None = None) -> Alone:
    """Encode in this process; the source runs alone first, and a few rows, so that all is warm."""

    def source() -> Iterator[Row]:
        return orders(rows) if path is None else tabled(path)

    for _ in sw.encode(orders(FEW), format_name, columns=_columns()):
        pass
    begun = process_time()
    deque(source(), maxlen=0)
    needed = process_time() - begun
    begun, wall, size = process_time(), perf_counter(), 0
    for chunk in sw.encode(source, format_name, columns=_columns()):
        size += len(chunk)
    return Alone(needed, process_time() - begun, perf_counter() - wall, size)


if __name__ == "__main__":
    format_, count, *paths = sys.argv[1:]
    json.dump(asdict(alone(format_, int(count), *paths)), sys.stdout)
