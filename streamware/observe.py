"""Observer: notified of every export of a process, while it runs and when it has ended."""

from __future__ import annotations

import logging
from asyncio import CancelledError
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from time import monotonic
from typing import Protocol

from streamware.receipt import Receipt

logger = logging.getLogger("streamware")

ROWS = 10_000
"""Rows after which progress is reported."""
SECONDS = 1.0
"""Seconds after which progress is reported, if they pass first; checked once per chunk."""

_FAILURES = (Exception, CancelledError)
"""Errors that are logged; a CancelledError can only come from an observer's own task."""


class Observer(Protocol):
    """Is notified of exports and bundles, answered or saved; see `Settings.observers`.

    For each export the calls are, in this order: `opened` once, `first_byte` at most once,
    `progress` any number of times, `done` once.  A `HEAD` request, and one that no format suits,
    opens nothing and is not reported.  All calls come on the thread that sends, which under ASGI
    is that of the event loop: an observer must not block.  What it raises is logged and changes
    nothing.

    The receipt of an export is the same object in every call, and is filled while it runs.  Its
    figures are final only at `done`.
    """

    def opened(self, receipt: Receipt) -> None:
        """Note that a request is about to be answered; it may still wait, and be refused."""

    def first_byte(self, receipt: Receipt) -> None:
        """Note that there are bytes to send."""

    def progress(self, receipt: Receipt) -> None:
        """Note that another 10,000 rows were written, or that another second has passed."""

    def done(self, receipt: Receipt) -> None:
        """Note that it has ended, as `Receipt.outcome` says, and that its rows are closed."""


class Watch:
    """Reports one export to its observers: each event in its order, the end exactly once.

    An error of an observer never breaks the export.  One thread at a time uses it.

    Args:
        receipt: Passed to the observers.
        observers: Notified of every event.
        on_done: Called at the end, whether the export was opened or not.
    """

    __slots__ = (
        "_due",
        "_ended",
        "_observers",
        "_on_done",
        "_opened",
        "_receipt",
        "_rows",
        "_sent",
    )

    def __init__(
        self,
        receipt: Receipt,
        observers: Sequence[Observer] = (),
        on_done: Callable[[Receipt], object] | None = None,
    ) -> None:
        self._receipt = receipt  # passed to the observers
        self._observers = observers  # notified of every event
        self._on_done = on_done  # called at the end
        self._opened = False  # whether opened() was called
        self._sent = False  # whether there were bytes
        self._ended = False  # whether done() was called
        self._rows = ROWS  # progress is reported at this many rows
        self._due = 0.0  # or at this time

    def opened(self) -> None:
        """Report that it is about to start.  Idempotent."""
        if self._opened or self._ended:
            return
        self._opened = True
        self._due = monotonic() + SECONDS
        self._report("opened")

    def look(self) -> None:
        """Report the first bytes and the progress, if any; call it after each chunk."""
        if not self._observers or not self._opened or self._ended:
            return
        receipt = self._receipt
        if not self._sent and receipt.bytes:
            self._sent = True
            self._report("first_byte")
        now = monotonic()
        if receipt.rows >= self._rows or now >= self._due:
            self._rows, self._due = receipt.rows + ROWS, now + SECONDS
            self._report("progress")

    def done(self) -> None:
        """Report that it has ended; its receipt is final.  Idempotent."""
        if self._ended:
            return
        self._ended = True
        if self._on_done is None and not self._observers:
            return
        with ExitStack() as reporting:  # from last to first
            if self._on_done is not None:
                reporting.callback(self._call, self._on_done, "on_done of an export")
            if self._opened:
                reporting.callback(self._report, "done")

    def _report(self, event: str) -> None:
        """Notify all observers, even if one raises KeyboardInterrupt or the like."""
        if not self._observers:
            return
        with ExitStack() as reporting:
            for observer in reversed(self._observers):
                report = partial(_notify, observer, event)
                name = f"{event} of the observer {type(observer).__name__}"
                reporting.callback(self._call, report, name)

    def _call(self, report: Callable[[Receipt], object], name: str) -> None:
        try:
            report(self._receipt)
        except _FAILURES:
            logger.exception("%s failed", name)


def _notify(observer: Observer, event: str, receipt: Receipt) -> None:
    getattr(observer, event)(receipt)
