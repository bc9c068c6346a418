"""Spooled: a document that is finished before any of it is sent.

So its length and digest are in the headers, a failure is a clean status, and the rows are closed
however slow the client is.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from io import SEEK_SET
from typing import Self

from streamware.engine.async_driver import AsyncDriver
from streamware.engine.lifecycle import State
from streamware.engine.worker import Worker
from streamware.http.beginnings import Comparison, remember
from streamware.http.conditional import WHOLE, Decision, Selected, decide
from streamware.http.delivery import Answer, Chunks, Conditions, conditional_answer
from streamware.http.headers import merge_headers
from streamware.receipt import check_complete
from streamware.scratch.spool import Spool

logger = logging.getLogger("streamware")

_READ = 65_536
_LIES = (
    "the data of an export has changed, but not what its etag= names, so all of it is sent again,"
    " also to a client that asked for the rest: name a state that changes with the rows"
)


class Spooled:
    """The chunks of a document from a spool, which has all of it before the first is read.

    Args:
        chunks: The document.
        content: Takes its bytes.
        on_closed: Called when the rows are closed, whether the document is complete or not.

    Attributes:
        receipt: The figures so far.
        content: The bytes to send.
    """

    def __init__(self, chunks: Chunks, content: Content, on_closed: Callable[[], object]) -> None:
        self.receipt = chunks.receipt
        self.content = content
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
            self.content.finish()
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
        content: Takes its bytes.

    Attributes:
        receipt: The figures so far.
        content: The bytes to send.
    """

    def __init__(self, document: AsyncDriver, content: Content) -> None:
        self.receipt = document.receipt
        self.content = content
        self._document = document
        self._worker = Worker()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._document.lifecycle.state is State.IDLE:
            async for chunk in self._document:
                await self._worker.submit(partial(self.content.write, chunk))
            check_complete(self.receipt)
            await self._worker.submit(self.content.finish)
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
    """The bytes of a document in a spool, and which of them a response has.

    Args:
        spool: An empty spool; its ledger closes it.
        conditions: What the document is compared with; None if all of it is to be sent.

    Attributes:
        size: The number of bytes in the spool.
        spool: The spool.
    """

    def __init__(self, spool: Spool, conditions: Conditions | None = None) -> None:
        self.size = 0  # of the whole document
        self.spool = spool  # has it
        self._digest = hashlib.sha256()  # of it
        self._conditions = conditions  # what it is compared with
        self._decision = WHOLE  # which of it is sent; made when it is finished
        self._stop = 0  # the position after the last byte that is sent
        name = None if conditions is None else conditions.name
        # Whether it begins as the one of which the client may have a part.
        self._comparison = None if name is None else Comparison(name)

    def write(self, chunk: bytes) -> None:
        """Append a chunk.  Blocks for the disk and for room; raises what a spool raises."""
        self.spool.write(chunk)
        self._digest.update(chunk)
        self.size += len(chunk)
        if self._comparison is not None:
            self._comparison.add(chunk)

    def finish(self) -> None:
        """Decide what is sent, and go to its beginning; all has been written."""
        self._decision = self._decide()
        part = self._decision.part
        self._stop = self.size if part is None else part.first + (part.size or 0)
        if not self._decision.has_content:
            self._stop = 0
        self.rewind()

    def rewind(self) -> None:
        """Go to the first byte that is sent."""
        part = self._decision.part
        self.spool.seek(0 if part is None else part.first, SEEK_SET)

    def read(self) -> bytes:
        """Return the next bytes; none at the end."""
        return self.spool.read(max(0, min(_READ, self._stop - self.spool.tell())))

    @property
    def is_read(self) -> bool:
        """Whether all that is sent was read."""
        return self.spool.tell() >= self._stop

    @property
    def is_whole(self) -> bool:
        """Whether all bytes are sent."""
        return self._decision == WHOLE

    def answer(self, whole: Answer) -> Answer:
        """Return the answer with these bytes (RFC 9110 §8.6, RFC 9530 §3).

        Args:
            whole: The answer with the whole document, made before that was finished.
        """
        digest = base64.b64encode(self._digest.digest()).decode()
        known = [("Content-Length", str(self.size)), ("Repr-Digest", f"sha-256=:{digest}:")]
        made = replace(whole, headers=merge_headers(whole.headers, known))
        if self._conditions is None:
            return made
        return conditional_answer(made, self._decision, self._selected)

    @property
    def _selected(self) -> Selected:
        own = None if self._conditions is None else self._conditions.etag
        tag = base64.urlsafe_b64encode(self._digest.digest()).decode().rstrip("=")
        return Selected(etag=own or f'"{tag}"', size=self.size)

    def _decide(self) -> Decision:
        conditions = self._conditions
        if conditions is None:
            return WHOLE
        decision = decide(conditions.request, self._selected)
        if self._comparison is not None and self._comparison.differs:
            logger.warning(_LIES)
            decision = WHOLE
        if decision == WHOLE and conditions.name is not None:
            remember(conditions.name, self.size, self._digest.hexdigest())
        return decision
