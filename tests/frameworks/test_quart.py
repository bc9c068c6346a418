import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from children import ran
from fakes import Connection, Reply, Rows, asgi_get, failing, orders
from readers import csv_rows

pytest.importorskip("quart")

import quart  # where it is installed

import streamware as sw
from apps.built import with_defaults
from streamware.frameworks.quart import ExportResponse

ENDLESS = 10**9
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class Shop:
    """An application that keeps something in `g`, and tears it down.

    Attributes:
        events: What happened, in order.
    """

    def __init__(self, rows: Callable[[], Any]) -> None:
        self.events: list[Any] = []
        self.rows = rows
        self.app = quart.Quart(__name__)
        self.app.add_url_rule("/", "orders", self.orders)
        self.app.teardown_appcontext(self.tear_down)
        self.app.teardown_request(self.tear_request_down)

    async def orders(self) -> Any:
        quart.g.db = "db"
        return ExportResponse(self.read, format="csv")

    def read(self) -> Any:
        self.events.append(f"rows of {quart.g.db} for {quart.request.path}")
        yield from self.rows()

    async def tear_request_down(self, error: BaseException | None) -> None:
        self.events.append("request")

    async def tear_down(self, error: BaseException | None) -> None:
        self.events.append((quart.g.pop("db"), error))

    def get(self, **asked: Any) -> Reply:
        return asgi_get(with_defaults(self.app), **asked)


OPENED = "rows of db for /"


def test_the_contexts_are_there_until_the_rows_are_closed() -> None:
    shop = Shop(lambda: orders(50_000))
    assert len(csv_rows(shop.get().body)) == 50_000
    assert shop.events == [OPENED, "request", ("db", None)]


def test_the_contexts_are_torn_down_once_when_the_client_leaves() -> None:
    rows = Rows(orders(ENDLESS))
    shop = Shop(lambda: rows)
    shop.get(leave_after=1)
    assert shop.events == [OPENED, "request", ("db", None)]


def test_the_contexts_are_torn_down_once_for_head() -> None:
    shop = Shop(lambda: pytest.fail("opened"))
    assert shop.get(method="HEAD").status == 200
    assert shop.events == ["request", ("db", None)]


def test_the_contexts_are_torn_down_once_for_an_early_and_for_a_later_error() -> None:
    shop = Shop(lambda: failing(0))
    assert shop.get().status == 500
    assert shop.events == [OPENED, "request", ("db", None)]
    error = OSError("gone")
    shop = Shop(lambda: failing(100_000, error))
    assert shop.get().error is error
    assert shop.events == [OPENED, "request", ("db", error)]


def test_quarts_test_client_gets_all_of_it() -> None:
    shop = Shop(lambda: orders(50_000))

    async def get() -> Any:
        async with shop.app.test_client() as client:
            response = await client.get("/")
            return await response.get_data()

    assert len(csv_rows(asyncio.run(get()))) == 50_000


def test_rows_are_closed_when_a_function_after_the_request_fails() -> None:
    rows = Rows(orders(ENDLESS))
    shop = Shop(lambda: rows)

    async def fails(response: Any) -> Any:
        if response.status_code == 200:
            raise RuntimeError("after the request")
        return response

    shop.app.after_request(fails)
    assert shop.get().status == 500
    assert shop.events == [OPENED, "request", ("db", None)]


def test_a_function_after_the_request_sees_the_headers_and_adds_to_them() -> None:
    shop = Shop(lambda: orders(1))

    async def add(response: Any) -> Any:
        response.headers["X-Theirs"] = response.headers["Content-Type"]
        response.set_cookie("seen", "yes")
        return response

    shop.app.after_request(add)
    reply = shop.get()
    assert reply.headers["x-theirs"] == reply.headers["content-type"] == "text/csv; charset=utf-8"
    assert reply.headers["set-cookie"].startswith("seen=yes")


def test_the_status_and_headers_of_a_tuple_are_sent() -> None:
    app = quart.Quart(__name__)

    @app.get("/")
    def view() -> Any:  # on a thread
        response = ExportResponse([(1,)], format="csv", headers={"Vary": "Cookie"})
        return response, 203, {"X-Theirs": "1"}

    reply = asgi_get(with_defaults(app))
    assert (reply.status, reply.body, reply.headers["x-theirs"]) == (203, b"1\r\n", "1")
    assert reply.headers["vary"] == "Accept-Encoding, Cookie"


def test_a_response_that_is_not_returned_opens_nothing() -> None:
    app = quart.Quart(__name__)

    @app.get("/")
    async def view() -> Any:
        ExportResponse(lambda: pytest.fail("opened"))
        return "else"

    assert asgi_get(with_defaults(app)).body == b"else"


async def test_quarts_timeout_does_not_cut_it() -> None:
    app = quart.Quart(__name__)
    app.config["RESPONSE_TIMEOUT"] = 0.05

    async def rows() -> Any:
        yield (1,)
        await asyncio.sleep(0.2)
        yield (2,)

    app.add_url_rule("/", "orders", lambda: ExportResponse(rows, format="csv"))
    reply = await Connection().run(with_defaults(app))
    assert (reply.body, reply.complete) == (b"1\r\n2\r\n", True)


def test_an_export_itself_is_a_500() -> None:
    app = quart.Quart(__name__)

    @app.get("/")
    async def view() -> Any:
        return sw.Export(lambda: pytest.fail("opened"))

    assert asgi_get(with_defaults(app)).status == 500


async def test_it_cannot_be_made_outside_a_request() -> None:
    with pytest.raises(RuntimeError, match="request"):
        ExportResponse([])


def test_a_quart_whose_contexts_cannot_be_held_is_an_error_at_import() -> None:
    said = ran("""
import warnings; warnings.simplefilter("ignore")
import quart

class Other:
    pass

quart.Quart.app_context = lambda self: Other()
try:
    import streamware.frameworks.quart
except ImportError as error:
    print(error)
""").stdout
    assert "it was tested with Quart 0.19 to 0.22" in said


async def test_rows_that_fail_late_break_the_transfer_below_starlette_s_middlewares() -> None:
    # Quart never asks for the error of its task, which asyncio would log at any later time.
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    base: Any = pytest.importorskip("starlette.middleware.base")
    shop = Shop(lambda: failing(20_000))
    app: Any = with_defaults(shop.app)
    for _ in range(2):
        app = base.BaseHTTPMiddleware(app, lambda request, call_next: call_next(request))
    connection = Connection()
    reply = await connection.run(app)
    connection.leave()  # as it does when the transfer breaks; Quart's task waits for that
    await asyncio.sleep(0.05)
    assert (reply.status, reply.complete) == (200, False)
    assert len(csv_rows(reply.body)) > 10_000
