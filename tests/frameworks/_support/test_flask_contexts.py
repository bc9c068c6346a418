"""Flask's contexts are torn down as for a plain response: once, in the request's own Context."""

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client, create_environ, run_wsgi_app

import streamware as sw
from fakes import PATIENCE
from readers import csv_rows

flask = pytest.importorskip("flask")

from streamware.frameworks.flask import ExportResponse  # noqa: E402 - where it is installed

REPOSITORY = Path(__file__).parents[3]
ROWS = 3000
TENANT: ContextVar[str] = ContextVar("tenant", default="none")
DELIVERIES = pytest.mark.parametrize("delivery", ["stream", "buffer", "spool", "auto"])
pytestmark = pytest.mark.usefixtures("scratch_dir")


def plain(rows: Callable[[], Iterator[Any]], **_: Any) -> Any:
    return flask.Response(f"{at}\n" for at in range(ROWS))


class App:
    """An application with every kind of function around its view, and what they have seen.

    Attributes:
        events: What happened, in order; each with the tenant, and whether `request` was there.
    """

    def __init__(self, make: Callable[..., Any] = sw.Export, **options: Any) -> None:
        self.events: list[object] = []
        self.failing: set[str] = set()
        self.app = flask.Flask(__name__)
        self.app.config["PROPAGATE_EXCEPTIONS"] = False
        pages = flask.Blueprint("pages", __name__)
        pages.teardown_request(self.teardown("pages"))
        pages.add_url_rule("/orders", view_func=lambda: make(self.rows, **options))
        self.app.register_blueprint(pages)
        self.app.before_request(self.before)
        for kind in ("request", "appcontext"):
            for number in (3, 2, 1):  # Flask calls the last one first
                register = getattr(self.app, f"teardown_{kind}")
                register(self.teardown(f"{kind} {number}"))
        self.app.teardown_request(self.reset)
        self.client = Client(self.app)

    def before(self) -> None:
        flask.g.token = TENANT.set("acme")
        flask.g.name = "Ada"

    def reset(self, error: BaseException | None) -> None:
        TENANT.reset(flask.g.token)

    def teardown(self, name: str) -> Callable[[BaseException | None], None]:
        def function(error: BaseException | None) -> None:
            self.events.append(name)
            if name in self.failing:
                raise OSError(name)

        return function

    def rows(self) -> Iterator[Any]:
        self.events.append(f"rows of {TENANT.get()} for {flask.g.name} at {flask.request.path}")
        for at in range(ROWS):
            yield at, flask.g.name
        self.events.append("last row")

    def get(self) -> bytes:
        data: bytes = self.client.get("/orders", buffered=True).data
        return data


ROWS_READ = ["rows of acme for Ada at /orders", "last row"]
TORN_DOWN = [
    "pages",
    *(f"{kind} {number}" for kind in ("request", "appcontext") for number in (1, 2, 3)),
]


@DELIVERIES
@pytest.mark.parametrize("make", [sw.Export, ExportResponse])
def test_a_variable_that_was_set_before_the_view_is_reset_and_every_function_runs_once(
    make: Any, delivery: Any, caplog: pytest.LogCaptureFixture
) -> None:
    shop = App(make, format="csv", delivery=delivery)
    for _ in range(3):
        assert len(csv_rows(shop.get())) == ROWS
        assert TENANT.get() == "none"
        assert shop.events == ROWS_READ + TORN_DOWN
        shop.events.clear()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_plain_response_is_the_same() -> None:
    shop = App(plain)
    assert len(csv_rows(shop.get())) == ROWS
    assert (TENANT.get(), shop.events) == ("none", TORN_DOWN)


@DELIVERIES
def test_it_is_the_same_inside_our_middleware_and_around_the_application(delivery: Any) -> None:
    for around in (True, False):
        shop = App(format="csv", delivery=delivery)
        if around:
            shop.client = Client(sw.WSGIMiddleware(shop.app))
        else:
            shop.app.wsgi_app = sw.WSGIMiddleware(shop.app.wsgi_app)
        assert len(csv_rows(shop.get())) == ROWS
        assert (TENANT.get(), shop.events) == ("none", ROWS_READ + TORN_DOWN)


@DELIVERIES
def test_it_is_the_same_when_the_client_leaves(delivery: Any) -> None:
    shop = App(format="csv", delivery=delivery)
    response = shop.client.get("/orders")
    next(iter(response.response))
    response.close()
    assert TENANT.get() == "none"
    assert shop.events[0] == ROWS_READ[0]
    assert shop.events[-len(TORN_DOWN) :] == TORN_DOWN


@pytest.mark.parametrize("delivery", ["stream", "buffer"])
def test_every_teardown_function_runs_even_if_one_before_it_fails(
    delivery: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(sender: Any, **_: Any) -> None:
        raise ValueError("a receiver")

    shop = App(format="csv", delivery=delivery)
    shop.failing = {"request 1", "appcontext 1", "appcontext 2"}
    with (
        flask.request_tearing_down.connected_to(fail, shop.app),
        flask.appcontext_tearing_down.connected_to(fail, shop.app),
    ):
        assert len(csv_rows(shop.get())) == ROWS
    assert (TENANT.get(), shop.events) == ("none", ROWS_READ + TORN_DOWN)
    errors = [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]
    assert len(errors) in (5, 2)  # each, or those of request and application (Flask 3.2)
    assert all(text.startswith("the teardown of a Flask request failed in ") for text in errors)


def test_rows_that_fail_are_told_to_the_teardown_functions() -> None:
    told = list[type]()

    def rows() -> Iterator[Any]:
        yield from ((at,) for at in range(ROWS))
        raise OSError("the disk is gone")

    for delivery in ("stream", "buffer"):
        shop = App(lambda _, d=delivery: sw.Export(rows, format="csv", delivery=d))
        shop.app.teardown_request(lambda error: told.append(type(error)))
        shop.app.teardown_appcontext(lambda error: told.append(type(error)))
        with pytest.raises(OSError, match="the disk is gone"):
            shop.get()
        assert TENANT.get() == "none"
    assert told == [OSError] * 4


def test_a_server_that_changes_threads_has_every_function_run_in_a_copy() -> None:
    shop = App(format="csv")
    body, failures = list[Any](), list[BaseException]()

    def step(call: Callable[[], Any]) -> Any:
        def run() -> None:
            try:
                body.append(call())
            except StopIteration:
                body.append(None)
            except BaseException as error:  # noqa: BLE001
                failures.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join(PATIENCE)
        return body[-1]

    environ = create_environ("/orders")
    chunks = iter(step(lambda: shop.app(environ, lambda *_: lambda _: None)))
    while step(lambda: next(chunks)) is not None:
        pass
    step(chunks.close)
    assert not failures
    reset = shop.events.index("last row") + 1
    assert shop.events[reset:] == TORN_DOWN


def test_rows_may_use_stream_with_context() -> None:
    shop = App(
        lambda rows, **_: sw.Export(flask.stream_with_context(rows()), format="csv"),
    )
    for _ in range(2):
        assert len(csv_rows(shop.get())) == ROWS
        assert (TENANT.get(), shop.events) == ("none", ROWS_READ + TORN_DOWN)
        assert not flask.has_app_context()
        shop.events.clear()


def test_a_test_client_keeps_the_context_and_it_is_torn_down_once() -> None:
    shop = App(format="csv")
    if version("flask") < "3.1.2":
        pytest.skip("this Flask gives the test client's block another g")
    with shop.app.test_client() as client:
        assert len(csv_rows(client.get("/orders").data)) == ROWS
        assert flask.request.path == "/orders"
    assert shop.events.count("request 1") == shop.events.count("appcontext 1") == 1
    assert not flask.has_app_context()


def test_a_request_context_around_an_export_is_torn_down_by_who_pushed_it() -> None:
    shop = App()
    with shop.app.test_request_context("/orders"):
        shop.before()
        rows = [(1, "a")]
        data = b"".join(run_wsgi_app(sw.Export(rows, format="csv"), create_environ("/"))[0])
        assert data == b"1,a\r\n"
        assert shop.events == []
        assert flask.g.name == "Ada"
    assert shop.events == TORN_DOWN


def test_responses_that_are_open_at_a_time_share_nothing() -> None:
    shop = App(format="csv")
    shop.app.before_request_funcs.clear()
    seen = list[bool]()

    @shop.app.before_request  # type: ignore[untyped-decorator]
    def before() -> None:
        seen.append("name" in flask.g)
        shop.before()

    first = shop.client.get("/orders")
    assert not flask.has_app_context()
    shop.app.teardown_request_funcs[None].clear()  # reset in another order than set
    shop.client.get("/orders", buffered=True)
    first.close()
    assert seen == [False, False]
    TENANT.set("none")


def test_an_application_beside_another_tears_down_its_own() -> None:
    shop, other = App(format="csv"), App(format="csv")
    client = Client(DispatcherMiddleware(shop.app, {"/other": other.app}))
    data = client.get("/other/orders", buffered=True).data
    assert len(csv_rows(data)) == ROWS
    assert (shop.events, other.events) == ([], ROWS_READ + TORN_DOWN)
    assert TENANT.get() == "none"


def test_an_application_with_its_own_teardown_has_that_called() -> None:
    called = list[str]()

    class Own(flask.Flask):  # type: ignore[name-defined,misc]  # flask is imported late
        def do_teardown_request(self, *args: Any) -> None:
            called.append("request")
            super().do_teardown_request(*args)

        def do_teardown_appcontext(self, *args: Any) -> None:
            called.append("appcontext")
            super().do_teardown_appcontext(*args)

    app = Own(__name__)
    app.teardown_request(lambda _: called.append("function"))
    app.add_url_rule("/", view_func=lambda: sw.Export([(1,)], format="csv"))
    assert Client(app).get("/", buffered=True).data == b"1\r\n"
    assert called == ["request", "function", "appcontext"]


def test_signals_are_sent_once_and_in_the_order_of_flask() -> None:
    shop, sent = App(format="csv"), list[str]()
    names = ("request_tearing_down", "appcontext_tearing_down", "appcontext_popped")
    receivers = [lambda *_, n=name, **__: sent.append(n) for name in names]
    for name, receiver in zip(names, receivers, strict=True):
        getattr(flask, name).connect(receiver, shop.app)
    shop.get()
    assert sent == list(names)


def test_a_flask_without_the_hook_is_an_error_at_import_that_names_the_versions() -> None:
    script = """
import flask.ctx

class Other(flask.ctx.AppContext):
    __slots__ = ()
    def __setattr__(self, name, value):
        super().__setattr__(name.replace("_cv_token", "_other").replace("_push", "_other"), value)

flask.Flask.app_context = lambda self: Other(self)
try:
    import streamware.frameworks.flask
except ImportError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert "it was tested with Flask 2.3 to 3.1" in done.stdout, done.stderr
    assert "pip install" in done.stdout
