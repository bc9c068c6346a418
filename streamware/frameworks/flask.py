"""Flask: an `Export` is returned from a view as it is.

Flask takes the application context down when the view has returned, and with it what `g` and the
teardown functions keep: a database connection, a session.  The rows of an export are still being
read then, so the context is kept until they are closed.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

from flask import has_request_context, stream_with_context


def keep() -> Callable[[], object] | None:
    """Keep the current contexts, `g` and all; returns what lets them go.

    Teardown functions run when they are let go, not before.
    """
    if not has_request_context():
        return None
    # Flask's own way: it pushes the context again at once, and pops it when it is closed.
    kept: Generator[bytes, None, None] = stream_with_context(_nothing())  # type: ignore[assignment]
    return kept.close


def _nothing() -> Iterator[bytes]:
    yield b""
