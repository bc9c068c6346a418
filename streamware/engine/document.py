"""Rows in, bytes out, of one document: everything between the pull of rows and the sending.

It never reads, waits or opens.  The two loops (`encoding`, `aencoding`) drive it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from math import inf
from typing import Any, BinaryIO

from streamware.engine.deferred_file import DeferredFile
from streamware.engine.lifecycle import Lifecycle, State
from streamware.errors import EncodeError, LimitError, StateError
from streamware.formats.protocol import Context, Encoder, Format, interleaves, pieces
from streamware.limits import Limits
from streamware.model.columns import Batch, Column, Key, Sheet, as_columns
from streamware.receipt import Receipt
from streamware.rows.batching import Untag
from streamware.rows.grouping import SheetGrouper
from streamware.rows.table import Table
from streamware.values import Values


class DocumentWriter:
    """One document being written.

    Args:
        format: Its format.
        columns: The caller's columns, or None.
        values: The caller's choices.
        limits: The caller's bounds.
        gate: Held while rows are encoded.
        open_spool: Opens a scratch file, where there is a place for one.
        locale: Language tag of the reader, where it is known.
    """

    def __init__(
        self,
        format: Format,  # noqa: A002 - the contract's name
        columns: Iterable[Column | Key] | None,
        *,
        values: Values,
        limits: Limits,
        gate: AbstractContextManager[Any] | None = None,
        open_spool: Callable[[], BinaryIO] | None = None,
        locale: str | None = None,
    ) -> None:
        self.format = format
        self.receipt = Receipt(format.name)
        self.lifecycle = Lifecycle(self.receipt)
        self.size = 0
        self.unflushed = False
        self._columns = as_columns(columns)
        self._values = values
        self._limits = limits
        self._gate = nullcontext() if gate is None else gate
        self._open_spool = open_spool
        self._locale = locale
        self._encoder: Encoder | None = None
        self._out: list[bytes] = []
        self._digest = hashlib.sha256()
        self._table: Table | None = None
        self._grouper: SheetGrouper | None = None
        self._changed: list[DeferredFile] = []
        self._ending: Iterator[bytes] | None = None
        self._theirs: LimitError | None = None

    def begin(self, sheet: Sheet | None, names: list[str] | None) -> None:
        """What is fed from here on belongs to `sheet`; None where there is but one.

        Raises:
            EncodeError: The format has no sheets.
        """
        if sheet is not None and not self.format.several_sheets:
            raise EncodeError(
                f"{self.format.name} cannot hold several sheets; a format that can is xlsx"
            )
        self._start()
        self._table = self._table_of(sheet, names)

    def begin_sorted(self, sheet_by: Key | None, names: list[str] | None) -> Untag | None:
        """What is fed from here on belongs to several sheets, in any order.

        Args:
            sheet_by: Tells the sheet of a row; None where they are `Tagged`.
            names: Names of the source's columns, where it tells them.

        Returns:
            What takes the tags of rows that have some, as they are pulled.

        Raises:
            EncodeError: The format cannot take them in one pass.
        """
        check_interleaves(self.format)
        self._start()
        self._table = self._table_of(None, names)
        self._grouper = SheetGrouper(
            sheet_by, self._columns, names, lambda name, sheet: self._table_of(sheet, names, name)
        )
        return self._grouper.untag

    def feed(self, rows: list[Any], *, characters: int = 0, alone: bool = False) -> None:
        """Encode `rows`; what is ready waits in `take`.

        Args:
            rows: The next ones.
            characters: About as much text is in them.
            alone: They are to be encoded without others.
        """
        if not rows:
            return
        grouper = self._grouper
        waiting = 0 if grouper is None else grouper.rows
        self._limits.check("rows", self.receipt.rows + waiting + len(rows))
        if grouper is None:
            self._encode(self._begun_table, rows)
            return
        if alone:
            self._encode_all(grouper.rest())
        with self.theirs():
            grouper.add(rows, characters)
        self.unflushed = True
        self._encode_all(grouper.rest() if alone else grouper.ready())

    def end(self) -> None:
        """The sheet has no more rows, or none of the sheets has."""
        if self._grouper is not None:
            self._encode_all(self._grouper.rest())
        if self._begun_table.layout is None and not (self._grouper and self._encoder):
            batch = self._begun_table.empty()
            self._keep(self._encoder_of(batch).feed(batch))

    @property
    def heavy(self) -> Sequence[Any] | None:
        """Keys of the cells whose length counts; None where all of them do."""
        if self._grouper is not None:
            return self._grouper.heavy
        return self._begun_table.heavy

    def any_thread(self, row: Any) -> bool:
        """Whether any thread may reach the cells of rows like `row`.

        No attribute, callable or conversion of the caller's is involved then.
        """
        if self._grouper is not None:
            return self._grouper.any_thread(row)
        return self._begun_table.any_thread(row)

    def flush(self, *, rows: bool = True) -> None:
        """Have everything fed so far handed out.

        Args:
            rows: Whether the cells of rows that wait for others of their sheet may be reached.
        """
        if not self.unflushed:
            return
        if self._grouper is not None and rows:
            self._encode_all(self._grouper.rest())
        if self._encoder is not None:
            self.unflushed = self._grouper is not None and self._grouper.rows > 0
            self._keep(self._encoder.flush())

    def finish(self) -> bool:
        """There are no more rows at all: a piece of what stands after them; False at the end."""
        if self._ending is None:
            encoder = self._encoder
            if encoder is None:
                self.begin(None, None)
                encoder = self._encoder_of(self._begun_table.empty())
            self.unflushed = False
            self._ending = pieces(encoder.finish())
        for piece in self._ending:
            self._keep(piece)
            return True
        self.lifecycle.finish()
        return False

    def take(self) -> bytes:
        """The bytes that are ready; possibly none."""
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
        """Record that all of it was taken; return False if it was cancelled before."""
        return self.lifecycle.complete(self._digest.hexdigest())

    def close(self, error: BaseException | None = None) -> None:
        """Record how it ended, if it was not over, and drop what was not taken.

        Args:
            error: The error that ended it; None or `GivenUp` if it was closed before its end.
        """
        foreign = error is not None and error is self._theirs
        self._theirs = None  # its traceback holds us
        if isinstance(error, LimitError) and not self.lifecycle.is_over:
            error.status = None if foreign else self._limits.status_of(error)
        self.lifecycle.close(error, foreign=foreign)
        self._out.clear()
        self.size = 0
        encoder, self._encoder = self._encoder, None
        if encoder is not None and self.lifecycle.state is not State.COMPLETE:
            encoder.abort()

    @contextmanager
    def theirs(self) -> Iterator[None]:
        """The caller's code runs in it: a limit passed there is another document's, not ours."""
        try:
            yield
        except LimitError as error:
            self._theirs = error
            raise

    @property
    def time_left(self) -> float:
        """Seconds that it may still take; negative if it has taken too long."""
        bound = self._limits.seconds
        return inf if bound is None else bound - self.lifecycle.seconds

    def check_time(self) -> None:
        """Raise LimitError if the export takes longer than it may."""
        if self._limits.seconds is not None and self.time_left < 0:
            raise self.overdue()

    def overdue(self) -> LimitError:
        """Return the error that says so."""
        return self._limits.passed("seconds", self.lifecycle.seconds)

    def _start(self) -> None:
        if self.lifecycle.state is State.IDLE:
            self.lifecycle.start()

    @property
    def _begun_table(self) -> Table:
        if self._table is None:
            raise StateError("no table has begun")
        return self._table

    def _table_of(
        self, sheet: Sheet | None, names: list[str] | None, name: str | None = None
    ) -> Table:
        own = None if sheet is None else as_columns(sheet.columns)
        return Table(
            self._columns if own is None else own,
            names,
            extra=self._values.extra,
            name=name if sheet is None else sheet.name,
            options=None if sheet is None else sheet.options,
        )

    def _encode_all(self, runs: Iterable[tuple[Table, list[Any]]]) -> None:
        for table, rows in runs:
            self._encode(table, rows)

    def _encode(self, table: Table, rows: list[Any]) -> None:
        # The caller's code (attributes, callables, conversions) runs here, and before the gate.
        with self.theirs():
            batch = table.batch(rows)
        with self._gate:
            self._keep(self._encoder_of(batch).feed(batch))
        while self._changed:
            self._changed.pop().settle()
        self.unflushed = True
        self.receipt.rows += len(rows)

    def _encoder_of(self, batch: Batch) -> Encoder:
        if self._encoder is None:
            context = Context(
                values=self._values,
                limits=self._limits,
                receipt=self.receipt,
                open_spool=None if self._open_spool is None else self._deferred,
                locale=self._locale,
                interleaved=self._grouper is not None,
            )
            self._encoder = self.format.encoder(batch.head.columns, context)
            self._keep(self._encoder.start())
        return self._encoder

    def _deferred(self) -> BinaryIO:
        if self._open_spool is None:
            raise StateError("there is no place for a scratch file")
        return DeferredFile(self._open_spool(), self._changed)

    def _keep(self, data: bytes) -> None:
        if not data:
            return
        self._out.append(data)
        self.size += len(data)
        self._limits.check("bytes", self.receipt.bytes + self.size)


def check_interleaves(format_: Format) -> None:
    """Raises EncodeError where a format cannot take the rows of several sheets in one pass."""
    if not interleaves(format_):
        raise EncodeError(
            f"{format_.name} cannot hold several sheets from one pass; a format that can is xlsx"
        )
