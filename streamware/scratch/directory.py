"""Place: the directory that scratch goes to, verified before anything is put in it.

Whoever may rename or replace what is in the directory can read or swap the files of a request, so
it must be a directory of ours or of root, reached without a link, and not open to others unless
it is sticky.  Everything goes through one descriptor of it: what is verified is what is used.

Files have no name wherever that can be had (O_TMPFILE): the kernel gives their bytes back when
their last descriptor is closed, by whatever end the process comes to.
"""

from __future__ import annotations

import errno
import logging
import os
import secrets
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Literal

from streamware.errors import ScratchError
from streamware.scratch import mount
from streamware.scratch.forks import identity, opening, still, watch

VARIABLE = "STREAMWARE_SCRATCH_DIR"
KEEP_FREE_BYTES = 2**30
KEEP_FREE_FILES = 1000
_SHARE = 20  # one part in so many is kept free, up to the above

BY_DESCRIPTOR = hasattr(os, "O_DIRECTORY") and os.supports_dir_fd.issuperset(
    (os.open, os.mkdir, os.stat, os.unlink, os.rmdir, os.rename)
)
"""Whether directories can be opened, and worked in by descriptor; not on Windows."""

_DIRECTORY = (
    os.O_RDONLY
    | getattr(os, "O_DIRECTORY", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
)
_FILE = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_UNNAMED = getattr(os, "O_TMPFILE", 0)
# What kernels and file systems without O_TMPFILE answer; open(2).  Nothing else may lead to a
# name: not a full disk, not a lack of descriptors.
_NO_UNNAMED = (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT)

_log = logging.getLogger("streamware")
_told: set[tuple[int, int]] = set()  # directories whose kind this process has logged


class ScratchDirectory:
    """The directory that scratch goes to.

    Nothing is looked at until it is needed.  Methods may be called from any thread.  Of one host
    only: whether anybody still holds a directory in it is known by locks, which some network
    file systems do not tell to other hosts.

    Args:
        directory: Where; None is /var/tmp, on Windows the user's own temporary directory.  Never
            `tempfile.gettempdir()`, which silently moves to another when its first is full, and
            is often memory.
        memory_backed: "warn" in the log, or "refuse", where it is memory (tmpfs, ramfs).
        keep_free_bytes: Bytes left free on its file system; None is 5 %, at most 1 GiB.
        source: What named the directory, for messages.

    Attributes:
        path: Absolute, with no link resolved.
    """

    def __init__(
        self,
        directory: str | None,
        *,
        memory_backed: Literal["warn", "refuse"] = "warn",
        keep_free_bytes: int | None = None,
        source: str | None = None,
    ) -> None:
        if directory == "":
            raise ValueError("the scratch directory must have a name: '' is none")
        # Without a slash at its end: open(2) follows a link that has one.
        self.path = str(Path(os.path.abspath(_default() if directory is None else directory)))  # noqa: PTH100 - resolve() follows links
        self._named = f"the scratch directory {self.path} ({source or _source(directory)})"
        self._memory_backed = memory_backed
        self._keep_free_bytes = keep_free_bytes
        self._descriptor = -1
        self._identity = (0, 0)
        self._kind: mount.Kind | None = None
        self._lock = Lock()
        watch(self)

    def verify(self) -> None:
        """Make sure that the directory is safe and can be written to; idempotent.

        Raises:
            ScratchError: It is not; the message names the setting and the remedy.
        """
        if BY_DESCRIPTOR:
            self.descriptor()
        else:
            self._verify_by_path()

    def kind(self) -> mount.Kind:
        """What the directory is on; "overlay" may be either, and cannot be told.

        Raises:
            ScratchError: It is not safe.
        """
        self.verify()
        return self._kind or "unknown"

    def descriptor(self) -> int:
        """A descriptor of the directory, for as long as the place is open; not to be closed.

        Opened and verified at the first call, and again when the directory was removed or
        replaced.  The number stays the same, so that a thread that has just been given it works
        in the old directory or in the new one, never in something else.

        Raises:
            ScratchError: It is not safe, or gone.
        """
        if self._in_place():
            return self._descriptor
        with opening(), self._lock:
            if self._in_place():
                return self._descriptor
            fresh = self._opened()
            try:
                self._verify(fresh)
                found = identity(os.fstat(fresh))
                if self._open():
                    os.dup2(fresh, self._descriptor, inheritable=False)
                else:
                    self._descriptor, fresh = fresh, -1
                self._identity = found
            except ScratchError:
                raise
            except OSError as error:
                raise self.error(error, "cannot be verified") from error
            finally:
                _close(fresh)
            return self._descriptor

    def open_unnamed(self) -> int:
        """Make a file without a name: a descriptor to read and write, which the caller closes.

        Its bytes are free again when its last descriptor is closed, at SIGKILL too.  Without
        O_TMPFILE it has a name for a moment, which `reap` knows.

        Raises:
            ScratchError: There is no directory, no room or no descriptor to be had.
        """
        if not BY_DESCRIPTOR:
            return self._open_temporary()
        try:
            try:
                return _open_unnamed(self.descriptor())
            except (FileNotFoundError, PermissionError):
                if self._in_place():
                    raise
                return _open_unnamed(self.descriptor())  # it was removed a moment ago
        except ScratchError:
            raise
        except OSError as error:
            raise self.error(error, "takes no file") from error

    def open_host_lock_file(self) -> int:
        """Open the file whose byte locks are the budget of the host; the caller closes it.

        Raises:
            ScratchError: It cannot be opened, or is not a file of ours alone.
        """
        if not BY_DESCRIPTOR:
            raise self._error(
                errno.ENOTSUP, "has no lock file for the host budget on this system", _ANOTHER
            )
        name = f".streamware-budget-{user()}"
        try:
            # O_NONBLOCK: a fifo that somebody put there must not hold us up.
            ledger = os.open(name, _FILE | os.O_NONBLOCK, 0o600, dir_fd=self.descriptor())
        except ScratchError:
            raise
        except OSError as error:
            raise self.error(error, f"does not let us open {name} in it") from error
        try:
            self._verify_lock_file(ledger, name)
        except BaseException as error:
            _close(ledger)
            if isinstance(error, OSError) and not isinstance(error, ScratchError):
                raise self.error(error, f"does not let us look at {name} in it") from error
            raise
        return ledger

    def check_room(self, size: int) -> str | None:
        """Whether `size` more bytes, and one more file, leave free what is to be kept free.

        A look, not a reservation: another process may take the room in between.

        Returns:
            None, or why there is no room.

        Raises:
            ScratchError: There is no directory.
        """
        if not BY_DESCRIPTOR:
            self._verify_by_path()
            room = shutil.disk_usage(self.path)
            return self._short_of_bytes(size, room.free, room.total)
        if self._descriptor < 0:
            self.descriptor()
        # Of the descriptor, whatever has become of the directory: its open files go on.
        try:
            status = os.fstatvfs(self._descriptor)
        except OSError as error:
            raise self.error(error, "does not say how full it is") from error
        # A ramfs has no size (f_blocks 0), btrfs and FAT have no limit of inodes (f_files 0).
        # f_bavail and f_favail: what is free for us, not for root.
        block, files = status.f_frsize or status.f_bsize, status.f_files
        keep = min(files // _SHARE, KEEP_FREE_FILES)
        if files and status.f_favail - 1 < keep:
            return (
                f"no room for another scratch file: {self._named} has {status.f_favail:,} of"
                f" {files:,} inodes free, and {keep:,} are kept free"
            )
        if not status.f_blocks:
            return None
        return self._short_of_bytes(size, status.f_bavail * block, status.f_blocks * block)

    def error(self, error: OSError, problem: str) -> ScratchError:
        """What the system says, with the directory, its setting and how full it is."""
        text = f"{self._named} {problem}: {error.strerror or error}{self._use()}"
        return ScratchError(error.errno, text)

    def close(self) -> None:
        """Close the directory, once no thread works in it; the next use opens it again.

        Idempotent.
        """
        with self._lock:
            if self._open():
                _close(self._descriptor)
            self._descriptor = -1

    def forked(self) -> None:
        """Drop the parent's descriptor."""
        self._lock = Lock()
        self.close()

    def _open(self) -> bool:
        return still(self._descriptor, self._identity)

    def _in_place(self) -> bool:
        """Whether the open directory is still the one of that path."""
        if not self._open():
            return False
        try:
            there = os.stat(self.path, follow_symlinks=False)  # noqa: PTH116 - beside fstat
        except OSError:
            return False
        return identity(there) == self._identity

    def _opened(self) -> int:
        try:
            return open_directory(self.path)
        except (OSError, ValueError) as error:
            number = getattr(error, "errno", None) or errno.EINVAL
            raise self._error(number, *_not_opened(self.path, error)) from error

    def _verify(self, descriptor: int) -> None:
        """Raise unless the open directory is safe, can be written to and is on what it should."""
        status = os.fstat(descriptor)
        if status.st_uid not in (user(), 0):
            problem = f"belongs to uid {status.st_uid}, not to uid {user()} of this process or root"
            raise self._error(errno.EPERM, problem, _OWN)
        if _open_to_others(status.st_mode, stat.S_IWGRP | stat.S_IWOTH):
            mode = f"{stat.S_IMODE(status.st_mode):04o}"
            problem = f"can be written to by others (mode {mode}) and is not sticky"
            raise self._error(errno.EPERM, problem, f"{_STICKY}, or chmod go-w it")
        above = _parent(descriptor)
        if above is not None and _open_to_others(above.st_mode, stat.S_IWOTH):
            problem = "lies in one that everybody can write to and that is not sticky"
            raise self._error(errno.EPERM, problem, f"the one above it: {_STICKY}")
        if not _writable(descriptor):
            read_only = os.fstatvfs(descriptor).f_flag & os.ST_RDONLY
            problem = f"cannot be written to by uid {user()} of this process"
            problem = "is on a file system that is mounted read-only" if read_only else problem
            raise self._error(errno.EROFS if read_only else errno.EACCES, problem, _OWN)
        self._verify_kept(os.fstatvfs(descriptor))
        self._verify_kind(descriptor)

    def _verify_kept(self, room: os.statvfs_result) -> None:
        keep, total = self._keep_free_bytes or 0, room.f_blocks * (room.f_frsize or room.f_bsize)
        if total and keep > total:
            raise self._error(
                errno.EINVAL,
                f"is on a file system of {total:,} bytes, of which {keep:,} are to be kept free",
                "lower Settings.keep_free_bytes, or STREAMWARE_KEEP_FREE_BYTES",
            )

    def _verify_kind(self, descriptor: int) -> None:
        system = mount.file_system(descriptor)
        self._kind = mount.kind(system)
        problem = f"is on {system}, which is memory"
        if self._kind == "memory" and self._memory_backed == "refuse":
            raise self._error(errno.EPERM, f"{problem}, refused by Settings.memory_backed", _DISK)
        found = identity(os.fstat(descriptor))
        if found in _told:
            return
        _told.add(found)
        if self._kind == "memory":
            _log.warning("%s %s: %s", self._named, problem, _DISK)
        elif self._kind == "overlay":
            _log.info("%s is on an overlay: disk or memory, it cannot be told", self._named)

    def _verify_lock_file(self, ledger: int, name: str) -> None:
        status = os.fstat(ledger)
        ours = stat.S_ISREG(status.st_mode) and status.st_uid == user()
        if not ours or status.st_nlink != 1:
            raise self._error(errno.EPERM, f"holds a {name} that is not ours alone", _ANOTHER)
        if stat.S_IMODE(status.st_mode) != 0o600:
            os.fchmod(ledger, 0o600)

    def _verify_by_path(self) -> None:
        """The same as far as it goes where directories cannot be opened."""
        try:
            status = os.lstat(self.path)
            if not stat.S_ISDIR(status.st_mode):
                raise NotADirectoryError(errno.ENOTDIR, "")
        except (OSError, ValueError) as error:
            number = getattr(error, "errno", None) or errno.EINVAL
            raise self._error(number, *_not_opened(self.path, error)) from error
        if not os.access(self.path, os.W_OK):
            raise self._error(errno.EACCES, "cannot be written to", _OWN)

    def _open_temporary(self) -> int:
        self._verify_by_path()
        try:
            with tempfile.TemporaryFile(dir=self.path) as file:
                # Deleted when its last handle is closed, and this one is another.
                return os.dup(file.fileno())
        except OSError as error:
            raise self.error(error, "takes no file") from error

    def _short_of_bytes(self, size: int, free: int, total: int) -> str | None:
        keep = self._keep_free_bytes
        if keep is None:
            keep = min(total // _SHARE, KEEP_FREE_BYTES)
        if free - size >= keep:
            return None
        return (
            f"no room for {size:,} bytes of scratch: {self._named} has {free:,} of {total:,} bytes"
            f" free, and {keep:,} are kept free (Settings.keep_free_bytes, or"
            " STREAMWARE_KEEP_FREE_BYTES)"
        )

    def _use(self) -> str:
        try:
            room = os.fstatvfs(self._descriptor)
        except (AttributeError, OSError):  # not open, or not on this system
            return ""
        block = room.f_frsize or room.f_bsize
        text = f"; {room.f_bavail * block:,} of {room.f_blocks * block:,} bytes"
        inodes = f" and {room.f_favail:,} of {room.f_files:,} inodes" if room.f_files else ""
        return f"{text}{inodes} are free"

    def _error(self, number: int, problem: str, remedy: str) -> ScratchError:
        return ScratchError(number, f"{self._named} {problem}: {remedy}")


_ANOTHER = f"set Settings.scratch_dir or {VARIABLE} to another"
_OWN = f"{_ANOTHER}, of this process's user and with mode 0700"
_DISK = f"{_ANOTHER}, on a disk"
_STICKY = "chmod +t it (a Kubernetes emptyDir comes without)"


def user() -> int:
    """The effective user id; 0 where there are none."""
    return os.geteuid() if hasattr(os, "geteuid") else 0


def prefix() -> str:
    """How every name of this user in a scratch directory begins."""
    return f"streamware-{user()}-"


def open_directory(name: str, *, dir_fd: int | None = None) -> int:
    """Open a directory, following no link in the last part of its name."""
    return os.open(name, _DIRECTORY, dir_fd=dir_fd)


def _close(descriptor: int) -> None:
    """Close a descriptor, if it is one; it is closed even where close(2) reports an error."""
    if descriptor >= 0:
        with suppress(OSError):
            os.close(descriptor)


def _default() -> str:
    if os.name != "nt":
        return "/var/tmp"  # noqa: S108 - verified; and on disk, where /tmp is often memory
    local = os.environ.get("LOCALAPPDATA") or os.path.expanduser(r"~\AppData\Local")  # noqa: PTH111 - never raises
    return os.path.join(local, "Temp")  # noqa: PTH118 - of the system that is asked, in tests too


def _source(directory: str | None) -> str:
    if directory is None:
        return "the default"
    told = os.environ.get(VARIABLE, "").strip()
    return VARIABLE if told and os.path.abspath(told) == directory else "Settings.scratch_dir"  # noqa: PTH100 - as Settings does


def _not_opened(path: str, error: Exception) -> tuple[str, str]:
    """Why a directory could not be opened, and what to do."""
    if isinstance(error, FileNotFoundError):
        return "does not exist", f"make it, or {_OWN}"
    if isinstance(error, NotADirectoryError) or getattr(error, "errno", 0) == errno.ELOOP:
        if Path(path).is_symlink():
            return "is a symbolic link", "name the directory that it leads to"
        return "is not a directory", _OWN
    problem = (getattr(error, "strerror", None) or str(error)).lower()
    return f"cannot be opened ({problem})", _OWN


def _open_to_others(mode: int, bits: int) -> bool:
    return bool(mode & bits) and not mode & stat.S_ISVTX


def _parent(descriptor: int) -> os.stat_result | None:
    """The directory above, whatever path leads to it; None where we may not look."""
    try:
        return os.stat("..", dir_fd=descriptor)
    except PermissionError:  # nor write, then, which is told next
        return None


def _writable(descriptor: int) -> bool:
    mode = os.R_OK | os.W_OK | os.X_OK
    effective = os.access in os.supports_effective_ids
    return os.access(".", mode, dir_fd=descriptor, effective_ids=effective)


def _open_unnamed(directory: int) -> int:
    if _UNNAMED:
        try:
            # O_EXCL: nobody can give it a name later, either.
            flags = _UNNAMED | os.O_RDWR | os.O_EXCL | os.O_CLOEXEC
            return os.open(".", flags, 0o600, dir_fd=directory)
        except OSError as error:
            if error.errno not in _NO_UNNAMED:
                raise
    name = prefix() + secrets.token_hex(16)
    file = os.open(name, _FILE | os.O_EXCL, 0o600, dir_fd=directory)
    try:
        with suppress(FileNotFoundError):  # a reaper was faster
            os.unlink(name, dir_fd=directory)
    except BaseException:
        os.close(file)
        raise
    return file
