"""Spooled: a document that is finished before any of it is sent.

Then its length and digest stand in the head, a failure is a clean status, and rows are closed
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
    """The chunks of a document from a spool, once it is all there; for a thread.

    Args:
        chunks: Of the document.
        spool: Theirs; closed by whose ledger it is.
        finished: Called when the rows are closed, with the document complete or not.
    """

    def __init__(self, chunks: Chunks, spool: Spool, finished: Callable[[], object]) -> None:
        self._chunks = chunks
        self._finished = finished
        self._content = Content(spool)
        self._closed = False

    @property
    def receipt(self) -> Receipt:
        """Figures so far."""
        return self._chunks.receipt

    @property
    def content(self) -> Content:
        """What is sent."""
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
        """Close the rows; while another thread pulls, that one does.  Idempotent."""
        if not self._closed:
            self._closed = True
            try:
                self._chunks.close()
            finally:
                self._finish()

    def _spool(self) -> None:
        for chunk in self._chunks:
            self._content.write(chunk)
        check_complete(self.receipt)
        self._content.rewind()
        self.receipt.first_byte_seconds = self.receipt.seconds
        self._finish()

    def _finish(self) -> None:
        finished, self._finished = self._finished, _nothing
        finished()


class AsyncSpooled:
    """The same beside an event loop; what it asks of the disk runs on a thread."""

    def __init__(self, encoding: AsyncDriver, spool: Spool) -> None:
        self._encoding = encoding
        self._content = Content(spool)
        self._worker = Worker()

    @property
    def receipt(self) -> Receipt:
        """Figures so far."""
        return self._encoding.receipt

    @property
    def content(self) -> Content:
        """What is sent."""
        return self._content

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._encoding.lifecycle.state is State.IDLE:
            async for chunk in self._encoding:
                await self._worker.submit(partial(self._content.write, chunk))
            check_complete(self.receipt)
            await self._worker.submit(self._content.rewind)
            self.receipt.first_byte_seconds = self.receipt.seconds
        if chunk := await self._worker.submit(self._content.read):
            return chunk
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Close the rows.  Idempotent; never raises but on cancellation."""
        self._worker.stop(_nothing)
        await self._encoding.aclose()


class Content:
    """The bytes of a response in a spool.

    Attributes:
        size: How many.
        spool: Where they are.
    """

    def __init__(self, spool: Spool) -> None:
        self.size = 0
        self.spool = spool
        self._digest = hashlib.sha256()

    def write(self, chunk: bytes) -> None:
        """Add to the end.  Blocks for the disk, and for room.  Raises as a spool does."""
        self.spool.write(chunk)
        self._digest.update(chunk)
        self.size += len(chunk)

    def read(self) -> bytes:
        """The next bytes; none at the end."""
        return self.spool.read(_READ)

    @property
    def is_read(self) -> bool:
        """Whether nothing is left to read."""
        return self.spool.tell() == self.size

    def rewind(self) -> None:
        """It is all there, and read from the beginning."""
        self.spool.seek(0, SEEK_SET)

    def headers(self) -> list[tuple[str, str]]:
        """What can be said of it now (RFC 9110 §8.6, RFC 9530 §3)."""
        digest = base64.b64encode(self._digest.digest()).decode()
        return [("Content-Length", str(self.size)), ("Repr-Digest", f"sha-256=:{digest}:")]


def _nothing() -> None:
    """Nothing is left to do."""
