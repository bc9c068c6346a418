"""What an export answers, and the job behind it: the part that knows neither WSGI nor ASGI."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from errno import EDQUOT, EMFILE, ENFILE, ENOSPC
from http import HTTPStatus
from math import ceil
from time import monotonic
from typing import Literal, Protocol, Self

from streamware.engine.async_driver import AsyncDriver, Drivable
from streamware.engine.lifecycle import Lifecycle, State
from streamware.engine.options import FLUSH_INTERVAL
from streamware.errors import LimitError, Refused, ScratchError, StreamwareError
from streamware.http.admission import Admission, admission
from streamware.http.headers import DEFAULT_HEADERS
from streamware.http.request import Request
from streamware.limits import Limits
from streamware.observe import Watch
from streamware.receipt import Receipt
from streamware.rows.source import Bridge
from streamware.scratch.ledger import CURRENT, Scratch
from streamware.scratch.pool import scratch_pool
from streamware.scratch.quota import ExportQuota
from streamware.settings import Settings

logger = logging.getLogger("streamware")

Mode = Literal["stream", "buffer", "spool"]
Delivery = Literal["auto", "stream", "buffer", "spool"]

SCRATCH = "streamware.scratch"
"""Where a middleware puts the ledger of a request: in the environ, in the scope's extensions."""
EXPORT = "streamware.export"
"""Where it puts `Export` itself, bound to its settings."""

RETRY_AFTER = 30
"""Seconds after which it is worth asking again where the disk was full."""
_BUSY = "Too many downloads at once, or no room for another: try again later."
_TOO_LONG = "This download takes longer than it may."
_TOO_LARGE = "This download would be larger than it may be."


class Chunks(Drivable, Protocol):
    """What a thread iterates, and closes."""

    def __iter__(self) -> Iterator[bytes]:
        """The chunks."""

    def __next__(self) -> bytes:
        """The next chunk, never an empty one."""

    @property
    def receipt(self) -> Receipt:
        """Figures so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """An answer on its way: everything that is settled before rows are opened.

    Attributes:
        make: Makes what is sent; given a bridge, it can read asynchronous rows, and given a
            quota of a ledger, it has scratch.
        cancel: Interrupts a blocked pull, from another thread.
        on_done: Told the receipt at the end.
        settings: What holds for it; None: what holds for the request, else for the process.
        limits: Its bounds; None: those of what holds for it.
        delivery: How it is sent.
        self_terminating: Whether a reader of the document notices that it was cut.
    """

    make: Callable[[Bridge | None, ExportQuota | None], Chunks]
    cancel: Callable[[], object] | None = None
    on_done: Callable[[Receipt], object] | None = None
    settings: Settings | None = None
    limits: Limits | None = None
    delivery: Delivery = "stream"
    self_terminating: bool = True

    def chunks(self, quota: ExportQuota | None = None) -> Chunks:
        """What is sent, for a thread to iterate."""
        return self.make(None, quota)

    def achunks(self, quota: ExportQuota | None = None) -> AsyncDriver:
        """What is sent, for an event loop to iterate."""
        return AsyncDriver(
            lambda bridge: self.make(bridge, quota),
            flush_interval=FLUSH_INTERVAL,
            cancel=self.cancel,
        )

    def bounds(self, settings: Settings) -> Limits:
        """Its limits below a middleware, say, with these settings."""
        return self.limits or (self.settings or settings).limits or Limits()

    def mode(self, silent: str | None, settings: Settings) -> tuple[Mode, str | None]:
        """How it is sent over a transport, and why so, where there was a choice.

        Args:
            silent: What hides a cut body from the client; None where nothing does.
            settings: What holds for it.

        Raises:
            Refused: It is not sent, by order of the settings.
        """
        if self.delivery != "auto":
            return self.delivery, None
        if silent is None or self.self_terminating:
            return "stream", None
        reason = f"{silent} would hide that it was cut"
        chosen = settings.silent_transport
        _tell_once(reason, chosen)
        if chosen == "refuse":
            raise Refused(reason, retry_after=RETRY_AFTER, limit="silent_transport")
        return chosen, reason

    def watch(self, receipt: Receipt, settings: Settings) -> Watch:
        """What tells observers, and who asked, of one course of it."""
        return Watch(receipt, settings.observers, self.on_done)


def _tell_once(reason: str, chosen: str) -> None:
    if reason in _told:
        return
    _told.add(reason)
    logger.warning(
        "%s from the client, so by Settings.silent_transport it is '%s'; what helps: a proxy that"
        " speaks HTTP/1.1 (nginx: proxy_http_version 1.1), another server, or a format whose end"
        " shows (xlsx, xml, json)",
        reason,
        chosen,
    )


_told: set[str] = set()


def conclude(
    lifecycle: Lifecycle,
    quota: ExportQuota,
    error: BaseException | None = None,
    *,
    sent: bool = True,
) -> None:
    """Record why a document was closed, which the engine cannot know, and log its end.

    Args:
        lifecycle: Of the document; its rows are closed.
        quota: Of the ledger, which it had.
        error: What ended the response.
        sent: Whether all of it was sent.
    """
    receipt = lifecycle.receipt
    receipt.scratch_peak_bytes = quota.peak
    if lifecycle.state is State.CLOSED or not lifecycle.is_over:
        if isinstance(error, Refused) and error.limit in _OF_ADMISSION:
            lifecycle.refuse(error)
        elif isinstance(error, StreamwareError):
            lifecycle.explain(error)
        else:
            lifecycle.leave()
    elif lifecycle.state is State.COMPLETE and not sent:
        lifecycle.leave()
    logger.log(
        _LEVELS.get(receipt.outcome, logging.WARNING),
        "export %s (%s) ended: %s%s; %d rows, %d bytes, %.3f seconds",
        receipt.id,
        receipt.format,
        receipt.outcome,
        "" if receipt.problem is None else f", {receipt.problem}",
        receipt.rows,
        receipt.bytes,
        receipt.seconds,
    )


_OF_ADMISSION = ("max_concurrent", "silent_transport")

# What is refused was warned of when it was.
_LEVELS = dict.fromkeys(("complete", "client gone", "refused"), logging.INFO)


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers, and a body that is there or a job that makes one.

    Attributes:
        discarded: A job that is not wanted (a `HEAD` request): rows that were handed over open
            are to be closed all the same.
    """

    status: HTTPStatus
    headers: list[tuple[str, str]]
    body: bytes | Job
    discarded: Job | None = None


class ExportLease:
    """What an export holds while it is under way: a ledger, and a place among those at once.

    The ledger is the request's, unless there is none or the export has settings of its own.

    Args:
        job: What is under way.
        given: The ledger that the request names.

    Attributes:
        scratch: The ledger.
        quota: What the export has of it.
    """

    __slots__ = ("_held", "_pid", "quota", "scratch")

    def __init__(self, job: Job, given: Scratch | None) -> None:
        # Releases, last in first out; taking one off is atomic, so that each is called once.
        self._held: deque[Callable[[], object]] = deque()
        self._pid = os.getpid()
        request = live(given) or live(CURRENT.get(None))
        if request is not None and job.settings in (None, request.settings):
            self.scratch = request
        else:
            own = job.settings or Settings()
            self.scratch = Scratch(scratch_pool(own), own)
            self._held.append(self.scratch.close)
        self.quota = self.scratch.export_quota(job.bounds(self.scratch.settings))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ignored: object) -> None:
        self.leave()

    def enter(self, receipt: Receipt) -> None:
        """Wait for a place; blocks.

        Raises:
            Refused: None became free in time.
        """
        places = self._places()
        with _waiting(receipt):
            places.enter()
        self._held.append(places.leave)

    async def aenter(self, receipt: Receipt) -> None:
        """The same, for a task."""
        places = self._places()
        with _waiting(receipt):
            await places.aenter()
        self._held.append(places.leave)

    def leave(self) -> None:
        """Give back what is held.  Idempotent; from any thread; never raises."""
        if self._pid != os.getpid():
            return  # it is the parent's
        while self._held:
            try:
                release = self._held.pop()
            except IndexError:  # another thread was faster
                return
            release()

    def _places(self) -> Admission:
        return admission(self.scratch.settings)


@contextmanager
def _waiting(receipt: Receipt) -> Iterator[None]:
    started = monotonic()
    try:
        yield
    finally:
        receipt.waited_seconds = monotonic() - started


def live(scratch: Scratch | None) -> Scratch | None:
    """The ledger, unless its request is over."""
    return None if scratch is None or scratch.closed else scratch


_NO_ROOM = (ENOSPC, EDQUOT, EMFILE, ENFILE)


def refusal(error: BaseException, *, head_only: bool = False) -> Answer | None:
    """A status, if `error` says that there is no room, or that a limit of the caller's was passed.

    The log says which, not the client.
    """
    status, text, seconds = 503, _BUSY, RETRY_AFTER
    if isinstance(error, Refused):
        seconds = max(1, ceil(error.retry_after))
    elif isinstance(error, LimitError) and error.status is not None:
        status, text = error.status, _TOO_LONG if error.name == "seconds" else _TOO_LARGE
    elif not (isinstance(error, ScratchError) and error.errno in _NO_ROOM):
        return None
    if not isinstance(error, LimitError):
        logger.warning("there is no room for a request: %s", error)
    return _plain(HTTPStatus(status), text, seconds, head_only=head_only)


def _plain(status: HTTPStatus, text: str, seconds: int, *, head_only: bool) -> Answer:
    body = f"{status.phrase}. {text}\n".encode()
    headers = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(body))),
        *([("Retry-After", str(seconds))] if status in _LATER else []),
        *DEFAULT_HEADERS,
    ]
    return Answer(status, headers, b"" if head_only else body)


_LATER = (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS)


Answerer = Callable[[Request], Answer]
"""What decides how a request is answered.  It opens no rows."""
