"""Spooled: a document that is finished before any of it is sent.

So its length and digest are in the headers, a failure is a clean status, and the rows are closed
however slowly the client reads.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from functools import partial
from io import SEEK_SET
from typing import Self

from streamware.engine.async_driver import AsyncDriver
from streamware.engine.lifecycle import State
from streamware.engine.worker import Worker
from streamware.http.delivery import Chunks
from streamware.receipt import Receipt, check_complete
from streamware.scratch.spool import Spool

_READ = 65_536


class Spooled:
    """The chunks of a document from a spool, which has all of it before the first is read.

    Args:
        chunks: The document.
        spool: An empty spool; its ledger closes it.
        on_closed: Called when the rows are closed, whether the document is complete or not.
    """

    def __init__(self, chunks: Chunks, spool: Spool, on_closed: Callable[[], object]) -> None:
        self._chunks = chunks
        self._on_closed = on_closed
        self._content = Content(spool)
        self._closed = False

    @property
    def receipt(self) -> Receipt:
        """The figures so far."""
        return self._chunks.receipt

    @property
    def content(self) -> Content:
        """The bytes that are sent."""
        return self._content

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        if self._closed:
            raise StopIteration
        if self._chunks.lifecycle.state is State.IDLE:
            self._spool()
        if chunk := self._content.read():
            return chunk
        self.close()
        raise StopIteration

    def close(self) -> None:
        """Close the rows; while another thread pulls, that thread does.  Idempotent."""
        if not self._closed:
            self._closed = True
            try:
                self._chunks.close()
            finally:
                self._call_on_closed()

    def _spool(self) -> None:
        for chunk in self._chunks:
            self._content.write(chunk)
        check_complete(self.receipt)
        self._content.rewind()
        self.receipt.first_byte_seconds = self.receipt.seconds
        self._call_on_closed()

    def _call_on_closed(self) -> None:
        on_closed, self._on_closed = self._on_closed, _do_nothing
        on_closed()


class AsyncSpooled:
    """The same beside an event loop: a thread waits for the disk.

    Args:
        document: The document.
        spool: An empty spool; its ledger closes it.
    """

    def __init__(self, document: AsyncDriver, spool: Spool) -> None:
        self._document = document
        self._content = Content(spool)
        self._worker = Worker()

    @property
    def receipt(self) -> Receipt:
        """The figures so far."""
        return self._document.receipt

    @property
    def content(self) -> Content:
        """The bytes that are sent."""
        return self._content

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._document.lifecycle.state is State.IDLE:
            async for chunk in self._document:
                await self._worker.submit(partial(self._content.write, chunk))
            check_complete(self.receipt)
            await self._worker.submit(self._content.rewind)
            self.receipt.first_byte_seconds = self.receipt.seconds
        if chunk := await self._worker.submit(self._content.read):
            return chunk
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Close the rows.  Idempotent; raises on cancellation only."""
        self._worker.stop(_do_nothing)
        await self._document.aclose()


class Content:
    """The bytes of a response, in a spool.

    Attributes:
        size: The number of bytes.
        spool: The spool.
    """

    def __init__(self, spool: Spool) -> None:
        self.size = 0
        self.spool = spool
        self._digest = hashlib.sha256()

    def write(self, chunk: bytes) -> None:
        """Append a chunk.  Blocks for the disk, and for room.  Raises as a spool does."""
        self.spool.write(chunk)
        self._digest.update(chunk)
        self.size += len(chunk)

    def read(self) -> bytes:
        """Return the next bytes; none at the end."""
        return self.spool.read(_READ)

    @property
    def is_read(self) -> bool:
        """Whether all of it was read."""
        return self.spool.tell() == self.size

    def rewind(self) -> None:
        """Go to the beginning, to read it."""
        self.spool.seek(0, SEEK_SET)

    def headers(self) -> list[tuple[str, str]]:
        """Return the length and the digest of it (RFC 9110 §8.6, RFC 9530 §3)."""
        digest = base64.b64encode(self._digest.digest()).decode()
        return [("Content-Length", str(self.size)), ("Repr-Digest", f"sha-256=:{digest}:")]


def _do_nothing() -> None:
    """Do nothing."""
