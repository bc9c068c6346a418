"""encode: turns rows into the chunks of a document, on the thread that iterates."""

from __future__ import annotations

from types import TracebackType
from typing import Self, Unpack

from streamware.engine.driver import Driver
from streamware.engine.options import EncodeOptions, resolve
from streamware.formats.protocol import Format
from streamware.formats.registry import lookup
from streamware.receipt import Receipt
from streamware.rows.source import Rows


def encode(
    rows: Rows,
    format: str | Format = "csv",  # noqa: A002 - the contract's name
    **options: Unpack[EncodeOptions],
) -> Encoding:
    """Turn rows into the chunks of a document, pulling a row only when a chunk is asked for.

    Memory does not grow with the number of rows.  Blocks only where `rows` blocks.  Nothing is
    opened before the first chunk is asked for.

    Args:
        rows: An iterable of rows, of `Tagged` rows or of `Sheet`, or a callable that opens one;
            closed on every path.  A row is a sequence, a mapping or an object, and must not be
            changed once it was yielded.  Rows that a list gets while it is read are left out.
        format: Name of a registered format, or its options, such as `Csv(bom=True)`.
        **options: `columns` chooses the cells and their titles, `sheet_by` the sheet of each
            row, `values` how values are written that not every format can hold.  `limits`
            bounds the export.  `chunk_size` is the minimum size of a chunk (65,536 bytes).
            `flush_interval` is the number of seconds (1.0) after which the next row has
            everything so far sent.  `EncodeOptions` explains each.

    Returns:
        An iterator of bytes, never empty ones, and a context manager; with `.receipt` and an
        idempotent `.close()`, which may come before the first chunk.

    Raises:
        TypeError, ValueError: The arguments are wrong.
        EncodeError: While iterating: a row or a value that the format cannot hold.
        StateError: While iterating: the rows are asynchronous.
    """
    return Encoding(Driver(rows, lookup(format), resolve(options)))


class Encoding:
    """A document being encoded; made by `encode`.

    An iterator of bytes, never empty ones, and a context manager.
    """

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    @property
    def receipt(self) -> Receipt:
        """The figures so far; final once the last chunk was taken, or after `close`."""
        return self._driver.receipt

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        return next(self._driver)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._driver.close()

    def close(self) -> None:
        """Close the rows, at the end or before it.

        Idempotent; may raise only KeyboardInterrupt and the like, once all is closed.  While
        another thread is in a pull, that thread closes the rows when its pull returns.
        """
        self._driver.close()
