"""Record: what is known of a job, and which states follow each other.

    QUEUED ──take──> RUNNING ──> DONE, FAILED
    QUEUED ──> CANCELLED, FAILED
    RUNNING ──cancel──> CANCELLING ──> CANCELLED
    RUNNING ──its worker is lost──> RUNNING, as the next attempt
    RUNNING ──its worker stops──> QUEUED
    DONE, FAILED, CANCELLED ──> EXPIRED

Who runs a job holds a lease: it is over at a time that a heartbeat moves on.  `attempt` is the
fencing number.  Every change of a running job names the attempt that makes it, so a worker whose
lease was over and whose job was taken by another one changes nothing any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final


class JobState(StrEnum):
    """Where a job is in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


TRANSITIONS: Final[Mapping[JobState, frozenset[JobState]]] = {
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.CANCELLED, JobState.FAILED}),
    JobState.RUNNING: frozenset(
        {JobState.RUNNING, JobState.QUEUED, JobState.CANCELLING, JobState.DONE, JobState.FAILED}
    ),
    JobState.CANCELLING: frozenset({JobState.CANCELLED}),
    JobState.DONE: frozenset({JobState.EXPIRED}),
    JobState.FAILED: frozenset({JobState.EXPIRED}),
    JobState.CANCELLED: frozenset({JobState.EXPIRED}),
    JobState.EXPIRED: frozenset(),
}
"""The states that may follow each state."""

OPEN: Final = (JobState.QUEUED, JobState.RUNNING, JobState.CANCELLING)
"""The states of a job that has yet to end."""
ENDED: Final = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)
"""The states of a job that has ended and has not expired."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is known of one job, as it was read.  Times are seconds since the epoch, of UTC.

    Attributes:
        id: Its name, which cannot be guessed.
        name: That of its definition.
        arguments: What the definition is called with, as JSON has it.
        by: Its owner; None if it has none.
        format: The format that was chosen; None: the first one that the export offers.
        state: Where it is.
        attempt: How many times it was taken; who runs it has this fencing number.
        created: When it was created.
        started: When it was taken last.
        ended: When it was done, failed or was cancelled.
        lease: Until when it is reserved for the worker that runs it, or for the queue.
        heartbeat: When its worker was heard of last.
        rows: How many rows are written.
        bytes: How many bytes are made.
        total: How many rows its source expects; None if that is not known.
        problem: Why it failed, in one line without any value of the data.
        receipt: The figures of the document, once it is done; see `Receipt`.
        filename: The name of the file.
        media_type: Its media type.
        object: The path of the file in the store, once it is whole.
        size: Its bytes.
        etag: Its entity tag in the store, if that gives one.
        expires: When the file and what is known of the job are given up.
    """

    id: str
    name: str
    arguments: Mapping[str, Any]
    by: str | None = None
    format: str | None = None
    state: JobState = JobState.QUEUED
    attempt: int = 0
    created: float
    started: float | None = None
    ended: float | None = None
    lease: float | None = None
    heartbeat: float | None = None
    rows: int = 0
    bytes: int = 0
    total: int | None = None
    problem: str | None = None
    receipt: Mapping[str, Any] | None = None
    filename: str | None = None
    media_type: str | None = None
    object: str | None = None
    size: int | None = None
    etag: str | None = None
    expires: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether it has yet to end."""
        return self.state in OPEN

    def is_lost(self, now: float) -> bool:
        """Return whether it is open and its lease has ended."""
        return self.is_open and (self.lease is None or self.lease < now)
