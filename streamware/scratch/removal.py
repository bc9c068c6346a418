"""Removal of a directory with everything in it, by descriptor, without following links.

`shutil.rmtree` holds a descriptor for each level of a tree (and up to Python 3.12 a stack frame),
and an unpacked archive may have thousands of levels.  It also stops at a directory that a library
has made read-only.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streamware.scratch.directory import open_directory
from streamware.scratch.forks import opening

_SWEEPS = 3  # attempts at a directory to which another thread or process still writes


@dataclass(slots=True)
class Reaped:
    """What was removed, and what could not be.

    Attributes:
        directories: Process directories that no process held.
        bytes: Of the files in them.
        files: In them, and those whose process ended before it unlinked them.
        errors: One for each entry that is still there.
    """

    directories: int = 0
    bytes: int = 0
    files: int = 0
    errors: list[OSError] = field(default_factory=list)


def counted(count: int, noun: str) -> str:
    """Return a count as messages about what was removed give it: 1 file, 2 directories."""
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{count:,} {noun if count == 1 else plural}"


@contextmanager
def noting_errors(reaped: Reaped) -> Iterator[None]:
    """Note an error and continue; a file that is already gone is no error."""
    try:
        yield
    except FileNotFoundError:
        pass
    except OSError as error:
        reaped.errors.append(error)


def remove_opened(directory: int, name: str, reaped: Reaped) -> bool:
    """Empty an open directory and remove it; return whether that succeeded."""
    before = len(reaped.errors)
    for _ in range(_SWEEPS):
        _clear(directory, reaped)
        if len(reaped.errors) > before:
            break
        # Through its own "..", so that no descriptor of its parent is needed.
        if remove_empty(f"../{name}", directory):
            return True
    else:
        problem = "another thread or process still writes to a directory that is being removed"
        reaped.errors.append(OSError(errno.ENOTEMPTY, problem))
    return False


def _clear(directory: int, reaped: Reaped) -> None:
    """Remove what is in a directory.

    A directory in it is emptied by moving its own directories up, so that three descriptors
    suffice for a tree of any depth.
    """
    left = _flattened(directory, directory, reaped)
    while left:
        name = left.pop()
        with noting_errors(reaped):
            inner = open_inside(name, directory)
            try:
                left += _flattened(inner, directory, reaped)
            finally:
                os.close(inner)
            remove_empty(name, directory)


def _flattened(inner: int, directory: int, reaped: Reaped) -> list[str]:
    """Unlink the files of `inner`, move its directories to `directory`, return their new names.

    A mount point cannot be moved (EBUSY), so it is never entered.
    """
    moved = []
    # The listing opens a descriptor.  A forked child must not inherit one of the outer directory,
    # which may be locked; that one has few names, so forks are not held off for long.
    with opening() if inner == directory else nullcontext():
        names = os.listdir(inner)
    for name in names:
        with noting_errors(reaped):
            if not stat.S_ISDIR(os.stat(name, dir_fd=inner, follow_symlinks=False).st_mode):
                unlink(name, inner, reaped)
                continue
            fresh = secrets.token_hex(8)
            try:
                os.rename(name, fresh, src_dir_fd=inner, dst_dir_fd=directory)
            except PermissionError:  # a read-only directory cannot get another parent
                os.chmod(name, 0o700, dir_fd=inner)
                os.rename(name, fresh, src_dir_fd=inner, dst_dir_fd=directory)
            moved.append(fresh)
    return moved


def unlink(name: str, directory: int, reaped: Reaped) -> None:
    """Remove the name of anything but a directory, and count it."""
    size = os.stat(name, dir_fd=directory, follow_symlinks=False).st_size
    os.unlink(name, dir_fd=directory)
    reaped.files += 1
    reaped.bytes += size


def remove_empty(name: str, directory: int) -> bool:
    """Remove a directory in another; return False if it is not empty."""
    try:
        os.rmdir(name, dir_fd=directory)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        return False
    return True


def open_inside(name: str, directory: int) -> int:
    """Open a directory to remove what is in it; change its mode if needed."""
    try:
        opened = open_directory(name, dir_fd=directory)
    except PermissionError:  # a real directory: a link would have been ENOTDIR
        os.chmod(name, 0o700, dir_fd=directory)
        opened = open_directory(name, dir_fd=directory)
    try:
        if os.fstat(opened).st_mode & stat.S_IRWXU != stat.S_IRWXU:
            os.fchmod(opened, 0o700)
    except BaseException:
        os.close(opened)
        raise
    return opened


def remove_path(path: str, reaped: Reaped) -> None:
    """Remove a directory by its path, and note the errors."""

    def again(call: Callable[..., Any], of: str, error: BaseException) -> None:
        with noting_errors(reaped):
            if not isinstance(error, PermissionError):
                raise error
            Path(of).chmod(stat.S_IRWXU)
            call(of)

    if sys.version_info >= (3, 12):
        shutil.rmtree(path, onexc=again)
    else:
        shutil.rmtree(path, onerror=lambda call, of, info: again(call, of, info[1]))
