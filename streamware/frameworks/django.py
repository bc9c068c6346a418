"""Django: an export as a `StreamingHttpResponse`, under WSGI and ASGI.

A Django response does not know its request, so `ExportResponse` takes the request first.  Under
ASGI Django would read an ordinary iterator to its end before it sent the first byte.  So the body
is asynchronous there, and ordinary rows are opened, read and closed on a thread of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from threading import current_thread
from typing import Any, Unpack, cast

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.db import connections
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import text, timezone

from streamware.frameworks._support.adownload import AsyncDownload
from streamware.frameworks._support.download import Download
from streamware.frameworks._support.options import Content, ExportOptions, application
from streamware.frameworks._support.view_context import (
    SensitiveCalls,
    bind_locals,
    view_context,
)
from streamware.frameworks._support.with_headers import WithHeaders
from streamware.http.application import prepare_answer
from streamware.http.delivery import Answer, Chunks, Job
from streamware.http.headers import Headers
from streamware.http.request import Request
from streamware.sources.lending import lent

# Before 6.0 Django's GZipMiddleware makes each chunk of an asynchronous response a gzip file of
# its own.  Most clients decompress the first and drop the rest.  It skips a response that has a
# content coding.
_GZIPS_ASYNC_WHOLE = hasattr(text, "acompress_sequence")


class ExportResponse(StreamingHttpResponse):  # type: ignore[misc]  # Django has no types
    """A download as a Django response, for a view to return.

    Its status and headers are set at once.  The rows are opened when the view, synchronous or
    not, has returned.  What they raise before the first chunk is handled as if the view had
    raised it, and by default becomes a 500.  If there is no room, the response becomes a 503.

    Rows see the language, the time zone and the context variables that the view saw where it made
    the response, on whatever thread they are read.

    With `USE_TZ` the current time zone is also the default of `Values.timezone`.

    Under WSGI rows are read on the view's thread, with its database connections.  Under ASGI
    ordinary rows have a thread of their own.  So they have connections of their own, outside the
    view's transaction, which are closed with the rows.  Asynchronous rows, such as
    `Order.objects.values("id", "total").aiterator`, have those of the view.

    Args:
        request: The request to answer.
        content: A QuerySet, a manager, or other rows, as for `Export`; or an existing `Export` or
            `Bundle`.
        status: Status code of the download; by default 200, or that of an existing `Export`.
        headers: Further headers, as for `Export`.
        options: As for `Export`.

    Raises:
        TypeError, ValueError: As `Export` does; also if options are given beside an `Export` or a
            `Bundle`.
    """

    # Middlewares that handle template responses look at these.
    template_name: None = None
    context_data: None = None

    def __init__(
        self,
        request: HttpRequest,
        content: Content,
        status: int | None = None,
        headers: Headers = (),
        **options: Unpack[ExportOptions],
    ) -> None:
        request = getattr(request, "_request", request)  # of REST framework, which wraps it
        environ = {**request.META, "REQUEST_METHOD": request.method or "GET"}
        inner = WithHeaders(application(content, options), status, headers)
        zone = timezone.get_current_timezone() if settings.USE_TZ else None
        asked = replace(Request.from_environ(environ), zone=zone)
        answer = _in_django(prepare_answer(inner, asked))
        context = view_context()
        self._download: Download | AsyncDownload
        if isinstance(request, ASGIRequest):
            calls = SensitiveCalls()
            make: Any = partial(_with_calls, calls)
            run = partial(context.run, make)
            self._download = AsyncDownload(answer, request.scope, run, calls)
        else:
            self._download = Download(answer, environ, context)
        self._callbacks: list[Callable[[Any], Any]] = []  # called when the rows are open
        plain = {name: value for name, value in answer.headers if name.lower() != "set-cookie"}
        super().__init__(self._download, status=int(answer.status), headers=plain)
        for name, value in answer.headers:
            if name.lower() == "set-cookie":  # Django's headers have one value each
                self.cookies.load(value)

    def has_header(self, header: str) -> bool:
        """Return whether the header is set; for `Content-Encoding` also True to prevent gzip."""
        if header.lower() == "content-encoding" and (
            self.status_code == HTTPStatus.PARTIAL_CONTENT
            or (self.is_async and not _GZIPS_ASYNC_WHOLE)
        ):
            return True
        return bool(super().has_header(header))

    @property
    def render(self) -> Callable[[], Any]:
        """The method that opens the rows; a coroutine function under ASGI.

        Django calls it when the view has returned: late enough to open rows, and early enough for
        another status.
        """
        # A property, as an attribute would be a reference cycle: a dropped response would live on.
        return self._astart if isinstance(self._download, AsyncDownload) else self._start

    def add_post_render_callback(self, callback: Callable[[Any], Any]) -> None:
        """Have `callback` called when the rows are open; it may return another response."""
        self._callbacks.append(callback)

    def _start(self) -> Any:
        self._download.start()
        return self._started()

    async def _astart(self) -> Any:
        await cast(AsyncDownload, self._download).start()
        return self._started()

    def _started(self) -> Any:
        self._download.update_headers(self.headers)
        if self._download.refused:
            self.status_code = self._download.status
        response: Any = self
        for callback in self._callbacks:
            response = callback(response) or response
        return response


def _with_calls(calls: SensitiveCalls, make: Callable[[], Any]) -> Any:
    """Call `make`, with what the tasks made by it need in the current context."""
    bind_locals()
    calls.install()
    return make()


def _in_django(answer: Answer) -> Answer:
    """Return the answer with a job that does for the rows' thread what Django does for its own."""
    job = answer.body
    if not isinstance(job, Job):
        return answer

    def make(*given: Any) -> Chunks:
        return cast(Chunks, _DjangoChunks(job.make(*given)))

    return replace(answer, body=replace(job, make=make))


class _DjangoChunks:
    """Chunks whose rows have Django's language, time zone and connections on any thread.

    At their end, the database connections of the thread that read the rows are closed.  Django
    closes those of the thread that handles the request, where this object is made, but not those
    of other threads.
    """

    def __init__(self, chunks: Chunks) -> None:
        self._chunks = chunks
        self._handler = current_thread()  # of the request
        self._thread = self._handler  # which read the rows last
        self._used: list[Any] = []  # its connections

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chunks, name)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        self._enter()
        try:
            chunk = next(self._chunks)
        except BaseException:
            self._disconnect()
            raise
        self._used = connections.all(initialized_only=True)
        return chunk

    def advance(self) -> bool:
        """Read and encode more rows, as `Driver.advance`."""
        self._enter()
        more = False
        try:
            more = self._chunks.advance()
        finally:
            if not more:
                self._disconnect()
        self._used = connections.all(initialized_only=True)
        return more

    def flush_pending(self) -> None:
        """Encode and flush the rows so far, as `Driver.flush_pending`."""
        bind_locals()
        self._chunks.flush_pending()

    def close(self) -> None:
        """Close the rows, then the connections."""
        with lent(self._used):  # a transaction ends on the connection on which it began
            self._chunks.close()
        self._used = []
        self._disconnect()

    def _enter(self) -> None:
        self._thread = current_thread()
        bind_locals()

    def _disconnect(self) -> None:
        # A finalizer may run on a thread that is handling another request.
        if self._thread is current_thread() is not self._handler:
            connections.close_all()
