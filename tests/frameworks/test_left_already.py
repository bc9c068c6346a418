"""A client that has left before its export begins: rows are closed, which is reported once."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import streamware as sw
from fakes import PATIENCE, AsyncRows, Connection, Rows, orders, until
from streamware.http.admission import admission


def bare(make: Callable[..., Any]) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await make(sw.Export)(scope, receive, send)

    return app


def bundle(make: Callable[..., Any]) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        def bundled(rows: Any, *, settings: Any, on_done: Any) -> Any:
            members = [("a.csv", sw.Export(rows))]
            return sw.Bundle(members, settings=settings, on_done=on_done)

        await make(bundled)(scope, receive, send)

    return app


def starlette(make: Callable[..., Any]) -> Any:
    from starlette.applications import Starlette
    from starlette.routing import Route

    from streamware.frameworks.starlette import ExportResponse

    async def view(request: Any) -> Any:
        return make(ExportResponse)

    return Starlette(routes=[Route("/", view)])


def fastapi(make: Callable[..., Any]) -> Any:
    from fastapi import FastAPI

    from streamware.frameworks.fastapi import ExportResponse

    app = FastAPI()

    @app.get("/")
    async def view() -> Any:
        return make(ExportResponse)

    return app


def litestar(make: Callable[..., Any]) -> Any:
    import litestar

    from streamware.frameworks.litestar import ExportResponse

    @litestar.get("/")
    async def view() -> ExportResponse:
        made: ExportResponse = make(ExportResponse)
        return made

    return litestar.Litestar([view], logging_config=None)


def falcon(make: Callable[..., Any]) -> Any:
    import falcon.asgi

    from streamware.frameworks.falcon import ExportResponse

    class Orders:
        async def on_get(self, req: Any, resp: Any) -> None:
            await make(ExportResponse).afill(req, resp)

    app = falcon.asgi.App()
    app.add_route("/", Orders())
    return app


def quart(make: Callable[..., Any]) -> Any:
    import quart

    from streamware.frameworks.quart import ExportResponse

    app = quart.Quart("shop")

    @app.get("/")
    async def view() -> Any:
        return make(ExportResponse)

    return app


class Maker:
    """Makes the response, if it is called."""

    def __init__(self, rows: Any, settings: sw.Settings) -> None:
        self._rows = rows
        self._settings = settings
        self._outcomes = list[str]()
        self._called = False

    def __call__(self, kind: Any) -> Any:
        self._called = True
        return kind(self._rows, settings=self._settings, on_done=self._done)

    async def ended(self) -> None:
        """Wait for the end, and check that nothing is left."""
        # A second cancellation ends the waiting for the rows to be closed, not the closing.
        await until(lambda: not self._called or (self._outcomes and self._rows.closed))
        expected = (1, ["client gone"]) if self._called else (0, [])
        assert (self._rows.closed, self._outcomes) == expected
        assert admission(self._settings).active == 0

    def _done(self, receipt: sw.Receipt) -> None:
        self._outcomes.append(receipt.outcome)


def connected(connection: Connection) -> Connection:
    """The connection, with what frameworks want of a scope."""
    connection.scope |= {"raw_path": b"/", "scheme": "http", "root_path": "", "client": None}
    connection.scope |= {"server": ("test", 80), "extensions": {}}
    return connection


APPS = (bare, bundle, starlette, fastapi, litestar, falcon, quart)


@pytest.mark.parametrize("cancels", [False, True], ids=["", "cancel_on_disconnect"])
@pytest.mark.parametrize("rows_of", [Rows, AsyncRows])
@pytest.mark.parametrize("app_of", APPS)
async def test_rows_of_a_client_that_left_already_are_closed(
    app_of: Callable[..., Any], rows_of: Any, cancels: bool, settings: sw.Settings
) -> None:
    make = Maker(rows_of(orders(10**6)), settings)
    app = sw.ASGIMiddleware(app_of(make), settings, cancel_on_disconnect=cancels)
    connection = connected(Connection(leave_after=0))
    await asyncio.wait_for(connection.run(app), PATIENCE)
    await make.ended()


@pytest.mark.parametrize("rows_of", [Rows, AsyncRows])
@pytest.mark.parametrize("app_of", APPS[:-1])  # Quart's task is not the one that is cancelled
async def test_it_may_be_cancelled_after_any_step(
    app_of: Callable[..., Any], rows_of: Any, settings: sw.Settings
) -> None:
    """By the server, for example, which shuts down."""
    for steps in range(12):
        make = Maker(rows_of(orders(10**6)), settings)
        connection = connected(Connection(stall_after=1))
        task = asyncio.create_task(connection.run(app_of(make)))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        await make.ended()
