"""The file of a job: all of it or a range, from the store to the client in constant memory."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from errno import EIO
from http import HTTPStatus
from math import inf
from time import monotonic
from typing import Any, Final

from streamware.engine.lifecycle import Lifecycle, State
from streamware.errors import LimitError
from streamware.http.conditional import Decision, Selected, decide
from streamware.http.delivery import Answer, Job
from streamware.http.headers import Header, content_disposition
from streamware.http.request import Request
from streamware.jobs.record import Record
from streamware.observe import Watch
from streamware.receipt import Receipt
from streamware.rows.source import Cancelled, close
from streamware.settings import Settings
from streamware.stores.store import Store

_HEADERS: Final[list[Header]] = [
    # A browser may keep it, and asks each time whether it may still be read.
    ("Cache-Control", "private, no-cache"),
    ("X-Content-Type-Options", "nosniff"),
]
_UNKNOWN = "application/octet-stream"


def answer(request: Request, record: Record, store: Store) -> Answer | None:
    """Return the answer with the file, or the part of it that is wanted; None if it is gone.

    Args:
        request: A `GET` or `HEAD`.
        record: A job that is done.
        store: Where the file is.
    """
    path, size = record.object, record.size
    if path is None or size is None or not _is_there(store, path, size):
        return None
    # By the digest of its bytes the tag is strong, and another run of the same rows has the same.
    digest = str((record.receipt or {}).get("sha256") or "")
    selected = Selected(etag=f'"{digest}"' if digest else record.etag, size=size)
    decision = decide(request, selected)
    headers = [*_headers(record, decision.status, digest), *decision.headers(selected)]
    if decision.status >= HTTPStatus.MULTIPLE_CHOICES or request.head_only:
        return Answer(decision.status, headers, b"")
    return Answer(decision.status, headers, _sending(store, path, size, decision))


def _is_there(store: Store, path: str, size: int) -> bool:
    try:
        return store.head(path).size == size
    except FileNotFoundError:
        return False


def _headers(record: Record, status: HTTPStatus, digest: str) -> list[Header]:
    if status >= HTTPStatus.BAD_REQUEST:
        return [*_HEADERS, ("Content-Type", "text/plain"), ("Content-Length", "0")]
    if status == HTTPStatus.NOT_MODIFIED:
        return _HEADERS
    name = record.filename or record.name
    described = [
        ("Content-Type", record.media_type or _UNKNOWN),
        ("Content-Disposition", content_disposition(name)),
        *_HEADERS,
    ]
    if digest:  # of all of it, also for a part (RFC 9530 §3)
        encoded = base64.b64encode(bytes.fromhex(digest)).decode()
        described.append(("Repr-Digest", f"sha-256=:{encoded}:"))
    return described


def _sending(store: Store, path: str, size: int, decision: Decision) -> Job:
    first, last = 0, size - 1
    if decision.part is not None and decision.part.last is not None:
        first, last = decision.part.first, decision.part.last
    document = StoredFile(store.read(path, first, last + 1), last + 1 - first)
    return _Sending(make=lambda *_: document)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sending(Job):
    """How a file is sent; no export is made, so no observer hears of one."""

    def watch(self, receipt: Receipt, settings: Settings) -> Watch:
        """Return a `Watch` that reports nothing."""
        return Watch(receipt)


class StoredFile:
    """The chunks of a file in a store; has the methods of a `Driver`.

    Args:
        chunks: The bytes.
        size: How many of them there have to be.

    Attributes:
        receipt: The figures of what was sent.
        lifecycle: Where it is.
        lock: Locks nothing.
        asynchronous: Empty: it reads no rows.
        has_pending: Always False: no bytes wait for a flush.
        time_left: Unlimited; a client that takes nothing is left all the same.
        interruptible: Always False: stores have time limits of their own.
    """

    has_pending = False
    time_left = inf
    interruptible = False

    def __init__(self, chunks: Iterator[bytes], size: int) -> None:
        self.receipt = Receipt("file")  # of what is sent
        self.lifecycle = Lifecycle(self.receipt, monotonic())  # its state
        self.lock: AbstractContextManager[Any] = nullcontext()  # one thread at a time reads
        self.asynchronous: list[object] = []  # it reads no rows
        self._chunks = chunks  # the bytes, as the store gives them
        self._left = size  # bytes that have yet to come
        self._ready = b""  # what has come and was not taken
        self._reading = False  # whether a thread is in the store

    def __iter__(self) -> StoredFile:
        return self

    def __next__(self) -> bytes:
        if self.advance():
            return self.take()
        raise StopIteration

    def advance(self) -> bool:
        """Read the next chunk; return False after the last."""
        if self.lifecycle.is_over:
            return False
        self._reading = True
        try:
            chunk = self._read()
        except BaseException as error:
            self._reading = False
            self.lifecycle.close(error)
            self.close()
            if isinstance(error, Cancelled):
                return False
            raise
        self._reading = False
        if not chunk:
            self.lifecycle.finish()
            self.lifecycle.complete(None)
            self.close()
        self._ready = chunk
        return bool(chunk)

    def _read(self) -> bytes:
        if self.lifecycle.state is State.IDLE:
            self.lifecycle.start()
        chunk = next(self._chunks, b"")
        if self.lifecycle.state is not State.READING:
            raise Cancelled
        self._left -= len(chunk)
        if self._left < 0 or (self._left and not chunk):
            raise OSError(EIO, "the store has another object in place of this file")
        return chunk

    def take(self) -> bytes:
        """Return the chunk that is ready; empty if there is none."""
        chunk, self._ready = self._ready, b""
        self.receipt.bytes += len(chunk)
        return chunk

    def flush_pending(self) -> None:
        """Do nothing: no bytes wait for a flush."""

    def cancel(self) -> None:
        """Make the read in flight the last; from any thread."""
        self.lifecycle.cancel()

    def expire(self) -> LimitError | None:
        """Return None: its time is not limited."""

    def interrupt(self) -> None:
        """Do nothing: a read ends by itself."""

    def close(self) -> None:
        """Stop reading.  Idempotent; while a thread is in the store, that one stops."""
        self.lifecycle.close()
        if not self._reading:
            close(self._chunks)
