"""What Django keeps for a request is seen by the rows of its export, wherever they are read."""

import asyncio
import contextvars
import gc
import io
import threading
import time
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any, ClassVar

import pytest

import streamware as sw
from readers import calamine_rows, csv_rows

pytest.importorskip("django")

from asgiref.local import Local
from asgiref.sync import (
    SyncToAsync,
    async_to_sync,
    markcoroutinefunction,
    sync_to_async,
)
from django.db import connections
from django.http import HttpResponse
from django.test import AsyncClient, override_settings
from django.urls import get_script_prefix, path
from django.utils import timezone, translation
from django.utils.translation import gettext, gettext_lazy

from django_site import Site, Urls, wait_for
from streamware.frameworks.django import ExportResponse

# Django leaves the file of a request's body to the collector where the response fails.
pytestmark = pytest.mark.filterwarnings("ignore:Unclosed file <tempfile.Spooled:ResourceWarning")

SyncToAsync.single_thread_executor.submit(int).result()  # its thread stays

DELIVERIES = ["auto", "stream", "buffer", "spool"]
TENANT: contextvars.ContextVar[str] = contextvars.ContextVar("tenant")
LOCAL: Any = Local()
CRITICAL: Any = Local(thread_critical=True)
BERLIN = "Europe/Berlin"
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


class Synchronous:
    """A middleware that knows no async views."""

    async_capable = False

    def __init__(self, get_response: Any) -> None:
        self._get_response = get_response

    def __call__(self, request: Any) -> Any:
        return self._get_response(request)


class Synchronous2(Synchronous):
    pass


class Asynchronous:
    """A middleware that knows nothing else."""

    async_capable, sync_capable = True, False

    def __init__(self, get_response: Any) -> None:
        self._get_response = get_response
        markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any:
        return self._around(request)

    async def _around(self, request: Any) -> Any:
        return await self._get_response(request)


class German(Synchronous):
    """A middleware that sets everything, and takes it back when the view has returned."""

    def __call__(self, request: Any) -> Any:
        token = TENANT.set("acme")
        LOCAL.tenant = "acme"
        try:
            with translation.override("de"), timezone.override(BERLIN):
                return self._get_response(request)
        finally:
            TENANT.reset(token)
            del LOCAL.tenant


class Acting(Synchronous):
    """A middleware that does with a response what a test wants."""

    act: ClassVar[Callable[[Any], Any]]

    def __call__(self, request: Any) -> Any:
        return type(self).act(self._get_response(request))


class AsyncActing(Asynchronous):
    """The same, within the event loop."""

    act: ClassVar[Callable[[Any], Any]]

    async def _around(self, request: Any) -> Any:
        return await type(self).act(await self._get_response(request))


STACKS: dict[str, list[Any]] = {
    "none": [],
    "sync": [Synchronous],
    "two sync": [Synchronous, Synchronous2],
    "async": [Asynchronous],
    "sync, async": [Synchronous, Asynchronous],
    "async, sync": [Asynchronous, Synchronous],
    "sync, async, sync": [Synchronous, Asynchronous, Synchronous2],
}


def named(*middlewares: Any) -> list[str]:
    return [f"{__name__}.{each.__qualname__}" for each in middlewares]


@pytest.fixture(autouse=True)
def site_is_left_clean() -> Iterator[None]:
    yield
    Urls.urlpatterns.clear()
    connections.close_all()
    gc.collect()
    assert translation.get_language() == "en-us"
    assert timezone.get_current_timezone_name() == "UTC"


def seen() -> list[Any]:
    """What rows see of the request."""
    return [
        translation.get_language(),
        timezone.get_current_timezone_name(),
        gettext("Monday"),
        timezone.localtime(NOON).hour,
        getattr(LOCAL, "tenant", None),
        TENANT.get(None),
    ]


GERMAN = ["de", BERLIN, "Montag", "14", "acme", "acme"]


def rows(count: int = 1500) -> Iterator[Any]:
    for _ in range(count):
        yield seen()


async def arows(count: int = 1500) -> AsyncIterator[Any]:
    for at in range(count):
        if at % 100 == 0:
            await asyncio.sleep(0)
        yield seen()


class FromProperties:
    language = property(lambda self: translation.get_language())
    zone = property(lambda self: timezone.get_current_timezone_name())


@pytest.fixture(params=["wsgi", "wsgi, async", "asgi", "asgi, async"])
def site(request: pytest.FixtureRequest) -> Site:
    return Site(request.param)


@pytest.fixture(params=["asgi", "asgi, async"])
def asgi_site(request: pytest.FixtureRequest) -> Site:
    return Site(request.param)


@pytest.fixture(
    params=[
        *[(under, rows) for under in ("wsgi", "wsgi, async", "asgi", "asgi, async")],
        *[(under, arows) for under in ("asgi", "asgi, async")],
    ],
    ids=lambda made: f"{made[0]}, {made[1].__name__}",
)
def made(request: pytest.FixtureRequest) -> tuple[Site, Any]:
    """A site, and rows that it can read."""
    under, source = request.param
    return Site(under), source


def german(view: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The view, with everything set around the making of its response only."""

    def within(request: Any) -> Any:
        token = TENANT.set("acme")
        LOCAL.tenant = "acme"
        try:
            with translation.override("de"), timezone.override(BERLIN):
                return view(request)
        finally:
            TENANT.reset(token)
            del LOCAL.tenant

    return within


@pytest.mark.usefixtures("scratch_dir")
@pytest.mark.parametrize("around", ["middleware", "view", "locale middleware"])
@pytest.mark.parametrize("delivery", DELIVERIES)
async def test_rows_see_what_the_view_saw(
    made: tuple[Site, Any], delivery: Any, around: str
) -> None:
    site, source = made

    def view(request: Any) -> Any:
        return ExportResponse(request, source, format="csv", delivery=delivery)

    if around == "view":
        response = await site.get(german(view))
    elif around == "middleware":
        response = await site.get(view, middleware=named(German))
    else:
        locale = "django.middleware.locale.LocaleMiddleware"
        response = await site.get(view, middleware=[locale], headers={"Accept-Language": "de"})
    expected = GERMAN
    if around == "locale middleware":
        expected = ["de", "UTC", "Montag", "12", "", ""]
    found = csv_rows(response.content)
    assert len(found) == 1500
    assert [row for row in found if row != expected] == []


@pytest.mark.usefixtures("scratch_dir")
@pytest.mark.parametrize("format_", ["csv", "xlsx"])
async def test_titles_cells_and_conversions_are_in_the_language_of_the_view(
    site: Site, format_: str
) -> None:
    columns: list[Any] = [
        sw.Column("language", gettext_lazy("Monday")),
        sw.Column(
            "zone", gettext_lazy("Tuesday"), convert=lambda zone: f"{gettext('Sunday')} {zone}"
        ),
        sw.Column(lambda row: gettext_lazy("Friday"), gettext_lazy("Wednesday")),
    ]
    expected = [["Montag", "Dienstag", "Mittwoch"], ["de", "Sonntag " + BERLIN, "Freitag"]]

    def objects() -> Iterator[Any]:
        yield FromProperties()

    async def aobjects() -> AsyncIterator[Any]:
        yield FromProperties()

    for source in [objects, aobjects] if site.asgi else [objects]:
        view = partial(ExportResponse, content=source, columns=columns, format=format_)
        response = await site.get(german(view))
        read = csv_rows if format_ == "csv" else calamine_rows
        assert read(response.content) == expected


async def test_a_bundle_is_in_the_language_of_the_view(site: Site) -> None:
    def view(request: Any) -> Any:
        bundle = sw.Bundle([("a.csv", sw.Export(rows)), ("b.csv", sw.Export(rows))])
        return ExportResponse(request, bundle)

    response = await site.get(german(view))
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        for name in ("a.csv", "b.csv"):
            assert {tuple(row) for row in csv_rows(archive.read(name))} == {tuple(GERMAN)}


async def test_a_slow_source_that_is_flushed_by_another_thread_keeps_the_language(
    asgi_site: Site,
) -> None:
    def slow() -> Iterator[Any]:
        for _ in range(3):
            yield {"day": gettext_lazy("Monday"), "ours": gettext("Monday")}
            time.sleep(0.1)

    view = german(lambda request: ExportResponse(request, slow, format="csv"))
    found = csv_rows((await asgi_site.get(view)).content)
    assert found == [["day", "ours"], *[["Montag", "Montag"]] * 3]


async def test_what_rows_change_is_theirs_and_lasts_from_pull_to_pull(
    made: tuple[Site, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    site, source = made
    after: list[Any] = []

    def changing() -> Iterator[Any]:
        with translation.override("fr"), timezone.override("Asia/Tokyo"):
            yield from rows()

    async def achanging() -> AsyncIterator[Any]:
        with translation.override("fr"), timezone.override("Asia/Tokyo"):
            async for row in arows():
                yield row

    def look(response: Any) -> Any:
        after.append((translation.get_language(), timezone.get_current_timezone_name()))
        return response

    monkeypatch.setattr(Acting, "act", look, raising=False)
    view = german(
        lambda request: ExportResponse(
            request, changing if source is rows else achanging, format="csv"
        )
    )
    found = csv_rows((await site.get(view, middleware=named(Acting))).content)
    assert {tuple(row[:4]) for row in found} == {("fr", "Asia/Tokyo", "lundi", "21")}
    assert after == [("en-us", "UTC")]


async def test_requests_at_once_do_not_see_each_other(asgi_site: Site) -> None:
    languages = ["de", "fr", "es", "it", "pt", "en-us"]

    def slow() -> Iterator[Any]:
        for _ in range(50):
            yield [translation.get_language()]
            time.sleep(0.002)

    def view(request: Any) -> Any:
        with translation.override(request.GET["in"]):
            return ExportResponse(request, slow, format="csv")

    Urls.urlpatterns[:] = [path("orders", view)]
    answers = await asyncio.gather(
        *(asgi_site.get(view, f"/orders?in={language}") for language in languages)
    )
    found = [{cell for [cell] in csv_rows(answer.content)} for answer in answers]
    assert found == [{language} for language in languages]


async def test_reverse_in_rows_knows_the_script_prefix(made: tuple[Site, Any]) -> None:
    site, source = made

    def prefix() -> Iterator[Any]:
        yield [get_script_prefix()]

    async def aprefix() -> AsyncIterator[Any]:
        yield [get_script_prefix()]

    chosen = prefix if source is rows else aprefix
    with override_settings(FORCE_SCRIPT_NAME="/shop"):
        response = await site.get(lambda request: ExportResponse(request, chosen, format="csv"))
    assert response.content.decode().strip() == "/shop/"


async def test_a_thread_critical_local_stays_on_its_thread(asgi_site: Site) -> None:
    def critical() -> Iterator[Any]:
        yield [getattr(CRITICAL, "name", "not seen")]
        CRITICAL.name = "mine"
        yield [CRITICAL.name]

    def view(request: Any) -> Any:
        CRITICAL.name = "the view's"
        return ExportResponse(request, critical, format="csv")

    response = await asgi_site.get(view)
    assert csv_rows(response.content) == [["not seen"], ["mine"]]


# Calls that are bound to a thread


def call(number: int) -> tuple[int, int, str | None]:
    return number, threading.get_ident(), translation.get_language()


async def calling(count: int = 12) -> AsyncIterator[Any]:
    """Rows as those of the ORM: each few are read on the thread of the request."""
    try:
        for at in range(count):
            for _ in range(40):
                yield await sync_to_async(call)(at)
    finally:
        await sync_to_async(call)(-1)


@pytest.mark.usefixtures("scratch_dir")
@pytest.mark.parametrize(
    ("stack", "delivery"),
    [
        *[(stack, "auto") for stack in STACKS],
        *[("sync, async, sync", delivery) for delivery in DELIVERIES[1:]],
    ],
)
async def test_async_rows_may_call_what_is_bound_to_a_thread(
    asgi_site: Site, stack: str, delivery: Any
) -> None:
    on: set[int] = set()

    def view(request: Any) -> Any:
        on.add(threading.get_ident())
        return ExportResponse(request, calling, format="csv", delivery=delivery)

    async with wait_for(20):
        response = await asgi_site.get(german(view), middleware=named(*STACKS[stack]))
    found = csv_rows(response.content)
    assert [row[0] for row in found] == [str(at) for at in range(12) for _ in range(40)]
    assert {row[2] for row in found} == {"de"}
    threads = {int(row[1]) for row in found}
    assert len(threads) == 1
    if not asgi_site.async_view:
        assert threads == on  # and so they see the view's transaction


@pytest.mark.parametrize("stack", STACKS)
async def test_a_middleware_may_read_the_body(
    asgi_site: Site, stack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the response of a view whose rows call what is bound to a thread."""

    async def read(response: Any) -> Any:
        body = b"".join([chunk async for chunk in response])
        response.close()
        return HttpResponse(body)

    monkeypatch.setattr(AsyncActing, "act", read, raising=False)
    for middlewares in ([*STACKS[stack], AsyncActing], [AsyncActing, *STACKS[stack]]):
        async with wait_for(20):
            response = await asgi_site.get(
                lambda request: ExportResponse(request, calling, format="csv", compress="off"),
                middleware=named(*middlewares),
            )
        assert len(csv_rows(response.content)) == 480


@pytest.mark.parametrize("stack", STACKS)
async def test_async_rows_are_closed_when_nobody_reads_them(
    asgi_site: Site, stack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = asyncio.Event()

    async def closing() -> AsyncIterator[Any]:
        try:
            async for row in calling(10_000):
                yield row
        finally:
            await sync_to_async(call)(-1)
            closed.set()

    def replace(response: Any) -> Any:
        response.close()
        return HttpResponse(b"another")

    monkeypatch.setattr(Acting, "act", replace, raising=False)
    response = await asgi_site.get(
        lambda request: ExportResponse(request, closing, format="csv"),
        middleware=named(Acting, *STACKS[stack]),
    )
    assert response.content == b"another"
    async with wait_for(5):
        await closed.wait()


@pytest.mark.parametrize("stack", STACKS)
async def test_rows_may_call_async_code(asgi_site: Site, stack: str) -> None:
    async def answer(number: int) -> int:
        return number + await sync_to_async(int)("1")

    def asking() -> Iterator[Any]:
        for at in range(100):
            yield [async_to_sync(answer)(at)]

    async with wait_for(20):
        response = await asgi_site.get(
            lambda request: ExportResponse(request, asking, format="csv"),
            middleware=named(*STACKS[stack]),
        )
    assert csv_rows(response.content) == [[str(at + 1)] for at in range(100)]


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("asynchronous", [False, True], ids=["view", "async view"])
async def test_it_works_with_django_s_test_client(stack: str, asynchronous: bool) -> None:
    async def aview(request: Any) -> Any:
        return german(lambda request: ExportResponse(request, calling, format="csv"))(request)

    def view(request: Any) -> Any:
        return german(lambda request: ExportResponse(request, calling, format="csv"))(request)

    Urls.urlpatterns[:] = [path("orders", aview if asynchronous else view)]
    with override_settings(MIDDLEWARE=named(*STACKS[stack])):
        async with wait_for(20):
            response = await AsyncClient().get("/orders")
            body = b"".join([chunk async for chunk in response.streaming_content])
    assert {row[2] for row in csv_rows(body)} == {"de"}


@pytest.mark.parametrize("stack", STACKS)
def test_it_works_in_a_test_case_of_django_s(stack: str) -> None:
    """Which runs async tests by `async_to_sync`, and thread-sensitive calls on its own thread."""
    threads: set[int] = set()

    @async_to_sync
    async def test() -> None:
        Urls.urlpatterns[:] = [
            path("orders", lambda request: ExportResponse(request, calling, format="csv"))
        ]
        with override_settings(MIDDLEWARE=named(*STACKS[stack])):
            async with wait_for(20):
                response = await AsyncClient().get("/orders")
                body = b"".join([chunk async for chunk in response.streaming_content])
        threads.update(int(row[1]) for row in csv_rows(body))

    test()
    assert threads == {threading.get_ident()}
