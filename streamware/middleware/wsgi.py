"""WSGIMiddleware: scratch space for each request, released however its response ends.

It can end in five ways: the application raises; its body ends; its body raises; the server closes
the body; or the body is dropped without being closed, because no server follows PEP 3333 in
everything, and frameworks drop responses, too.

Source: PEP 3333.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from streamware.http.delivery import EXPORT, LATE_FAILURE, SCRATCH, Answer, LateFailure, live
from streamware.http.export import Export
from streamware.http.wsgi import ContextIterator, status_line
from streamware.middleware.failure import internal_error, refusal_of
from streamware.middleware.signature import check
from streamware.scratch.ledger import CURRENT, Scratch
from streamware.scratch.pool import scratch_pool
from streamware.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

logger = logging.getLogger("streamware")

_FILE_WRAPPER = "wsgi.file_wrapper"
# Flask's test client sets this key, to enter the application's contexts in its own.
_PRESERVED = "werkzeug.debug.preserve_context"


class WSGIMiddleware:
    """A WSGI middleware that gives each request scratch space, removed when the request ends.

    Mount it outermost.  Views get the scratch with `current_scratch()`, or as
    `environ["streamware.scratch"]`.  They also find `Export`, bound to these settings, as
    `environ["streamware.export"]`, so they need not import it.

    The application, its body and the body's `close()` run in one copy of the server's context.

    What the application raises passes through unchanged, with one exception.  While nothing has
    been sent, `Refused`, a full disk, and groups of nothing else are answered with 503 and
    `Retry-After`, a `LimitError` with its own status, and any other `ScratchError` with 500.
    What a body's `close()` raises is logged: several servers would cut off a response that was
    sent whole.

    If an export fails after its status was sent, no middleware inside this one can end its body as
    if it were complete: the body then raises `StateError`.

    Inside another `WSGIMiddleware` it does nothing, unless it is given other settings.

    Args:
        app: The application.
        settings: Settings for its requests; by default those of the environment.

    Raises:
        ScratchError: The configured directory does not exist or is not safe.
        TypeError: `app` is not a WSGI application.
    """

    def __init__(self, app: WSGIApplication, settings: Settings | None = None) -> None:
        check(app, "WSGI")
        self._app = app  # the application
        self._given = settings  # as passed; None defers to an outer middleware
        self._settings = settings or Settings()  # what holds if there is no outer middleware
        self._pool = scratch_pool(self._settings)  # shared by all requests of the process
        self._pool.start()
        self._export = partial(Export, settings=self._settings)  # offered to views

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Run the application for one request."""
        outer = live(environ.get(SCRATCH))
        if outer is not None:
            if self._given in (None, outer.settings):
                return self._app(environ, start_response)
            environ = {**environ}  # the outer middleware keeps its own
        scratch = Scratch(self._pool, self._settings)
        environ[SCRATCH] = scratch
        environ[EXPORT] = self._export
        response = _Response(environ, scratch, start_response)
        environ[LATE_FAILURE] = response.late
        return response.begin(self._app, environ)


class _Response(ContextIterator):
    """The response to one request, as far as the application has given it to the server."""

    def __init__(
        self, environ: WSGIEnvironment, scratch: Scratch, start_response: StartResponse
    ) -> None:
        # Flask's test client enters its contexts in the server's context: run there, not in a copy.
        super().__init__(partial(_in_this_context, scratch) if _PRESERVED in environ else None)
        self._head_only = environ.get("REQUEST_METHOD") == "HEAD"  # whether a body is left out
        self._scratch = scratch  # of the request
        self._start_response = start_response  # the server's
        self._body: Any = None  # what the application returned, until it is closed
        self._chunks: Iterator[bytes] = iter(())  # of the body
        self._error_answer: Answer | None = None  # answers what has just been raised
        self._started = False  # whether the status was passed to the server
        self._returned = False  # whether the server has the body, or is about to get it
        self._sent = False  # whether bytes of the body were passed to the server
        self.late = LateFailure()  # of an export that this is the response of

    def begin(self, app: WSGIApplication, environ: WSGIEnvironment) -> Iterable[bytes]:
        """Call the application, and return the body for the server."""
        wrapper = environ.get(_FILE_WRAPPER)
        files = None
        if wrapper is not None:
            environ[_FILE_WRAPPER] = files = _FileWrapper(wrapper)
        try:
            body: Iterable[bytes] = self._run(self._call, app, environ)
        except BaseException as error:
            self.close()
            if (instead := self.failed(error)) is None:
                raise
            return [instead] if instead else []
        finally:
            # Some servers look there to find out whether a body is made by their wrapper.
            if files is not None and environ.get(_FILE_WRAPPER) is files:
                environ[_FILE_WRAPPER] = wrapper
        if type(body) in (list, tuple):  # complete; from one item a server may take the length
            self.close()
            return body
        self._body, self._returned = body, True
        if files is not None and (file := files.file_of(body)) is not None:
            file.response, self._body = self, file.file
            return body
        try:
            self._chunks = self._run(iter, body)
        except BaseException:
            self.close()
            raise
        return self

    def _call(self, app: WSGIApplication, environ: WSGIEnvironment) -> Iterable[bytes]:
        CURRENT.set(self._scratch)
        try:
            return app(environ, self.start_response)
        except Exception as error:
            self._prepare_answer(error)
            raise

    def start_response(self, status: str, *args: Any, **kwargs: Any) -> Any:
        """Pass the status and headers on, as the application's `start_response`."""
        if status.startswith("2"):  # the page for an error may always be sent
            self._scratch.measure()
        self._started = self.late.started = True
        return self._start_response(status, *args, **kwargs)

    def step(self) -> bytes:
        """Return the next chunk of the application's body, or `END`."""
        try:
            chunk = next(self._chunks, self.END)
            if chunk is self.END:
                self.late.check()
        except Exception as error:
            self._prepare_answer(error)
            raise
        self._sent = self._sent or bool(chunk)
        return chunk

    def finish(self) -> None:
        """Release the scratch; the server still closes the body, which may take time."""
        self._scratch.close()

    def failed(self, error: BaseException) -> bytes | None:
        """Start the response that answers `error`, if nothing was sent, and return its body."""
        answer, self._error_answer = self._error_answer, None
        if answer is None or not isinstance(answer.body, bytes):
            return None
        # Given an error, a server forgets the response that was started, or raises it if that was
        # sent.  Granian does neither once it has the body, and gives no `write`.
        exc_info: Any = ((type(error), error, error.__traceback__),) if self._started else ()
        write: Any = self._start_response(status_line(answer), answer.headers, *exc_info)
        return None if self._returned and write is None else answer.body

    def _prepare_answer(self, error: Exception) -> None:
        """Choose the answer to `error` now, while the scratch is open and shows its files."""
        if not self._sent:
            self._error_answer = refusal_of(
                error, self._scratch, head_only=self._head_only
            ) or internal_error(error, head_only=self._head_only)

    def end(self) -> None:
        """Close the body, then the scratch."""
        body, self._body, self._chunks = self._body, None, iter(())
        try:
            close = getattr(body, "close", None)
            if close is not None:
                close()
        except Exception:
            logger.exception("closing the body of a response failed")
        finally:
            self._scratch.close()


class _FileWrapper:
    """The server's `wsgi.file_wrapper`, but its files can end the response when they are closed."""

    def __init__(self, wrapper: Callable[..., Any]) -> None:
        self._wrapper = wrapper
        self._made: list[tuple[Any, _File]] = []

    def __call__(self, file: Any, *block_size: int) -> Any:
        """Wrap a file (PEP 3333)."""
        inner = _File(file)
        wrapped = self._wrapper(inner, *block_size)
        self._made.append((wrapped, inner))
        return wrapped

    def file_of(self, body: object) -> _File | None:
        """Return the file in `body` if that is the very object that was made here.

        The server must get that object: from any other it copies what the kernel could send.
        """
        return next((file for wrapped, file in self._made if wrapped is body), None)


class _File:
    """A file whose `close()` closes `response` instead, once that is set.

    Attributes:
        file: The file of the application.
        response: Closes `file` in turn.
    """

    def __init__(self, file: Any) -> None:
        self.file = file
        self.response: _Response | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.file)

    def close(self) -> None:
        """Close the response, or the file if there is none."""
        if self.response is not None:
            self.response.close()
        elif hasattr(self.file, "close"):
            self.file.close()


def _in_this_context(scratch: Scratch, call: Callable[..., Any], *args: Any) -> Any:
    """Make a call in the context of the caller, with `scratch` as the current one."""
    token = CURRENT.set(scratch)
    try:
        return call(*args)
    finally:
        CURRENT.reset(token)
