"""Scratch: the ledger of one request, in which everything stands that has to go when it ends."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from streamware.errors import StateError
from streamware.limits import Limits
from streamware.scratch.named_files import NamedFiles
from streamware.scratch.pool import ScratchPool
from streamware.scratch.quota import ExportQuota, RequestQuota
from streamware.scratch.ring import Ring
from streamware.scratch.spool import Room, Spool
from streamware.settings import Settings

logger = logging.getLogger("streamware")

CURRENT: ContextVar[Scratch | None] = ContextVar("streamware.scratch", default=None)
"""The ledger of the request that is being answered, where there is one."""


class Closeable(Protocol):
    """What has a synchronous `close()`."""

    def close(self) -> object:
        """Give back what it holds."""


C = TypeVar("C", bound=Closeable)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a request holds on disk.

    Attributes:
        bytes: Of its spools, with what is reserved ahead for them, and of its named files.
        files: Spools on disk, and paths and directories that were asked for.
        peak_bytes: The most that `bytes` was found to be.
    """

    bytes: int
    files: int
    peak_bytes: int


def current_scratch() -> Scratch:
    """The ledger of the request that is being answered, in this thread or task.

    Raises:
        StateError: There is none: no middleware is mounted around this code, and no `Export`
            calls it.
    """
    scratch = CURRENT.get()
    if scratch is None:
        raise StateError(
            "there is no request here whose scratch it could be: mount sw.WSGIMiddleware or"
            " sw.ASGIMiddleware around the application, and call current_scratch() in a view"
        )
    return scratch


class Scratch:
    """Every scratch file of one request; all of them are gone when it is closed.

    A middleware makes it and closes it; `current_scratch()` finds it.  Any thread may use it.
    Calls block for the disk, and for up to `Settings.wait_seconds` for room there, though not on
    the thread of an event loop.

    Raises:
        StateError: It is closed, or belongs to the process that this one was forked from.
        ScratchError: The directory is not safe, its disk is full, or the request holds as much
            as it may (`Settings.request_bytes`, `request_files`).
        Refused: There is no room now, in the budgets or on the disk.
    """

    __slots__ = (
        "__weakref__",
        "_account",
        "_closed",
        "_lock",
        "_names",
        "_pid",
        "_pool",
        "_settings",
        "_tracked",
    )

    def __init__(self, scratch_pool: ScratchPool, settings: Settings | None = None) -> None:
        self._pool = scratch_pool
        self._settings = settings or scratch_pool.settings
        self._closed = False
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._account: RequestQuota | None = None
        self._names: NamedFiles | None = None
        self._tracked: list[Closeable] = []

    @property
    def settings(self) -> Settings:
        """What holds for it."""
        return self._settings

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    @property
    def usage(self) -> Usage:
        """What is on disk now; named files are measured for it."""
        self._check_process()
        if self._account is None:
            return Usage(0, 0, 0)
        unmeasured = 0 if self._names is None else self._names.unmeasured()
        held = self._account.bytes + unmeasured
        return Usage(held, self._account.files, max(self._account.peak, held))

    def spool(self) -> Spool:
        """A binary file without a name, open for writing and reading."""
        self._check()
        if self._names is not None:
            self._names.measure(if_due=True)
        return self._open_spool()

    def ring(self) -> Ring:
        """A queue of bytes that keeps in memory what a spool does, and more on disk."""
        self._check()
        return Ring(lambda: self._open_spool(patient=False), memory=self.settings.spool_memory)

    def export_quota(self, limits: Limits) -> ExportQuota:
        """What one export has of it: spools and a ring that keep to `Limits.scratch_bytes`."""
        self._check_process()
        return ExportQuota(self._settings, limits, self._open_spool)

    def path(self, suffix: str = "") -> Path:
        """The path of a new, empty file that ends in `suffix`, for libraries that need a name.

        Nobody else can read it (0600, in a directory of 0700).  What is written to it is measured
        whenever the ledger is asked for something, and counts in the budgets from then on.  Where
        measuring takes long it is done less often, but always when the response begins.

        Raises:
            ValueError: `suffix` holds a path separator or NUL, or what no name of a file can.
        """
        if not isinstance(suffix, str):
            kind = type(suffix).__name__
            raise TypeError(f"the suffix of a scratch path is a str, not {kind}")
        try:
            os.fsencode(suffix)
        except UnicodeEncodeError:
            problem = "the suffix of a scratch path holds what no name of a file can"
            raise ValueError(f"{problem}: half a surrogate pair") from None
        if any(separator in suffix for separator in ("/", os.sep, os.altsep or "/", "\0")):
            raise ValueError("the suffix of a scratch path must not hold a path separator or NUL")
        return self._named().file(suffix)

    def directory(self) -> Path:
        """The path of a new directory of this request, for libraries that make files themselves."""
        return self._named().directory()

    def track(self, closeable: C) -> C:
        """Close it when the ledger is closed, after the files; the last one tracked first."""
        if not callable(getattr(closeable, "close", None)):
            raise TypeError(f"a {type(closeable).__name__} has no close() that could be called")
        self._check()
        with self._lock:
            self._check()
            self._tracked.append(closeable)
        return closeable

    def measure(self) -> None:
        """Have what was written to the named files count; the middleware does, once it is done.

        Raises:
            ScratchError, Refused: There is more than may be.
        """
        self._check_process()
        if self._names is not None:
            self._names.measure()

    def holds(self, path: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> bool:
        """Whether `path` is one of this request's named files."""
        return self._names is not None and self._names.holds(path)

    def close(self) -> None:
        """Remove every name, close every spool, then whatever is tracked.

        Idempotent; from any thread; never raises, but logs and counts what resisted; does nothing
        in a forked child.
        """
        if self._pid != os.getpid():
            self._closed = True
            return
        with self._lock:
            if self._closed:
                return
            self._closed = True
        if self._account is not None or self._tracked:
            self._release()

    def __del__(self) -> None:
        if getattr(self, "_closed", True) or self._pid != os.getpid():
            return
        if self._account is not None or self._tracked:
            self._pool.signals["leaked_ledgers"] += 1
            logger.warning("the scratch of a request was closed by the garbage collector only")
        self.close()

    def _check(self) -> None:
        self._check_process()
        if self._closed:
            raise StateError("the request is over, and its scratch is closed")

    def _check_process(self) -> None:
        """Before any lock: a thread may have held it that the child does not have."""
        if self._pid != os.getpid():
            raise StateError("this scratch belongs to the process that this one was forked from")

    def _open_spool(
        self, *, patient: bool = True, within: Callable[[Room], Room] | None = None
    ) -> Spool:
        self._check()
        with self._lock:
            return self._accounted().spool(patient=patient, within=within)

    def _accounted(self) -> RequestQuota:
        self._check()
        if self._account is None:
            self._account = RequestQuota(self._pool)
        return self._account

    def _named(self) -> NamedFiles:
        self._check()
        with self._lock:
            account = self._accounted()
            if self._names is None:
                self._names = NamedFiles(self._pool, account)
        self._names.measure(if_due=True)
        return self._names

    def _release(self) -> None:
        errors: list[BaseException] = []
        resisted = [] if self._names is None else _removed(self._names)
        if self._account is not None:
            _close_all(list(self._account.spools), errors)
        _close_all(self._tracked, errors)
        if self._names is not None and resisted:
            # What was in the way may be gone: an open file, or a lack of descriptors.
            errors += _removed(self._names)
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
    except BaseException as error:  # noqa: BLE001 - the rest is closed all the same
        return [error]


def _close_all(things: list[Closeable], errors: list[BaseException]) -> None:
    while things:
        try:
            things.pop().close()
        except BaseException as error:  # noqa: BLE001 - the others are closed all the same
            errors.append(error)
