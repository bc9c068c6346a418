"""Application: the base class of what answers requests, over WSGI and ASGI."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from streamware.http import asgi, hints, wsgi
from streamware.http.delivery import Answer
from streamware.http.disconnect import Receive, Scope, Send
from streamware.http.request import Request

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class Application:
    """A WSGI and an ASGI application in one; a subclass prepares its answers.

    It has no `__iter__` and no `__next__`: Flask would take it for a body and lose its headers.
    It has no `__dict__`: FastAPI would make JSON of it.
    """

    __slots__ = ()

    def __call__(self, *args: Any) -> Any:
        """Answer as a WSGI application (two arguments) or as an ASGI application (three).

        With a scope alone, it is called as an ASGI 2 application.  uvicorn does that with any
        object whose `__call__` is not a coroutine function.
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

        # A function, because uvicorn would take a bound method for an ASGI 2 application.
        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            await asgi.respond(self._aprepare_answer, scope, receive, send)

        return application

    def _prepare_answer(self, request: Request) -> Answer:
        """Return the answer to one request, without opening rows."""
        raise NotImplementedError

    async def _aprepare_answer(self, request: Request) -> Answer:
        """Return the answer to one request; beside an event loop, where nothing may block."""
        return self._prepare_answer(request)

    if not TYPE_CHECKING:  # type checkers would accept any attribute because of it

        def __getattr__(self, name: str) -> Any:
            """Raise an error with a hint for the attributes that frameworks look for."""
            if name == "keys":  # FastAPI calls `dict`, which looks for it
                return hints.refuse_mapping
            raise hints.no_attribute(self, name)

    def __del__(self) -> None:
        # A framework that rejects a result without reading it gives no earlier sign.
        if not getattr(self, "_used", True) and not sys.is_finalizing():
            hints.warn_unanswered(type(self).__name__)


def prepare_answer(application: Application, request: Request) -> Answer:
    """Return the answer of an application to one request, without opening rows."""
    return application._prepare_answer(request)  # noqa: SLF001 - private to users, not to us


async def aprepare_answer(application: Application, request: Request) -> Answer:
    """Return the answer of an application to one request; beside an event loop."""
    return await application._aprepare_answer(request)  # noqa: SLF001 - private to users, not to us
