"""Transport: whether a client would notice that a body was cut short.

Over HTTP/1.1 and later it usually does, because the last chunk is missing.  HTTP/1.0 ends every
body by closing the connection, complete or not.  Some servers end every body as if it were
complete, even if the application raised; measured: wsgiref, uWSGI, and granian's WSGI side before
2.8.9.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Prefixes of SERVER_SOFTWARE, in lower case; and a key that only one server sets.
_SOFTWARE = {"wsgiserver/": "wsgiref", "granian": "granian's WSGI side"}
_KEYS = {"uwsgi.version": "uWSGI"}
_HTTP_1_0 = ("1.0", "1", "0.9")  # granian gives "HTTP/1", without a minor version


def silent_wsgi(environ: Mapping[str, Any]) -> str | None:
    """Return what would hide from a WSGI client that a body was cut; None if nothing."""
    for key, name in _KEYS.items():
        if key in environ:
            return name
    software = environ.get("SERVER_SOFTWARE", "").lower()
    for beginning, name in _SOFTWARE.items():
        if software.startswith(beginning):
            return name
    version = environ.get("SERVER_PROTOCOL", "").upper().removeprefix("HTTP/")
    return "HTTP/1.0" if version in _HTTP_1_0 else None


def silent_asgi(scope: Mapping[str, Any]) -> str | None:
    """Return what would hide from an ASGI client that a body was cut; None if nothing.

    No ASGI server ends a body that the application has not completed.
    """
    return "HTTP/1.0" if scope.get("http_version") in _HTTP_1_0 else None
