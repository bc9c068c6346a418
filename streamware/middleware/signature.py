"""Application: what a middleware is mounted around, as far as its signature tells."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal

_NUMBER = {"WSGI": 2, "ASGI": 3}
"""Arguments that an application of each kind is called with."""


def check(app: object, kind: Literal["WSGI", "ASGI"]) -> None:
    """Find out what would else fail at the first request.

    Raises:
        TypeError: It cannot be called, or not the way applications of this kind are.
    """
    if not callable(app):
        raise TypeError(
            f"{kind}Middleware is mounted around an application, which can be called; a"
            f" {type(app).__name__} cannot"
        )
    takes = _numbers(app)
    if not takes or _NUMBER[kind] in takes:
        return
    for other, number in _NUMBER.items():
        if number in takes:
            article = "an" if other == "ASGI" else "a"
            raise TypeError(
                f"this is {article} {other} application by its signature, around which"
                f" sw.{other}Middleware is mounted, not sw.{kind}Middleware"
            )
    raise TypeError(
        f"this takes one argument, and is no {kind} application: sw.{kind}Middleware is not for"
        f" Django's MIDDLEWARE, but is mounted in {kind.lower()}.py, around what"
        f" get_{kind.lower()}_application() returns"
    )


def _numbers(app: Callable[..., Any]) -> list[int]:
    """How many arguments, of 1 to 3, it takes; none where that cannot be told."""
    try:
        # A decorator has the signature of what it wraps, but is called by its own.
        signature = inspect.signature(app, follow_wrapped=False)
    except Exception:  # noqa: BLE001 - whatever an annotation raises; it is no more than a hint
        return []
    return [number for number in (1, 2, 3) if _binds(signature, number)]


def _binds(signature: inspect.Signature, number: int) -> bool:
    try:
        signature.bind(*[None] * number)
    except TypeError:
        return False
    return True
