"""Litestar: an export as a `Response`.

Litestar turns what a handler returns into JSON unless it is a `Response`.  A bare `Export` causes
a 500, unless the handler is annotated to return `litestar.types.ASGIApp`.
"""

from __future__ import annotations

from typing import Any, Unpack, cast

from litestar import Litestar, Request, Response
from litestar.background_tasks import BackgroundTask, BackgroundTasks
from litestar.types import ASGIApp, Receive, Scope, Send

from streamware.frameworks._support.options import Content, ExportOptions, application
from streamware.frameworks._support.with_headers import WithHeaders
from streamware.http.headers import Headers, validate_headers


class ExportResponse(Response[bytes]):
    """A download as a Litestar `Response`.

    Headers and cookies set on it, or on the handler and the layers around it, are sent with the
    download.  They replace the export's of the same name, except that `Vary` is extended.  An
    answer in place of the download (406, 413, 503) has none of them.

    Litestar's compression compresses what has a `Content-Encoding` again, so if the application has
    a `compression_config`, the download is compressed by that alone.

    Litestar ends generator dependencies when the handler has returned.  So pass the rows as a
    callable that also opens what they need.

    Args:
        content: Rows, as for `Export`; or an existing `Export` or `Bundle`.
        status_code: Status code of the download, which `Export` calls `status`; by default the
            handler's.  With 200, an existing `Export` keeps its own.
        headers: Further headers, as for `Export`.
        background: Runs after the download, unless that ended with an error.
        options: As for `Export`.

    Raises:
        TypeError, ValueError: As `Export` does; also if options are given beside an `Export` or a
            `Bundle`.
    """

    __slots__ = ("_own_headers", "export")

    def __init__(
        self,
        content: Content,
        *,
        status_code: int | None = None,
        headers: Headers = (),
        background: BackgroundTask | BackgroundTasks | None = None,
        **options: Unpack[ExportOptions],
    ) -> None:
        self.export = application(content, options)
        self._own_headers = validate_headers(headers)
        super().__init__(b"", background=background, status_code=status_code)

    def to_asgi_response(  # type: ignore[override]  # Litestar needs any ASGI application
        self, app: Litestar | None, request: Request[Any, Any, Any], **layers: Any
    ) -> ASGIApp:
        """Return the ASGI application that sends the download.

        Args:
            app: The Litestar application.
            request: The request.
            layers: Headers, cookies and tasks of the handler and of the layers around it.

        Raises:
            ValueError: A header that was set cannot be sent, or only the export can know it.
        """
        # As for HEAD: Litestar then adds no content type and no length.
        made = super().to_asgi_response(app, request, **layers | {"is_head_response": True})
        status = None if made.status_code == 200 else made.status_code
        headers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in made.encode_headers()]
        download = WithHeaders(self.export, status, [*self._own_headers, *headers])

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            await download.asgi(cast("Any", scope), cast("Any", receive), cast("Any", send))
            await made.after_response()

        return answer
