"""Check an application's signature when a middleware is mounted around it."""

from __future__ import annotations

import inspect
from typing import Literal

_ARGUMENTS = {"WSGI": 2, "ASGI": 3}
"""How many arguments an application of each kind is called with."""
_ARTICLE = {"WSGI": "a", "ASGI": "an"}


def check(app: object, kind: Literal["WSGI", "ASGI"]) -> None:
    """Raise at once what would otherwise be an error at the first request.

    Raises:
        TypeError: `app` is not callable, or its signature is that of another kind of application.
    """
    expected = f"sw.{kind}Middleware expects {_ARTICLE[kind]} {kind} application"
    if not callable(app):
        raise TypeError(f"{expected}, which is callable, not {type(app).__name__}")
    try:
        # A decorator copies the signature of what it wraps, but is called by its own.
        signature = inspect.signature(app, follow_wrapped=False)
    except Exception:  # noqa: BLE001 - an annotation may raise anything; this is only a hint
        return
    numbers = [number for number in (1, 2, 3) if _binds(signature, number)]
    if not numbers or _ARGUMENTS[kind] in numbers:
        return
    for other, number in _ARGUMENTS.items():
        if number in numbers:
            raise TypeError(
                f"{expected}, not {_ARTICLE[other]} {other} application, which this is by its"
                f" signature: mount sw.{other}Middleware around it"
            )
    raise TypeError(
        f"{expected}, not a callable of one argument: leave it out of Django's MIDDLEWARE, and in"
        f" {kind.lower()}.py mount it around what get_{kind.lower()}_application() returns"
    )


def _binds(signature: inspect.Signature, number: int) -> bool:
    try:
        signature.bind(*[None] * number)
    except TypeError:
        return False
    return True
