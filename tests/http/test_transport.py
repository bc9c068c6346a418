"""Which transports hide from a client that a body was cut short."""

from typing import Any

import pytest

from streamware.http.transport import silent_asgi, silent_wsgi


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({"SERVER_PROTOCOL": "HTTP/1.1", "SERVER_SOFTWARE": "gunicorn/27.0.1"}, None),
        ({"SERVER_PROTOCOL": "HTTP/1.1", "SERVER_SOFTWARE": "waitress"}, None),
        ({"SERVER_PROTOCOL": "HTTP/2", "SERVER_SOFTWARE": "hypercorn-h2"}, None),
        ({}, None),
        ({"SERVER_PROTOCOL": "HTTP/1.0", "SERVER_SOFTWARE": "gunicorn/27.0.1"}, "HTTP/1.0"),
        ({"SERVER_PROTOCOL": "HTTP/1", "SERVER_SOFTWARE": "waitress"}, "HTTP/1.0"),
        ({"SERVER_PROTOCOL": "http/1.0"}, "HTTP/1.0"),
        ({"SERVER_PROTOCOL": "HTTP/1.1", "SERVER_SOFTWARE": "Granian"}, "granian's WSGI side"),
        (
            {"SERVER_PROTOCOL": "HTTP/1.1", "SERVER_SOFTWARE": "WSGIServer/0.2 CPython/3.11"},
            "wsgiref",
        ),
        ({"SERVER_PROTOCOL": "HTTP/1.1", "uwsgi.version": b"2.0.31"}, "uWSGI"),
    ],
)
def test_wsgi_servers_that_end_every_body_politely_are_known(
    environ: dict[str, Any], reason: str | None
) -> None:
    assert silent_wsgi(environ) == reason


@pytest.mark.parametrize(
    ("scope", "reason"),
    [
        ({"http_version": "1.1"}, None),
        ({"http_version": "2"}, None),
        ({}, None),
        ({"http_version": "1.0"}, "HTTP/1.0"),
    ],
)
def test_asgi_servers_hide_it_over_http_1_0_only(scope: dict[str, Any], reason: str | None) -> None:
    assert silent_asgi(scope) == reason
