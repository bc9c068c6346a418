"""encode: the plain loop, rows of an iterable to chunks of a document."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from inspect import GEN_RUNNING, getgeneratorstate
from itertools import chain
from threading import RLock
from time import monotonic
from types import TracebackType
from typing import Any, BinaryIO, Protocol, Self

from streamware.engine.deadline import Deadline
from streamware.engine.document import DocumentWriter, check_interleaves
from streamware.engine.lifecycle import Lifecycle, State
from streamware.errors import EncodeError, LimitError
from streamware.formats.protocol import Format
from streamware.formats.registry import lookup
from streamware.limits import Limits
from streamware.model.columns import Column, Key, Sheet, Tagged
from streamware.receipt import Receipt
from streamware.rows.batching import RowBatcher, Untag, portions
from streamware.rows.source import (
    Bridge,
    Cancelled,
    OpenRows,
    Rows,
    async_sources,
    checked,
    close,
    is_opener,
)
from streamware.scratch.ledger import CURRENT, Scratch
from streamware.scratch.pool import scratch_pool
from streamware.scratch.quota import ExportQuota
from streamware.values import Values

CHUNK_SIZE = 65_536
FLUSH_INTERVAL = 1.0


def encode(
    rows: Rows,
    format: str | Format = "csv",  # noqa: A002 - the contract's name
    *,
    columns: Iterable[Column | Key] | None = None,
    sheet_by: Key | None = None,
    values: Values | None = None,
    limits: Limits | None = None,
    chunk_size: int = CHUNK_SIZE,
    flush_interval: float = FLUSH_INTERVAL,
) -> Encoding:
    """Turn rows into the chunks of a document, pulling a row only when a chunk is asked for.

    Memory does not grow with the number of rows.  Blocks only where `rows` blocks.  Nothing is
    opened before the first chunk is asked for.

    Args:
        rows: An iterable of rows, of `Tagged` rows or of `Sheet`, or a callable that opens one;
            closed by us on every path.  A row is a sequence, a mapping or an object, and must not
            be changed once it was handed over.
        format: Name of a registered format, or its options, such as `Csv(bom=True)`.
        columns: Which cells, in which order, under which titles; by default all there are.
        sheet_by: Tells a row's sheet, as `Column.key` tells a cell: each row goes into the sheet
            of that name, in one pass over the rows, however they are mixed.  None in a row is
            the sheet that a workbook has by default.  The first sheet is handed out as its rows
            come; the others wait in scratch files, compressed, until the last row has come.
        values: What becomes of values that not every format can hold.
        limits: Bounds.
        chunk_size: Bytes in every chunk but the first, the last and a flushed one, at the least.
        flush_interval: Seconds after which a row that arrives has everything so far handed out.

    Returns:
        An iterator of bytes, never empty ones, and a context manager; with `.receipt` and an
        idempotent `.close()`, which may come before the first chunk.

    Raises:
        TypeError, ValueError: The arguments are wrong.
        EncodeError: While iterating: a row or a value that the format cannot hold.
        StateError: While iterating: the rows are asynchronous.
    """
    return Encoding(
        rows,
        lookup(format),
        columns=columns,
        sheet_by=sheet_by,
        values=values,
        limits=limits,
        chunk_size=chunk_size,
        flush_interval=flush_interval,
    )


class Coder(Protocol):
    """A content coding over the chunks of a document."""

    def __call__(self, chunk: bytes, *, last: bool, flush: bool) -> bytes:
        """The coded bytes that are ready; all of them at the last chunk, or where flushed."""


class Encoding:
    """A document being encoded; made by `encode`.

    Attributes:
        receipt: Its figures so far.
        lock: Held while rows are encoded or chunks are taken.
        asynchronous: Rows that were handed over open, that only an event loop can close, and that
            nobody has begun to read.
    """

    def __init__(
        self,
        rows: Rows,
        format: Format,  # noqa: A002 - the contract's name
        *,
        columns: Iterable[Column | Key] | None,
        sheet_by: Key | None = None,
        values: Values | None,
        limits: Limits | None,
        chunk_size: int,
        flush_interval: float,
        gate: AbstractContextManager[Any] | None = None,
        bridge: Bridge | None = None,
        coder: Coder | None = None,
        open_spool: Callable[[], BinaryIO] | None = None,
        locale: str | None = None,
        cancel: Callable[[], object] | None = None,
    ) -> None:
        if chunk_size < 1 or flush_interval <= 0:
            raise ValueError("chunk_size is at least 1, flush_interval above 0")
        self._limits = limits or Limits()
        self.document = DocumentWriter(
            format,
            columns,
            values=values or Values(),
            limits=self._limits,
            gate=gate,
            open_spool=open_spool or self._own_spool,
            locale=locale,
        )
        self._sheet_by = checked_key(sheet_by, format)
        self._scratch: Scratch | None = None
        self._quota: ExportQuota | None = None
        self._rows: Rows | None = checked(rows)
        self.asynchronous = async_sources(rows)
        self._bridge = bridge
        self._coder = coder
        self._chunk_size = chunk_size
        self._flush_interval = flush_interval
        self._opened: list[OpenRows] = []
        self._batcher: RowBatcher | None = None
        self.lock: AbstractContextManager[Any] = RLock()
        self._failure: BaseException | None = None
        self._deadline: Deadline | None = None
        if cancel is not None and limits is not None and limits.seconds is not None:
            self._deadline = Deadline(limits.seconds, cancel)
        self._steps: Generator[None, None, None] | None = self._run()

    @property
    def receipt(self) -> Receipt:
        """Figures so far; final once the last chunk was taken, or after `close`."""
        return self.document.receipt

    @property
    def lifecycle(self) -> Lifecycle:
        """The state of the document."""
        return self.document.lifecycle

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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_steps"):  # else the arguments were wrong
            self.close()

    def advance(self) -> bool:
        """Pull and encode until something should be handed out; False after the last row."""
        steps = self._steps
        if steps is None:
            return False
        try:
            with self._deadline or _NO_DEADLINE:
                self.document.check_time()
                for _ in steps:
                    return not self.lifecycle.is_over or self._end_late()
        except BaseException as error:
            if self.lifecycle.is_over and isinstance(error, Cancelled):
                return self._end_late()
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
        """What is ready to be handed out, from any thread."""
        with self.lock:
            chunk = self.document.take()
            written = self._steps is None and self.lifecycle.state is State.WRITTEN
            last = written and self.document.complete()
            coder = self._coder
            if coder is None:
                return chunk
            if last:
                self._coder = None  # its stream has an end, and only one
            return coder(chunk, last=last, flush=len(chunk) < self._chunk_size)

    @property
    def has_pending(self) -> bool:
        """Whether rows have come that were not handed out."""
        batcher = self._batcher
        return self.document.unflushed or (batcher is not None and bool(batcher.pending))

    def flush_pending(self) -> None:
        """Encode and flush what has come so far, while a pull is blocked on another thread.

        Rows whose cells have to be reached on their own thread (attributes, callables,
        conversions) wait for that thread.
        """
        document, batcher = self.document, self._batcher
        with self.lock:
            if self.lifecycle.state is not State.READING or batcher is None:
                return
            try:
                any_thread = not batcher.pending or document.any_thread(batcher.pending[0])
                if any_thread:
                    document.feed(batcher.take())
                document.flush(rows=any_thread)
            except BaseException as error:
                self._failure = error
                document.close(error)
                raise

    def cancel(self) -> None:
        """Have `advance` end with the pull in flight; may be called from any thread."""
        self.lifecycle.cancel()
        if self._batcher is not None:
            self._batcher.stop()

    @property
    def time_left(self) -> float:
        """Seconds that it may still take (`Limits.seconds`)."""
        return self.document.time_left

    def expire(self) -> LimitError | None:
        """Have `advance` end as `cancel` does if no time is left; the error to raise then."""
        if self.time_left > 0:
            return None
        error = self.document.overdue()
        self._failure = self._failure or error
        self.lifecycle.cancel()
        return error

    def close(self) -> None:
        """Give up, or end: close the rows.

        Idempotent; raises nothing but what is no `Exception`, when all is closed.  While another
        thread is pulling, that thread closes them when its pull returns.
        """
        if self.lifecycle.is_over and self._steps is None:
            return
        self._end(self._failure)
        rows, self._rows = self._rows, None
        with ExitStack() as closing:  # from last to first; each runs even if an earlier one failed
            if self._steps is None or getgeneratorstate(self._steps) != GEN_RUNNING:
                closing.callback(self._end_late)
            if rows is not None and not is_opener(rows):
                closing.callback(close, rows)

    def _fail(self, error: BaseException) -> None:
        """End it; raises why, where that is not what interrupted rows raised."""
        if self._failure is None and self._deadline is not None and self._deadline.struck:
            self._failure = self.document.overdue()
        cause = (self._failure if isinstance(error, (Exception, Cancelled)) else None) or error
        self._end(cause)
        self.close()
        try:
            if cause is not error:
                raise cause from error
        finally:
            self._failure = None  # its traceback holds us, and this frame
            del cause, error

    def _end(self, error: BaseException | None) -> None:
        """Record how the document ended, if it is not over: with an error, or closed."""
        cancelled = self.lifecycle.state is State.CANCELLED and self._failure is None
        with self.lock:
            self.document.close(None if cancelled else error)

    def _end_late(self) -> bool:
        steps, self._steps = self._steps, None
        if steps is not None:
            steps.close()
        self._close_rows()
        return False

    def _run(self) -> Generator[None, None, None]:
        """Each step has filled the document with something to hand out."""
        rows, self._rows = self._rows, None
        self.lifecycle.start()
        if self._deadline is not None:
            self._deadline.start()
        outer = self._open(rows)
        rest = outer.iterator
        with self.document.theirs():
            first = next(rest, _END)
        begun = () if first is _END else (first,)
        if isinstance(first, Sheet):
            yield from self._sheets(chain(begun, rest))
        elif self._sheet_by is not None or isinstance(first, Tagged):
            yield from self._sorted(outer.names, chain(begun, rest))
        else:
            yield from self._table(None, outer.names, chain(begun, rest))
        yield from self._finish()

    def _open(self, rows: Any) -> OpenRows:
        self.asynchronous = [each for each in self.asynchronous if each is not rows]
        with self.document.theirs():
            opened = OpenRows(rows, self._bridge)
        self._opened.append(opened)
        return opened

    def _sheets(self, sheets: Iterator[Any]) -> Generator[None, None, None]:
        if self._sheet_by is not None:
            raise EncodeError("sheet_by= is for rows, and these are sheets already")
        while True:
            with self.document.theirs():
                sheet = next(sheets, _END)
            if sheet is _END:
                return
            if not isinstance(sheet, Sheet):
                raise EncodeError(f"among the sheets is a {type(sheet).__name__}")
            opened = self._open(sheet.rows)
            yield from self._table(sheet, opened.names, opened.iterator)
            self._opened.remove(opened)
            opened.close()

    def _table(
        self, sheet: Sheet | None, names: list[str] | None, rows: Iterator[Any]
    ) -> Generator[None, None, None]:
        self.document.begin(sheet, names)
        yield from self._pulled(rows)

    def _sorted(self, names: list[str] | None, rows: Iterator[Any]) -> Generator[None, None, None]:
        untag = self.document.begin_sorted(self._sheet_by, names)
        yield from self._pulled(rows, untag)

    def _pulled(
        self, rows: Iterator[Any], untag: Untag | None = None
    ) -> Generator[None, None, None]:
        document = self.document
        batcher = self._batcher = RowBatcher(rows, untag)
        due = monotonic() + self._flush_interval
        early = True
        while not batcher.ended:
            with document.theirs():
                batcher.pull(due)
            late = monotonic() > due
            self._encode(batcher, late=late)
            if document.size and (early or late or document.size >= self._chunk_size):
                early = False
                yield
                due = monotonic() + self._flush_interval
        with self._encoding():
            document.end()

    def _finish(self) -> Generator[None, None, None]:
        more = True
        while more:
            with self._encoding():
                self.document.check_time()
                more = self.document.finish()
            if more and self.document.size >= self._chunk_size:
                yield

    @contextmanager
    def _encoding(self) -> Iterator[None]:
        """Nobody else encodes meanwhile, and the document is still wanted."""
        with self.lock:
            if self.lifecycle.state is not State.READING:
                raise self._failure or Cancelled
            yield

    def _encode(self, batcher: RowBatcher, *, late: bool) -> None:
        document = self.document
        with self._encoding():
            document.check_time()
            runs = portions(batcher.take())
            for run in runs:
                document.feed(run, characters=batcher.characters, alone=run is not runs[0])
            if late:
                document.flush()
        batcher.heavy = document.heavy

    def _close_rows(self) -> None:
        with ExitStack() as closing:
            closing.callback(self._close_scratch)
            while self._opened:
                closing.callback(self._opened.pop(0).close)
            if self._deadline is not None:
                closing.callback(self._deadline.stop)

    def _close_scratch(self) -> None:
        if self._scratch is not None and self._quota is not None:
            self._scratch.close()
            self.receipt.scratch_peak_bytes = self._quota.peak

    def _own_spool(self) -> BinaryIO:
        """A scratch file, where nobody else has a place for one."""
        if self._quota is None:
            around = CURRENT.get()
            self._scratch = Scratch(scratch_pool(None if around is None else around.settings))
            self._quota = self._scratch.export_quota(self._limits)
        return self._quota.spool()


_END = object()
_NO_DEADLINE: AbstractContextManager[None] = nullcontext()


def checked_key(sheet_by: Key | None, format_: Format) -> Key | None:
    """`sheet_by`, if it can be one.

    Raises:
        TypeError: It is no key.
        EncodeError: The format cannot take the rows of several sheets in one pass.
    """
    if sheet_by is not None:
        Column(sheet_by)
        check_interleaves(format_)
    return sheet_by
