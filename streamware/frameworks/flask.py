"""Flask: an `Export` is returned from a view as it is, or as a `Response` of Flask's.

Flask takes the application context down when the view has returned, and with it what `g` and the
teardown functions keep: a database connection, a session.  The rows of an export are still being
read then, so the context is kept until they are closed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Unpack

import flask
import flask.globals

from streamware.frameworks.download import Download
from streamware.frameworks.dressed import Dressed
from streamware.frameworks.options import Content, Options, application
from streamware.http.headers import Headers

_HELD = (None, None)
_BODILESS = (204, 304, 412)


class ExportResponse(flask.Response):
    """A download as a `Response` of Flask's, for what those have.

    Its status and headers are there at once, for the view and for functions called after the
    request; rows are opened when the view has returned it, unless it has become a 304 by then
    (`make_conditional`).  What they raise until the first chunk is there goes to Flask's
    handlers, and makes a 500.  Where there is no room, it becomes a 503.

    To be made while there is a request.  It is never read into memory: `get_data`, and what
    calls it, such as `add_etag`, raises `RuntimeError`.

    Args:
        content: Rows, as `Export`; or an `Export` or a `Bundle` that is there already.
        status: Status code; by default 200, or what an `Export` that is there says.
        headers: As `Export`; also a mapping.
        options: As `Export`.

    Raises:
        TypeError, ValueError: As `Export`; also for options beside an `Export` or a `Bundle`.
        RuntimeError: There is no request.
    """

    def __init__(
        self,
        content: Content,
        status: int | None = None,
        headers: Headers = (),
        **options: Unpack[Options],
    ) -> None:
        request = flask.request
        answer = Dressed(application(content, options), status, headers).answer(
            head_only=request.method == "HEAD",
            query=request.query_string,
            accept=request.headers.get("Accept"),
            coding=request.headers.get("Accept-Encoding"),
            language=request.headers.get("Accept-Language"),
        )
        download = Download(answer, request.environ)
        super().__init__(download, answer.status, answer.headers)
        # An extension that compresses puts something else in its place, and forgets to close it.
        self.call_on_close(download.close)
        # Attributes of the instance: an application with a class of its own changes the class.
        self.implicit_sequence_conversion = False
        self.automatically_set_content_length = False
        flask.after_this_request(_begin)


def _begin(response: flask.Response) -> flask.Response:
    """Open the rows of what the view has returned.

    Flask calls this before the functions of the application, and its handlers get what fails.
    """
    download = response.response
    if isinstance(download, Download):
        download.begin(wanted=response.status_code not in _BODILESS)
        download.update(response.headers)
        if download.refused:
            response.status_code = download.status
    return response


def keep() -> Callable[[], object] | None:
    """Keep the current request's contexts, `g` and all; returns what takes them down.

    The thread is left as it would be without us: nothing stays pushed.  What is returned is to be
    called in a copy of the current `contextvars.Context`, in which rows are read, too.
    """
    if not flask.has_request_context():
        return None
    app = flask.current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
    request = flask.request._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
    proxies: tuple[Any, ...] = (vars(flask.globals).get("request_ctx"), flask.globals.app_ctx)
    for proxy in proxies:
        context: Any = None if proxy is None else proxy._get_current_object()  # noqa: SLF001
        if hasattr(context, "_cv_tokens"):
            # Flask takes a context down when it pops the last of its tokens: this one is older.
            context._cv_tokens.insert(0, _HELD)  # noqa: SLF001 - there is no public way
    return lambda: _take_down(app, request)


def _take_down(app: flask.Flask, request: flask.Request) -> None:
    error = sys.exc_info()[1]
    with ExitStack() as stack:  # from last to first, each whatever became of the one before
        stack.callback(app.do_teardown_appcontext, error)
        stack.callback(request.close)
        stack.callback(app.do_teardown_request, error)
