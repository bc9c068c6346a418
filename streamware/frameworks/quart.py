"""Quart: a `Response` that is an export.

Quart sends status and headers before it asks for the body, and takes the contexts of a request
down, and with them what `g` and the teardown functions keep, when the view has returned.  So the
first chunk is made right after the view, and the contexts are kept until the rows are closed.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Unpack, cast

from quart import Response, after_this_request, request
from quart.globals import _cv_request
from quart.wrappers.response import ResponseBody

from streamware.frameworks._support.exchange import Exchange
from streamware.frameworks._support.options import Content, Options, application
from streamware.frameworks._support.with_headers import WithHeaders
from streamware.http.disconnect import Receive, Scope, Send
from streamware.http.headers import Headers, checked

_TakeDown = Callable[[BaseException | None], Awaitable[None]]
_HELD = (None, None)


class ExportResponse(Response):
    """A download as a Quart `Response`, for a view to return.

    Headers and cookies set on it are sent with the download, in place of ours of the same name;
    `Vary` is added to.  An answer in place of the download (406, 413, 503) has none of them.
    Quart's `RESPONSE_TIMEOUT` does not hold for it; `Limits(seconds=…)` does.

    Args:
        content: Rows, as `Export`; or an `Export` or a `Bundle` that is there already.
        headers: As `Export`; also a mapping.
        status: Of the download; with 200, an `Export` that is there has its own.
        options: As `Export`.

    Raises:
        TypeError, ValueError: As `Export`; also for options beside an `Export` or a `Bundle`.
        RuntimeError: There is no request.
    """

    def __init__(
        self,
        content: Content,
        *,
        headers: Headers = (),
        status: int = 200,
        **options: Unpack[Options],
    ) -> None:
        self.export = application(content, options)
        super().__init__(status=status)
        self.headers.clear()  # of a type, which is the export's to say
        self.headers.extend(checked(headers))
        self.timeout = None
        self._take_down: _TakeDown | None = None
        after_this_request(self._begin)

    async def _begin(self, response: Any) -> Any:
        """Make the first chunk, right after the view: what fails now becomes a 500 of Quart's."""
        if response is not self:  # an error's, or another that the view returned instead
            return response
        exchange = Exchange(self._answer, cast("Scope", request.scope))
        start = await exchange.start()
        self._take_down = _keep()
        self.response = _Body(exchange)
        self.status_code = start["status"]
        self.headers.clear()
        for name, value in start["headers"]:
            self.headers.add(name.decode("latin-1"), value.decode("latin-1"))
        return self

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = None if self.status_code == 200 else self.status_code
        try:
            await WithHeaders(self.export, status, list(self.headers)).asgi(scope, receive, send)
        finally:
            if self._take_down is not None:
                error = sys.exc_info()[1]
                left = isinstance(error, asyncio.CancelledError)
                await self._take_down(None if left else error)


class _Body(ResponseBody):
    """What Quart iterates, and leaves on every path."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def __aenter__(self) -> Exchange:
        return self._exchange

    async def __aexit__(self, *ignored: object) -> None:
        await self._exchange.close()


def _keep() -> _TakeDown | None:
    """Keep the contexts of the current request, `g` and all; returns what takes them down.

    What is returned is to be called in a copy of the current `contextvars.Context`.
    """
    context: Any = _cv_request.get()
    app_context = context._cv_tokens[-1][1]  # noqa: SLF001 - there is no public way
    if context.request.scope.get("_quart._preserve_context") or app_context is None:
        return None  # somebody else keeps them: a test
    # Quart takes a context down when it pops the last of its tokens: these are older.
    context._cv_tokens.insert(0, _HELD)  # noqa: SLF001
    app_context._cv_tokens.insert(0, None)  # noqa: SLF001

    async def take_down(error: BaseException | None) -> None:
        try:
            await context.app.do_teardown_request(error, context)
        finally:
            await context.app.do_teardown_appcontext(error)

    return take_down
