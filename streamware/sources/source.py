"""Source: rows that can be opened any number of times, and what is open while they are read.

A source holds no connection.  Opening it gives a reader, which connects, executes its query when
the first row is asked for (so that a slow query can be cancelled), reads in batches, and closes
everything on the thread or in the task that opened it.  Many requests may read one source at once.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, aclosing, closing, contextmanager, suppress
from itertools import chain
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from streamware.model.columns import Column

BATCH_ROWS = 1000
"""Rows that a reader asks its driver for at a time."""
FIRST_ROWS = 100
"""Rows of the first batch where making rows takes long: all of them come before the first byte."""


class _Named:
    """What has names for its columns, in the form of PEP 249, once the first row has come."""

    names: Sequence[str] | None = None

    @property
    def description(self) -> list[tuple[str]] | None:
        """Names of the columns; None before the first row, and if each row has names of its own."""
        return None if self.names is None else [(name,) for name in self.names]


Results = Iterator[Sequence[Any] | None]
"""The names of the columns, or None if each row has names of its own; then the rows in batches."""
AsyncResults = AsyncIterator[Sequence[Any] | None]
"""The same for an event loop."""
Columns = Sequence[Column] | None
"""The columns of an export; None if the caller has chosen none."""
Cancel = Callable[[], object]
"""Interrupts a driver that blocks; any thread may call it."""
AsyncCancel = Callable[[], Awaitable[object]]
"""The same for an event loop."""

_UNUSABLE = ("closed", "not open", "no active connection", "transaction is aborted")
_INSTEAD = (
    "if the connection was passed to the source: pass what opens one (an engine, a pool, a path, a"
    " callable), so that each export has one of its own"
)
_CHANGES = re.compile(
    r"\bCURSOR (WITH HOLD )?FOR\s+(insert|update|delete|merge|create|call)\b", re.IGNORECASE
)
_ONLY_READS = (
    "the statement is read through a cursor on the server, which takes only one such as SELECT or"
    " VALUES: execute it yourself, and pass the rows that it returns"
)
_RETURNED = (
    "a source is the rows of an export: return ExportResponse(source, …) of the framework, or, in"
    " Flask and Starlette, sw.Export(source, …)"
)
T = TypeVar("T")
_PATIENCE = (0.05, 0.2, 1.0)  # seconds that a call of a driver may still take once it is cancelled


class Reader(_Named):
    """Open rows: an iterable for one pass.

    Args:
        results: The names and the rows.
        stack: Closes what is open.
        cancel: Interrupts the driver; None if it cannot be.
    """

    def __init__(self, results: Results, stack: ExitStack, cancel: Cancel | None = None) -> None:
        self.cancel = cancel
        self._results = results
        self._stack = stack

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(self._batches())

    def _batches(self) -> Iterator[Sequence[Any]]:
        with telling():
            self.names = next(self._results)
            yield from self._results  # type: ignore[misc]  # only the first item can be None

    def close(self) -> None:
        """Close the rows, and the connection if it was opened for them.  Idempotent."""
        self._stack.close()


class AsyncReader(_Named):
    """Open rows for one pass by an event loop; cancelling its task interrupts the driver.

    Args:
        results: The names and the rows.
        stack: Closes what is open.
        cancel: Interrupts the driver; None if cancelling the task that waits for it does.
    """

    def __init__(
        self, results: AsyncResults, stack: AsyncExitStack, cancel: AsyncCancel | None = None
    ) -> None:
        self._results = results
        self._stack = stack
        self._cancel = cancel

    async def __aiter__(self) -> AsyncIterator[Any]:
        async for batch in self.batches():
            for row in batch:
                yield row

    async def batches(self) -> AsyncIterator[Sequence[Any]]:
        """Yield the rows in lists, as the driver gives them; this is their one pass, too."""
        with telling():
            self.names = await _ended(anext(self._results), self._cancel)
            while batch := await _ended(anext(self._results, None), self._cancel):
                yield batch

    async def aclose(self) -> None:
        """Close the rows, and the connection if it was opened for them.  Idempotent."""
        await self._stack.aclose()


@contextmanager
def telling(instead: str = _INSTEAD) -> Iterator[None]:
    """Add what to pass instead to the error of a driver that cannot use what it got."""
    try:
        yield
    except Exception as error:
        tell(error, instead)
        raise


def tell(error: Exception, instead: str) -> None:
    """Add what to pass instead to an error, if a driver cannot use what it got."""
    text, notes = str(error), getattr(error, "__notes__", ())
    if "pool" not in text and any(said in text for said in _UNUSABLE) and not notes:
        error.add_note(instead)
    elif _CHANGES.search(text):
        error.add_note(_ONLY_READS)


async def _ended(pull: Awaitable[T], cancel: AsyncCancel | None) -> T:
    """Return what a driver gives.  If this is cancelled, the driver's call still ends first.

    A call that is cut off leaves a connection that a pool throws away, or, on a thread of
    aiosqlite, a query that goes on.  So a short call is waited for, and a long one interrupted.
    """
    task = asyncio.ensure_future(pull)
    try:
        await asyncio.wait({task})
    except asyncio.CancelledError:
        try:
            # Cut off as it loads more, a greenlet of SQLAlchemy may crash the interpreter.
            for patience in _PATIENCE if cancel is not None else _PATIENCE[-1:]:
                done, _ = await asyncio.wait({task}, timeout=patience)
                if done or cancel is None:
                    break
                await cancel()  # again, as the first may have come before the driver had begun
        finally:
            task.cancel()
            await asyncio.wait({task})
            with suppress(BaseException):  # what came of it is of no interest any more
                task.result()
        raise
    return task.result()


class _Unreturned:
    """What is no response; a framework that is given it is told what to return instead."""

    __slots__ = ()  # and no `__dict__`, of which FastAPI would make JSON

    if not TYPE_CHECKING:  # type checkers would accept any attribute because of it

        def __getattr__(self, name: str) -> Any:
            if name == "keys":  # FastAPI calls `dict`, which looks for it
                return _refuse
            said = (
                f"; {_RETURNED}" if name in ("status_code", "headers", "_resource_closers") else ""
            )
            text = f"{type(self).__name__!r} object has no attribute {name!r}{said}"
            raise AttributeError(text, name=name, obj=self)


def _refuse() -> NoReturn:
    raise TypeError(_RETURNED)


class Source(_Unreturned):
    """Rows that can be opened again and again.  Iterating a source opens and closes it, too.

    Args:
        connect: Connects on the thread that reads; returns the results, which are not started,
            and what cancels them.  What has to be closed it leaves to its argument.
        prepare: Is given the caller's columns, or None; returns the source and the columns to use.

    Attributes:
        total: The rows that are expected, for a progress bar; None if they were not counted.
            Whoever has may set it: no source asks its database by itself.
    """

    __slots__ = ("_connect", "_prepare", "total")

    def __init__(
        self,
        connect: Callable[[ExitStack], tuple[Results, Cancel | None]],
        prepare: Callable[[Columns], tuple[Source, Columns]] | None = None,
    ) -> None:
        self._connect = connect
        self._prepare = prepare
        self.total: int | None = None

    def prepare(self, columns: Columns) -> tuple[Source, Columns]:
        """Return the source that has the cells of `columns`, and the columns of the export."""
        if self._prepare is None:
            return self, columns
        source, columns = self._prepare(columns)
        source.total = self.total
        return source, columns

    def open_rows(self) -> Reader:
        """Connect on this thread, and return the rows, which the caller closes.

        Raises:
            Exception: What the driver raises.
        """
        with telling(), ExitStack() as stack:
            results, cancel = self._connect(stack)
            return Reader(results, stack.pop_all(), cancel)

    def __iter__(self) -> Iterator[Any]:
        with closing(self.open_rows()) as reader:
            yield from reader


class AsyncSource(_Unreturned):
    """Rows that an event loop can open again and again; see `Source`."""

    __slots__ = ("_connect", "_prepare", "total")

    def __init__(
        self,
        connect: Callable[[AsyncExitStack], Awaitable[tuple[AsyncResults, AsyncCancel | None]]],
        prepare: Callable[[Columns], tuple[AsyncSource, Columns]] | None = None,
    ) -> None:
        self._connect = connect
        self._prepare = prepare
        self.total: int | None = None

    def prepare(self, columns: Columns) -> tuple[AsyncSource, Columns]:
        """Return the source that has the cells of `columns`, and the columns of the export."""
        if self._prepare is None:
            return self, columns
        source, columns = self._prepare(columns)
        source.total = self.total
        return source, columns

    async def open_rows(self) -> AsyncReader:
        """Connect in this task, and return the rows, which the caller closes.

        Raises:
            Exception: What the driver raises.
        """
        with telling():
            async with AsyncExitStack() as stack:
                results, cancel = await self._connect(stack)
                return AsyncReader(results, stack.pop_all(), cancel)

    async def __aiter__(self) -> AsyncIterator[Any]:
        async with aclosing(await self.open_rows()) as reader:
            async for row in reader:
                yield row


def check_query(query: object, parameters: object = None) -> None:
    """Check what a driver is asked.

    Raises:
        TypeError: The query is no text, or the parameters are a single value.
    """
    if not isinstance(query, (str, bytes)):
        raise TypeError(f"query must be a str, such as 'SELECT …', not {type(query).__name__}")
    is_single = isinstance(parameters, (str, bytes)) or not hasattr(parameters, "__getitem__")
    if parameters is not None and is_single:
        kind = type(parameters).__name__
        raise TypeError(
            f"parameters must be a list, a tuple or a mapping, not {kind}: pass [value]"
        )


def check_batch(rows: int) -> int:
    """Return the number of rows in a batch.

    Raises:
        ValueError: It is below 1.
    """
    if rows < 1:
        raise ValueError(f"batch must be at least 1, not {rows}")
    return rows
