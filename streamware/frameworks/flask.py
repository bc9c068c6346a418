"""Flask: an `Export` is returned from a view as it is, or as a `Response` of Flask's.

Flask takes the application context down when the view has returned, and with it what `g` and the
teardown functions keep: a database connection, a session.  The rows of an export are still being
read then, so the context is kept until they are closed, and taken down then; where they are closed
before Flask is done with the request, it is Flask that takes it down, as ever.  Rows need no
`stream_with_context` for it, and cannot have one: that has to end where it began, on the thread.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from threading import RLock, get_ident
from typing import Any, Unpack

import flask
import flask.globals

from streamware.frameworks._support.download import Download
from streamware.frameworks._support.options import Content, Options, application
from streamware.frameworks._support.with_headers import WithHeaders
from streamware.http.application import prepare_answer
from streamware.http.headers import Headers
from streamware.http.request import Request

_NO_CYCLE: dict[str, None] = {"werkzeug.request": None}
_HELD = ("kept", None)  # a pair, as the tokens of a request context are
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
        environ = flask.request.environ
        inner = WithHeaders(application(content, options), status, headers)
        answer = prepare_answer(inner, Request.from_environ(environ))
        download = Download(answer, environ)
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


class Kept:
    """The contexts of a request, kept until its rows are closed.

    Whoever lets go of a context last takes it down: Flask, or one of those who kept it.

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
            # Flask takes a context down when it pops the last of its tokens: this one is older.
            context._cv_tokens.insert(0, _HELD)  # noqa: SLF001 - there is no public way

    def release(self, *, last: bool) -> None:
        """Let go of the contexts, and take down what nobody else has any more.  Idempotent.

        While Flask is at the request, on another thread, it may have looked already whether it is
        the last to have them: then nothing is done yet.

        To be called in a copy of the `contextvars.Context` in which rows are read.

        Args:
            last: Whether nobody will call it again.

        Raises:
            Exception: What functions of the application raise; each was called.
        """
        with _LETTING_GO:
            if (
                not last
                and get_ident() != self._thread
                and not all(map(_is_popped, self._contexts))
            ):
                return
            contexts, self._contexts = self._contexts, []
            over = [context for context in contexts if _let_go(context)]
        self._take_down(over)

    def _take_down(self, over: list[Any]) -> None:
        """From last to first, as Flask does, each whatever became of the one before."""
        error = sys.exc_info()[1]
        with ExitStack() as stack:
            for context in over:
                if not hasattr(context, "request"):
                    stack.callback(self._app.do_teardown_appcontext, error)
                    continue
                stack.callback(self._request.environ.update, _NO_CYCLE)
                stack.callback(self._request.close)
                stack.callback(self._app.do_teardown_request, error)


def keep() -> Kept | None:
    """Keep the current request's contexts, `g` and all.

    The thread is left as it would be without us: nothing stays pushed.
    """
    if not flask.has_request_context():
        return None
    proxies: tuple[Any, ...] = (flask.globals.app_ctx, vars(flask.globals).get("request_ctx"))
    contexts = [_behind(proxy) for proxy in proxies if proxy is not None]
    known = [context for context in contexts if hasattr(context, "_cv_tokens")]
    return Kept(_behind(flask.current_app), _behind(flask.request), known)


# Held for a few steps only, none of them the application's; again by a finalizer that runs there.
_LETTING_GO = RLock()


def _behind(proxy: Any) -> Any:
    return proxy._get_current_object()  # noqa: SLF001 - Werkzeug documents it


def _is_popped(context: Any) -> bool:
    """Whether Flask has, and so does not take it down any more."""
    return all(token is _HELD for token in context._cv_tokens)  # noqa: SLF001


def _let_go(context: Any) -> bool:
    """Whether nobody has it any more."""
    context._cv_tokens.remove(_HELD)  # noqa: SLF001
    return not context._cv_tokens  # noqa: SLF001
