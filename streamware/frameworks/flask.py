"""Flask: an export as a `Response`, and the contexts that its rows need.

A view may also return a bare `Export`.  `ExportResponse` adds what Flask's responses have.

When the view has returned, Flask tears down the application context, and with it what is in `g`:
a database connection, a session.  But the rows of an export are still to be read.  So the
contexts are held until the rows are closed, and torn down then.  If the rows are closed before
Flask has finished the request, Flask tears the contexts down as usual.  Rows need no
`stream_with_context`, and cannot use it: it must end on the thread where it started.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from itertools import chain
from threading import RLock, get_ident
from typing import Any, Unpack

import flask
import flask.globals

from streamware.frameworks._support.download import Download
from streamware.frameworks._support.options import Content, ExportOptions, application
from streamware.frameworks._support.with_headers import WithHeaders
from streamware.http.application import prepare_answer
from streamware.http.headers import Headers
from streamware.http.request import Request

_NO_CYCLE: dict[str, None] = {"werkzeug.request": None}  # for an environ, as Flask does
_HOLD = ("held", None)  # a pair, as the tokens of a request context are
_BODILESS = (204, 304, 412)


class ExportResponse(flask.Response):
    """A download as a Flask `Response`, for a view to return.

    Its status and headers are set at once, for the view and for `after_request` functions.  The
    rows are opened when the view has returned, unless `make_conditional` has made it a 304.  What
    they raise before the first chunk goes to Flask's error handlers, and by default becomes a
    500.  If there is no room, the response becomes a 503.

    It is never read into memory: `get_data`, and what calls it, such as `add_etag`, raises
    `RuntimeError`.

    Args:
        content: Rows, as for `Export`; or an existing `Export` or `Bundle`.
        status: Status code of the download; by default 200, or that of an existing `Export`.
        headers: Further headers, as for `Export`.
        options: As for `Export`.

    Raises:
        TypeError, ValueError: As `Export` does; also if options are given beside an `Export` or a
            `Bundle`.
        RuntimeError: It is made outside a request.
    """

    def __init__(
        self,
        content: Content,
        status: int | None = None,
        headers: Headers = (),
        **options: Unpack[ExportOptions],
    ) -> None:
        environ = flask.request.environ
        inner = WithHeaders(application(content, options), status, headers)
        answer = prepare_answer(inner, Request.from_environ(environ))
        download = Download(answer, environ)
        super().__init__(download, answer.status, answer.headers)
        # Extensions that compress replace the body, and may forget to close it.
        self.call_on_close(download.close)
        # Set on the instance, as an application may change the class.
        self.implicit_sequence_conversion = False
        self.automatically_set_content_length = False
        flask.after_this_request(_start)


def _start(response: flask.Response) -> flask.Response:
    """Open the rows if the view has returned a download.

    Flask calls this before the application's `after_request` functions, and passes what it raises
    to the error handlers.
    """
    download = response.response
    if isinstance(download, Download):
        download.start(open_rows=response.status_code not in _BODILESS)
        download.update_headers(response.headers)
        if download.refused:
            response.status_code = download.status
    return response


class FlaskContextHold:
    """A hold on the contexts of a request, until its rows are closed.

    The last one to release a context tears it down: Flask, or one of the holds.

    Args:
        app: The application.
        request: The request.
        contexts: What Flask has pushed for it.
    """

    def __init__(self, app: flask.Flask, request: flask.Request, contexts: list[Any]) -> None:
        self._app = app
        self._request = request
        self._contexts = contexts
        self._thread = get_ident()
        for context in contexts:
            # Flask pops tokens from the end, and tears a context down when none is left.
            context._cv_tokens.insert(0, _HOLD)  # noqa: SLF001 - there is no public way

    def release(self, *, last: bool) -> None:
        """Release the contexts, and tear down those that no one else holds.  Idempotent.

        If Flask is still handling the request, on another thread, it may already have checked
        whether it is the last to hold them.  Then this does nothing until it is called again.

        It must be called in a copy of the `contextvars.Context` in which the rows are read.

        Args:
            last: Whether it will not be called again.

        Raises:
            Exception: What teardown functions of the application raise, after all have run.
        """
        with _RELEASING:
            tokens = chain.from_iterable(context._cv_tokens for context in self._contexts)  # noqa: SLF001
            popped = all(token is _HOLD for token in tokens)  # then Flask does not tear them down
            if not last and get_ident() != self._thread and not popped:
                return
            contexts, self._contexts = self._contexts, []
            for context in contexts:
                context._cv_tokens.remove(_HOLD)  # noqa: SLF001
            unheld = [context for context in contexts if not context._cv_tokens]  # noqa: SLF001
        self._tear_down(unheld)

    def _tear_down(self, contexts: list[Any]) -> None:
        """Tear down from last to first, as Flask does; each runs even if an earlier one failed."""
        error = sys.exc_info()[1]
        with ExitStack() as stack:
            for context in contexts:
                if not hasattr(context, "request"):
                    stack.callback(self._app.do_teardown_appcontext, error)
                    continue
                stack.callback(self._request.environ.update, _NO_CYCLE)
                stack.callback(self._request.close)
                stack.callback(self._app.do_teardown_request, error)


def hold_contexts() -> FlaskContextHold | None:
    """Hold the contexts of the current request, and with them `g`.

    Nothing stays pushed on this thread.
    """
    if not flask.has_request_context():
        return None
    proxies: tuple[Any, ...] = (flask.globals.app_ctx, vars(flask.globals).get("request_ctx"))
    contexts = [_current_object(proxy) for proxy in proxies if proxy is not None]
    known = [context for context in contexts if hasattr(context, "_cv_tokens")]
    return FlaskContextHold(
        _current_object(flask.current_app), _current_object(flask.request), known
    )


# Never held while the application's code runs.  Re-entrant, because a finalizer that runs while it
# is held may release another hold.
_RELEASING = RLock()


def _current_object(proxy: Any) -> Any:
    return proxy._get_current_object()  # noqa: SLF001 - Werkzeug documents it
