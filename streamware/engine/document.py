"""DocumentWriter: turns batches of rows into the bytes of one document.

It never opens or pulls rows: a `Driver` feeds it, and takes the bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from math import inf
from types import TracebackType
from typing import Any, BinaryIO

from streamware.engine.deferred_file import DeferredFile
from streamware.engine.lifecycle import Lifecycle, State
from streamware.engine.options import ResolvedOptions
from streamware.errors import EncodeError, LimitError, StateError
from streamware.formats.protocol import Context, Encoder, Format, interleaves, pieces
from streamware.model.columns import Batch, Sheet, as_columns
from streamware.receipt import Receipt
from streamware.rows.grouping import SheetGrouper
from streamware.rows.source import OpenRows
from streamware.rows.table import Table
from streamware.rows.weighing import Sizer
from streamware.values.lazy_text import is_lazy_text


class DocumentWriter:
    """One document being written.

    Args:
        format: Its format.
        options: The caller's options.
        open_spool: Opens a scratch file.
        gate: Held while rows are encoded.
        locale: Language tag of the reader, if it is known.
        counted: Whether a sheet may say how many rows it will have, where that is known.

    Attributes:
        receipt: The figures so far.
        lifecycle: Its state.
        size: Bytes that are ready to be taken.
        unflushed: Whether some rows that were fed are in no ready bytes; `flush` makes them ready.
        callers_code: A context manager around each call of the caller's code.
    """

    def __init__(
        self,
        format: Format,  # noqa: A002 - the contract's name
        options: ResolvedOptions,
        *,
        open_spool: Callable[[], BinaryIO],
        gate: AbstractContextManager[Any] | None = None,
        locale: str | None = None,
        counted: bool = True,
    ) -> None:
        self.receipt = Receipt(format.name)  # the figures so far
        self.lifecycle = Lifecycle(self.receipt)  # its state
        self.size = 0  # bytes in _out
        self.unflushed = False  # whether flush() would make bytes ready
        self._format = format  # makes the encoder
        self._options = options  # columns, values, limits and sheet_by
        self._gate = nullcontext() if gate is None else gate  # held while rows are encoded
        self._open_spool = open_spool  # opens a scratch file
        self._locale = locale  # language tag of the reader
        self._counted = counted  # whether sheets may say how many rows they will have
        self._encoder: Encoder | None = None  # made for the first batch
        self._closed = False  # whether `close` was called, so that the encoder aborts once
        self._out: list[bytes] = []  # bytes that are ready
        self._digest = hashlib.sha256()  # of all that was taken
        spells = options.values.other == "str"
        # Returns the characters of a cell.
        self.cell_size = Sizer(spelled=lambda cell: spells or is_lazy_text(cell))
        self._table: Table | None = None  # lays out the rows of the sheet that was started last
        self._grouper: SheetGrouper | None = None  # in place of _table if sheets are interleaved
        self._unwritten: list[DeferredFile] = []  # scratch files with pending writes
        self._ending: Iterator[bytes] | None = None  # the pieces that follow the last row
        self.callers_code = CallersCode()  # around each call of the caller's code

    def start_sheet(self, sheet: Sheet | None, rows: OpenRows | None) -> None:
        """Make `sheet` the one into which the following rows go.

        Args:
            sheet: The sheet; None if the document has only one.
            rows: Its rows, which know their columns; None if there are none.

        Raises:
            EncodeError: The format has no sheets.
        """
        if sheet is not None and not self._format.several_sheets:
            raise EncodeError(
                f"{self._format.name} cannot hold several sheets; a format that can is xlsx"
            )
        self._start()
        count = None if rows is None or not self._counted else rows.count
        self._table = self._make_table(sheet, rows, count=count)

    def start_grouped(self, rows: OpenRows) -> list[Any] | None:
        """Have each of the following rows go into its own sheet, in any order.

        Args:
            rows: The rows, which know their columns.

        Returns:
            The list that gets the sheets of `Tagged` rows as they are pulled; None for other rows.

        Raises:
            EncodeError: The format cannot take them in one pass.
        """
        check_interleaves(self._format)
        self._start()
        self._table = self._make_table(None, rows)
        self._grouper = SheetGrouper(
            self._options.sheet_by,
            rows.columns,
            rows.names,
            lambda name, sheet: self._make_table(sheet, rows, name),
        )
        return self._grouper.sheets

    def feed(self, rows: Sequence[Any], *, characters: int = 0, alone: bool = False) -> None:
        """Encode `rows`, as `encode` does, all at once."""
        for _ in self.encode(rows, characters=characters, alone=alone):
            pass

    def encode(
        self, rows: Sequence[Any], *, characters: int = 0, alone: bool = False, last: bool = False
    ) -> Iterator[None]:
        """Encode `rows` batch by batch, so that `take` can be called after each.

        Args:
            rows: The next rows.
            characters: About how many characters of text they hold.
            alone: Whether to encode them without others, because they are large.
            last: Whether it is known that no others follow.
        """
        if not rows:
            return
        grouper = self._grouper
        waiting = 0 if grouper is None else grouper.rows
        self._options.limits.check("rows", self.receipt.rows + waiting + len(rows))
        if grouper is None:
            yield from self._encode(self._current_table, rows, last=last)
            return
        if alone:
            yield from self._encode_all(grouper.rest())
        with self.callers_code:
            grouper.add(rows, characters)
        self.unflushed = True
        yield from self._encode_all(grouper.rest() if alone else grouper.ready())

    def end_sheet(self) -> None:
        """Encode the rows that wait: the sheet, or all grouped sheets, have no more rows."""
        if self._grouper is not None:
            self._encode_waiting(self._grouper)
            self._grouper.finish()
        self._current_table.finish()
        if self._current_table.layout is None and not (self._grouper and self._encoder):
            batch = self._current_table.empty()
            self._append(self._encoder_for(batch).feed(batch))

    def any_thread(self, row: Any) -> bool:
        """Return whether any thread may read the cells of rows like `row`.

        If so, no attribute, callable or conversion of the caller is involved.
        """
        if self._grouper is not None:
            return self._grouper.any_thread(row)
        return self._current_table.any_thread(row)

    def flush(self, *, rows: bool = True) -> None:
        """Make the bytes of all rows that were fed so far ready.

        Args:
            rows: Whether this thread may read the cells of the rows that wait for others of their
                sheet.
        """
        if not self.unflushed:
            return
        if self._grouper is not None and rows:
            self._encode_waiting(self._grouper)
        if self._encoder is not None:
            self.unflushed = self._grouper is not None and self._grouper.rows > 0
            self._append(self._encoder.flush())

    def finish(self) -> bool:
        """Make the next piece of what follows the rows; return False after the last one."""
        if self._ending is None:
            encoder = self._encoder
            if encoder is None:
                self.start_sheet(None, None)
                encoder = self._encoder_for(self._current_table.empty())
            self.unflushed = False
            self._ending = pieces(encoder.finish())
        for piece in self._ending:
            self._append(piece)
            return True
        self.lifecycle.finish()
        return False

    def take(self) -> bytes:
        """Return the bytes that are ready, possibly none."""
        chunk = b"".join(self._out) if len(self._out) != 1 else self._out[0]
        self._out.clear()
        self.size = 0
        receipt = self.receipt
        if chunk and receipt.first_byte_seconds is None:
            receipt.first_byte_seconds = self.lifecycle.seconds
        receipt.bytes += len(chunk)
        self._digest.update(chunk)
        return chunk

    def complete(self) -> bool:
        """Record that all bytes were taken; return False if it was cancelled before."""
        return self.lifecycle.complete(self._digest.hexdigest())

    def close(self, error: BaseException | None = None) -> None:
        """Record how it ended, if it was not over, and drop the bytes that were not taken.

        Args:
            error: The error that ended it; None or `Cancelled` if it was closed before its end.
        """
        foreign = error is not None and error is self.callers_code.error
        self.callers_code.error = None  # its traceback holds the document
        if isinstance(error, LimitError) and not self.lifecycle.is_over:
            error.status = None if foreign else self._options.limits.status_of(error)
        self.lifecycle.close(error, foreign=foreign)
        self._out.clear()
        self.size = 0
        closed, self._closed = self._closed, True
        # The encoder is kept: if one of its cells closed the document, its batch is still encoded.
        if not closed and self._encoder is not None and self.lifecycle.state is not State.COMPLETE:
            self._encoder.abort()

    @property
    def time_left(self) -> float:
        """Seconds that it may still take; negative if it has taken too long."""
        bound = self._options.limits.seconds
        return inf if bound is None else bound - self.lifecycle.seconds

    def check_time(self) -> None:
        """Raise LimitError if the export takes longer than it may."""
        if self._options.limits.seconds is not None and self.time_left < 0:
            raise self.overdue()

    def overdue(self) -> LimitError:
        """Return the error of an export that takes longer than it may."""
        return self._options.limits.passed("seconds", self.lifecycle.seconds)

    def _start(self) -> None:
        if self.lifecycle.state is State.IDLE:
            self.lifecycle.start()

    @property
    def _current_table(self) -> Table:
        if self._table is None:
            raise StateError("no sheet was started; call start_sheet() or start_grouped() first")
        return self._table

    def _make_table(
        self,
        sheet: Sheet | None,
        rows: OpenRows | None,
        name: str | None = None,
        count: int | None = None,
    ) -> Table:
        own = None if sheet is None or self._grouper is None else as_columns(sheet.columns)
        known = self._options.columns if rows is None else rows.columns
        return Table(
            known if own is None else own,
            None if rows is None else rows.names,
            extra=self._options.values.extra,
            name=name if sheet is None else sheet.name,
            options=None if sheet is None else sheet.options,
            count=count,
            size=self.cell_size,
        )

    def _encode_waiting(self, grouper: SheetGrouper) -> None:
        for _ in self._encode_all(grouper.rest()):
            pass

    def _encode_all(self, runs: Iterable[tuple[Table, list[Any]]]) -> Iterator[None]:
        for table, rows in runs:
            yield from self._encode(table, rows)

    def _encode(self, table: Table, rows: Sequence[Any], *, last: bool = False) -> Iterator[None]:
        batches = table.batches(rows, last=last)
        while True:
            # The caller's code (attributes, callables, conversions) runs here, outside of the gate.
            with self.callers_code:
                batch = next(batches, None)
            if batch is None:
                return
            with self._gate:
                self._append(self._encoder_for(batch).feed(batch))
            while self._unwritten:
                self._unwritten.pop().write_pending()
            self.unflushed = True
            self.receipt.rows += batch.count
            yield

    def _encoder_for(self, batch: Batch) -> Encoder:
        """Return the encoder; the first batch decides its columns."""
        if self._encoder is None:
            context = Context(
                values=self._options.values,
                limits=self._options.limits,
                receipt=self.receipt,
                open_spool=partial(_deferred, self._open_spool, self._unwritten),
                locale=self._locale,
                interleaved=self._grouper is not None,
            )
            self._encoder = self._format.encoder(batch.head.columns, context)
            self._append(self._encoder.start())
        return self._encoder

    def _append(self, data: bytes) -> None:
        if not data:
            return
        self._out.append(data)
        self.size += len(data)
        self._options.limits.check("bytes", self.receipt.bytes + self.size)


def _deferred(open_spool: Callable[[], BinaryIO], unwritten: list[DeferredFile]) -> DeferredFile:
    """Open a scratch file; no method of the document, which would then be in a cycle."""
    return DeferredFile(open_spool(), unwritten)


class CallersCode:
    """A context manager that remembers a `LimitError` of the caller's code: another document's.

    Attributes:
        error: The last one.
    """

    def __init__(self) -> None:
        self.error: LimitError | None = None

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, LimitError):
            self.error = error


def check_interleaves(format_: Format) -> None:
    """Raise EncodeError if a format cannot take the rows of several sheets in one pass."""
    if not interleaves(format_):
        raise EncodeError(
            f"{format_.name} cannot hold several sheets from one pass; a format that can is xlsx"
        )
