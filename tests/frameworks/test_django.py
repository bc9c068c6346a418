import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar
from wsgiref.validate import validator

import pytest
from werkzeug.test import Client

import streamware as sw
from readers import calamine_rows, csv_rows, xml_rows

django = pytest.importorskip("django")
httpx = pytest.importorskip("httpx")

from django.conf import settings  # noqa: E402 - where it is installed


class Urls:
    """Where a request goes; the tests put their views here."""

    urlpatterns: ClassVar[list[Any]] = []


settings.configure(
    ALLOWED_HOSTS=["*"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ""}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    ROOT_URLCONF=Urls,
)
django.setup()

from django.core.handlers.asgi import ASGIHandler  # noqa: E402 - they want the settings
from django.core.handlers.wsgi import WSGIHandler  # noqa: E402
from django.db import connection, connections, models  # noqa: E402
from django.http import StreamingHttpResponse  # noqa: E402
from django.urls import path  # noqa: E402

ROWS = 6000
READERS: dict[str, Callable[[bytes], list[Any]]] = {
    "csv": csv_rows,
    "xml": xml_rows,
    "xlsx": calamine_rows,
}
COLUMNS: list[str | sw.Column] = ["id", sw.Column("customer", "Customer"), "total"]
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class Order(models.Model):  # type: ignore[misc]
    customer = models.CharField(max_length=50)
    total = models.DecimalField(max_digits=10, decimal_places=2)

    class Meta:
        app_label = "shop"


@pytest.fixture(autouse=True)
def database(tmp_path: Path) -> Iterator[None]:
    connections.settings["default"]["NAME"] = str(tmp_path / "shop.sqlite3")
    with connection.schema_editor() as editor:
        editor.create_model(Order)
    Order.objects.bulk_create(
        [Order(id=at, customer=f"Åse {at}", total=at) for at in range(1, ROWS + 1)]
    )
    connections.close_all()
    yield
    Urls.urlpatterns.clear()
    connections.close_all()
    del connections["default"]


def orders() -> Iterator[tuple[Any, ...]]:
    """The pattern: the thread that reads the rows closes the connection that it opened for them."""
    try:
        yield from Order.objects.values_list("id", "customer", "total").iterator()
    finally:
        connections.close_all()


def view(make: Callable[[], Any]) -> Callable[[Any], Any]:
    """A view, synchronous or not as the rows of `make` are, that streams what it makes."""

    def respond(request: Any) -> Any:
        return StreamingHttpResponse(
            make(),
            content_type=XLSX,
            headers={"Content-Disposition": 'attachment; filename="orders.xlsx"'},
        )

    return respond


def under_wsgi(make: Callable[[], Any]) -> Any:
    Urls.urlpatterns[:] = [path("orders", view(make))]
    django.urls.clear_url_caches()
    return Client(validator(WSGIHandler()))


async def under_asgi(make: Callable[[], Any]) -> Any:
    async def aview(request: Any) -> Any:
        return view(make)(request)

    Urls.urlpatterns[:] = [path("orders", aview)]
    django.urls.clear_url_caches()
    transport = httpx.ASGITransport(ASGIHandler())
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get("/orders")


@pytest.mark.parametrize("format_", READERS)
def test_the_orm_is_streamed_under_wsgi(format_: str) -> None:
    client = under_wsgi(
        lambda: sw.encode(
            lambda: Order.objects.values_list("id", "customer", "total").iterator(),
            format_,
            columns=COLUMNS,
        )
    )
    response = client.get("/orders", buffered=True)
    assert response.status_code == 200
    assert len(READERS[format_](response.data)) == ROWS + (format_ != "xml")


@pytest.mark.parametrize("format_", READERS)
async def test_the_orm_is_streamed_under_asgi(format_: str) -> None:
    response = await under_asgi(lambda: sw.aencode(orders, format_, columns=COLUMNS))
    assert response.status_code == 200
    assert len(READERS[format_](response.content)) == ROWS + (format_ != "xml")


def test_values_are_rows_with_names() -> None:
    client = under_wsgi(lambda: sw.encode(Order.objects.values("id", "total"), "csv"))
    rows = csv_rows(client.get("/orders", buffered=True).data)
    assert rows[:2] == [["id", "total"], ["1", "1.00"]]


def test_objects_are_rows_with_attributes() -> None:
    client = under_wsgi(
        lambda: sw.encode(Order.objects.iterator, "csv", columns=["pk", "customer"])
    )
    rows = csv_rows(client.get("/orders", buffered=True).data)
    assert rows[:2] == [["pk", "customer"], ["1", "Åse 1"]]


async def test_an_async_query_is_streamed_under_asgi() -> None:
    def rows() -> AsyncIterator[Any]:
        query = Order.objects.filter(id__lte=500).values("id", "customer")
        return query.aiterator(chunk_size=100)  # type: ignore[no-any-return]

    response = await under_asgi(lambda: sw.aencode(rows, "csv"))
    assert len(csv_rows(response.content)) == 501


def test_the_rows_are_closed_when_the_client_leaves_under_wsgi() -> None:
    closed = []

    def rows() -> Iterator[Any]:
        try:
            yield from orders()
        finally:
            closed.append(threading.get_ident())

    response = under_wsgi(lambda: sw.encode(rows, "csv", columns=COLUMNS)).get("/orders")
    next(iter(response.response))
    assert closed == []
    response.close()
    assert closed == [threading.get_ident()]


async def left_after_the_first_chunk(rows: Callable[[], Any]) -> sw.AsyncEncoding:
    """What a view has streamed to a client that left, when Django is done with it."""
    left = asyncio.Event()
    messages = [{"type": "http.request", "body": b"", "more_body": False}]
    made = sw.aencode(rows, "csv", columns=COLUMNS)

    async def aview(request: Any) -> Any:
        return StreamingHttpResponse(made)

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop()
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message.get("body"):
            left.set()
            await asyncio.sleep(0)

    Urls.urlpatterns[:] = [path("orders", aview)]
    django.urls.clear_url_caches()
    scope = {"type": "http", "method": "GET", "path": "/orders", "headers": [], "query_string": b""}
    await ASGIHandler()(scope, receive, send)
    return made


async def test_the_rows_are_closed_when_the_client_leaves_under_asgi() -> None:
    opened: list[int] = []
    closed = threading.Event()

    def rows() -> Iterator[Any]:
        opened.append(threading.get_ident())
        try:
            yield from orders()
        finally:
            assert opened == [threading.get_ident()]
            closed.set()

    made = await left_after_the_first_chunk(rows)
    try:
        assert await asyncio.to_thread(closed.wait, 1)
    finally:
        await made.aclose()


async def test_no_connection_is_left_open_by_the_thread_of_an_export() -> None:
    opened: list[object] = []

    def rows() -> Iterator[Any]:
        yield from orders()
        opened.extend(each.connection for each in connections.all(initialized_only=True))

    await under_asgi(lambda: sw.aencode(rows, "csv", columns=COLUMNS))
    assert opened == [None]


def test_an_export_in_a_streaming_response_is_refused() -> None:
    with pytest.raises((AttributeError, TypeError), match="Export"):
        StreamingHttpResponse(sw.Export(Order.objects.values("id")))
