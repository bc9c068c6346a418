"""Litestar: a `Response` that is an export.

Litestar makes JSON of what a handler returns unless it is a `Response`; of an `Export` it makes a
500, unless the handler says that it returns `litestar.types.ASGIApp`.
"""

from __future__ import annotations

from typing import Any, Unpack, cast

from litestar import Litestar, Request, Response
from litestar.background_tasks import BackgroundTask, BackgroundTasks
from litestar.types import ASGIApp, Receive, Scope, Send

from streamware.frameworks._support.options import Content, Options, application
from streamware.frameworks._support.with_headers import WithHeaders
from streamware.http.headers import Headers, checked


class ExportResponse(Response[bytes]):
    """A download as a Litestar `Response`.

    Headers and cookies set on it, or on the handler and the layers around it, are sent with the
    download, in place of ours of the same name; `Vary` is added to.  An answer in place of the
    download (406, 413, 503) has none of them.

    Litestar ends generator dependencies when the handler has returned, so that rows are to be
    opened by a callable that opens what they need, too.

    Args:
        content: Rows, as `Export`; or an `Export` or a `Bundle` that is there already.
        status_code: Of the download; by default what the handler says.  With 200, an `Export`
            that is there has its own.  `Export` calls it `status`; Litestar gives it to any
            response by this name.
        headers: As `Export`; also a mapping.
        background: Runs when the download is over, unless that is by an error.
        options: As `Export`.

    Raises:
        TypeError, ValueError: As `Export`; also for options beside an `Export` or a `Bundle`.
    """

    __slots__ = ("_given", "export")

    def __init__(
        self,
        content: Content,
        *,
        status_code: int | None = None,
        headers: Headers = (),
        background: BackgroundTask | BackgroundTasks | None = None,
        **options: Unpack[Options],
    ) -> None:
        self.export = application(content, options)
        self._given = checked(headers)
        super().__init__(b"", background=background, status_code=status_code)

    def to_asgi_response(  # type: ignore[override] # an application is all that Litestar needs
        self, app: Litestar | None, request: Request[Any, Any, Any], **layers: Any
    ) -> ASGIApp:
        """What answers; `layers` are the headers, cookies and tasks of the handler and around.

        Raises:
            ValueError: A header was set that cannot be sent, or is not for it to say.
        """
        # As for HEAD: what was set, and no type or length besides.
        made = super().to_asgi_response(app, request, **layers | {"is_head_response": True})
        status = None if made.status_code == 200 else made.status_code
        headers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in made.encode_headers()]
        styled = WithHeaders(self.export, status, [*self._given, *headers])

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            await styled.asgi(cast("Any", scope), cast("Any", receive), cast("Any", send))
            await made.after_response()

        return answer
