"""Named files: those of a request that have a path, for libraries that need one."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path
from time import monotonic

from streamware.errors import ScratchError, StateError
from streamware.scratch.disk_quota import RequestQuota
from streamware.scratch.forks import opening
from streamware.scratch.pool import ScratchPool
from streamware.settings import setting

_FREE = 0.005  # seconds of measuring that are never too much
_TIME_SHARE = 20  # beyond them, measuring may take one part in 20 of the time
_NEW = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0)


class NamedFiles:
    """A directory of one request (0700) in that of the process, made when it is first needed.

    What libraries write there cannot be bounded beforehand.  It is measured and charged whenever
    the ledger is asked for something, unless measuring took too much of the time lately.
    """

    __slots__ = (
        "_charged",
        "_counted",
        "_directories",
        "_due",
        "_lock",
        "_made",
        "_pending",
        "_pool",
        "_quota",
        "_removed",
    )

    def __init__(self, scratch_pool: ScratchPool, quota: RequestQuota) -> None:
        self._pool = scratch_pool  # has the directory of the process
        self._quota = quota  # is charged for the files and their bytes
        self._lock = threading.Lock()  # guards what follows; never held while waiting for room
        self._removed = False  # whether `remove` was called
        # Name in the process directory, and path.  More than one if a library removed the last.
        self._directories: list[tuple[str, str]] = []
        self._made = 0  # names made so far; numbers the next
        self._counted = 0  # files that the quota counts
        self._charged = 0  # bytes that the quota counts, as last measured
        self._pending = 0  # bytes that other threads are waiting to have charged
        self._due = 0.0  # the time from which `measure(if_due=True)` measures again

    def file(self, suffix: str) -> Path:
        """Return the path of a new, empty file.  Raises `ScratchError`, `Refused`."""
        return self._new(suffix, is_directory=False)

    def directory(self) -> Path:
        """Return the path of a new directory.  Raises `ScratchError`, `Refused`."""
        return self._new("", is_directory=True)

    def holds(self, path: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> bool:
        """Return whether `path` lies in one of the directories."""
        name = os.fsdecode(path)
        if "\0" in name:
            return False
        real = os.path.realpath(name)
        return any(
            real.startswith(os.path.realpath(directory) + os.sep)
            for _, directory in self._directories
        )

    def unmeasured(self) -> int:
        """Return how many bytes on disk are not charged yet."""
        with self._lock:
            return 0 if self._removed else self._unmeasured()

    def measure(self, *, if_due: bool = False) -> None:
        """Charge for what was written since the last call.  Raises `ScratchError`, `Refused`.

        Args:
            if_due: Do nothing if measuring took too much of the time lately.
        """
        with self._lock:
            if self._removed or (if_due and monotonic() < self._due):
                return
            more = max(self._unmeasured(), -self._charged)
            if more > 0:
                self._pending += more
            else:
                self._charged += more
        if more > 0:
            self._charge(more)
        elif more:
            self._quota.release(-more)

    def remove(self) -> list[OSError]:
        """Remove everything and return what failed; another call tries that again.

        After it, `file` and `directory` raise `StateError`, and the others do nothing.
        """
        with self._lock:
            self._removed = True
            charged, self._charged = self._charged, 0
            counted, self._counted = self._counted, 0
        remove = self._pool.process_directory.remove
        try:
            return [error for name, _ in self._directories for error in remove(name)]
        finally:
            self._quota.release(charged)
            for _ in range(counted):
                self._quota.release_named_file()

    def _unmeasured(self) -> int:
        start = monotonic()
        measured = sum(_size_of(directory) for _, directory in self._directories)
        end = monotonic()
        self._due = max(self._due, start - _TIME_SHARE * _FREE) + _TIME_SHARE * (end - start)
        return measured - self._charged - self._pending

    def _charge(self, size: int) -> None:
        """Charge pending bytes; this may wait, so not under the lock, which `remove` takes too."""
        taken = 0
        try:
            taken = self._quota.take(size, up_to=size)
        finally:
            with self._lock:
                self._pending -= size
                if not self._removed:
                    self._charged += taken
                    taken = 0
            self._quota.release(taken)

    def _new(self, suffix: str, *, is_directory: bool) -> Path:
        self._quota.take_named_file()
        try:
            return self._make(suffix, is_directory=is_directory)
        except BaseException as error:
            self._quota.release_named_file()
            if isinstance(error, OSError) and not isinstance(error, ScratchError):
                where = f"{self._pool.directory.path}, {setting('scratch_dir')}"
                text = f"{error.strerror}: a new {'directory' if is_directory else 'file'} in"
                raise ScratchError(error.errno, f"{text} {where}") from error
            raise

    def _make(self, suffix: str, *, is_directory: bool) -> Path:
        with self._lock:
            if self._removed:
                raise StateError("the request is over, and its scratch is closed")
            self._made += 1
            name = f"{self._made}{suffix}"
            path = None
            if self._directories:
                with suppress(FileNotFoundError):  # a library removed the directory
                    path = self._make_in_last(name, is_directory=is_directory)
            if path is None:
                self._pool.start()
                self._directories.append(self._pool.process_directory.make_directory())
                path = self._make_in_last(name, is_directory=is_directory)
            self._counted += 1
            return path

    def _make_in_last(self, name: str, *, is_directory: bool) -> Path:
        path = Path(self._directories[-1][1], name)
        if is_directory:
            path.mkdir(0o700)
        else:
            with opening():  # a forked child with a copy would keep what is written to the file
                os.close(os.open(path, _NEW, 0o600))
        return path


def _size_of(directory: str) -> int:
    """Return the bytes on disk of all files below; what vanishes meanwhile is not counted."""
    total, left = 0, [directory]
    while left:
        with suppress(OSError), os.scandir(left.pop()) as entries:
            for entry in entries:
                with suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        left.append(entry.path)
                        continue
                    found = entry.stat(follow_symlinks=False)
                    total += getattr(found, "st_blocks", -(-found.st_size // 512)) * 512
    return total
