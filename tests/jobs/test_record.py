"""The record of a job."""

import pytest

from jobs.kept import job
from streamware.jobs.record import ENDED, OPEN, TRANSITIONS, JobState


def test_a_state_is_its_name() -> None:
    assert [str(state) for state in JobState] == [
        *("queued", "running", "cancelling", "done", "failed", "cancelled", "expired"),
    ]


def test_a_record_is_a_value() -> None:
    assert job() == job()
    assert job() != job(rows=1)


def test_every_state_is_open_or_ended_or_expired() -> None:
    assert {*OPEN, *ENDED, JobState.EXPIRED} == set(JobState) == set(TRANSITIONS)


def test_what_has_ended_only_expires() -> None:
    assert all(TRANSITIONS[state] == {JobState.EXPIRED} for state in ENDED)
    assert not TRANSITIONS[JobState.EXPIRED]


@pytest.mark.parametrize("state", JobState)
def test_only_an_open_job_whose_lease_is_over_is_lost(state: JobState) -> None:
    record = job(state=state, lease=10.0)
    assert not record.is_lost(10.0)
    assert record.is_lost(10.1) == record.is_open == (state in OPEN)
