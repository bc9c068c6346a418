"""StallTimer: ends an ASGI response whose client takes nothing.

The connection is broken first: a server that only closes it would wait for the client to take what
is buffered.  The server then reports that the client has left, and the export ends as if it had.
If it does not, its task is cancelled and raises an error, by which any server breaks the transfer.
"""

from __future__ import annotations

import asyncio

from streamware.errors import LimitError
from streamware.http.disconnect import Message, Send
from streamware.http.sending import GRACE, TICK, Sending
from streamware.scratch import background


class StallTimer:
    """Passes messages on to a server, and looks twice a second whether it takes them.

    Args:
        send: The server's `send`.
        sending: What is known of the response.

    Attributes:
        overdue: The limit that the client exceeded by taking nothing; None if it takes bytes.
    """

    __slots__ = ("_search", "_send", "_sending", "_task", "_timer", "overdue")

    def __init__(self, send: Send, sending: Sending) -> None:
        self.overdue: LimitError | None = None  # the limit that the client exceeded
        self._send = send  # the server's
        self._sending = sending  # what is known of the response
        self._task = asyncio.current_task()  # is cancelled
        self._timer: asyncio.TimerHandle | None = None  # from the first message until `stop`
        self._search = True  # whether the connection has yet to be looked for

    async def send(self, message: Message) -> None:
        """Pass a message on to the server."""
        if self._timer is None:
            self._wait(TICK)
        self._sending.passed()
        try:
            await self._send(message)
        finally:
            self._sending.asked()

    def stop(self) -> None:
        """Look no more.  Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
        self._task = None

    def _wait(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        sending = self._sending
        if self._search and sending.is_waiting:
            self._search = False
            background.run(sending.search)
        self.overdue = sending.overdue() if sending.searched else None
        if self.overdue is None:
            self._wait(TICK)
        elif sending.connection is None:
            self._cancel()
        else:
            sending.connection.cut()
            self._timer = asyncio.get_running_loop().call_later(GRACE, self._cancel)

    def _cancel(self) -> None:
        # A second cancellation would interrupt its cleanup.
        if self._task is not None and not self._task.cancelling():
            self._task.cancel()
