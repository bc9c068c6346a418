"""Django's responses within Sentry, OpenTelemetry, WhiteNoise and Django's own middlewares."""

import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import sentry_sdk
from django.conf import settings
from django.test import override_settings
from opentelemetry import trace
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sentry_sdk.transport import Transport

import streamware as sw
from django_site import Site  # first, as it configures Django
from fakes import failing, orders
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


class Recording(Transport):
    """What is sent to Sentry."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[str] = []

    def capture_envelope(self, envelope: Any) -> None:
        self.sent += [item.type for item in envelope.items]


@pytest.fixture
def sent() -> Iterator[list[str]]:
    """What is sent to Sentry: "transaction" and "event" (an error)."""
    transport = Recording()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        sentry_sdk.init(
            "https://key@localhost/1",
            transport=transport,
            traces_sample_rate=1.0,
            auto_session_tracking=False,  # it and the next have threads
            enable_backpressure_handling=False,
        )
    yield transport.sent
    sentry_sdk.get_client().close()
    sentry_sdk.Scope.get_global_scope().set_client(None)


@pytest.mark.parametrize(
    ("under", "rows"),
    [
        *[(under, lambda: orders(5000)) for under in ("wsgi", "wsgi, async")],
        *[(under, lambda: orders(5000)) for under in ("asgi", "asgi, async")],
        *[(under, aorders) for under in ("asgi", "asgi, async")],
    ],
)
async def test_a_document_is_whole_and_one_transaction(
    under: str, rows: Any, sent: list[str], tmp_path: Path
) -> None:
    outcomes = list[str]()

    def view(request: Any) -> Any:
        return ExportResponse(
            request,
            rows,
            columns=COLUMNS,
            format="csv",
            on_done=lambda receipt: outcomes.append(receipt.outcome),
        )

    with override_settings(STATIC_ROOT=str(tmp_path), STATIC_URL="/static/"):
        response = await Site(under).get(view, middleware=STACK)
    assert response.content == b"".join(sw.encode(orders(5000), "csv", columns=COLUMNS))
    assert outcomes == ["complete"]
    assert sent == ["transaction"]


async def test_a_late_failure_is_reported(sent: list[str], tmp_path: Path) -> None:
    outcomes = list[str]()

    def view(request: Any) -> Any:
        return ExportResponse(
            request,
            lambda: failing(20_000),
            format="csv",
            on_done=lambda receipt: outcomes.append(receipt.outcome),
        )

    with override_settings(STATIC_ROOT=str(tmp_path), STATIC_URL="/static/"):
        await Site("asgi").get(view, middleware=STACK)
    assert outcomes == ["source error"]
    assert sorted(sent) == ["event", "transaction"]


@pytest.mark.parametrize("under", ["wsgi", "wsgi, async", "asgi", "asgi, async"])
async def test_rows_are_within_the_one_span_of_opentelemetry(under: str) -> None:
    finished, spans = InMemorySpanExporter(), TracerProvider()
    spans.add_span_processor(SimpleSpanProcessor(finished))
    outcomes, seen = list[str](), list[int]()

    def rows() -> Iterator[Any]:
        seen.append(trace.get_current_span().get_span_context().span_id)
        yield from orders(5000)

    def view(request: Any) -> Any:
        return ExportResponse(
            request,
            rows,
            columns=COLUMNS,
            format="csv",
            on_done=lambda receipt: outcomes.append(receipt.outcome),
        )

    with override_settings(MIDDLEWARE=[]):
        DjangoInstrumentor().instrument(tracer_provider=spans)
        try:
            for _ in range(2):  # the second one has no parent, either
                await Site(under).get(view, middleware=settings.MIDDLEWARE)
        finally:
            DjangoInstrumentor().uninstrument()
    ended = finished.get_finished_spans()
    assert [span.parent for span in ended] == [None, None]
    assert [span.context.span_id for span in ended] == seen
    assert outcomes == ["complete", "complete"]
