import asyncio
import gc
import gzip
from typing import Any

import pytest

import streamware as sw
from fakes import Connection, Rows, asgi_get, failing, orders
from readers import calamine_rows, csv_rows

pytest.importorskip("litestar")

from litestar import Litestar, get, post, route
from litestar.background_tasks import BackgroundTask
from litestar.config.compression import CompressionConfig
from litestar.di import Provide
from litestar.types import ASGIApp

from apps.built import with_defaults
from streamware.frameworks.litestar import ExportResponse

# Litestar warns of what is to change in its next version.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
ROWS = [{"id": 1, "name": "Åse"}, {"id": 2, "name": "Bo"}]


def app_of(handler: Any, **options: Any) -> Any:
    return with_defaults(Litestar([handler], logging_config=None, **options))


def test_headers_and_cookies_of_the_response_and_its_layers_are_sent() -> None:
    @get("/", response_headers={"X-Handler": "1"})
    async def orders() -> ExportResponse:
        response = ExportResponse(ROWS, format="csv", headers={"X-Ours": "2", "Vary": "Cookie"})
        response.set_header("Cache-Control", "private, max-age=60")
        response.set_cookie("seen", "yes")
        return response

    headers = asgi_get(app_of(orders)).headers
    assert (headers["x-handler"], headers["x-ours"]) == ("1", "2")
    assert headers["cache-control"] == "private, max-age=60"
    assert headers["vary"] == "Accept-Encoding, Cookie"
    assert headers["set-cookie"].startswith("seen=yes")
    assert headers["content-type"] == "text/csv; charset=utf-8"


def test_the_status_of_the_handler_holds() -> None:
    @post("/")
    async def made() -> ExportResponse:
        return ExportResponse(ROWS)

    assert asgi_get(app_of(made), method="POST").status == 201


def test_the_background_task_runs_after_the_rows_are_closed() -> None:
    events: list[str] = []

    def rows() -> Any:
        yield from ROWS
        events.append("rows")

    @get("/")
    async def orders() -> ExportResponse:
        task = BackgroundTask(events.append, "task")
        return ExportResponse(rows, background=task, on_done=lambda receipt: events.append("done"))

    asgi_get(app_of(orders))
    assert events == ["rows", "done", "task"]


def test_a_dependency_ends_before_the_rows_as_it_does_in_litestar() -> None:
    events: list[str] = []

    async def session() -> Any:
        yield "session"
        events.append("session ended")

    @get("/", dependencies={"db": Provide(session)})
    async def orders(db: Any) -> ExportResponse:
        def rows() -> Any:
            yield from ROWS
            events.append("rows")

        return ExportResponse(rows)

    asgi_get(app_of(orders))
    assert events == ["session ended", "rows"]


def test_an_export_itself_works_where_the_handler_says_that_it_is_an_application() -> None:
    rows = Rows(orders(3))

    @route("/", http_method=["GET", "HEAD"])
    async def export() -> ASGIApp:
        return sw.Export(lambda: rows, format="csv")

    assert csv_rows(asgi_get(app_of(export)).body)[-1] == ["2", "order 2"]
    assert asgi_get(app_of(export), method="HEAD").body == b""
    assert rows.closed == 1


def test_an_export_itself_is_a_500_elsewhere_and_the_log_says_what_to_return(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @get("/")
    async def export() -> sw.Export:
        return sw.Export(lambda: pytest.fail("opened"))

    errors: list[BaseException] = []

    async def note(error: Exception, scope: Any) -> None:
        errors.append(error)

    reply = asgi_get(app_of(export, after_exception=[note]))
    assert reply.status == 500
    assert "Export" in str(errors[0].__cause__)
    errors.clear()
    said = caplog.text
    caplog.clear()
    gc.collect()
    assert "returns streamware.frameworks.litestar.ExportResponse" in said + caplog.text


def test_the_description_of_the_api_holds_it() -> None:
    @get("/orders")
    async def orders() -> ExportResponse:
        return ExportResponse(ROWS)

    app = Litestar([orders], logging_config=None)
    assert app.openapi_schema.paths is not None
    assert "/orders" in app.openapi_schema.paths


# Litestar's compression, which leaves nothing alone


def decoded(coding: str, body: bytes) -> bytes:
    if coding == "br":
        return bytes(pytest.importorskip("brotli").decompress(body))
    return gzip.decompress(body)


@pytest.mark.parametrize("backend", ["gzip", "brotli"])
@pytest.mark.parametrize("delivery", ["stream", "buffer", "spool"])
@pytest.mark.parametrize("format_", ["csv", "xlsx"])
@pytest.mark.parametrize("accepted", ["gzip", "gzip, br"])
def test_litestar_compresses_what_is_not_compressed_yet(
    backend: Any, delivery: Any, format_: str, accepted: str
) -> None:
    if backend == "brotli":
        pytest.importorskip("brotli")

    @get("/")
    async def orders_() -> ExportResponse:
        return ExportResponse(lambda: orders(3000), format=format_, delivery=delivery)

    @get("/bare")
    async def bare() -> ASGIApp:
        return sw.Export(lambda: orders(3000), format=format_, delivery=delivery)

    app = Litestar(
        [orders_, bare],
        logging_config=None,
        compression_config=CompressionConfig(backend=backend),
    )
    for path in ("/", "/bare"):
        connection = Connection(headers={"Accept-Encoding": accepted})
        connection.scope["path"] = path
        reply = asyncio.run(connection.run(with_defaults(app)))
        coding = "br" if (backend, accepted) == ("brotli", "gzip, br") else "gzip"
        assert reply.headers["content-encoding"] == coding
        assert "Accept-Encoding" in reply.headers["vary"] or format_ == "xlsx"
        data = decoded(coding, reply.body)
        assert len(csv_rows(data) if format_ == "csv" else calamine_rows(data)) == 3000


def test_a_client_that_takes_no_coding_gets_none_of_litestar_either() -> None:
    @get("/")
    async def orders_() -> ExportResponse:
        return ExportResponse(ROWS, format="csv")

    app = app_of(orders_, compression_config=CompressionConfig(backend="gzip"))
    reply = asgi_get(app)
    assert "content-encoding" not in reply.headers
    assert len(csv_rows(reply.body)) == 3


def test_without_its_compression_ours_remains() -> None:
    @get("/")
    async def orders_() -> ExportResponse:
        return ExportResponse(ROWS, format="csv")

    reply = asgi_get(app_of(orders_), headers={"Accept-Encoding": "gzip"})
    assert reply.headers["content-encoding"] == "gzip"
    assert len(csv_rows(gzip.decompress(reply.body))) == 3


def test_rows_that_fail_late_are_cut_when_litestar_compresses() -> None:
    @get("/")
    async def orders_() -> ExportResponse:
        return ExportResponse(failing(20_000), format="csv")

    app = app_of(orders_, compression_config=CompressionConfig(backend="gzip"))
    reply = asgi_get(app, headers={"Accept-Encoding": "gzip"})
    assert (reply.status, reply.complete) == (200, False)
    assert reply.error is not None
