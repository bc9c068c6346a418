"""What real servers serve in `test_examples`: the workbooks of two examples, and two files.

`wsgi` and `asgi` have the same routes.  `/large` is a scratch file, `/other` is none.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

import flask
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Route

import streamware as sw

LARGE = 64 * 2**20
"""More than the buffers of a server and a socket take."""

wsgi: Any = import_module("examples.flask_workbook").app
asgi: Any = import_module("examples.starlette_workbook").app


def _large() -> Path:
    path = sw.current_scratch().path(suffix=".bin")
    with path.open("wb") as file:
        file.writelines(bytes([at]) * 2**20 for at in range(LARGE // 2**20))
    return path


def large_wsgi() -> flask.Response:
    return flask.send_file(_large())


def large_asgi(request: Request) -> FileResponse:
    return FileResponse(_large())


def other_wsgi() -> flask.Response:
    return flask.send_file(__file__)


def other_asgi(request: Request) -> FileResponse:
    return FileResponse(__file__)


wsgi.add_url_rule("/large", view_func=large_wsgi)
wsgi.add_url_rule("/other", view_func=other_wsgi)
asgi.router.routes += [Route("/large", large_asgi), Route("/other", other_asgi)]
