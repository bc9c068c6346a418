"""What a forked child must not take with it.

A child inherits every descriptor, and with them space and locks that their owner gives back in
vain; it also inherits locks that a thread held which does not exist in it.  So what holds either
is told, in the child, before anything else runs there.
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

A finalizer may ask for it that runs on a thread which holds any other lock, one that `os.fork`
waits for too (those of `import` and `logging`), and a hung file system may hold it for ever.
"""


class Forkable(Protocol):
    """What holds descriptors, counts or locks."""

    def forked(self) -> None:
        """Close inherited descriptors, forget counts, make new locks; called in the child."""


_watched: WeakSet[Forkable] = WeakSet()
_opening = threading.RLock()  # again on the same thread: by finalizers and signal handlers
_forking = threading.local()


def watch(it: Forkable) -> None:
    """Tell `it` in a forked child, as long as something else keeps it alive."""
    _watched.add(it)


@contextmanager
def opening() -> Iterator[None]:
    """Nobody forks meanwhile: open a descriptor in here, and have it known to who is watched.

    It is taken before every other lock of scratch, and nothing in here waits for room.
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

    It is known by its file too: others may close it, and its number go to another.  So it may
    be closed first and forgotten then, in whatever moment another thread forks.

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
        """Whether it was closed by nobody."""
        return still(self.number, self.identity)

    def close(self) -> None:
        """Close it, if nobody has; not from two threads at once."""
        try:
            if self.is_open():
                os.close(self.number)
        finally:
            self.number = -1

    def forked(self) -> None:
        """Close the copy that a child inherited."""
        with suppress(OSError):  # it is closed all the same
            self.close()


def identity(status: os.stat_result) -> tuple[int, int]:
    """What tells one file from all others."""
    return status.st_dev, status.st_ino


def still(descriptor: int, known: tuple[int, int]) -> bool:
    """Whether a descriptor is what it was: others may close it, and its number go to another."""
    try:
        return descriptor >= 0 and identity(os.fstat(descriptor)) == known
    except OSError as error:
        return error.errno != errno.EBADF  # a stale file of NFS is ours, too


def _hold() -> None:
    lock = _opening
    _forking.held = lock if lock.acquire(timeout=_LONGEST) else None


def _release() -> None:
    held, _forking.held = _forking.held, None
    if held is not None:
        held.release()


def _tell() -> None:
    global _opening  # noqa: PLW0603 - the parent's may be held by a thread that is not here
    _opening = threading.RLock()
    errors = []
    for it in list(_watched):
        try:
            it.forked()
        except Exception as error:  # noqa: BLE001 - the others are told all the same
            errors.append(error)
    if errors:
        raise ExceptionGroup("a forked child still holds what its parent has", errors)


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork either
    os.register_at_fork(before=_hold, after_in_parent=_release, after_in_child=_tell)
