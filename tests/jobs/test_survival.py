"""What jobs survive: workers that are killed or stopped, cancellations, stores and databases."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import ECONNREFUSED, ENOSPC
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

import postgresql
import streamware as sw
from fakes import PATIENCE
from jobs.struck import PHASES, build, strike_at
from streamware.jobs.record import JobState, Record
from streamware.stores.folder import Folder
from streamware.stores.store import Upload

Make = Callable[..., sw.Jobs]
OVER = 1.3
"""Seconds after which a lease of one second is over."""


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[sw.Jobs] = []

    def make(records: str | None = None, **options: Any) -> sw.Jobs:
        made.append(build(tmp_path / "exports", records, **options))
        return made[-1]

    yield make
    for jobs in made:
        jobs.close()


def files(jobs: sw.Jobs) -> list[str]:
    return [found.path for found in jobs.store.list()]


def worker(folder: Path, job: Record, phase: str, number: signal.Signals) -> Any:
    """A worker that sends itself a signal at a phase."""
    program = Path(__file__).with_name("struck.py")
    return subprocess.Popen(
        [sys.executable, str(program), str(folder / "exports"), job.id, phase, str(int(number))],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs signals")
@pytest.mark.parametrize("phase", PHASES)
def test_a_killed_worker_leaves_one_object_in_the_end(
    make: Make, tmp_path: Path, phase: str
) -> None:
    jobs = make()
    job = jobs.create("orders")
    assert worker(tmp_path, job, phase, signal.SIGKILL).wait(PATIENCE) == -signal.SIGKILL
    within = jobs.run(job.id)
    assert within is not None
    assert within.attempt == 1
    sleep(OVER)
    record = jobs.run(job.id)
    assert record is not None
    assert (record.state, record.attempt) == ("done", 1 if phase == "recorded" else 2)
    jobs.sweep()
    assert files(jobs) == [record.object]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs signals")
@pytest.mark.parametrize("phase", PHASES)
def test_a_worker_that_was_stopped_longer_than_its_lease_publishes_nothing(
    make: Make, tmp_path: Path, phase: str
) -> None:
    jobs = make()
    job = jobs.create("orders")
    stopped = worker(tmp_path, job, phase, signal.SIGSTOP)
    assert os.WIFSTOPPED(os.waitpid(stopped.pid, os.WUNTRACED)[1])
    sleep(OVER)
    record = jobs.run(job.id)
    assert record is not None
    assert (record.state, record.attempt) == ("done", 1 if phase == "recorded" else 2)
    os.kill(stopped.pid, signal.SIGCONT)
    assert stopped.wait(PATIENCE) == 0
    assert jobs.get(job.id) == record
    assert files(jobs) == [record.object]


@pytest.mark.parametrize("phase", PHASES)
def test_a_job_is_cancelled_at_any_phase(
    make: Make, phase: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = make()
    job = jobs.create("orders")
    strike_at(phase, lambda: jobs.cancel(job.id), monkeypatch)
    record = jobs.run(job.id)
    assert record is not None
    assert record.state == ("done" if phase == "recorded" else "cancelled")
    assert files(jobs) == ([record.object] if record.object else [])


@pytest.mark.parametrize("phase", PHASES)
def test_a_worker_that_ends_in_an_orderly_way_gives_the_job_back(
    make: Make, phase: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave() -> None:
        raise SystemExit

    jobs = make()
    job = jobs.create("orders")
    strike_at(phase, leave, monkeypatch)
    with pytest.raises(SystemExit):
        jobs.run(job.id)
    given = jobs.get(job.id)
    assert given is not None
    assert given.state == ("done" if phase == "recorded" else "queued")
    record = jobs.run(job.id)
    assert record is not None
    jobs.sweep()
    assert files(jobs) == [record.object]


class Failing(Folder):
    """A store that fails at one call."""

    def __init__(self, root: Path, at: str, number: int) -> None:
        super().__init__(root)
        self.at, self.number = at, number

    def fail(self, at: str) -> None:
        if at == self.at:
            raise OSError(self.number, "said the store")

    @contextmanager
    def writer(self, path: str, **options: Any) -> Iterator[Upload]:
        self.fail("open")
        with super().writer(path, **options) as upload:
            write = upload.write

            def failing(data: bytes, /) -> int:
                self.fail("write")
                return write(data)

            upload.write = failing  # type: ignore[method-assign]
            yield upload
            self.fail("close")


@pytest.mark.parametrize("number", [ENOSPC, ECONNREFUSED], ids=["full", "down"])
@pytest.mark.parametrize("at", ["open", "write", "close"])
def test_a_store_that_fails_fails_the_job(make: Make, tmp_path: Path, at: str, number: int) -> None:
    good = make()
    jobs = sw.Jobs(
        Failing(tmp_path / "exports", at, number),
        f"sqlite:///{tmp_path}/exports/.jobs.sqlite3",
        submit=lambda _: None,
    )
    jobs.define("orders")(lambda: sw.Export([(1,)], columns=["n"]))
    record = jobs.run(jobs.create("orders").id)
    jobs.close()
    assert record is not None
    assert record.state is JobState.FAILED
    assert record.problem is not None
    assert os.strerror(number) in record.problem
    assert "said" not in record.problem
    assert files(good) == []


@pytest.mark.slow
def test_a_slow_store_does_not_keep_a_job_from_being_cancelled(make: Make) -> None:
    """What is blocked is not waited for."""
    jobs = make(lease=60.0)
    job = jobs.create("orders")
    blocked, free = threading.Event(), threading.Event()

    def block() -> None:
        blocked.set()
        free.wait(PATIENCE)

    with pytest.MonkeyPatch.context() as patch:
        strike_at("uploading", block, patch)
        running = threading.Thread(target=jobs.run, args=(job.id,))
        running.start()
        assert blocked.wait(PATIENCE)
        asked = monotonic()
        jobs.cancel(job.id)
        while (found := jobs.get(job.id)) is not None and found.state is not JobState.CANCELLED:
            assert monotonic() < asked + PATIENCE
            sleep(0.02)
        free.set()
        running.join()
    record = jobs.get(job.id)
    assert record is not None
    assert record.expires is not None
    assert files(jobs) == []


@pytest.mark.slow
@pytest.mark.servers
@pytest.mark.parametrize("phase", ["encoding", "publishing", "recording"])
def test_the_database_may_be_gone_for_ten_seconds(
    make: Make, phase: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgresql.cluster() as cluster:
        jobs = make(f"postgresql+psycopg://postgres@/postgres?host={cluster.folder}", lease=60.0)
        job = jobs.create("orders")
        options = f"-c listen_addresses= -c unix_socket_directories={cluster.folder} -c fsync=off"
        data, log = str(cluster.folder / "data"), str(cluster.folder / "log")

        def start() -> None:
            cluster._run("pg_ctl", "-D", data, "-o", options, "-l", log, "-w", "start")

        starter = threading.Timer(10.0, start)

        def stop() -> None:
            cluster.stop()
            starter.start()

        strike_at(phase, stop, monkeypatch)
        try:
            jobs.run(job.id)
        finally:
            starter.join()
        record = jobs.get(job.id)
        assert record is not None
        assert (record.state, record.attempt) == ("done", 1)
        assert files(jobs) == [record.object]
        jobs.close()


@pytest.mark.slow
def test_a_thousand_jobs_in_a_row_and_fifty_at_once_agree_with_their_objects(make: Make) -> None:
    jobs = make(submit=None)
    jobs.define("small")(lambda *, n: sw.Export([(n,)], columns=["n"]))
    ids = [jobs.create("small", n=number).id for number in range(50)]
    alone = make()
    alone.define("small")(lambda *, n: sw.Export([(n,)], columns=["n"]))
    for number in range(1000):
        job = alone.create("small", n=number)
        alone.run(job.id)
        ids.append(job.id)
    end = monotonic() + 60
    while any((found := jobs.get(id_)) is not None and found.is_open for id_ in ids):
        assert monotonic() < end
        sleep(0.05)
    records = [jobs.get(id_) for id_ in ids]
    assert all(record is not None and record.state is JobState.DONE for record in records)
    assert sorted(files(jobs)) == sorted(str(record and record.object) for record in records)
