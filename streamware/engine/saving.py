"""save and asave: write rows to a document in a file or in an object store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Unpack

from streamware.engine.aio import aencode
from streamware.engine.options import EncodeOptions
from streamware.engine.sync import encode
from streamware.engine.target import Destination, Target, resolve_format
from streamware.engine.worker import Worker
from streamware.formats.protocol import Format
from streamware.receipt import Receipt, check_complete
from streamware.rows.source import Rows

PATIENCE = 1.0
"""Seconds for which a cancellation waits for a request to a store."""


def save(
    rows: Rows,
    target: Target,
    format: str | Format | None = None,  # noqa: A002 - the contract's name
    **options: Unpack[EncodeOptions],
) -> Receipt:
    """Write rows to a file, or to an object in a store.

    A path never holds a half-written file: the document is written beside it, and renamed when it
    is complete.  Anything but a regular file (a FIFO, `/dev/stdout`) is written directly, and so
    is a binary file object, which is not closed.  An object is not there before it is complete,
    either; stores need the extra `stores`.

    Args:
        rows: As in `encode`.
        target: A path, a binary file object, a URL (`s3://`, `gs://`, `az://`, `memory://`,
            `file://`), or a `Remote`.
        format: As in `encode`; by default that of the target's extension.
        **options: As in `encode`; `EncodeOptions` explains each.

    Raises:
        TypeError: As in `encode`; or the target is none of these.
        EncodeError, StateError: As in `encode`.
        LimitError: As in `encode`; or the object has more than 10,000 parts.
        ValueError: As in `encode`; or `format` is not given and the target has no extension that
            names one; or it has the extension of another format; or no store has such a URL.
        ImportError: The extra is not installed.
        OSError: The file or the object cannot be written.
    """
    format_ = resolve_format(target, format)
    destination = Destination(target, format_.media_type)
    encoding = encode(rows, format_, **options)
    with encoding:
        write_document(encoding, encoding.receipt, destination)
    return encoding.receipt


async def asave(
    rows: Rows,
    target: Target,
    format: str | Format | None = None,  # noqa: A002 - the contract's name
    **options: Unpack[EncodeOptions],
) -> Receipt:
    """Write rows, as `aencode` takes them, to a file or a store; the twin of `save`.

    It is written on a thread.
    """
    format_ = resolve_format(target, format)
    destination = Destination(target, format_.media_type)
    encoding = aencode(rows, format_, **options)
    async with encoding:
        await awrite_document(encoding, encoding.receipt, destination)
    return encoding.receipt


def _nothing() -> None:
    """Do nothing."""


def write_document(
    chunks: Iterable[bytes],
    receipt: Receipt,
    destination: Destination,
    look: Callable[[], object] = _nothing,
) -> None:
    """Write all chunks of a document, and publish it.

    Args:
        chunks: The chunks.
        receipt: That of the document.
        destination: Where they go.
        look: Called after each chunk; what it raises ends the writing.
    """
    with destination:
        for chunk in chunks:
            destination.write(chunk)
            look()
        check_complete(receipt)
    receipt.etag = destination.etag


async def awrite_document(
    chunks: AsyncIterable[bytes],
    receipt: Receipt,
    destination: Destination,
    look: Callable[[], object] = _nothing,
) -> None:
    """Write all chunks of a document on a thread, and publish it; the twin of `write_document`."""
    async with _on_a_thread(destination) as write:
        async for chunk in chunks:
            await write(chunk)
            look()
        check_complete(receipt)
    receipt.etag = destination.etag


@asynccontextmanager
async def _on_a_thread(
    destination: Destination,
) -> AsyncIterator[Callable[[bytes], Awaitable[None]]]:
    """Yield an async function that writes to the destination on a thread.

    The destination is closed only when a write under way has ended.  A task that is cancelled
    waits for that; but if a store does not answer, not for long: the upload is aborted later.
    """
    # It is closed though its opening may be what failed: a task can be cancelled meanwhile.
    writer = Worker()
    last: Callable[[], object] = partial(destination.__exit__, None, None, None)
    try:
        await writer.submit(destination.__enter__)
        yield lambda chunk: writer.submit(partial(destination.write, chunk))
        closing, last = last, _nothing
        await writer.submit(closing)
    except BaseException as error:
        if last is not _nothing:
            last = partial(destination.__exit__, type(error), error, error.__traceback__)
        raise
    finally:
        ending = writer.stop(last)
        del last  # it has the error, whose traceback refers to this frame
        if ending is not None:
            # Retrieved and dropped: the error that is being raised says more.
            ending.add_done_callback(lambda ended: ended.exception())
            await asyncio.wait({ending}, timeout=PATIENCE if destination.in_store else None)
