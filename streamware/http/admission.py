"""Admission: how many exports are under way at once in this process.

Threads and tasks of any number of event loops wait in one queue.  A place that becomes free goes
to the first of them at once, so that nobody who comes later can take it.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict, deque

from streamware.errors import Refused
from streamware.scratch.forks import watch
from streamware.settings import Settings

RETRY_AFTER = 10.0
"""Seconds after which it is worth asking again: about what an export takes."""


class Admission:
    """Places for exports, handed out first come, first served.

    Whoever enters leaves exactly once, from any thread, or from a finalizer.  A child made by
    fork begins with all places free; it must not leave what its parent entered.

    Args:
        max_concurrent: Places; None is no bound, and nothing is counted.
        wait_seconds: How long to wait for one, before `Refused`; 0 is not at all.
    """

    def __init__(self, max_concurrent: int | None, wait_seconds: float) -> None:
        self._bounded = max_concurrent is not None
        self._places = max_concurrent or 0
        self._seconds = wait_seconds
        self._begin()
        watch(self)

    def _begin(self) -> None:
        self._active = 0
        self._lock = threading.Lock()
        self._waiting: OrderedDict[_Thread | _Task, None] = OrderedDict()
        # Places and waiters given up and not yet taken off: the garbage collector may run a
        # finalizer on a thread that holds the lock, so `leave` never waits for it.
        self._left: deque[_Thread | _Task | None] = deque()

    @property
    def active(self) -> int:
        """Exports under way; 0 where there is no bound."""
        self._settle()
        return self._active

    def enter(self) -> None:
        """Take a place; blocks up to `wait_seconds`, so never call it beside an event loop.

        Raises:
            Refused: None became free.
        """
        if not self._bounded or self._claim(None):
            return
        waiter = _Thread()
        try:
            if self._claim(waiter):
                return
            waiter.wait(self._seconds)
        except BaseException:  # a signal's handler raised
            self._give_up(waiter)
            raise
        self._conclude(waiter)

    async def aenter(self) -> None:
        """Take a place as `enter` does; a cancelled task neither keeps nor loses one.

        Raises:
            Refused: None became free.
        """
        if not self._bounded or self._claim(None):
            return
        waiter = _Task()
        try:
            if self._claim(waiter):
                return
            await waiter.wait(self._seconds)
        except BaseException:  # cancelled, or its loop has ended
            self._give_up(waiter)
            raise
        self._conclude(waiter)

    def leave(self) -> None:
        """Give a place back, to the first who waits; never blocks, never raises."""
        if self._bounded:
            self._give_up(None)

    def forked(self) -> None:
        """Forget who is in and who waits: they are in the parent."""
        self._begin()

    def _claim(self, waiter: _Thread | _Task | None) -> bool:
        """Take a free place, or have `waiter` wait for one.

        Raises:
            Refused: There is none, and nobody is to wait.
        """
        try:
            with self._lock:
                self._take_off()
                if self._active < self._places:  # then nobody waits
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
            self._settle()

    def _conclude(self, waiter: _Thread | _Task) -> None:
        """Keep the place that `waiter` was handed, be it after its time, or stop waiting."""
        try:
            with self._lock:
                if not waiter.admitted:
                    self._waiting.pop(waiter, None)
                    raise self._refused()
        finally:
            self._settle()

    def _refused(self) -> Refused:
        text = f"{self._places} exports are under way, as many as Settings.max_concurrent"
        text += f" (STREAMWARE_MAX_CONCURRENT) allows; none ended in {self._seconds:g} seconds"
        return Refused(text, retry_after=RETRY_AFTER, limit="max_concurrent")

    def _give_up(self, waiter: _Thread | _Task | None) -> None:
        self._left.append(waiter)
        self._settle()

    def _settle(self) -> None:
        """Take off what was given up, unless whoever holds the lock is about to."""
        while self._left and self._lock.acquire(blocking=False):
            try:
                self._take_off()
            finally:
                self._lock.release()

    def _take_off(self) -> None:
        while self._left:
            waiter = self._left.popleft()
            if waiter is None or waiter.admitted:
                self._hand_over()
            else:
                self._waiting.pop(waiter, None)

    def _hand_over(self) -> None:
        while self._waiting:
            waiter, _ = self._waiting.popitem(last=False)
            if waiter.wake():
                waiter.admitted = True
                return
        self._active = max(0, self._active - 1)


class _Waiter:
    """Somebody in the queue.

    Attributes:
        admitted: Whether a place was handed over; looked at and changed under the lock only.
    """

    __slots__ = ("admitted",)

    def __init__(self) -> None:
        self.admitted = False


class _Thread(_Waiter):
    __slots__ = ("_signal",)

    def __init__(self) -> None:
        super().__init__()
        # No Event: its lock is not for finalizers, which may run in the middle of its methods.
        self._signal = threading.Lock()
        self._signal.acquire()

    def wait(self, seconds: float) -> None:
        self._signal.acquire(timeout=min(seconds, threading.TIMEOUT_MAX))

    def wake(self) -> bool:
        """End the wait: whoever waits is there, blocked or about to be."""
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
        """End the wait; False where there is nobody left to wake."""
        try:
            self._future.get_loop().call_soon_threadsafe(self._end)
        except RuntimeError:  # the loop has ended, and nobody waits any more
            return False
        return True

    def _end(self) -> None:
        if not self._future.done():
            self._future.set_result(None)


_admissions: dict[tuple[int | None, float], Admission] = {}


def admission(settings: Settings) -> Admission:
    """What all exports of this process under the same bounds pass."""
    key = (settings.max_concurrent, settings.wait_seconds)
    # One step, so that two threads that come first get the same.
    return _admissions.get(key) or _admissions.setdefault(key, Admission(*key))
