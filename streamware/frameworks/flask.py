"""Flask: an `Export` is returned from a view as it is.

Flask takes the application context down when the view has returned, and with it what `g` and the
teardown functions keep: a database connection, a session.  The rows of an export are still being
read then, so the context is kept until they are closed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import flask
import flask.globals

_HELD = (None, None)


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
