"""Bare exports in Flask and in Starlette, with the routes of `apps.source`, for real servers.

`wsgi` is a Flask application with the tutorial's connection in `g`, `asgi` a Starlette one; both
are there within a middleware, too.  `/bill` waits for `/release` before it is paid; `/scratch`
streams, and has scratch meanwhile.
"""

import sqlite3
from asyncio import to_thread
from collections.abc import Iterator
from typing import Any

import flask
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route

import streamware as sw
from apps.source import OPTIONS, PLAIN, ROWS, source, told


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
    return sw.Export(lambda: source.rows(get_db(), asked), **OPTIONS)


for name in PLAIN:
    wsgi.add_url_rule(f"/{name}", name, lambda: told(flask.request.path))


@wsgi.post("/bill")
def bill() -> Any:
    return source.pay()


@wsgi.get("/scratch")
def scratch() -> Any:
    return flask.Response(with_scratch())


# Starlette


async def aorders(request: Request) -> Any:
    rows, asked = ROWS[request.url.path[1:]], request.query_params
    return sw.Export(lambda: rows(asked), **OPTIONS)


async def astate(request: Request) -> JSONResponse:
    return JSONResponse(told(request.url.path))


async def abill(request: Request) -> PlainTextResponse:
    return PlainTextResponse(await to_thread(source.pay))


async def ascratch(request: Request) -> StreamingResponse:
    return StreamingResponse(with_scratch())


asgi = Starlette(
    routes=[
        Route("/bill", abill, methods=["POST"]),
        Route("/scratch", ascratch),
        *(Route(f"/{name}", aorders) for name in ROWS),
        *(Route(f"/{name}", astate) for name in PLAIN),
    ]
)

wrapped_wsgi = sw.WSGIMiddleware(wsgi)
wrapped_asgi = sw.ASGIMiddleware(asgi)
