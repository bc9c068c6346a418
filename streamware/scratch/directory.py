"""The scratch directory, verified before any file is put in it.

A user who may rename or replace entries of the directory can read or swap the files of a request.
So it must belong to this user or to root, be reached without a link, and be sticky if others can
write to it.  All work goes through one descriptor of it: what is verified is what is used.

Files have no name where the system allows it (O_TMPFILE): the kernel frees their bytes when the
last descriptor is closed, even if the process is killed.
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
from streamware.settings import setting

VARIABLE = "STREAMWARE_SCRATCH_DIR"
KEEP_FREE_BYTES = 2**30  # kept free at most
KEEP_FREE_FILES = 1000  # kept free at most
_KEPT_PART = 20  # 1 / 20 of the file system is kept free, up to the above

BY_DESCRIPTOR = hasattr(os, "O_DIRECTORY") and os.supports_dir_fd.issuperset(
    (os.open, os.mkdir, os.stat, os.unlink, os.rmdir, os.rename)
)
"""Whether a directory can be opened and used by its descriptor; not on Windows."""

_DIRECTORY = (
    os.O_RDONLY
    | getattr(os, "O_DIRECTORY", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
)
_FILE = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_UNNAMED = getattr(os, "O_TMPFILE", 0)
# The errors of kernels and file systems without O_TMPFILE; open(2).  After any other, such as a
# full disk or a lack of descriptors, no file with a name is tried.
_NO_UNNAMED = (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT)

logger = logging.getLogger("streamware")
_logged: set[tuple[int, int]] = set()  # directories whose kind this process has logged


class ScratchDirectory:
    """The directory for scratch files.

    It is opened when it is first needed.  Methods may be called from any thread.  Only processes
    of one host may share it: locks show which process directories are in use, and some network
    file systems do not show them to other hosts.

    Args:
        directory: Its path; None is /var/tmp, on Windows the user's own temporary directory.  Not
            `tempfile.gettempdir()`, which silently moves elsewhere when its first choice is full,
            and is often memory.
        memory_backed: Whether to "warn" in the log or to "refuse" if it is memory (tmpfs, ramfs).
        keep_free_bytes: Bytes left free on its file system; None is 5 %, at most 1 GiB.
        source: The setting that named it, for messages.
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
            raise ValueError("the scratch directory must have a name, not ''")
        # Absolute, with no link resolved, and no slash at its end, with which open(2) follows one.
        self.path = str(Path(os.path.abspath(_default() if directory is None else directory)))  # noqa: PTH100 - resolve() follows links
        # How messages start.
        self._named = f"the scratch directory {self.path} ({source or _source(directory)})"
        self._memory_backed = memory_backed  # "warn" or "refuse"
        self._keep_free_bytes = keep_free_bytes  # None: a part of the file system
        self._descriptor = -1  # of the verified directory; see `descriptor`
        self._identity = (0, 0)  # of that directory: its device and inode
        self._lock = Lock()  # held while it is opened and verified
        watch(self)

    def verify(self) -> None:
        """Raise unless the directory is safe and can be written to; idempotent.

        Raises:
            ScratchError: It is not; the message names the setting and the remedy.
        """
        if BY_DESCRIPTOR:
            self.descriptor()
        else:
            self._verify_by_path()

    def descriptor(self) -> int:
        """Return a descriptor of the directory, valid until `close`; the caller must not close it.

        The first call opens and verifies the directory, and so does the next one after it was
        removed or replaced.  The number stays the same, so that a thread which was just given it
        works in the old directory or in the new one, never in another file.

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
        """Return a descriptor of a new file without a name, which the caller closes.

        The kernel frees its bytes when its last descriptor is closed, even by SIGKILL.  Without
        O_TMPFILE it has a name for a moment, which `reap` recognises.

        Raises:
            ScratchError: There is no directory, no room or no descriptor.
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
            raise self.error(error, "accepts no file") from error

    def open_host_lock_file(self) -> int:
        """Return a descriptor of the file whose locks are the host budget; the caller closes it.

        Raises:
            ScratchError: It cannot be opened, or other users may have access to it.
        """
        if not BY_DESCRIPTOR:
            raise self._error(
                errno.ENOTSUP, "has no lock file for the host budget on this system", _ANOTHER
            )
        name = f".streamware-budget-{user()}"
        try:
            # O_NONBLOCK: a fifo that another user made there must not block this thread.
            lock_file = os.open(name, _FILE | os.O_NONBLOCK, 0o600, dir_fd=self.descriptor())
        except ScratchError:
            raise
        except OSError as error:
            raise self.error(error, f"does not allow opening {name} in it") from error
        try:
            self._verify_lock_file(lock_file, name)
        except BaseException as error:
            _close(lock_file)
            if isinstance(error, OSError) and not isinstance(error, ScratchError):
                raise self.error(error, f"does not allow checking {name} in it") from error
            raise
        return lock_file

    def check_room(self, size: int) -> str | None:
        """Return why there is no room for `size` more bytes and one more file; None if there is.

        This reserves nothing: another process may take the room in the meantime.

        Raises:
            ScratchError: There is no directory.
        """
        if not BY_DESCRIPTOR:
            self._verify_by_path()
            room = shutil.disk_usage(self.path)
            return self._short_of_bytes(size, room.free, room.total)
        if self._descriptor < 0:
            self.descriptor()
        # By the descriptor, even if the directory was removed: open files can still grow.
        try:
            status = os.fstatvfs(self._descriptor)
        except OSError as error:
            raise self.error(error, "does not report how full it is") from error
        # A ramfs has no size (f_blocks 0), btrfs and FAT have no limit of inodes (f_files 0).
        # f_bavail and f_favail: what is free for users other than root.
        block, files = status.f_frsize or status.f_bsize, status.f_files
        keep = min(files // _KEPT_PART, KEEP_FREE_FILES)
        if files and status.f_favail - 1 < keep:
            return (
                f"no room for another scratch file: {self._named} has {status.f_favail:,} of"
                f" {files:,} inodes free, and {keep:,} are kept free: remove files, or {_ANOTHER}"
            )
        if not status.f_blocks:
            return None
        return self._short_of_bytes(size, status.f_bavail * block, status.f_blocks * block)

    def error(self, error: OSError, problem: str) -> ScratchError:
        """Return an error that names the directory, its setting, the cause and how full it is."""
        text = f"{self._named} {problem}: {error.strerror or error}"
        with suppress(AttributeError, OSError):  # not on this system, or not open
            room = os.fstatvfs(self._descriptor)
            block = room.f_frsize or room.f_bsize
            inodes = f" and {room.f_favail:,} of {room.f_files:,} inodes" if room.f_files else ""
            text += f"; {room.f_bavail * block:,} of {room.f_blocks * block:,} bytes"
            text += f"{inodes} are free"
        return ScratchError(error.errno, text)

    def close(self) -> None:
        """Close the directory; no thread may be working in it.  The next use opens it again."""
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
        """Return whether the path still leads to the open directory."""
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
        """Raise unless the open directory is safe, writable and on a suitable file system."""
        status = os.fstat(descriptor)
        if status.st_uid not in (user(), 0):
            problem = f"belongs to uid {status.st_uid}, not to uid {user()} of this process or root"
            raise self._error(errno.EPERM, problem, _OWN)
        if _open_to_others(status.st_mode, stat.S_IWGRP | stat.S_IWOTH):
            mode = f"{stat.S_IMODE(status.st_mode):04o}"
            problem = f"can be written to by others (mode {mode}) and is not sticky"
            raise self._error(errno.EPERM, problem, f"{_STICKY}, or chmod go-w it")
        above = None
        with suppress(PermissionError):  # then it is not writable either, which is checked next
            above = os.stat("..", dir_fd=descriptor)
        if above is not None and _open_to_others(above.st_mode, stat.S_IWOTH):
            problem = "lies in a directory that every user can write to and that is not sticky"
            raise self._error(errno.EPERM, problem, f"{_STICKY_PARENT}")
        wanted, effective = os.R_OK | os.W_OK | os.X_OK, os.access in os.supports_effective_ids
        if not os.access(".", wanted, dir_fd=descriptor, effective_ids=effective):
            read_only = os.fstatvfs(descriptor).f_flag & os.ST_RDONLY
            problem = f"cannot be written to by uid {user()} of this process"
            problem = "is on a file system that is mounted read-only" if read_only else problem
            raise self._error(errno.EROFS if read_only else errno.EACCES, problem, _OWN)
        room, keep = os.fstatvfs(descriptor), self._keep_free_bytes or 0
        total = room.f_blocks * (room.f_frsize or room.f_bsize)
        if total and keep > total:
            raise self._error(
                errno.EINVAL,
                f"is on a file system of {total:,} bytes, less than the {keep:,} to be kept free",
                f"lower {setting('keep_free_bytes')}",
            )
        self._verify_kind(descriptor)

    def _verify_kind(self, descriptor: int) -> None:
        system = mount.file_system(descriptor)
        kind = mount.kind(system)
        problem = f"is on {system}, which is memory, not disk"
        if kind == "memory" and self._memory_backed == "refuse":
            raise self._error(
                errno.EPERM, f"{problem}, refused by {setting('memory_backed')}", _DISK
            )
        found = identity(os.fstat(descriptor))
        if found in _logged:
            return
        _logged.add(found)
        if kind == "memory":
            logger.warning("%s %s: %s", self._named, problem, _DISK)
        elif kind == "overlay":
            logger.info(
                "%s is on an overlay, which hides whether it is disk or memory", self._named
            )

    def _verify_lock_file(self, lock_file: int, name: str) -> None:
        status = os.fstat(lock_file)
        owned = stat.S_ISREG(status.st_mode) and status.st_uid == user()
        if not owned or status.st_nlink != 1:
            problem = f"has a {name} that is not a file of uid {user()} alone"
            raise self._error(errno.EPERM, problem, f"remove it, or {_ANOTHER}")
        if stat.S_IMODE(status.st_mode) != 0o600:
            os.fchmod(lock_file, 0o600)

    def _verify_by_path(self) -> None:
        """Verify what can be verified where directories cannot be opened."""
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
                # The file is deleted when its last handle is closed; this is another one.
                return os.dup(file.fileno())
        except OSError as error:
            raise self.error(error, "accepts no file") from error

    def _short_of_bytes(self, size: int, free: int, total: int) -> str | None:
        keep = self._keep_free_bytes
        if keep is None:
            keep = min(total // _KEPT_PART, KEEP_FREE_BYTES)
        if free - size >= keep:
            return None
        return (
            f"no room for {size:,} bytes of scratch: {self._named} has {free:,} of {total:,} bytes"
            f" free, and {keep:,} are kept free by {setting('keep_free_bytes')}: remove files, or"
            f" {_ANOTHER}"
        )

    def _error(self, number: int, problem: str, remedy: str) -> ScratchError:
        return ScratchError(number, f"{self._named} {problem}: {remedy}")


_ANOTHER = f"set {setting('scratch_dir')} to another"
_OWN = f"{_ANOTHER}, of this process's user and with mode 0700"
_DISK = f"{_ANOTHER}, on a disk"
_STICKY = "chmod +t it (a Kubernetes emptyDir is not sticky at first)"
_STICKY_PARENT = "chmod +t that one (a Kubernetes emptyDir is not sticky at first)"


def user() -> int:
    """Return the effective user id; 0 on systems without."""
    return os.geteuid() if hasattr(os, "geteuid") else 0


def prefix() -> str:
    """Return how every name of this user in a scratch directory starts."""
    return f"streamware-{user()}-"


def open_directory(name: str, *, dir_fd: int | None = None) -> int:
    """Open a directory, following no link in the last part of its name."""
    return os.open(name, _DIRECTORY, dir_fd=dir_fd)


def _close(descriptor: int) -> None:
    """Close a descriptor unless it is -1; it is closed even if close(2) reports an error."""
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
    named = os.environ.get(VARIABLE, "").strip()
    return VARIABLE if named and os.path.abspath(named) == directory else "Settings.scratch_dir"  # noqa: PTH100 - as Settings does


def _not_opened(path: str, error: Exception) -> tuple[str, str]:
    """Return why a directory could not be opened, and what to do."""
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


def _open_unnamed(directory: int) -> int:
    if _UNNAMED:
        try:
            # O_EXCL: it cannot be given a name later.
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
