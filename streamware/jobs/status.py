"""The status of a job as JSON, and the figures in it that are worked out."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from streamware.jobs.links import Links
from streamware.jobs.record import JobState, Record

_CANCELLABLE = (JobState.QUEUED, JobState.RUNNING)
_SOON = 2.0  # seconds of a run before which its speed says nothing


def is_cancellable(record: Record) -> bool:
    """Return whether it can be cancelled, and was not."""
    return record.state in _CANCELLABLE


def seconds(record: Record, now: float) -> float | None:
    """Return for how long it has run, or ran; None if it did not start."""
    if record.started is None:
        return None
    return max(0.0, (now if record.ended is None else record.ended) - record.started)


def share(record: Record) -> float | None:
    """Return how much of it is done, from 0 to 1; None if that is not known.

    The number of rows that a source states may be too small, and the document has an end after its
    last row: so it is 1 only for a job that is done.
    """
    if record.state is JobState.DONE:
        return 1.0
    if record.state is JobState.QUEUED:
        return 0.0
    return min(0.99, record.rows / record.total) if record.total else None


def speed(record: Record, now: float) -> float | None:
    """Return the rows a second so far; None if there is nothing to judge by."""
    length = seconds(record, now)
    if length is None or not record.rows or (record.ended is None and length < _SOON):
        return None
    return record.rows / max(length, 0.001)


def estimate(record: Record, now: float) -> float | None:
    """Return the seconds until a job that runs will be done; None if that is not known."""
    pace = speed(record, now)
    if record.state is not JobState.RUNNING or pace is None or not record.total:
        return None
    return max(0.0, (record.total - record.rows) / pace)


def as_json(record: Record, links: Links, now: float) -> bytes:
    """Return the status as JSON.

    It has neither the arguments of the job nor its owner: who has the link need not know them.
    """
    digest = (record.receipt or {}).get("sha256")
    found: dict[str, Any] = {
        "id": record.id,
        "name": record.name,
        "state": record.state.value,
        "rows": record.rows,
        "total": record.total,
        "bytes": record.bytes,
        "seconds": _rounded(seconds(record, now)),
        "estimate": _rounded(estimate(record, now)),
        "attempt": record.attempt,
        "created": moment(record.created),
        "started": moment(record.started),
        "ended": moment(record.ended),
        "expires": moment(record.expires),
        "problem": record.problem,
        "filename": record.filename,
        "media_type": record.media_type,
        "size": record.size,
        "sha256": digest if record.state is JobState.DONE else None,
        "links": _links(record, links),
    }
    return json.dumps(found, ensure_ascii=False).encode("utf-8", "replace")


def _links(record: Record, links: Links) -> dict[str, str]:
    found = {"status": links.status}
    if record.state is JobState.DONE:
        found["file"] = links.file
    if is_cancellable(record):
        found["cancel"] = links.cancel
    return found


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def moment(value: float | None) -> str | None:
    """Return a time as RFC 3339 writes it, in whole seconds of UTC."""
    if value is None:
        return None
    return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def problem_json(title: str, text: str) -> bytes:
    """Return as JSON why there is nothing (the members of RFC 9457 that apply)."""
    return json.dumps({"title": title, "detail": text}).encode()
