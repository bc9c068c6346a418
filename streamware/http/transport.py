"""Transport: whether a client would notice that a body was cut short.

Over HTTP/1.1 and later it usually does, because the last chunk is missing.  HTTP/1.0 ends every
body by closing the connection, complete or not.  Some servers end every body as if it were
complete, even if the application raised; measured: wsgiref, uWSGI, mod_wsgi in daemon mode,
granian's WSGI side before 2.8.9, and CGI, FastCGI and SCGI behind Apache.  So do Werkzeug's
debugger, and middlewares of Starlette around a bridge from ASGI to WSGI; what is about them in ASGI
alone is in `relay`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from tempfile import SpooledTemporaryFile
from typing import Any

from streamware.http import relay

_HTTP_1_0 = ("1.0", "1", "0.9")  # granian gives "HTTP/1", without a minor version
_GRANIAN_BREAKS = (2, 8, 9)
"""The first version of granian whose WSGI side breaks the transfer."""
# Servers that run no Python, so that something is between them and the application, unless there
# is a key that says what; prefixes of SERVER_SOFTWARE, in lower case.
_FRONTS = ("apache", "nginx", "lighttpd", "litespeed", "openlitespeed", "microsoft-iis", "caddy")
_DEBUGGER = "werkzeug.debug.preserve_context"
"""A key of the environ, set by Werkzeug's debugger; also by test clients of Flask, which have no
connection."""
_RELAYS = "starlette.middleware.base"
"""The module whose middlewares end a body politely, if it is loaded at all."""


def _named(environ: Mapping[str, Any]) -> str | None:
    if _DEBUGGER in environ and "REMOTE_PORT" in environ:
        return "Werkzeug's debugger"
    return "uWSGI" if "uwsgi.version" in environ else None


def silent_wsgi(environ: Mapping[str, Any]) -> str | None:
    """Return what would hide from a WSGI client that a body was cut; None if nothing."""
    software = str(environ.get("SERVER_SOFTWARE") or "").lower()
    if named := _named(environ):
        return named
    if software.startswith("wsgiserver/"):
        return "wsgiref"
    if software.startswith("granian") and _granian() < _GRANIAN_BREAKS:
        return "granian's WSGI side before 2.8.9"
    if environ.get("mod_wsgi.process_group"):
        return "mod_wsgi's daemon mode"
    if "mod_wsgi.process_group" in environ:  # embedded in Apache, which breaks the transfer
        pass
    elif environ.get("wsgi.run_once"):
        return "CGI"
    elif "SCGI" in environ:
        return "SCGI"
    elif software.startswith(_FRONTS):
        return "FastCGI"
    elif not software and _RELAYS in sys.modules and _is_bridged(environ) and relay.is_beside():
        return "Starlette around a WSGI application"
    version = str(environ.get("SERVER_PROTOCOL", "")).upper().removeprefix("HTTP/")
    return "HTTP/1.0" if version in _HTTP_1_0 else None


def silent_asgi(scope: Mapping[str, Any]) -> str | None:
    """Return what would hide from an ASGI client that a body was cut; None if nothing.

    No ASGI server ends a body that the application has not completed, but a WSGI server may be
    around it: a2wsgi gives its environ.
    """
    if (environ := scope.get("wsgi_environ")) is not None:
        return silent_wsgi(environ)
    return "HTTP/1.0" if scope.get("http_version") in _HTTP_1_0 else None


def _is_bridged(environ: Mapping[str, Any]) -> bool:
    """Return whether an ASGI server runs the application.

    The bridges of a2wsgi, uvicorn, asgiref and Starlette do not name themselves.
    """
    return (
        "asgi.scope" in environ
        or environ.get("wsgi.errors") is sys.stdout
        or isinstance(environ.get("wsgi.input"), SpooledTemporaryFile)
    )


@cache
def _granian() -> tuple[int, ...]:
    """Return the version of granian, which does not give it to applications; () if unknown."""
    try:
        found = metadata.version("granian")
    except metadata.PackageNotFoundError:
        return ()
    return tuple(map(int, re.findall(r"\d+", found)[:3]))
