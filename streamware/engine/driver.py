"""Driver: pulls rows, encodes them and returns the chunks of a document.

Theory of operation
===================

`advance` runs a generator to its next step: it opens the rows, pulls a batch, encodes it, and
stops when there is something to send.  `take` returns the bytes that are ready.  Iterating does
both in turn; `AsyncDriver` calls them from threads.

One thread at a time calls `advance`.  Any thread may call `flush_pending`, `cancel`, `expire` and
`close` while it is blocked in a pull: the lock guards the document, never the pull.  They record
what they decide in the document's `Lifecycle`; `advance` looks at it after each pull, before it
encodes.  Rows are closed on the thread that is in `advance`; if none is, on the one that calls
`close`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from inspect import GEN_RUNNING, getgeneratorstate
from math import inf
from threading import RLock
from time import monotonic
from typing import Any, BinaryIO, Protocol, Self

from streamware.engine.deadline import Deadline
from streamware.engine.document import DocumentWriter, check_interleaves
from streamware.engine.lifecycle import State
from streamware.engine.options import ResolvedOptions
from streamware.errors import EncodeError, LimitError
from streamware.formats.protocol import Format
from streamware.limits import Limits
from streamware.locks import fork_safe, generation
from streamware.model.columns import Column, Sheet, Tagged, as_columns
from streamware.receipt import Receipt
from streamware.rows.batching import RowBatcher
from streamware.rows.columnar import ColumnarRows, SliceBatcher
from streamware.rows.source import (
    END,
    Bridge,
    Cancelled,
    Columns,
    OpenRows,
    Rows,
    async_sources,
    checked,
    close,
    is_opener,
)
from streamware.scratch.disk_quota import ExportQuota
from streamware.scratch.ledger import CURRENT, Scratch
from streamware.scratch.pool import scratch_pool


class Coder(Protocol):
    """A content coding over the chunks of a document."""

    def __call__(self, chunk: bytes, *, last: bool, flush: bool) -> bytes:
        """Return the coded bytes that are ready: all of them with `last` or `flush`."""


class Driver:
    """An iterator of the chunks of one document.

    Args:
        rows: As in `encode`.
        format: The format.
        options: As in `encode`.
        gate: Held while rows are encoded.
        bridge: Turns asynchronous rows into ordinary ones.
        coder: The content coding of the chunks.
        open_spool: Opens a scratch file; by default in scratch of the document's own.
        locale: Language tag of the reader, if it is known.
        cancel: Called on another thread, to interrupt a pull that is blocked when the time is over
            or the client has left.
        steady: Whether equal rows must have equal bytes, whatever holds them: nothing is written
            that depends on whether their number is known, or on how a table is divided.

    Attributes:
        document: The document being written.
        lifecycle: Its state.
        lock: Held while rows are encoded or chunks are taken.
        asynchronous: The rows that were passed open and were not read, and that only an event
            loop can close.
    """

    def __init__(
        self,
        rows: Rows,
        format: Format,  # noqa: A002 - the contract's name
        options: ResolvedOptions,
        *,
        gate: AbstractContextManager[Any] | None = None,
        bridge: Bridge | None = None,
        coder: Coder | None = None,
        open_spool: Callable[[], BinaryIO] | None = None,
        locale: str | None = None,
        cancel: Callable[[], object] | None = None,
        steady: bool = False,
    ) -> None:
        if options.sheet_by is not None:
            Column(options.sheet_by)  # raises TypeError unless it is a key
            check_interleaves(format)
        self._own = _OwnScratch(options.limits)  # scratch of its own, if there is no `open_spool`
        self.document = DocumentWriter(  # where rows become bytes
            format,
            options,
            gate=gate,
            open_spool=open_spool or self._own.spool,
            locale=locale,
            counted=not steady,
        )
        self.lifecycle = self.document.lifecycle  # its state
        self._steady = steady  # whether equal rows must have equal bytes
        self.asynchronous = async_sources(rows)  # the async rows passed open, until they are read
        # Guards the document, never a pull.
        self.lock: AbstractContextManager[Any] = fork_safe(RLock())
        self._rows: Rows | None = checked(rows)  # as passed; None once they are opened or closed
        self._options = options  # sheet_by, chunk_size and flush_interval
        self._bridge = bridge  # turns asynchronous rows into ordinary ones
        self._coder = coder  # the content coding; None once its stream has ended
        self._opened: list[OpenRows] = []  # the rows that are to be closed
        self._batcher: RowBatcher | SliceBatcher | None = None  # of the table that is being read
        self._unfinished = False  # whether rows were taken from it and are not encoded yet
        self._failure: BaseException | None = None  # found by another thread; advance raises it
        self._cancel = cancel  # the caller's; None: that of the source that is being read
        # Interrupts a blocked pull.  It does not refer to this driver: a cycle would keep a dropped
        # one from being closed.
        self._deadline = Deadline(partial(_cancel_pull, cancel, self._opened))
        self._generation = generation()  # of the process that made it
        # What advance runs; None after the last row and once it is closed.  It is set last: the
        # finalizer of a driver whose arguments were wrong has nothing to close.
        self._steps: Generator[None, None, None] | None = self._read()

    @property
    def receipt(self) -> Receipt:
        """The figures so far; final once the last chunk was taken, or after `close`."""
        return self.document.receipt

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        more = True
        while more:
            more = self.advance()
            if chunk := self.take():
                return chunk
        self.close()
        raise StopIteration

    def __del__(self) -> None:
        if hasattr(self, "_steps") and self._generation == generation():
            self.close()  # in a forked child the rows, and their connection, are the parent's

    def advance(self) -> bool:
        """Pull and encode until something can be sent; return False after the last row."""
        steps = self._steps
        if steps is None:
            return False
        try:
            with self._deadline:
                self._check_time()
                for _ in steps:
                    return not self.lifecycle.is_over or self._stop_reading()
        except BaseException as error:
            if self.lifecycle.is_over and isinstance(error, Cancelled):
                return self._stop_reading()
            self._fail(error)
            raise
        self._steps = None
        try:
            self._close_rows()
        except BaseException as error:
            self._fail(error)
            raise
        return False

    def take(self) -> bytes:
        """Return the bytes that are ready, possibly none; from any thread."""
        with self.lock:
            chunk = self.document.take()
            written = self._steps is None and self.lifecycle.state is State.WRITTEN
            last = written and self.document.complete()
            coder = self._coder
            if coder is None:
                return chunk
            if last:
                self._coder = None
            return coder(chunk, last=last, flush=len(chunk) < self._options.chunk_size)

    @property
    def has_pending(self) -> bool:
        """Whether some rows have come and were not sent."""
        if self._options.flush_interval == inf:
            return False
        batcher = self._batcher
        return self.document.unflushed or (batcher is not None and bool(batcher.pending))

    def flush_pending(self) -> None:
        """Encode and flush the rows so far, while a pull is blocked on another thread.

        Rows whose cells only the thread that pulls may read (attributes, callables, conversions)
        wait for that thread.
        """
        document, batcher = self.document, self._batcher
        with self.lock:
            if self.lifecycle.state is not State.READING or batcher is None:
                return
            try:
                any_thread = not self._unfinished and (
                    not batcher.pending or document.any_thread(batcher.pending[0])
                )
                if any_thread:
                    for rows, characters in batcher.portions():
                        document.feed(rows, characters=characters)
                document.flush(rows=any_thread)
            except BaseException as error:
                self._failure = error
                document.close(error)
                raise

    def cancel(self) -> None:
        """Have `advance` end with the pull in flight; from any thread."""
        self.lifecycle.cancel()
        if self._batcher is not None:
            self._batcher.stop()

    @property
    def time_left(self) -> float:
        """Seconds that it may still take (`Limits.seconds`)."""
        return self.document.time_left

    def expire(self) -> LimitError | None:
        """Cancel it if no time is left; return the error that `advance` will raise."""
        if self.time_left > 0:
            return None
        error = self.document.overdue()
        self._failure = self._failure or error
        self.lifecycle.cancel()
        return error

    @property
    def interruptible(self) -> bool:
        """Whether the caller or a source that is being read has a `cancel`."""
        return self._cancel is not None or any(rows.cancel for rows in self._opened)

    def interrupt(self) -> None:
        """Interrupt a blocked pull, if it is `interruptible`; from another thread."""
        self._deadline.strike()

    def _watch_time(self) -> None:
        """Have a pull interrupted when the time is over; beside an event loop, the loop does it."""
        if self._bridge is None and self._options.limits.seconds is not None:
            self._deadline.start(self.time_left)

    def close(self) -> None:
        """Close the rows, at the end or before it.

        Idempotent; may raise only KeyboardInterrupt and the like, once all is closed.  While
        another thread is in a pull, that thread closes the rows when its pull returns.
        """
        if self.lifecycle.is_over and self._steps is None:
            return
        self._end(self._failure)
        rows, self._rows = self._rows, None
        if self._batcher is not None:
            self._batcher.stop()  # another thread may be filling a batch for up to a second
        with ExitStack() as closing:  # from last to first; each runs even if an earlier one failed
            if self._steps is None or getgeneratorstate(self._steps) != GEN_RUNNING:
                closing.callback(self._stop_reading)
            if rows is not None and not is_opener(rows):
                closing.callback(close, rows)

    def _fail(self, error: BaseException) -> None:
        """Close it; raise the cause if `error` is only what an interrupted source made of it."""
        if self._failure is None and self._deadline.struck:
            self._failure = self.document.overdue()
        cause = (self._failure if isinstance(error, (Exception, Cancelled)) else None) or error
        self._end(cause)
        self.close()
        try:
            if cause is not error:
                raise cause from error
        finally:
            self._failure = None  # its traceback holds the driver, and this frame
            del cause, error

    def _end(self, error: BaseException | None) -> None:
        """Record how the document ended, if it is not over; without an error it was closed."""
        cancelled = self.lifecycle.state is State.CANCELLED and self._failure is None
        # asyncio has cancelled all tasks because of what async rows raised: that ended it.
        cancelled = cancelled and not isinstance(error, (KeyboardInterrupt, SystemExit))
        with self.lock:
            self.document.close(None if cancelled else error)

    def _stop_reading(self) -> bool:
        """End the generator and close the rows; return False, as there are no more."""
        steps, self._steps = self._steps, None
        if steps is not None:
            steps.close()
        self._close_rows()
        return False

    def _read(self) -> Generator[None, None, None]:
        """Read all rows; yield whenever the document has something to send."""
        if self._cancel is not None:
            self._watch_time()  # may fail; the rows are still to be closed then
        rows, self._rows = self._rows, None
        if rows is None:
            raise Cancelled  # another thread is closing them
        self.lifecycle.start()
        outer = self._open(rows, self._options.columns)
        with self.document.callers_code:
            first, items = outer.start()
        if isinstance(first, Sheet):
            yield from self._read_sheets(iter(items))
        elif self._options.sheet_by is not None or isinstance(first, Tagged):
            yield from self._read_rows(items, self.document.start_grouped(outer))
        else:
            self.document.start_sheet(None, outer)
            yield from self._read_rows(items)
        more = True
        while more:
            with self.lock:
                self._check_reading()
                self._check_time()  # a source that was interrupted may simply end
                more = self.document.finish()
            if more and self.document.size >= self._options.chunk_size:
                yield

    def _open(self, rows: Any, columns: Columns) -> OpenRows:
        self.asynchronous = [each for each in self.asynchronous if each is not rows]
        with self.document.callers_code:
            opened = OpenRows(rows, self._bridge, columns)
        self._opened.append(opened)
        if opened.cancel is not None:
            self._watch_time()
        return opened

    def _read_sheets(self, sheets: Iterator[Any]) -> Generator[None, None, None]:
        if self._options.sheet_by is not None:
            raise EncodeError("sheet_by= cannot be used with Sheets; leave it out, or pass rows")
        while True:
            with self.document.callers_code:
                sheet = next(sheets, END)
            if sheet is END:
                return
            if not isinstance(sheet, Sheet):
                raise EncodeError(
                    f"expected only Sheets after the first, not a {type(sheet).__name__}"
                )
            own = as_columns(sheet.columns)
            opened = self._open(sheet.rows, self._options.columns if own is None else own)
            with self.document.callers_code:
                _, rows = opened.start()
            self.document.start_sheet(sheet, opened)
            yield from self._read_rows(rows, alone=False)
            self._opened.remove(opened)
            opened.close()

    def _read_rows(
        self, rows: Iterable[Any], sheets: list[Any] | None = None, *, alone: bool = True
    ) -> Generator[None, None, None]:
        """Read some rows; yield whenever the document has something to send.

        Args:
            rows: The rows.
            sheets: As in `RowBatcher`.
            alone: Whether no others follow, so that the document ends with them.
        """
        document, interval = self.document, self._options.flush_interval
        batcher = self._batcher = self._batcher_of(rows, sheets)
        due = monotonic() + interval
        early = True  # the first bytes are sent at once
        while not batcher.ended:
            self._check_time()
            with document.callers_code:
                batcher.pull(min(due, monotonic() + document.time_left))
            late = monotonic() > due
            for _ in self._encode(batcher, late=late):
                if document.size >= self._options.chunk_size:
                    early = False
                    yield
            # What is read to its end at once is sent as a whole: nothing has to be waited for.
            soon = late or (early and not (alone and batcher.ended))
            if document.size and (soon or document.size >= self._options.chunk_size):
                early = False
                yield
                due = monotonic() + interval
        with self.lock:
            self._check_reading()
            document.end_sheet()

    def _batcher_of(
        self, rows: Iterable[Any], sheets: list[Any] | None
    ) -> RowBatcher | SliceBatcher:
        divided = self._steady or self._options.sheet_by is not None
        if isinstance(rows, ColumnarRows) and not divided:
            return SliceBatcher(rows)
        return RowBatcher(rows, sheets, self.document.cell_size)

    def _encode(self, batcher: RowBatcher | SliceBatcher, *, late: bool) -> Iterator[None]:
        """Encode the pending rows; yield after each batch of them."""
        document = self.document
        with self.lock:
            self._check_reading()
            portions = batcher.portions()
            self._unfinished = True
        for at, (rows, characters) in enumerate(portions):
            last = batcher.ended and at == len(portions) - 1
            steps = document.encode(rows, characters=characters, alone=at > 0, last=last)
            more = True
            while more:
                with self.lock:
                    self._check_reading()
                    self._check_time()  # or go on
                    more = next(steps, self) is None
                if more:
                    yield
        with self.lock:
            self._check_reading()
            self._unfinished = False
            if late:
                document.flush()

    def _check_time(self) -> None:
        """Raise LimitError if the time is over, by the clock or the timer, which may be ahead."""
        if self._deadline.struck:
            raise self.document.overdue()
        self.document.check_time()

    def _check_reading(self) -> None:
        """End the reading if another thread has ended the document; the lock is held."""
        if self.lifecycle.state is not State.READING:
            raise self._failure or Cancelled

    def _close_rows(self) -> None:
        try:
            self._deadline.stop()
        finally:
            try:
                self._close_opened()
            finally:
                self._own.close(self.receipt)

    def _close_opened(self) -> None:
        """Close what was opened, from last to first; each even if a later one failed."""
        if self._opened:
            try:
                self._opened.pop().close()
            finally:
                self._close_opened()


def _cancel_pull(cancel: Callable[[], object] | None, opened: Sequence[OpenRows]) -> None:
    """Interrupt a pull by the caller's `cancel`, or else by that of the innermost source."""
    cancels = [cancel, *(rows.cancel for rows in reversed(opened))]
    if found := next(filter(None, cancels), None):
        found()


class _OwnScratch:
    """Scratch of one document that is not part of a response, made when it is first needed."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._opened: tuple[Scratch, ExportQuota] | None = None

    def spool(self) -> BinaryIO:
        """Open a scratch file."""
        if self._opened is None:
            around = CURRENT.get()
            scratch = Scratch(scratch_pool(None if around is None else around.settings))
            self._opened = scratch, scratch.export_quota(self._limits)
        return self._opened[1].spool()

    def close(self, receipt: Receipt) -> None:
        """Remove its files, and record how much they held.  Idempotent."""
        if self._opened is not None:
            scratch, quota = self._opened
            scratch.close()
            receipt.scratch_peak_bytes = quota.peak
