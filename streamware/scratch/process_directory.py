"""The directory of one process in the scratch directory, for files that must have a name.

It is made when a request first needs it, so after any fork, and removed when no request does.
Meanwhile the process holds a lock on the directory itself (flock(2)), which the kernel drops when
the process ends, even by SIGKILL.  A directory without a lock has lost its process, and the next
`reap` removes it.  No clock, process id or grace period decides that: containers share
directories, but neither pids nor clocks.

Its maker and a reaper may reach for the same new directory.  So the one that gets the lock
checks that the directory still has its name, and a maker that was too late makes another.
"""

from __future__ import annotations

import errno
import logging
import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import RLock
from weakref import finalize

from streamware.errors import ScratchError
from streamware.scratch.directory import (
    BY_DESCRIPTOR,
    ScratchDirectory,
    open_directory,
    prefix,
    user,
)
from streamware.scratch.forks import ForkSafeFd, identity, opening, watch
from streamware.scratch.removal import (
    Reaped,
    noting_errors,
    open_inside,
    remove_empty,
    remove_opened,
    remove_path,
    unlink,
)

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None  # type: ignore[assignment]

_LOCKS = BY_DESCRIPTOR and fcntl is not None

_TRIES = 100  # new directories that reapers may remove before one could be locked

logger = logging.getLogger("streamware")


class ProcessDirectory:
    """The directory of this process in the scratch directory, made when it is first needed.

    It is removed when nothing is left in it, by `close`, and at the end of the process; after a
    SIGKILL by the next `reap`.  Methods may be called from any thread.  On Windows directories
    cannot be locked, and there is no reaping.
    """

    def __init__(self, directory: ScratchDirectory) -> None:
        self._directory = directory  # the one in which it is made
        # Re-entrant: the garbage collector may close a ledger while this thread holds it.
        self._lock = RLock()
        self._making = False  # whether `make_directory` runs, so that it must not be removed
        self._held: _LockedDirectory | _UnlockedDirectory | None = None  # the current one
        self._finalizer: finalize[..., ProcessDirectory] | None = None  # removes it at exit
        watch(self)

    def make_directory(self) -> tuple[str, str]:
        """Make an empty directory that only this user may enter, and return where.

        Returns:
            Its name, which `remove` takes, and its absolute path.

        Raises:
            ScratchError: The scratch directory is not safe, or accepts no directory.
        """
        name = secrets.token_hex(8)
        with opening(), self._lock:
            self._making = True
            try:
                try:
                    held = self._ensure_held()
                    held.make(name)
                except FileNotFoundError:  # it was removed a moment ago
                    held = self._ensure_held()
                    held.make(name)
            except ScratchError:
                raise
            except OSError as error:
                raise self._directory.error(error, "accepts no directory") from error
            finally:
                self._making = False
        return name, str(Path(held.path) / name)

    def remove(self, name: str) -> list[OSError]:
        """Remove a directory that `make_directory` made, with all in it; follow no link.

        Returns:
            The errors, none if the directory is gone.  Another call may succeed.
        """
        reaped = Reaped()
        try:
            with opening(), self._lock:
                held = self._held
                if held is None or held.process != os.getpid():
                    return []
                remove = held.remover(name)
            remove(reaped)
            self._remove_if_empty(held)
        except FileNotFoundError:
            return []
        except OSError as error:
            reaped.errors.append(error)
        return reaped.errors

    def close(self) -> None:
        """Remove the directory of the process with all in it; the next use makes another."""
        with opening(), self._lock:
            self._held = None
            finalizer, self._finalizer = self._finalizer, None
        if finalizer is not None:
            finalizer()

    def forked(self) -> None:
        """Forget the parent's directory without removing it."""
        self._lock = RLock()
        self._making = False
        self._forget()

    def _remove_if_empty(self, held: _LockedDirectory | _UnlockedDirectory) -> None:
        """Remove the directory of the process if nothing is in it.

        Not only at exit: many servers let a signal end them, and then no exit handler runs.
        """
        with opening(), self._lock:
            if held is self._held and not self._making and held.remove_if_empty():
                self._forget()

    def _ensure_held(self) -> _LockedDirectory | _UnlockedDirectory:
        """Return the directory of this process, a new one if it is gone; under the lock."""
        if self._held is not None:
            if self._held.in_place():
                return self._held
            self._forget()
        for _ in range(_TRIES):
            self._held = held = _make(self._directory)
            if held is not None and self._locked(held):
                self._finalizer = finalize(self, held.remove)
                return held
            self._forget()
        problem = f"lost {_TRIES} new directories in a row to a program that removes them"
        raise self._directory.error(OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)), problem)

    def _locked(self, held: _LockedDirectory | _UnlockedDirectory) -> bool:
        try:
            return held.lock()
        except OSError as error:
            held.discard()
            self._forget()
            problem = "accepts no directory that only this user can enter, and that can be locked"
            raise self._directory.error(error, problem) from error

    def _forget(self) -> None:
        held, self._held = self._held, None
        finalizer, self._finalizer = self._finalizer, None
        if finalizer is not None:
            finalizer.detach()
        if held is not None:
            held.close()


def reap(directory: ScratchDirectory | str | os.PathLike[str]) -> Reaped:
    """Remove what processes of this user left in a scratch directory; return the counts and errors.

    The files of a living process remain, and those of other users, even if root calls this.
    Blocks while files are removed.  Never raises.

    Args:
        directory: The scratch directory, or its path.
    """
    reaped = Reaped()
    opened = (
        directory
        if isinstance(directory, ScratchDirectory)
        else ScratchDirectory(os.fspath(directory), source="to be reaped")
    )
    try:
        if _LOCKS:
            _reap(opened, reaped)
    except OSError as error:  # a ScratchError is one too
        reaped.errors.append(error)
    finally:
        if opened is not directory:
            opened.close()
    return reaped


def _reap(scratch_directory: ScratchDirectory, reaped: Reaped) -> None:
    # A descriptor of its own, because reading a directory moves its offset.
    directory = ForkSafeFd(lambda: open_directory(".", dir_fd=scratch_directory.descriptor()))
    try:
        with opening():  # the listing opens a descriptor
            names = os.listdir(directory.number)  # noqa: PTH208 - by descriptor
        for name in names:
            if name.startswith(prefix()):
                with noting_errors(reaped):
                    _reap_one(name, directory.number, reaped)
    finally:
        directory.close()


def _reap_one(name: str, directory: int, reaped: Reaped) -> None:
    status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    if status.st_uid != user():
        return
    if stat.S_ISREG(status.st_mode):  # its process ended before it unlinked it
        unlink(name, directory, reaped)
    elif stat.S_ISDIR(status.st_mode):
        dead = ForkSafeFd(lambda: open_inside(name, directory))
        try:
            if _try_lock(dead.number):
                # If another reaper was faster, this is a FileNotFoundError.
                there = os.stat(name, dir_fd=directory, follow_symlinks=False)
                if identity(there) == dead.identity:
                    reaped.directories += remove_opened(dead.number, name, reaped)
        finally:
            dead.close()


def _try_lock(descriptor: int) -> bool:
    """Lock a directory; return False if a process holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class _LockedDirectory:
    """The directory of a process, as a descriptor with a lock on it."""

    def __init__(self, fd: ForkSafeFd, name: str, path: str) -> None:
        self.name = name
        self.path = path
        self.process = os.getpid()
        self._fd = fd

    @property
    def descriptor(self) -> int:
        return self._fd.number

    def lock(self) -> bool:
        """Lock it; return False if a reaper came first."""
        status = os.fstat(self.descriptor)
        if status.st_uid != user() or stat.S_IMODE(status.st_mode) & 0o777 != 0o700:
            mode = f"{stat.S_IMODE(status.st_mode):04o}"
            text = f"a new one belongs to uid {status.st_uid} and has mode {mode}"
            raise OSError(errno.EPERM, text)
        return _try_lock(self.descriptor) and self.in_place()

    def in_place(self) -> bool:
        """Return whether this process holds it, and its path still leads to it.

        Raises an OSError if that is not known: to close it then would leave the files of other
        requests to the reapers.
        """
        try:
            there = os.stat(self.path, follow_symlinks=False)  # noqa: PTH116 - beside fstat
        except (FileNotFoundError, NotADirectoryError):
            return False
        held = self.process == os.getpid() and self._fd.is_open()
        return held and identity(there) == self._fd.identity

    def make(self, name: str) -> None:
        os.mkdir(name, 0o700, dir_fd=self.descriptor)

    def remover(self, name: str) -> Callable[[Reaped], None]:
        """Open a directory in it; return a function that removes and closes that one."""
        directory = ForkSafeFd(lambda: open_inside(name, self.descriptor))

        def remove(reaped: Reaped) -> None:
            try:
                remove_opened(directory.number, name, reaped)
            finally:
                directory.close()

        return remove

    def remove_if_empty(self) -> bool:
        """Remove it if it is empty; return whether it was."""
        return self._fd.is_open() and remove_empty(f"../{self.name}", self.descriptor)

    def remove(self) -> None:
        """Remove and close it, with all in it, in the process that made it."""
        if self.process != os.getpid() or not self._fd.is_open():
            return
        reaped = Reaped()
        with noting_errors(reaped):
            remove_opened(self.descriptor, self.name, reaped)
        self.close()
        _log_errors(reaped)

    def discard(self) -> None:
        """Remove it while it is empty and not locked."""
        with suppress(OSError):
            os.rmdir(f"../{self.name}", dir_fd=self.descriptor)

    def close(self) -> None:
        """Close it, and so release the lock."""
        with suppress(OSError):  # it is closed anyway
            self._fd.close()


class _UnlockedDirectory:
    """As `_LockedDirectory`, where directories can be neither opened nor locked (Windows)."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.process = os.getpid()

    def lock(self) -> bool:
        return True

    def in_place(self) -> bool:
        return self.process == os.getpid() and Path(self.path).is_dir()

    def make(self, name: str) -> None:
        (Path(self.path) / name).mkdir(mode=0o700)

    def remover(self, name: str) -> Callable[[Reaped], None]:
        return partial(remove_path, str(Path(self.path) / name))

    def remove_if_empty(self) -> bool:
        try:
            Path(self.path).rmdir()
        except OSError:
            return False
        return True

    def remove(self) -> None:
        if self.process == os.getpid():
            reaped = Reaped()
            remove_path(self.path, reaped)
            _log_errors(reaped)

    def discard(self) -> None:
        pass

    def close(self) -> None:
        pass


def _make(directory: ScratchDirectory) -> _LockedDirectory | _UnlockedDirectory | None:
    """Make and return a directory that is not locked yet; None if a reaper was faster."""
    name = prefix() + secrets.token_hex(8)
    path = str(Path(directory.path) / name)
    if not _LOCKS:
        directory.verify()
        Path(path).mkdir(mode=0o700)
        return _UnlockedDirectory(path)
    parent = directory.descriptor()
    try:
        os.mkdir(name, 0o700, dir_fd=parent)
    except (FileNotFoundError, FileExistsError):
        return None
    try:
        return _LockedDirectory(ForkSafeFd(lambda: open_directory(name, dir_fd=parent)), name, path)
    except OSError as error:
        with suppress(OSError):
            os.rmdir(name, dir_fd=parent)
        if isinstance(error, FileNotFoundError):
            return None
        raise


def _log_errors(reaped: Reaped) -> None:
    for error in reaped.errors:
        logger.warning("scratch that could not be removed: %s", error)
