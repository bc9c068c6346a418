"""Sending: whether the client of a response takes any bytes.

What was passed to a server is not taken yet: it waits in the server, or in the buffers of the
kernel.  A server that asks for no more has a client that takes nothing, or takes it slowly.  The
kernel knows which: it counts the bytes that the client's system has acknowledged.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from streamware.errors import LimitError
from streamware.http.connection import Connection, Find
from streamware.limits import Limits

TICK = 0.5
"""Seconds between two looks at a response."""
GRACE = 1.0
"""Seconds in which a server should notice that its connection was broken."""
_BLOCKED = 1.0
"""Seconds without a byte taken after which `Limits.seconds` ends a response that is being sent."""


class Sending:
    """What is known of a response while it is sent.

    Args:
        limits: Those of the export.
        expire: Cancels the document if its time is over, and returns the error.
        find: Finds the connection.

    Attributes:
        connection: The connection; None if it is not known.
        searched: Whether it was looked for.
        is_file: Whether the server sends a file by itself.
    """

    __slots__ = (
        "_expire",
        "_find",
        "_limits",
        "_moved",
        "_since",
        "_taken",
        "connection",
        "is_file",
        "searched",
    )

    def __init__(
        self,
        limits: Limits,
        expire: Callable[[], LimitError | None],
        find: Find,
    ) -> None:
        self.connection: Connection | None = None  # None if it is not known
        self.searched = False  # whether it was looked for
        self._limits = limits  # those of the export
        self._expire = expire  # cancels the document if its time is over
        self._find = find  # finds the connection
        self._since: float | None = None  # when bytes were last passed to the server; see `asked`
        self.is_file = False  # whether the server sends a file by itself
        self._taken: int | None = None  # bytes that the client had taken at the last look
        self._moved = 0.0  # when that number had grown

    @property
    def is_waiting(self) -> bool:
        """Whether the server has bytes and has not asked for more."""
        return self._since is not None

    def passed(self, *, is_file: bool = False) -> None:
        """Note that the server is given bytes, or a file that it sends by itself."""
        self.is_file = is_file
        self._since = monotonic()

    def asked(self) -> None:
        """Note that the server asks for more, and so has passed on what it was given."""
        self._since = None

    def search(self, *, if_quick: bool = False) -> None:
        """Find the connection.

        Args:
            if_quick: Only if it takes no time; among many descriptors it may take long.
        """
        self.connection = self._find(if_quick)
        self.searched = self.connection is not None or not if_quick

    def overdue(self) -> LimitError | None:
        """Return the limit that the client exceeds by taking nothing; None if it exceeds none."""
        since, now = self._since, monotonic()
        if since is None:
            return None
        taken = None if self.connection is None else self.connection.taken()
        if taken != self._taken:
            if self._taken is not None:
                self._moved = now
            self._taken = taken
        if self.is_file and taken is None:  # nothing shows whether the server makes progress
            return None
        waited, bound = now - max(since, self._moved), self._limits.stall_seconds
        if bound is not None and waited >= bound:
            return self._limits.passed("stall_seconds", waited)
        return self._expire() if waited >= _BLOCKED else None
