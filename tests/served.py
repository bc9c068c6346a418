"""What real servers serve in `test_servers`: rows that tell how far they are, over SQLite.

`wsgi` is a Flask application with the tutorial's connection in `g`, `asgi` a Starlette one; both
have the same routes, and are there within a middleware, too.  `/orders` takes how many `rows`
there are, at which of them the source fails (`fail`) and at which it waits for `/release`
(`hold`).  `/bill` waits for that before it is paid; `/scratch` streams, and has scratch meanwhile.
"""

import sqlite3
from asyncio import to_thread
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import closing
from threading import Event
from time import monotonic
from typing import Any

import flask
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route

import streamware as sw

QUERY = """
with recursive numbers(n) as (select 1 union all select n + 1 from numbers limit ?)
select n, 'Müller & Söhne ' || n, n / 8.0 from numbers
"""
COLUMNS = ["id", "customer", "total"]
FORMATS = ("csv", "xml", "xlsx")


class Source:
    """How far the rows of this process are."""

    def __init__(self) -> None:
        self.release = Event()
        self.reset()

    def reset(self) -> None:
        """As if nothing had been asked for yet."""
        self.opened = self.pulled = self.held = self.closed = self.torn_down = self.paid = 0
        self.closed_at = 0.0
        self.release.clear()

    def state(self) -> dict[str, float]:
        """The counters, and when rows were closed last, in seconds of the system's clock."""
        names = ("opened", "pulled", "held", "closed", "torn_down", "closed_at", "paid")
        return {name: getattr(self, name) for name in names}

    def rows(self, db: sqlite3.Connection, asked: Mapping[str, str]) -> Iterator[Any]:
        """As many rows as were asked for."""
        fail, hold = int(asked.get("fail", 0)), int(asked.get("hold", 0))
        self.opened += 1
        try:
            for row in db.execute(QUERY, [int(asked.get("rows", 1000))]):
                if row[0] == fail:
                    raise RuntimeError("the secret source is gone")
                if row[0] == hold:
                    self.held += 1
                    self.release.wait(30)
                self.pulled += 1
                yield row
        finally:
            self.closed += 1
            self.closed_at = monotonic()

    def pay(self) -> str:
        """Wait to be told, then pay."""
        self.held += 1
        self.release.wait(30)
        self.paid += 1
        return "paid"


source = Source()


def with_scratch() -> Iterator[bytes]:
    """A body without end that has a named file and a spool on disk while it is sent."""
    scratch = sw.current_scratch()
    path, spool = scratch.path(), scratch.spool()
    path.write_bytes(bytes(2**20))
    spool.write(bytes(2**22))
    source.opened += 1
    while True:
        assert path.exists()
        spool.seek(0)
        yield spool.read(2**16)


# Flask

wsgi = flask.Flask(__name__)


def get_db() -> sqlite3.Connection:
    if "db" not in flask.g:
        flask.g.db = sqlite3.connect(":memory:")
    db: sqlite3.Connection = flask.g.db
    return db


@wsgi.teardown_appcontext
def close_db(error: BaseException | None) -> None:
    if "db" in flask.g:
        flask.g.pop("db").close()
        source.torn_down += 1


@wsgi.get("/orders")
def orders() -> Any:
    asked = flask.request.args
    return sw.Export(
        lambda: source.rows(get_db(), asked), columns=COLUMNS, filename="orders", formats=FORMATS
    )


@wsgi.get("/state")
def state() -> Any:
    return source.state()


@wsgi.get("/release")
def release() -> Any:
    source.release.set()
    return source.state()


@wsgi.get("/reset")
def reset() -> Any:
    source.reset()
    return source.state()


@wsgi.post("/bill")
def bill() -> Any:
    return source.pay()


@wsgi.get("/scratch")
def scratch() -> Any:
    return flask.Response(with_scratch())


# Starlette


def own_rows(asked: Mapping[str, str]) -> Iterator[Any]:
    """The rows, over a connection of their own."""
    with closing(sqlite3.connect(":memory:")) as db:
        yield from source.rows(db, asked)


async def async_rows(asked: Mapping[str, str]) -> AsyncIterator[Any]:
    """The same, asynchronously."""
    rows = own_rows(asked)
    try:
        for row in rows:
            yield row
    finally:
        rows.close()  # type: ignore[attr-defined]  # a generator


async def aorders(request: Request) -> Any:
    asked = request.query_params
    rows = async_rows if request.url.path == "/async" else own_rows
    return sw.Export(lambda: rows(asked), columns=COLUMNS, filename="orders", formats=FORMATS)


async def astate(request: Request) -> JSONResponse:
    {"/release": source.release.set, "/reset": source.reset}.get(request.url.path, source.state)()
    return JSONResponse(source.state())


async def abill(request: Request) -> PlainTextResponse:
    return PlainTextResponse(await to_thread(source.pay))


async def ascratch(request: Request) -> StreamingResponse:
    return StreamingResponse(with_scratch())


asgi = Starlette(
    routes=[
        Route("/bill", abill, methods=["POST"]),
        Route("/scratch", ascratch),
        *(Route(path, aorders) for path in ("/orders", "/async")),
        *(Route(path, astate) for path in ("/state", "/release", "/reset")),
    ]
)

wrapped_wsgi = sw.WSGIMiddleware(wsgi)
wrapped_asgi = sw.ASGIMiddleware(asgi)
