"""Quotas: where the bytes and files of a spool are counted, and what bounds them.

`RequestQuota` counts what one request holds.  `ExportQuota` counts the part that one export of the
request holds, bounded by its `Limits`.  `RequestQuota.take` asks every bound in turn.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from errno import EFBIG
from time import monotonic, sleep
from typing import Protocol

from streamware.errors import Refused, ScratchError, StateError
from streamware.limits import Limits
from streamware.scratch.background import on_event_loop
from streamware.scratch.pool import ScratchPool
from streamware.scratch.process_budget import RETRY_AFTER, affordable
from streamware.scratch.ring import Ring
from streamware.scratch.spool import Spool
from streamware.settings import Settings, setting

_PAUSE = 0.05  # seconds between two checks of what the file system has free
_IN_MEMORY = 16  # spools of one request that start in memory


class RequestQuota:
    """The bytes and files of one request.

    It asks, in this order: the bound of the export, the bounds of the request, the file system
    (free bytes and inodes), the budgets of the process and of the host.  For the last three it
    waits, up to `Settings.wait_seconds`, but never on the thread of an event loop.

    Nothing is charged in a forked child, which owns none of it.
    """

    __slots__ = (
        "_granted",
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
        self._pool = scratch_pool  # has the directory, the budgets and the settings
        # Re-entrant: a signal handler may close a spool while this thread holds it.
        self._lock = threading.RLock()
        self._pid = os.getpid()  # of the process to which the charges belong
        self._named = 0  # files that have a name, so are not spools
        self._granted = 0  # of the charged bytes, those that do not wait for room any more
        self.path = scratch_pool.directory.path  # for messages
        self.bytes = 0  # charged now, for spools and named files
        self.files = 0  # on disk now
        self.peak = 0  # the highest `bytes` so far
        self.spools: set[Spool] = set()  # those that are open, in memory too

    def open_spool(self, *, waits: bool = True, export: ExportQuota | None = None) -> Spool:
        """Return a new spool, which starts in memory, or on disk if 16 others are open.

        Args:
            waits: Whether its writes wait for room.
            export: The quota of the export that it belongs to; charged too.

        Raises:
            ScratchError: `Settings.request_files` are open.
        """
        with self._lock:
            self._check_files()
            memory = self._pool.settings.spool_memory if len(self.spools) < _IN_MEMORY else 0
            spool = Spool(self, memory=memory, waits=waits, export=export)
            self.spools.add(spool)
        return spool

    def forget(self, spool: Spool) -> None:
        """Remove a closed spool; twice, if two threads close it."""
        self.spools.discard(spool)

    def take_named_file(self) -> None:
        """Charge one more file that has a name.  Raises `ScratchError`, `Refused`."""
        check_process(self._pid)
        with self._lock:
            self._check_files()
            self._named += 1
        try:
            self.take_file()
        except BaseException:
            with self._lock:
                self._named -= 1
            raise

    def release_named_file(self) -> None:
        """Uncharge a named file that was removed, or not made."""
        with self._lock:
            self._named -= 1
        self.release_file()

    def take_file(self, *, waits: bool = True) -> None:
        """Charge one more file on disk.  Raises `ScratchError`, `Refused`."""
        check_process(self._pid)
        with self._lock:
            self.files += 1
        self._pool.count(1)
        try:
            self._pool.directory.verify()
            self._wait_for_room(0, self._deadline(waits=waits))
        except BaseException:
            self.release_file()
            raise

    def open_unnamed(self) -> int:
        """Return the descriptor of a new file without a name.  Raises `ScratchError`."""
        return self._pool.directory.open_unnamed()

    def release_file(self) -> None:
        """Uncharge a file that was closed, or not made."""
        with self._lock:
            self.files -= 1
        self._pool.count(-1)

    def take(
        self, size: int, *, up_to: int, waits: bool = True, export: ExportQuota | None = None
    ) -> int:
        """Charge `size` bytes, or as many as `up_to` if that needs no wait; return how many.

        Args:
            size: Bytes that are needed.
            up_to: Bytes that would be of use.
            waits: Whether to wait for room.
            export: The quota of the export that takes them; charged first.

        Raises:
            LimitError: The export would hold more than its limits allow.
            ScratchError: The request would hold more than it may, or there will never be room.
            Refused: There is no room now.
        """
        check_process(self._pid)
        if export is None:
            return self._take(size, up_to, waits=waits)
        charged, granted = export.charge(size, up_to), 0
        try:
            granted = self._take(size, charged, waits=waits)
        finally:
            export.confirm(charged, granted)
        return granted

    def release(self, size: int, *, export: ExportQuota | None = None) -> None:
        """Uncharge `size` bytes."""
        if export is not None:
            export.uncharge(size)
        with self._lock:
            self._granted -= size
            self.bytes -= size
        self._pool.budget.release(size)

    def _take(self, size: int, up_to: int, *, waits: bool) -> int:
        if up_to > size:
            up_to = self._pool.budget.affordable(size, up_to)
        charged, granted = self._charge(size, up_to), 0
        try:
            if charged > size and self._is_free(charged):
                granted = charged
            else:  # the surplus is not worth a wait, and must not keep out others meanwhile
                self._uncharge(charged - size)
                charged = size
                deadline = self._deadline(waits=waits)
                self._wait_for_room(size, deadline)
                self._pool.budget.take(size, deadline=deadline, own=lambda: self._granted)
                granted = size
        finally:
            self._uncharge(charged - granted)
        with self._lock:
            self._granted += granted
            self.peak = max(self.peak, self.bytes)
        return granted

    def _check_files(self) -> None:
        """Raise if one more file or spool would be too many; under the lock."""
        limit = self._pool.settings.request_files
        if limit is not None and len(self.spools) + self._named >= limit:
            raise ScratchError(
                EFBIG,
                f"a request may hold {limit:,} scratch files, open spools in memory too, and asked"
                f" for one more: close some, or raise {setting('request_files')}",
            )

    def _charge(self, size: int, up_to: int) -> int:
        limit = self._pool.settings.request_bytes
        with self._lock:
            if limit is not None and size > limit - self.bytes:
                raise ScratchError(
                    EFBIG,
                    f"a request may hold {limit:,} bytes of scratch, holds {self.bytes:,} and asked"
                    f" for {size:,} more: close some, or raise {setting('request_bytes')}",
                )
            charged = affordable(limit, self.bytes, size, up_to)
            self.bytes += charged
        return charged

    def _uncharge(self, size: int) -> None:
        with self._lock:
            self.bytes -= size

    def _is_free(self, size: int) -> bool:
        """Take `size` bytes of the budgets if that needs no wait."""
        if self._pool.directory.check_room(size) is None:
            with suppress(Refused, ScratchError):
                self._pool.budget.take(size)
                return True
        return False

    def _wait_for_room(self, size: int, deadline: float) -> None:
        while problem := self._pool.directory.check_room(size):
            if monotonic() >= deadline:
                raise Refused(problem, retry_after=RETRY_AFTER, limit="keep_free_bytes")
            sleep(_PAUSE)

    def _deadline(self, *, waits: bool) -> float:
        """Return until when this thread may wait: not at all if it runs an event loop."""
        if not waits or on_event_loop():
            return 0.0
        return monotonic() + self._pool.settings.wait_seconds


class OpenSpool(Protocol):
    """Opens a spool of a request; `Scratch` has it."""

    def __call__(self, *, waits: bool = True, export: ExportQuota | None = None) -> Spool:
        """Return a spool, as `RequestQuota.open_spool` does."""


class ExportQuota:
    """The bytes on disk of one export: its spools and its ring, bounded by its `Limits`.

    `Scratch.export_quota()` makes it, and the ledger closes the spools.
    """

    __slots__ = ("_limits", "_lock", "_open_spool", "bytes", "peak", "settings")

    def __init__(self, settings: Settings, limits: Limits, open_spool: OpenSpool) -> None:
        self.settings = settings  # of the ledger
        self.bytes = 0  # charged now, with what is reserved ahead
        self.peak = 0  # the highest `bytes` that was granted
        self._limits = limits  # only `scratch_bytes` counts here
        self._open_spool = open_spool  # of the ledger
        # Re-entrant: a finalizer that releases bytes may run while this thread holds it.
        self._lock = threading.RLock()

    def spool(self) -> Spool:
        """Return a spool; writes that pass the bound raise `LimitError`."""
        return self._open_spool(export=self)

    def ring(self) -> Ring:
        """Return a ring; at the bound it takes no more bytes until some are consumed."""
        return Ring(
            lambda: self._open_spool(waits=False, export=self), memory=self.settings.spool_memory
        )

    def other(self, limits: Limits) -> ExportQuota:
        """Return the quota of another export of the same request."""
        return ExportQuota(self.settings, limits, self._open_spool)

    def charge(self, size: int, up_to: int) -> int:
        """Charge `size` bytes, or up to `up_to`; return how many.  Raises `LimitError`."""
        with self._lock:
            self._limits.check("scratch_bytes", self.bytes + size)
            charged = affordable(self._limits.scratch_bytes, self.bytes, size, up_to)
            self.bytes += charged
        return charged

    def confirm(self, charged: int, granted: int) -> None:
        """Uncharge what was charged and not granted, and note the peak."""
        with self._lock:
            self.bytes -= charged - granted
            self.peak = max(self.peak, self.bytes)

    def uncharge(self, size: int) -> None:
        """Uncharge `size` bytes."""
        with self._lock:
            self.bytes -= size


def check_process(pid: int) -> None:
    """Raise `StateError` in any process but `pid`.

    Comes before any lock: in a forked child a thread that does not exist there may hold it.
    """
    if pid != os.getpid():
        raise StateError(
            "this scratch belongs to the process that this one was forked from: open files in the"
            " process that uses them"
        )
