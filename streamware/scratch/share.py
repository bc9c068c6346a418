"""Share: what one export has of the scratch of its request."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from streamware.limits import Limits
from streamware.scratch.budget import modest
from streamware.scratch.ring import Ring
from streamware.scratch.spool import Room, Spool
from streamware.settings import Settings


class Opener(Protocol):
    """Opens a spool of a ledger."""

    def __call__(self, *, patient: bool, within: Callable[[Room], Room]) -> Spool:
        """As `Account.spool`."""


class Share:
    """Spools and a ring of one export; together they hold on disk what its `Limits` allow.

    `Scratch.share()` makes it, and the ledger closes what it has opened.

    Attributes:
        settings: Those of the ledger.
        bytes: Held on disk now, with what is reserved ahead.
        peak: The most that was.
    """

    __slots__ = ("_limits", "_lock", "_open", "bytes", "peak", "settings")

    def __init__(self, settings: Settings, limits: Limits, open_spool: Opener) -> None:
        self.settings = settings
        self.bytes = 0
        self.peak = 0
        self._limits = limits
        self._open = open_spool
        # Re-entrant: a finalizer that gives back may run while this thread is in here.
        self._lock = threading.RLock()

    def spool(self) -> Spool:
        """As `Scratch.spool`; past the bound its writes raise `LimitError`."""
        return self._open(patient=True, within=self._within)

    def ring(self) -> Ring:
        """As `Scratch.ring`; at the bound its giver waits."""
        return Ring(
            lambda: self._open(patient=False, within=self._within),
            memory=self.settings.spool_memory,
        )

    def other(self, limits: Limits) -> Share:
        """What another export has of the same ledger."""
        return Share(self.settings, limits, self._open)

    def charge(self, size: int, wished: int) -> int:
        """Count `size` to `wished` more bytes; how many.  Raises `LimitError`."""
        bound = self._limits.scratch_bytes
        with self._lock:
            self._limits.check("scratch_bytes", self.bytes + size)
            charged = modest(bound, self.bytes, size, wished)
            self.bytes += charged
        return charged

    def granted(self) -> None:
        """Take note of what is held, now that there was room for it."""
        with self._lock:
            self.peak = max(self.peak, self.bytes)

    def uncharge(self, size: int) -> None:
        """Take note that so many bytes are held no longer."""
        with self._lock:
            self.bytes -= size

    def _within(self, room: Room) -> Room:
        return _Bounded(self, room)


class _Bounded:
    """A room that asks the share first."""

    __slots__ = ("_room", "_share", "path")

    def __init__(self, share: Share, room: Room) -> None:
        self._share = share
        self._room = room
        self.path = room.path

    def opened(self) -> None:
        self._room.opened()

    def make(self) -> int:
        return self._room.make()

    def closed(self) -> None:
        self._room.closed()

    def take(self, size: int, *, wished: int) -> int:
        charged, granted = self._share.charge(size, wished), 0
        try:
            granted = self._room.take(size, wished=charged)
        finally:
            self._share.uncharge(charged - granted)
            self._share.granted()
        return granted

    def give(self, size: int) -> None:
        self._share.uncharge(size)
        self._room.give(size)

    def forget(self, spool: Spool) -> None:
        self._room.forget(spool)
