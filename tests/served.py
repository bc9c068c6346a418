"""What real servers serve in `test_servers`: rows that tell how far they are, over SQLite.

`wsgi` is a Flask application with the tutorial's connection in `g`, `asgi` a Starlette one; both
have the same routes.  `/orders` takes how many `rows` there are, at which of them the source
fails (`fail`) and at which it waits for `/release` (`hold`).
"""

import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import closing
from threading import Event
from time import monotonic
from typing import Any

import flask
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
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
        self.opened = self.pulled = self.held = self.closed = self.torn_down = 0
        self.closed_at = 0.0
        self.release.clear()

    def state(self) -> dict[str, float]:
        """The counters, and when rows were closed last, in seconds of the system's clock."""
        names = ("opened", "pulled", "held", "closed", "torn_down", "closed_at")
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


source = Source()


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


asgi = Starlette(
    routes=[
        *(Route(path, aorders) for path in ("/orders", "/async")),
        *(Route(path, astate) for path in ("/state", "/release", "/reset")),
    ]
)
