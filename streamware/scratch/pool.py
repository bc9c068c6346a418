"""Storage: what all requests under equal settings share in a process."""

from __future__ import annotations

import logging
import os
import threading
from collections import Counter
from dataclasses import replace

from streamware.errors import ScratchError
from streamware.scratch.budget import Budget
from streamware.scratch.directory import ScratchDirectory
from streamware.scratch.forks import watch
from streamware.scratch.process_directory import ProcessDirectory, reap
from streamware.settings import Settings

logger = logging.getLogger("streamware")


class ScratchPool:
    """The directory, the budgets, and what went wrong with either.

    Nothing is opened before it is needed, so that it can be made before a server forks.

    Attributes:
        settings: What it was made from.
        place: The scratch directory.
        home: The process's own directory in it.
        budget: The bytes of all its requests.
        signals: How often what should not happen did: "leaked_ledgers" (closed by the garbage
            collector only), "cleanup_failures", "orphans_reaped" (directories of processes that
            were killed) and "orphan_bytes" (what was in them).
        files: Scratch files of all its requests, on disk now.
    """

    def __init__(self, settings: Settings) -> None:
        directory = settings.scratch_dir
        self.settings = settings
        self.directory = ScratchDirectory(
            None if directory is None else os.fspath(directory),
            memory_backed=settings.memory_backed,
            keep_free_bytes=settings.keep_free_bytes,
        )
        self.process_directory = ProcessDirectory(self.directory)
        self.budget = Budget(
            process_bytes=settings.process_bytes,
            host_bytes=settings.host_bytes,
            open_lock_file=self.directory.open_host_lock_file,
        )
        self.signals: Counter[str] = Counter()
        self._started: int | None = None  # in which process
        self.forked()
        watch(self)

    def forked(self) -> None:
        """Count from nothing: files that are open belong to the parent."""
        self.files = 0
        # Re-entrant: a finalizer may close a file while this thread is in here.
        self._lock = threading.RLock()

    def count(self, files: int) -> None:
        """Take note of so many more files, or fewer."""
        with self._lock:
            self.files += files

    def start(self) -> None:
        """Check a directory that was set, and remove what processes that were killed left there.

        Once a process; in a worker that was forked later, when it first makes a name.  The default
        directory is looked at quietly: a container that only streams may have none that is safe,
        and never needs it.

        Raises:
            ScratchError: The directory that was set does not exist or is not safe.
        """
        if self.settings.scratch_dir is not None:
            self.directory.verify()
        if self._started == os.getpid():
            return
        self._started = os.getpid()
        reaped = reap(self.directory)
        # A ScratchError is of the default, which is not usable then.
        resisted = sum(not isinstance(error, ScratchError) for error in reaped.errors)
        self.signals["orphans_reaped"] += reaped.directories
        self.signals["orphan_bytes"] += reaped.bytes
        self.signals["cleanup_failures"] += resisted
        if reaped.directories or reaped.files or resisted:
            logger.warning(
                "removed what killed processes left: %s, %s, %s; %s",
                _counted(reaped.directories, "directory", "directories"),
                _counted(reaped.files, "file"),
                _counted(reaped.bytes, "byte"),
                _counted(resisted, "error"),
            )


def _counted(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


_pools: dict[Settings, ScratchPool] = {}


def scratch_pool(settings: Settings | None = None) -> ScratchPool:
    """The storage of these settings in this process; None: of what the environment says.

    Raises:
        TypeError: They are no `Settings`.
    """
    if not isinstance(settings, Settings | None):
        raise TypeError(f"settings= takes sw.Settings, not {type(settings).__name__}")
    key = replace(settings or Settings(), values=None, limits=None, observers=())
    # No lock, which another thread might hold while this one forks; a Storage is cheap to make.
    return _pools.get(key) or _pools.setdefault(key, ScratchPool(key))


def scratch_pools() -> list[ScratchPool]:
    """All that this process has made."""
    return list(_pools.values())
