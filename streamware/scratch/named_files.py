"""NamedFiles: the files of a request that have one, for libraries that need a path."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path
from time import monotonic

from streamware.errors import ScratchError, StateError
from streamware.scratch.forks import opening
from streamware.scratch.pool import ScratchPool
from streamware.scratch.quota import RequestQuota

_FREE = 0.005  # seconds of measuring that are never too much
_SHARE = 20  # beyond them, one part in so many of the time may go to it
_NEW = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0)


class NamedFiles:
    """A directory of one request, 0700, in the process's own, made when it is first needed.

    What others write there cannot be bounded beforehand; it is measured, and charged, whenever
    something is asked of the ledger, unless that took too much of the time lately.
    """

    __slots__ = (
        "_account",
        "_charged",
        "_counted",
        "_directories",
        "_due",
        "_lock",
        "_made",
        "_pending",
        "_pool",
        "_removed",
    )

    def __init__(self, scratch_pool: ScratchPool, account: RequestQuota) -> None:
        self._pool = scratch_pool
        self._account = account
        self._lock = threading.Lock()
        self._removed = False
        self._directories: list[tuple[str, str]] = []  # name in the home, and path
        self._made = 0  # names in them so far
        self._counted = 0  # names that the account counts
        self._charged = 0  # bytes, as last measured
        self._pending = 0  # bytes that somebody is having charged
        self._due = 0.0  # when it may be measured again by the way

    def file(self, suffix: str) -> Path:
        """The path of a new, empty file.  Raises `ScratchError`, `Refused`."""
        return self._new(suffix, is_directory=False)

    def directory(self) -> Path:
        """The path of a new directory.  Raises `ScratchError`, `Refused`."""
        return self._new("", is_directory=True)

    def holds(self, path: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> bool:
        """Whether `path` lies in here."""
        name = os.fsdecode(path)
        if "\0" in name:
            return False
        real = os.path.realpath(name)
        return any(
            real.startswith(os.path.realpath(directory) + os.sep)
            for _, directory in self._directories
        )

    def unmeasured(self) -> int:
        """Bytes on disk that were not there when it was last settled."""
        with self._lock:
            return 0 if self._removed else self._unmeasured()

    def measure(self, *, if_due: bool = False) -> None:
        """Charge for what was written since the last time.  Raises `ScratchError`, `Refused`.

        Args:
            if_due: Not now, if measuring takes too much of the time.
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
            self._account.give(-more)

    def remove(self) -> list[OSError]:
        """Remove everything; what resisted, which another call tries again.

        Later calls of the others raise `StateError`, or do nothing.
        """
        with self._lock:
            self._removed = True
            charged, self._charged = self._charged, 0
            counted, self._counted = self._counted, 0
        try:
            return [
                error
                for name, _ in self._directories
                for error in self._pool.process_directory.remove(name)
            ]
        finally:
            self._account.give(charged)
            for _ in range(counted):
                self._account.unname()

    def _unmeasured(self) -> int:
        begun = monotonic()
        measured = sum(_size_of(directory) for _, directory in self._directories)
        ended = monotonic()
        self._due = max(self._due, begun - _SHARE * _FREE) + _SHARE * (ended - begun)
        return measured - self._charged - self._pending

    def _charge(self, size: int) -> None:
        """Take bytes, for which this may wait; not under the lock, which a close takes too."""
        taken = 0
        try:
            taken = self._account.take(size, wished=size)
        finally:
            with self._lock:
                self._pending -= size
                if not self._removed:
                    self._charged += taken
                    taken = 0
            self._account.give(taken)

    def _new(self, suffix: str, *, is_directory: bool) -> Path:
        self._account.name()
        try:
            return self._make(suffix, is_directory=is_directory)
        except BaseException as error:
            self._account.unname()
            if isinstance(error, OSError) and not isinstance(error, ScratchError):
                where = f"{self._pool.directory.path} (Settings.scratch_dir)"
                raise ScratchError(error.errno, f"{error.strerror}: a name in {where}") from error
            raise

    def _make(self, suffix: str, *, is_directory: bool) -> Path:
        with self._lock:
            if self._removed:
                raise StateError("the request is over, and its scratch is closed")
            self._made += 1
            path = self._placed(f"{self._made}{suffix}", is_directory=is_directory)
            self._counted += 1
            return path

    def _placed(self, name: str, *, is_directory: bool) -> Path:
        if self._directories:
            try:
                return _made(Path(self._directories[-1][1], name), is_directory=is_directory)
            except FileNotFoundError:  # somebody removed it from under us
                pass
        self._pool.start()
        self._directories.append(self._pool.process_directory.make_directory())
        return _made(Path(self._directories[-1][1], name), is_directory=is_directory)


def _made(path: Path, *, is_directory: bool) -> Path:
    if is_directory:
        path.mkdir(0o700)
    else:
        with opening():  # a child that had it open would hold what is written to it
            os.close(os.open(path, _NEW, 0o600))
    return path


def _size_of(directory: str) -> int:
    """Bytes on disk of all files below; what vanishes meanwhile is not counted."""
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
