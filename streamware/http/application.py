"""Application: what answers requests over WSGI and ASGI alike."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NoReturn

from streamware.http import asgi, wsgi
from streamware.http.delivery import Answer
from streamware.http.pump import Receive, Scope, Send

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

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


class Application:
    """A WSGI and an ASGI application in one; a subclass says what is answered.

    It has no `__iter__` and no `__next__`, for which Flask would take it for a body and lose its
    headers, and no `__dict__`, of which FastAPI would make JSON.
    """

    __slots__ = ()

    def __call__(self, *args: Any) -> Any:
        """Answer as WSGI (two arguments) or ASGI (three) application."""
        if len(args) == 2:
            return self.wsgi(*args)
        if len(args) == 3:
            return self.asgi(*args)
        name = type(self).__name__
        raise TypeError(
            f"{name} is called with (environ, start_response) or (scope, receive, send)"
        )

    def wsgi(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer as a WSGI application (PEP 3333)."""
        return wsgi.respond(self.answer, environ, start_response)

    async def asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as an ASGI application (ASGI 3, HTTP)."""
        await asgi.respond(self.answer, scope, receive, send)

    def keys(self) -> NoReturn:
        """Refuses to be taken for a mapping, which is how FastAPI would make JSON of it."""
        raise TypeError(_FASTAPI_REMEDY)

    def __getattr__(self, name: str) -> NoReturn:
        """Says what to return instead, where a framework takes it for a response of its own."""
        remedy = f"; {_RESPONSES}" if name in _OF_RESPONSES else ""
        text = f"{type(self).__name__!r} object has no attribute {name!r}{remedy}"
        raise AttributeError(text, name=name, obj=self)

    def answer(
        self,
        *,
        head_only: bool,
        query: str | bytes,
        accept: str | None,
        coding: str | None,
        language: str | None = None,
    ) -> Answer:
        """What is answered to one request; rows are not opened for it."""
        raise NotImplementedError
