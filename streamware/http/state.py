"""State: what an application calls the state of the rows that it exports.

Source: RFC 9110 §8.8.1 (what a strong validator has to be).
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from streamware.engine.worker import Worker
from streamware.http.headers import Header

State = str | Callable[[], str | None] | Callable[[], Awaitable[str | None]] | None
"""A text, or what returns one; None: the state has no name."""


def checked_state(etag: State, headers: Sequence[Header]) -> State:
    """Return what names a state.

    Args:
        etag: What names it.
        headers: The further headers of the response.

    Raises:
        TypeError: It is neither a text nor a callable.
        ValueError: The headers have an `ETag` of their own.
    """
    if not (etag is None or isinstance(etag, str) or callable(etag)):
        raise TypeError(f"etag must be a str or a callable, not {type(etag).__name__}")
    if etag is not None and any(name.lower() == "etag" for name, _ in headers):
        raise ValueError("etag= makes an ETag, so headers must have none: leave out one of them")
    return etag


def state_of(etag: State) -> str | None:
    """Return the name of the state.

    Raises:
        TypeError: It is asynchronous, or what was returned is no text.
    """
    found = etag() if callable(etag) else etag
    if not inspect.isawaitable(found):
        return _text(found)
    if inspect.iscoroutine(found):
        found.close()
    raise TypeError(
        "etag is asynchronous, and here nothing can await it: await it before, and pass the text"
    )


async def astate_of(etag: State) -> str | None:
    """Return the name of the state, beside an event loop; on a thread if it may block.

    Raises:
        TypeError: What was returned is no text.
    """
    if not callable(etag):
        return _text(etag)
    if _is_asynchronous(etag):
        found: object = etag()
    else:
        worker = Worker()
        try:
            found = await worker.submit(etag)
        finally:
            worker.stop(_nothing)
    return _text(await found if inspect.isawaitable(found) else found)


def _is_asynchronous(call: Callable[[], object]) -> bool:
    while isinstance(call, partial):
        call = call.func
    own = getattr(call, "__call__", None)  # noqa: B004 - instances with an async __call__ too
    return inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(own)


def _text(found: object) -> str | None:
    if not isinstance(found, str | None):
        kind = type(found).__name__
        raise TypeError(f"etag must return a str, or None for no state, not {kind}")
    return found


def _nothing() -> None:
    pass
