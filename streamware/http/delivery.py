"""What an export answers, and the job behind it: the part that knows neither WSGI nor ASGI."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

from streamware.aencoding import AsyncEncoding, Fillable
from streamware.encoding import FLUSH_INTERVAL
from streamware.receipt import Receipt
from streamware.source import Feeder

logger = logging.getLogger("streamware")


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
        make: Makes what is sent; given a feeder, it can read asynchronous rows.
        cancel: Interrupts a blocked pull, from another thread.
        on_done: Told the receipt at the end.
    """

    make: Callable[[Feeder | None], Chunks]
    cancel: Callable[[], object] | None = None
    on_done: Callable[[Receipt], object] | None = None

    def chunks(self) -> Chunks:
        """What is sent, for a thread to iterate."""
        return self.make(None)

    def achunks(self) -> AsyncEncoding:
        """What is sent, for an event loop to iterate."""
        return AsyncEncoding(self.make, flush_interval=FLUSH_INTERVAL, cancel=self.cancel)

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


class Answerer(Protocol):
    """What decides how a request is answered."""

    def __call__(
        self, *, head_only: bool, query: str | bytes, accept: str | None, coding: str | None
    ) -> Answer:
        """The answer; rows are not opened for it."""
