"""Quart: an export as a `Response`.

Quart sends status and headers before it asks for the body.  When the view has returned, it also
tears down the contexts of the request, and with them what is in `g`.  So the first chunk is made
right after the view, and the contexts are held until the rows are closed.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any, Unpack, cast

import quart.globals
from quart import Quart, Response, after_this_request, request
from quart.wrappers.response import ResponseBody

from streamware.frameworks._support.options import Content, ExportOptions, application
from streamware.frameworks._support.response_stream import ResponseStream
from streamware.frameworks._support.with_headers import WithHeaders
from streamware.http.disconnect import Receive, Scope, Send
from streamware.http.headers import Headers, validate_headers

_TearDown = Callable[[BaseException | None], Awaitable[None]]
_HOLD = (None, None)  # a pair, as the tokens of a request context are


class ExportResponse(Response):
    """A download as a Quart `Response`, for a view to return.

    Headers and cookies set on it are sent with the download.  They replace the export's of the same
    name, except that `Vary` is extended.  An answer in place of the download (406, 413, 503) has
    none of them.

    Quart's `RESPONSE_TIMEOUT` does not apply; `Limits(seconds=…)` does.

    Args:
        content: Rows, as for `Export`; or an existing `Export` or `Bundle`.
        headers: Further headers, as for `Export`.
        status: Status code of the download; with 200, an existing `Export` keeps its own.
        options: As for `Export`.

    Raises:
        TypeError, ValueError: As `Export` does; also if options are given beside an `Export` or a
            `Bundle`.
        RuntimeError: It is made outside a request.
    """

    def __init__(
        self,
        content: Content,
        *,
        headers: Headers = (),
        status: int = 200,
        **options: Unpack[ExportOptions],
    ) -> None:
        self.export = application(content, options)
        super().__init__(status=status)
        self.headers.clear()  # Quart sets a type; the export has its own
        self.headers.extend(validate_headers(headers))
        self.timeout = None  # Quart's would include the whole download
        self._tear_down: _TearDown | None = None  # the contexts, if they are held
        after_this_request(self._start)

    async def _start(self, response: Any) -> Any:
        """Make the first chunk right after the view, so that an error can become a 500."""
        if response is not self:  # an error's, or another one that the view returned
            return response
        stream = ResponseStream(self._answer, cast("Scope", request.scope))
        self.status_code, headers = await stream.start()
        self._tear_down = _hold_contexts()
        self.response = _Body(stream)
        self.headers.clear()
        self.headers.extend(headers)
        return self

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = None if self.status_code == 200 else self.status_code
        try:
            await WithHeaders(self.export, status, list(self.headers)).asgi(scope, receive, send)
        finally:
            if self._tear_down is not None:
                error = sys.exc_info()[1]
                left = isinstance(error, asyncio.CancelledError)
                await self._tear_down(None if left else error)


class _Body(ResponseBody):
    """The body, which Quart enters, iterates and always exits."""

    def __init__(self, stream: ResponseStream) -> None:
        self._stream = stream

    async def __aenter__(self) -> ResponseStream:
        return self._stream

    async def __aexit__(self, *ignored: object) -> None:
        await self._stream.close()


def _hold_contexts() -> _TearDown | None:
    """Hold the contexts of the current request, and return the function that tears them down.

    It must be called in a copy of the current `contextvars.Context`.
    """
    context: Any = quart.globals._cv_request.get()  # noqa: SLF001
    app_context = context._cv_tokens[-1][1]  # noqa: SLF001 - there is no public way
    if context.request.scope.get("_quart._preserve_context") or app_context is None:
        return None  # a test client holds them
    # Quart pops tokens from the end, and tears a context down when none is left: these stay.
    context._cv_tokens.insert(0, _HOLD)  # noqa: SLF001
    app_context._cv_tokens.insert(0, None)  # noqa: SLF001

    async def tear_down(error: BaseException | None) -> None:
        try:
            await context.app.do_teardown_request(error, context)
        finally:
            await context.app.do_teardown_appcontext(error)

    return tear_down


def _check() -> None:
    """Raise `ImportError` if the contexts of this version of Quart cannot be held."""
    context = Quart(__name__, static_folder=None).app_context()
    tokens = getattr(context, "_cv_tokens", None)
    if not isinstance(tokens, list) or not hasattr(quart.globals, "_cv_request"):
        raise ImportError(
            f"streamware cannot keep the contexts of Quart {version('quart')} until rows are read;"
            " it was tested with Quart 0.19 to 0.22: install one of these, for example with"
            " pip install 'quart<0.23', or a newer streamware-exports"
        )


_check()
