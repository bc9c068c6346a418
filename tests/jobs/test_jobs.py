"""Jobs: created, run, cancelled, found again."""

import json
import sqlite3
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from threading import Event
from time import sleep, time
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

import streamware as sw
from fakes import PATIENCE
from streamware.jobs import control
from streamware.jobs.jobs import DATABASE
from streamware.jobs.record import JobState, Record

Make = Callable[..., sw.Jobs]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes jobs in one folder, whose threads and connections are gone at the end."""
    made: list[sw.Jobs] = []

    def make(**options: Any) -> sw.Jobs:
        options.setdefault("submit", lambda _: None)
        jobs = sw.Jobs(tmp_path / "exports", **options)
        jobs.define("orders")(orders)
        jobs.define("failing")(failing)
        made.append(jobs)
        return jobs

    yield make
    for jobs in made:
        jobs.close()


def orders(*, count: int = 2, by: str | None = None) -> sw.Export:
    rows = [(number, by) for number in range(count)]
    return sw.Export(rows, columns=["n", "by"], filename="orders", formats=("csv", "xlsx"))


def failing() -> sw.Export:
    def rows() -> Iterator[Any]:
        yield (1,)
        raise ValueError("a secret of the row")

    return sw.Export(rows, columns=["n"], formats=("csv",))


def ended(jobs: sw.Jobs, id: str) -> Record:  # noqa: A002
    end = time() + PATIENCE
    while (record := jobs.get(id)) is not None and record.is_open:
        assert time() < end
        sleep(0.005)
    assert record is not None
    return record


def files(jobs: sw.Jobs) -> list[str]:
    return [found.path for found in jobs.store.list()]


def test_a_job_is_created_run_and_done(make: Make) -> None:
    jobs = make()
    created = jobs.create("orders", count=2, by="ann")
    assert (created.state, created.attempt, created.by) == ("queued", 0, "ann")
    record = jobs.run(created.id)
    assert record is not None
    assert record.object is not None
    assert (record.state, record.attempt, record.rows, record.total) == ("done", 1, 2, 2)
    assert (record.filename, record.media_type) == ("orders.csv", "text/csv; charset=utf-8")
    data = b"".join(jobs.store.read(record.object))
    assert data == b"n,by\r\n0,ann\r\n1,ann\r\n"
    assert record.size == record.bytes == len(data)
    assert record.receipt is not None
    assert record.receipt["outcome"] == "complete"
    assert record.object.endswith(f"/{record.id}/1/orders.csv")
    assert files(jobs) == [record.object]


def test_without_workers_a_thread_of_the_process_runs_it(make: Make) -> None:
    jobs = make(submit=None)
    assert ended(jobs, jobs.create("orders").id).state is JobState.DONE


def test_the_format_is_chosen_when_the_job_is_created(make: Make) -> None:
    jobs = make()
    record = jobs.run(jobs.create("orders", format="xlsx").id)
    assert record is not None
    assert record.filename == "orders.xlsx"


def test_a_format_that_the_export_does_not_offer_fails(make: Make) -> None:
    jobs = make()
    record = jobs.run(jobs.create("orders", format="xml").id)
    assert record is not None
    assert record.state is JobState.FAILED
    assert files(jobs) == []


def test_the_same_definition_is_the_export_itself(make: Make) -> None:
    export = make().export("orders", count=1)
    assert isinstance(export, sw.Export)


def test_a_bundle_is_a_job_as_well(make: Make) -> None:
    jobs = make()
    jobs.define("both")(lambda: sw.Bundle([("a.csv", orders()), ("b.csv", orders())]))
    record = jobs.run(jobs.create("both").id)
    assert record is not None
    assert (record.state, record.filename) == ("done", "bundle.zip")


def test_asynchronous_rows_are_read_by_a_loop_of_the_job(make: Make) -> None:
    async def rows() -> Any:
        yield (1,)

    jobs = make()
    jobs.define("async")(lambda: sw.Export(rows, columns=["n"], formats=("csv",)))
    record = jobs.run(jobs.create("async").id)
    assert record is not None
    assert (record.state, record.rows) == ("done", 1)


def test_a_source_that_fails_fails_the_job_without_its_values(make: Make) -> None:
    jobs = make()
    record = jobs.run(jobs.create("failing").id)
    assert record is not None
    assert (record.state, record.problem, record.object) == ("failed", "ValueError", None)
    assert "secret" not in repr(record)
    assert files(jobs) == []


def test_a_second_delivery_of_a_job_ends_at_once(make: Make) -> None:
    jobs = make()
    first = jobs.run(jobs.create("orders").id)
    assert first is not None
    assert jobs.run(first.id) == first


def test_observers_and_on_done_hear_of_it_as_of_a_download(make: Make) -> None:
    heard: list[sw.Receipt] = []
    jobs = make()
    jobs.define("heard")(lambda: sw.Export([(1,)], columns=["n"], on_done=heard.append))
    jobs.run(jobs.create("heard").id)
    assert [receipt.outcome for receipt in heard] == ["complete"]


def test_submit_is_called_when_the_record_is_there(make: Make) -> None:
    seen: list[Record | None] = []
    jobs: sw.Jobs = make(submit=lambda id_: seen.append(jobs.get(id_)))
    created = jobs.create("orders")
    assert [record and record.id for record in seen] == [created.id]


def test_a_job_that_cannot_be_submitted_says_so(make: Make) -> None:
    def submit(_: str) -> None:
        raise ConnectionError("redis://:password@broker")

    record = make(submit=submit).create("orders")
    assert record.state is JobState.FAILED
    assert record.problem == "it could not be handed to a worker: ConnectionError"


def test_who_asks_for_what_is_being_made_gets_that_job(make: Make) -> None:
    jobs = make(dedupe="running")
    first = jobs.create("orders", count=1, by="ann")
    assert jobs.create("orders", count=1, by="ann").id == first.id
    others = [
        jobs.create("orders", count=2, by="ann"),
        jobs.create("orders", count=1, by="bob"),
        jobs.create("orders", count=1, by="ann", format="xlsx"),
    ]
    assert len({first.id, *(other.id for other in others)}) == 4
    jobs.run(first.id)
    assert jobs.create("orders", count=1, by="ann").id != first.id


def test_an_owner_has_no_more_open_jobs_than_allowed(make: Make) -> None:
    jobs = make(max_open=2)
    first, _ = jobs.create("orders", by="ann"), jobs.create("orders", by="ann")
    with pytest.raises(sw.Refused, match="max_open"):
        jobs.create("orders", by="ann")
    jobs.create("orders", by="bob")
    jobs.run(first.id)
    jobs.create("orders", by="ann")


def test_a_job_that_waits_is_cancelled_at_once(make: Make) -> None:
    jobs = make()
    created = jobs.create("orders")
    assert jobs.cancel(created.id)
    assert not jobs.cancel(created.id)
    record = jobs.run(created.id)
    assert record is not None
    assert (record.state, record.attempt) == ("cancelled", 0)


def test_a_blocked_source_is_interrupted_by_a_cancellation(make: Make) -> None:
    blocked, interrupted = Event(), Event()

    def rows() -> Iterator[Any]:
        yield (1,)
        blocked.set()
        interrupted.wait(PATIENCE)
        raise RuntimeError("interrupted")

    jobs = make(submit=None)
    jobs.define("slow")(lambda: sw.Export(rows, columns=["n"], cancel=interrupted.set))
    created = jobs.create("slow")
    assert blocked.wait(PATIENCE)
    assert jobs.cancel(created.id)
    record = ended(jobs, created.id)
    assert (record.state, record.problem) == ("cancelled", None)
    assert interrupted.is_set()


def test_a_process_that_ends_gives_its_jobs_back(make: Make) -> None:
    blocked, interrupted = Event(), Event()

    def rows() -> Iterator[Any]:
        yield (1,)
        blocked.set()
        interrupted.wait(PATIENCE)

    jobs = make(submit=None)
    jobs.define("slow")(lambda: sw.Export(rows, columns=["n"], cancel=interrupted.set))
    created = jobs.create("slow")
    assert blocked.wait(PATIENCE)
    jobs.close()
    later = make()
    found = later.get(created.id)
    assert found is not None
    assert (found.state, found.attempt) == ("queued", 1)


def test_the_next_process_takes_up_the_jobs_that_wait(make: Make) -> None:
    waiting = make().create("orders")
    jobs = make(submit=None)
    assert ended(jobs, waiting.id).state is JobState.DONE


def test_a_job_whose_definition_is_gone_fails_and_says_why(make: Make, tmp_path: Path) -> None:
    created = make().create("orders")
    other = sw.Jobs(tmp_path / "exports", submit=lambda _: None)
    record = other.run(created.id)
    other.close()
    assert record is not None
    assert record.state is JobState.FAILED
    assert record.problem == "no job is defined as 'orders'; there are: none"


def test_a_job_of_yesterday_whose_definition_changed_fails_and_says_why(
    make: Make, tmp_path: Path
) -> None:
    created = make().create("orders", count=5)
    other = sw.Jobs(tmp_path / "exports", submit=lambda _: None)
    other.define("orders")(lambda *, region: sw.Export([]))
    record = other.run(created.id)
    other.close()
    assert record is not None
    assert record.problem is not None
    assert "does not take the arguments that were given" in record.problem


@pytest.mark.parametrize(
    "id_", ["", "../../etc/passwd", "x" * 65, "a b c d e f", "\x00" * 22, "é" * 22, "%", None, 7]
)
def test_no_job_has_a_hostile_id(make: Make, id_: Any) -> None:
    jobs = make()
    assert jobs.get(id_) is None
    assert jobs.run(id_) is None
    assert jobs.cancel(id_) is False


def test_ids_cannot_be_guessed(make: Make) -> None:
    jobs = make()
    ids = {jobs.create("orders").id for _ in range(5)}
    assert len(ids) == 5
    assert all(len(id_) == 22 for id_ in ids)


def test_a_file_with_a_hostile_name_stays_in_its_place(make: Make) -> None:
    jobs = make()
    jobs.define("hostile")(lambda: sw.Export([], columns=["n"], filename="../.é/\u202e..x"))
    record = jobs.run(jobs.create("hostile").id)
    assert record is not None
    assert record.object is not None
    assert files(jobs) == [record.object]
    assert record.object.split("/")[1:3] == [record.id, "1"]


def test_a_job_whose_time_is_over_has_expired(make: Make) -> None:
    jobs = make(expires=timedelta(microseconds=1))
    record = jobs.run(jobs.create("orders").id)
    assert record is not None
    assert (record.state, record.object) == ("expired", None)


def test_an_owner_may_be_a_number_or_a_uuid(make: Make) -> None:
    jobs = make()
    key = uuid.UUID(int=7)
    assert [jobs.create("orders", by=by).by for by in (7, key)] == ["7", str(key)]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"submit": "celery"}, "submit= must be callable, not str"),
        ({"expires": 7}, "expires= must be a timedelta, not int"),
        ({"expires": timedelta()}, "expires= must be positive"),
        ({"dedupe": "always"}, "dedupe= must be 'running' or None"),
        ({"max_open": 0}, "max_open= must be a whole number"),
        ({"attempts": True}, "attempts= must be a whole number"),
        ({"lease": float("nan")}, "lease= must be a number of seconds"),
        ({"records": "no url"}, "records= must be the URL of a database"),
        ({"records": "sqlite://"}, "records= cannot be kept in memory"),
        ({"records": "sqlite:///:memory:"}, "records= cannot be kept in memory"),
    ],
)
def test_a_wrong_option_is_explained(make: Make, options: Any, said: str) -> None:
    with pytest.raises((TypeError, ValueError), match=said):
        make(**options).get("12345678")


def test_a_store_that_is_no_folder_needs_records() -> None:
    with pytest.raises(ValueError, match="records= must be given"):
        sw.Jobs("memory://")


def test_a_record_is_read_as_it_was_written(make: Make) -> None:
    jobs = make()
    given: dict[str, Any] = {"count": 2**70, "by": "ann"}
    arguments = {"count": 2**70}
    created = jobs.create("orders", **given)
    assert created.arguments == arguments == json.loads(json.dumps(arguments))


@pytest.mark.slow
def test_progress_is_at_most_two_seconds_old(make: Make) -> None:
    done = Event()

    def rows() -> Iterator[Any]:
        for number in range(10**6):
            if done.is_set():
                return
            yield (number,)
            sleep(0.001)

    jobs = make(submit=None, lease=60.0)
    jobs.define("slow")(lambda: sw.Export(rows, columns=["n"], formats=("csv",)))
    created = jobs.create("slow")
    sleep(2.5)
    record = jobs.get(created.id)
    done.set()
    assert record is not None
    assert record.heartbeat is not None
    assert time() - record.heartbeat < 2
    assert record.rows > 0
    assert ended(jobs, created.id).state is JobState.DONE


def test_without_sqlalchemy_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "streamware.jobs.records", None)
    with pytest.raises(ImportError, match=r"pip install 'streamware-exports\[jobs\]'"):
        sw.Jobs(tmp_path)


def test_a_job_that_was_given_back_at_its_last_attempt_has_failed(make: Make) -> None:
    jobs = make(attempts=1)

    @jobs.define("leaving")
    def leaving() -> sw.Export:
        raise SystemExit

    job = jobs.create("leaving")
    with pytest.raises(SystemExit):
        jobs.run(job.id)
    jobs.sweep()
    record = jobs.run(job.id)
    assert record is not None
    assert (record.state, record.attempt) == ("failed", 1)


def test_what_fails_in_the_database_tells_no_arguments(make: Make, tmp_path: Path) -> None:
    jobs = make()
    jobs.get("12345678")
    with closing(sqlite3.connect(tmp_path / "exports" / DATABASE)) as database:
        database.execute(
            "CREATE TRIGGER full BEFORE INSERT ON streamware_jobs"
            " BEGIN SELECT RAISE(ABORT, 'no more rows'); END"
        )
    with pytest.raises(IntegrityError, match="no more rows") as error:
        jobs.create("orders", by="a secret name")
    assert "secret" not in str(error.value)


def test_a_forked_child_does_not_interrupt_the_run_of_its_parent(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs, reasons = make(), list[object]()

    @jobs.define("forking")
    def forking() -> sw.Export:
        (run,) = jobs._running
        monkeypatch.setattr(control, "generation", lambda: -1)  # as in a child
        jobs.close()
        reasons.append(run.reason)
        monkeypatch.undo()
        return orders()

    record = jobs.run(jobs.create("forking").id)
    assert reasons == [None]
    assert record is not None
    assert record.state == "done"
