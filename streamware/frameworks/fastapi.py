"""FastAPI: a `Response` that is an export.

FastAPI makes JSON of what a view returns unless it is a `Response`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from starlette.background import BackgroundTask
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from streamware.bundle import Bundle
from streamware.columns import Column, Key
from streamware.encoder import Format
from streamware.http.export import Delivery, Export
from streamware.limits import Limits
from streamware.receipt import Receipt
from streamware.settings import Settings
from streamware.source import Rows
from streamware.values import Values


class ExportResponse(Response):
    """An `Export` that FastAPI (and Starlette) take for a response; the same arguments.

    Instead of rows it takes an `Export` or a `Bundle` that is there already.

    Headers and cookies set on it are sent, and its background task runs after the download,
    unless the client has broken it off by an error.
    """

    def __init__(
        self,
        rows: Rows | Export | Bundle,
        *,
        columns: Iterable[Column | Key] | None = None,
        format: str | Format | None = None,  # noqa: A002 - the contract's name
        formats: Sequence[str | Format] = ("csv", "xlsx", "xml"),
        format_param: str = "format",
        filename: str = "export",
        delivery: Delivery = "auto",
        values: Values | None = None,
        limits: Limits | None = None,
        compress: Literal["auto", "off"] = "auto",
        headers: Iterable[tuple[str, str]] = (),
        status: int = 200,
        cancel: Callable[[], object] | None = None,
        on_done: Callable[[Receipt], object] | None = None,
        settings: Settings | None = None,
        background: BackgroundTask | None = None,
    ) -> None:
        self.export = (
            rows
            if isinstance(rows, (Export, Bundle))
            else Export(
                rows,
                columns=columns,
                format=format,
                formats=formats,
                format_param=format_param,
                filename=filename,
                delivery=delivery,
                values=values,
                limits=limits,
                compress=compress,
                headers=headers,
                status=status,
                cancel=cancel,
                on_done=on_done,
                settings=settings,
            )
        )
        self.status_code = status
        self.background = background
        self.body = b""
        self.raw_headers: list[tuple[bytes, bytes]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                set_here = {name for name, _ in self.raw_headers}
                ours = [header for header in message["headers"] if header[0] not in set_here]
                message["headers"] = [*ours, *self.raw_headers]
            await send(message)

        await self.export.asgi(scope, receive, send_with_headers)
        if self.background is not None:
            await self.background()
