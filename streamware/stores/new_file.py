"""new_file: a file that has no name before it is whole."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import EAGAIN, EEXIST
from functools import partial
from io import RawIOBase
from pathlib import Path
from secrets import token_hex
from typing import IO, Protocol

PARTS = ".*.part"
"""A pattern of the names that files have while they are written, where they need one."""
_DESCRIPTORS = "/proc/self/fd"


class Writable(Protocol):
    """A binary file that can be written to."""

    def write(self, data: bytes, /) -> object:
        """Take `data`; return how many of its bytes were taken, unless all were."""


@contextmanager
def new_file(
    path: Path, *, overwrite: bool = True, folder: Path | None = None
) -> Iterator[IO[bytes]]:
    """Yield a new file; give it the name `path` at the end, or drop it.

    It has no name before, where the system allows that: if the process is killed, nothing stays.

    Args:
        path: Its name.  A file that is replaced leaves it its mode.
        overwrite: Whether it may replace a file; if not, one that is there at the end is a
            `FileExistsError`.
        folder: Where it is written, on the same file system; by default beside `path`.
    """
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else None
    if not overwrite and mode is not None:
        raise FileExistsError(EEXIST, "there is a file already", str(path))
    opener = partial(os.open, mode=0o666 if mode is None else mode)
    beside = folder or path.parent
    part = beside / f".{path.name[:40]}.{token_hex(8)}.part"
    unnamed = _open_unnamed(beside, opener)
    target, flags = (part, "xb") if unnamed is None else (unnamed, "wb")
    try:
        with open(target, flags, buffering=0, opener=opener) as file:
            if mode is not None:
                os.chmod(target, mode)  # noqa: PTH101 - it may be a descriptor
            yield file
            if unnamed is not None:
                # With a directory given, Python follows the link to the file.  Nothing but a
                # rename replaces a file that is there.
                os.link(f"{_DESCRIPTORS}/{file.fileno()}", part, src_dir_fd=file.fileno())
        _publish(part, path, overwrite=overwrite, makes_folder=folder is not None)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _publish(part: Path, path: Path, *, overwrite: bool, makes_folder: bool) -> None:
    while True:
        try:
            if makes_folder:
                path.parent.mkdir(parents=True, exist_ok=True)
            if overwrite:
                part.replace(path)
            else:
                os.link(part, path)
                part.unlink()
        except FileExistsError as error:
            raise FileExistsError(EEXIST, "there is a file already", str(path)) from error
        except FileNotFoundError:
            # A folder on the way may have been removed, because it was empty.
            if not makes_folder or not part.exists():
                raise
        else:
            return


def _open_unnamed(folder: Path, opener: Callable[[Path, int], int]) -> int | None:
    """Open a file without a name, which can be given one; None if the system has none."""
    unnamed: int | None = getattr(os, "O_TMPFILE", None)  # only Linux has it
    if unnamed is None or not os.path.isdir(_DESCRIPTORS):  # noqa: PTH112 - a constant
        return None
    try:
        return opener(folder, unnamed | os.O_WRONLY)
    except OSError:  # the file system may be one without such files
        return None


def write_all(file: Writable, data: bytes) -> None:
    """Write all of `data`; a file whose write() returns no number has taken all of it."""
    while data:
        written = file.write(data)
        if written == 0 or (written is None and isinstance(file, RawIOBase)):
            raise BlockingIOError(EAGAIN, "the file takes no bytes now; open it in blocking mode")
        if not isinstance(written, int):
            return
        data = data[written:]
