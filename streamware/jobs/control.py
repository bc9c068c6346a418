"""Control: holds the lease of a job while it runs, and hears of what ends it.

A thread of its own, the heart, renews the lease and writes the progress once a second, whatever the
rows and the store are waiting for.  From the record it learns that the job was cancelled, or that
another worker has it; then it stops the document and interrupts the source.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from enum import Enum, auto
from threading import Event, RLock, Thread
from time import monotonic, time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from streamware.jobs.record import JobState, Record
from streamware.locks import generation
from streamware.receipt import Receipt

if TYPE_CHECKING:
    from streamware.jobs.records import Records

logger = logging.getLogger("streamware")

BEAT: Final = 1.0
"""Seconds between two heartbeats."""
_GRACE: Final = 0.7  # seconds that a cancelled run has to end before it is recorded as ended


class Stop(Enum):
    """Why a run is to end before its end."""

    CANCELLED = auto()  # its owner has cancelled it
    LOST = auto()  # another worker has the job, or its record is gone
    CLOSING = auto()  # this process gives it back


class Stopped(BaseException):
    """Ends a run that is to be stopped; no `except Exception` of a source may catch it."""


class Stoppable(Protocol):
    """A document that another thread can stop."""

    @property
    def receipt(self) -> Receipt:
        """The figures so far."""

    def cancel(self) -> None:
        """Make the pull in flight the last."""

    def interrupt(self) -> None:
        """Interrupt a blocked pull, if it can be."""


class Control:
    """A context manager around one run.

    Args:
        records: The records.
        record: The job, as it was taken.
        lease: Seconds of the lease.
        expires: Seconds for which the record of a cancelled job is kept.

    Attributes:
        reason: Why it is to end; None if it is not.
    """

    def __init__(self, records: Records, record: Record, lease: float, expires: float) -> None:
        self.reason: Stop | None = None  # why it is to end
        self._records = records  # where the lease is
        self._record = record  # as it was taken
        self._lease = lease  # seconds
        self._expires = expires  # seconds, for a cancelled job
        self._pause = min(BEAT, lease / 4)  # seconds between two heartbeats
        self._renewed = monotonic()  # when the lease was renewed
        self._total: int | None = None  # rows that the source expects
        self._document: Stoppable | None = None  # once it is made
        self._over = Event()  # set when the run has ended
        self._lock = RLock()  # while it is stopped, and while its document is set
        # Renews the lease.
        self._heart = Thread(target=self._beat, name="streamware-jobs", daemon=True)
        self._generation = generation()  # of the process that runs it

    def __enter__(self) -> Self:
        self._heart.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._heart.join()

    def watch(self, document: Stoppable, total: int | None) -> None:
        """Say which document is being made; it is stopped at once if it has to be."""
        with self._lock:
            self._document, self._total = document, total
            if self.reason is not None:
                self._halt()

    def stop(self, reason: Stop) -> None:
        """End the run; from any thread.  The first reason counts.

        In a forked child it does nothing: its parent runs the job.
        """
        if self._generation != generation():
            return
        with self._lock:
            self.reason = self.reason or reason
            self._halt()

    def check(self) -> None:
        """Raise Stopped if the run is to end."""
        if self.reason is not None:
            raise Stopped

    def confirm(self) -> None:
        """Renew the lease, before something is published; raise Stopped if it is lost."""
        self.check()
        if monotonic() - self._renewed > self._pause / 2:
            self._records.persist(self._renew, self._lease)
            self.check()

    def figures(self) -> dict[str, Any]:
        """Return how far it is, for the record."""
        receipt = None if self._document is None else self._document.receipt
        if receipt is None:
            return {}
        return {"rows": receipt.rows, "bytes": receipt.bytes, "total": self._total}

    def _halt(self) -> None:
        if self._document is not None:
            self._document.cancel()
            self._document.interrupt()

    def _beat(self) -> None:
        while not self._over.wait(self._pause):
            try:
                if self.reason is None:
                    self._renew()
                elif self._document is not None:
                    self._document.interrupt()  # again: it may have been between two pulls
                if self.reason is Stop.CANCELLED and not self._over.wait(_GRACE):
                    self._give_up()
            except Exception as error:  # noqa: BLE001 - it goes on when the database is back
                logger.warning("the lease of job %s cannot be renewed: %r", self._record.id, error)

    def _give_up(self) -> None:
        """Record that a cancelled job has ended, although its run is blocked still."""
        now = time()
        cancelling = replace(self._record, state=JobState.CANCELLING)
        self._records.move(cancelling, JobState.CANCELLED, ended=now, expires=now + self._expires)

    def _renew(self) -> None:
        """Renew the lease and write the progress; stop the run if it is no longer ours."""
        now, asked = time(), monotonic()
        values = {**self.figures(), "heartbeat": now, "lease": now + self._lease}
        if self._records.note(self._record, [JobState.RUNNING], **values):
            self._renewed = asked
            return
        found = self._records.get(self._record.id)
        ours = found is not None and found.attempt == self._record.attempt
        cancelled = found is not None and found.state in (JobState.CANCELLING, JobState.CANCELLED)
        self.stop(Stop.CANCELLED if ours and cancelled else Stop.LOST)
