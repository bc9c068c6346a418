"""Starlette: a `Response` that is an export.

A view may return an `Export` as it is, too; this is for what Starlette's responses have.
"""

from __future__ import annotations

from typing import Unpack

from starlette.background import BackgroundTask
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from streamware.frameworks._support.options import Content, Options, application
from streamware.frameworks._support.with_headers import WithHeaders
from streamware.http.headers import Headers, checked

_LATIN = "latin-1"


class ExportResponse(Response):
    """A download as a Starlette `Response`.

    Headers and cookies set on it are sent with the download, in place of ours of the same name;
    `Vary` is added to.  An answer in place of the download (406, 413, 503) has none of them.

    Args:
        content: Rows, as `Export`; or an `Export` or a `Bundle` that is there already.
        status_code: Of the download; with 200, an `Export` that is there has its own.  `Export`
            calls it `status`; Starlette and FastAPI give it to any response by this name.
        headers: As `Export`; also a mapping.
        background: Runs when the download is over, unless that is by an error.
        options: As `Export`.

    Raises:
        TypeError, ValueError: As `Export`; also for options beside an `Export` or a `Bundle`.
    """

    def __init__(
        self,
        content: Content,
        *,
        status_code: int = 200,
        headers: Headers = (),
        background: BackgroundTask | None = None,
        **options: Unpack[Options],
    ) -> None:
        self.export = application(content, options)
        self.status_code = status_code
        self.background = background
        self.body = b""
        self.raw_headers: list[tuple[bytes, bytes]] = [
            (name.lower().encode(_LATIN), value.encode(_LATIN)) for name, value in checked(headers)
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request.

        Raises:
            ValueError: A header was set on it that cannot be sent, or is not for it to say.
            Exception: What rows raise.
        """
        status = None if self.status_code == 200 else self.status_code
        headers = [(name.decode(_LATIN), value.decode(_LATIN)) for name, value in self.raw_headers]
        await WithHeaders(self.export, status, headers).asgi(scope, receive, send)
        if self.background is not None:
            await self.background()
