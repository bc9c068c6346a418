"""WSGIMiddleware: the scratch of a request, given back whatever becomes of it.

An application may raise, return something that the server never iterates, or that it never
closes: no server does all of what PEP 3333 wants, and frameworks drop responses, too.  So there
are five ways out: the application raises; its chunks end; they fail; the server closes; nobody
did, and the last reference goes.

Source: PEP 3333.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from streamware.http.delivery import EXPORT, SCRATCH, Answer, live
from streamware.http.export import Export
from streamware.http.wsgi import ContextIterator, status_of
from streamware.middleware.failure import fault, instead_of
from streamware.middleware.signature import check
from streamware.scratch.ledger import CURRENT, Scratch
from streamware.scratch.pool import scratch_pool
from streamware.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

logger = logging.getLogger("streamware")

_FILE_WRAPPER = "wsgi.file_wrapper"
# Flask's test client asks by it for the application's contexts, and enters them in its own.
_PRESERVED = "werkzeug.debug.preserve_context"


class WSGIMiddleware:
    """Gives every request of a WSGI application scratch that is gone when it ends.

    Views find it by `current_scratch()`, or as `environ["streamware.scratch"]`; and without an
    import `Export` itself, bound to these settings, as `environ["streamware.export"]`.  The
    application, its body and its closing run in one copy of the server's context.

    What the application raises passes unchanged, as long as nothing was sent but for `Refused`, a
    disk that is full, and groups of these, which are answered with 503 and `Retry-After`; for a
    `LimitError` with its status; and for any other `ScratchError`, with a 500.  A body's
    `close()` that raises is logged: several servers would cut a response that was sent whole.

    Below another one with equal settings, or if it has none of its own, it leaves everything to
    that.

    Args:
        app: The application.
        settings: What holds for its requests; by default what the environment says.

    Raises:
        ScratchError: The directory that was set does not exist or is not safe.
        TypeError: `app` is no WSGI application.
    """

    def __init__(self, app: WSGIApplication, settings: Settings | None = None) -> None:
        check(app, "WSGI")
        self._app = app
        self._own = settings
        self._settings = settings or Settings()
        self._pool = scratch_pool(self._settings)
        self._pool.start()
        self._export = partial(Export, settings=self._settings)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Have the application answer."""
        around = live(environ.get(SCRATCH))
        if around is not None:
            if self._own in (None, around.settings):
                return self._app(environ, start_response)
            environ = {**environ}  # what is around keeps its own
        scratch = Scratch(self._pool, self._settings)
        environ[SCRATCH] = scratch
        environ[EXPORT] = self._export
        return _Response(environ, scratch, start_response).begin(self._app, environ)


class _Response(ContextIterator):
    """What the application answers one request with."""

    def __init__(
        self, environ: WSGIEnvironment, scratch: Scratch, start_response: StartResponse
    ) -> None:
        here = _PRESERVED in environ
        super().__init__(partial(_here, scratch) if here else None)
        self._head_only = environ.get("REQUEST_METHOD") == "HEAD"
        self._scratch = scratch
        self._start_response = start_response
        self._body: Any = None
        self._chunks: Iterator[bytes] = iter(())
        self._instead: Answer | None = None
        self._started = self._returned = self._begun = False

    def begin(self, app: WSGIApplication, environ: WSGIEnvironment) -> Iterable[bytes]:
        """Call the application; what the server is to be given."""
        wrapper = environ.get(_FILE_WRAPPER)
        files = None
        if wrapper is not None:
            environ[_FILE_WRAPPER] = files = _Files(wrapper)
        try:
            body: Iterable[bytes] = self._run(self._call, app, environ)
        except BaseException as error:
            self.close()
            if (instead := self.failed(error)) is None:
                raise
            return [instead] if instead else []
        finally:
            # Some servers look there to tell whether it is theirs that was returned.
            if files is not None and environ.get(_FILE_WRAPPER) is files:
                environ[_FILE_WRAPPER] = wrapper
        if type(body) in (list, tuple):  # all there is; a server may make a length of one item
            self.close()
            return body
        self._body, self._returned = body, True
        if files is not None and (file := files.behind(body)) is not None:
            self._body = file.entrusted_to(self)
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
            return app(environ, self._start)
        except Exception as error:
            self._consider(error)
            raise

    def _start(self, status: str, *given: Any, **named: Any) -> Any:
        """What the application is given as `start_response`."""
        if status.startswith("2"):  # a page that tells of an error may always be sent
            self._scratch.settle()
        self._started = True
        return self._start_response(status, *given, **named)

    def step(self) -> bytes:
        """The next chunk of the application's body, or `END`."""
        try:
            chunk = next(self._chunks, self.END)
        except Exception as error:
            self._consider(error)
            raise
        self._begun = self._begun or bool(chunk)
        return chunk

    def finish(self) -> None:
        """The scratch goes; the server still closes the body, which may take its time."""
        self._scratch.close()

    def failed(self, error: BaseException) -> bytes | None:
        """A 503 where there was no room, say, and nothing has been sent."""
        instead, self._instead = self._instead, None
        if instead is None or not isinstance(instead.body, bytes):
            return None
        # For an error a server forgets a response that was started, or raises it where that was
        # sent.  Granian does neither once the body was returned, and gives nothing to write by.
        given: Any = ((type(error), error, error.__traceback__),) if self._started else ()
        write: Any = self._start_response(status_of(instead), instead.headers, *given)
        return None if self._returned and write is None else instead.body

    def _consider(self, error: Exception) -> None:
        """Find out what is answered instead, while the scratch is open and can tell."""
        if not self._begun:
            self._instead = instead_of(error, self._scratch, head_only=self._head_only) or fault(
                error, head_only=self._head_only
            )

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


class _Files:
    """The server's `wsgi.file_wrapper`, over files that can end the request when they close."""

    def __init__(self, wrapper: Callable[..., Any]) -> None:
        self._wrapper = wrapper
        self._made: list[tuple[Any, _File]] = []

    def __call__(self, file: Any, *block_size: int) -> Any:
        """As PEP 3333 has it."""
        mine = _File(file)
        wrapped = self._wrapper(mine, *block_size)
        self._made.append((wrapped, mine))
        return wrapped

    def behind(self, body: object) -> _File | None:
        """The file, if `body` is what was made of it and nothing else.

        The server must see that itself, else it copies what it could have the kernel send.
        """
        return next((file for wrapped, file in self._made if wrapped is body), None)


class _File:
    """A file whose `close()` can be somebody else's."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._response: _Response | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._file)

    def entrusted_to(self, response: _Response) -> Any:
        """Have `close()` end the response, which is to close the file that is returned."""
        self._response = response
        return self._file

    def close(self) -> None:
        """Close the file, and the response if that is all there is to it."""
        if self._response is not None:
            self._response.close()
        elif hasattr(self._file, "close"):
            self._file.close()


def _here(scratch: Scratch, call: Callable[..., Any], *given: Any) -> Any:
    """Call it in the context of who calls us."""
    token = CURRENT.set(scratch)
    try:
        return call(*given)
    finally:
        CURRENT.reset(token)
