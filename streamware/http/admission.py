"""Admission: how many exports run at once in this process.

Threads and tasks, of any number of event loops, wait in one queue.  A slot that becomes free is
given at once to the first of them, so that no later arrival can take it.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict, deque

from streamware.errors import Refused
from streamware.scratch.forks import watch
from streamware.settings import Settings

RETRY_AFTER = 10.0
"""Seconds after which asking again is worthwhile: about the time that an export takes."""


class Admission:
    """Slots for running exports, given in order of arrival.

    Each `enter` needs exactly one `leave`, from any thread or from a finalizer.  In a child made
    by fork all slots are free, and it must not leave for what its parent entered.

    Args:
        max_concurrent: The number of slots; None means no bound, and nothing is counted.
        wait_seconds: Seconds to wait for a slot before `Refused` is raised; 0 means not to wait.
    """

    def __init__(self, max_concurrent: int | None, wait_seconds: float) -> None:
        self._bounded = max_concurrent is not None  # else all of this is skipped
        self._slots = max_concurrent or 0  # how many exports may run at once
        self._seconds = wait_seconds  # how long to wait for a slot
        self.forked()
        watch(self)

    def forked(self) -> None:
        """Start with no slot taken and no waiter; those before a fork belong to the parent."""
        self._active = 0  # slots that are taken
        self._lock = threading.Lock()  # for `_active`, `_waiting` and the waiters
        self._waiting: OrderedDict[_Thread | _Task, None] = OrderedDict()  # in order of arrival
        # Released but not yet processed: a waiter, or None for a slot.  The garbage collector may
        # run a finalizer on the thread that holds the lock, so `leave` must never wait for it.
        self._released: deque[_Thread | _Task | None] = deque()

    @property
    def active(self) -> int:
        """Exports that are running; 0 without a bound."""
        self._process_released()
        return self._active

    def enter(self) -> None:
        """Take a slot; block for up to `wait_seconds`, so never on the thread of an event loop.

        Raises:
            Refused: No slot became free in time.
        """
        if not self._bounded or self._claim(None):
            return
        waiter = _Thread()
        try:
            if self._claim(waiter):
                return
            waiter.wait(self._seconds)
        except BaseException:  # a signal handler raised
            self._release(waiter)
            raise
        self._confirm(waiter)

    async def aenter(self) -> None:
        """Take a slot as `enter` does; a cancelled task neither keeps nor loses one.

        Raises:
            Refused: No slot became free in time.
        """
        if not self._bounded or self._claim(None):
            return
        waiter = _Task()
        try:
            if self._claim(waiter):
                return
            await waiter.wait(self._seconds)
        except BaseException:  # cancelled, or its loop has ended
            self._release(waiter)
            raise
        self._confirm(waiter)

    def leave(self) -> None:
        """Give a slot back, for the first in the queue.  Never blocks, never raises."""
        if self._bounded:
            self._release(None)

    def _claim(self, waiter: _Thread | _Task | None) -> bool:
        """Take a free slot, or put `waiter` into the queue; return whether one was free.

        Raises:
            Refused: None is free, and `wait_seconds` is 0.
        """
        try:
            with self._lock:
                self._process_locked()
                if self._active < self._slots:  # then the queue is empty
                    self._active += 1
                    if waiter is not None:
                        waiter.admitted = True
                    return True
                if waiter is not None:
                    self._waiting[waiter] = None
                elif self._seconds <= 0:
                    raise self._refused()
                return False
        finally:
            self._process_released()

    def _confirm(self, waiter: _Thread | _Task) -> None:
        """Keep the slot of a waiter, even if granted after the timeout; else leave the queue.

        Raises:
            Refused: It was given none.
        """
        try:
            with self._lock:
                if not waiter.admitted:
                    self._waiting.pop(waiter, None)
                    raise self._refused()
        finally:
            self._process_released()

    def _refused(self) -> Refused:
        text = f"{self._slots} exports are running, as many as Settings.max_concurrent"
        text += f" (STREAMWARE_MAX_CONCURRENT) allows; none ended in {self._seconds:g} seconds"
        return Refused(text, retry_after=RETRY_AFTER, limit="max_concurrent")

    def _release(self, waiter: _Thread | _Task | None) -> None:
        """Give back a slot (None), or what a waiter has: its slot, or its turn in the queue."""
        self._released.append(waiter)
        self._process_released()

    def _process_released(self) -> None:
        """Process what was released, unless the thread that holds the lock is about to."""
        while self._released and self._lock.acquire(blocking=False):
            try:
                self._process_locked()
            finally:
                self._lock.release()

    def _process_locked(self) -> None:
        while self._released:
            waiter = self._released.popleft()
            if waiter is None or waiter.admitted:
                self._grant_next()
            else:
                self._waiting.pop(waiter, None)

    def _grant_next(self) -> None:
        """Give a freed slot to the first waiter that can take it, or count it as free."""
        while self._waiting:
            waiter, _ = self._waiting.popitem(last=False)
            if waiter.wake():
                waiter.admitted = True
                return
        self._active = max(0, self._active - 1)


class _Waiter:
    """A thread or a task in the queue.

    Attributes:
        admitted: Whether it was given a slot; read and written under the lock only.
    """

    __slots__ = ("admitted",)

    def __init__(self) -> None:
        self.admitted = False


class _Thread(_Waiter):
    __slots__ = ("_signal",)

    def __init__(self) -> None:
        super().__init__()
        # Not an Event: a finalizer may run inside its methods, while its own lock is held.
        self._signal = threading.Lock()
        self._signal.acquire()

    def wait(self, seconds: float) -> None:
        self._signal.acquire(timeout=min(seconds, threading.TIMEOUT_MAX))

    def wake(self) -> bool:
        """End the wait; return True, as the thread is blocked or about to be."""
        self._signal.release()
        return True


class _Task(_Waiter):
    __slots__ = ("_future",)

    def __init__(self) -> None:
        super().__init__()
        self._future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def wait(self, seconds: float) -> None:
        timer = self._future.get_loop().call_later(seconds, self._end)
        try:
            await self._future
        finally:
            timer.cancel()

    def wake(self) -> bool:
        """End the wait; return False if the task has gone with its event loop."""
        try:
            self._future.get_loop().call_soon_threadsafe(self._end)
        except RuntimeError:  # the loop has ended
            return False
        return True

    def _end(self) -> None:
        if not self._future.done():
            self._future.set_result(None)


_admissions: dict[tuple[int | None, float], Admission] = {}


def admission(settings: Settings) -> Admission:
    """Return the `Admission` that all exports of this process with these bounds share."""
    key = (settings.max_concurrent, settings.wait_seconds)
    # setdefault is atomic: two threads that arrive at once get the same one.
    return _admissions.get(key) or _admissions.setdefault(key, Admission(*key))
