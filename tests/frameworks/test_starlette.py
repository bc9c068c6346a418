import asyncio
import gzip
import sqlite3
import threading
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest

import streamware as sw
from readers import calamine_rows, csv_rows, xml_rows

httpx = pytest.importorskip("httpx")
pytest.importorskip("starlette")

from starlette.applications import Starlette  # noqa: E402 - where it is installed
from starlette.background import BackgroundTask  # noqa: E402
from starlette.middleware import Middleware  # noqa: E402
from starlette.middleware.base import BaseHTTPMiddleware  # noqa: E402
from starlette.middleware.gzip import GZipMiddleware  # noqa: E402
from starlette.requests import Request  # noqa: E402
from starlette.routing import Mount, Route  # noqa: E402

from streamware.frameworks.starlette import ExportResponse  # noqa: E402

ROWS = 6000
ROW_LIST = [{"a": 1}]
READERS: dict[str, Callable[[bytes], list[Any]]] = {
    "csv": csv_rows,
    "xml": xml_rows,
    "xlsx": calamine_rows,
}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "orders.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table orders (id, customer)")
        some = ((at, f"Åse {at}") for at in range(ROWS))
        connection.executemany("insert into orders values (?, ?)", some)
        connection.commit()
    return path


def application(make: Callable[[], object], *middleware: Middleware) -> Starlette:
    """One view at /orders that returns what `make` makes."""

    async def orders(request: Request) -> Any:
        return make()

    return Starlette(routes=[Route("/orders", orders)], middleware=middleware)


async def get(
    app: Any,
    url: str = "/orders?format=csv",
    method: str = "GET",
    headers: Any = None,
    **options: Any,
) -> Any:
    transport = httpx.ASGITransport(app, **options)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.request(method, url, headers=headers)


@pytest.mark.parametrize("format_", ["csv", "xml", "xlsx"])
async def test_a_cursor_opened_by_a_callable(database: Path, format_: str) -> None:
    def rows() -> Iterator[tuple[int, str]]:
        with closing(sqlite3.connect(database)) as connection:
            yield from connection.execute("select * from orders")

    app = application(lambda: sw.Export(rows, columns=["id", "customer"]))
    data = (await get(app, f"/orders?format={format_}")).content
    assert len(READERS[format_](data)) == ROWS + (format_ != "xml")


async def test_a_cursor_returned_by_a_callable_gives_its_columns(database: Path) -> None:
    with closing(sqlite3.connect(database, check_same_thread=False)) as connection:
        query = "select * from orders limit 2"
        response = await get(application(lambda: sw.Export(lambda: connection.execute(query))))
    assert csv_rows(response.content) == [["id", "customer"], ["0", "Åse 0"], ["1", "Åse 1"]]


async def test_six_downloads_at_once_have_a_thread_each(database: Path) -> None:
    threads = set()

    def rows() -> Iterator[tuple[int, str]]:
        threads.add(threading.get_ident())
        together.wait()
        with closing(sqlite3.connect(database)) as connection:
            yield from connection.execute("select * from orders")

    together = threading.Barrier(6, timeout=10)
    app = application(lambda: sw.Export(rows, columns=["id", "customer"]))
    responses = await asyncio.gather(*(get(app) for _ in range(6)))
    assert [len(csv_rows(response.content)) for response in responses] == [ROWS + 1] * 6
    assert len(threads) == 6
    assert threading.get_ident() not in threads


async def test_a_cursor_opened_on_the_loop_is_refused_by_name(database: Path) -> None:
    with (
        closing(sqlite3.connect(database)) as connection,
        closing(connection.execute("select * from orders")) as cursor,
    ):
        app = application(lambda: sw.Export(cursor))
        with pytest.raises(sw.StateError, match="a callable that opens them, such as Export"):
            await get(app)
        response = await get(app, raise_app_exceptions=False)
    assert response.status_code == 500


@pytest.mark.parametrize("format_", ["csv", "xml", "xlsx"])
async def test_an_async_generator_over_aiosqlite(database: Path, format_: str) -> None:
    aiosqlite = pytest.importorskip("aiosqlite")

    async def rows() -> AsyncIterator[Any]:
        async with (
            aiosqlite.connect(database) as connection,
            connection.execute("select * from orders") as cursor,
        ):
            async for row in cursor:
                yield row

    app = application(lambda: sw.Export(rows(), columns=["id", "customer"]))
    data = (await get(app, f"/orders?format={format_}")).content
    assert len(READERS[format_](data)) == ROWS + (format_ != "xml")


async def test_the_connection_of_aiosqlite_is_closed_when_the_client_leaves(database: Path) -> None:
    aiosqlite = pytest.importorskip("aiosqlite")
    closed = asyncio.Event()

    async def rows() -> AsyncIterator[Any]:
        try:
            async with (
                aiosqlite.connect(database) as connection,
                connection.execute("select * from orders") as cursor,
            ):
                async for row in cursor:
                    yield row
        finally:
            closed.set()

    left = asyncio.Event()
    sent = []

    async def receive() -> dict[str, Any]:
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message["type"])
        left.set()

    scope = {"type": "http", "method": "GET", "headers": [], "query_string": b""}
    await sw.Export(rows, columns=["id", "customer"]).asgi(scope, receive, send)
    assert closed.is_set()
    assert sent[0] == "http.response.start"
    assert len(sent) < 5


async def test_the_context_of_the_request_is_there_while_rows_are_read() -> None:
    tenant: ContextVar[str] = ContextVar("tenant")

    def rows() -> Iterator[tuple[str]]:
        for at in range(2000):
            yield (f"{tenant.get()} {at}",)

    def make() -> sw.Export:
        tenant.set("Åse")
        return sw.Export(rows, format="csv")

    data = (await get(application(make))).content
    assert csv_rows(data)[-1] == ["Åse 1999"]


async def test_an_iterator_is_good_for_one_request_and_a_callable_for_many() -> None:
    once = sw.Export(iter([(1,)]), format="csv")
    again = sw.Export(lambda: iter([(1,)]), format="csv")
    app = Starlette(routes=[Mount("/once", once.asgi), Mount("/again", again.asgi)])
    assert [(await get(app, "/again/")).content for _ in range(3)] == [b"1\r\n"] * 3
    assert (await get(app, "/once/")).content == b"1\r\n"
    with pytest.raises(sw.StateError, match="a callable that opens them"):
        await get(app, "/once/")


async def test_head_opens_nothing() -> None:
    app = application(lambda: sw.Export(lambda: pytest.fail("opened"), format="csv"))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        response = await client.head("/orders")
    assert response.status_code == 200
    assert "export.csv" in response.headers["content-disposition"]


async def test_a_view_that_is_no_coroutine_returns_an_export_too() -> None:
    app = Starlette(routes=[Route("/orders", lambda request: sw.Export([{"a": 1}], format="csv"))])
    assert csv_rows((await get(app)).content) == [["a"], ["1"]]


async def test_a_response_is_a_download() -> None:
    app = application(lambda: ExportResponse(ROW_LIST, filename="orders", columns=["a"]))
    response = await get(app)
    assert csv_rows(response.content) == [["a"], ["1"]]
    assert "orders.csv" in response.headers["content-disposition"]


async def test_status_headers_and_cookies_of_a_response_are_sent() -> None:
    def make() -> ExportResponse:
        made = ExportResponse(ROW_LIST, status_code=203, headers={"X-Ours": "Åse"})
        assert (made.status_code, made.headers["x-ours"]) == (203, "Åse")
        made.headers["Cache-Control"] = "private, max-age=60"
        made.headers["Vary"] = "Cookie"
        made.set_cookie("seen", "yes")
        made.set_cookie("and", "so")
        return made

    response = await get(application(make))
    assert response.status_code == 203
    assert response.headers["x-ours"] == "Åse"
    assert response.headers.get_list("cache-control") == ["private, max-age=60"]
    assert response.headers["vary"] == "Accept, Accept-Encoding, Cookie"
    assert len(response.headers.get_list("set-cookie")) == 2


async def test_the_status_may_be_set_later() -> None:
    def make() -> ExportResponse:
        made = ExportResponse(ROW_LIST)
        made.status_code = 202
        return made

    assert (await get(application(make))).status_code == 202


async def test_an_export_in_a_response_keeps_its_status() -> None:
    app = application(lambda: ExportResponse(sw.Export(ROW_LIST, status=203)))
    assert (await get(app)).status_code == 203


async def test_a_406_has_none_of_the_download_s_headers() -> None:
    app = application(
        lambda: ExportResponse(ROW_LIST, status_code=203, headers={"Content-Type": "text/csv"})
    )
    response = await get(app, "/orders?format=pdf")
    assert response.status_code == 406
    assert response.headers["content-type"].startswith("text/plain")
    assert int(response.headers["content-length"]) == len(response.content)


@pytest.mark.parametrize("name", ["Content-Length", "Content-Encoding"])
async def test_a_header_that_only_the_export_knows_is_refused(name: str) -> None:
    def make() -> ExportResponse:
        made = ExportResponse(ROW_LIST)
        made.headers[name] = "5"
        return made

    with pytest.raises(ValueError, match="the export sets it"):
        await get(application(make))
    with pytest.raises(ValueError, match="the export sets it"):
        ExportResponse(ROW_LIST, headers={name: "5"})


async def test_the_background_task_runs_after_the_rows_unless_they_fail() -> None:
    events: list[str] = []

    def rows(fail: bool) -> Iterator[Any]:
        yield from ROW_LIST
        events.append("rows")
        if fail:
            raise OSError("no disk")

    def make(fail: bool) -> ExportResponse:
        task = BackgroundTask(events.append, "task")
        return ExportResponse(lambda: rows(fail), background=task)

    await get(application(lambda: make(False)))
    await get(application(lambda: make(True)), raise_app_exceptions=False)
    assert events == ["rows", "task", "rows"]


async def test_head_opens_nothing_of_a_response() -> None:
    app = application(lambda: ExportResponse(lambda: pytest.fail("opened"), format="csv"))
    response = await get(app, method="HEAD")
    assert response.status_code == 200
    assert "export.csv" in response.headers["content-disposition"]


async def test_a_response_passes_a_middleware_that_wraps_it() -> None:
    async def dispatch(request: Request, call_next: Any) -> Any:
        response = await call_next(request)
        response.headers["X-Seen"] = "yes"
        return response

    app = application(lambda: ExportResponse(ROW_LIST), Middleware(BaseHTTPMiddleware, dispatch))
    response = await get(app)
    assert response.headers["x-seen"] == "yes"
    assert csv_rows(response.content) == [["a"], ["1"]]


GZIPPED = Middleware(GZipMiddleware, minimum_size=1)
GZIP = {"Accept-Encoding": "gzip"}


@pytest.mark.parametrize("compress", ["auto", "off"])
@pytest.mark.parametrize("format_", READERS)
async def test_nothing_is_lost_below_the_gzip_middleware(format_: str, compress: Any) -> None:
    rows = [(at, f"Åse {at}") for at in range(ROWS)]

    def make() -> ExportResponse:
        return ExportResponse(rows, columns=["id", "customer"], format=format_, compress=compress)

    coded = await get(application(make, GZIPPED), "/orders", headers=GZIP)
    plain = await get(application(make), "/orders")
    assert coded.headers.get_list("content-encoding") == ["gzip"]
    assert "Accept-Encoding" in coded.headers["vary"]
    assert coded.content == plain.content
    assert len(READERS[format_](coded.content)) == ROWS + (format_ != "xml")


@pytest.mark.slow
async def test_a_slow_source_is_sent_on_by_the_gzip_middleware() -> None:
    sent: list[bytes] = []
    seen = threading.Event()

    def rows() -> Iterator[Any]:
        yield from ([at] for at in range(100))
        assert seen.wait(5)
        yield [100]

    async def receive() -> Any:
        return await asyncio.Event().wait()

    async def send(message: Any) -> None:
        if body := message.get("body"):
            sent.append(body)
            if b"99\r\n" in zlib.decompressobj(31).decompress(b"".join(sent)):
                seen.set()

    app = application(lambda: ExportResponse(rows, columns=["a"], compress="off"), GZIPPED)
    scope = {"type": "http", "method": "GET", "path": "/orders", "query_string": b"format=csv"}
    await app({**scope, "headers": [(b"accept-encoding", b"gzip")]}, receive, send)
    assert gzip.decompress(b"".join(sent)).endswith(b"99\r\n100\r\n")


async def test_a_failure_below_the_gzip_middleware_breaks_the_transfer() -> None:
    def rows() -> Iterator[Any]:
        yield from ([at] for at in range(50_000))
        raise OSError("the disk is gone")

    app = application(lambda: ExportResponse(rows, columns=["a"], compress="off"), GZIPPED)
    with pytest.raises(OSError, match="the disk is gone"):
        await get(app, headers=GZIP)
