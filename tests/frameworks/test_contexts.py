"""What the frameworks keep for a request, as the rows of its export see it: docs/contexts.md."""

import decimal
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from typing import Any

import pytest

import streamware as sw
from apps.built import with_defaults
from fakes import asgi_get, orders
from readers import csv_rows

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")


class Log(list[str]):
    """What happened, in order."""

    def rows(self) -> Iterator[Any]:
        yield from orders(3000)
        self.append("rows read")

    async def arows(self) -> AsyncIterator[Any]:
        for order in self.rows():
            yield order


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture(params=["rows", "arows"])
def rows(request: pytest.FixtureRequest, log: Log) -> Any:
    return getattr(log, request.param)


def test_a_dependency_of_fastapi_lives_until_the_rows_are_read(log: Log, rows: Any) -> None:
    fastapi = pytest.importorskip("fastapi")
    from streamware.frameworks.fastapi import ExportResponse

    app = fastapi.FastAPI()

    async def session() -> AsyncIterator[str]:
        log.append("opened")
        yield "session"
        log.append("closed")

    depends = fastapi.Depends(session)

    @app.get("/")  # type: ignore[untyped-decorator]  # it is any
    async def view(opened: Any = depends) -> Any:
        return ExportResponse(rows, format="csv")

    assert asgi_get(with_defaults(app)).complete
    assert log == ["opened", "rows read", "closed"]


def test_a_background_task_of_starlette_runs_once_after_the_download(log: Log, rows: Any) -> None:
    background = pytest.importorskip("starlette.background")
    from streamware.frameworks.starlette import ExportResponse

    task = background.BackgroundTask(log.append, "task")
    response = ExportResponse(
        rows, format="csv", background=task, on_done=lambda receipt: log.append(receipt.outcome)
    )
    assert asgi_get(with_defaults(response)).complete
    assert log == ["rows read", "complete", "task"]


def test_litestar_calls_after_response_when_the_rows_are_read(log: Log, rows: Any) -> None:
    litestar = pytest.importorskip("litestar")
    from streamware.frameworks.litestar import ExportResponse

    async def after(request: Any) -> None:
        log.append("after response")

    async def view() -> ExportResponse:
        return ExportResponse(rows, format="csv")

    handler = litestar.get("/", after_response=after)(view)
    app = litestar.Litestar([handler], logging_config=None)
    assert asgi_get(with_defaults(app)).complete
    assert log == ["rows read", "after response"]


def test_process_response_of_falcon_runs_when_the_first_chunk_is_made(log: Log, rows: Any) -> None:
    pytest.importorskip("falcon.asgi")
    import falcon.asgi

    from streamware.frameworks.falcon import ExportResponse

    class Middleware:
        async def process_response(self, req: Any, resp: Any, resource: Any, done: bool) -> None:
            log.append("process_response")

    class Orders:
        async def on_get(self, req: Any, resp: Any) -> None:
            await ExportResponse(rows, format="csv").afill(req, resp)

    app = falcon.asgi.App(middleware=[Middleware()])
    app.add_route("/", Orders())
    assert asgi_get(with_defaults(app)).complete
    assert log == ["process_response", "rows read"]


@pytest.mark.parametrize("kind", ["rows", "async rows"])
def test_rows_have_the_contexts_of_quart(kind: str) -> None:
    quart = pytest.importorskip("quart")
    from streamware.frameworks.quart import ExportResponse

    app = quart.Quart("shop")
    app.secret_key = "for tests only"

    def seen() -> Iterator[Any]:
        for _ in range(3000):
            yield quart.current_app.name, quart.g.user, quart.session["cart"], quart.request.path

    async def aseen() -> AsyncIterator[Any]:
        for row in seen():
            yield row

    @app.get("/")  # type: ignore[untyped-decorator]  # it is any
    async def view() -> Any:
        quart.g.user, quart.session["cart"] = "ann", "full"
        return ExportResponse(seen if kind == "rows" else aseen, format="csv")

    reply = asgi_get(with_defaults(app))
    assert {tuple(row) for row in csv_rows(reply.body)} == {("shop", "ann", "full", "/")}


@pytest.mark.parametrize("kind", ["rows", "async rows"])
def test_rows_see_context_variables_and_keep_their_changes(kind: str) -> None:
    after = list[Any]()

    def seen() -> Iterator[Any]:
        decimal.setcontext(decimal.Context(prec=4))
        for _ in range(3000):
            yield REQUEST_ID.get(), str(decimal.Decimal(1) / 3)
        REQUEST_ID.set("changed by the rows")

    async def aseen() -> AsyncIterator[Any]:
        for row in seen():
            yield row

    async def app(scope: Any, receive: Any, send: Any) -> None:
        REQUEST_ID.set("42")
        export = sw.Export(seen if kind == "rows" else aseen, format="csv")
        await export(scope, receive, send)
        after.extend([REQUEST_ID.get(), decimal.getcontext().prec])

    reply = asgi_get(app)
    assert {tuple(row) for row in csv_rows(reply.body)} == {("42", "0.3333")}
    assert after == ["42", decimal.DefaultContext.prec]
