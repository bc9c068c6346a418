"""Record: what is kept of a job, in whichever database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class JobState(StrEnum):
    """Where a job is in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A job as it was when it was looked at.  Times are seconds since the epoch.

    Attributes:
        id: A name that cannot be guessed.
        name: That of the definition.
        arguments: Those of the definition, as JSON has them.
        by: Who started it, if the application said so.
        state: Where it is.
        attempt: How often a worker has taken it.
        created: When it was started by a request.
        started: When a worker first took it.
        ended: When it ended.
        lease: Until when the worker has it.
        heartbeat: When the worker was last heard of.
        rows: Rows so far.
        bytes: Bytes so far.
        total: Rows in all, if the source says so.
        problem: What ended it, in one line without the data of users.
        receipt: The receipt of its document.
        filename: The name of its file.
        media_type: The media type of its file.
        object: The path of its file in the store.
        size: The bytes of its file.
        etag: The entity tag that the store gave its file.
        expires: When its file will be removed.
    """

    id: str
    name: str
    arguments: Mapping[str, Any]
    by: str | None = None
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
