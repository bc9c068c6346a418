"""Exports within other people's middlewares and instrumentations, as real sites have them."""

import gzip
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import streamware as sw
from apps.built import with_defaults
from fakes import Broken, Reply, Rows, asgi_get, failing, orders, wsgi_get
from observed import kinds, sentry

COLUMNS = ["id", "order"]
Make = Callable[[Any], Any]
"""Makes the view's response: an instance of the class that it is given."""


# WSGI


def flask_app(make: Make) -> Any:
    import flask

    from streamware.frameworks.flask import ExportResponse

    app = flask.Flask("shop")
    app.add_url_rule("/", view_func=lambda: make(ExportResponse))
    return app


def flask_compress(make: Make, spans: Any) -> Any:
    from flask_compress import Compress

    app = flask_app(make)
    Compress(app)
    return app


def flask_otel(make: Make, spans: Any) -> Any:
    from opentelemetry.instrumentation.flask import FlaskInstrumentor

    app = flask_app(make)
    FlaskInstrumentor().instrument_app(app, tracer_provider=spans)  # type: ignore[no-untyped-call]
    return app


def flask_sentry(make: Make, spans: Any) -> Any:
    return flask_app(make)


def answering(make: Make) -> Any:
    """A bare WSGI application of the export."""

    def application(environ: Any, start_response: Any) -> Any:
        return make(sw.Export)(environ, start_response)

    return application


def wsgi_otel(make: Make, spans: Any) -> Any:
    from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware

    return OpenTelemetryMiddleware(answering(make), tracer_provider=spans)


def wsgi_sentry(make: Make, spans: Any) -> Any:
    from sentry_sdk.integrations.wsgi import SentryWsgiMiddleware

    return SentryWsgiMiddleware(answering(make))


def whitenoise(make: Make, spans: Any) -> Any:
    from whitenoise import WhiteNoise  # type: ignore[import-untyped]

    return WhiteNoise(answering(make))


# ASGI


def starlette_app(make: Make, *middleware: Any) -> Any:
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.routing import Route

    from streamware.frameworks.starlette import ExportResponse

    async def view(request: Any) -> Any:
        return make(ExportResponse)

    return Starlette(
        routes=[Route("/", view)], middleware=[Middleware(each) for each in middleware]
    )


def starlette_compress(make: Make, spans: Any) -> Any:
    from starlette_compress import CompressMiddleware

    return starlette_app(make, CompressMiddleware)


def brotli_asgi(make: Make, spans: Any) -> Any:
    from brotli_asgi import BrotliMiddleware

    return starlette_app(make, BrotliMiddleware)


def slowapi(make: Make, spans: Any) -> Any:
    # Not its SlowAPIASGIMiddleware, which starts any response again with each of its chunks.
    from slowapi import Limiter
    from slowapi.middleware import SlowAPIMiddleware

    app = starlette_app(make, SlowAPIMiddleware)
    app.state.limiter = Limiter(key_func=lambda request: "all", default_limits=["1000/second"])
    return app


def starlette_context(make: Make, spans: Any) -> Any:
    from starlette_context.middleware import ContextMiddleware

    return starlette_app(make, ContextMiddleware)


def starlette_raw_context(make: Make, spans: Any) -> Any:
    from starlette_context.middleware import RawContextMiddleware

    return starlette_app(make, RawContextMiddleware)


def starlette_sentry(make: Make, spans: Any) -> Any:
    return starlette_app(make)


def fastapi_app(make: Make) -> Any:
    import fastapi

    from streamware.frameworks.fastapi import ExportResponse

    app = fastapi.FastAPI()

    @app.get("/")
    async def view() -> Any:
        return make(ExportResponse)

    return app


def fastapi_otel(make: Make, spans: Any) -> Any:
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

    app = fastapi_app(make)
    FastAPIInstrumentor.instrument_app(app, tracer_provider=spans)
    return app


def fastapi_sentry(make: Make, spans: Any) -> Any:
    return fastapi_app(make)


def asgi_otel(make: Make, spans: Any) -> Any:
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

    return OpenTelemetryMiddleware(starlette_app(make), tracer_provider=spans)


def asgi_sentry(make: Make, spans: Any) -> Any:
    from sentry_sdk.integrations.asgi import SentryAsgiMiddleware

    return SentryAsgiMiddleware(starlette_app(make))


WSGI = (flask_compress, flask_otel, flask_sentry, wsgi_otel, wsgi_sentry, whitenoise)
ASGI = (
    starlette_compress,
    brotli_asgi,
    slowapi,
    starlette_context,
    starlette_raw_context,
    starlette_sentry,
    fastapi_otel,
    fastapi_sentry,
    asgi_otel,
    asgi_sentry,
)


class Site:
    """An application within a stack, and what became of its exports."""

    def __init__(self, stack: Any, sent: list[Any]) -> None:
        self.finished = InMemorySpanExporter()
        self.name = stack.__name__
        self.outcomes: list[str] = []
        self.sent = sent  # to Sentry
        self._spans = TracerProvider()
        self._spans.add_span_processor(SimpleSpanProcessor(self.finished))
        self._stack = stack

    def get(self, rows: Any, *, leave_after: int | None = None, **options: Any) -> Reply:
        def make(kind: Any) -> Any:
            return kind(rows, columns=COLUMNS, on_done=self._done, **options)

        app = self._stack(make, self._spans)
        headers = {"Accept-Encoding": "gzip, br, zstd"}
        if self._stack in WSGI:
            return wsgi_get(app, headers=headers, leave_after=leave_after)
        return asgi_get(with_defaults(app), headers=headers, leave_after=leave_after)

    def _done(self, receipt: sw.Receipt) -> None:
        self.outcomes.append(receipt.outcome)


@pytest.fixture(params=[*WSGI, *ASGI], ids=lambda stack: stack.__name__)
def site(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[Site]:
    watched = request.param.__name__.endswith("sentry")
    with ExitStack() as stack:
        yield Site(request.param, stack.enter_context(sentry()) if watched else [])
    loud = [record for record in caplog.records if record.levelno >= logging.WARNING]
    said = [record.getMessage() for record in loud if record.name.startswith("opentelemetry")]
    assert said == []  # such as "Failed to detach context"


def decoded(reply: Reply) -> bytes:
    coding = reply.headers.get("content-encoding", "")
    if coding == "gzip":
        return gzip.decompress(reply.body)
    if coding == "br":
        import brotli  # type: ignore[import-untyped]

        return bytes(brotli.decompress(reply.body))
    assert coding == ""
    return reply.body


@pytest.mark.parametrize("compress", ["auto", "off"])
@pytest.mark.parametrize("format_", ["csv", "xlsx"])
def test_the_document_is_whole(site: Site, format_: str, compress: Any) -> None:
    closed = list[int]()

    def rows() -> Iterator[Any]:
        yield from orders(5000)
        closed.append(time.time_ns())

    reply = site.get(rows, format=format_, compress=compress)
    assert (reply.status, reply.error, reply.complete) == (200, None, True)
    assert decoded(reply) == b"".join(sw.encode(orders(5000), format_, columns=COLUMNS))
    assert site.outcomes == ["complete"]
    roots = [span for span in site.finished.get_finished_spans() if span.parent is None]
    assert len(roots) == site.name.endswith("otel")
    assert all((span.end_time or 0) > closed[0] for span in roots)
    assert kinds(site.sent) == ["transaction"] * site.name.endswith("sentry")


def test_a_failure_at_once_is_a_500(site: Site) -> None:
    reply = site.get(lambda: failing(0), format="csv")
    assert isinstance(reply.error, Broken) or reply.status == 500
    assert site.outcomes == ["source error"]


def test_a_late_failure_is_not_whole(site: Site) -> None:
    reply = site.get(lambda: failing(20_000), format="csv", compress="off")
    assert reply.error is not None
    assert not reply.complete
    assert site.outcomes == ["source error"]


def test_rows_are_closed_when_the_client_leaves(site: Site) -> None:
    rows = Rows(orders(10**6))
    site.get(lambda: rows, leave_after=1, format="xlsx")
    assert (rows.closed, site.outcomes) == (1, ["client gone"])
