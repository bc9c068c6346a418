"""Transport: whether a client would notice that a body was cut short.

Over HTTP/1.1 and later it does, as a rule: the last chunk is missing.  HTTP/1.0 ends a body by
closing the connection, as it does when something fails.  And some servers end every body
politely, whatever the application raised; measured: wsgiref, granian's WSGI side, uWSGI.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# How SERVER_SOFTWARE begins, in lower case; and a key that only one server sets.
_SOFTWARE = {"wsgiserver/": "wsgiref", "granian": "granian's WSGI side"}
_KEYS = {"uwsgi.version": "uWSGI"}


def silent_wsgi(environ: Mapping[str, Any]) -> str | None:
    """What hides a cut body from the client of this request, in a word; None: it would notice."""
    for key, name in _KEYS.items():
        if key in environ:
            return name
    software = environ.get("SERVER_SOFTWARE", "").lower()
    for beginning, name in _SOFTWARE.items():
        if software.startswith(beginning):
            return name
    # granian says "HTTP/1", so it is read and not compared.
    return _http_1_0(environ.get("SERVER_PROTOCOL", "").upper().removeprefix("HTTP/"))


def silent_asgi(scope: Mapping[str, Any]) -> str | None:
    """The same; ASGI servers cut what an application did not complete."""
    return _http_1_0(scope.get("http_version", "1.1"))


def _http_1_0(version: str) -> str | None:
    return "HTTP/1.0" if version in ("1.0", "1", "0.9") else None
