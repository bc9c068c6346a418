"""Falcon: an export that fills the response of a responder, over WSGI and ASGI.

Over ASGI, Falcon iterates a stream to its end even if the client has left, and for `HEAD` it
never closes the stream.  So disconnects are watched here, and `HEAD` opens no rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Unpack, cast

import falcon
import falcon.asgi

from streamware.frameworks._support.options import Content, ExportOptions, application
from streamware.frameworks._support.response_stream import ResponseStream
from streamware.frameworks._support.with_headers import WithHeaders
from streamware.http.disconnect import Receive
from streamware.http.headers import Headers


class ExportResponse:
    """A download that fills a Falcon response, as responders return nothing.

        def on_get(self, req, resp):
            ExportResponse(fetch_orders, filename="orders").fill(req, resp)

    In an ASGI application use `await ExportResponse(…).afill(req, resp)`.  `on_head` may do the
    same: it opens no rows.  Headers that the response already has are kept.

    Args:
        content: Rows, as for `Export`; or an existing `Export` or `Bundle`.
        headers: Further headers, as for `Export`.
        status: Status code of the download; with 200, an existing `Export` keeps its own.
        options: As for `Export`.

    Raises:
        TypeError, ValueError: As `Export` does; also if options are given beside an `Export` or a
            `Bundle`.
    """

    __slots__ = ("export",)

    def __init__(
        self,
        content: Content,
        *,
        headers: Headers = (),
        status: int = 200,
        **options: Unpack[ExportOptions],
    ) -> None:
        inner = application(content, options)
        self.export = WithHeaders(inner, None if status == 200 else status, headers)

    def fill(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Make the first chunk, and set status, headers and stream; blocks.

        Raises:
            TypeError: `resp` is the response of an ASGI application.
            Exception: What the rows raise, which Falcon answers with a 500.
        """
        if isinstance(resp, falcon.asgi.Response):
            raise TypeError(
                "fill() expects the response of a falcon.App, not of a falcon.asgi.App:"
                " use await ExportResponse(…).afill(req, resp)"
            )

        def start_response(
            status: str, headers: list[tuple[str, str]], exc_info: Any = None, /
        ) -> Callable[[bytes], object]:
            resp.status = status
            _set_headers(resp, headers)
            return lambda data: None  # `write` of PEP 3333, which an export never calls

        resp.stream = self.export.wsgi(req.env, start_response)

    async def afill(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Make the first chunk, and set status, headers and stream.

        Raises:
            TypeError: `resp` is the response of a WSGI application.
            Exception: What the rows raise, which Falcon answers with a 500.
        """
        if not isinstance(resp, falcon.asgi.Response):
            raise TypeError(
                "afill() expects the response of a falcon.asgi.App, not of a falcon.App:"
                " use ExportResponse(…).fill(req, resp)"
            )
        # It reports a disconnect: Falcon itself reads only the request's body.
        receive = cast("Receive | None", req._receive)  # noqa: SLF001 - there is no public way
        if type(receive).__module__.startswith("falcon.testing"):
            receive = None  # it reports a disconnect at once, and yet waits for the response
        stream = ResponseStream(self.export.asgi, req.scope, receive)
        resp.status, headers = await stream.start()
        _set_headers(resp, headers)
        resp.stream = stream


def _set_headers(resp: falcon.Response, headers: Iterable[tuple[str, str]]) -> None:
    for name, value in headers:
        if name.lower() == "set-cookie":
            resp.append_header(name, value)
        elif resp.get_header(name) is None:
            resp.set_header(name, value)
