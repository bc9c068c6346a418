"""RequestQuota: what one request holds on disk, against everything that limits it."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from errno import EFBIG
from time import monotonic, sleep
from typing import Protocol

from streamware.errors import Refused, ScratchError, StateError
from streamware.limits import Limits
from streamware.scratch.budget import RETRY_AFTER, modest
from streamware.scratch.pool import ScratchPool
from streamware.scratch.ring import Ring
from streamware.scratch.spool import Room, Spool
from streamware.settings import Settings

_PAUSE = 0.05  # seconds between two looks at what is free
_IN_MEMORY = 16  # spools of one request


class RequestQuota:
    """The bytes and files of one request.  It is the `Room` of the request's spools.

    Nothing is charged in a forked child, to which none of it belongs.

    It asks, in this order: the bounds of the request, the file system (free bytes and inodes),
    the budgets of the process and of the host.  For the last three it waits, up to
    `Settings.wait_seconds`, but never on the thread of an event loop.

    Attributes:
        bytes: Charged now.
        files: On disk now.
        peak: The most that `bytes` has been.
        spools: Those that are open, in memory too.
    """

    __slots__ = (
        "_held",
        "_lock",
        "_named",
        "_pid",
        "_pool",
        "bytes",
        "files",
        "path",
        "peak",
        "spools",
    )

    def __init__(self, scratch_pool: ScratchPool) -> None:
        self._pool = scratch_pool
        # Re-entrant: a signal handler may close a spool while this thread is in here.
        self._lock = threading.RLock()
        self._pid = os.getpid()
        self._named = 0  # files that are no spools
        self._held = 0  # bytes that were granted, of those that are charged
        self.path = scratch_pool.directory.path
        self.bytes = 0
        self.files = 0
        self.peak = 0
        self.spools: set[Spool] = set()

    def spool(self, *, patient: bool = True, within: Callable[[Room], Room] | None = None) -> Spool:
        """A new spool, in memory so far; the 17th that is open begins on disk.

        Args:
            patient: Whether it waits for room.
            within: Puts a bound of its own before the account.

        Raises:
            ScratchError: There are as many files and spools as may be.
        """
        room: Room = self if patient else _Impatient(self)
        room = room if within is None else within(room)
        with self._lock:
            self._check_files()
            memory = self._pool.settings.spool_memory if len(self.spools) < _IN_MEMORY else 0
            spool = Spool(room, memory=memory)
            self.spools.add(spool)
        return spool

    def forget(self, spool: Spool) -> None:
        """Take note that it was closed."""
        self.spools.discard(spool)

    def name(self) -> None:
        """Allow one more file that is no spool.  Raises `ScratchError`, `Refused`."""
        self._check_process()
        with self._lock:
            self._check_files()
            self._named += 1
        try:
            self.opened()
        except BaseException:
            with self._lock:
                self._named -= 1
            raise

    def unname(self) -> None:
        """One that was named is gone."""
        with self._lock:
            self._named -= 1
        self.closed()

    def opened(self, *, patient: bool = True) -> None:
        """Allow one more file on disk.  Raises `ScratchError`, `Refused`."""
        self._check_process()
        with self._lock:
            self.files += 1
        self._pool.count(1)
        try:
            self._pool.directory.verify()
            self._wait_for_room(0, self._deadline(patient=patient))
        except BaseException:
            self.closed()
            raise

    def make(self) -> int:
        """The descriptor of a new file without a name.  Raises `ScratchError`."""
        return self._pool.directory.open_unnamed()

    def closed(self) -> None:
        """A file that was allowed is gone, or was not made."""
        with self._lock:
            self.files -= 1
        self._pool.count(-1)

    def take(self, size: int, *, wished: int, patient: bool = True) -> int:
        """Allow `size` to `wished` more bytes; how many.  Raises `ScratchError`, `Refused`."""
        self._check_process()
        if wished > size:
            wished = self._pool.budget.modest(size, wished)
        charged, granted = self._charge(size, wished), 0
        try:
            if charged > size and self._is_free(charged):
                granted = charged
            else:  # no more than is needed is worth a wait, or in the way of others
                self._uncharge(charged - size)
                charged = size
                self._wait_for(size, patient=patient)
                granted = size
        finally:
            self._uncharge(charged - granted)
        with self._lock:
            self._held += granted
            self.peak = max(self.peak, self.bytes)
        return granted

    def give(self, size: int) -> None:
        """Take note that so many bytes are held no longer."""
        with self._lock:
            self._held -= size
            self.bytes -= size
        self._pool.budget.release(size)

    def _check_process(self) -> None:
        """Before any lock: a thread may have held it that the child does not have."""
        if self._pid != os.getpid():
            raise StateError("this scratch belongs to the process that this one was forked from")

    def _check_files(self) -> None:
        """Refuse one more file or spool; under the lock."""
        limit = self._pool.settings.request_files
        if limit is not None and len(self.spools) + self._named >= limit:
            raise ScratchError(
                EFBIG,
                f"a request may hold {limit:,} scratch files (Settings.request_files), open spools"
                " in memory too, and asked for one more",
            )

    def _charge(self, size: int, wished: int) -> int:
        limit = self._pool.settings.request_bytes
        with self._lock:
            if limit is not None and size > limit - self.bytes:
                raise ScratchError(
                    EFBIG,
                    f"a request may hold {limit:,} bytes of scratch (Settings.request_bytes), holds"
                    f" {self.bytes:,} and asked for {size:,} more",
                )
            charged = modest(limit, self.bytes, size, wished)
            self.bytes += charged
        return charged

    def _uncharge(self, size: int) -> None:
        with self._lock:
            self.bytes -= size

    def _is_free(self, size: int) -> bool:
        """Take it if that needs no wait."""
        if self._pool.directory.check_room(size) is None:
            with suppress(Refused, ScratchError):
                self._pool.budget.take(size)
                return True
        return False

    def _wait_for(self, size: int, *, patient: bool) -> None:
        deadline = self._deadline(patient=patient)
        self._wait_for_room(size, deadline)
        self._pool.budget.take(size, deadline=deadline, own=lambda: self._held)

    def _wait_for_room(self, size: int, deadline: float) -> None:
        while problem := self._pool.directory.check_room(size):
            if monotonic() >= deadline:
                raise Refused(problem, retry_after=RETRY_AFTER, limit="keep_free_bytes")
            sleep(_PAUSE)

    def _deadline(self, *, patient: bool) -> float:
        """Until when this thread may wait: a loop's has other work."""
        if not patient:
            return 0.0
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return monotonic() + self._pool.settings.wait_seconds
        return 0.0


class _Impatient:
    """The room of an account, for who would rather do without than wait."""

    __slots__ = ("_account", "path")

    def __init__(self, account: RequestQuota) -> None:
        self._account = account
        self.path = account.path

    def opened(self) -> None:
        self._account.opened(patient=False)

    def make(self) -> int:
        return self._account.make()

    def closed(self) -> None:
        self._account.closed()

    def take(self, size: int, *, wished: int) -> int:
        return self._account.take(size, wished=wished, patient=False)

    def give(self, size: int) -> None:
        self._account.give(size)

    def forget(self, spool: Spool) -> None:
        self._account.forget(spool)


class Opener(Protocol):
    """Opens a spool of a ledger."""

    def __call__(self, *, patient: bool, within: Callable[[Room], Room]) -> Spool:
        """As `RequestQuota.spool`."""


class ExportQuota:
    """Spools and a ring of one export; together they hold on disk what its `Limits` allow.

    `Scratch.share()` makes it, and the ledger closes what it has opened.

    Attributes:
        settings: Those of the ledger.
        bytes: Held on disk now, with what is reserved ahead.
        peak: The most that was.
    """

    __slots__ = ("_limits", "_lock", "_open", "bytes", "peak", "settings")

    def __init__(self, settings: Settings, limits: Limits, open_spool: Opener) -> None:
        self.settings = settings
        self.bytes = 0
        self.peak = 0
        self._limits = limits
        self._open = open_spool
        # Re-entrant: a finalizer that gives back may run while this thread is in here.
        self._lock = threading.RLock()

    def spool(self) -> Spool:
        """As `Scratch.spool`; past the bound its writes raise `LimitError`."""
        return self._open(patient=True, within=self._within)

    def ring(self) -> Ring:
        """As `Scratch.ring`; at the bound its giver waits."""
        return Ring(
            lambda: self._open(patient=False, within=self._within),
            memory=self.settings.spool_memory,
        )

    def other(self, limits: Limits) -> ExportQuota:
        """What another export has of the same ledger."""
        return ExportQuota(self.settings, limits, self._open)

    def charge(self, size: int, wished: int) -> int:
        """Count `size` to `wished` more bytes; how many.  Raises `LimitError`."""
        bound = self._limits.scratch_bytes
        with self._lock:
            self._limits.check("scratch_bytes", self.bytes + size)
            charged = modest(bound, self.bytes, size, wished)
            self.bytes += charged
        return charged

    def granted(self) -> None:
        """Take note of what is held, now that there was room for it."""
        with self._lock:
            self.peak = max(self.peak, self.bytes)

    def uncharge(self, size: int) -> None:
        """Take note that so many bytes are held no longer."""
        with self._lock:
            self.bytes -= size

    def _within(self, room: Room) -> Room:
        return _Bounded(self, room)


class _Bounded:
    """A room that asks the share first."""

    __slots__ = ("_room", "_share", "path")

    def __init__(self, share: ExportQuota, room: Room) -> None:
        self._share = share
        self._room = room
        self.path = room.path

    def opened(self) -> None:
        self._room.opened()

    def make(self) -> int:
        return self._room.make()

    def closed(self) -> None:
        self._room.closed()

    def take(self, size: int, *, wished: int) -> int:
        charged, granted = self._share.charge(size, wished), 0
        try:
            granted = self._room.take(size, wished=charged)
        finally:
            self._share.uncharge(charged - granted)
            self._share.granted()
        return granted

    def give(self, size: int) -> None:
        self._share.uncharge(size)
        self._room.give(size)

    def forget(self, spool: Spool) -> None:
        self._room.forget(spool)
