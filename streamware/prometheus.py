"""Prometheus: exports, rows and scratch as metrics.

`docs/metrics.md` lists them.  Needs prometheus_client, which the extra `prometheus` installs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from streamware.receipt import Receipt
from streamware.scratch.pool import ScratchPool, scratch_pools

_SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000)
_BYTES = (0, *(2**exponent for exponent in range(20, 38, 2)))  # 1 MiB to 64 GiB
_OF_ONE = ("format", "mode")
_SIGNALS = {
    "orphans_reaped": "Directories of killed processes that were removed",
    "orphan_bytes": "Bytes that were in them",
    "cleanup_failures": "Scratch that could not be closed or removed",
    "leaked_ledgers": "Requests whose scratch only the garbage collector has closed",
}


class Metrics:
    """An `Observer` that counts; what is on disk is looked at when Prometheus asks.

    One is enough for a process.  Under prometheus_client's multiprocess mode the metrics of
    scratch are missing: those are read from the process that is asked.

    Args:
        registry: Where they are registered; by default prometheus_client's own.

    Raises:
        ValueError: The registry has them already.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or REGISTRY
        self._active = Gauge(
            "streamware_exports_active",
            "Exports under way or waiting",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self._ended = _counter(
            registry, "exports", "Exports that have ended", (*_OF_ONE, "outcome")
        )
        self._refused = _counter(registry, "refused", "Exports not begun, by setting", ["reason"])
        self._rows = _counter(registry, "rows", "Rows written", ["format"])
        self._bytes = _counter(registry, "body_bytes", "Bytes handed out", ["format"])
        self._waited = Histogram(
            "streamware_admission_wait_seconds",
            "Until it was an export's turn, or it was refused",
            buckets=_SECONDS,
            registry=registry,
        )
        self._first = _histogram(
            registry, "first_byte_seconds", "From opening rows to the first byte", _SECONDS
        )
        self._seconds = _histogram(
            registry, "duration_seconds", "From opening rows to the end", _SECONDS
        )
        self._peak = _histogram(
            registry, "scratch_peak_bytes", "The most that an export held on disk", _BYTES
        )
        self._counted: dict[str, tuple[int, int]] = {}  # rows and bytes, by the receipt's id
        registry.register(_Scratch())

    def opened(self, receipt: Receipt) -> None:
        """One more."""
        self._active.inc()

    def first_byte(self, receipt: Receipt) -> None:
        """How long it took."""
        if receipt.first_byte_seconds is not None:
            self._first.labels(*_labels(receipt)).observe(receipt.first_byte_seconds)

    def progress(self, receipt: Receipt) -> None:
        """What came since the last time."""
        rows, size = self._counted.get(receipt.id, (0, 0))
        self._counted[receipt.id] = receipt.rows, receipt.bytes
        self._rows.labels(receipt.format).inc(receipt.rows - rows)
        self._bytes.labels(receipt.format).inc(receipt.bytes - size)

    def done(self, receipt: Receipt) -> None:
        """One less, and how it ended."""
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


class _Scratch:
    """What the storages of this process hold, asked for it."""

    def describe(self) -> list[Metric]:
        """Nothing is looked at to register it."""
        return []

    def collect(self) -> Iterator[Metric]:
        """One sum over all storages, and the least that is free anywhere."""
        there = scratch_pools()
        yield _gauge("bytes", "Bytes on disk", sum(each.budget.used for each in there))
        yield _gauge("files", "Files on disk", sum(each.files for each in there))
        yield _budgets(there)
        rooms = list(_rooms(there))
        if rooms:
            size, inodes = (min(free) for free in zip(*rooms, strict=True))
            yield _gauge("free_bytes", "Bytes free in the scratch directory", size)
            yield _gauge("free_inodes", "Inodes free in the scratch directory", inodes)
        for name, help_ in _SIGNALS.items():
            total = sum(each.signals[name] for each in there)
            yield CounterMetricFamily(f"streamware_{name}", help_, value=total)


def _budgets(there: Sequence[ScratchPool]) -> Metric:
    family = GaugeMetricFamily(
        "streamware_scratch_budget_bytes", "Bytes that may be on disk", labels=["setting"]
    )
    for setting in ("process_bytes", "host_bytes"):
        bounds = [getattr(each.settings, setting) for each in there]
        if given := [bound for bound in bounds if bound is not None]:
            family.add_metric([setting], sum(given))
    return family


def _rooms(there: Sequence[ScratchPool]) -> Iterator[tuple[int, int]]:
    """Free bytes and inodes of each, as far as the system tells."""
    for path in {each.directory.path for each in there}:
        with suppress(OSError, AttributeError):
            room = os.statvfs(path)
            yield room.f_bavail * (room.f_frsize or room.f_bsize), room.f_favail


def _labels(receipt: Receipt) -> tuple[str, str]:
    return receipt.format, receipt.delivery or "none"


def _counter(registry: CollectorRegistry, name: str, help_: str, labels: Sequence[str]) -> Counter:
    return Counter(f"streamware_{name}", help_, labels, registry=registry)


def _histogram(
    registry: CollectorRegistry, name: str, help_: str, buckets: Sequence[float]
) -> Histogram:
    full = f"streamware_{name}"
    return Histogram(full, help_, _OF_ONE, buckets=buckets, registry=registry)


def _gauge(name: str, help_: str, value: float) -> Metric:
    return GaugeMetricFamily(f"streamware_scratch_{name}", help_, value=value)
