"""Falcon: an export that fills the response of a responder, over WSGI and ASGI.

Falcon's ASGI side iterates a stream on to its end when the client has left, and its `HEAD` never
closes one.  So the client's leaving is looked for here, and `HEAD` opens nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Unpack, cast

import falcon
import falcon.asgi

from streamware.frameworks._support.exchange import Exchange
from streamware.frameworks._support.options import Content, Options, application
from streamware.frameworks._support.with_headers import WithHeaders
from streamware.http.disconnect import Receive
from streamware.http.headers import Headers


class ExportResponse:
    """A download that fills Falcon's response, whose responders return nothing.

        def on_get(self, req, resp):
            ExportResponse(fetch_orders, filename="orders").fill(req, resp)

    In an ASGI application it is `await ExportResponse(…).afill(req, resp)`.  Have `on_head` do
    the same: it opens no rows.  A header that the response has already is kept.

    Args:
        content: Rows, as `Export`; or an `Export` or a `Bundle` that is there already.
        headers: As `Export`; also a mapping.
        status: Of the download; with 200, an `Export` that is there has its own.
        options: As `Export`.

    Raises:
        TypeError, ValueError: As `Export`; also for options beside an `Export` or a `Bundle`.
    """

    __slots__ = ("export",)

    def __init__(
        self,
        content: Content,
        *,
        headers: Headers = (),
        status: int = 200,
        **options: Unpack[Options],
    ) -> None:
        inner = application(content, options)
        self.export = WithHeaders(inner, None if status == 200 else status, headers)

    def fill(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Make the first chunk, and set status, headers and stream; blocks.

        Raises:
            TypeError: The application is an ASGI one.
            Exception: What rows raise: Falcon makes a 500 of it.
        """
        if isinstance(resp, falcon.asgi.Response):
            raise TypeError("under ASGI it is: await ExportResponse(…).afill(req, resp)")

        def start_response(
            status: str, headers: list[tuple[str, str]], exc_info: Any = None, /
        ) -> Callable[[bytes], object]:
            resp.status = status
            _set_headers(resp, headers)
            return lambda data: None  # PEP 3333 wants it; an export never calls it

        resp.stream = self.export.wsgi(req.env, start_response)

    async def afill(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Make the first chunk, and set status, headers and stream.

        Raises:
            TypeError: The application is a WSGI one.
            Exception: What rows raise: Falcon makes a 500 of it.
        """
        if not isinstance(resp, falcon.asgi.Response):
            raise TypeError("under WSGI it is: ExportResponse(…).fill(req, resp)")
        exchange = Exchange(self.export.asgi, req.scope, _receive_of(req))
        start = await exchange.start()
        resp.status = start["status"]
        _set_headers(resp, [(n.decode(), v.decode("latin-1")) for n, v in start["headers"]])
        resp.stream = exchange


def _receive_of(req: falcon.asgi.Request) -> Receive | None:
    """What tells that the client has left: Falcon reads no further than the request's body."""
    receive = req._receive  # noqa: SLF001 - there is no public way
    if type(receive).__module__.startswith("falcon.testing"):
        return None  # it says at once that it has left, and waits for the response all the same
    return cast("Receive", receive)


def _set_headers(resp: falcon.Response, headers: Iterable[tuple[str, str]]) -> None:
    for name, value in headers:
        if name.lower() == "set-cookie":
            resp.append_header(name, value)
        elif resp.get_header(name) is None:
            resp.set_header(name, value)
