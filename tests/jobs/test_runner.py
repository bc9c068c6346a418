"""Threads of the process that run jobs, and what a forked child and a process that ends do."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread, current_thread
from time import sleep

import pytest

import streamware as sw
from fakes import PATIENCE
from streamware.jobs import runner as runner_module
from streamware.jobs.runner import THREADS, Runner


def nothing() -> None:
    """There are no lost jobs."""


@pytest.fixture
def ran() -> list[str]:
    return []


@pytest.fixture
def runner(ran: list[str]) -> Iterator[Runner]:
    made = Runner(ran.append, nothing)
    yield made
    made.stop()
    made.join()


def wait_for(ran: list[str], count: int) -> None:
    for _ in range(int(PATIENCE / 0.005)):
        if len(ran) >= count:
            return
        sleep(0.005)
    raise AssertionError(ran)


def test_jobs_run_in_their_order_and_the_threads_end(runner: Runner, ran: list[str]) -> None:
    for number in range(20):
        runner.submit(str(number))
    wait_for(ran, 20)
    runner.join()
    assert sorted(ran, key=int) == [str(number) for number in range(20)]
    runner.submit("later")
    wait_for(ran, 21)


def test_no_more_than_two_run_at_once() -> None:
    free, threads = Event(), set[Thread]()

    def run(_: str) -> None:
        threads.add(current_thread())
        free.wait(PATIENCE)

    runner = Runner(run, nothing)
    for number in range(5):
        runner.submit(str(number))
    free.set()
    runner.join()
    runner.stop()
    assert len(threads) <= THREADS


def test_a_job_that_waits_is_not_queued_again() -> None:
    free, ran = Event(), list[str]()

    def run(id_: str) -> None:
        ran.append(id_)
        free.wait(PATIENCE)

    runner = Runner(run, nothing)
    for id_ in ("a", "b", "c", "c", "c"):
        runner.submit(id_)
    free.set()
    runner.join()
    runner.stop()
    assert sorted(ran) == ["a", "b", "c"]


def test_an_error_does_not_end_the_thread(ran: list[str]) -> None:
    def run(id_: str) -> None:
        ran.append(id_)
        raise OSError

    runner = Runner(run, nothing)
    for id_ in "abc":
        runner.submit(id_)
    wait_for(ran, 3)
    runner.stop()
    runner.join()


def test_lost_jobs_are_looked_for_once_and_when_a_lease_ends() -> None:
    looks = []

    def recover() -> float | None:
        looks.append(1)
        return 0.01 if len(looks) == 1 else None

    runner = Runner(lambda _: None, recover)
    runner.start()
    runner.start()
    for _ in range(1000):
        if len(looks) == 2:
            break
        sleep(0.005)
    runner.stop()
    runner.join()
    assert len(looks) == 2


def test_lost_jobs_are_looked_for_again_if_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "_AGAIN", 0.01)
    looks, again = list[int](), Event()

    def recover() -> None:
        looks.append(1)
        if len(looks) == 1:
            raise OSError("the database is away")
        again.set()

    runner = Runner(lambda _: None, recover)
    runner.start()
    assert again.wait(PATIENCE)
    runner.stop()
    runner.join()
    assert len(looks) == 2


def test_after_the_end_nothing_starts(runner: Runner, ran: list[str]) -> None:
    runner.stop()
    runner.submit("a")
    runner.join()
    assert ran == []


APPLICATION = """
import os, sys, time
import streamware as sw
jobs = sw.Jobs(sys.argv[1], lease=1.0)

@jobs.define("small")
def small():
    return sw.Export([(1,)], columns=["n"])

@jobs.define("slow")
def slow():
    def rows():
        for n in range(1000):
            time.sleep(0.05)
            yield (n,)
    return sw.Export(rows, columns=["n"])

def ended(id):
    while jobs.get(id).is_open:
        time.sleep(0.01)
    return jobs.get(id).state
"""


def application(folder: Path, script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", APPLICATION + script, str(folder)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.slow
def test_a_process_that_ends_gives_back_what_it_runs_and_the_next_one_takes_it(
    tmp_path: Path,
) -> None:
    id_ = application(tmp_path, 'j = jobs.create("slow"); time.sleep(0.5); print(j.id)')
    jobs = sw.Jobs(tmp_path, submit=lambda _: None)
    record = jobs.get(id_)
    jobs.close()
    assert record is not None
    assert (record.state, record.attempt) == ("queued", 1)
    taken = 'jobs.define("slow")\njobs._definitions._known["slow"] = jobs._definitions.get("small")'
    assert application(tmp_path, f'{taken}\nprint(ended("{id_}"))') == "done"


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_runs_its_own_jobs(tmp_path: Path) -> None:
    script = """
first = jobs.create("small")
print(ended(first.id))
sys.stdout.flush()
child = os.fork()
if child == 0:
    print(ended(jobs.create("small").id))
    sys.stdout.flush()
    os._exit(0)
os.waitpid(child, 0)
print(ended(jobs.create("small").id))
"""
    assert application(tmp_path, script).split() == ["done"] * 3


@pytest.mark.slow
def test_a_job_of_a_killed_process_is_taken_when_its_lease_is_over(tmp_path: Path) -> None:
    script = """
import signal
j = jobs.create("slow"); time.sleep(0.5); print(j.id); sys.stdout.flush()
if os.fork() == 0:
    os.kill(os.getppid(), signal.SIGKILL)
    os._exit(0)
time.sleep(5)
"""
    done = subprocess.run(
        [sys.executable, "-c", APPLICATION + script, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    id_ = done.stdout.strip()
    jobs = sw.Jobs(tmp_path, lease=1.0)
    jobs.define("slow")(lambda: sw.Export([(1,)], columns=["n"]))
    jobs.get("12345678")  # the first use; there is no such job
    quiet = sw.Jobs(tmp_path, submit=lambda _: None)
    record = quiet.get(id_)
    for _ in range(100):
        if record is not None and not record.is_open:
            break
        sleep(0.05)
        record = quiet.get(id_)
    jobs.close()
    quiet.close()
    assert record is not None
    assert (record.state, record.attempt) == ("done", 2)
