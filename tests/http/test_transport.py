"""Which transports hide from a client that a body was cut short."""

import sys
from importlib import metadata
from tempfile import SpooledTemporaryFile
from typing import Any

import pytest
from werkzeug.debug import DebuggedApplication
from werkzeug.test import Client

from streamware.http import transport
from streamware.http.transport import silent_asgi, silent_wsgi

APACHE = {
    "GATEWAY_INTERFACE": "CGI/1.1",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "SERVER_SOFTWARE": "Apache/2.4.66 (Debian) mod_wsgi/4.9.4 Python/3.11",
}


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
        (
            {"SERVER_PROTOCOL": "HTTP/1.1", "SERVER_SOFTWARE": "WSGIServer/0.2 CPython/3.11"},
            "wsgiref",
        ),
        ({"SERVER_PROTOCOL": "HTTP/1.1", "uwsgi.version": b"2.0.31"}, "uWSGI"),
        ({**APACHE, "mod_wsgi.version": (4, 9, 4), "mod_wsgi.process_group": ""}, None),
        ({"mod_wsgi.process_group": "localhost:80"}, "mod_wsgi's daemon mode"),
        (
            {"werkzeug.debug.preserve_context": print, "REMOTE_PORT": 50000},
            "Werkzeug's debugger",
        ),
        ({"werkzeug.debug.preserve_context": print}, None),  # a test client of Flask
        (
            {**APACHE, "mod_wsgi.version": (4, 9, 4), "mod_wsgi.process_group": "site"},
            "mod_wsgi's daemon mode",
        ),
        (
            {
                **APACHE,
                "mod_wsgi.version": (5, 0, 2),
                "mod_wsgi.process_group": "",
                "SERVER_PROTOCOL": "HTTP/1.0",
            },
            "HTTP/1.0",
        ),
        ({**APACHE, "wsgi.run_once": True}, "CGI"),
        ({"SERVER_PROTOCOL": "HTTP/1.1", "wsgi.run_once": True}, "CGI"),
        ({"SERVER_PROTOCOL": "HTTP/1.1", "wsgi.run_once": False}, None),
        ({**APACHE, "SCGI": "1", "wsgi.run_once": False}, "SCGI"),
        ({"SERVER_PROTOCOL": "HTTP/1.1", "SCGI": "1"}, "SCGI"),
        ({**APACHE, "wsgi.run_once": False}, "FastCGI"),
        ({"SERVER_PROTOCOL": "HTTP/1.1", "SERVER_SOFTWARE": "nginx/1.22.1"}, "FastCGI"),
        ({"SERVER_PROTOCOL": "HTTP/1.1", "SERVER_SOFTWARE": "lighttpd/1.4.69"}, "FastCGI"),
        # gevent and granian set that, too, and speak HTTP themselves.
        ({**APACHE, "SERVER_SOFTWARE": "gevent/25.9 Python/3.11"}, None),
        # Some frameworks' tests have no text there.
        ({"SERVER_PROTOCOL": None, "SERVER_SOFTWARE": None}, None),
    ],
)
def test_wsgi_servers_that_end_every_body_politely_are_known(
    environ: dict[str, Any], reason: str | None
) -> None:
    assert silent_wsgi(environ) == reason


@pytest.mark.parametrize(
    "told",
    [
        {"asgi.scope": {}},
        {"wsgi.errors": sys.stdout},
        {"wsgi.input": SpooledTemporaryFile()},  # noqa: SIM115 - nothing is written
    ],
    ids=["a2wsgi, uvicorn", "starlette", "asgiref"],
)
def test_starlette_around_a_bridge_to_wsgi_hides_it(
    monkeypatch: pytest.MonkeyPatch, told: dict[str, Any]
) -> None:
    monkeypatch.setitem(sys.modules, "starlette.middleware.base", sys)
    if "wsgi.errors" in told:
        told = {"wsgi.errors": sys.stdout}  # pytest puts another in its place
    environ = {"SERVER_PROTOCOL": "HTTP/1.1", **told}
    assert silent_wsgi(environ) == "Starlette around a WSGI application"
    assert silent_wsgi({**environ, "SERVER_SOFTWARE": "gunicorn/27.0.1"}) is None
    assert silent_wsgi({"SERVER_PROTOCOL": "HTTP/1.1"}) is None
    monkeypatch.delitem(sys.modules, "starlette.middleware.base")
    assert silent_wsgi(environ) is None


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("2.8.7", "granian's WSGI side before 2.8.9"),
        ("1.7.6", "granian's WSGI side before 2.8.9"),
        ("2.8", "granian's WSGI side before 2.8.9"),
        ("2.8.9", None),
        ("2.8.10rc1", None),
        ("2.10.0", None),
        ("3.0", None),
        (None, "granian's WSGI side before 2.8.9"),
    ],
)
def test_granian_hides_it_in_old_versions_only(
    monkeypatch: pytest.MonkeyPatch, version: str | None, reason: str | None
) -> None:
    def installed(name: str) -> str:
        if version is None:
            raise metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(metadata, "version", installed)
    transport._granian.cache_clear()
    environ = {**APACHE, "SERVER_SOFTWARE": "Granian"}
    assert silent_wsgi(environ) == reason
    transport._granian.cache_clear()


@pytest.mark.parametrize(
    ("scope", "reason"),
    [
        ({"http_version": "1.1"}, None),
        ({"http_version": "2"}, None),
        ({}, None),
        ({"http_version": "1.0"}, "HTTP/1.0"),
        # As a2wsgi has it, for an ASGI application on a WSGI server.
        ({"http_version": "1.1", "wsgi_environ": {"SERVER_SOFTWARE": "waitress"}}, None),
        ({"http_version": "1.1", "wsgi_environ": {"SERVER_SOFTWARE": "WSGIServer/0.2"}}, "wsgiref"),
    ],
)
def test_asgi_servers_hide_it_over_http_1_0_only_unless_they_are_on_a_wsgi_server(
    scope: dict[str, Any], reason: str | None
) -> None:
    assert silent_asgi(scope) == reason


_told: list[str | None] = []


def _telling(environ: Any, start_response: Any) -> list[bytes]:
    _told.append(silent_wsgi(environ))
    start_response("200 OK", [])
    return []


_debugged = DebuggedApplication(_telling, evalex=True)  # keeps shared memory as long as it lives


def test_the_debugger_of_werkzeug_is_known() -> None:
    """As it runs with `flask run --debug`: it ends a body whose rows have failed."""
    connection = {"REMOTE_PORT": 50000}
    Client(_telling).get("/", environ_overrides=connection)
    Client(_debugged).get("/", environ_overrides=connection)
    assert _told == [None, "Werkzeug's debugger"]
