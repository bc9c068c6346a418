"""Pool: what all requests under equal settings share in a process."""

from __future__ import annotations

import logging
import os
import threading
from collections import Counter
from dataclasses import replace

from streamware.errors import ScratchError
from streamware.scratch import background
from streamware.scratch.directory import ScratchDirectory
from streamware.scratch.forks import watch
from streamware.scratch.process_budget import Budget
from streamware.scratch.process_directory import ProcessDirectory, reap
from streamware.scratch.removal import counted
from streamware.settings import Settings

logger = logging.getLogger("streamware")


class ScratchPool:
    """The directories, the budgets, and counters of failures.

    Nothing is opened before it is needed, so that it can be made before a server forks.
    """

    def __init__(self, settings: Settings) -> None:
        directory = settings.scratch_dir
        self.settings = settings  # from which it was made
        # The scratch directory.
        self.directory = ScratchDirectory(
            None if directory is None else os.fspath(directory),
            memory_backed=settings.memory_backed,
            keep_free_bytes=settings.keep_free_bytes,
        )
        self.process_directory = ProcessDirectory(self.directory)  # for files with a name
        # The bytes of all its requests.
        self.budget = Budget(
            process_bytes=settings.process_bytes,
            host_bytes=settings.host_bytes,
            open_lock_file=self.directory.open_host_lock_file,
        )
        # How often there were "leaked_ledgers" (closed only by the garbage collector),
        # "cleanup_failures", "orphans_reaped" (directories of killed processes) and "orphan_bytes".
        self.signals: Counter[str] = Counter()
        self._started: int | None = None  # the process in which `start` ran
        self.forked()
        watch(self)

    def forked(self) -> None:
        """Count from 0: the open files belong to the parent."""
        self.files = 0  # scratch files of all its requests, on disk now
        # Re-entrant: a finalizer may close a file while this thread holds it.
        self._lock = threading.RLock()

    def count(self, files: int) -> None:
        """Add `files`, which may be negative, to the count."""
        with self._lock:
            self.files += files

    def start(self) -> None:
        """Check a directory that was set, and remove what killed processes left there.

        This runs once in a process, and in a worker that was forked later when it first makes a
        named file.  Errors of the default directory are ignored: a container that only streams may
        have none that is safe, and never needs one.

        Raises:
            ScratchError: The directory that was set does not exist or is not safe.
        """
        if self.settings.scratch_dir is not None:
            self.directory.verify()
        if self._started == os.getpid():
            return
        self._started = os.getpid()
        if background.on_event_loop():
            background.run(self._reap)
        else:
            self._reap()

    def _reap(self) -> None:
        reaped = reap(self.directory)
        # A ScratchError means that the default directory cannot be used.
        failed = sum(not isinstance(error, ScratchError) for error in reaped.errors)
        self.signals["orphans_reaped"] += reaped.directories
        self.signals["orphan_bytes"] += reaped.bytes
        self.signals["cleanup_failures"] += failed
        if reaped.directories or reaped.files or failed:
            logger.warning(
                "removed what killed processes left: %s, %s, %s; %s",
                counted(reaped.directories, "directory"),
                counted(reaped.files, "file"),
                counted(reaped.bytes, "byte"),
                counted(failed, "error"),
            )


_pools: dict[Settings, ScratchPool] = {}


def scratch_pool(settings: Settings | None = None) -> ScratchPool:
    """Return the pool of these settings in this process; None is those of the environment.

    Raises:
        TypeError: `settings` is anything but `Settings`.
    """
    if not isinstance(settings, Settings | None):
        raise TypeError(f"settings must be sw.Settings, not {type(settings).__name__}")
    key = settings or Settings()
    if key.values or key.limits or key.observers:
        key = replace(key, values=None, limits=None, observers=())
    # No lock, which another thread might hold while this one forks; a pool is cheap to make.
    return _pools.get(key) or _pools.setdefault(key, ScratchPool(key))


def scratch_pools() -> list[ScratchPool]:
    """Return all pools of this process."""
    return list(_pools.values())
