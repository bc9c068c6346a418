"""Flask: an `Export` is returned from a view as it is.

Flask takes the application context down when the view has returned, and with it what `g` and the
teardown functions keep: a database connection, a session.  The rows of an export are still being
read then, so the context is kept until they are closed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flask.globals

# Flask before 3.2 has a request context beside the application context, and takes both down with it.
_current: Any = vars(flask.globals).get("request_ctx", flask.globals.app_ctx)


def keep() -> Callable[[], object] | None:
    """Keep the current request's contexts, `g` and all; returns what lets them go.

    Teardown functions run when they are let go, not when the view has returned.  To be let go
    on the thread that kept them: Flask's contexts are bound to it.
    """
    if not flask.has_request_context():
        return None
    context = _current._get_current_object()  # noqa: SLF001 - Werkzeug's documented way
    # Pushed twice, it outlives the pop at the end of the request: its teardown is for the last.
    context.push()
    release: Callable[[], object] = context.pop
    return release
