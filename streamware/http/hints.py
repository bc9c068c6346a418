"""Hints: what to return from a view whose framework does not accept an `Export`.

FastAPI would make JSON of an `Export`; Django, Falcon, Litestar and Quart accept only their own
responses.  Their errors name neither the cause nor the remedy.  These functions name both.
"""

from __future__ import annotations

import logging
import sys
from typing import NoReturn

logger = logging.getLogger("streamware")

_FOR_FASTAPI = (
    "FastAPI makes JSON of what a view returns unless it is a Response: return"
    " streamware.frameworks.fastapi.ExportResponse(…) instead of sw.Export(…)"
)
_FOR_OTHERS = (
    "an Export is not a response of this framework; return ExportResponse(…) of"
    " streamware.frameworks.django, .litestar, .falcon or .quart instead of sw.Export(…)"
)
# What frameworks read from a view's result, and what responses have but an Export does not.
_OF_RESPONSES = frozenset(
    {"_resource_closers", "cookies", "get", "has_header", "headers", "status_code", "streaming"}
)
# Frameworks that reject a view's result by its type, and read no attribute of it.
_SILENT = ("falcon", "litestar", "quart")


def refuse_mapping() -> NoReturn:
    """Raise `TypeError` when FastAPI asks for keys, to make JSON of them."""
    raise TypeError(_FOR_FASTAPI)


def no_attribute(owner: object, name: str) -> AttributeError:
    """Return the error for a missing attribute, with a hint if it is one that responses have."""
    hint = f"; {_FOR_OTHERS}" if name in _OF_RESPONSES else ""
    text = f"{type(owner).__name__!r} object has no attribute {name!r}{hint}"
    return AttributeError(text, name=name, obj=owner)


def warn_unanswered(kind: str) -> None:
    """Log that an application was dropped unused, if a framework in use may have rejected it."""
    for framework in sys.modules.keys() & _SILENT:
        logger.warning(
            "%s was returned or dropped, and never asked for its answer; a view of %s returns"
            " streamware.frameworks.%s.ExportResponse instead%s",
            "an Export" if kind == "Export" else f"a {kind}",
            framework.capitalize(),
            framework,
            " (in Litestar, or is annotated -> ASGIApp)" if framework == "litestar" else "",
        )
