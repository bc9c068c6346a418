"""The metrics: what they count, and that the documentation lists them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

import oracle
import streamware as sw
from fakes import Broken, Get, asgi_get, failing, orders, wsgi_get
from streamware.prometheus import Metrics
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


def test_the_documentation_lists_them_all(
    registry: CollectorRegistry, settings: sw.Settings
) -> None:
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
