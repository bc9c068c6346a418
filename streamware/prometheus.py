"""Metrics for Prometheus: exports, rows, scratch files and jobs.

`docs/metrics.md` lists them.  This module needs prometheus_client, which the extra `prometheus`
installs.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from time import time
from typing import TYPE_CHECKING

try:
    from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        "streamware.prometheus needs prometheus_client:"
        " pip install 'streamware-exports[prometheus]'",
        name=missing.name,
    ) from missing

from streamware.jobs.jobs import Jobs
from streamware.jobs.record import JobState, Record
from streamware.receipt import Receipt
from streamware.scratch.pool import scratch_pools

if TYPE_CHECKING:
    from streamware.jobs.records import Count, Records

logger = logging.getLogger("streamware")

_SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000)
_BYTES = (0, *(2**exponent for exponent in range(20, 38, 2)))  # 1 MiB to 64 GiB
_LABELS = ("format", "mode")  # of a metric of exports
_SIGNALS = {  # what is counted for scratch that was not released in the usual way
    "orphans_reaped": "Directories of killed processes that were removed",
    "orphan_bytes": "Bytes that these directories held",
    "cleanup_failures": "Scratch that could not be closed or removed",
    "leaked_ledgers": "Requests whose scratch was closed by the garbage collector",
}


class Metrics:
    """An `Observer` that counts exports, and measures scratch files when Prometheus asks.

    One is enough for a process.  In prometheus_client's multiprocess mode the metrics of scratch
    files are missing, as they are measured in the process that is asked.

    Args:
        registry: Where the metrics are registered; by default prometheus_client's own.

    Raises:
        ValueError: The registry has these metrics already.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or REGISTRY
        # Exports that are under way
        self._active = Gauge(
            "streamware_exports_active",
            "Exports running or waiting",
            multiprocess_mode="livesum",
            registry=registry,
        )
        # Those that were opened and have ended, by outcome
        self._ended = _counter(
            registry, "exports", "Exports that have ended", (*_LABELS, "outcome")
        )
        # Those that were never opened
        self._refused = _counter(registry, "refused", "Exports refused, by setting", ["reason"])
        # Rows that they wrote; added while they run
        self._rows = _counter(registry, "rows", "Rows written", ["format"])
        # Bytes, in the same way
        self._bytes = _counter(registry, "body_bytes", "Bytes sent", ["format"])
        # What a client waits for a slot
        self._waited = Histogram(
            "streamware_admission_wait_seconds",
            "From the request until the export was admitted or refused",
            buckets=_SECONDS,
            registry=registry,
        )
        # What it waits for data after that
        self._first = _histogram(
            registry, "first_byte_seconds", "From opening rows to the first byte", _SECONDS
        )
        # How long the rows are open
        self._seconds = _histogram(
            registry, "duration_seconds", "From opening rows to the end", _SECONDS
        )
        # The scratch of one export at its peak
        self._peak = _histogram(
            registry, "scratch_peak_bytes", "Most bytes that an export held on disk", _BYTES
        )
        self._counted: dict[str, tuple[int, int]] = {}  # rows and bytes added, by Receipt.id
        registry.register(_ScratchCollector())

    def opened(self, receipt: Receipt) -> None:
        """Count an export as active."""
        self._active.inc()

    def first_byte(self, receipt: Receipt) -> None:
        """Observe the time to the first byte."""
        if receipt.first_byte_seconds is not None:
            self._first.labels(*_labels(receipt)).observe(receipt.first_byte_seconds)

    def progress(self, receipt: Receipt) -> None:
        """Add the rows and bytes since the last call."""
        rows, size = self._counted.get(receipt.id, (0, 0))
        self._counted[receipt.id] = receipt.rows, receipt.bytes
        self._rows.labels(receipt.format).inc(receipt.rows - rows)
        self._bytes.labels(receipt.format).inc(receipt.bytes - size)

    def done(self, receipt: Receipt) -> None:
        """Count the end of an export, by its outcome."""
        self.progress(receipt)
        del self._counted[receipt.id]
        self._active.dec()
        self._ended.labels(*_labels(receipt), receipt.outcome.replace(" ", "_")).inc()
        self._waited.observe(receipt.waited_seconds)
        if receipt.outcome == "refused":
            reason = (receipt.problem or "other").removeprefix("Settings.")
            self._refused.labels(reason).inc()
        else:
            self._seconds.labels(*_labels(receipt)).observe(receipt.seconds)
            self._peak.labels(*_labels(receipt)).observe(receipt.scratch_peak_bytes)


class JobMetrics:
    """Counts the jobs that this process runs, and asks for the states of all when Prometheus does.

    A scrape is one query of the database.  If that fails, the log says so and the metrics that are
    read from it are missing; they are missing in prometheus_client's multiprocess mode, too.

    Args:
        *jobs: The jobs of the application.  Those with the same database are counted once.
        registry: Where the metrics are registered; by default prometheus_client's own.

    Raises:
        ValueError: The registry has these metrics already.
    """

    def __init__(self, *jobs: Jobs, registry: CollectorRegistry | None = None) -> None:
        registry = registry or REGISTRY
        # What a person waits before their job is begun
        self._queued = Histogram(
            "streamware_jobs_queued_seconds",
            "From the creation of a job until it is taken for the first time",
            buckets=_SECONDS,
            registry=registry,
        )
        # How long workers are busy with one, by how it went
        self._ran = Histogram(
            "streamware_jobs_running_seconds",
            "From the taking of a job until it has ended or is given back",
            ["state"],
            buckets=_SECONDS,
            registry=registry,
        )
        # Workers that were not heard of in time
        self._lost = _counter(
            registry, "jobs_lost_leases", "Jobs taken from a worker whose lease was over"
        )
        all_records = [each._records for each in jobs]  # noqa: SLF001 - private to users, not to us
        for records in all_records:
            records.watch(self._moved)
        registry.register(_JobCollector(all_records))

    def _moved(self, record: Record, to: JobState, lost: bool) -> None:
        """Count a change of state that this process has made."""
        if lost:  # it is not known how long its worker was busy with it
            self._lost.inc()
        elif to is JobState.RUNNING:
            if record.attempt == 0:
                self._queued.observe(max(0.0, time() - record.created))
        elif record.started is not None and _has_run(record.state, to):
            self._ran.labels(to.value).observe(max(0.0, time() - record.started))


def _has_run(state: JobState, to: JobState) -> bool:
    """Return whether a run is over by a change from one state to another."""
    return state in (JobState.RUNNING, JobState.CANCELLING) and to is not JobState.CANCELLING


class _JobCollector:
    """A collector of what databases of records say.

    Args:
        records: The databases, any of them several times.
    """

    def __init__(self, records: Iterable[Records]) -> None:
        self._records = list(records)

    def describe(self) -> list[Metric]:
        """Return nothing, so that registration asks nothing."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield sums over all databases; nothing if one cannot be asked."""
        try:
            found = {records.space: records.counts() for records in self._records}
        except Exception as error:  # noqa: BLE001 - of any driver; the other metrics are wanted still
            logger.warning("the records of jobs cannot be counted: %r", error)
            return
        counts = list(found.values())
        jobs = GaugeMetricFamily("streamware_jobs", "Jobs by state", labels=["state"])
        for state in JobState:
            jobs.add_metric([state.value], sum(each.jobs for each in _in(state, counts)))
        yield jobs
        yield GaugeMetricFamily(
            "streamware_jobs_stored_bytes",
            "Bytes of files that are kept for jobs",
            value=sum(each.stored for count in counts for each in count.values()),
        )
        waiting = [each.since for each in _in(JobState.QUEUED, counts)]
        yield GaugeMetricFamily(
            "streamware_jobs_oldest_queued_seconds",
            "Since the creation of the job that waits for the longest time",
            value=max(0.0, time() - min(waiting)) if waiting else 0.0,
        )


def _in(state: JobState, counts: Iterable[Mapping[JobState, Count]]) -> list[Count]:
    return [each[state] for each in counts if state in each]


class _ScratchCollector:
    """A collector of what the scratch pools of this process hold."""

    def describe(self) -> list[Metric]:
        """Return nothing, so that registration measures nothing."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield sums over all pools, and the least free space of their directories."""
        pools = scratch_pools()
        yield _gauge("bytes", "Bytes on disk", sum(pool.budget.used for pool in pools))
        yield _gauge("files", "Files on disk", sum(pool.files for pool in pools))
        budgets = GaugeMetricFamily(
            "streamware_scratch_budget_bytes", "Bytes that may be on disk", labels=["setting"]
        )
        for setting in ("process_bytes", "host_bytes"):
            bounds = [getattr(pool.settings, setting) for pool in pools]
            if given := [bound for bound in bounds if bound is not None]:
                budgets.add_metric([setting], sum(given))
        yield budgets
        free = []
        for path in {pool.directory.path for pool in pools}:
            with suppress(OSError, AttributeError):  # the system does not report it
                room = os.statvfs(path)
                free.append((room.f_bavail * (room.f_frsize or room.f_bsize), room.f_favail))
        if free:
            size, inodes = map(min, zip(*free, strict=True))
            yield _gauge("free_bytes", "Bytes free in the scratch directory", size)
            yield _gauge("free_inodes", "Inodes free in the scratch directory", inodes)
        for name, help_ in _SIGNALS.items():
            total = sum(pool.signals[name] for pool in pools)
            yield CounterMetricFamily(f"streamware_{name}", help_, value=total)


def _labels(receipt: Receipt) -> tuple[str, str]:
    return receipt.format, receipt.delivery or "none"


def _counter(
    registry: CollectorRegistry, name: str, help_: str, labels: Sequence[str] = ()
) -> Counter:
    return Counter(f"streamware_{name}", help_, labels, registry=registry)


def _histogram(
    registry: CollectorRegistry, name: str, help_: str, buckets: Sequence[float]
) -> Histogram:
    full = f"streamware_{name}"
    return Histogram(full, help_, _LABELS, buckets=buckets, registry=registry)


def _gauge(name: str, help_: str, value: float) -> Metric:
    return GaugeMetricFamily(f"streamware_scratch_{name}", help_, value=value)
