"""An export as a WSGI response.

Source: PEP 3333.  What 15 servers make of it: a class with `close()`, never a generator, because
a generator that was not started runs no `finally`; and `close()` never raises, because some
servers then leave out the end of a body that was sent whole.
"""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Protocol, Self

from streamware.errors import StreamwareError
from streamware.http.buffered import Buffered
from streamware.http.delivery import (
    SCRATCH,
    Answer,
    Answerer,
    Chunks,
    ExportLease,
    Job,
    Mode,
    conclude,
    refusal,
)
from streamware.http.headers import merge_headers
from streamware.http.request import Request
from streamware.http.spooled import Spooled
from streamware.http.transport import silent_wsgi
from streamware.scratch.ledger import CURRENT, Scratch
from streamware.scratch.spool import Spool

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

logger = logging.getLogger("streamware")

# A framework that takes down around the view what rows need until they are closed, and the
# module of ours that keeps it.  Imported only where the framework is in use.
_BLOCK = 65_536
_KEEPERS = {"flask": "streamware.frameworks.flask"}


class Kept(Protocol):
    """What a framework would take down before the rows are closed that need it."""

    def release(self, *, last: bool) -> None:
        """Give it back, if that can be done yet, once; whatever comes of it, at the `last` call.

        Called when the rows are closed, from the thread that reads them, and again from the one
        that sends: with each chunk, and at the end.
        """


def respond(
    answer: Answerer, environ: WSGIEnvironment, start_response: StartResponse
) -> Iterable[bytes]:
    """Answer one request; the first chunk is made before `start_response` is called."""
    answered = answer(Request.from_environ(environ))
    if not isinstance(answered.body, Job):
        if answered.discarded is not None:
            answered.discarded.chunks().close()
        return whole(answered, start_response)
    body = Body(answered.body, environ.get(SCRATCH))
    try:
        body.begin(silent_wsgi(environ))
        start_response(status_of(answered), merge_headers(answered.headers, body.headers()))
    except BaseException as error:
        body.broken(error)
        refused = refusal(error) if isinstance(error, StreamwareError) else None
        if refused is None:
            raise
        return whole(refused, start_response)
    # uWSGI sends a wrapped file only where nothing else was wrapped around it, and else nothing.
    wrapper = None if "uwsgi.version" in environ else environ.get("wsgi.file_wrapper")
    return body.wrapped(wrapper)


def whole(answered: Answer, start_response: StartResponse) -> list[bytes]:
    """An answer that is there as it is."""
    start_response(status_of(answered), answered.headers)
    # Not an empty list, of which hypercorn's WSGI side makes an error.
    return [answered.body if isinstance(answered.body, bytes) else b""]


def status_of(answered: Answer) -> str:
    """Its code and reason."""
    return f"{answered.status.value} {answered.status.phrase}"


class ContextIterator:
    """An iterable of chunks whose every step runs in one context, and which ends once.

    Whichever thread the server takes the next chunk on, or closes it.  Where that is while
    another thread is in a step, that thread ends it when it is out.
    """

    END: bytes = b"the end"
    """What a step returns after the last chunk; told by identity."""

    def __init__(self, run: Callable[..., Any] | None = None) -> None:
        # Raises RuntimeError where another thread is in it.
        self._run = run or copy_context().run
        self._wanted = True
        self._over = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        if not self._wanted:
            raise StopIteration
        try:
            chunk = self._run(self.step)
        except BaseException as error:
            self.close()
            if (instead := self.failed(error)) is None:
                raise
            return instead
        if not self._wanted:
            self.close()  # again, for another thread could not
        if chunk is self.END:
            self.finish()  # not while an error is handled: Flask would hand it to a teardown
            raise StopIteration
        return chunk

    def close(self) -> None:
        """End it.  Idempotent; raises nothing but what is no `Exception`."""
        self._wanted = False
        try:
            self._run(self._end_once)
        except RuntimeError:  # another thread is in a step, and sees that it is the last
            self.cancel()

    def __del__(self) -> None:
        # A last resort: a middleware forgot close(), or dropped the response.
        if not getattr(self, "_over", True):
            self.close()

    def _end_once(self) -> None:
        if not self._over:
            self._over = True
            self.end()

    def step(self) -> bytes:
        """The next chunk, or `END`."""
        raise NotImplementedError

    def finish(self) -> None:
        """There are no more chunks."""
        self.close()

    def failed(self, error: BaseException) -> bytes | None:
        """What is sent in place of a chunk that came to nothing, if anything; it is closed."""

    def cancel(self) -> None:
        """Have the step in flight end soon."""

    def end(self) -> None:
        """Give back what is held; called once, never while a step runs.  Never raises."""
        raise NotImplementedError


class Body(ContextIterator):
    """What a server takes the chunks of an export from, and closes."""

    def __init__(self, job: Job, scratch: Scratch | None = None) -> None:
        self._job = job
        self._lease = ExportLease(job, scratch)
        self._document = job.chunks(self._lease.quota)
        self._encoding: Chunks | Spooled | Buffered = self._document
        self._watch = job.watch(self._encoding.receipt, self._lease.scratch.settings)
        self._kept = _kept()
        self._rows_over = False
        self._first = b""
        self._sent = False
        self._error: BaseException | None = None
        super().__init__()
        # Rows are opened, pulled and closed in it, whatever the server's thread has by then.
        self._run(CURRENT.set, self._lease.scratch)

    def begin(self, silent: str | None = None) -> None:
        """Make the first chunk: what fails now can still become a status.

        Args:
            silent: What hides a cut body from the client; None where nothing does.
        """
        if self._wanted:
            self._watch.opened()
            self._lease.enter(self._document.receipt)
            self._deliver(*self._job.mode(silent, self._lease.scratch.settings))
            self._first = self._run(next, self._encoding, b"")
            self._watch.look()

    def headers(self) -> list[tuple[str, str]]:
        """What is known of the document before any of it is sent."""
        return self._encoding.content.headers() if isinstance(self._encoding, Spooled) else []

    def wrapped(self, wrapper: Any) -> Iterable[bytes]:
        """The server's own file wrapper (PEP 3333) around what is on disk, else this."""
        encoding = self._encoding
        if wrapper is None or not isinstance(encoding, Spooled):
            return self
        content = encoding.content
        if not content.spool.on_disk:
            return self
        content.rewind()
        self._sent = True  # as far as can be told: nobody tells us how much the server sends
        wrapped: Iterable[bytes] = wrapper(_File(content.spool, self), _BLOCK)
        return wrapped

    def broken(self, error: BaseException) -> None:
        """Close it, for nothing was sent."""
        self._error = error
        self.close()

    def step(self) -> bytes:
        """The next chunk, or `END`."""
        if self._rows_over:
            self._release(last=False)
        chunk, self._first = self._first, b""
        if chunk:
            return chunk
        try:
            chunk = next(self._encoding, self.END)
        except BaseException as error:
            self._error = error
            raise
        self._watch.look()
        self._sent = chunk is self.END
        return chunk

    def cancel(self) -> None:
        """Have the step in flight end with the row that it pulls."""
        self._encoding.close()

    def end(self) -> None:
        """Close the rows, then what they needed."""
        with ExitStack() as ending:  # from last to first, each whatever became of the one before
            ending.callback(self._watch.done)
            ending.callback(self._conclude)
            ending.callback(self._lease.leave)
            ending.callback(self._release, last=True)
            ending.callback(self._encoding.close)

    def _conclude(self) -> None:
        error, self._error = self._error, None  # its traceback holds the body
        conclude(self._document.lifecycle, self._lease.quota, error, sent=self._sent)

    def _deliver(self, mode: Mode, reason: str | None) -> None:
        receipt, quota, chunks = self._document.receipt, self._lease.quota, self._document
        receipt.delivery, receipt.delivery_reason = mode, reason
        if mode == "spool":
            self._encoding = Spooled(chunks, quota.spool(), self._rows_closed)
        elif mode == "buffer":
            cancel = self._job.cancel
            self._encoding = Buffered(chunks, quota.ring(), self._rows_closed, cancel)

    def _rows_closed(self) -> None:
        """However slowly the client reads on, what rows needed is free."""
        self._rows_over = True
        self._release(last=False)

    def _release(self, *, last: bool) -> None:
        """Release what the rows needed, in a copy of the context in which they were read."""
        for kept in self._kept:
            try:
                kept.release(last=last)
            except Exception:
                logger.warning("what the rows of an export needed was not released", exc_info=True)


class _File:
    """A spool that a server reads from, and that ends the response when it is closed."""

    def __init__(self, spool: Spool, body: Body) -> None:
        self._spool = spool
        self._body = body

    def __getattr__(self, name: str) -> Any:
        return getattr(self._spool, name)

    def close(self) -> None:
        self._body.close()


def _kept() -> list[Kept]:
    modules = [module for framework, module in _KEEPERS.items() if framework in sys.modules]
    kept = [importlib.import_module(module).hold_contexts() for module in modules]
    return [each for each in kept if each is not None]
