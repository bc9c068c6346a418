"""save and asave: a document into a file."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from errno import EAGAIN
from functools import partial
from io import RawIOBase
from pathlib import Path
from secrets import token_hex
from typing import IO, Protocol

from streamware.engine.aio import aencode
from streamware.engine.sync import CHUNK_SIZE, FLUSH_INTERVAL, encode
from streamware.engine.worker import Worker
from streamware.formats.protocol import Format
from streamware.formats.registry import available, extensions, lookup
from streamware.limits import Limits
from streamware.model.columns import Column, Key
from streamware.receipt import Receipt, check_complete
from streamware.rows.source import Rows
from streamware.values import Values

_OF_DESCRIPTORS = (Path("/dev"), Path("/dev/fd"))


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
    sheet_by: Key | None = None,
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
        sheet_by: As `encode`.
        values: As `encode`.
        limits: As `encode`.
        chunk_size: As `encode`.
        flush_interval: As `encode`.

    Raises:
        ValueError: No format is given and the target does not tell one; or the extension of the
            path is another format's.
        EncodeError, OSError: As `encode`; as writing files.
    """
    encoding = encode(
        rows,
        _format(target, format),
        columns=columns,
        sheet_by=sheet_by,
        values=values,
        limits=limits,
        chunk_size=chunk_size,
        flush_interval=flush_interval,
    )
    with encoding, _written(target) as file:
        for chunk in encoding:
            _write(file, chunk)
        check_complete(encoding.receipt)
    return encoding.receipt


async def asave(
    rows: Rows,
    target: Target,
    format: str | Format | None = None,  # noqa: A002 - the contract's name
    *,
    columns: Iterable[Column | Key] | None = None,
    sheet_by: Key | None = None,
    values: Values | None = None,
    limits: Limits | None = None,
    chunk_size: int = CHUNK_SIZE,
    flush_interval: float = FLUSH_INTERVAL,
) -> Receipt:
    """The twin of `save` for rows as `aencode` takes them; the file is written on a thread."""
    encoding = aencode(
        rows,
        _format(target, format),
        columns=columns,
        sheet_by=sheet_by,
        values=values,
        limits=limits,
        chunk_size=chunk_size,
        flush_interval=flush_interval,
    )
    async with encoding, _awritten(target) as write:
        async for chunk in encoding:
            await write(chunk)
        check_complete(encoding.receipt)
    return encoding.receipt


def _format(target: Target, given: str | Format | None) -> Format:
    """The format given, or told; one under another one's extension is a slip."""
    format_ = lookup(_told(target) if given is None else given)
    if isinstance(target, (str, os.PathLike)):
        extension = Path(target).suffix.lower()
        if extension != format_.extension and extension in extensions():
            raise ValueError(
                f"the extension {extension!r} is another format's; {format_.name} has"
                f" {format_.extension!r}"
            )
    return format_


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


@asynccontextmanager
async def _awritten(target: Target) -> AsyncIterator[Callable[[bytes], Awaitable[None]]]:
    """As `_written`, on a thread: what is under way there ends before the file is closed."""
    writer, stack = Worker(), ExitStack()
    last: Callable[[], object] = stack.close
    try:
        file = await writer.submit(partial(stack.enter_context, _written(target)))
        yield lambda chunk: writer.submit(partial(_write, file, chunk))
        await writer.submit(stack.close)
    except BaseException as error:
        last = partial(stack.__exit__, type(error), error, error.__traceback__)
        raise
    finally:
        ending = writer.stop(last)
        if ending is not None:
            await asyncio.wait({ending})
            ending.exception()  # there is one that says more


@contextmanager
def _written(target: Target) -> Iterator[Writable]:
    if not isinstance(target, (str, os.PathLike)):
        yield target
        return
    path = Path(target)
    with _as_it_is(path) if _is_special(path) else _beside(path.resolve()) as file:
        yield file


def _is_special(path: Path) -> bool:
    """Whether it is no regular file, or names a descriptor, as `/dev/stdout` does."""
    folder = path.parent.resolve()
    descriptor = folder in _OF_DESCRIPTORS or Path("/proc") in folder.parents
    return descriptor or (path.exists() and not path.is_file())


def _as_it_is(path: Path) -> IO[bytes]:
    """What it holds already is kept: what else is printed may go there, too."""
    return path.open("ab", buffering=0)


@contextmanager
def _beside(path: Path) -> Iterator[IO[bytes]]:
    """A new file in the same directory, renamed to `path` if all goes well, else removed."""
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else None
    made = partial(os.open, mode=0o666 if mode is None else mode)
    part = path.with_name(f".{path.name[:40]}.{token_hex(8)}.part")
    try:
        with open(part, "xb", buffering=0, opener=made) as file:
            if mode is not None:
                part.chmod(mode)
            yield file
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _write(file: Writable, data: bytes) -> None:
    """Write all of it; a file that does not say how much it took has taken all."""
    while data:
        written = file.write(data)
        if written == 0 or (written is None and isinstance(file, RawIOBase)):
            raise BlockingIOError(EAGAIN, "the file takes nothing now, and cannot be waited for")
        if not isinstance(written, int):
            return
        data = data[written:]
