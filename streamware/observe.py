"""Observers: who is told of every export of a process, while it runs and when it has ended."""

from __future__ import annotations

import logging
from asyncio import CancelledError
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Protocol

from streamware.receipt import Receipt

logger = logging.getLogger("streamware")

ROWS = 10_000
"""Rows after which there is progress,"""
SECONDS = 1.0
"""or seconds, whichever come first; it is looked at once a chunk."""


_FAILURES = (Exception, CancelledError)
"""What is logged: a CancelledError, too, which can only be that of a task of theirs."""


class Observer(Protocol):
    """Is told of the exports and bundles that answer requests; stands in `Settings.observers`.

    Of each, in this order: `opened` once, `first_byte` at most once, `progress` any number of
    times, `done` once.  A `HEAD` request, and one that no format suits, opens nothing, and so
    nothing is told of it.  All is told on the thread that sends, under ASGI the event loop's: an
    observer must not block.  What it raises is logged and changes nothing.

    The receipt is always the same object of an export, and filled while it runs.  Only at `done`
    are its figures final.
    """

    def opened(self, receipt: Receipt) -> None:
        """A request is about to be answered; it may still wait for its turn, and be refused."""

    def first_byte(self, receipt: Receipt) -> None:
        """There are bytes to send."""

    def progress(self, receipt: Receipt) -> None:
        """Another 10,000 rows were written, or another second has passed."""

    def done(self, receipt: Receipt) -> None:
        """It has ended, as `Receipt.outcome` tells, and its rows are closed."""


class Watch:
    """One export, as its observers see it: each event in its order, the end exactly once.

    Nothing it calls can break the export.  One thread at a time uses it.

    Args:
        receipt: What they are told.
        observers: Who are.
        on_done: Told the end, too, and whether it was opened or not.
    """

    __slots__ = ("_begun", "_due", "_observers", "_on_done", "_open", "_over", "_receipt", "_rows")

    def __init__(
        self,
        receipt: Receipt,
        observers: Sequence[Observer] = (),
        on_done: Callable[[Receipt], object] | None = None,
    ) -> None:
        self._receipt = receipt
        self._observers = observers
        self._on_done = on_done
        self._open = False
        self._begun = False
        self._over = False
        self._rows = ROWS
        self._due = 0.0

    def opened(self) -> None:
        """It is about to begin."""
        if self._open or self._over:
            return
        self._open = True
        self._due = monotonic() + SECONDS
        self._tell("opened")

    def look(self) -> None:
        """Another chunk is ready: is there something to tell?"""
        if not self._observers or not self._open or self._over:
            return
        receipt = self._receipt
        if not self._begun and receipt.bytes:
            self._begun = True
            self._tell("first_byte")
        now = monotonic()
        if receipt.rows >= self._rows or now >= self._due:
            self._rows, self._due = receipt.rows + ROWS, now + SECONDS
            self._tell("progress")

    def done(self) -> None:
        """It has ended, and its receipt is final.  Idempotent."""
        if self._over:
            return
        self._over = True
        if self._open:
            self._tell("done")
        if self._on_done is not None:
            try:
                self._on_done(self._receipt)
            except _FAILURES:
                logger.exception("on_done of an export failed")

    def _tell(self, event: str) -> None:
        for observer in self._observers:
            try:
                getattr(observer, event)(self._receipt)
            except _FAILURES:
                logger.exception("%s of the observer %s failed", event, type(observer).__name__)
