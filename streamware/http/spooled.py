"""Spooled: a document that is finished before any of it is sent.

So its length and digest are in the headers, a failure is a clean status, and the rows are closed
however slow the client is.
"""

from __future__ import annotations

import asyncio
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
from streamware.receipt import check_complete
from streamware.scratch.spool import Spool

_READ = 65_536


class Spooled:
    """The chunks of a document from a spool, which has all of it before the first is read.

    Args:
        chunks: The document.
        spool: An empty spool; its ledger closes it.
        on_closed: Called when the rows are closed, whether the document is complete or not.

    Attributes:
        receipt: The figures so far.
        content: The bytes to send.
    """

    def __init__(self, chunks: Chunks, spool: Spool, on_closed: Callable[[], object]) -> None:
        self.receipt = chunks.receipt
        self.content = Content(spool)
        self._chunks = chunks
        self._on_closed = on_closed
        self._closed = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        if self._closed:
            raise StopIteration
        if self._chunks.lifecycle.state is State.IDLE:
            for chunk in self._chunks:
                self.content.write(chunk)
            check_complete(self.receipt)
            self.content.rewind()
            self.receipt.first_byte_seconds = self.receipt.seconds
            self._call_on_closed()
        if chunk := self.content.read():
            return chunk
        self.close()
        raise StopIteration

    def close(self) -> None:
        """Close the rows, or have the thread that is in a pull close them.  Idempotent."""
        if not self._closed:
            self._closed = True
            try:
                self._chunks.close()
            finally:
                self._call_on_closed()

    def _call_on_closed(self) -> None:
        on_closed, self._on_closed = self._on_closed, lambda: None
        on_closed()


class AsyncSpooled:
    """As `Spooled`, beside an event loop: a thread waits for the disk.

    Args:
        document: The document.
        spool: An empty spool; its ledger closes it.

    Attributes:
        receipt: The figures so far.
        content: The bytes to send.
    """

    def __init__(self, document: AsyncDriver, spool: Spool) -> None:
        self.receipt = document.receipt
        self.content = Content(spool)
        self._document = document
        self._worker = Worker()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._document.lifecycle.state is State.IDLE:
            async for chunk in self._document:
                await self._worker.submit(partial(self.content.write, chunk))
            check_complete(self.receipt)
            await self._worker.submit(self.content.rewind)
            self.receipt.first_byte_seconds = self.receipt.seconds
        if chunk := await self._worker.submit(self.content.read):
            return chunk
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Close the rows, then the spool.  Idempotent; raises on cancellation only."""
        closing = self._worker.stop(self.content.spool.close)
        await self._document.aclose()
        if closing is not None:
            await asyncio.wait({closing})


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
        """Append a chunk.  Blocks for the disk and for room; raises what a spool raises."""
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
        """Go back to the beginning, so that it can be read."""
        self.spool.seek(0, SEEK_SET)

    def headers(self) -> list[tuple[str, str]]:
        """Return the length and the digest of it (RFC 9110 §8.6, RFC 9530 §3)."""
        digest = base64.b64encode(self._digest.digest()).decode()
        return [("Content-Length", str(self.size)), ("Repr-Digest", f"sha-256=:{digest}:")]
