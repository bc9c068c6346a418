"""Django: a `StreamingHttpResponse` that is an export, under WSGI and under ASGI.

A Django response does not know its request, so it is made with it.  Under ASGI Django would read
an ordinary iterator whole before it sent the first byte; this one is asynchronous there, and its
rows, where they are not, are opened, read and closed on a thread of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import current_thread
from typing import Any, Unpack, cast

from django.core.handlers.asgi import ASGIRequest
from django.db import connections
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import text

from streamware.frameworks._support.adownload import AsyncDownload
from streamware.frameworks._support.download import Download
from streamware.frameworks._support.options import Content, Options, application
from streamware.frameworks._support.with_headers import WithHeaders
from streamware.http.application import prepare_answer
from streamware.http.delivery import Answer, Chunks, Job
from streamware.http.headers import Headers
from streamware.http.request import Request

# Before 6.0 Django's GZipMiddleware makes a gzip file of each chunk of an asynchronous response,
# and most clients undo the first and drop the rest.  It leaves alone what has a content coding.
_GZIPS_ASYNC_WHOLE = hasattr(text, "acompress_sequence")


class ExportResponse(StreamingHttpResponse):  # type: ignore[misc]  # Django has no types
    """A download as a response of Django's.

    Its status and headers are there at once; rows are opened when the view, synchronous or not,
    has returned it.  What they raise until the first chunk is there is handled as if the view
    had raised it, and makes a 500.  Where there is no room, it becomes a 503.

    Under WSGI rows are read on the thread of the view, whose connections stay Django's.  Under
    ASGI ordinary rows have a thread of their own, and so connections of their own, outside of
    the view's transaction; they are closed with the rows.

    Args:
        request: The request that it answers.
        content: Rows, as `Export`, such as `Order.objects.values("id", "total").iterator`; or an
            `Export` or a `Bundle` that is there already.
        status: Status code; by default 200, or what an `Export` that is there says.
        headers: As `Export`; also a mapping.
        options: As `Export`.

    Raises:
        TypeError, ValueError: As `Export`; also for options beside an `Export` or a `Bundle`.
    """

    # What middlewares for template responses, which this one is not, may look at.
    template_name: None = None
    context_data: None = None

    def __init__(
        self,
        request: HttpRequest,
        content: Content,
        status: int | None = None,
        headers: Headers = (),
        **options: Unpack[Options],
    ) -> None:
        environ = {**request.META, "REQUEST_METHOD": request.method or "GET"}
        inner = WithHeaders(application(content, options), status, headers)
        answer = _connected(prepare_answer(inner, Request.from_environ(environ)))
        self._download: Download | AsyncDownload
        if isinstance(request, ASGIRequest):
            self._download = AsyncDownload(answer, request.scope)
        else:
            self._download = Download(answer, environ)
        self._callbacks: list[Callable[[Any], Any]] = []
        super().__init__(self._download, status=int(answer.status), headers=_single(answer.headers))
        for name, value in answer.headers:
            if name.lower() == "set-cookie":  # Django's headers have one value each
                self.cookies.load(value)

    def has_header(self, header: str) -> bool:
        """Whether there is such a header; it says so of a content coding, where none is to be."""
        if self.is_async and header.lower() == "content-encoding" and not _GZIPS_ASYNC_WHOLE:
            return True
        return bool(super().has_header(header))

    @property
    def render(self) -> Callable[[], Any]:
        """Opens the rows; a coroutine function under ASGI.

        Django calls what has this name when the view has returned: late enough to open rows, and
        early enough for another status.
        """
        # A property: an attribute would be a cycle, and a dropped response live on.
        return self._abegin if isinstance(self._download, AsyncDownload) else self._begin

    def add_post_render_callback(self, callback: Callable[[Any], Any]) -> None:
        """Have `callback` called with the response when rows are opened; what it returns counts."""
        self._callbacks.append(callback)

    def _begin(self) -> Any:
        self._download.begin()
        return self._begun()

    async def _abegin(self) -> Any:
        await cast(AsyncDownload, self._download).begin()
        return self._begun()

    def _begun(self) -> Any:
        self._download.update(self.headers)
        if self._download.refused:
            self.status_code = self._download.status
        response: Any = self
        for callback in self._callbacks:
            response = callback(response) or response
        return response


def _single(headers: list[tuple[str, str]]) -> dict[str, str]:
    return {name: value for name, value in headers if name.lower() != "set-cookie"}


def _connected(answer: Answer) -> Answer:
    """The answer, whose job closes Django's connections on a thread of its own."""
    job = answer.body
    if not isinstance(job, Job):
        return answer

    def make(*given: Any) -> Chunks:
        return cast(Chunks, _Connected(job.make(*given)))

    return replace(answer, body=replace(job, make=make))


class _Connected:
    """Chunks after whose end the thread that made them has no connections left.

    Django closes the connections of the thread that handles a request, on which this is made;
    nobody closes those of another.
    """

    def __init__(self, chunks: Chunks) -> None:
        self._chunks = chunks
        self._handler = self._thread = current_thread()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chunks, name)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        self._thread = current_thread()
        try:
            return next(self._chunks)
        except BaseException:
            self._disconnect()
            raise

    def advance(self) -> bool:
        """As `Encoding.advance`."""
        self._thread = current_thread()
        more = False
        try:
            more = self._chunks.advance()
        finally:
            if not more:
                self._disconnect()
        return more

    def close(self) -> None:
        """Close the rows, then the connections."""
        self._chunks.close()
        self._disconnect()

    def _disconnect(self) -> None:
        # A finalizer may run on a thread that is in the middle of another request.
        if self._thread is current_thread() is not self._handler:
            connections.close_all()
