"""Home: the directory of one process in the place, for scratch that must have a name.

It is made when a request needs it, so after any fork, and removed when none does.  Meanwhile it
is held by a lock on the directory itself (flock(2)), which the kernel drops when the process
ends, however it ends.  What is there and not locked belongs to nobody and is taken by the next
`reap`: no clock, no process id and no grace period is asked, each of which is wrong for somebody
(containers share directories, not pids).

Two may come to the same directory, its maker and a reaper, so whoever has the lock looks again
whether the directory is still the one of that name.  A maker that is late makes another.
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
    open_inside,
    remove_empty,
    remove_opened,
    remove_path,
    told_to,
    unlink,
)

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None  # type: ignore[assignment]

_LOCKS = BY_DESCRIPTOR and fcntl is not None

_TRIES = 100  # at a directory that reapers take before we have locked it

_log = logging.getLogger("streamware")


class ProcessDirectory:
    """The directory of this process in a place; nothing is made until it is needed.

    Removed when nothing is left in it, by `close`, and at the end of the process; after a SIGKILL
    by whoever calls `reap` next.  Methods may be called from any thread.  Where
    directories cannot be locked (Windows) they are not, and nobody reaps.
    """

    def __init__(self, place: ScratchDirectory) -> None:
        self._place = place
        # Entered again where the garbage collector closes a ledger while we make a directory.
        self._lock = RLock()
        self._making = False
        self._held: _LockedDirectory | _UnlockedDirectory | None = None
        self._end: finalize[..., ProcessDirectory] | None = None
        watch(self)

    def make_directory(self) -> tuple[str, str]:
        """Make an empty directory that only this user may enter.

        Returns:
            Its name, for `remove`, and its absolute path.

        Raises:
            ScratchError: The place is not safe, or takes no directory.
        """
        name = secrets.token_hex(8)
        with opening(), self._lock:
            self._making = True
            try:
                try:
                    held = self._dwelling()
                    held.make(name)
                except FileNotFoundError:  # removed underfoot, a moment ago
                    held = self._dwelling()
                    held.make(name)
            except ScratchError:
                raise
            except OSError as error:
                raise self._place.error(error, "takes no directory") from error
            finally:
                self._making = False
        return name, str(Path(held.path) / name)

    def remove(self, name: str) -> list[OSError]:
        """Remove a directory that `make_directory` made, with all in it; follows no link.

        Returns:
            What is in the way; nothing when the directory is gone.  Worth another try.
        """
        reaped = Reaped()
        try:
            with opening(), self._lock:
                held = self._held
                if held is None or held.process != os.getpid():
                    return []
                remove = held.remover(name)
            remove(reaped)
            self._vacate(held)
        except FileNotFoundError:
            return []
        except OSError as error:
            reaped.errors.append(error)
        return reaped.errors

    def close(self) -> None:
        """Remove the directory of the process with all in it; the next use makes another."""
        with opening(), self._lock:
            self._held = None
            end, self._end = self._end, None
        if end is not None:
            end()

    def forked(self) -> None:
        """Let go of the parent's directory, and leave it alone."""
        self._lock = RLock()
        self._making = False
        self._leave()

    def _vacate(self, held: _LockedDirectory | _UnlockedDirectory) -> None:
        """Remove the directory of the process once nothing is in it.

        For many servers end by the signal itself, which runs nothing at exit.
        """
        with opening(), self._lock:
            if held is self._held and not self._making and held.vacated():
                self._leave()

    def _dwelling(self) -> _LockedDirectory | _UnlockedDirectory:
        """The directory of this process, where it still is, else a new one; under the lock."""
        if self._held is not None:
            if self._held.in_place():
                return self._held
            self._leave()
        for _ in range(_TRIES):
            self._held = held = _made(self._place)
            if held is not None and self._locked(held):
                self._end = finalize(self, held.end)
                return held
            self._leave()
        problem = f"lost {_TRIES} new directories in a row to something that removes them"
        raise self._place.error(OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)), problem)

    def _locked(self, held: _LockedDirectory | _UnlockedDirectory) -> bool:
        try:
            return held.lock()
        except OSError as error:
            held.discard()
            self._leave()
            problem = "takes no directory that is ours alone and locked"
            raise self._place.error(error, problem) from error

    def _leave(self) -> None:
        held, self._held = self._held, None
        end, self._end = self._end, None
        if end is not None:
            end.detach()
        if held is not None:
            held.leave()


def reap(place: ScratchDirectory | str | os.PathLike[str]) -> Reaped:
    """Remove what processes of this user left behind in a place; never raises.

    What a living process holds stays, as does what belongs to another user, even when root asks.
    Blocks while files are removed.

    Args:
        place: The place, or the path of one.
    """
    reaped = Reaped()
    ours = (
        place
        if isinstance(place, ScratchDirectory)
        else ScratchDirectory(os.fspath(place), source="to be reaped")
    )
    try:
        if _LOCKS:
            _reap(ours, reaped)
    except OSError as error:  # a ScratchError is one, too
        reaped.errors.append(error)
    finally:
        if ours is not place:
            ours.close()
    return reaped


def _reap(place: ScratchDirectory, reaped: Reaped) -> None:
    # A descriptor of its own, because reading a directory moves its offset.
    directory = ForkSafeFd(lambda: open_directory(".", dir_fd=place.descriptor()))
    try:
        with opening():  # the listing has a descriptor of its own
            names = os.listdir(directory.number)  # noqa: PTH208 - by descriptor
        for name in names:
            if name.startswith(prefix()):
                with told_to(reaped):
                    _reap_one(name, directory.number, reaped)
    finally:
        directory.close()


def _reap_one(name: str, directory: int, reaped: Reaped) -> None:
    status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    if status.st_uid != user():
        return
    if stat.S_ISREG(status.st_mode):  # on its way to having no name
        unlink(name, directory, reaped)
    elif stat.S_ISDIR(status.st_mode):
        dead = ForkSafeFd(lambda: open_inside(name, directory))
        try:
            if _claimed(dead.number):
                # Still there, or has another reaper been faster?  That is a FileNotFoundError.
                there = os.stat(name, dir_fd=directory, follow_symlinks=False)
                if identity(there) == dead.identity:
                    reaped.directories += remove_opened(dead.number, name, reaped)
        finally:
            dead.close()


def _claimed(descriptor: int) -> bool:
    """Lock a directory, unless somebody holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class _LockedDirectory:
    """The directory of a process as a descriptor with a lock on it."""

    def __init__(self, kept: ForkSafeFd, name: str, path: str) -> None:
        self.name = name
        self.path = path
        self.process = os.getpid()
        self._kept = kept

    @property
    def descriptor(self) -> int:
        return self._kept.number

    def lock(self) -> bool:
        """Whether it is ours alone now; not when a reaper has come first."""
        status = os.fstat(self.descriptor)
        if status.st_uid != user() or stat.S_IMODE(status.st_mode) & 0o777 != 0o700:
            number, mode = errno.EPERM, f"{stat.S_IMODE(status.st_mode):04o}"
            raise OSError(number, f"a new one belongs to uid {status.st_uid} and has mode {mode}")
        return _claimed(self.descriptor) and self.in_place()

    def in_place(self) -> bool:
        """Whether it is held by this process, and still the one of its path.

        Raises an OSError where that cannot be told: whoever let go of it then would leave the
        files of other requests to the reapers.
        """
        try:
            there = os.stat(self.path, follow_symlinks=False)  # noqa: PTH116 - beside fstat
        except (FileNotFoundError, NotADirectoryError):
            return False
        ours = self.process == os.getpid() and self._kept.is_open()
        return ours and identity(there) == self._kept.identity

    def make(self, name: str) -> None:
        os.mkdir(name, 0o700, dir_fd=self.descriptor)

    def remover(self, name: str) -> Callable[[Reaped], None]:
        """Open a directory in it; what is returned removes and closes it, held or not."""
        directory = ForkSafeFd(lambda: open_inside(name, self.descriptor))

        def remove(reaped: Reaped) -> None:
            try:
                remove_opened(directory.number, name, reaped)
            finally:
                directory.close()

        return remove

    def vacated(self) -> bool:
        """Remove it if it is empty; whether it was."""
        return self._kept.is_open() and remove_empty(f"../{self.name}", self.descriptor)

    def end(self) -> None:
        """Remove it with all in it and let go of it, in the process that made it."""
        if self.process != os.getpid() or not self._kept.is_open():
            return
        reaped = Reaped()
        with told_to(reaped):
            remove_opened(self.descriptor, self.name, reaped)
        self.leave()
        _tell(reaped)

    def discard(self) -> None:
        """Remove it, empty and not locked as it is."""
        with suppress(OSError):
            os.rmdir(f"../{self.name}", dir_fd=self.descriptor)

    def leave(self) -> None:
        """Let go of it, and so of the lock."""
        with suppress(OSError):  # it is closed all the same
            self._kept.close()


class _UnlockedDirectory:
    """The same where directories can be neither opened nor locked (Windows)."""

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

    def vacated(self) -> bool:
        try:
            Path(self.path).rmdir()
        except OSError:
            return False
        return True

    def end(self) -> None:
        if self.process == os.getpid():
            reaped = Reaped()
            remove_path(self.path, reaped)
            _tell(reaped)

    def discard(self) -> None:
        pass

    def leave(self) -> None:
        pass


def _made(place: ScratchDirectory) -> _LockedDirectory | _UnlockedDirectory | None:
    """A new directory in the place, not locked yet; None where a reaper was faster."""
    name = prefix() + secrets.token_hex(8)
    path = str(Path(place.path) / name)
    if not _LOCKS:
        place.verify()
        Path(path).mkdir(mode=0o700)
        return _UnlockedDirectory(path)
    parent = place.descriptor()
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


def _tell(reaped: Reaped) -> None:
    for error in reaped.errors:
        _log.warning("scratch that could not be removed: %s", error)
