"""Budget: how many bytes of scratch this process, and this host, may hold.

The bytes of the process are a count.  Those of the host are locks; see `host_budget`.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections import deque
from collections.abc import Callable
from errno import EFBIG
from time import monotonic

from streamware.errors import Refused, ScratchError
from streamware.scratch.forks import watch
from streamware.scratch.host_budget import UNIT, HostBudget, NoLocksError
from streamware.settings import setting

RETRY_AFTER = 10.0
"""Seconds after which a client may ask again: about what the download of a spool takes."""

_SHORTEST, _LONGEST = 0.005, 0.1  # seconds between two checks for room

logger = logging.getLogger("streamware")


def affordable(bound: int | None, used: int, size: int, up_to: int) -> int:
    """Return how many bytes to take of `up_to`, where `size` of them are needed.

    The last sixteenth of a bound is never reserved ahead: others may need those bytes.
    """
    return up_to if bound is None else min(up_to, max(size, bound - bound // 16 - used))


class Budget:
    """Bytes of scratch that this process (and this host) may hold.

    A process that uses n bytes holds ceil(n / `UNIT`) units of the host, so that many small
    takes share one.  Each process looks at the first `host_bytes // UNIT` units only.  If the
    processes of a host have different bounds, each keeps to its own, and together they never
    hold more than the largest.

    Where the locks are missing (other systems, some network file systems), `host_bytes` bounds
    this process alone, and a warning in the log says so once.

    Only `take` blocks, up to its deadline.  All methods may be called from any thread, `release`
    from a finalizer too.

    Args:
        process_bytes: Bytes of this process; None is no bound.
        host_bytes: Bytes of all processes of the host; None is no bound.
        open_lock_file: Opens the file whose byte locks are the host budget.  Called by the first
            take, and again after `close`, after a fork, and when the file was removed.
    """

    def __init__(
        self,
        *,
        process_bytes: int | None,
        host_bytes: int | None,
        open_lock_file: Callable[[], int],
    ) -> None:
        # The bounds on this process, by the name of their setting.
        self._bounds = {} if process_bytes is None else {"process_bytes": process_bytes}
        self._host: HostBudget | None = None  # None where there is no bound, or no locks
        if host_bytes is not None and sys.platform == "linux":
            self._host = HostBudget(host_bytes // UNIT, open_lock_file)
        elif host_bytes is not None:
            self._bound_process(host_bytes // UNIT * UNIT, "this system has no F_OFD_SETLK")
        self._reset()
        watch(self)

    def _reset(self) -> None:
        self._used = 0  # bytes taken and not yet released
        self._lock = threading.Lock()  # guards all of this but `_released`
        self._room = threading.Condition(self._lock)  # notified when bytes were released
        # Sizes that were released and are still in `_used`.  The garbage collector may run a
        # finalizer on a thread that holds the lock, so `release` must not wait for it.
        self._released: deque[int] = deque()

    @property
    def used(self) -> int:
        """Bytes that this process holds."""
        self._try_apply_released()
        return self._used

    def affordable(self, size: int, up_to: int) -> int:
        """Return how many bytes to take of `up_to`, as the function `affordable` does."""
        try:
            with self._lock:
                self._apply_released()
                for bound in self._bounds.values():
                    up_to = affordable(bound, self._used, size, up_to)
                host = self._host
                if host is not None and _units(self._used + up_to) > host.held:
                    used = (host.count() - host.held) * UNIT + self._used
                    up_to = affordable(host.bytes, used, size, up_to)
        except ScratchError:  # `take` will raise it
            return size
        finally:
            self._try_apply_released()
        return up_to

    def take(
        self, size: int, *, deadline: float = 0.0, own: Callable[[], int] | None = None
    ) -> None:
        """Take `size` bytes, all or nothing; wait for them until `deadline`.

        There is no queue: of several waiting threads the first that fits takes the room.

        Args:
            size: Bytes.
            deadline: A time of `time.monotonic`; one that has passed (0) does not wait at all.
            own: Returns how many bytes the caller holds already.

        Raises:
            Refused: There is no room now.
            ScratchError: There never will be (EFBIG): `size` is larger than the budget, or the
                caller itself holds all that is in use.  Or the lock file cannot be opened or
                locked.
        """
        if size <= 0:
            return
        self._check_size(size)
        pause = _SHORTEST
        try:
            with self._room:
                while (short := self._try_take(size)) is not None:
                    if own is not None and self._is_alone(own(), short):
                        raise self._alone(size, short)
                    left = deadline - monotonic()
                    if left <= 0:
                        raise self._refused(size, short)
                    self._room.wait(min(left, pause))
                    pause = min(2 * pause, _LONGEST)
        finally:
            self._try_apply_released()

    def release(self, size: int) -> None:
        """Return `size` bytes to the budget; never blocks, never raises.

        A forked child must not release what its parent took.
        """
        if size > 0:
            self._released.append(size)
            self._try_apply_released()

    def host_units(self) -> int:
        """Return how many units all processes of the host hold; 0 without a bound.

        Raises:
            ScratchError: The lock file cannot be opened or read.
        """
        try:
            with self._lock:
                return 0 if self._host is None else self._host.count()
        finally:
            self._try_apply_released()

    def close(self) -> None:
        """Release the units of the host and close the lock file; the next take opens it again."""
        with self._lock:
            if self._host is not None:
                self._host.close()
        self._try_apply_released()

    def forked(self) -> None:
        """Hold nothing: what the parent took remains the parent's."""
        if self._host is not None:
            self._host.close(unlock=False)
        self._reset()

    def _check_size(self, size: int) -> None:
        """Raise for a size that is larger than the whole budget."""
        host = self._host
        bounds = self._bounds if host is None else {**self._bounds, "host_bytes": host.bytes}
        for name, bound in bounds.items():
            if size > bound:
                raise ScratchError(
                    EFBIG,
                    f"{size:,} bytes of scratch are more than all of {setting(name)}, {bound:,}:"
                    " raise it, or export less at once",
                )

    def _try_take(self, size: int) -> str | None:
        """Take `size` bytes, or return the setting that has no room; under the lock."""
        self._apply_released()
        used = self._used + size
        for name, bound in self._bounds.items():
            if used > bound:
                return name
        if self._host is not None:
            try:
                if not self._host.grow(_units(used)):
                    return "host_bytes"
            except NoLocksError as error:
                self._bound_process(self._host.bytes, str(error.strerror))
                self._host.close()
                self._host = None
                return self._try_take(size)
        self._used = used
        return None

    def _is_alone(self, own: int, short: str) -> bool:
        """Return whether no one but the caller holds bytes that could be released."""
        if own < self._used:
            return False
        host = self._host if short == "host_bytes" else None
        return host is None or host.count() <= host.held

    def _alone(self, size: int, short: str) -> ScratchError:
        bound = self._host.bytes if self._host and short == "host_bytes" else self._bounds[short]
        return ScratchError(
            EFBIG,
            f"no room for {size:,} bytes of scratch: this request holds {self._used:,} of"
            f" {bound:,} itself, and no other holds any, so waiting does not help; raise"
            f" {setting(short)}, or export less at once",
        )

    def _refused(self, size: int, short: str) -> Refused:
        if self._host is not None and short == "host_bytes":
            used, bound = self._host.count() * UNIT, self._host.bytes
            users = f"by all processes of the host, {self._used:,} by this one"
        else:
            used, bound, users = self._used, self._bounds[short], "by this process"
        return Refused(
            f"no room for {size:,} bytes of scratch: {used:,} of {bound:,} are in use {users};"
            f" try again later, or raise {setting(short)}",
            retry_after=RETRY_AFTER,
            limit=short,
        )

    def _bound_process(self, host_bytes: int, why: str) -> None:
        """Let `host_bytes` bound this process alone, where the host has no locks."""
        # A new dict: another thread may be iterating over the old one.
        self._bounds = {**self._bounds, "host_bytes": host_bytes}
        logger.warning("%s bounds each process alone: %s", setting("host_bytes"), why)

    def _try_apply_released(self) -> None:
        """Subtract what was released, unless the thread that holds the lock is about to."""
        while self._released and self._lock.acquire(blocking=False):
            try:
                self._apply_released()
            finally:
                self._lock.release()

    def _apply_released(self) -> None:
        """Subtract what was released and wake the threads that wait; under the lock."""
        if not self._released:
            return
        while self._released:
            self._used = max(0, self._used - self._released.popleft())
        if self._host is not None:
            self._host.shrink(_units(self._used))
        self._room.notify_all()


def _units(size: int) -> int:
    """Return how many units of the host hold `size` bytes."""
    return -(-size // UNIT)
