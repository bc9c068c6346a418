"""save and asave: write rows to a document in a file."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from errno import ENOENT
from functools import partial
from io import TextIOBase
from pathlib import Path
from typing import Unpack

from streamware.engine.aio import aencode
from streamware.engine.options import EncodeOptions
from streamware.engine.sync import encode
from streamware.engine.worker import Worker
from streamware.formats.protocol import Format
from streamware.formats.registry import available, extensions, lookup
from streamware.receipt import Receipt, check_complete
from streamware.rows.source import Rows
from streamware.stores.new_file import Writable, new_file, write_all

_DESCRIPTOR_FOLDERS = (Path("/dev"), Path("/dev/fd"))


Target = str | os.PathLike[str] | Writable


def save(
    rows: Rows,
    target: Target,
    format: str | Format | None = None,  # noqa: A002 - the contract's name
    **options: Unpack[EncodeOptions],
) -> Receipt:
    """Write rows to a file.

    A path never holds a half-written file: the document is written beside it, and renamed when it
    is complete.  Anything but a regular file (a FIFO, `/dev/stdout`) is written directly, and so
    is a binary file object, which is not closed.

    Args:
        rows: As in `encode`.
        target: A path, or a binary file object.
        format: As in `encode`; by default that of the path's extension.
        **options: As in `encode`; `EncodeOptions` explains each.

    Raises:
        TypeError: As in `encode`; or the target is neither a path nor a binary file.
        EncodeError, StateError: As in `encode`.
        ValueError: As in `encode`; or `format` is not given and the target has no extension that
            names one; or the path has the extension of another format.
        OSError: The file cannot be written.
    """
    encoding = encode(rows, _resolve_format(target, format), **options)
    with encoding, _writing_to(target) as file:
        for chunk in encoding:
            write_all(file, chunk)
        check_complete(encoding.receipt)
    return encoding.receipt


async def asave(
    rows: Rows,
    target: Target,
    format: str | Format | None = None,  # noqa: A002 - the contract's name
    **options: Unpack[EncodeOptions],
) -> Receipt:
    """Write rows, as `aencode` takes them, to a file; the twin of `save`.

    The file is written on a thread.
    """
    encoding = aencode(rows, _resolve_format(target, format), **options)
    async with encoding, _writing_on_a_thread(target) as write:
        async for chunk in encoding:
            await write(chunk)
        check_complete(encoding.receipt)
    return encoding.receipt


def _resolve_format(target: Target, given: str | Format | None) -> Format:
    """Return the format given, or that of the extension; raise ValueError if they disagree."""
    if not isinstance(target, (str, os.PathLike)):
        _check_writable(target)
        if given is None:
            raise ValueError("format= must be given for a file object")
        return lookup(given)
    extension = Path(target).suffix.lower()
    if given is None:
        found = next((f for f in map(lookup, available()) if f.extension == extension), None)
        if found is None:
            raise ValueError(
                f"no format has the extension {extension!r}; give format=, one of"
                f" {', '.join(available())}"
            )
        return found
    format_ = lookup(given)
    if extension != format_.extension and extension in extensions():
        raise ValueError(
            f"the extension of a {format_.name} file must be {format_.extension!r}, not"
            f" {extension!r}, which is another format's"
        )
    return format_


def _check_writable(target: object) -> None:
    if isinstance(target, TextIOBase) or not hasattr(target, "write"):
        kind = type(target).__name__
        raise TypeError(f"the target must be a path or a file opened in binary mode, not {kind}")


@asynccontextmanager
async def _writing_on_a_thread(target: Target) -> AsyncIterator[Callable[[bytes], Awaitable[None]]]:
    """Yield an async function that writes to the target on a thread.

    The target is closed only when a write under way has ended.
    """
    writer, stack = Worker(), ExitStack()
    last: Callable[[], object] = stack.close
    try:
        file = await writer.submit(partial(stack.enter_context, _writing_to(target)))
        yield lambda chunk: writer.submit(partial(write_all, file, chunk))
        await writer.submit(stack.close)
    except BaseException as error:
        last = partial(stack.__exit__, type(error), error, error.__traceback__)
        raise
    finally:
        ending = writer.stop(last)
        if ending is not None:
            await asyncio.wait({ending})
            ending.exception()  # retrieved and dropped: the error that is being raised says more


@contextmanager
def _writing_to(target: Target) -> Iterator[Writable]:
    """Yield a file to write to."""
    if not isinstance(target, (str, os.PathLike)):
        yield target
        return
    path = Path(target)
    folder = path.parent.resolve()
    descriptor = folder in _DESCRIPTOR_FOLDERS or Path("/proc") in folder.parents  # /dev/stdout
    if descriptor or (path.exists() and not path.is_file()):
        # Append, because other output may go to the same file.
        with path.open("ab", buffering=0) as file:
            yield file
    else:
        place = path.resolve()
        if not place.parent.exists():
            raise FileNotFoundError(
                ENOENT, "there is no such directory to write to", str(place.parent)
            )
        with new_file(place) as file:
            yield file
