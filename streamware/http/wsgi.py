"""An export as a WSGI response; the twin of `asgi`.

The body is a class with `close()`, not a generator: a generator that was not started runs no
`finally`.  Its `close()` never raises: some servers would then omit the end of a body that was
sent completely.

Source: PEP 3333.
"""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from contextvars import Context, copy_context
from threading import RLock
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol, Self

from streamware.errors import LimitError, StateError, StreamwareError
from streamware.http.buffered import Buffered
from streamware.http.connection import Find, from_environ
from streamware.http.delivery import (
    LATE_FAILURE,
    SCRATCH,
    Answer,
    Answerer,
    Chunks,
    ExportLease,
    Job,
    LateFailure,
    Mode,
    conclude,
    refusal,
)
from streamware.http.disconnect import CLIENT_LEFT
from streamware.http.request import Request
from streamware.http.sending import GRACE, Sending
from streamware.http.spooled import Content, Spooled
from streamware.http.transport import silent_wsgi
from streamware.http.watchdog import watchdog
from streamware.locks import generation
from streamware.rows.source import Cancelled
from streamware.scratch.background import run
from streamware.scratch.ledger import CURRENT, Scratch
from streamware.scratch.spool import Spool

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

logger = logging.getLogger("streamware")

_CLIENT_LEFT = f"{CLIENT_LEFT} Client Closed Request"
_INTERRUPTED = (Exception, Cancelled)  # what rows raise that are cancelled or interrupted
_BLOCK = 65_536  # bytes that a file wrapper reads at a time
_HOLDERS = {"flask": "streamware.frameworks._support.flask_contexts"}
"""Frameworks that tear down after the view what the rows may still need, and our modules for them.

A module is imported only if a request of its framework is being handled.
"""


class ContextHold(Protocol):
    """A hold on what a framework would otherwise tear down before the rows are closed."""

    def share(self) -> None:
        """Note that another thread reads the rows, and will call `rows_closed`."""

    def rows_closed(self, error: BaseException | None) -> None:
        """Release what belongs to the thread that has read the rows; called on that thread.

        Args:
            error: What ended the rows, if anything did.
        """

    def release(self, error: BaseException | None, *, last: bool) -> None:
        """Release what belongs to the thread that sends, in the server's own context.

        Called once the rows are closed: with each chunk, and at the end.

        Args:
            error: What ended the response, if anything did.
            last: Whether everything must be released now.
        """


def respond(
    answerer: Answerer, environ: WSGIEnvironment, start_response: StartResponse
) -> Iterable[bytes]:
    """Answer one request; the first chunk is made before `start_response` is called."""
    answer = answerer(Request.from_environ(environ))
    if not isinstance(answer.body, Job):
        if answer.discarded is not None:
            answer.discarded.chunks().close()
        return send_answer(answer, start_response)
    body = Body(answer.body, environ.get(SCRATCH), environ.get(LATE_FAILURE), from_environ(environ))
    try:
        body.start(silent_wsgi(environ))
        final = body.answer(answer)
        start_response(status_line(final), final.headers)
    except BaseException as error:
        body.abort(error)
        if body.left and isinstance(error, _INTERRUPTED):
            start_response(_CLIENT_LEFT, [("Content-Type", "text/plain"), ("Content-Length", "0")])
            return [b""]
        refused = refusal(error) if isinstance(error, StreamwareError) else None
        if refused is None:
            raise
        return send_answer(refused, start_response)
    # uWSGI sends nothing of a wrapped file that a middleware has wrapped again.
    wrapper = None if "uwsgi.version" in environ else environ.get("wsgi.file_wrapper")
    return body.wrap(wrapper)


def send_answer(answer: Answer, start_response: StartResponse) -> list[bytes]:
    """Send an answer that needs no job; return its body."""
    start_response(status_line(answer), answer.headers)
    # Not an empty list, which hypercorn's WSGI side takes for an error.
    return [answer.body if isinstance(answer.body, bytes) else b""]


def status_line(answer: Answer) -> str:
    """Return the code and the reason of an answer's status."""
    return f"{answer.status.value} {answer.status.phrase}"


def call_each(calls: Sequence[Callable[[], object]]) -> None:
    """Call each function, even if an earlier one failed."""
    for at, call in enumerate(calls, 1):
        try:
            call()
        except BaseException:
            call_each(calls[at:])
            raise


class ContextIterator:
    """An iterable of chunks that runs all its steps in one context, and ends once.

    The server may ask for each chunk, and close the iterable, on any thread.  If it closes while
    another thread is in a step, that thread ends the iterable when the step returns.
    """

    END: bytes = b"the end"
    """What a step returns after the last chunk; compared by identity."""

    def __init__(self, run: Callable[..., Any] | None = None) -> None:
        # Runs a step in the context; raises RuntimeError if another thread is in it.
        self._run = run or copy_context().run
        self._generation = generation()  # of the process that sends it
        self._wanted = True  # whether the server may want more chunks
        self._over = False  # whether it has ended

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        if not self._wanted:
            self.unwanted()
            raise StopIteration
        try:
            chunk = self._run(self.step)
        except BaseException as error:
            self.close()
            if (instead := self.failed(error)) is None:
                raise
            return instead
        if not self._wanted:
            self.close()  # again: the thread that called it could not end this step
        if chunk is self.END:
            self.finish()  # not while an error is handled: Flask would pass it to a teardown
            raise StopIteration
        return chunk

    def close(self) -> None:
        """End it.  Idempotent; may raise only KeyboardInterrupt and the like.

        In a forked child nothing is closed: rows, connections and contexts are the parent's.
        """
        self._wanted = False
        if self._generation != generation():
            self._over = True
            return
        leaving: list[Callable[[], None]] = []
        try:
            self._run(self._end_once, leaving)
        except RuntimeError:  # another thread is in a step, and will see that no more is wanted
            self.cancel()
        finally:
            call_each(leaving)

    def __del__(self) -> None:
        # The last resort: a middleware forgot close(), or dropped the response.
        if not getattr(self, "_over", True):
            self.close()

    def _end_once(self, leaving: list[Callable[[], None]]) -> None:
        if not self._over:
            self._over = True
            leaving.append(self.leave)
            self.end()

    def step(self) -> bytes:
        """Return the next chunk, or `END`."""
        raise NotImplementedError

    def finish(self) -> None:
        """Finish when there are no more chunks: by default, close."""
        self.close()

    def unwanted(self) -> None:
        """Raise an error if the server asks for more than it was given because of one."""

    def failed(self, error: BaseException) -> bytes | None:
        """Return what to send instead of the chunk that failed, if anything; called once closed."""

    def cancel(self) -> None:
        """Make the step in flight end soon."""

    def end(self) -> None:
        """Release what is held; called once, never while a step runs.  Never raises."""
        raise NotImplementedError

    def leave(self) -> None:
        """Release what belongs to the server's own context; called once in it, after `end`."""


class Body(ContextIterator):
    """The body of a response: makes the chunks of an export as the server asks for them.

    Args:
        job: Makes the document.
        scratch: The ledger that the environ names.
        late: Notes a failure after the status; the one that the environ names.
        find: Finds the connection.

    Attributes:
        left: Whether the client has left.
    """

    def __init__(
        self,
        job: Job,
        scratch: Scratch | None = None,
        late: LateFailure | None = None,
        find: Find = lambda _: None,
    ) -> None:
        self.left = False  # whether the client has left
        self._job = job  # makes the document
        self._lease = ExportLease(job, scratch)  # the ledger and the admission slot
        self._document = job.chunks(self._lease.quota)  # what encodes the rows
        # What is sent: the document as it is made, or from a spool or ring.
        self._chunks: Chunks | Spooled | Buffered = self._document
        self._watch = job.watch(self._document.receipt, self._lease.scratch.settings)  # observers
        self._holds = _hold_contexts()  # what frameworks keep for the rows
        self._rows_closed = False  # whether the holds may be released
        self._rows_error: BaseException | None = None  # what ended them on a thread of their own
        self._context = Context()  # a copy of that of the steps, made at the end
        self._first = b""  # the first chunk, which is made before the status is sent
        self._sent = False  # whether all of it was sent
        self._error: BaseException | None = None  # what ended it, for the receipt
        self._late = late  # where a middleware reads that it failed late
        bounds = job.bounds(self._lease.scratch.settings)
        self._sending = Sending(bounds, self._document.expire, find)  # what the client takes
        self._overdue: LimitError | None = None  # the limit that it exceeded by taking nothing
        self._cut_at: float | None = None  # when the connection was broken
        self._cutting = RLock()  # held while it is broken; re-entrant for finalizers
        super().__init__()
        # Rows are opened, pulled and closed in this context, whichever thread the server uses.
        self._run(CURRENT.set, self._lease.scratch)

    def start(self, silent: str | None = None) -> None:
        """Make the first chunk; a failure can still become a status.

        Args:
            silent: What would hide from the client that the body was cut; None if nothing.
        """
        if not self._wanted:
            return
        try:
            self._watch.opened()
            self._lease.enter(self._document.receipt)
            # Once the client has left by a reset, its connection has no ends to find it by.
            self._sending.search(if_quick=True)
            watchdog.add(self)
            self._set_delivery(*self._job.mode(silent, self._lease.scratch.settings))
            self._first = self._run(next, self._chunks, b"")
            self._watch.look()
        except BaseException as error:
            self._error = error
            raise
        if self._chunks is self._document and self._document.lifecycle.is_over:
            self._release_last()  # all in one chunk: the framework tears down as it always does
            self._holds = []
        self._release_early()
        if self.left:
            raise StateError("the client has left before the response was started")

    def answer(self, whole: Answer) -> Answer:
        """Return the answer: what only a finished document shows may make it another one.

        Args:
            whole: The answer with the whole document, made before that was started.
        """
        return self._chunks.content.answer(whole) if isinstance(self._chunks, Spooled) else whole

    def wrap(self, wrapper: Any) -> Iterable[bytes]:
        """Return a file on disk in the server's file wrapper (PEP 3333), or else this object."""
        chunks = self._chunks
        if wrapper is None or not isinstance(chunks, Spooled) or not chunks.content.spool.on_disk:
            return self
        if not chunks.content.is_whole:  # most wrappers send to the end of the file
            return self
        chunks.content.rewind()
        self._sent = True  # assumed: no server reports how much of a file it has sent
        self._sending.passed(is_file=True)
        wrapped: Iterable[bytes] = wrapper(_File(chunks.content.spool, self), _BLOCK)
        return wrapped

    def note_read(self) -> None:
        """Note that the server reads the file itself, and asks for more."""
        self._sending.passed(is_file=False)

    def abort(self, error: BaseException) -> None:
        """Close it because of an error before anything was sent: its own, or the server's."""
        if self.left:
            self._error = None
        elif isinstance(error, StreamwareError):
            self._error = error
        self.close()

    def __next__(self) -> bytes:
        self._sending.asked()
        self._release_early()
        chunk = super().__next__()
        self._sending.passed()
        return chunk

    def step(self) -> bytes:
        """Return the next chunk, or `END`."""
        if self._cut_at is not None:  # and the server has not noticed, as beside an event loop
            self.unwanted()
            return self.END
        chunk, self._first = self._first, b""
        try:
            chunk = chunk or next(self._chunks, self.END)
            self._watch.look()
        except BaseException as error:
            if self.left and isinstance(error, _INTERRUPTED):
                return self.END
            self._error = error
            if self._late is not None:
                self._late.note(error)
            raise
        self._sent = chunk is self.END
        if not self._sent and isinstance(self._chunks, Spooled):
            # A server need not ask for more than `Content-Length` (PEP 3333).
            self._sent = self._chunks.content.is_read
        return chunk

    def unwanted(self) -> None:
        """Raise what ended it, if a server asks for more although its connection was broken."""
        if self._overdue is not None:
            raise self._overdue

    def look(self) -> None:
        """See whether the client has left or takes nothing; called by the watchdog."""
        sending = self._sending
        if self._over:
            return
        if self._cut_at is not None:
            if monotonic() - self._cut_at > GRACE:
                self._end_elsewhere()
            return
        if not sending.searched:
            sending.search()
        left = sending.connection is not None and sending.connection.has_left()
        overdue = None if left else sending.overdue()
        if (left or overdue is not None) and self._cut(overdue):
            self._interrupt()

    def _cut(self, overdue: LimitError | None) -> bool:
        """Break the connection, unless the response has ended: it may serve the next request.

        Args:
            overdue: The limit that the client exceeded; None if it has left.
        """
        with self._cutting:
            if self._over:
                return False
            self._cut_at = monotonic()
            if overdue is None:
                self.left = True
            else:
                self._overdue = self._error = overdue
                self._sent = False
            if self._sending.connection is not None:
                # Also if the client has sent a FIN: it may still read what would look complete.
                self._sending.connection.cut()
        return True

    def _interrupt(self) -> None:
        """End what is in flight although its connection is broken."""
        sending = self._sending
        if self.left and not sending.is_waiting:
            self._document.cancel()
            run(self._document.interrupt)  # elsewhere, because it may block
        elif sending.connection is None:
            self._end_elsewhere()

    def _end_elsewhere(self) -> None:
        """End it on a thread of its own: the server's is blocked, and does not notice."""
        watchdog.remove(self)
        if self._sending.is_waiting and not self._sending.is_file:
            run(self.close)

    def cancel(self) -> None:
        """Make the step in flight end with the row that it is pulling."""
        self._chunks.close()

    def end(self) -> None:
        """Close the rows."""
        watchdog.remove(self)
        with self._cutting:  # it is over: once this was free, nothing breaks the connection
            self._context = copy_context()
        self._chunks.close()

    def leave(self) -> None:
        """Release what the rows needed, and report the end."""
        run = self._context.run
        release: list[Callable[[], object]] = [self._release_last]
        if isinstance(self._chunks, Buffered):
            release += [self._chunks.join, self._release_last]  # again, if there was no producer
        call_each(
            [
                *release,
                lambda: run(self._lease.leave),
                lambda: run(self._conclude),
                lambda: run(self._watch.done),
            ]
        )

    def _conclude(self) -> None:
        error, self._error = self._error, None  # its traceback refers to this body
        self._rows_error = None
        conclude(self._document.lifecycle, self._lease.quota, error, sent=self._sent)

    def _set_delivery(self, mode: Mode, reason: str | None) -> None:
        document, quota = self._document, self._lease.quota
        document.receipt.delivery, document.receipt.delivery_reason = mode, reason
        if mode == "spool":
            content = Content(quota.spool(), self._job.conditions)
            self._chunks = Spooled(document, content, self._on_rows_closed)
        elif mode == "buffer":
            self._chunks = Buffered(document, quota.ring(), self._on_producer_closed)
            self._on_holds(lambda hold: hold.share())

    def _on_rows_closed(self) -> None:
        self._rows_closed = True

    def _on_producer_closed(self, error: BaseException | None) -> None:
        """Release what the thread of the rows needed, however slowly the client reads on."""
        self._rows_error, self._rows_closed = error, True
        self._on_holds(lambda hold: hold.rows_closed(error))

    def _release_early(self) -> None:
        """Release what the rows needed, if they are closed."""
        if self._rows_closed:
            self._release(last=False)

    def _release_last(self) -> None:
        self._release(last=True)

    def _release(self, *, last: bool) -> None:
        """Release what the rows needed; in the server's context, not in that of the steps."""
        self._on_holds(lambda hold: hold.release(self._error or self._rows_error, last=last))

    def _on_holds(self, call: Callable[[ContextHold], None]) -> None:
        for hold in self._holds:
            try:
                call(hold)
            except Exception:
                logger.warning("what the rows of an export needed was not released", exc_info=True)


class _File:
    """A spool that a server reads, and that ends the response when it is closed."""

    def __init__(self, spool: Spool, body: Body) -> None:
        self._spool = spool
        self._body = body

    def read(self, *size: int) -> bytes:
        """Return bytes of the spool, to a server that does not leave the file to the kernel."""
        self._body.note_read()
        return self._spool.read(*size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._spool, name)

    def close(self) -> None:
        self._body.close()


def _hold_contexts() -> list[ContextHold]:
    """Hold what the frameworks in use would tear down after the view."""
    holds = []
    for name, module in _HOLDERS.items():
        is_handling = getattr(sys.modules.get(name), "has_request_context", None)
        if is_handling is not None and is_handling():
            held = sys.modules.get(module) or importlib.import_module(module)
            holds.append(held.hold_contexts())
    return holds
