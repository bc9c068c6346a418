"""aencode: turns rows into the chunks of a document, beside an event loop."""

from __future__ import annotations

from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, Unpack

from streamware.engine.async_driver import AsyncDriver
from streamware.engine.driver import Driver
from streamware.engine.options import EncodeOptions, resolve
from streamware.engine.worker import GATE
from streamware.formats.protocol import Format
from streamware.formats.registry import lookup
from streamware.receipt import Receipt
from streamware.rows.source import Rows, checked


def aencode(
    rows: Rows,
    format: str | Format = "csv",  # noqa: A002 - the contract's name
    **options: Unpack[EncodeOptions],
) -> AsyncEncoding:
    """Turn rows into the chunks of a document, beside an event loop; the twin of `encode`.

    The rows may be asynchronous or not.  An ordinary iterable is opened, pulled and closed on a
    thread of its own, in a copy of the current context.  If it is bound to the thread that opens
    it, as SQLite's cursors are, pass a callable that opens it.

    Args and Raises: As in `encode`; a timer keeps `flush_interval`.

    Returns:
        An async iterator of bytes, never empty ones, and an async context manager; with
        `.receipt` and an idempotent `.aclose()`.
    """
    checked(rows)
    resolved = resolve(options)
    return AsyncEncoding(
        AsyncDriver(
            lambda bridge: Driver(rows, lookup(format), resolved, gate=GATE, bridge=bridge),
            flush_interval=resolved.flush_interval,
        )
    )


class AsyncEncoding:
    """A document being encoded beside an event loop; made by `aencode`.

    An async iterator of bytes, never empty ones, and an async context manager.
    """

    def __init__(self, driver: AsyncDriver) -> None:
        self._driver = driver

    @property
    def receipt(self) -> Receipt:
        """The figures so far; final once the last chunk was taken, or after `aclose`."""
        return self._driver.receipt

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> Coroutine[Any, Any, bytes]:
        return self._driver.__anext__()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._driver.aclose()

    async def aclose(self) -> None:
        """Close the rows, at the end or before it.

        Waits for the pull in flight.  A cancellation ends the waiting, not the closing, and is
        all that it may raise.  Idempotent.
        """
        await self._driver.aclose()

    def close(self) -> None:
        """Close it without waiting, from any thread, as Django closes its responses."""
        self._driver.close()
