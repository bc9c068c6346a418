"""Ledger: everything that one request has to give back when it ends."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from streamware.errors import StateError
from streamware.limits import Limits
from streamware.scratch import background
from streamware.scratch.disk_quota import ExportQuota, RequestQuota, check_process
from streamware.scratch.named_files import NamedFiles
from streamware.scratch.pool import ScratchPool
from streamware.scratch.ring import Ring
from streamware.scratch.spool import Spool
from streamware.settings import Settings

logger = logging.getLogger("streamware")

CURRENT: ContextVar[Scratch | None] = ContextVar("streamware.scratch", default=None)
"""The ledger of the current request, if there is one."""


class Closeable(Protocol):
    """An object with a synchronous `close()`."""

    def close(self) -> object:
        """Release what it holds."""


C = TypeVar("C", bound=Closeable)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a request holds on disk.

    Attributes:
        bytes: Of its spools, with what is reserved ahead for them, and of its named files.
        files: Spools on disk, and paths and directories that were asked for.
        peak_bytes: The highest value of `bytes` that was measured.
    """

    bytes: int
    files: int
    peak_bytes: int


def current_scratch() -> Scratch:
    """Return the ledger of the request that this thread or task is answering.

    Raises:
        StateError: There is none: no middleware is mounted around this code, and no `Export`
            calls it.
    """
    scratch = CURRENT.get()
    if scratch is None:
        raise StateError(
            "there is no request here to which scratch could belong: mount sw.WSGIMiddleware or"
            " sw.ASGIMiddleware around the application, and call current_scratch() in a view"
        )
    return scratch


class Scratch:
    """Every scratch file of one request; all of them are gone when it is closed.

    A middleware makes it and closes it; `current_scratch()` finds it.  Any thread may use it.
    Calls block for the disk, and for up to `Settings.wait_seconds` for room there, but never wait
    for room on the thread of an event loop.

    Raises:
        StateError: It is closed, or belongs to the process that this one was forked from.
        ScratchError: The directory is not safe, its disk is full, or the request holds as much
            as it may (`Settings.request_bytes`, `request_files`).
        Refused: There is no room now, in the budgets or on the disk.
    """

    __slots__ = (
        "__weakref__",
        "_closed",
        "_lock",
        "_names",
        "_pid",
        "_pool",
        "_quota",
        "_settings",
        "_tracked",
    )

    def __init__(self, scratch_pool: ScratchPool, settings: Settings | None = None) -> None:
        self._pool = scratch_pool  # has the directory and the budgets
        self._settings = settings or scratch_pool.settings  # those that the request sees
        self._closed = False  # whether `close` was called; set under the lock
        self._pid = os.getpid()  # of the process that may use and close it
        self._lock = threading.Lock()  # nothing is opened or tracked once it is closed
        self._quota: RequestQuota | None = None  # made with the first spool or name
        self._names: NamedFiles | None = None  # made with the first name
        self._tracked: list[Closeable] = []  # to be closed last, in reverse order

    @property
    def settings(self) -> Settings:
        """The settings of the request."""
        return self._settings

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    @property
    def usage(self) -> Usage:
        """What is on disk now; reading it measures the named files."""
        check_process(self._pid)
        if self._quota is None:
            return Usage(0, 0, 0)
        unmeasured = 0 if self._names is None else self._names.unmeasured()
        held = self._quota.bytes + unmeasured
        return Usage(held, self._quota.files, max(self._quota.peak, held))

    def spool(self) -> Spool:
        """Return a binary file without a name, open for writing and reading."""
        self._check()
        if self._names is not None:
            self._names.measure(if_due=True)
        return self._open_spool()

    def ring(self) -> Ring:
        """Return a queue of bytes that keeps as much in memory as a spool, and more on disk."""
        self._check()
        return Ring(lambda: self._open_spool(waits=False), memory=self.settings.spool_memory)

    def export_quota(self, limits: Limits) -> ExportQuota:
        """Return what opens spools and rings of one export, bounded by `Limits.scratch_bytes`."""
        check_process(self._pid)
        return ExportQuota(self._settings, limits, self._open_spool)

    def path(self, suffix: str = "") -> Path:
        """Return the path of a new, empty file that ends in `suffix`, for libraries that need one.

        Only this user can read it (0600, in a directory of 0700).  What is written to it is
        measured whenever the ledger is asked for something, and counts in the budgets from then
        on.  If measuring takes long it is done less often, but always when the response begins.

        Raises:
            ValueError: `suffix` holds a path separator, NUL, or half a surrogate pair.
        """
        if not isinstance(suffix, str):
            kind = type(suffix).__name__
            raise TypeError(f"the suffix of a scratch path must be a str, not {kind}")
        try:
            os.fsencode(suffix)
        except UnicodeEncodeError:
            problem = "the suffix of a scratch path must not hold half a surrogate pair"
            raise ValueError(f"{problem}: no file can have such a name") from None
        if any(separator in suffix for separator in ("/", os.sep, os.altsep or "/", "\0")):
            raise ValueError("the suffix of a scratch path must not hold a path separator or NUL")
        return self._named_files().file(suffix)

    def directory(self) -> Path:
        """Return the path of a new directory, for libraries that make files themselves."""
        return self._named_files().directory()

    def track(self, closeable: C) -> C:
        """Close an object with the ledger, after the files; the last one tracked goes first."""
        if not callable(getattr(closeable, "close", None)):
            kind = type(closeable).__name__
            raise TypeError(f"track() takes an object with a close() method, not {kind}")
        self._check()
        with self._lock:
            self._check()
            self._tracked.append(closeable)
        return closeable

    def measure(self) -> None:
        """Charge for what was written to the named files; the middleware does, before it sends.

        Raises:
            ScratchError, Refused: There is more than is allowed.
        """
        check_process(self._pid)
        if self._names is not None:
            self._names.measure()

    def holds(self, path: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> bool:
        """Return whether `path` is one of this request's named files."""
        return self._names is not None and self._names.holds(path)

    def close(self) -> None:
        """Remove every name, close every spool, then every tracked object.

        Idempotent; may be called from any thread; logs and counts errors instead of raising them;
        does nothing in a forked child.  On the thread of an event loop it does not wait until
        large files are removed: another thread removes them.
        """
        if not self._mark_closed():
            return
        if background.on_event_loop() and self._holds_much():
            background.run(self._close_files_alone)
            self._report(_close_all(self._tracked))
            return
        errors, is_left = self._close_files()
        errors += _close_all(self._tracked)
        self._report(errors + self._retry(is_left))

    async def aclose(self) -> None:
        """Close it as `close` does, and wait on the event loop until everything is removed.

        Another thread removes files if they may hold many bytes; tracked objects are closed on
        this one.  A cancellation ends the waiting, not the closing.
        """
        if not self._mark_closed():
            return
        if self._names is None and not self._holds_much():
            self._report(self._close_files()[0] + _close_all(self._tracked))
            return
        try:
            await background.arun(self._close_files_alone)
        finally:
            self._report(_close_all(self._tracked))

    def __del__(self) -> None:
        if getattr(self, "_closed", True) or self._pid != os.getpid():
            return
        if self._quota is not None or self._tracked:
            self._pool.signals["leaked_ledgers"] += 1
            logger.warning("the scratch of a request was closed only by the garbage collector")
        self.close()

    def _check(self) -> None:
        check_process(self._pid)
        if self._closed:
            raise StateError("the request is over, and its scratch is closed")

    def _open_spool(self, *, waits: bool = True, export: ExportQuota | None = None) -> Spool:
        self._check()
        with self._lock:
            return self._opened_quota().open_spool(waits=waits, export=export)

    def _opened_quota(self) -> RequestQuota:
        """Return the quota, made if needed; under the lock."""
        self._check()
        if self._quota is None:
            self._quota = RequestQuota(self._pool)
        return self._quota

    def _named_files(self) -> NamedFiles:
        self._check()
        with self._lock:
            quota = self._opened_quota()
            if self._names is None:
                self._names = NamedFiles(self._pool, quota)
        self._names.measure(if_due=True)
        return self._names

    def _mark_closed(self) -> bool:
        """Mark it as closed; return whether there is something to release."""
        if self._pid != os.getpid():
            self._closed = True
            return False
        with self._lock:
            if self._closed:
                return False
            self._closed = True
        return self._quota is not None or bool(self._tracked)

    def _holds_much(self) -> bool:
        """Return whether removing its files may take long."""
        if self._quota is None:
            return False
        unmeasured = 0 if self._names is None else self._names.unmeasured()
        return self._quota.bytes + unmeasured >= background.LARGE

    def _close_files(self) -> tuple[list[BaseException], bool]:
        """Remove names and close spools; return the errors, and whether names are left."""
        is_left = self._names is not None and bool(_removed(self._names))
        return [] if self._quota is None else _close_all(list(self._quota.spools)), is_left

    def _retry(self, is_left: bool) -> list[BaseException]:
        """Remove names that are left: the cause may be gone, such as a lack of descriptors."""
        return [] if self._names is None or not is_left else list(_removed(self._names))

    def _close_files_alone(self) -> None:
        """Remove names and close spools on a thread of its own, which reports the errors."""
        errors, is_left = self._close_files()
        with suppress(BaseException):  # an interrupt of a close, which no caller waits for
            self._report(errors + self._retry(is_left))

    def _report(self, errors: list[BaseException]) -> None:
        if errors:
            self._pool.signals["cleanup_failures"] += len(errors)
            kinds = ", ".join(sorted({type(error).__name__ for error in errors}))
            logger.warning("closing the scratch of a request met %d errors: %s", len(errors), kinds)
        for error in errors:
            if not isinstance(error, Exception):
                raise error  # an interrupt, now that everything is closed


def _removed(names: NamedFiles) -> Sequence[BaseException]:
    try:
        return names.remove()
    except BaseException as error:  # noqa: BLE001 - the rest is closed anyway
        return [error]


def _close_all(closeables: list[Any]) -> list[BaseException]:
    errors: list[BaseException] = []
    while closeables:
        try:
            closeables.pop().close()
        except BaseException as error:  # noqa: BLE001 - the others are closed anyway
            errors.append(error)
    return errors
