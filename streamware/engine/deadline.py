"""Deadline: interrupts a pull that is still blocked when the time of an export is over."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import TIMEOUT_MAX, RLock, Timer

from streamware.locks import fork_safe, generation

logger = logging.getLogger("streamware")


class Deadline:
    """A context manager around each pull, and a timer that interrupts the pull under way.

    A connection may belong to another request as soon as its rows are closed here.  So it is
    interrupted only while a pull is under way, and a pull does not end while it is being
    interrupted.  The timer is a thread as long as it runs.

    Args:
        interrupt: Interrupts a pull; called on the timer's thread.

    Attributes:
        struck: Whether `interrupt` was called because the time was over.
    """

    def __init__(self, interrupt: Callable[[], object]) -> None:
        self.struck = False  # whether the time was over
        self._interrupt = interrupt  # interrupts a pull
        self._pulling = False  # whether a pull is under way
        self._generation = generation()  # of the process that has the timer
        self._lock = fork_safe(RLock())  # held while it interrupts, and while a pull ends
        self._timer: Timer | None = None  # a thread once started

    def __enter__(self) -> None:
        self._pulling = True

    def __exit__(self, *ignored: object) -> None:
        with self._lock:
            self._pulling = False

    def start(self, seconds: float) -> None:
        """Start the timer, unless it runs: it interrupts a pull after that many seconds."""
        if self._timer is None:
            # What is longer than a thread can wait, some 292 years, is never over.
            self._timer = Timer(max(0, min(seconds, TIMEOUT_MAX)), self._expire)
            self._timer.name = "streamware"
            self._timer.daemon = True
            self._timer.start()

    def stop(self) -> None:
        """Stop the timer, once an interruption under way has ended.  Idempotent."""
        if self._timer is not None and self._generation == generation():
            self._timer.cancel()
        with self._lock:
            self._pulling = False

    def strike(self) -> None:
        """Interrupt the pull that is under way, if there is one."""
        with self._lock:
            if self._pulling:
                call_logged(self._interrupt)

    def _expire(self) -> None:
        with self._lock:
            if self._pulling:
                self.struck = True
                call_logged(self._interrupt)


def call_logged(cancel: Callable[[], object]) -> None:
    """Call `cancel` and log what it raises, because no caller waits for it."""
    try:
        cancel()
    except Exception:
        logger.warning("cancelling the rows of an export failed", exc_info=True)
