"""Django's responses within Sentry, OpenTelemetry, WhiteNoise and Django's own middlewares."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.test import override_settings
from django.urls import clear_url_caches, include, path
from opentelemetry import trace
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import streamware as sw
from apps.built import with_defaults
from django_site import Site, Urls  # first, as it configures Django
from fakes import Rows, asgi_get, failing, orders, wsgi_get
from observed import kinds, sentry
from streamware.frameworks.django import ExportResponse

STACK = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.http.ConditionalGetMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
COLUMNS = ["id", "order"]


async def aorders() -> AsyncIterator[Any]:
    for order in orders(5000):
        yield order


@pytest.fixture
def sent() -> Iterator[list[Any]]:
    """What is sent to Sentry."""
    with sentry() as envelopes:
        yield envelopes


def view(rows: Any, outcomes: list[str], **options: Any) -> Any:
    """A view that exports `rows`, and tells how that ended."""

    def respond(request: Any) -> Any:
        return ExportResponse(
            request,
            rows,
            columns=COLUMNS,
            format="csv",
            on_done=lambda receipt: outcomes.append(receipt.outcome),
            **options,
        )

    return respond


@pytest.mark.parametrize(
    ("under", "rows"),
    [
        *[(under, lambda: orders(5000)) for under in ("wsgi", "wsgi, async")],
        *[(under, lambda: orders(5000)) for under in ("asgi", "asgi, async")],
        *[(under, aorders) for under in ("asgi", "asgi, async")],
    ],
)
async def test_a_document_is_whole_and_one_transaction(
    under: str, rows: Any, sent: list[Any], tmp_path: Path
) -> None:
    outcomes = list[str]()

    with override_settings(STATIC_ROOT=str(tmp_path), STATIC_URL="/static/"):
        response = await Site(under).get(view(rows, outcomes), middleware=STACK)
    assert response.content == b"".join(sw.encode(orders(5000), "csv", columns=COLUMNS))
    assert outcomes == ["complete"]
    assert kinds(sent) == ["transaction"]


async def test_a_late_failure_is_reported(sent: list[Any], tmp_path: Path) -> None:
    outcomes = list[str]()

    with override_settings(STATIC_ROOT=str(tmp_path), STATIC_URL="/static/"):
        await Site("asgi").get(view(lambda: failing(20_000), outcomes), middleware=STACK)
    assert outcomes == ["source error"]
    assert sorted(kinds(sent)) == ["event", "transaction"]


@pytest.mark.parametrize("under", ["wsgi", "wsgi, async", "asgi", "asgi, async"])
async def test_rows_are_within_the_one_span_of_opentelemetry(under: str) -> None:
    finished, spans = InMemorySpanExporter(), TracerProvider()
    spans.add_span_processor(SimpleSpanProcessor(finished))
    outcomes, seen = list[str](), list[int]()

    def rows() -> Iterator[Any]:
        seen.append(trace.get_current_span().get_span_context().span_id)
        yield from orders(5000)

    with override_settings(MIDDLEWARE=[]):
        DjangoInstrumentor().instrument(tracer_provider=spans)
        try:
            for _ in range(2):  # the second one has no parent, either
                await Site(under).get(view(rows, outcomes), middleware=settings.MIDDLEWARE)
        finally:
            DjangoInstrumentor().uninstrument()
    ended = finished.get_finished_spans()
    assert [span.parent for span in ended] == [None, None]
    assert [span.context.span_id for span in ended] == seen
    assert outcomes == ["complete", "complete"]


TOOLBAR = {
    "DEBUG_TOOLBAR_CONFIG": {
        "SHOW_TOOLBAR_CALLBACK": lambda request: True,
        "IS_RUNNING_TESTS": False,
    },
    "INSTALLED_APPS": [*settings.INSTALLED_APPS, "django.contrib.staticfiles", "debug_toolbar"],
    "TEMPLATES": [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
}


@pytest.mark.parametrize("under", ["wsgi", "wsgi, async", "asgi", "asgi, async"])
@pytest.mark.parametrize("delivery", ["stream", "buffer", "spool"])
async def test_the_debug_toolbar_reads_no_rows_of_an_export(under: str, delivery: Any) -> None:
    outcomes = list[str]()
    with override_settings(**TOOLBAR):
        response = await Site(under).get(
            view(lambda: orders(5000), outcomes, delivery=delivery),
            middleware=["debug_toolbar.middleware.DebugToolbarMiddleware"],
            urls=[path("__debug__/", include("debug_toolbar.urls"))],
        )
    assert response.status_code == 200
    assert response.content == b"".join(sw.encode(orders(5000), "csv", columns=COLUMNS))
    assert "server-timing" in response.headers  # the toolbar was there
    assert outcomes == ["complete"]


@pytest.mark.parametrize("under", ["wsgi", "asgi"])
@pytest.mark.parametrize("delivery", ["stream", "buffer"])
def test_rows_are_closed_when_the_client_leaves(under: str, delivery: Any, tmp_path: Path) -> None:
    outcomes, rows = list[str](), Rows(orders(10**6))
    respond = view(lambda: rows, outcomes, delivery=delivery)
    Urls.urlpatterns[:] = [path("", respond)]
    clear_url_caches()
    with override_settings(MIDDLEWARE=STACK, STATIC_ROOT=str(tmp_path)):
        if under == "wsgi":
            wsgi_get(WSGIHandler(), leave_after=1)
        else:
            asgi_get(with_defaults(ASGIHandler()), leave_after=1)
    assert (rows.closed, outcomes) == (1, ["client gone"])
