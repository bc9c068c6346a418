"""Forks: a child must not keep the descriptors and locks of its parent.

A child inherits every descriptor.  While it has a copy, the kernel keeps the space and the file
locks that the parent releases.  It also inherits thread locks whose holder does not exist in it.
So objects that have either are registered by `watch`, and their `forked` runs in the child before
anything else does.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Protocol
from weakref import WeakSet

_LONGEST = 1.0
"""Seconds to wait for `opening`: a child that keeps a descriptor is better than a deadlock.

A finalizer may ask for it on a thread that holds a lock for which `os.fork` waits too (those of
`import` and `logging`), and a file system that hangs may hold it for ever.
"""


class Forkable(Protocol):
    """An object with descriptors, counts or locks."""

    def forked(self) -> None:
        """Close inherited descriptors, reset counts, make new locks; called in the child."""


_watched: WeakSet[Forkable] = WeakSet()
_opening = threading.RLock()  # re-entrant for finalizers and signal handlers
_forking = threading.local()


def watch(it: Forkable) -> None:
    """Call `it.forked()` in every forked child, as long as something else keeps `it` alive."""
    _watched.add(it)


@contextmanager
def opening() -> Iterator[None]:
    """Hold off forks: open a descriptor in here, and register the object that closes it.

    Code in here must not wait for room.  For the lock order, see `streamware.scratch`.
    """
    lock = _opening
    held = lock.acquire(timeout=_LONGEST)
    try:
        yield
    finally:
        if held:
            lock.release()


class ForkSafeFd:
    """A descriptor that no forked child keeps.

    It remembers its file, because other code may close the descriptor and its number may be given
    to another file.  So closing it is safe at any moment, even while another thread forks.

    Args:
        open_: Opens it.
    """

    def __init__(self, open_: Callable[[], int]) -> None:
        with opening():
            self.number = open_()
            try:
                self.identity = identity(os.fstat(self.number))
                watch(self)
            except BaseException:
                os.close(self.number)
                raise

    def is_open(self) -> bool:
        """Return whether the number still belongs to the file that was opened."""
        return still(self.number, self.identity)

    def close(self) -> None:
        """Close it, unless other code has; not from two threads at once."""
        try:
            if self.is_open():
                os.close(self.number)
        finally:
            self.number = -1

    def forked(self) -> None:
        """Close the copy that a child inherited."""
        with suppress(OSError):  # it is closed anyway
            self.close()


def identity(status: os.stat_result) -> tuple[int, int]:
    """Return what identifies a file among all others."""
    return status.st_dev, status.st_ino


def still(descriptor: int, known: tuple[int, int]) -> bool:
    """Return whether a descriptor still belongs to the file `known`, not closed or reused."""
    try:
        return descriptor >= 0 and identity(os.fstat(descriptor)) == known
    except OSError as error:
        return error.errno != errno.EBADF  # a stale file of NFS is still that file


def _hold() -> None:
    lock = _opening
    _forking.held = lock if lock.acquire(timeout=_LONGEST) else None


def _release() -> None:
    held, _forking.held = _forking.held, None
    if held is not None:
        held.release()


def _notify_watched() -> None:
    global _opening  # noqa: PLW0603 - a thread that is not in the child may hold the old one
    _opening = threading.RLock()
    errors = []
    for it in list(_watched):
        try:
            it.forked()
        except Exception as error:  # noqa: BLE001 - the others are called anyway
            errors.append(error)
    if errors:
        raise ExceptionGroup("a forked child could not release what it inherited", errors)


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork either
    os.register_at_fork(before=_hold, after_in_parent=_release, after_in_child=_notify_watched)
