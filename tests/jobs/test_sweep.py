"""What a sweep removes, what it leaves, and what it submits again."""

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import streamware as sw
from streamware.jobs.record import JobState, Record

Make = Callable[..., sw.Jobs]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[sw.Jobs] = []

    def make(**options: Any) -> sw.Jobs:
        options.setdefault("submit", lambda _: None)
        jobs = sw.Jobs(tmp_path / "exports", **options)
        jobs.define("orders")(lambda: sw.Export([(1,)], columns=["n"]))
        made.append(jobs)
        return jobs

    yield make
    for jobs in made:
        jobs.close()


def files(jobs: sw.Jobs) -> list[str]:
    return [found.path for found in jobs.store.list()]


def done(jobs: sw.Jobs) -> Record:
    record = jobs.run(jobs.create("orders").id)
    assert record is not None
    assert record.object is not None
    return record


def write(jobs: sw.Jobs, path: str) -> None:
    with jobs.store.writer(path) as upload:
        upload.write(b"1")


def test_the_file_of_a_job_goes_when_it_expires_and_its_record_later(make: Make) -> None:
    jobs = make(expires=timedelta(seconds=100))
    kept, old, older = done(jobs), done(jobs), done(jobs)
    for record, expires in ((old, kept.created - 1), (older, kept.created - 102)):
        assert jobs._records.note(record, [JobState.DONE], expires=expires)
    swept = jobs.sweep()
    assert (swept.expired, swept.forgotten) == (2, 1)
    assert files(jobs) == [kept.object]
    found = jobs.get(old.id)
    assert found is not None
    assert (found.state, found.object) == ("expired", None)
    assert jobs.get(older.id) is None
    assert jobs.sweep() == type(swept)(0, 0, 0, 0, 0, 0)


def test_objects_that_no_record_names_go(make: Make) -> None:
    jobs = make()
    kept = done(jobs)
    space = jobs._records.space
    for path in (f"{space}/{kept.id}/7/a.csv", f"{space}/{'b' * 22}/1/a.csv"):
        write(jobs, path)
    assert jobs.sweep().objects == 2
    assert files(jobs) == [kept.object]


def test_what_is_not_ours_stays(make: Make) -> None:
    jobs = make()
    others = ["0123456789ab/c/1/a.csv", "logo.png", f"{jobs._records.space}/readme.txt"]
    for path in others:
        write(jobs, path)
    assert jobs.sweep().objects == 0
    assert sorted(files(jobs)) == sorted(others)


def test_an_attempt_that_runs_keeps_its_object(make: Make) -> None:
    jobs = make()
    job = jobs.create("orders")
    assert jobs._records.move(job, JobState.RUNNING, attempt=1, lease=job.created + 100)
    path = f"{jobs._records.space}/{job.id}/1/a.csv"
    write(jobs, path)
    assert jobs.sweep().objects == 0
    assert files(jobs) == [path]


def test_lost_jobs_are_handed_out_again_until_they_were_taken_too_often(make: Make) -> None:
    given: list[str] = []
    jobs = make(submit=given.append, attempts=2)
    lost, hopeless, cancelled = (jobs.create("orders") for _ in range(3))
    given.clear()
    assert jobs._records.move(lost, JobState.RUNNING, attempt=1, lease=1.0)
    assert jobs._records.move(hopeless, JobState.RUNNING, attempt=2, lease=1.0)
    assert jobs._records.move(cancelled, JobState.RUNNING, attempt=1, lease=1.0)
    assert jobs.cancel(cancelled.id)
    swept = jobs.sweep()
    assert (swept.resubmitted, swept.ended, given) == (1, 2, [lost.id])
    ended = [jobs.get(job.id) for job in (hopeless, cancelled)]
    assert [record and record.state for record in ended] == ["failed", "cancelled"]
    assert ended[0] is not None
    assert ended[0].problem == "its workers were lost: 2 attempts"


def test_a_job_that_nobody_took_is_handed_out_again_but_not_at_every_sweep(make: Make) -> None:
    given: list[str] = []
    jobs = make(submit=given.append)
    job = jobs.create("orders")
    given.clear()
    assert jobs.sweep().resubmitted == 0
    assert jobs._records.note(job, [JobState.QUEUED], lease=1.0)
    assert (jobs.sweep().resubmitted, jobs.sweep().resubmitted) == (1, 0)
    assert given == [job.id]


def test_what_a_killed_process_was_writing_goes_after_a_day(make: Make, tmp_path: Path) -> None:
    jobs = make()
    done(jobs)
    old, new = (tmp_path / "exports" / f".{name}.0123.part" for name in ("old", "new"))
    for part in (old, new):
        part.write_bytes(b"1")
    os.utime(old, (1, 1))
    assert jobs.sweep().files == 1
    assert (old.exists(), new.exists()) == (False, True)
