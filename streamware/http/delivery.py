"""Delivery: what `wsgi` and `asgi` share: answers, the jobs that make them, leases, endings."""

from __future__ import annotations

import logging
from asyncio import CancelledError
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from errno import EDQUOT, EMFILE, ENFILE, ENOSPC
from http import HTTPStatus
from math import ceil
from time import monotonic
from typing import Literal, Protocol, Self

from streamware.engine.async_driver import AsyncDriver, Drivable
from streamware.engine.lifecycle import Lifecycle, State
from streamware.engine.options import FLUSH_INTERVAL
from streamware.errors import LimitError, Refused, ScratchError, StateError
from streamware.http.admission import admission
from streamware.http.conditional import Decision, Selected
from streamware.http.headers import DEFAULT_HEADERS, Header, merge_headers
from streamware.http.request import Request
from streamware.limits import Limits
from streamware.locks import generation
from streamware.observe import Watch
from streamware.receipt import Receipt
from streamware.rows.source import Bridge
from streamware.scratch.disk_quota import ExportQuota
from streamware.scratch.ledger import CURRENT, Scratch
from streamware.scratch.pool import scratch_pool
from streamware.settings import Settings, of_environment

logger = logging.getLogger("streamware")

Mode = Literal["stream", "buffer", "spool"]
Delivery = Literal["auto", "stream", "buffer", "spool"]

SCRATCH = "streamware.scratch"
"""The key of a request's ledger, in the environ or in the extensions of the scope."""
LATE_FAILURE = "streamware.late_failure"
"""The key of the `LateFailure` of a request, as that of its ledger."""
EXPORT = "streamware.export"
"""The key of `Export` itself, bound to the settings of the middleware."""

RETRY_AFTER = 30
"""Seconds after which asking again is worthwhile, unless the error itself says so."""
_BUSY = "Too many downloads at once, or no room for another: try again later."
_TOO_LONG = "This download takes longer than it may."
_TOO_LARGE = "This download would be larger than it may be."
_LIMITS = Limits()
_NO_ROOM = (ENOSPC, EDQUOT, EMFILE, ENFILE)
_WITH_RETRY_AFTER = (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS)


class Chunks(Drivable, Protocol):
    """The chunks of a document, for a thread to iterate and close."""

    def __iter__(self) -> Iterator[bytes]:
        """Return itself."""

    def __next__(self) -> bytes:
        """Return the next chunk, never an empty one."""

    @property
    def receipt(self) -> Receipt:
        """Its figures so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What a finished document is compared with, before any of it is sent.

    Attributes:
        request: The request.
        etag: The entity tag of the document; None: one is made from its digest.
        name: What the document is known by in `beginnings`; None if it is not.
        in_part: Whether a part of it is asked for.
    """

    request: Request
    etag: str | None = None
    name: str | None = None
    in_part: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """How to make one response's body: everything that is known before rows are opened.

    Attributes:
        make: Makes the document.  It can read asynchronous rows if given a bridge, and has
            scratch if given a quota.
        on_done: Called with the receipt when the export has ended.
        settings: Its settings; None: those of the request, else those of the environment.
        limits: Its limits; None: those of its settings.
        delivery: How it is sent; "auto" depends on the transport.
        self_terminating: Whether a reader of the document notices that it was cut short.
        conditions: What a spooled document is compared with; None if all of it is to be sent.
    """

    make: Callable[[Bridge | None, ExportQuota | None], Chunks]
    on_done: Callable[[Receipt], object] | None = None
    settings: Settings | None = None
    limits: Limits | None = None
    delivery: Delivery = "stream"
    self_terminating: bool = True
    conditions: Conditions | None = None

    def chunks(self, quota: ExportQuota | None = None) -> Chunks:
        """Make the document, for a thread to iterate."""
        return self.make(None, quota)

    def achunks(self, quota: ExportQuota | None = None) -> AsyncDriver:
        """Make the document, for a task to iterate."""
        return AsyncDriver(
            lambda bridge: self.make(bridge, quota),
            flush_interval=FLUSH_INTERVAL,
        )

    def bounds(self, settings: Settings) -> Limits:
        """Return its limits; by default those of its settings, else of `settings`."""
        return self.limits or (self.settings or settings).limits or _LIMITS

    def mode(self, silent: str | None, settings: Settings) -> tuple[Mode, str | None]:
        """Return how it is sent, and the reason if the transport decided.

        Args:
            silent: What would hide from the client that the body was cut; None if nothing.
            settings: The settings that apply.

        Raises:
            Refused: The settings forbid to send it over this transport.
        """
        if self.conditions is not None and self.conditions.in_part:
            return "spool", "a part of it was asked for, and its length is not known before"
        if self.delivery != "auto":
            return self.delivery, None
        if silent is None or self.self_terminating:
            return "stream", None
        reason = f"{silent} would hide that it was cut"
        chosen = settings.silent_transport
        _warn_once(silent, chosen)
        if chosen == "refuse":
            raise Refused(reason, retry_after=RETRY_AFTER, limit="silent_transport")
        return chosen, reason

    def watch(self, receipt: Receipt, settings: Settings) -> Watch:
        """Return a `Watch`, which reports one run to the observers and to `on_done`."""
        return Watch(receipt, settings.observers, self.on_done)


_warned: set[str] = set()


def _warn_once(silent: str, chosen: str) -> None:
    if silent in _warned:
        return
    _warned.add(silent)
    logger.warning(
        "over %s a client would not notice that a download was cut short, so"
        " Settings.silent_transport ('%s') decides; to avoid that, use a proxy that speaks HTTP/1.1"
        " (nginx: proxy_http_version 1.1), another server, or a format whose end is recognised"
        " (xlsx, xml, json)",
        silent,
        chosen,
    )


def conclude(
    lifecycle: Lifecycle, quota: ExportQuota, error: BaseException | None, *, sent: bool
) -> None:
    """Record why a document was closed, which the engine cannot know, and log its end.

    Args:
        lifecycle: The document's; its rows are closed.
        quota: The document's.
        error: What ended the response; None if it was sent or closed, or could not be sent.
        sent: Whether all of the response was sent.
    """
    receipt = lifecycle.receipt
    receipt.scratch_peak_bytes = quota.peak
    if lifecycle.state is State.CLOSED or not lifecycle.is_over:
        if isinstance(error, Refused) and error.limit in _OF_ADMISSION:
            lifecycle.refuse(error)
        elif isinstance(error, LimitError) and error.name == "stall_seconds":
            lifecycle.leave(error)
        elif error is not None and not isinstance(error, _LEAVINGS):
            lifecycle.explain(error)
        else:
            lifecycle.leave()
    elif lifecycle.state is State.COMPLETE and not sent:
        lifecycle.leave(error if isinstance(error, LimitError) else None)
    log_end(receipt)


def log_end(receipt: Receipt) -> None:
    """Log how an export ended."""
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


_LEAVINGS = (CancelledError, GeneratorExit)
_OF_ADMISSION = ("max_concurrent", "silent_transport")

# A refusal was logged as a warning when it happened.
_LEVELS = dict.fromkeys(("complete", "client gone", "refused"), logging.INFO)


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request: a status, headers, and a body or the job that makes it.

    Attributes:
        status: The status.
        headers: The headers, but for those that are known only when the body has been made.
        body: The body, or the job that makes it.
        discarded: A job that will not run, as for a `HEAD` request; rows that were passed open
            must still be closed.
    """

    status: HTTPStatus
    headers: list[tuple[str, str]]
    body: bytes | Job
    discarded: Job | None = None


Answerer = Callable[[Request], Answer]
"""Returns the answer to a request, without opening rows."""
AsyncAnswerer = Callable[[Request], Awaitable[Answer]]
"""Returns it beside an event loop, and may wait for it."""


class ExportLease:
    """What an export holds while it runs: a ledger, and an admission slot.

    The ledger is that of the request, unless there is none or the export has its own settings.

    Args:
        job: The job that runs.
        given: The ledger in the environ or the scope.

    Attributes:
        scratch: The ledger.
        quota: The export's quota of it.
    """

    __slots__ = ("_generation", "_releases", "quota", "scratch")

    def __init__(self, job: Job, given: Scratch | None) -> None:
        # Called to give back what is held, from last to first.  `pop` is atomic, so each is
        # called once.
        self._releases: deque[Callable[[], object]] = deque()
        self._generation = generation()  # of the process that holds it
        request = live(given) or live(CURRENT.get(None))
        if request is not None and job.settings in (None, request.settings):
            self.scratch = request
        else:
            own = job.settings or of_environment()
            self.scratch = Scratch(scratch_pool(own), own)
            self._releases.append(self.scratch.close)
        self.quota = self.scratch.export_quota(job.bounds(self.scratch.settings))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *ignored: object) -> None:
        await self.aleave()

    def enter(self, receipt: Receipt) -> None:
        """Wait for an admission slot; blocks.

        Raises:
            Refused: No slot became free in time.
        """
        slots, started = admission(self.scratch.settings), monotonic()
        try:
            slots.enter()
        finally:
            receipt.waited_seconds = monotonic() - started
        self._releases.append(slots.leave)

    async def aenter(self, receipt: Receipt) -> None:
        """Wait for an admission slot, as a task.

        Raises:
            Refused: No slot became free in time.
        """
        slots, started = admission(self.scratch.settings), monotonic()
        try:
            await slots.aenter()
        finally:
            receipt.waited_seconds = monotonic() - started
        self._releases.append(slots.leave)

    def leave(self) -> None:
        """Give back what is held.  Idempotent; from any thread; never raises."""
        while (release := self._next_release()) is not None:
            release()

    async def aleave(self) -> None:
        """Give back what is held, and wait until large files are removed.  Raises if cancelled."""
        while (release := self._next_release()) is not None:
            if release == self.scratch.close:
                await self.scratch.aclose()
            else:
                release()

    def _next_release(self) -> Callable[[], object] | None:
        """Return what to call next; None if there is nothing, or if the parent process holds it."""
        if not self._releases or self._generation != generation():
            return None
        try:
            return self._releases.pop()
        except IndexError:  # perhaps another thread was faster
            return None


class LateFailure:
    """Whether an export failed after the status of its response was sent.

    Middlewares around the export may swallow its error, and end the body.  Ours, outside of them,
    then knows better.

    Attributes:
        started: Whether the status was sent.
    """

    __slots__ = ("_kind", "started")

    def __init__(self) -> None:
        self.started = False
        self._kind = ""  # the class of the error; the error itself would refer to the response

    def note(self, error: BaseException) -> None:
        """Note that an export failed; ignored if it was not for this response."""
        if self.started:
            self._kind = type(error).__name__

    def check(self) -> None:
        """Raise `StateError` if an export failed: its body must not end."""
        if self._kind:
            raise StateError(
                f"an export failed ({self._kind}), and a middleware would end its response as if"
                " it were complete: let the error pass"
            )


def live(scratch: Scratch | None) -> Scratch | None:
    """Return the ledger, or None if its request is over."""
    return None if scratch is None or scratch.closed else scratch


def refusal(error: BaseException, *, head_only: bool = False) -> Answer | None:
    """Return the answer to `error` if it means that there is no room or a limit was exceeded.

    Else return None.  The answer does not say which bound it was; the log does.
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
    retry = [("Retry-After", str(seconds))] if status in _WITH_RETRY_AFTER else []
    return plain_answer(HTTPStatus(status), text, retry, head_only=head_only)


def conditional_answer(
    answer: Answer, decision: Decision, selected: Selected, *, in_parts: bool = True
) -> Answer:
    """Return what a decision makes of the answer with the whole document.

    A 304 has what the whole answer would tell caches (RFC 9110 §15.4.5).  It and the errors have
    nothing that describes a content.

    Args:
        answer: The answer with the whole document.
        decision: The decision.
        selected: The document.
        in_parts: Whether a client may ask for a part of it.
    """
    own = decision.headers(selected)
    if not in_parts:
        own = [header for header in own if header[0] != "Accept-Ranges"]
    if decision.has_content:
        status = answer.status if decision.part is None else decision.status
        return replace(answer, status=status, headers=merge_headers(answer.headers, own))
    kept = [header for header in answer.headers if not _describes_content(header[0].lower())]
    if decision.status is not HTTPStatus.NOT_MODIFIED:
        own += [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", "0")]
    discarded = answer.body if isinstance(answer.body, Job) else answer.discarded
    return Answer(decision.status, merge_headers(kept, own), b"", discarded)


def _describes_content(name: str) -> bool:
    described = name.startswith("content-") and name != "content-location"
    return described or name in ("accept-ranges", "etag", "last-modified", "repr-digest")


def plain_answer(
    status: HTTPStatus, text: str = "", headers: Sequence[Header] = (), *, head_only: bool
) -> Answer:
    """Return an answer of one line of text, with `headers` before the usual ones."""
    line = f"{status.phrase}. {text}" if text else status.phrase
    body = f"{line}\n".encode()
    own = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    return Answer(status, [*own, *headers, *DEFAULT_HEADERS], b"" if head_only else body)
