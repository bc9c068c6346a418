"""Budget: how many bytes of scratch this process, and this host, may hold.

The bytes of a process are a count.  Those of a host are kept in a file that all its processes
open: unit i of the budget is byte i of the file, and whoever holds a write lock on that byte has
the unit.  The locks are those of an open file description (fcntl(2), F_OFD_SETLK): the kernel
drops them when a process ends, by SIGKILL too, so that nothing is ever counted for the dead.
Nothing is written into the file.
"""

from __future__ import annotations

import logging
import os
import struct
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from errno import EFBIG, EINVAL, ENOSYS, EOPNOTSUPP
from random import randrange
from time import monotonic

from streamware.errors import Refused, ScratchError
from streamware.scratch.forks import ForkSafeFd, watch

if sys.platform == "linux":
    import fcntl

UNIT = 2**20
"""Bytes that a process takes from the host's budget at a time: 1 MiB."""

RETRY_AFTER = 10.0
"""Seconds after which it is worth asking again: about what the download of a spool takes."""

_SHORTEST, _LONGEST = 0.005, 0.1  # seconds between two looks whether there is room
_RACES = 1000  # locks that others took since we looked, before a look counts as in vain
_WHOLE = 2**62  # longer than any ledger, and still an off_t
_NO_LOCKS = (EINVAL, ENOSYS, EOPNOTSUPP)  # what a kernel or a file system without them says
_FLOCK = struct.Struct("hhqqi0q")  # l_type, l_whence, l_start, l_len, l_pid, alignment

_log = logging.getLogger("streamware")


def modest(bound: int | None, used: int, size: int, wished: int) -> int:
    """What may be had of a wish for more than `size` bytes.

    Nothing is reserved ahead of the last sixteenth: others may need what one only wishes.
    """
    return wished if bound is None else min(wished, max(size, bound - bound // 16 - used))


class Budget:
    """Bytes of scratch that this process (and this host) may hold.

    A process that uses n bytes holds ceil(n / `UNIT`) units of the host, so that many small
    takes share one.  Each process looks at the first `host_bytes // UNIT` units only: where the
    processes of a host were given different numbers, each keeps to its own, and together they
    never hold more than the largest of them.

    Where there are no such locks (other systems, some network file systems), `host_bytes` bounds
    this process alone, and a warning in the log says so once.

    No method but `take` blocks, and `take` only up to its deadline.  All of them may be called
    from any thread, `give` from a finalizer too.

    Args:
        process_bytes: Bytes of this process; None is no bound.
        host_bytes: Bytes of all processes on the host, rounded down to units; None is no bound.
        open_ledger: Opens the host's ledger, for reading and writing; called when the first unit
            is taken, and again after `close`, after a fork, and when the file was removed.
    """

    def __init__(
        self,
        *,
        process_bytes: int | None,
        host_bytes: int | None,
        open_ledger: Callable[[], int],
    ) -> None:
        self._bounds = {} if process_bytes is None else {"process_bytes": process_bytes}
        self._units: _Units | None = None
        if host_bytes is not None and sys.platform == "linux":
            self._units = _Units(host_bytes // UNIT, open_ledger)
        elif host_bytes is not None:
            self._without_locks(host_bytes // UNIT, "this system has no F_OFD_SETLK")
        self._begin()
        watch(self)

    def _begin(self) -> None:
        self._used = 0
        self._lock = threading.Lock()
        self._room = threading.Condition(self._lock)
        # What was given back and is not yet taken off: the garbage collector may run a finalizer
        # on a thread that holds the lock, so `give` never waits for it.
        self._given: deque[int] = deque()

    @property
    def used(self) -> int:
        """Bytes of this process."""
        self._settle()
        return self._used

    def modest(self, size: int, wished: int) -> int:
        """What may be had of a wish for more than `size` bytes, as `modest` has it."""
        try:
            with self._lock:
                self._take_off()
                for bound in self._bounds.values():
                    wished = modest(bound, self._used, size, wished)
                units = self._units
                if units is not None and -(-(self._used + wished) // UNIT) > units.held:
                    used = (units.count() - units.held) * UNIT + self._used
                    wished = modest(units.bytes, used, size, wished)
        except ScratchError:  # which is for `take` to tell
            return size
        finally:
            self._settle()
        return wished

    def take(
        self, size: int, *, deadline: float = 0.0, own: Callable[[], int] | None = None
    ) -> None:
        """Take `size` bytes, all or nothing; wait for them until `deadline`.

        Nobody queues: when several wait, room goes to whom it suffices first.

        Args:
            size: Bytes.
            deadline: A time of `time.monotonic`; one that has passed (0) does not wait at all.
            own: How many bytes who asks holds already.

        Raises:
            Refused: There is no room now.
            ScratchError: There never will be (EFBIG): `size` is more than all, or all that is in
                use is the asker's own.  Or the ledger cannot be opened or locked.
        """
        if size <= 0:
            return
        self._check(size)
        pause = _SHORTEST
        try:
            with self._room:
                while (short := self._short_of(size)) is not None:
                    if own is not None and self._is_alone(own(), short):
                        raise self._alone(size, short)
                    left = deadline - monotonic()
                    if left <= 0:
                        raise self._refused(size, short)
                    self._room.wait(min(left, pause))
                    pause = min(2 * pause, _LONGEST)
        finally:
            self._settle()

    def release(self, size: int) -> None:
        """Give `size` bytes back; never blocks, never raises.

        A forked child must not give back what its parent took.
        """
        if size > 0:
            self._given.append(size)
            self._settle()

    def host_units(self) -> int:
        """Units of the host that any process holds, whatever its own bound; 0 without a bound.

        Raises:
            ScratchError: The ledger cannot be opened or read.
        """
        try:
            with self._lock:
                return 0 if self._units is None else self._units.count()
        finally:
            self._settle()

    def close(self) -> None:
        """Give back the units of the host and close the ledger; the next take opens it again."""
        with self._lock:
            if self._units is not None:
                self._units.close()
        self._settle()

    def forked(self) -> None:
        """Hold nothing: what the parent took stays the parent's."""
        if self._units is not None:
            self._units.close(unlock=False)
        self._begin()

    def _check(self, size: int) -> None:
        """Refuse for good what is larger than the whole budget."""
        units = self._units
        bounds = self._bounds if units is None else {**self._bounds, "host_bytes": units.bytes}
        for name, bound in bounds.items():
            if size > bound:
                text = f"{size:,} bytes of scratch are more than all of {_setting(name)}, {bound:,}"
                raise ScratchError(EFBIG, f"{text}: raise it, or export less at once")

    def _short_of(self, size: int) -> str | None:
        """Take `size` bytes, or name the setting that has no room for them; under the lock."""
        self._take_off()
        used = self._used + size
        for name, bound in self._bounds.items():
            if used > bound:
                return name
        if self._units is not None:
            try:
                if not self._units.hold(-(-used // UNIT)):
                    return "host_bytes"
            except _NoLocksError as error:
                self._without_locks(self._units.total, str(error.strerror))
                self._units.close()
                self._units = None
                return self._short_of(size)
        self._used = used
        return None

    def _is_alone(self, own: int, short: str) -> bool:
        """Whether nobody else holds anything that could be given back; under the lock."""
        if own < self._used:
            return False
        units = self._units if short == "host_bytes" else None
        return units is None or units.count() <= units.held

    def _alone(self, size: int, short: str) -> ScratchError:
        bound = self._units.bytes if self._units and short == "host_bytes" else self._bounds[short]
        return ScratchError(
            EFBIG,
            f"no room for {size:,} bytes of scratch: the request that asks holds {self._used:,} of"
            f" {bound:,} itself, and nobody else holds any; the bound is {_setting(short)}: raise"
            " it, or export less at once",
        )

    def _refused(self, size: int, short: str) -> Refused:
        if self._units is not None and short == "host_bytes":
            used, bound = self._units.count() * UNIT, self._units.bytes
            whose = f"by all processes of the host, {self._used:,} by this one"
        else:
            used, bound, whose = self._used, self._bounds[short], "by this process"
        text = f"no room for {size:,} bytes of scratch: {used:,} of {bound:,} are in use {whose}"
        text = f"{text}; the bound is {_setting(short)}"
        return Refused(text, retry_after=RETRY_AFTER, limit=short)

    def _without_locks(self, units: int, why: str) -> None:
        # A new one, for another thread may be going through the old one.
        self._bounds = {**self._bounds, "host_bytes": units * UNIT}
        _log.warning("%s bounds each process alone: %s", _setting("host_bytes"), why)

    def _settle(self) -> None:
        """Take off what was given back, unless whoever holds the lock is about to."""
        while self._given and self._lock.acquire(blocking=False):
            try:
                self._take_off()
            finally:
                self._lock.release()

    def _take_off(self) -> None:
        if not self._given:
            return
        while self._given:
            self._used = max(0, self._used - self._given.popleft())
        if self._units is not None:
            self._units.keep(-(-self._used // UNIT))
        self._room.notify_all()


class _NoLocksError(ScratchError):
    """The ledger lies where there are no locks of open file descriptions."""


class _Units:
    """The units of the host that this process holds; for one thread at a time.

    Every method may raise `ScratchError`, but `keep` and `close`.
    """

    def __init__(self, total: int, open_ledger: Callable[[], int]) -> None:
        self.total = total
        self.bytes = total * UNIT
        self._open_ledger = open_ledger
        self._ledger: ForkSafeFd | None = None
        self._runs: list[tuple[int, int]] = []  # first unit, end
        self.held = 0

    def hold(self, wanted: int) -> bool:
        """Hold at least `wanted` units, or leave it as it is and say so."""
        if wanted <= self.held:
            return True
        if wanted > self.total:
            return False
        ledger = self._opened()
        before = self.held
        try:
            self._lock_free(ledger, wanted)
        finally:
            if self.held < wanted:
                self.keep(before)
        return self.held >= wanted

    def keep(self, wanted: int) -> None:
        """Let all but `wanted` units go; those that the kernel does not let go stay ours."""
        while self.held > wanted and self._ledger is not None:
            first, end = self._runs[-1]
            start = max(first, end - (self.held - wanted))
            if not _unlock(self._ledger.number, start, end):
                return
            self.held -= end - start
            self._runs[-1:] = [(first, start)] if start > first else []

    def count(self) -> int:
        """Units that anyone holds."""
        ledger, found, spans = self._opened(), 0, [(0, _WHOLE)]
        while spans:
            first, end = spans.pop()
            if (taken := _taken(ledger, first, end)) is not None:
                found += taken[1] - taken[0]
                spans += _around(taken, first, end)
        return found

    def close(self, *, unlock: bool = True) -> None:
        """Hold nothing any more; without `unlock` the locks stay with other copies of the file."""
        ledger, self._ledger = self._ledger, None
        self._runs, self.held = [], 0
        if ledger is None:
            return
        if unlock:  # a child between fork and exec may have a copy, which would hold on to them
            _unlock(ledger.number, 0, _WHOLE)
        with suppress(OSError):
            ledger.close()

    def _lock_free(self, ledger: int, wanted: int) -> None:
        """Lock free units until we hold `wanted`, or there are no more.

        Begins anywhere, so that processes seldom want the same units.
        """
        begin = randrange(self.total)  # noqa: S311 - no secret
        spans, races = [(0, begin), (begin, self.total)] if begin else [(0, self.total)], 0
        while spans and self.held < wanted and races < _RACES:
            first, end = spans.pop()
            stop = min(end, first + wanted - self.held)
            if (taken := _taken(ledger, first, end)) is not None:
                spans += _around(taken, first, end)
            elif _lock(ledger, first, stop):
                self._runs.append((first, stop))
                self.held += stop - first
            else:  # another process was quicker
                spans.append((first, end))
                races += 1

    def _opened(self) -> int:
        """The ledger that other processes find; ours, if it was removed, binds nobody."""
        if self._ledger is not None and os.fstat(self._ledger.number).st_nlink == 0:
            self.close()
        if self._ledger is None:
            self._ledger = ForkSafeFd(self._open_ledger)
        return self._ledger.number


def _around(taken: tuple[int, int], first: int, end: int) -> list[tuple[int, int]]:
    """What is left of a span on both sides of a run in it; the left side, last, is next."""
    return [span for span in ((taken[1], end), (first, taken[0])) if span[0] < span[1]]


def _taken(ledger: int, first: int, end: int) -> tuple[int, int] | None:
    """One of the runs between `first` and `end` that anyone holds, we too.

    The kernel merges neighbouring runs of one holder, and names runs in no order.
    """
    # Asked as an owner of plain POSIX locks, to whom our own units are somebody else's.
    kind, start, length = _ask(ledger, fcntl.F_GETLK, fcntl.F_WRLCK, first, end - first)
    if kind == fcntl.F_UNLCK:
        return None
    return max(first, start), min(end, start + length) if length else end


def _lock(ledger: int, first: int, end: int) -> bool:
    try:
        _ask(ledger, fcntl.F_OFD_SETLK, fcntl.F_WRLCK, first, end - first)
    except BlockingIOError:
        return False
    return True


def _unlock(ledger: int, first: int, end: int) -> bool:
    """Whether the kernel let go; it may lack the memory to cut a run in two."""
    try:
        _ask(ledger, fcntl.F_OFD_SETLK, fcntl.F_UNLCK, first, end - first)
    except ScratchError:
        return False
    return True


def _ask(ledger: int, command: int, kind: int, start: int, length: int) -> tuple[int, int, int]:
    question = _FLOCK.pack(kind, os.SEEK_SET, start, length, 0)
    try:
        kind, _, start, length, _ = _FLOCK.unpack(fcntl.fcntl(ledger, command, question))
    except BlockingIOError:
        raise
    except OSError as error:
        name, why = _setting("host_bytes"), error.strerror
        kind_of_error = _NoLocksError if error.errno in _NO_LOCKS else ScratchError
        raise kind_of_error(error.errno, f"the ledger of {name} cannot be locked: {why}") from error
    return kind, start, length


def _setting(name: str) -> str:
    return f"Settings.{name} (STREAMWARE_{name.upper()})"
