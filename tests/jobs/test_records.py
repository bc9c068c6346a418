"""Records in a database: every change is one compare-and-set."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

import mariadb
import postgresql
from streamware.errors import Refused, StateError
from streamware.jobs.record import JobState, Record
from streamware.jobs.records import Records

Open = Callable[[], Records]


def job(id: str = "a" * 22, **fields: Any) -> Record:  # noqa: A002
    return Record(**{"id": id, "name": "orders", "arguments": {"n": 1}, "created": 1.0, **fields})


@pytest.fixture(
    scope="module",
    params=[
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.servers),
        pytest.param("mariadb", marks=pytest.mark.servers),
    ],
)
def server(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """The URL of a database of a server; None for SQLite."""
    if request.param == "postgresql":
        with postgresql.cluster() as cluster:
            yield f"postgresql+psycopg://postgres@/postgres?host={cluster.folder}"
    elif request.param == "mariadb":
        with mariadb.server() as running:
            with running.connect() as connection:
                connection.cursor().execute("CREATE DATABASE IF NOT EXISTS test")
            yield running.url("pymysql")
    else:
        yield None


@pytest.fixture
def where(server: str | None, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if server is None:
        return f"sqlite:///{tmp_path}/jobs.sqlite3"
    for table in ("streamware_jobs", "streamware_jobs_layout"):
        _run(server, f"DROP TABLE IF EXISTS {table}")
    return server


def _run(url: str, *statements: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


@pytest.fixture
def open_records(where: str) -> Iterator[Open]:
    """Opens the records, each time with connections of their own."""
    opened: list[Records] = []

    def open_() -> Records:
        opened.append(Records(where))
        return opened[-1]

    yield open_
    for records in opened:
        records.close()


@pytest.fixture
def records(open_records: Open) -> Records:
    return open_records()


def test_a_record_is_read_as_it_was_written(records: Records) -> None:
    full = job(
        arguments={"text": "ünï ☃ \x00 '", "list": [1, 2.5, None, True], "large": 2**64},
        by="ann",
        format="csv",
        lease=1.7e9 + 0.123456,
        rows=2**40,
        bytes=2**50,
        total=2**40,
    )
    records.create(full)
    assert records.get(full.id) == full
    assert records.get("b" * 22) is None


def test_a_move_needs_the_state_and_the_attempt(records: Records) -> None:
    queued = records.create(job())
    assert records.move(queued, JobState.RUNNING, attempt=1)
    assert not records.move(queued, JobState.RUNNING, attempt=1)
    running = records.get(queued.id)
    assert running is not None
    assert not records.move(job(state=JobState.RUNNING, attempt=2), JobState.DONE)
    assert records.move(running, JobState.DONE, object="o", receipt={"rows": 1})
    done = records.get(queued.id)
    assert done is not None
    assert (done.state, done.object, done.receipt) == (JobState.DONE, "o", {"rows": 1})


def test_a_state_that_does_not_follow_is_an_error(records: Records) -> None:
    with pytest.raises(ValueError, match="a job that is done cannot be running"):
        records.move(job(state=JobState.DONE), JobState.RUNNING)


def test_a_lease_that_is_not_over_is_not_taken(records: Records) -> None:
    running = records.create(job(state=JobState.RUNNING, attempt=1, lease=10.5))
    assert not records.move(running, JobState.RUNNING, lost_at=10.5, attempt=2)
    assert records.move(running, JobState.RUNNING, lost_at=10.6, attempt=2)


def test_lost_jobs_are_found(records: Records) -> None:
    records.create(job("a" * 22, state=JobState.RUNNING, lease=5.0))
    records.create(job("b" * 22, state=JobState.DONE, lease=5.0))
    records.create(job("c" * 22, state=JobState.CANCELLING, lease=50.0))
    assert [record.id[0] for record in records.lost(6.0)] == ["a"]


def at_once(count: int, call: Callable[[int], Any]) -> list[Any]:
    """What that many threads get that call at the same moment."""
    barrier, results = threading.Barrier(count), []

    def work(number: int) -> None:
        barrier.wait()
        try:
            results.append(call(number))
        except Exception as error:  # noqa: BLE001 - the test looks at it
            results.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_of_many_workers_at_once_one_gets_a_job(open_records: Open) -> None:
    queued = open_records().create(job())
    workers = [open_records() for _ in range(6)]
    taken = at_once(6, lambda at: workers[at].move(queued, JobState.RUNNING, attempt=1))
    assert sorted(taken) == [False] * 5 + [True]


def test_of_equal_jobs_at_once_there_is_one(open_records: Open) -> None:
    open_records().get("x")
    each = [open_records() for _ in range(6)]
    made = at_once(6, lambda at: each[at].create(job(str(at) * 22), dedupe=True).id)
    assert len(set(made)) == 1


def test_an_owner_never_has_more_places_than_there_are(open_records: Open) -> None:
    open_records().get("x")
    each = [open_records() for _ in range(6)]
    made = at_once(6, lambda at: each[at].create(job(str(at) * 22, by="ann"), max_open=3))
    assert sum(isinstance(one, Record) for one in made) == 3
    assert sum(isinstance(one, Refused) for one in made) == 3


def test_processes_that_start_at_once_share_one_layout(open_records: Open) -> None:
    each = [open_records() for _ in range(6)]
    assert len(set(map(str, at_once(6, lambda at: each[at].space)))) == 1


def test_an_older_layout_is_an_error_until_it_is_migrated(open_records: Open, where: str) -> None:
    kept = open_records().create(job())
    _run(where, "ALTER TABLE streamware_jobs DROP COLUMN etag")
    _run(where, "UPDATE streamware_jobs_layout SET version = 0")
    records = open_records()
    with pytest.raises(StateError, match=r"older layout .0, and 1 is expected.*jobs migrate"):
        records.get(kept.id)
    assert records.migrate() == ["etag"]
    assert records.migrate() == []
    assert records.get(kept.id) == kept


def test_tables_of_before_there_were_layouts_are_migrated(open_records: Open, where: str) -> None:
    kept = open_records().create(job())
    _run(where, "DROP TABLE streamware_jobs_layout")
    records = open_records()
    with pytest.raises(StateError, match="older layout"):
        records.get(kept.id)
    assert records.migrate() == []
    assert records.get(kept.id) == kept


def test_a_newer_layout_is_an_error(open_records: Open, where: str) -> None:
    open_records().get("x")
    _run(where, "UPDATE streamware_jobs_layout SET version = 9")
    with pytest.raises(StateError, match=r"layout 9.*knows only 1"):
        open_records().get("x")
    with pytest.raises(StateError, match="newer"):
        open_records().migrate()


def test_what_a_killed_process_has_begun_to_make_is_made_whole(
    open_records: Open, where: str
) -> None:
    open_records().get("x")
    _run(where, "DROP TABLE streamware_jobs")  # it was killed between the two tables
    records = open_records()
    assert records.create(job()) == records.get(job().id)


def test_an_engine_of_the_caller_stays_open(where: str) -> None:
    engine = create_engine(where)
    records = Records(engine)
    records.create(job())
    records.close()
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM streamware_jobs")).scalar() == 1
    engine.dispose()


def test_a_call_is_tried_again_while_the_database_is_gone(records: Records) -> None:
    gone = [OperationalError("gone", None, Exception())] * 2

    def get() -> Record | None:
        if gone:
            raise gone.pop()
        return records.get("x")

    assert records.persist(get, 5.0) is None
    assert gone == []


def test_a_database_that_stays_away_is_an_error(records: Records) -> None:
    def get() -> None:
        raise OperationalError("gone", None, Exception())

    with pytest.raises(OperationalError):
        records.persist(get, 0.0)
