"""Flask's exports below instrumentation: a span or transaction for each request, and no more."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk
from sentry_sdk.integrations.flask import FlaskIntegration
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import Client

import streamware as sw
from observed import sentry
from readers import csv_rows

flask = pytest.importorskip("flask")

from streamware.frameworks.flask import ExportResponse  # noqa: E402 - where it is installed

ROWS = 3000
DELIVERIES = pytest.mark.parametrize("delivery", ["stream", "buffer", "spool", "auto"])
MAKE = pytest.mark.parametrize("make", [sw.Export, ExportResponse])
pytestmark = pytest.mark.usefixtures("scratch_dir")


def shop(make: Any, delivery: Any) -> Any:
    app = flask.Flask(__name__)

    def rows() -> Iterator[Any]:
        for at in range(ROWS):
            yield at, flask.request.path

    app.add_url_rule("/orders", "orders", lambda: make(rows, format="csv", delivery=delivery))
    app.add_url_rule("/plain", "plain", lambda: "plain")
    return app


@pytest.fixture
def spans(request: pytest.FixtureRequest) -> Any:
    pytest.importorskip("opentelemetry.instrumentation.flask")
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider, exporter


@MAKE
@DELIVERIES
@pytest.mark.parametrize("ours", ["none", "outside", "inside"])
def test_spans_of_requests_on_one_thread_are_siblings_and_end_once(
    spans: Any, make: Any, delivery: Any, ours: str, caplog: pytest.LogCaptureFixture
) -> None:
    from opentelemetry import trace
    from opentelemetry.instrumentation.flask import FlaskInstrumentor

    provider, exporter = spans
    app = shop(make, delivery)
    if ours == "inside":
        app.wsgi_app = sw.WSGIMiddleware(app.wsgi_app)
    instrument: Any = FlaskInstrumentor()
    instrument.instrument_app(app, tracer_provider=provider)
    client = Client(sw.WSGIMiddleware(app) if ours == "outside" else app)
    for _ in range(2):
        assert len(csv_rows(client.get("/orders", buffered=True).data)) == ROWS
        assert client.get("/plain", buffered=True).data == b"plain"
    assert not trace.get_current_span().get_span_context().is_valid
    ended = exporter.get_finished_spans()
    assert [span.name for span in ended] == ["GET /orders", "GET /plain"] * 2
    assert [span.parent for span in ended] == [None] * 4
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@DELIVERIES
def test_a_client_that_leaves_detaches_too(
    spans: Any, delivery: Any, caplog: pytest.LogCaptureFixture
) -> None:
    from opentelemetry import trace
    from opentelemetry.instrumentation.flask import FlaskInstrumentor

    provider, exporter = spans
    app = shop(sw.Export, delivery)
    instrument: Any = FlaskInstrumentor()
    instrument.instrument_app(app, tracer_provider=provider)
    response = Client(app).get("/orders")
    next(iter(response.response))
    response.close()
    assert not trace.get_current_span().get_span_context().is_valid
    assert [span.parent for span in exporter.get_finished_spans()] == [None]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@DELIVERIES
def test_the_middleware_of_opentelemetry_sees_one_span(
    spans: Any, delivery: Any, caplog: pytest.LogCaptureFixture
) -> None:
    from opentelemetry import trace
    from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware

    provider, exporter = spans
    app = OpenTelemetryMiddleware(ProxyFix(shop(sw.Export, delivery)), tracer_provider=provider)
    for _ in range(2):
        assert len(csv_rows(Client(app).get("/orders", buffered=True).data)) == ROWS
    assert not trace.get_current_span().get_span_context().is_valid
    assert [span.parent for span in exporter.get_finished_spans()] == [None, None]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@MAKE
@DELIVERIES
def test_sentry_has_a_transaction_for_each_request_and_scopes_do_not_leak(
    make: Any, delivery: Any
) -> None:
    with sentry(
        integrations=[FlaskIntegration()],
        default_integrations=False,
        auto_enabling_integrations=False,
    ) as sent:
        app = shop(make, delivery)
        app.before_request(lambda: sentry_sdk.set_tag("who", flask.request.args.get("who")))
        client = Client(app)
        assert len(csv_rows(client.get("/orders?who=a", buffered=True).data)) == ROWS
        assert client.get("/plain?who=b", buffered=True).data == b"plain"
        assert sentry_sdk.get_isolation_scope()._tags == {}
    names = [event["transaction"] for one in sent if (event := one.get_transaction_event())]
    assert names == ["orders", "plain"]
    parents = [
        event["contexts"]["trace"].get("parent_span_id")
        for one in sent
        if (event := one.get_transaction_event())
    ]
    assert not any(parents)
