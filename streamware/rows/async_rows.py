"""AsyncRowBridge: makes asynchronous rows readable for a thread.

One task opens, reads and closes the rows, all in one context, and passes them on in lists; the
thread that encodes iterates them like ordinary rows.  While it encodes one list, the task reads the
next one and then waits, so that the source is read no faster than the client takes the document.
The readers of `streamware.sources` give lists themselves, each a batch of their driver.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import suppress
from contextvars import copy_context
from queue import SimpleQueue
from threading import Event
from time import monotonic
from typing import Any

from streamware.errors import StateError
from streamware.model.columns import Sheet, names_of
from streamware.rows.batching import FIRST_ROWS, MOST_ROWS
from streamware.rows.source import (
    Cancelled,
    Handed,
    Rows,
    aclose,
    checked,
    is_opener,
    is_source,
    open_rows,
    opens_async,
)
from streamware.rows.tables import is_piece, is_table
from streamware.rows.weighing import MOST_CHARACTERS, RowWeigher, Sizer
from streamware.sources.source import AsyncReader

_SLICE = 0.0005  # seconds of reading after which other tasks get a turn


class AsyncRowBridge:
    """An iterable of the rows of an asynchronous source, for one other thread.

    Args:
        rows: An async iterable, a callable that opens one, or something to await for either.
        loop: The loop that reads them.
    """

    def __init__(self, rows: Rows, loop: asyncio.AbstractEventLoop) -> None:
        self.task: asyncio.Task[None] | None = None  # that reads the rows, once it has started
        self.ended = False  # whether the last list is in the queue
        self._rows = rows  # as the caller gave them
        self._loop = loop  # on which the task runs
        self._reading = False  # whether the task is where it may be cancelled
        self._cancelled = False  # whether the rows are no longer needed
        self._partial: list[Any] = []  # rows that are not in the queue yet
        self._last: object = None  # the last row that was put into the queue
        self._lists: SimpleQueue[Any] = SimpleQueue()  # of rows, for the thread; None at the end
        self._queued = 0  # lists that the thread has not finished
        self._room = asyncio.Event()  # set when the thread has finished a list
        self._opened = Event()  # set when the names of the columns are known
        self._source: object = None  # the open rows
        self._names: list[str] | None = None  # of the columns, if the source has them
        self._error: BaseException | None = None  # for the thread, after the last list

    def cancel(self) -> None:
        """Cancel the pull in flight and close the rows; any thread may call this."""
        self._cancelled = True
        try:
            self._loop.call_soon_threadsafe(self._interrupt)
        except RuntimeError:  # the loop has ended, and the task with it
            self._end(Cancelled())

    # On the loop ----------------------------------------------------------------------------

    def begin(self) -> None:
        """Start the task."""
        self.task = asyncio.get_running_loop().create_task(self._read())
        self.task.add_done_callback(self._ended)

    def flush(self) -> bool:
        """Queue the rows read so far if the thread waits for some; return whether it got any."""
        if not self._partial or self._queued:
            return False
        self._put()
        return True

    def _interrupt(self) -> None:
        # The task is cancelled only once, and only while it reads: before its first step not even a
        # `finally` would run, and afterwards the rows are being closed.
        if self.task is not None and self._reading:
            self._reading = False
            self.task.cancel()
        self._room.set()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            task.exception()  # marks it as retrieved: the thread raises it
        if not self.ended:  # it was cancelled before its first step, where no `finally` runs
            if not is_opener(self._rows):
                self.task = task.get_loop().create_task(aclose(self._rows))
            cut = StateError("the reading of the rows was cancelled")
            self._end(Cancelled() if self._cancelled else cut)

    def _check(self) -> None:
        """Raise CancelledError if this was cancelled: the source may have suppressed the first."""
        if self._cancelled:
            raise asyncio.CancelledError

    async def _read(self) -> None:
        self._reading = not self._cancelled
        error: BaseException | None = None
        try:
            await self._read_from(self._rows)
        except asyncio.CancelledError:
            # An error, because rows that were cut off must not pass for complete ones.
            cut = StateError("the reading of the rows was cancelled")
            error = Cancelled() if self._cancelled else cut
            raise
        except BaseException as caught:
            error = caught  # raised in the thread
            if not isinstance(caught, (Exception, GeneratorExit)):
                raise
        finally:
            self._put()
            self._end(error)

    async def _read_from(self, rows: Any) -> None:
        opened: Any = None if is_opener(rows) else rows
        try:
            self._check()
            if is_opener(rows):
                opened = open_rows(rows)
            if inspect.isawaitable(opened) and not hasattr(opened, "__aiter__"):
                opened = await opened
                self._check()
            opened = _checked(opened)
            self._source = opened
            self._names = names_of(opened)
            self._opened.set()
            await self._pull(opened)
        finally:
            self._reading = False
            await aclose(opened)

    async def _pull(self, rows: Any) -> None:
        batched = isinstance(rows, AsyncReader)
        iterator: AsyncIterator[Any]
        if batched:
            iterator = rows.batches()
        else:
            iterator = aiter(rows) if hasattr(rows, "__aiter__") else _each(rows)
        try:
            await (self._pull_batches if batched else self._pull_rows)(iterator)
            self._check()
            self._look_for_names()
        finally:
            self._reading = False
            if iterator is not rows:
                await aclose(iterator)

    async def _pull_batches(self, batches: AsyncIterator[Sequence[Any]]) -> None:
        """Pass on the batches of a source as they are: all of one is in memory when it comes."""
        async for batch in batches:
            self._check()
            self._partial.extend(batch)
            await self._put_and_wait()

    async def _pull_rows(self, rows: AsyncIterator[Any]) -> None:
        size, room, turn = FIRST_ROWS, MOST_CHARACTERS, monotonic() + _SLICE
        weigh = RowWeigher(Sizer()).watch
        tables: bool | None = None  # whether the rows are whole tables; None before the first
        async for row in rows:
            self._check()
            if tables is None:
                tables = is_piece(row)
                self._look_for_names()  # some sources no longer know them after the last row
            self._partial.append(row)
            room -= 0 if tables else weigh(row)
            if len(self._partial) >= size or room < 0 or tables or isinstance(row, Sheet):
                await self._put_and_wait()
                size, room = min(2 * size, MOST_ROWS), MOST_CHARACTERS
                turn = monotonic() + _SLICE
            elif monotonic() > turn:
                await asyncio.sleep(0)
                turn = monotonic() + _SLICE

    async def _put_and_wait(self) -> None:
        """Queue the rows read so far as soon as the thread has finished the list before."""
        while self._queued:
            await self._until_taken()
        self._put()
        if isinstance(self._last, Sheet):  # the thread reads its rows before the next sheet
            await self._until_taken()
        await asyncio.sleep(0)

    async def _until_taken(self) -> None:
        """Wait until the thread has finished a list; raise CancelledError if this is cancelled."""
        self._check()
        self._room.clear()
        await self._room.wait()

    def _put(self) -> None:
        rows, self._partial = self._partial, []
        if rows:
            self._look_for_names()
            self._last = rows[-1]
            self._queued += 1
            self._lists.put(rows)

    def _look_for_names(self) -> None:
        if self._names is None:  # some sources have names only after the first row
            self._names = names_of(self._source)

    def _end(self, error: BaseException | None) -> None:
        self.ended = True
        self._error = error
        self._opened.set()
        self._lists.put(None)

    def _taken(self) -> None:
        self._queued -= 1
        self._room.set()

    # On the thread --------------------------------------------------------------------------

    @property
    def description(self) -> list[tuple[str]] | None:
        """Names of the columns, in PEP 249's form; waits until the source is open."""
        self._opened.wait()
        return None if self._names is None else [(name,) for name in self._names]

    def __iter__(self) -> Iterator[Any]:
        while (rows := self._lists.get()) is not None:
            yield from rows
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._taken)
        if self._error is not None:
            raise self._error


def _checked(opened: Any) -> Any:
    """Return what was opened as an iterable; tables and sources are read by the thread."""
    opened = opened if isinstance(opened, Sheet) else checked(opened)
    if is_source(opened) and not opens_async(opened):
        return [Handed(opened)]
    if is_opener(opened) and not is_source(opened):
        opened = open_rows(opened)
    return [opened] if isinstance(opened, Sheet) or is_table(opened) else opened


async def _each(rows: Iterable[Any]) -> AsyncIterator[Any]:
    for row in rows:
        yield row


class AsyncRowBridges:
    """Makes the bridges of one document, and cancels them all.

    It is called on the thread that will iterate them, after `loop` was set.

    Attributes:
        loop: The loop that reads the rows; None until it is known.
    """

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None  # reads the rows
        self._context = copy_context()  # in copies of which they are read
        self._bridges: list[AsyncRowBridge] = []  # those that may not have ended
        self._cancelled = False  # whether new bridges are cancelled at once

    def __call__(self, rows: Rows) -> AsyncRowBridge:
        """Return a bridge to `rows`, and have a task of the loop read them.

        Raises:
            StateError: There is no loop yet.
        """
        if self.loop is None:
            raise StateError("asynchronous rows must be read beside a running event loop")
        bridge = AsyncRowBridge(rows, self.loop)
        self._bridges = [*(each for each in self._bridges if not each.ended), bridge]
        self.loop.call_soon_threadsafe(bridge.begin, context=self._context)
        if self._cancelled:
            bridge.cancel()
        return bridge

    def flush(self) -> bool:
        """Queue the rows read so far for threads that wait; return whether there were any."""
        passed = [bridge.flush() for bridge in self._bridges]  # a list, so that all are flushed
        return any(passed)

    def cancel(self) -> None:
        """Cancel all bridges, including those made later."""
        self._cancelled = True
        for bridge in self._bridges:
            bridge.cancel()

    def tasks(self) -> list[asyncio.Task[None]]:
        """Return the tasks that may not have ended."""
        return [bridge.task for bridge in self._bridges if bridge.task is not None]
