"""Starlette: an export as a `Response`.

A view may also return a bare `Export`.  This class adds what Starlette's responses have: cookies,
background tasks, headers that are set later.
"""

from __future__ import annotations

from typing import Unpack

from starlette.background import BackgroundTask
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from streamware.frameworks._support.options import Content, ExportOptions, application
from streamware.frameworks._support.with_headers import WithHeaders
from streamware.http.headers import Headers, validate_headers

_LATIN = "latin-1"


class ExportResponse(Response):
    """A download as a Starlette `Response`.

    Headers and cookies set on it are sent with the download.  They replace the export's of the same
    name, except that `Vary` is extended.  An answer in place of the download (406, 413, 503) has
    none of them.

    Args:
        content: Rows, as for `Export`; or an existing `Export` or `Bundle`.
        status_code: Status code of the download, which `Export` calls `status`; with 200, an
            existing `Export` keeps its own.
        headers: Further headers, as for `Export`.
        background: Runs after the download, unless that ended with an error.
        options: As for `Export`.

    Raises:
        TypeError, ValueError: As `Export` does; also if options are given beside an `Export` or a
            `Bundle`.
    """

    def __init__(
        self,
        content: Content,
        *,
        status_code: int = 200,
        headers: Headers = (),
        background: BackgroundTask | None = None,
        **options: Unpack[ExportOptions],
    ) -> None:
        self.export = application(content, options)
        self.status_code = status_code
        self.background = background
        self.body = b""
        self.raw_headers: list[tuple[bytes, bytes]] = [
            (name.lower().encode(_LATIN), value.encode(_LATIN))
            for name, value in validate_headers(headers)
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the download.

        Raises:
            ValueError: A header that was set cannot be sent, or only the export can know it.
            Exception: What the rows raise.
        """
        status = None if self.status_code == 200 else self.status_code
        headers = [(name.decode(_LATIN), value.decode(_LATIN)) for name, value in self.raw_headers]
        await WithHeaders(self.export, status, headers).asgi(scope, receive, send)
        if self.background is not None:
            await self.background()
