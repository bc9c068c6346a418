"""Asynchronous rows, made readable to a thread.

One task opens, reads and closes them, from first to last in one context, and hands them over in
lists; the thread that encodes iterates them as if they were ordinary rows.  While it encodes one
list the next is read, and no further, so that the source feels the client's pace.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator, Sequence
from contextlib import suppress
from queue import SimpleQueue
from threading import Event
from time import monotonic
from typing import Any

from streamware.columns import Sheet, names_of
from streamware.errors import OrderError
from streamware.pull import FIRST_ROWS, MOST_CHARACTERS, MOST_ROWS, heavy, weight
from streamware.source import Rows, aclose, checked, is_async, is_iterable, is_opener

_SLICE = 0.0005  # seconds that rows are read without a turn for the other tasks


class Feed:
    """An iterable of the rows of an asynchronous source, for one other thread.

    Args:
        rows: An async iterable, a callable that opens one, or something to await for either.
        loop: The loop that reads them.
    """

    def __init__(self, rows: Rows, loop: asyncio.AbstractEventLoop) -> None:
        self.task: asyncio.Task[None] | None = None
        self._rows = rows
        self._loop = loop
        self._cancelled = False
        self._last: object = None
        self._lists: SimpleQueue[Any] = SimpleQueue()
        self._room = asyncio.Event()
        self._under_way = 0
        self._partial: list[Any] = []
        self._opened = Event()
        self._names: list[str] | None = None
        self._error: BaseException | None = None

    # On the loop ----------------------------------------------------------------------------

    def begin(self) -> None:
        """Start the task."""
        if not self._cancelled:
            self.task = asyncio.get_running_loop().create_task(self._read())

    def cancel(self) -> None:
        """Have the task end: the pull in flight is cancelled, the rows are closed."""
        self._cancelled = True
        if self.task is None:
            self._end(asyncio.CancelledError())
        else:
            self.task.cancel()

    def hand_over(self) -> bool:
        """Give the thread the rows read so far, if it waits for some; whether there were any."""
        if not self._partial or self._under_way:
            return False
        self._put()
        return True

    async def _read(self) -> None:
        error: BaseException | None = None
        try:
            await self._read_from(self._rows)
        except asyncio.CancelledError as caught:
            # Not an end: what was cut must not pass for what was complete.
            error = (
                caught if self._cancelled else OrderError("the reading of the rows was cancelled")
            )
            raise
        except Exception as caught:  # noqa: BLE001 - raised again where the thread reads
            error = caught
        finally:
            self._put()
            self._end(error)

    async def _read_from(self, rows: Rows) -> None:
        opened = await _opened(rows)
        try:
            self._names = names_of(opened)
            self._opened.set()
            if isinstance(opened, Sheet):
                opened = [opened]
            if is_iterable(opened) and not is_async(opened):
                self._partial.extend(opened)
            else:
                await self._pull(opened)
        finally:
            await aclose(opened)

    async def _pull(self, rows: Any) -> None:
        iterator = aiter(rows)
        size, room, turn = FIRST_ROWS, MOST_CHARACTERS, monotonic() + _SLICE
        keys: Sequence[Any] = ()
        try:
            async for row in iterator:
                self._partial.append(row)
                room -= weight(row, keys)
                if len(self._partial) >= size or room < 0 or isinstance(row, Sheet):
                    await self._hand_over_in_time()
                    size, room, keys = min(2 * size, MOST_ROWS), MOST_CHARACTERS, heavy(row)
                    turn = monotonic() + _SLICE
                elif monotonic() > turn:
                    await asyncio.sleep(0)
                    turn = monotonic() + _SLICE
        finally:
            if iterator is not rows:
                await aclose(iterator)

    async def _hand_over_in_time(self) -> None:
        while self._under_way:
            self._room.clear()
            await self._room.wait()
        self._put()
        if isinstance(self._last, Sheet):  # its rows are read before the next one is asked for
            self._room.clear()
            await self._room.wait()
        await asyncio.sleep(0)

    def _put(self) -> None:
        rows, self._partial = self._partial, []
        if rows:
            self._last = rows[-1]
            self._under_way += 1
            self._lists.put(rows)

    def _end(self, error: BaseException | None) -> None:
        self._error = error
        self._opened.set()
        self._lists.put(None)

    def _taken(self) -> None:
        self._under_way -= 1
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


async def _opened(rows: Rows) -> Any:
    opened: Any = rows
    if is_opener(opened):
        opened = opened()
    if inspect.isawaitable(opened) and not hasattr(opened, "__aiter__"):
        opened = await opened
    return opened if isinstance(opened, Sheet) else checked(opened)
