"""The host budget: how many units of scratch all processes of this host hold together.

The processes share one empty file.  Unit i of the budget is byte i of that file, and a process
holds the unit while it holds a write lock on the byte.  The locks belong to the open file
description (fcntl(2), F_OFD_SETLK).  The kernel drops them when the process ends, even by SIGKILL,
so the dead hold nothing.  Nothing is ever written into the file.
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from errno import EINVAL, ENOSYS, EOPNOTSUPP
from random import randrange

from streamware.errors import ScratchError
from streamware.scratch.forks import ForkSafeFd
from streamware.settings import setting

if sys.platform == "linux":
    import fcntl

UNIT = 2**20
"""Bytes that a process takes from the host budget at a time: 1 MiB."""

_RACES = 1000  # locks lost to other processes before one search gives up
_WHOLE = 2**62  # beyond the end of any lock file, and still an off_t
_NO_LOCKS = (EINVAL, ENOSYS, EOPNOTSUPP)  # from kernels and file systems without these locks
_FLOCK = struct.Struct("hhqqi0q")  # l_type, l_whence, l_start, l_len, l_pid, alignment


class NoLocksError(ScratchError):
    """The lock file lies where there are no locks of open file descriptions."""


class HostBudget:
    """The units of the host that this process holds; for one thread at a time.

    Every method may raise `ScratchError`, except `shrink` and `close`.

    Args:
        total: Units that this process may use: the first bytes of the lock file.
        open_lock_file: Opens the lock file for reading and writing.
    """

    def __init__(self, total: int, open_lock_file: Callable[[], int]) -> None:
        self.total = total  # units that this process may use
        self.bytes = total * UNIT  # the same in bytes
        self.held = 0  # units that this process holds
        self._open_lock_file = open_lock_file  # called when there is none, or it was removed
        self._lock_file: ForkSafeFd | None = None  # opened by the first call that needs it
        self._runs: list[tuple[int, int]] = []  # the held units: first unit, end

    def grow(self, wanted: int) -> bool:
        """Hold at least `wanted` units, or change nothing and return False."""
        if wanted <= self.held:
            return True
        if wanted > self.total:
            return False
        lock_file = self._opened()
        before = self.held
        try:
            self._lock_free(lock_file, wanted)
        finally:
            if self.held < wanted:
                self.shrink(before)
        return self.held >= wanted

    def shrink(self, wanted: int) -> None:
        """Release all but `wanted` units; keep counting those that the kernel does not unlock."""
        while self.held > wanted and self._lock_file is not None:
            first, end = self._runs[-1]
            start = max(first, end - (self.held - wanted))
            if not _unlock(self._lock_file.number, start, end):
                return
            self.held -= end - start
            self._runs[-1:] = [(first, start)] if start > first else []

    def count(self) -> int:
        """Return how many units all processes hold."""
        lock_file, found, spans = self._opened(), 0, [(0, _WHOLE)]
        while spans:
            first, end = spans.pop()
            if (taken := _taken(lock_file, first, end)) is not None:
                found += taken[1] - taken[0]
                spans += _around(taken, first, end)
        return found

    def close(self, *, unlock: bool = True) -> None:
        """Release all units and close the file.

        Args:
            unlock: False in a forked child, whose copy of the file shares its parent's locks.
        """
        lock_file, self._lock_file = self._lock_file, None
        self._runs, self.held = [], 0
        if lock_file is None:
            return
        if unlock:  # a child between fork and exec may have a copy, which would keep the locks
            _unlock(lock_file.number, 0, _WHOLE)
        with suppress(OSError):
            lock_file.close()

    def _lock_free(self, lock_file: int, wanted: int) -> None:
        """Lock free units until `wanted` are held or none is left.

        The search starts at a random unit, so that processes seldom compete for the same one.
        """
        start = randrange(self.total)  # noqa: S311 - no secret
        spans, races = [(0, start), (start, self.total)] if start else [(0, self.total)], 0
        while spans and self.held < wanted and races < _RACES:
            first, end = spans.pop()
            stop = min(end, first + wanted - self.held)
            if (taken := _taken(lock_file, first, end)) is not None:
                spans += _around(taken, first, end)
            elif _lock(lock_file, first, stop):
                self._runs.append((first, stop))
                self.held += stop - first
            else:  # another process was quicker
                spans.append((first, end))
                races += 1

    def _opened(self) -> int:
        """Return the lock file that other processes find: a removed one binds only us."""
        if self._lock_file is not None and os.fstat(self._lock_file.number).st_nlink == 0:
            self.close()
        if self._lock_file is None:
            self._lock_file = ForkSafeFd(self._open_lock_file)
        return self._lock_file.number


def _around(taken: tuple[int, int], first: int, end: int) -> list[tuple[int, int]]:
    """Return what is left of a span on both sides of a run; the left side is last, so next."""
    return [span for span in ((taken[1], end), (first, taken[0])) if span[0] < span[1]]


def _taken(lock_file: int, first: int, end: int) -> tuple[int, int] | None:
    """Return one of the locked runs between `first` and `end`, this process's own included.

    The kernel merges neighbouring runs of one holder and reports runs in no order.
    """
    # F_GETLK asks as an owner of plain POSIX locks, with which our own locks conflict too.
    kind, start, length = _ask(lock_file, fcntl.F_GETLK, fcntl.F_WRLCK, first, end - first)
    if kind == fcntl.F_UNLCK:
        return None
    return max(first, start), min(end, start + length) if length else end


def _lock(lock_file: int, first: int, end: int) -> bool:
    try:
        _ask(lock_file, fcntl.F_OFD_SETLK, fcntl.F_WRLCK, first, end - first)
    except BlockingIOError:
        return False
    return True


def _unlock(lock_file: int, first: int, end: int) -> bool:
    """Unlock a span; return False if the kernel lacks the memory to cut a run in two."""
    try:
        _ask(lock_file, fcntl.F_OFD_SETLK, fcntl.F_UNLCK, first, end - first)
    except ScratchError:
        return False
    return True


def _ask(lock_file: int, command: int, kind: int, start: int, length: int) -> tuple[int, int, int]:
    question = _FLOCK.pack(kind, os.SEEK_SET, start, length, 0)
    try:
        kind, _, start, length, _ = _FLOCK.unpack(fcntl.fcntl(lock_file, command, question))
    except BlockingIOError:
        raise
    except OSError as error:
        kind_of_error = NoLocksError if error.errno in _NO_LOCKS else ScratchError
        raise kind_of_error(
            error.errno,
            f"the lock file of {setting('host_bytes')} cannot be locked ({error.strerror}): set"
            " another scratch_dir, or host_bytes to none",
        ) from error
    return kind, start, length
