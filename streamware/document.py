"""Rows in, bytes out, of one document: everything between the pull of rows and the sending.

It never reads, waits or opens.  The two loops (`encoding`, `aencoding`) drive it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from math import inf
from time import monotonic
from typing import Any, BinaryIO

from streamware.columns import Batch, Column, Key, Layout, Sheet, settled
from streamware.encoder import Context, Encoder, Format
from streamware.errors import EncodeError, LimitError
from streamware.limits import Limits
from streamware.receipt import Receipt, problem_of
from streamware.values import Values


class Document:
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
        self.size = 0
        self.layout: Layout | None = None
        self.unflushed = False
        self._columns = settled(columns)
        self._values = values
        self._limits = limits
        self._gate = nullcontext() if gate is None else gate
        self._open_spool = open_spool
        self._locale = locale
        self._encoder: Encoder | None = None
        self._out: list[bytes] = []
        self._digest = hashlib.sha256()
        self._started = monotonic()
        self._begun = False
        self._finished = False
        self._settled = False
        self._sheet: Sheet | None = None
        self._names: list[str] | None = None
        self._chosen: tuple[Column, ...] | None = None
        self._row = 1

    def start_clock(self) -> None:
        """Seconds are counted from here on, the opening of the rows among them."""
        if not self._begun:
            self._started = monotonic()
            self._begun = True

    def begin(self, sheet: Sheet | None, names: list[str] | None) -> None:
        """What is fed from here on belongs to `sheet`; None where there is but one.

        Raises:
            EncodeError: The format has no sheets.
        """
        if sheet is not None and not self.format.several_sheets:
            raise EncodeError(
                f"{self.format.name} cannot hold several sheets; a format that can is xlsx"
            )
        self.start_clock()
        own = settled(sheet.columns) if sheet is not None else None
        self._chosen = self._columns if own is None else own
        self._sheet = sheet
        self._names = names
        self._row = 1
        self.layout = None

    def feed(self, rows: list[Any]) -> None:
        """Encode `rows`; what is ready waits in `take`."""
        if not rows:
            return
        self._limits.check("rows", self.receipt.rows + len(rows))
        layout = self.layout or self._laid_out(rows[0])
        # The caller's code (attributes, callables, conversions) runs here, and before the gate.
        batch = Batch(layout.head, self._row, len(rows), layout.cells(rows, self._row))
        with self._gate:
            self._keep(self._encoding(layout).feed(batch))
        self.unflushed = True
        self._row += len(rows)
        self.receipt.rows += len(rows)

    def end(self) -> None:
        """The sheet has no more rows."""
        if self.layout is None:
            layout = self._laid_out(Layout.NO_ROWS)
            empty = Batch(layout.head, 1, 0, [()] * len(layout.head.columns))
            self._keep(self._encoding(layout).feed(empty))

    def movable(self, row: Any) -> bool:
        """Whether any thread may reach the cells of rows like `row`.

        No attribute, callable or conversion of the caller's is involved then.
        """
        columns = self._chosen or ()
        plain = not any(callable(c.key) or c.convert is not None for c in columns)
        direct = not any(isinstance(c.key, str) and "." in c.key for c in columns)
        return plain and direct and hasattr(row, "__len__") and hasattr(row, "__getitem__")

    def flush(self) -> None:
        """Have everything fed so far handed out."""
        if self._encoder is not None and self.unflushed:
            self.unflushed = False
            self._keep(self._encoder.flush())

    def finish(self) -> None:
        """There are no more rows at all."""
        encoder = self._encoder
        if encoder is None:
            self.begin(None, None)
            encoder = self._encoding(self._laid_out(Layout.NO_ROWS))
        self._finished = True
        self._keep(encoder.finish())

    @property
    def ended(self) -> bool:
        """Whether nothing more is encoded: it was finished, or given up."""
        return self._finished or self._settled

    def take(self) -> bytes:
        """The bytes that are ready; possibly none."""
        chunk = b"".join(self._out) if len(self._out) != 1 else self._out[0]
        self._out.clear()
        self.size = 0
        receipt = self.receipt
        if chunk and receipt.first_byte_seconds is None:
            receipt.first_byte_seconds = monotonic() - self._started
        receipt.bytes += len(chunk)
        self._digest.update(chunk)
        return chunk

    def settle(self, outcome: str, cause: BaseException | None = None) -> None:
        """The end, of one kind or another; only the first counts."""
        if isinstance(cause, LimitError):
            cause.status = self._limits.status_of(cause)
        if self._settled:
            return
        self._settled = True
        if self.receipt.outcome == "running":
            self.receipt.outcome = outcome
            self.receipt.problem = None if cause is None else problem_of(cause)
        self.receipt.seconds = monotonic() - self._started if self._begun else 0.0
        self._out.clear()
        self.size = 0
        if self.receipt.outcome == "complete":
            self.receipt.sha256 = self._digest.hexdigest()
        elif self._encoder is not None:
            self._encoder.abort()

    @property
    def time_left(self) -> float:
        """Seconds that it may still take; below nothing where it has taken too long."""
        bound = self._limits.seconds
        if bound is None:
            return inf
        return self._started + bound - monotonic() if self._begun else bound

    def check_time(self) -> None:
        """Raises LimitError when the export takes longer than it may."""
        if self._limits.seconds is not None and self.time_left < 0:
            raise self.overdue()

    def overdue(self) -> LimitError:
        """The error that says so."""
        return self._limits.passed("seconds", monotonic() - self._started)

    def _laid_out(self, first: Any) -> Layout:
        sheet = self._sheet
        self.layout = Layout(
            self._chosen,
            self._names,
            first,
            extra=self._values.extra,
            name=None if sheet is None else sheet.name,
            options=None if sheet is None else sheet.options,
        )
        return self.layout

    def _encoding(self, layout: Layout) -> Encoder:
        if self._encoder is None:
            context = Context(
                values=self._values,
                limits=self._limits,
                receipt=self.receipt,
                open_spool=self._open_spool,
                locale=self._locale,
            )
            self._encoder = self.format.encoder(layout.head.columns, context)
            self._keep(self._encoder.start())
        return self._encoder

    def _keep(self, data: bytes) -> None:
        if not data:
            return
        self._out.append(data)
        self.size += len(data)
        self._limits.check("bytes", self.receipt.bytes + self.size)
