"""The metrics: what they count, and that the documentation lists them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import time
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

import oracle
import streamware as sw
from fakes import PATIENCE, Broken, Get, asgi_get, failing, orders, wsgi_get
from streamware.errors import StateError
from streamware.jobs.control import Stop
from streamware.jobs.record import JobState
from streamware.prometheus import JobMetrics, Metrics
from streamware.scratch.ledger import Scratch
from streamware.scratch.pool import scratch_pool, scratch_pools
from streamware.settings import MIB

DOC = Path(__file__).parent.parent / "docs" / "metrics.md"
CSV = {"format": "csv", "mode": "stream"}
streamed = partial(sw.Export, delivery="stream")


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def settings(registry: CollectorRegistry, tmp_path: Path) -> Iterator[sw.Settings]:
    made = sw.Settings(
        observers=(Metrics(registry),), scratch_dir=tmp_path, keep_free_bytes=0, wait_seconds=0.0
    )
    yield made
    for kept in scratch_pools():
        if kept.settings.scratch_dir == made.scratch_dir:
            oracle.close(kept)


MakeJobs = Callable[..., sw.Jobs]


@pytest.fixture
def make_jobs(tmp_path: Path) -> Iterator[MakeJobs]:
    """Makes jobs that share one folder, and run when they are told to."""
    made = list[sw.Jobs]()

    def make(**options: Any) -> sw.Jobs:
        jobs = sw.Jobs(tmp_path / "exports", submit=lambda _: None, **options)
        jobs.define("orders")(lambda: sw.Export(orders(3)))
        jobs.define("failing")(lambda: sw.Export(failing(3)))
        made.append(jobs)
        return jobs

    yield make
    for jobs in made:
        jobs.close()


@pytest.fixture(params=[wsgi_get, asgi_get], ids=["wsgi", "asgi"])
def get(request: pytest.FixtureRequest) -> Get:
    made: Get = request.param
    return made


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(f"streamware_{name}", labels)


def test_a_download_is_counted(
    get: Get, registry: CollectorRegistry, settings: sw.Settings
) -> None:
    reply = get(streamed(orders(20_000), settings=settings))
    assert value(registry, "exports_total", **CSV, outcome="complete") == 1
    assert value(registry, "rows_total", format="csv") == 20_000
    assert value(registry, "body_bytes_total", format="csv") == len(reply.body)
    assert value(registry, "first_byte_seconds_count", **CSV) == 1
    assert value(registry, "duration_seconds_count", **CSV) == 1
    assert value(registry, "exports_active") == 0


def test_an_export_under_way_is_active_and_its_rows_are_counted(
    get: Get, registry: CollectorRegistry, settings: sw.Settings
) -> None:
    seen = list[tuple[float | None, float | None]]()

    def rows() -> Iterator[Any]:
        yield from orders(30_000)
        active = value(registry, "exports_active")
        seen.append((active, value(registry, "rows_total", format="csv")))

    get(streamed(rows, settings=settings))
    assert seen[0][0] == 1
    assert 10_000 <= (seen[0][1] or 0) < 30_000
    assert value(registry, "rows_total", format="csv") == 30_000


@pytest.mark.parametrize(
    ("rows", "outcome"),
    [
        (failing, "source_error"),
        (lambda count: orders(count + 1), "limit"),
        (lambda _: [(object(),)], "encode_error"),
    ],
)
def test_exports_are_counted_by_how_they_ended(
    get: Get, registry: CollectorRegistry, settings: sw.Settings, rows: Any, outcome: str
) -> None:
    get(streamed(rows(20_000), settings=settings, limits=sw.Limits(rows=20_000)))
    assert value(registry, "exports_total", **CSV, outcome=outcome) == 1
    assert value(registry, "exports_active") == 0


def test_what_was_refused_is_counted_by_its_setting(
    get: Get, registry: CollectorRegistry, settings: sw.Settings
) -> None:
    one = replace(settings, max_concurrent=1)

    def rows() -> Iterator[Any]:
        get(streamed(orders(3), settings=one))
        yield (1,)

    get(streamed(rows, settings=one))
    assert value(registry, "refused_total", reason="max_concurrent") == 1
    assert value(registry, "exports_total", format="csv", mode="none", outcome="refused") == 1
    assert value(registry, "exports_total", **CSV, outcome="complete") == 1


def test_what_exports_wait_and_put_on_disk_is_measured(
    get: Get, registry: CollectorRegistry, settings: sw.Settings
) -> None:
    small = replace(settings, spool_memory=0)
    get(sw.Export(orders(20_000), delivery="spool", settings=small))
    get(streamed(orders(3), settings=small))
    assert value(registry, "admission_wait_seconds_count") == 2
    spooled = value(registry, "scratch_peak_bytes_sum", format="csv", mode="spool") or 0
    assert spooled >= (value(registry, "body_bytes_total", format="csv") or 0) - 1000 > 0
    assert value(registry, "scratch_peak_bytes_sum", **CSV) == 0


def test_scratch_is_looked_at_when_it_is_asked_for(
    registry: CollectorRegistry, settings: sw.Settings
) -> None:
    bound = replace(settings, process_bytes=64 * MIB, spool_memory=0)
    kept = scratch_pool(bound)
    before = value(registry, "scratch_bytes") or 0, value(registry, "scratch_files") or 0
    scratch = Scratch(kept)
    scratch.spool().write(bytes(2 * MIB))
    assert value(registry, "scratch_bytes") == before[0] + 2 * MIB
    assert value(registry, "scratch_files") == before[1] + 1
    assert (value(registry, "scratch_budget_bytes", setting="process_bytes") or 0) >= 64 * MIB
    scratch.close()
    assert (value(registry, "scratch_bytes"), value(registry, "scratch_files")) == before
    assert (value(registry, "scratch_free_bytes") or 0) > 0
    assert (value(registry, "scratch_free_inodes") or 0) > 0


def test_what_should_not_happen_is_counted(
    registry: CollectorRegistry, settings: sw.Settings
) -> None:
    kept = scratch_pool(settings)
    for name in ("orphans_reaped", "orphan_bytes", "cleanup_failures", "leaked_ledgers"):
        before = value(registry, f"{name}_total") or 0
        kept.signals[name] += 2
        assert value(registry, f"{name}_total") == before + 2
        kept.signals[name] -= 2


def test_a_directory_that_is_gone_leaves_the_rest(
    registry: CollectorRegistry, settings: sw.Settings, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    scratch_pool(replace(settings, scratch_dir=gone))
    assert value(registry, "scratch_files") is not None


def test_a_registry_has_them_once(registry: CollectorRegistry, settings: sw.Settings) -> None:
    with pytest.raises(ValueError, match="Duplicated"):
        Metrics(registry)


def by_state(registry: CollectorRegistry) -> dict[str, float]:
    found = {state.value: value(registry, "jobs", state=state.value) for state in JobState}
    assert None not in found.values()
    return {state: count for state, count in found.items() if count}


def test_jobs_are_counted_by_state(registry: CollectorRegistry, make_jobs: MakeJobs) -> None:
    jobs = make_jobs()
    JobMetrics(jobs, registry=registry)
    assert by_state(registry) == {}
    ids = [jobs.create(name).id for name in ("orders", "orders", "failing", "orders", "orders")]
    for id_ in ids[:3]:
        jobs.run(id_)
    jobs.cancel(ids[3])
    assert by_state(registry) == {"done": 2, "failed": 1, "cancelled": 1, "queued": 1}
    assert value(registry, "jobs_queued_seconds_count") == 3
    assert value(registry, "jobs_running_seconds_count", state="done") == 2
    assert value(registry, "jobs_running_seconds_count", state="failed") == 1
    assert value(registry, "jobs_running_seconds_count", state="cancelled") is None
    assert value(registry, "jobs_lost_leases_total") == 0


def test_the_seconds_of_jobs_are_those_of_their_records(
    registry: CollectorRegistry, make_jobs: MakeJobs
) -> None:
    jobs = make_jobs()
    JobMetrics(jobs, registry=registry)
    created = time() - 40
    waiting = jobs.create("orders")
    jobs._records.note(waiting, [JobState.QUEUED], created=created)
    assert 40 <= (value(registry, "jobs_oldest_queued_seconds") or 0) < 40 + PATIENCE
    done = jobs.run(waiting.id)
    assert done is not None
    assert done.started is not None
    assert done.ended is not None
    queued, ran = done.started - created, done.ended - done.started
    assert value(registry, "jobs_queued_seconds_sum") == pytest.approx(queued, abs=1)
    total = value(registry, "jobs_running_seconds_sum", state="done")
    assert total == pytest.approx(ran, abs=1)
    assert value(registry, "jobs_oldest_queued_seconds") == 0


def test_what_jobs_keep_in_the_store_is_measured(
    registry: CollectorRegistry, make_jobs: MakeJobs
) -> None:
    jobs = make_jobs()
    JobMetrics(jobs, registry=registry)
    done = [jobs.run(jobs.create("orders").id) for _ in range(2)]
    there = [found.size for found in jobs.store.list()]
    assert value(registry, "jobs_stored_bytes") == sum(there) > 0
    assert done[0] is not None
    jobs._records.note(done[0], [JobState.DONE], expires=time() - 1)
    assert value(registry, "jobs_stored_bytes") == sum(there)
    jobs.sweep()
    assert value(registry, "jobs_stored_bytes") == there[0]
    assert by_state(registry) == {"done": 1, "expired": 1}


def test_a_lease_that_is_lost_is_counted_once_by_who_takes_the_job(
    registry: CollectorRegistry, make_jobs: MakeJobs
) -> None:
    first, second = make_jobs(), make_jobs()
    others = CollectorRegistry()
    JobMetrics(first, registry=others)
    JobMetrics(second, registry=registry)

    def lost() -> sw.Export:
        (record,) = first._records.in_state(JobState.RUNNING)
        if record.attempt == 1:
            first._records.note(record, [JobState.RUNNING], lease=time() - 1)
            second.run(record.id)
            (control,) = first._running
            control.stop(Stop.LOST)
        return sw.Export(orders(3))

    for jobs in (first, second):
        jobs.define("lost")(lost)
    ended = first.run(first.create("lost").id)
    assert ended is not None
    assert (ended.state, ended.attempt) == ("done", 2)
    assert value(registry, "jobs_lost_leases_total") == 1
    assert value(others, "jobs_lost_leases_total") == 0
    assert value(others, "jobs_queued_seconds_count") == 1
    assert value(registry, "jobs_queued_seconds_count") == 0
    assert value(registry, "jobs_running_seconds_count", state="done") == 1
    assert value(others, "jobs_running_seconds_count", state="done") is None


def test_a_job_that_was_lost_too_often_is_a_lost_lease(
    registry: CollectorRegistry, make_jobs: MakeJobs
) -> None:
    jobs = make_jobs(attempts=1)
    JobMetrics(jobs, registry=registry)
    created = jobs.create("orders")
    taken = {"attempt": 1, "started": time(), "lease": time() - 1}
    jobs._records.move(created, JobState.RUNNING, **taken)
    jobs.sweep()
    assert by_state(registry) == {"failed": 1}
    assert value(registry, "jobs_lost_leases_total") == 1


@pytest.mark.parametrize(
    ("stop", "state"), [(Stop.CANCELLED, "cancelled"), (Stop.CLOSING, "queued")]
)
def test_a_run_that_is_stopped_is_counted_by_what_becomes_of_its_job(
    registry: CollectorRegistry, make_jobs: MakeJobs, stop: Stop, state: str
) -> None:
    jobs = make_jobs()
    JobMetrics(jobs, registry=registry)

    def stopping() -> sw.Export:
        (control,) = jobs._running
        if stop is Stop.CANCELLED:
            jobs.cancel(control._record.id)
        control.stop(stop)
        return sw.Export(orders(3))

    jobs.define("stopping")(stopping)
    ended = jobs.run(jobs.create("stopping").id)
    assert ended is not None
    assert ended.state == state
    assert value(registry, "jobs_running_seconds_count", state=state) == 1


def test_jobs_with_one_database_are_counted_once(
    registry: CollectorRegistry, make_jobs: MakeJobs, tmp_path: Path
) -> None:
    same, again = make_jobs(), make_jobs()
    other = sw.Jobs(tmp_path / "other", submit=lambda _: None)
    other.define("orders")(lambda: sw.Export(orders(3)))
    JobMetrics(same, again, other, registry=registry)
    same.create("orders")
    again.create("orders")
    other.create("orders")
    assert by_state(registry) == {"queued": 3}
    other.close()


def test_records_that_cannot_be_asked_leave_the_rest(
    registry: CollectorRegistry,
    make_jobs: MakeJobs,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    jobs = make_jobs()
    JobMetrics(jobs, registry=registry)

    def counts() -> Any:
        raise StateError("another layout")

    monkeypatch.setattr(jobs._records, "counts", counts)
    assert value(registry, "jobs", state="queued") is None
    assert value(registry, "jobs_lost_leases_total") == 0
    assert "cannot be counted" in caplog.text


def test_a_watcher_that_fails_changes_nothing(
    make_jobs: MakeJobs, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = make_jobs()

    def watcher(*_: object) -> None:
        raise Broken

    jobs._records.watch(watcher)
    done = jobs.run(jobs.create("orders").id)
    assert done is not None
    assert done.state is JobState.DONE
    assert "failed" in caplog.text


def test_the_documentation_lists_them_all(
    registry: CollectorRegistry, settings: sw.Settings, make_jobs: MakeJobs
) -> None:
    jobs = make_jobs()
    JobMetrics(jobs, registry=registry)
    jobs.run(jobs.create("orders").id)
    scratch_pool(replace(settings, process_bytes=MIB, host_bytes=MIB))
    told = {
        name: (kind, set(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels in re.findall(
            r"^\| `(streamware_\w+)` \| (\w+) \| ([^|]*)\|", DOC.read_text(), re.MULTILINE
        )
    }
    for refuse in (False, True):
        receipt = sw.Receipt("csv", bytes=1, first_byte_seconds=0.1)
        observer = settings.observers[0]
        observer.opened(receipt)
        observer.first_byte(receipt)
        receipt.outcome = "refused" if refuse else "complete"
        observer.done(receipt)
    there = dict[str, tuple[str, set[str]]]()
    for family in registry.collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        there[name] = family.type, labels
    assert told == there
    assert generate_latest(registry)


def test_no_label_is_somebody_s_data(registry: CollectorRegistry, settings: sw.Settings) -> None:
    def rows() -> Iterator[Any]:
        yield (1,)
        raise Broken("secret")

    wsgi_get(streamed(rows, filename="secret", columns=["secret"], settings=settings))
    assert b"secret" not in generate_latest(registry)


def test_without_prometheus_client_the_extra_is_named() -> None:
    hidden = "import sys; sys.modules['prometheus_client'] = None; import streamware.prometheus"
    done = subprocess.run([sys.executable, "-c", hidden], capture_output=True, check=False)
    expected = "streamware.prometheus needs prometheus_client: pip install 'streamware-exports[prom"
    assert expected in done.stderr.decode()
