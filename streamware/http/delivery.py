"""What an export answers, and the job behind it: the part that knows neither WSGI nor ASGI."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from errno import EDQUOT, EMFILE, ENFILE, ENOSPC
from http import HTTPStatus
from math import ceil
from typing import Protocol, Self

from streamware.aencoding import AsyncEncoding, Fillable
from streamware.encoding import FLUSH_INTERVAL
from streamware.errors import Refused, ScratchError
from streamware.http import headers as head
from streamware.http.admission import Admission, admission
from streamware.receipt import Receipt
from streamware.scratch.ledger import CURRENT, Scratch
from streamware.scratch.storage import storage
from streamware.settings import Settings
from streamware.source import Feeder

logger = logging.getLogger("streamware")

SCRATCH = "streamware.scratch"
"""Where a middleware puts the ledger of a request: in the environ, in the scope's extensions."""
EXPORT = "streamware.export"
"""Where it puts `Export` itself, bound to its settings."""

RETRY_AFTER = 30
"""Seconds after which it is worth asking again where the disk was full."""
_BUSY = (
    b"Service Unavailable. Too many downloads at once, or no room for another: try again later.\n"
)


class Chunks(Fillable, Protocol):
    """What a thread iterates, and closes."""

    def __iter__(self) -> Iterator[bytes]:
        """The chunks."""

    def __next__(self) -> bytes:
        """The next chunk, never an empty one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """An answer on its way: everything that is settled before rows are opened.

    Attributes:
        make: Makes what is sent; given a feeder, it can read asynchronous rows, and given a
            ledger, it has scratch.
        cancel: Interrupts a blocked pull, from another thread.
        on_done: Told the receipt at the end.
        settings: What holds for it; None: what holds for the request, else for the process.
    """

    make: Callable[[Feeder | None, Scratch | None], Chunks]
    cancel: Callable[[], object] | None = None
    on_done: Callable[[Receipt], object] | None = None
    settings: Settings | None = None

    def chunks(self, scratch: Scratch | None = None) -> Chunks:
        """What is sent, for a thread to iterate."""
        return self.make(None, scratch)

    def achunks(self, scratch: Scratch | None = None) -> AsyncEncoding:
        """What is sent, for an event loop to iterate."""
        return AsyncEncoding(
            lambda feeder: self.make(feeder, scratch),
            flush_interval=FLUSH_INTERVAL,
            cancel=self.cancel,
        )

    def done(self, receipt: Receipt) -> None:
        """Tell who asked; what they raise is theirs, and logged."""
        if self.on_done is None:
            return
        try:
            self.on_done(receipt)
        except Exception:
            logger.exception("on_done of an export failed")


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


class Stay:
    """What an export holds while it is under way: a ledger, and a place among those at once.

    The ledger is the request's, unless there is none or the export has settings of its own.

    Args:
        settings: The export's own.
        given: The ledger that the request names.

    Attributes:
        scratch: The ledger.
    """

    __slots__ = ("_held", "_pid", "scratch")

    def __init__(self, settings: Settings | None, given: Scratch | None) -> None:
        # Releases, last in first out; taking one off is atomic, so that each is called once.
        self._held: deque[Callable[[], object]] = deque()
        self._pid = os.getpid()
        request = live(given) or live(CURRENT.get(None))
        if request is not None and settings in (None, request.settings):
            self.scratch = request
        else:
            own = settings or Settings()
            self.scratch = Scratch(storage(own), own)
            self._held.append(self.scratch.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ignored: object) -> None:
        self.leave()

    def enter(self) -> None:
        """Wait for a place; blocks.

        Raises:
            Refused: None became free in time.
        """
        places = self._places()
        places.enter()
        self._held.append(places.leave)

    async def aenter(self) -> None:
        """The same, for a task."""
        places = self._places()
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


def live(scratch: Scratch | None) -> Scratch | None:
    """The ledger, unless its request is over."""
    return None if scratch is None or scratch.closed else scratch


_NO_ROOM = (ENOSPC, EDQUOT, EMFILE, ENFILE)


def refusal(error: BaseException, *, head_only: bool = False) -> Answer | None:
    """A 503, if `error` says that there is no room just now; the log says which, not the client."""
    if isinstance(error, Refused):
        seconds = max(1, ceil(error.retry_after))
    elif isinstance(error, ScratchError) and error.errno in _NO_ROOM:
        seconds = RETRY_AFTER
    else:
        return None
    logger.warning("there is no room for a request: %s", error)
    headers = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(_BUSY))),
        ("Retry-After", str(seconds)),
        *head.DEFAULTS,
    ]
    return Answer(HTTPStatus.SERVICE_UNAVAILABLE, headers, b"" if head_only else _BUSY)


class Answerer(Protocol):
    """What decides how a request is answered."""

    def __call__(
        self, *, head_only: bool, query: str | bytes, accept: str | None, coding: str | None
    ) -> Answer:
        """The answer; rows are not opened for it."""
