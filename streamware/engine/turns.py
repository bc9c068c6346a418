"""Turns: two exports at a time pull rows and encode them beside an event loop.

A thread that runs Python takes the interpreter from the loop for up to 5 ms, and the loop waits
behind all threads that want it.  With 32 exports another view waited for 40 to 60 ms (p99).  With
two at a time it waits for less than 10 ms; the exports take less CPU time, and end no later.

No export waits for another's slow source.  A turn that lasts longer than it should ends for the
others, and an export that had such a turn takes its next one without waiting.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from weakref import WeakKeyDictionary

AT_ONCE = 2  # turns at a time
LONGEST = 0.05
"""Seconds that others wait for a turn at most; filling a chunk takes 2 to 10 ms with rows there."""


class Turn:
    """The right to pull and encode; it begins when it is made.

    It ends when `end` is called, but the next export waits no longer than `LONGEST`.

    Args:
        leave: Called once, when it ends; None if no other export waits for that.

    Attributes:
        long: Whether it lasted longer than it should.
    """

    __slots__ = ("_leave", "_timer", "long")

    def __init__(self, leave: Callable[[], object] | None) -> None:
        self.long = False
        self._leave = leave
        self._timer = asyncio.get_running_loop().call_later(LONGEST, self._expire)

    def end(self) -> None:
        """End it.  Idempotent; on the loop."""
        self._timer.cancel()
        leave, self._leave = self._leave, None
        if leave is not None:
            leave()

    def _expire(self) -> None:
        self.long = True
        self.end()


class Turns:
    """The turns of one event loop, given in the order in which they are asked for."""

    __slots__ = ("_free", "_waiting")

    def __init__(self) -> None:
        self._free = AT_ONCE
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self) -> Turn:
        """Wait for the next turn and return it."""
        if self._free:
            self._free -= 1
            return Turn(self._leave)
        turn_came = asyncio.get_running_loop().create_future()
        self._waiting.append(turn_came)
        try:
            await turn_came
        except asyncio.CancelledError:
            if turn_came.done() and not turn_came.cancelled():  # it came: the next one may have it
                self._leave()
            raise
        return Turn(self._leave)

    def _leave(self) -> None:
        while self._waiting:
            turn_came = self._waiting.popleft()
            if not turn_came.done():
                turn_came.set_result(None)
                return
        self._free += 1


async def take(last: Turn | None) -> Turn:
    """Return the next turn beside the running loop, for an export whose last one was `last`.

    The first one does not wait: it opens the rows, which may take long, and pulls only a few.
    """
    if last is None or last.long:
        return Turn(None)
    loop = asyncio.get_running_loop()
    turns = _turns.get(loop)
    if turns is None:
        turns = _turns[loop] = Turns()
    return await turns.take()


_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, Turns] = WeakKeyDictionary()
