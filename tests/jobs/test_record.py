"""The record of a job."""

from jobs.kept import job
from streamware.jobs.record import JobState


def test_a_state_is_its_name() -> None:
    assert [str(state) for state in JobState] == [
        *("queued", "running", "cancelling", "done", "failed", "cancelled", "expired"),
    ]


def test_a_record_is_a_value() -> None:
    assert job() == job()
    assert job() != job(rows=1)
