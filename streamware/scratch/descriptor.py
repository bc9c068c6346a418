"""A file descriptor that several threads use, and that its last user closes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from streamware.scratch import background
from streamware.scratch.forks import ForkSafeFd, watch


class Descriptor:
    """A file descriptor that its last user closes; a context manager for each use.

    If a close came in the middle of another thread's write, the write could go to the next file
    that gets the same number: the download of another client.  A large file is not closed on the
    thread of an event loop.

    Args:
        open_: Opens it.
        closed: Called once it is closed.
    """

    __slots__ = ("__weakref__", "_closed", "_closing", "_fd", "_gone", "_lock", "_users")

    def __init__(self, open_: Callable[[], int], closed: Callable[[], object]) -> None:
        self._fd = ForkSafeFd(open_)  # the descriptor itself
        self._closed = closed  # called after the close
        self._closing = False  # whether `close` was called
        self._gone = False  # whether a thread has started the actual close
        self._users = 0  # `with` blocks that are running
        # Re-entrant: a signal handler or a finalizer may close it while this thread holds it.
        self._lock = threading.RLock()
        watch(self)

    def __enter__(self) -> int:
        with self._lock:
            self._users += 1
            if not self._closing:
                return self._fd.number
        self.__exit__()
        raise ValueError("I/O operation on closed file")

    def __exit__(self, *exc: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users or not self._closing:
                return
        self._close()

    def close(self) -> None:
        """Close it now, or when its last user is done.  Idempotent."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
            if self._users:
                return
        self._close()

    def forked(self) -> None:
        """Close the copy that a child inherited, which would keep the space in use."""
        self._closing = self._gone = True
        self._closed = lambda: None  # the charges belong to the parent process
        self._lock = threading.RLock()
        self._fd.forked()

    def _close(self) -> None:
        with self._lock:
            if self._gone:
                return
            self._gone = True
        if background.on_event_loop() and self._is_large():
            background.run(self._close_file)
        else:
            self._close_file()

    def _close_file(self) -> None:
        try:
            self._fd.close()
        finally:
            self._closed()

    def _is_large(self) -> bool:
        try:
            return os.fstat(self._fd.number).st_size >= background.LARGE
        except OSError:  # other code has closed it
            return False
