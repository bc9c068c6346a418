"""aencode: the loop beside an event loop, for rows of either kind.

Rows of an ordinary iterable are pulled on a thread of their own, which encodes them, too.  Rows
of an async iterable are pulled by one task, which opens, reads and closes them, and encoded on
that thread.  Either way encoding passes the process-wide gate and never runs on the loop, and a
timer hands out what a slow source has given so far, without ever cancelling a pull.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from threading import Thread
from types import TracebackType
from typing import Any, Protocol, Self

from streamware.engine.deadline import called
from streamware.engine.lifecycle import Lifecycle, State
from streamware.engine.sync import CHUNK_SIZE, FLUSH_INTERVAL, Encoding
from streamware.engine.turns import Turn, take
from streamware.engine.worker import GATE, Worker
from streamware.errors import LimitError, StateError
from streamware.formats.protocol import Format
from streamware.formats.registry import lookup
from streamware.limits import Limits
from streamware.model.columns import Column, Key
from streamware.receipt import Receipt
from streamware.rows.async_rows import AsyncRowBridges
from streamware.rows.source import Bridge, Rows, aclose, checked, is_thread_bound
from streamware.values import Values

_HAND_OVER = 0.02  # seconds in which a thread that waits for rows takes those it is given
_OTHER_THREAD = (
    "these rows were opened on another thread and are bound to it; beside an event loop hand over"
    " a callable that opens them, such as Export(lambda: connection().execute(…))"
)


def aencode(
    rows: Rows,
    format: str | Format = "csv",  # noqa: A002 - the contract's name
    *,
    columns: Iterable[Column | Key] | None = None,
    sheet_by: Key | None = None,
    values: Values | None = None,
    limits: Limits | None = None,
    chunk_size: int = CHUNK_SIZE,
    flush_interval: float = FLUSH_INTERVAL,
) -> AsyncEncoding:
    """Turn rows into the chunks of a document, beside an event loop; the twin of `encode`.

    The rows may be asynchronous or not.  An ordinary iterable is opened, pulled and closed on a
    thread of its own, in a copy of the current context; hand over a callable that opens it
    where what it opens is bound to a thread, as SQLite's cursors are.

    Args and Raises as `encode`; `flush_interval` is kept by a timer.

    Returns:
        An async iterator of bytes, never empty ones, and an async context manager; with
        `.receipt` and an idempotent `.aclose()`.
    """
    checked(rows)
    return AsyncEncoding(
        lambda bridge: Encoding(
            rows,
            lookup(format),
            columns=columns,
            sheet_by=sheet_by,
            values=values,
            limits=limits,
            chunk_size=chunk_size,
            flush_interval=flush_interval,
            gate=GATE,
            bridge=bridge,
        ),
        flush_interval=flush_interval,
    )


class Advanceable(Protocol):
    """What is encoded on one thread and may be looked at from others: an `Encoding`."""

    @property
    def lock(self) -> AbstractContextManager[Any]:
        """Held while rows are encoded or chunks are taken."""

    @property
    def lifecycle(self) -> Lifecycle:
        """The state of the document, and its receipt."""

    @property
    def has_pending(self) -> bool:
        """Whether something has come that was not handed out."""

    @property
    def asynchronous(self) -> list[object]:
        """Rows handed over open that only an event loop can close, and that were not begun."""

    def advance(self) -> bool:
        """Pull and encode until something should be handed out; False after the last row."""

    def take(self) -> bytes:
        """What is ready to be handed out."""

    def flush_pending(self) -> None:
        """Encode and flush what has come so far, while `advance` is blocked."""

    @property
    def time_left(self) -> float:
        """Seconds that it may still take."""

    def expire(self) -> LimitError | None:
        """Have `advance` end with the pull in flight if it is too late; the error to raise then."""

    def cancel(self) -> None:
        """Have `advance` end with the pull in flight: what comes of it is not wanted."""

    def close(self) -> None:
        """Close the rows."""


class AsyncEncoding:
    """A document being encoded beside an event loop; made by `aencode`.

    Attributes:
        receipt: Its figures so far.
    """

    def __init__(
        self,
        make: Callable[[Bridge], Advanceable],
        *,
        flush_interval: float,
        cancel: Callable[[], object] | None = None,
    ) -> None:
        self._bridges = AsyncRowBridges()
        self._encoding = make(self._bridges)
        self._flush_interval = flush_interval
        self._cancel = cancel
        self._worker = Worker()
        self._helper = Worker()
        self._ready: deque[bytes] = deque()
        self._filling: asyncio.Future[bool] | None = None
        self._turn: Turn | None = None
        self._endings: list[asyncio.Future[Any]] = []
        self._closing: asyncio.Task[None] | None = None

    @property
    def receipt(self) -> Receipt:
        """Figures so far; final once the last chunk was taken, or after `aclose`."""
        return self.lifecycle.receipt

    @property
    def lifecycle(self) -> Lifecycle:
        """The state of the document."""
        return self._encoding.lifecycle

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        more = True
        while more and not self._ready and not self._closed:
            if self._filling is None:
                if self.lifecycle.is_over:
                    break
                self._filling = await self._begun()
            if self._filling is not None:
                more = await self._waited(self._filling)
        if self._ready and not self._closed:
            return self._ready.popleft()
        await self.aclose()
        raise StopAsyncIteration

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        # A last resort, for who forgot: whatever is under way still ends on its own thread.
        if hasattr(self, "_worker") and not self._closed:
            self._stop()

    @property
    def _closed(self) -> bool:
        return self._worker.stopped

    def close(self) -> None:
        """Give up without waiting, from any thread: Django closes its responses like this."""
        loop = self._bridges.loop or _running_loop()
        if loop is not None and loop.is_running():
            loop.call_soon_threadsafe(self._begin_to_close)
        elif not self._closed:
            self._stop()

    def _begin_to_close(self) -> None:
        self._closing = asyncio.get_running_loop().create_task(self.aclose())

    async def aclose(self) -> None:
        """Give up, or end: close the rows.  Idempotent; never raises but on cancellation.

        Waits for the pull in flight; a cancellation ends the waiting, not the closing.
        """
        if not self._closed:
            self._endings = self._stop()
        if self._endings:
            await asyncio.wait(self._endings)
        if tasks := self._bridges.tasks():
            await asyncio.wait(tasks)
        while self._encoding.asynchronous:
            await aclose(self._encoding.asynchronous.pop())

    async def _begun(self) -> asyncio.Future[bool] | None:
        """Begin to fill when it is its turn, if that is still wanted then."""
        self._bridges.loop = asyncio.get_running_loop()
        turn = self._turn = await take(self._turn)
        if self._closed:
            turn.end()
            return None
        filling = self._worker.submit(self._fill)
        filling.add_done_callback(lambda _: turn.end())
        return filling

    def _fill(self) -> bool:
        more = self._encoding.advance()
        self._collect()
        return more

    def _rescue(self) -> None:
        self._encoding.flush_pending()
        self._collect()

    def _collect(self) -> None:
        with self._encoding.lock:  # so that chunks line up in the order in which they were taken
            if chunk := self._encoding.take():
                self._ready.append(chunk)

    async def _waited(self, filling: asyncio.Future[bool]) -> bool:
        """Wait for a chunk, or for the clock; return False after the last chunk."""
        encoding = self._encoding
        await asyncio.wait({filling}, timeout=max(0, min(self._flush_interval, encoding.time_left)))
        if not (filling.done() or self._closed) and (expired := encoding.expire()) is not None:
            try:
                await self.aclose()
                raise expired
            finally:
                del expired  # its traceback holds this frame
        if not filling.done() and self._bridges.flush():
            await asyncio.wait({filling}, timeout=_HAND_OVER)
        if self._closed:
            return False
        try:
            if filling.done():
                self._filling = None
                return filling.result()
            if self._encoding.has_pending:
                await self._helper.submit(self._rescue)
        except Exception as error:
            await self.aclose()
            if is_thread_bound(error):
                raise StateError(_OTHER_THREAD) from error
            raise
        return True

    def _stop(self) -> list[asyncio.Future[Any]]:
        """Have everything end; what to wait for until it has."""
        if self._ready and self.lifecycle.state is State.COMPLETE:
            self.lifecycle.drop()
        self._encoding.cancel()
        pulling = self._filling is not None and not self._filling.done()
        if self._filling is not None:
            with suppress(RuntimeError):  # the loop has ended
                self._filling.add_done_callback(_retrieved)
        self._bridges.cancel()
        endings = [self._worker.stop(self._encoding.close), self._helper.stop(_nothing)]
        if pulling and self._cancel is not None:
            Thread(target=called, args=(self._cancel,), name="streamware", daemon=True).start()
        return [ending for ending in endings if ending is not None]


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _retrieved(future: asyncio.Future[bool]) -> None:
    """Nobody waits any more, and what came of it is in the receipt."""
    if not future.cancelled():
        future.exception()


def _nothing() -> None:
    """The last thing a helper has to do."""
