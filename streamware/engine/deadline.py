"""Deadline: interrupts a pull that is still blocked when the time of an export is over."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Lock, Timer

logger = logging.getLogger("streamware")


class Deadline:
    """A timer that interrupts what runs within it, and nothing else.

    What is interrupted (a connection) may belong to somebody else as soon as it is closed here.
    So it is interrupted only while a pull is under way, and a pull does not end while it is being
    interrupted.  It costs a thread as long as it runs.

    Args:
        seconds: When, counted from `start`.
        interrupt: What is called then, on that thread.

    Attributes:
        struck: Whether it was called.
    """

    def __init__(self, seconds: float, interrupt: Callable[[], object]) -> None:
        self.struck = False
        self._interrupt = interrupt
        self._pulling = False
        self._lock = Lock()
        self._timer = Timer(seconds, self._strike)
        self._timer.name = "streamware"
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._pulling = True

    def __exit__(self, *ignored: object) -> None:
        with self._lock:
            self._pulling = False

    def start(self) -> None:
        """Begin to count."""
        self._timer.start()

    def stop(self) -> None:
        """Count no longer, once an interruption under way has ended.  Idempotent."""
        self._timer.cancel()
        with self._lock:
            self._pulling = False

    def _strike(self) -> None:
        with self._lock:
            if self._pulling:
                self.struck = True
                called(self._interrupt)


def called(cancel: Callable[[], object]) -> None:
    """Call it; what it raises is logged, for nobody is there to be told."""
    try:
        cancel()
    except Exception:
        logger.warning("cancelling the rows of an export failed", exc_info=True)
