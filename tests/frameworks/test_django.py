import asyncio
import gc
import io
import threading
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from wsgiref.validate import validator
from zoneinfo import ZoneInfo

import pytest
from werkzeug.test import Client

import streamware as sw
from readers import calamine_rows, csv_rows, xml_rows
from streamware.http.admission import admission

django = pytest.importorskip("django")
httpx = pytest.importorskip("httpx")

from django.core.handlers.asgi import ASGIHandler  # noqa: E402 - they want the settings
from django.core.handlers.wsgi import WSGIHandler  # noqa: E402
from django.db import connection, connections, models, transaction  # noqa: E402
from django.http import HttpResponse, StreamingHttpResponse  # noqa: E402
from django.test import AsyncRequestFactory, RequestFactory, override_settings  # noqa: E402
from django.urls import path  # noqa: E402
from django.utils import text, timezone  # noqa: E402
from django.views.decorators.cache import cache_control, cache_page  # noqa: E402
from django.views.decorators.gzip import gzip_page  # noqa: E402

from django_site import Site, Urls  # noqa: E402 - where Django is installed
from streamware.frameworks.django import ExportResponse  # noqa: E402

# Django leaves the file of a request's body to the collector where the response fails.
pytestmark = pytest.mark.filterwarnings("ignore:Unclosed file <tempfile.Spooled:ResourceWarning")

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


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A database of orders, which is only read."""
    file = tmp_path_factory.mktemp("shop") / "shop.sqlite3"
    connections.settings["default"]["NAME"] = str(file)
    with connection.schema_editor() as editor:
        editor.create_model(Order)
    Order.objects.bulk_create(
        [Order(id=at, customer=f"Åse {at}", total=at) for at in range(1, ROWS + 1)]
    )
    connections.close_all()
    yield file
    del connections["default"]


@pytest.fixture(autouse=True)
def database(shop: Path) -> Iterator[None]:
    yield
    Urls.urlpatterns.clear()
    connections.close_all()
    gc.collect()  # what is left of a request that failed, before somebody counts descriptors


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


# ExportResponse, over WSGI and ASGI, from views of either kind


@pytest.fixture(params=["wsgi", "wsgi, async", "asgi", "asgi, async"])
def site(request: pytest.FixtureRequest) -> Site:
    return Site(request.param)


def open_connections() -> list[object]:
    """Of this thread."""
    return [each for each in connections.all(initialized_only=True) if each.connection]


class Read:
    """Orders that tell what becomes of them.

    Attributes:
        threads: Those on which they were opened, pulled and closed.
        events: What happened, in order.
    """

    def __init__(self, fail: int | None = None) -> None:
        self.threads: set[threading.Thread] = set()
        self.events: list[str] = []
        self._fail = fail

    def __call__(self) -> Iterator[Any]:
        self.threads.add(threading.current_thread())
        self.events.append("opened")
        try:
            for at, row in enumerate(Order.objects.values_list(*COLUMN_NAMES).iterator()):
                self.threads.add(threading.current_thread())
                if at == self._fail:
                    raise LookupError("a secret")
                yield row
        finally:
            self.threads.add(threading.current_thread())
            self.events.append("closed")


COLUMN_NAMES = ("id", "customer", "total")


@pytest.mark.parametrize("format_", READERS)
async def test_a_response_is_a_download(site: Site, format_: str) -> None:
    read = Read()
    response = await site.get(
        lambda request: ExportResponse(request, read, columns=COLUMNS, filename="orders"),
        f"/orders?format={format_}",
    )
    assert response.status_code == 200
    assert len(READERS[format_](response.content)) == ROWS + (format_ != "xml")
    assert f"orders.{format_}" in response.headers["content-disposition"]
    assert read.events == ["opened", "closed"]
    assert len(read.threads) == 1


async def test_a_source_is_not_read_whole_before_the_first_byte(site: Site) -> None:
    pulled: list[int] = []

    def rows() -> Iterator[Any]:
        for at in range(10**9):
            pulled[:] = [at]
            yield [at]

    limits = sw.Limits(bytes=2**20)
    response: Any = None

    def view(request: Any) -> Any:
        nonlocal response
        response = ExportResponse(request, rows, columns=["a"], limits=limits)
        return response

    with suppress(sw.LimitError, httpx.TransportError):
        await site.get(view)
    assert response.status_code == 200
    assert response.is_async == site.asgi
    assert pulled[0] < 200_000


async def test_values_objects_and_async_queries_are_rows(site: Site) -> None:
    def rows() -> AsyncIterator[Any]:
        return Order.objects.filter(id__lte=3).values("id").aiterator()  # type: ignore[no-any-return]

    objects = Order.objects.filter(id__lte=3).order_by("id").iterator
    by_name = await site.get(lambda request: ExportResponse(request, objects, columns=["pk"]))
    assert csv_rows(by_name.content) == [["pk"], ["1"], ["2"], ["3"]]
    if site.asgi:
        response = await site.get(lambda request: ExportResponse(request, rows))
        assert csv_rows(response.content) == [["id"], ["1"], ["2"], ["3"]]


async def test_status_headers_and_cookies_are_those_of_a_response(site: Site) -> None:
    def view(request: Any) -> Any:
        response = ExportResponse(request, [{"a": 1}], 203, {"X-Ours": "1"}, formats=["csv"])
        assert response["Content-Type"].startswith("text/csv")
        response["X-Theirs"] = "2"
        response.set_cookie("seen", "yes")
        return response

    response = await site.get(view)
    assert response.status_code == 203
    assert (response.headers["x-ours"], response.headers["x-theirs"]) == ("1", "2")
    assert response.headers["set-cookie"].strip().startswith("seen=yes")


async def test_an_export_brings_its_status_and_all_its_cookies(site: Site) -> None:
    cookies = [("Set-Cookie", "a=1; Path=/"), ("Set-Cookie", "b=2; HttpOnly")]
    export = sw.Export(lambda: [{"a": 1}], headers=cookies, status=203)
    response = await site.get(lambda request: ExportResponse(request, export))
    assert response.status_code == 203
    found = sorted(cookie.strip() for cookie in response.headers.get_list("set-cookie"))
    assert found == ["a=1; Path=/", "b=2; HttpOnly"]


async def test_a_decorator_sees_the_headers(site: Site) -> None:
    @cache_control(max_age=60)  # type: ignore[untyped-decorator]  # Django has no types
    def view(request: Any) -> Any:
        return ExportResponse(request, [{"a": 1}])

    site.async_view = False
    header = (await site.get(view)).headers["cache-control"]
    assert set(header.split(", ")) == {"private", "no-store", "max-age=60"}


@pytest.mark.parametrize("decorate", [gzip_page, cache_page(60)], ids=["gzip", "cache"])
async def test_a_decorator_made_of_a_middleware_has_its_turn(site: Site, decorate: Any) -> None:
    site.async_view = False
    read = Read()
    view = decorate(lambda request: ExportResponse(request, read, columns=COLUMNS, compress="off"))
    response = await site.get(view, headers={"Accept-Encoding": "gzip"})
    assert len(csv_rows(response.content)) == ROWS + 1


@pytest.mark.parametrize("middleware", [(), ("django.middleware.locale.LocaleMiddleware",)])
async def test_a_response_is_in_the_language_of_its_reader(
    site: Site, middleware: Sequence[str]
) -> None:
    form = sw.Csv(language="auto")
    response = await site.get(
        lambda request: ExportResponse(request, [(1.5, "x")], format=form),
        headers={"Accept-Language": "de-CH, fr;q=0.5"},
        middleware=middleware,
    )
    assert response.content.decode() == "\ufeff1.5;x\r\n"
    assert response.headers["Content-Language"] == "de-CH"
    assert response.headers["Vary"].count("Accept-Language") == 1


async def test_head_opens_nothing_of_a_response(site: Site) -> None:
    read = Read()
    view: Any = lambda request: ExportResponse(request, read, format="csv")  # noqa: E731
    response = await site.get(view, method="HEAD")
    assert response.status_code == 200
    assert "export.csv" in response.headers["content-disposition"]
    assert read.events == []


async def test_a_format_that_is_not_offered_is_a_406(site: Site) -> None:
    response = await site.get(lambda request: ExportResponse(request, []), "/orders?format=pdf")
    assert response.status_code == 406
    assert b"csv, xlsx, xml" in response.content


@pytest.mark.parametrize("rows", [Read(fail=0), lambda: Order.objects.values("nothing")])
async def test_rows_that_fail_at_once_are_a_500(site: Site, rows: Any) -> None:
    response = await site.get(lambda request: ExportResponse(request, rows, format="csv"))
    assert response.status_code == 500
    assert "content-disposition" not in response.headers
    assert b"secret" not in response.content


class Excused:
    """A middleware that answers for views that fail; it is no async one."""

    def __init__(self, get_response: Any) -> None:
        self._get_response = get_response

    def __call__(self, request: Any) -> Any:
        return self._get_response(request)

    def process_exception(self, request: Any, error: BaseException) -> Any:
        return HttpResponse(type(error).__name__, status=502)


class Excused2(Excused):
    """Another one."""


async def test_what_rows_raise_at_once_is_for_the_middlewares(site: Site) -> None:
    response = await site.get(
        lambda request: ExportResponse(request, Read(fail=0), format="csv"),
        middleware=[f"{__name__}.Excused"],
    )
    assert (response.status_code, response.text) == (502, "LookupError")


async def test_a_middleware_that_is_not_async_lets_it_pass(site: Site) -> None:
    read = Read()
    response = await site.get(
        lambda request: ExportResponse(request, read, columns=COLUMNS),
        middleware=[f"{__name__}.Excused"],
    )
    assert len(csv_rows(response.content)) == ROWS + 1
    assert read.events == ["opened", "closed"]


@pytest.mark.parametrize("count", [0, 1, 2])
async def test_an_async_query_is_read_below_middlewares_that_are_not_async(count: int) -> None:
    async def objects() -> AsyncIterator[Any]:
        async for order in Order.objects.order_by("id"):
            yield order

    values = Order.objects.order_by("id").values("id", "customer").aiterator
    stack = [f"{__name__}.{name}" for name in ("Excused", "Excused2")[:count]]
    for under in ("asgi", "asgi, async"):
        for rows in (objects, partial(values, chunk_size=100)):
            view = partial(ExportResponse, content=rows, columns=["id"])
            response = await Site(under).get(view, middleware=stack)
            assert len(csv_rows(response.content)) == ROWS + 1


BERLIN = ZoneInfo("Europe/Berlin")
MIDSUMMER = datetime(2026, 6, 30, 22, 30, tzinfo=UTC)  # the day after in Berlin
TOKYO = sw.Values(timezone=ZoneInfo("Asia/Tokyo"))
ZONES: dict[str, tuple[dict[str, Any], Any]] = {
    "none": ({}, BERLIN),
    "of other values": ({"values": sw.Values(other="str")}, BERLIN),
    "given": ({"values": TOKYO}, TOKYO.timezone),
    "UTC, given": ({"values": sw.Values(timezone=UTC)}, UTC),
    "of the settings": ({"settings": sw.Settings(values=TOKYO)}, TOKYO.timezone),
}


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("content", ["rows", "export", "bundle"])
async def test_date_times_are_in_djangos_current_zone_unless_another_is_given(
    site: Site, content: str, zone: str
) -> None:
    options, in_zone = ZONES[zone]
    expected = MIDSUMMER.astimezone(in_zone).replace(tzinfo=None)

    def view(request: Any) -> Any:
        columns = [sw.Column("at"), sw.Column("at", kind="date")]
        rows, format_ = [{"at": MIDSUMMER}], "xlsx"
        with timezone.override(BERLIN):
            if content == "rows":
                return ExportResponse(request, rows, columns=columns, format=format_, **options)
            export: Any = sw.Export(rows, columns=columns, format=format_, **options)
            if content == "bundle":
                export = sw.Bundle([("a.xlsx", export)], settings=options.get("settings"))
            return ExportResponse(request, export)

    data = (await site.get(view)).content
    if content == "bundle":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            data = archive.read("a.xlsx")
    assert calamine_rows(data)[1] == [expected, expected.date()]


async def test_without_use_tz_the_default_is_utc(site: Site) -> None:
    def view(request: Any) -> Any:
        return ExportResponse(request, [{"at": MIDSUMMER}], format="xlsx")

    with override_settings(USE_TZ=False, TIME_ZONE="Europe/Berlin"):
        data = (await site.get(view)).content
    assert calamine_rows(data)[1] == [MIDSUMMER.replace(tzinfo=None)]


async def test_a_response_that_is_not_admitted_is_a_503(site: Site) -> None:
    settings_ = sw.Settings(max_concurrent=1, wait_seconds=0)
    taken = admission(settings_)
    taken.enter()
    try:
        response = await site.get(
            lambda request: ExportResponse(request, [{"a": 1}], settings=settings_)
        )
    finally:
        taken.leave()
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0
    assert "content-disposition" not in response.headers
    assert int(response.headers["content-length"]) == len(response.content)


GZIP = "django.middleware.gzip.GZipMiddleware"
CONDITIONAL = "django.middleware.http.ConditionalGetMiddleware"


@pytest.mark.parametrize("compress", ["auto", "off"])
@pytest.mark.parametrize("format_", READERS)
async def test_nothing_is_lost_below_the_gzip_middleware(
    site: Site, format_: str, compress: Any
) -> None:
    read = Read()
    response = await site.get(
        lambda request: ExportResponse(request, read, columns=COLUMNS, compress=compress),
        f"/orders?format={format_}",
        middleware=[GZIP],
        headers={"Accept-Encoding": "gzip"},
    )
    ours = compress == "auto" and format_ != "xlsx"
    coded = ours or not site.asgi or hasattr(text, "acompress_sequence")
    assert response.headers.get_list("content-encoding") == ["gzip"] * coded
    assert len(READERS[format_](response.content)) == ROWS + (format_ != "xml")
    assert read.events == ["opened", "closed"]


async def test_a_condition_is_met_by_the_middleware(site: Site) -> None:
    read = Read()

    def view(request: Any) -> Any:
        return ExportResponse(request, read, columns=COLUMNS, headers={"ETag": '"v1"'})

    asked = {"If-None-Match": '"v1"'}
    response = await site.get(view, middleware=[CONDITIONAL], headers=asked)
    assert (response.status_code, response.content) == (304, b"")
    await eventually(lambda: read.events == ["opened", "closed"])
    whole = await site.get(view, middleware=[CONDITIONAL], headers={"If-None-Match": '"v0"'})
    assert len(csv_rows(whole.content)) == ROWS + 1


async def eventually(happens: Callable[[], bool]) -> None:
    for _ in range(200):
        if happens():
            return
        await asyncio.sleep(0.01)
    assert happens()


async def test_connections_of_the_thread_of_an_export_are_closed_on_it() -> None:
    left: list[object] = []
    read = Read()

    class Watched(threading.Thread):
        def run(self) -> None:
            super().run()
            if self in read.threads:
                left.append(open_connections())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading, "Thread", Watched)
        await Site("asgi").get(lambda request: ExportResponse(request, read, columns=COLUMNS))
    await eventually(lambda: left == [[]])
    assert threading.current_thread() not in read.threads


def test_connections_of_the_thread_of_the_view_stay_djangos() -> None:
    request = RequestFactory().get("/orders")
    response = ExportResponse(request, Read(), columns=COLUMNS).render()
    assert len(csv_rows(b"".join(response))) == ROWS + 1
    assert len(open_connections()) == 1
    response.close()


def test_a_transaction_of_the_rows_ends_on_its_own_connection() -> None:
    """Also if another thread closes them, because that of the view is blocked in a send."""

    def rows() -> Iterator[Any]:
        with transaction.atomic():
            yield from Order.objects.iterator()

    response = ExportResponse(RequestFactory().get("/"), rows())
    response.render()
    next(iter(response))
    assert connection.in_atomic_block
    thread = threading.Thread(target=response.close)
    thread.start()
    thread.join()
    assert not connection.in_atomic_block
    assert connection.get_autocommit()


def test_close_closes_the_rows_and_works_twice() -> None:
    read = Read()
    response = ExportResponse(RequestFactory().get("/orders"), read, format="csv").render()
    next(iter(response))
    assert read.events == ["opened"]
    response.close()
    response.close()
    assert read.events == ["opened", "closed"]


def test_close_before_it_is_rendered_opens_nothing() -> None:
    read, handed_over = Read(), Read()()
    ExportResponse(RequestFactory().get("/orders"), read).close()
    ExportResponse(RequestFactory().get("/orders"), handed_over).close()
    assert read.events == []
    assert next(handed_over, None) is None


async def test_close_before_it_is_rendered_opens_nothing_under_asgi() -> None:
    read = Read()
    ExportResponse(AsyncRequestFactory().get("/orders"), read).close()
    await asyncio.sleep(0)
    assert read.events == []


async def test_a_response_that_is_dropped_closes_its_rows() -> None:
    read = Read()
    response = await ExportResponse(AsyncRequestFactory().get("/orders"), read).render()
    assert read.events == ["opened"]
    del response
    await eventually(lambda: read.events == ["opened", "closed"])


async def test_an_export_that_is_never_rendered_is_read_anyway() -> None:
    response = ExportResponse(AsyncRequestFactory().get("/orders"), Read(), columns=COLUMNS)
    assert len(csv_rows(b"".join([chunk async for chunk in response]))) == ROWS + 1
    again = ExportResponse(RequestFactory().get("/orders"), [{"a": 1}])
    assert again.getvalue() == b"a\r\n1\r\n"


class Leaving:
    """A client that leaves when it has seen the first chunk of a body."""

    def __init__(self) -> None:
        self._left = asyncio.Event()
        self._asked = False
        self.sent: list[Any] = []

    async def receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)
        if message.get("body"):
            self._left.set()
            await asyncio.sleep(0)


SCOPE = {"type": "http", "method": "GET", "path": "/orders", "headers": [], "query_string": b""}


@pytest.mark.usefixtures("scratch_dir")
@pytest.mark.parametrize("wrapped", [False, True], ids=["bare", "within our middleware"])
@pytest.mark.parametrize("middleware", [(), (GZIP,)], ids=["plain", "gzip"])
async def test_rows_are_closed_when_the_client_leaves(
    middleware: Sequence[str], wrapped: bool
) -> None:
    read, client = Read(), Leaving()
    Urls.urlpatterns[:] = [path("orders", lambda request: ExportResponse(request, read))]
    django.urls.clear_url_caches()
    with override_settings(MIDDLEWARE=list(middleware)):
        handler = ASGIHandler()
    app = sw.ASGIMiddleware(handler) if wrapped else handler
    scope = SCOPE | {"headers": [(b"accept-encoding", b"gzip")] if middleware else []}
    await app(scope, client.receive, client.send)
    await eventually(lambda: read.events == ["opened", "closed"])
    assert len(read.threads) == 1


@pytest.mark.parametrize("middleware", [(), (GZIP,)], ids=["plain", "gzip"])
async def test_a_failure_later_breaks_the_transfer(middleware: Sequence[str]) -> None:
    read, client = Read(fail=5000), Leaving()
    client._left = asyncio.Event()
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    Urls.urlpatterns[:] = [path("orders", lambda request: ExportResponse(request, read))]
    django.urls.clear_url_caches()
    with override_settings(MIDDLEWARE=list(middleware)):
        handler = ASGIHandler()
    with pytest.raises(LookupError):
        await handler(SCOPE, client.receive, send)
    assert sent[0]["status"] == 200
    assert all(message.get("more_body", True) for message in sent)
    assert read.events == ["opened", "closed"]


@pytest.mark.skipif(django.VERSION < (5, 0), reason="Django 4.2 does not listen for it")
async def test_a_client_that_leaves_before_the_first_chunk_closes_the_rows() -> None:
    client, blocked = Leaving(), threading.Event()
    closed = threading.Event()

    def rows() -> Iterator[Any]:
        try:
            client_loop.call_soon_threadsafe(client._left.set)
            blocked.wait(5)
            yield [1]
        finally:
            closed.set()

    client_loop = asyncio.get_running_loop()
    Urls.urlpatterns[:] = [path("orders", lambda request: ExportResponse(request, rows))]
    django.urls.clear_url_caches()
    with override_settings(MIDDLEWARE=[]):
        task = asyncio.create_task(ASGIHandler()(SCOPE, client.receive, client.send))
    await asyncio.sleep(0.1)
    assert not closed.is_set()
    blocked.set()
    await task
    assert await asyncio.to_thread(closed.wait, 1)
    assert client.sent == []


@pytest.mark.usefixtures("scratch_dir")
@pytest.mark.parametrize("delivery", ["stream", "buffer", "spool"])
async def test_no_thread_keeps_a_connection_however_it_is_delivered(
    site: Site, delivery: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Read()
    closed_on: set[threading.Thread] = set()
    close_all = connections.close_all

    def recording() -> None:
        closed_on.add(threading.current_thread())
        close_all()
        assert open_connections() == []

    monkeypatch.setattr(connections, "close_all", recording)
    response = await site.get(
        lambda request: ExportResponse(request, read, columns=COLUMNS, delivery=delivery)
    )
    assert len(csv_rows(response.content)) == ROWS + 1
    assert ("content-length" in response.headers) == (delivery == "spool")
    assert ("repr-digest" in response.headers) == (delivery == "spool")
    assert read.events == ["opened", "closed"]
    assert len(read.threads) == 1
    own_thread = site.asgi or delivery == "buffer"
    if own_thread:  # beside it only others of the export, such as that which waits for the disk
        assert closed_on >= read.threads
        assert {thread.name for thread in closed_on} == {"streamware"}
    else:
        assert closed_on == set()


@pytest.mark.usefixtures("scratch_dir")
async def test_a_spool_that_fails_at_the_end_is_a_500(site: Site) -> None:
    read = Read(fail=ROWS - 1)
    response = await site.get(
        lambda request: ExportResponse(request, read, format="csv", delivery="spool")
    )
    assert response.status_code == 500
    assert "content-disposition" not in response.headers
    assert read.events == ["opened", "closed"]


@pytest.mark.parametrize("middleware", [(), (CONDITIONAL,), (GZIP,)], ids=["none", "etag", "gzip"])
async def test_an_export_returned_as_it_is_is_a_500_that_names_the_class(
    site: Site, middleware: Sequence[str], caplog: pytest.LogCaptureFixture
) -> None:
    said = ""
    try:
        response = await site.get(lambda request: sw.Export([{"a": 1}]), middleware=middleware)
        assert response.status_code == 500
    except AttributeError as error:  # Django itself does not look for any without a middleware
        said = str(error)
    logged = [str(record.exc_info[1]) for record in caplog.records if record.exc_info]
    if not site.asgi or middleware:
        assert any("streamware.frameworks.django" in text for text in [said, *logged])
