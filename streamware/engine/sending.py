"""send and asend: copy a finished file to a file or an object in a store."""

from __future__ import annotations

import asyncio
import mimetypes
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from hashlib import sha256
from pathlib import Path
from threading import Event
from typing import BinaryIO

from streamware.engine.lifecycle import Lifecycle
from streamware.engine.saving import PATIENCE, write_document
from streamware.engine.target import Destination, Target, extension_of
from streamware.engine.worker import Worker
from streamware.formats.registry import available, lookup
from streamware.receipt import Receipt
from streamware.rows.source import Cancelled

_READ = 2**18


def send(
    file: str | os.PathLike[str] | BinaryIO, target: Target, *, content_type: str | None = None
) -> Receipt:
    """Copy a file, such as a `Spool` or a path of `Scratch`, to an object in a store.

    Args:
        file: A path, or a binary file, which is read from its start and not closed.
        target: As in `save`.
        content_type: Its media type; by default that of the target's extension.

    Returns:
        A receipt with its bytes, its `sha256` and the entity tag of the object.

    Raises:
        TypeError, ValueError, ImportError, OSError: As in `save`; or the file cannot be read.
        LimitError: The object has more than 10,000 parts.
    """
    return _send(file, _destination(target, content_type), Event())


async def asend(
    file: str | os.PathLike[str] | BinaryIO, target: Target, *, content_type: str | None = None
) -> Receipt:
    """Copy a file to an object in a store, on a thread; the twin of `send`.

    A cancellation ends it, and nothing is published.
    """
    destination = _destination(target, content_type)
    worker, unwanted = Worker(), Event()
    try:
        return await worker.submit(partial(_send, file, destination, unwanted))
    finally:
        unwanted.set()
        ending = worker.stop(lambda: None)
        if ending is not None:
            await asyncio.wait({ending}, timeout=PATIENCE if destination.in_store else None)


def _destination(target: Target, content_type: str | None) -> Destination:
    return Destination(target, content_type or _media_type(extension_of(target) or ""))


def _send(
    file: str | os.PathLike[str] | BinaryIO, destination: Destination, unwanted: Event
) -> Receipt:
    lifecycle = Lifecycle(Receipt("file"))
    lifecycle.start()
    with _open(file) as source:
        write_document(_read(source, lifecycle, unwanted), lifecycle.receipt, destination)
    return lifecycle.receipt


def _open(file: str | os.PathLike[str] | BinaryIO) -> AbstractContextManager[BinaryIO]:
    if isinstance(file, (str, os.PathLike)):
        return Path(file).open("rb")
    return nullcontext(file)


def _read(source: BinaryIO, lifecycle: Lifecycle, unwanted: Event) -> Iterator[bytes]:
    """Yield the bytes of a file from its start, and record its end."""
    digest = sha256()
    source.seek(0)
    while data := source.read(_READ):
        if unwanted.is_set():
            raise Cancelled
        digest.update(data)
        lifecycle.receipt.bytes += len(data)
        yield data
    lifecycle.finish()
    lifecycle.complete(digest.hexdigest())


def _media_type(extension: str) -> str:
    formats = map(lookup, available())
    known = (format_.media_type for format_ in formats if format_.extension == extension)
    found = next(known, None) or mimetypes.guess_type(f"file{extension}", strict=False)[0]
    return found or "application/octet-stream"
