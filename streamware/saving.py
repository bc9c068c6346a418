"""save and asave: a document into a file."""

from __future__ import annotations

import asyncio
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

from streamware.aencoding import aencode
from streamware.columns import Column, Key
from streamware.encoder import Format
from streamware.encoding import CHUNK_SIZE, FLUSH_INTERVAL, encode
from streamware.limits import Limits
from streamware.receipt import Receipt
from streamware.registry import available, lookup
from streamware.source import Rows
from streamware.values import Values


class Writable(Protocol):
    """A binary file, as far as writing goes."""

    def write(self, data: bytes, /) -> object:
        """Take `data`, all of it or as much as is returned."""


Target = str | os.PathLike[str] | Writable


def save(
    rows: Rows,
    target: Target,
    format: str | Format | None = None,  # noqa: A002 - the contract's name
    *,
    columns: Iterable[Column | Key] | None = None,
    values: Values | None = None,
    limits: Limits | None = None,
    chunk_size: int = CHUNK_SIZE,
    flush_interval: float = FLUSH_INTERVAL,
) -> Receipt:
    """Write rows to a file.

    A path never holds a half-written file: the document is written beside it and renamed when it
    is complete.  What is no regular file (a FIFO, `/dev/stdout`) is written directly, and so is
    a binary file object, which is not closed.

    Args:
        rows: As `encode`.
        target: A path, or a binary file object.
        format: As `encode`; by default told by the path's extension.
        columns: As `encode`.
        values: As `encode`.
        limits: As `encode`.
        chunk_size: As `encode`.
        flush_interval: As `encode`.

    Raises:
        ValueError: No format is given and the target does not tell one.
        EncodeError, OSError: As `encode`; as writing files.
    """
    encoding = encode(
        rows,
        _told(target) if format is None else format,
        columns=columns,
        values=values,
        limits=limits,
        chunk_size=chunk_size,
        flush_interval=flush_interval,
    )
    with encoding, _written(target) as file:
        for chunk in encoding:
            _write(file, chunk)
    return encoding.receipt


async def asave(
    rows: Rows,
    target: Target,
    format: str | Format | None = None,  # noqa: A002 - the contract's name
    *,
    columns: Iterable[Column | Key] | None = None,
    values: Values | None = None,
    limits: Limits | None = None,
    chunk_size: int = CHUNK_SIZE,
    flush_interval: float = FLUSH_INTERVAL,
) -> Receipt:
    """The twin of `save` for rows as `aencode` takes them; files are written on threads."""
    encoding = aencode(
        rows,
        _told(target) if format is None else format,
        columns=columns,
        values=values,
        limits=limits,
        chunk_size=chunk_size,
        flush_interval=flush_interval,
    )
    async with encoding:
        with _written(target) as file:
            async for chunk in encoding:
                await asyncio.to_thread(_write, file, chunk)
    return encoding.receipt


def _told(target: Target) -> str:
    if not isinstance(target, (str, os.PathLike)):
        raise ValueError("a file object does not tell its format: give one")  # noqa: TRY004 - a value is missing
    extension = Path(target).suffix.lower()
    for name in available():
        if lookup(name).extension == extension:
            return name
    raise ValueError(
        f"the extension {extension!r} tells no format; there are: {', '.join(available())}"
    )


@contextmanager
def _written(target: Target) -> Iterator[Writable]:
    if not isinstance(target, (str, os.PathLike)):
        yield target
        return
    path = Path(target)
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        with path.open("wb", buffering=0) as file:
            yield file
        return
    with _beside(path.resolve()) as file:
        yield file


@contextmanager
def _beside(path: Path) -> Iterator[IO[bytes]]:
    """A new file in the same directory, renamed to `path` if all goes well, else removed."""
    descriptor, name = tempfile.mkstemp(
        prefix=f".{path.name[:100]}.", suffix=".part", dir=path.parent
    )
    try:
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            Path(name).chmod(_mode(path))
            yield file
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _mode(path: Path) -> int:
    """The permissions that the file has, or that a new one would get."""
    if path.exists():
        return stat.S_IMODE(path.stat().st_mode)
    umask = os.umask(0o022)
    os.umask(umask)
    return 0o666 & ~umask


def _write(file: Writable, data: bytes) -> None:
    view = memoryview(data)
    while view:
        written = file.write(view)  # type: ignore[arg-type]  # any buffer will do
        if not isinstance(written, int) or written >= len(view):
            return
        view = view[written:]
