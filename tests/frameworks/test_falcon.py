from typing import Any

import pytest

from fakes import Rows, asgi_get, orders, wsgi_get
from readers import csv_rows

pytest.importorskip("falcon")

import falcon  # where it is installed
import falcon.asgi
from falcon.testing import ASGIConductor, TestClient, create_environ

from apps.built import over_http_1_1, with_defaults
from streamware.frameworks.falcon import ExportResponse

ENDLESS = 10**9


class Fails:
    """A middleware of Falcon's that fails when the response is there."""

    def process_response(self, req: Any, resp: Any, resource: Any, succeeded: bool) -> None:
        raise RuntimeError("the middleware")

    async def process_response_async(self, *ignored: Any) -> None:
        raise RuntimeError("the middleware")


def wsgi_app(responder: Any, **options: Any) -> Any:
    app = falcon.App(**options)
    app.add_route("/", type("Orders", (), {"on_get": responder})())
    return app


def asgi_app(responder: Any, **options: Any) -> Any:
    app = falcon.asgi.App(**options)
    app.add_route("/", type("Orders", (), {"on_get": responder})())
    return app


def filling(rows: Any) -> Any:
    def on_get(self: object, req: Any, resp: Any) -> None:
        resp.set_header("X-Theirs", "1")
        resp.set_header("Cache-Control", "private")
        resp.set_cookie("theirs", "1")
        ExportResponse(rows, format="csv", headers=[("Set-Cookie", "ours=1")]).fill(req, resp)

    return on_get


def afilling(rows: Any) -> Any:
    async def on_get(self: object, req: Any, resp: Any) -> None:
        resp.set_header("X-Theirs", "1")
        resp.set_header("Cache-Control", "private")
        resp.set_cookie("theirs", "1")
        response = ExportResponse(rows, format="csv", headers=[("Set-Cookie", "ours=1")])
        await response.afill(req, resp)

    return on_get


async def test_falcons_test_clients_get_all_of_it_and_what_was_set_before() -> None:
    app = wsgi_app(filling(lambda: orders(50_000)))
    check(TestClient(app).simulate_get("/"))
    async with ASGIConductor(asgi_app(afilling(lambda: orders(50_000)))) as client:
        check(await client.simulate_get("/"))


def check(result: Any) -> None:
    assert csv_rows(result.content)[-1] == ["49999", "order 49999"]
    assert result.headers["x-theirs"] == "1"
    assert result.headers["cache-control"] == "private"
    assert set(result.cookies) >= {"theirs", "ours"}


def test_rows_are_closed_when_a_middleware_fails_afterwards() -> None:
    rows = Rows(orders(ENDLESS))
    broken = wsgi_app(filling(lambda: rows), middleware=[Fails()])
    assert wsgi_get(over_http_1_1(broken)).status == 500
    assert rows.closed == 1
    rows = Rows(orders(ENDLESS))
    app = asgi_app(afilling(lambda: rows), middleware=[Fails()])
    assert asgi_get(with_defaults(app)).status == 500
    assert rows.closed == 1


def test_the_wrong_one_of_the_twins_is_a_500_and_opens_nothing() -> None:
    async def on_get(self: object, req: Any, resp: Any) -> None:
        ExportResponse(lambda: pytest.fail("opened")).fill(req, resp)

    assert asgi_get(with_defaults(asgi_app(on_get))).status == 500
    with pytest.raises(TypeError, match="afill"):
        ExportResponse([]).fill(falcon.Request(create_environ()), falcon.asgi.Response())


async def test_under_wsgi_there_is_nothing_to_await() -> None:
    with pytest.raises(TypeError, match=r"fill\(req, resp\)"):
        await ExportResponse([]).afill(None, falcon.Response())  # type: ignore[arg-type]
