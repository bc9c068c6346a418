"""Application: what answers requests over WSGI and ASGI alike."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from streamware.http import asgi, wsgi
from streamware.http.delivery import Answer
from streamware.http.disconnect import Receive, Scope, Send
from streamware.http.request import Request

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

logger = logging.getLogger("streamware")

_FASTAPI_REMEDY = (
    "an Export is no data: FastAPI turns what a view returns into JSON unless it is a Response;"
    " return streamware.frameworks.fastapi.ExportResponse(…) instead of sw.Export(…)"
)


_RESPONSES = (
    "an Export is no response of this framework; return ExportResponse(…) of"
    " streamware.frameworks.django, .litestar, .falcon or .quart instead of sw.Export(…)"
)
# What frameworks ask of what a view has returned, as far as responses have it and an Export not.
_OF_RESPONSES = frozenset(
    {"_resource_closers", "cookies", "get", "has_header", "headers", "status_code", "streaming"}
)


# Frameworks that refuse what a view has returned with a word on its type, and ask it nothing.
_SILENT = ("falcon", "litestar", "quart")


class Application:
    """A WSGI and an ASGI application in one; a subclass says what is answered.

    It has no `__iter__` and no `__next__`, for which Flask would take it for a body and lose its
    headers, and no `__dict__`, of which FastAPI would make JSON.
    """

    __slots__ = ()

    def __del__(self) -> None:
        # The one thing that is certain to happen to what such a framework has refused.
        if not getattr(self, "_used", True) and not sys.is_finalizing():
            for framework in sys.modules.keys() & _SILENT:
                _tell(type(self).__name__, framework)

    def __call__(self, *args: Any) -> Any:
        """Answer as WSGI (two arguments) or ASGI (three) application.

        With one, a scope, it is the first half of an ASGI 2 application, for which uvicorn takes
        everything whose `__call__` is no coroutine function.
        """
        if len(args) == 2:
            return self.wsgi(*args)
        if len(args) == 3:
            return self.asgi(*args)
        if len(args) == 1 and isinstance(args[0], dict):
            return partial(self.asgi, args[0])
        name = type(self).__name__
        raise TypeError(
            f"{name} is called with (environ, start_response) or (scope, receive, send)"
        )

    def wsgi(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer as a WSGI application (PEP 3333)."""
        return wsgi.respond(self._prepare_answer, environ, start_response)

    @property
    def asgi(self) -> Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]]:
        """An ASGI application (ASGI 3, HTTP)."""

        # A function, not a bound method, which uvicorn would take for ASGI 2.
        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            await asgi.respond(self._prepare_answer, scope, receive, send)

        return application

    def keys(self) -> NoReturn:
        """Refuses to be taken for a mapping, which is how FastAPI would make JSON of it."""
        raise TypeError(_FASTAPI_REMEDY)

    def __getattr__(self, name: str) -> NoReturn:
        """Says what to return instead, where a framework takes it for a response of its own."""
        remedy = f"; {_RESPONSES}" if name in _OF_RESPONSES else ""
        text = f"{type(self).__name__!r} object has no attribute {name!r}{remedy}"
        raise AttributeError(text, name=name, obj=self)

    def _prepare_answer(self, request: Request) -> Answer:
        """Return what is answered to one request; open no rows for it."""
        raise NotImplementedError


def prepare_answer(application: Application, request: Request) -> Answer:
    """Return what an application answers to one request; open no rows for it."""
    return application._prepare_answer(request)  # noqa: SLF001 - private to users, not to us


def _tell(name: str, framework: str) -> None:
    logger.warning(
        "%s was returned or dropped, and never asked for its answer; a view of %s returns"
        " streamware.frameworks.%s.ExportResponse instead%s",
        "an Export" if name == "Export" else f"a {name}",
        framework.capitalize(),
        framework,
        " (in Litestar, or is annotated -> ASGIApp)" if framework == "litestar" else "",
    )
