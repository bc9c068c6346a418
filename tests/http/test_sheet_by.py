"""Several sheets from one pass as a download: every delivery, both twins, and what is left."""

import hashlib
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import oracle
import streamware as sw
from fakes import PATIENCE, Broken, Get, Rows
from readers import calamine_rows, zip_parts, zip_rules
from streamware.scratch.pool import ScratchPool, _pools, scratch_pool

REGIONS = ("north", "south", "east", "west")
COUNT = 40_000  # rows: about 1.5 MB, compressed
DELIVERIES = ("stream", "buffer", "spool")


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[sw.Settings]:
    folder = tmp_path / "scratch"
    folder.mkdir(mode=0o700)
    yield sw.Settings(scratch_dir=folder, spool_memory=1000, keep_free_bytes=0, wait_seconds=0)
    for made in list(_pools.values()):
        if made.settings.scratch_dir == str(folder):
            assert (made.files, made.budget.used) == (0, 0)
            oracle.close(made)
    assert list(folder.iterdir()) == []


@pytest.fixture
def receipts() -> list[sw.Receipt]:
    return []


def sales(count: int = COUNT) -> Iterator[tuple[str, int, str]]:
    chosen = random.Random(1)
    for at in range(count):
        yield chosen.choice(REGIONS), at, chosen.randbytes(20).hex()


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def at_rest(scratch_pool: ScratchPool) -> bool:
    return not scratch_pool.files and not scratch_pool.budget.used


@pytest.mark.slow
@pytest.mark.parametrize("delivery", DELIVERIES)
def test_the_workbook_is_the_same_however_it_is_sent(
    get: Get, delivery: Any, settings: sw.Settings, receipts: list[sw.Receipt]
) -> None:
    rows = Rows(sales())
    export = sw.Export(
        rows,
        format="xlsx",
        sheet_by=0,
        delivery=delivery,
        settings=settings,
        on_done=receipts.append,
    )
    reply = get(export)
    assert (reply.status, reply.complete, reply.error) == (200, True, None)
    zip_rules(reply.body)
    assert rows.closed == 1
    for region in REGIONS:
        expected = [list(row) for row in sales() if row[0] == region]
        assert calamine_rows(reply.body, region) == expected
    [receipt] = receipts
    assert (receipt.outcome, receipt.rows) == ("complete", COUNT)
    assert receipt.sha256 == hashlib.sha256(reply.body).hexdigest()


def test_tagged_rows_are_a_download_too(get: Get, settings: sw.Settings) -> None:
    rows = (sw.Tagged(region, (at, text)) for region, at, text in sales(1000))
    reply = get(sw.Export(rows, format="xlsx", settings=settings))
    assert len(calamine_rows(reply.body, "south")) > 200


def test_formats_of_one_sheet_are_not_offered(get: Get, settings: sw.Settings) -> None:
    export = sw.Export(lambda: sales(10), sheet_by=0, settings=settings)
    assert "workbook.xml" in str(list(zip_parts(get(export).body)))
    assert get(export, query="format=csv").status == 406
    with pytest.raises(ValueError, match=r"\(csv, xml\) can hold several sheets from one"):
        sw.Export([], sheet_by=0, formats=["csv", "xml"])
    with pytest.raises(ValueError, match="can hold several sheets from one pass"):
        sw.Export([sw.Tagged("a", (1,))], format="csv")
    with pytest.raises(TypeError, match="key"):
        sw.Export([], sheet_by=1.5)  # type: ignore[arg-type]  # what is tested


def test_an_entry_of_a_bundle_may_have_several_sheets(get: Get, settings: sw.Settings) -> None:
    pytest.importorskip("zipstream")
    export = sw.Export(lambda: sales(5000), sheet_by=0, format="xlsx")
    reply = get(sw.Bundle([("a.xlsx", export), ("b.xlsx", export)], settings=settings))
    parts = zip_parts(reply.body)
    assert parts["a.xlsx"] == parts["b.xlsx"]
    assert len(calamine_rows(parts["b.xlsx"], "east")) > 1000


@pytest.mark.parametrize("delivery", DELIVERIES)
@pytest.mark.parametrize("chunks", [0, 1, 5])
def test_a_client_that_leaves_leaves_nothing(
    get: Get, delivery: Any, chunks: int, settings: sw.Settings, receipts: list[sw.Receipt]
) -> None:
    rows = Rows(sales())
    export = sw.Export(
        rows,
        format="xlsx",
        sheet_by=0,
        delivery=delivery,
        settings=settings,
        on_done=receipts.append,
    )
    get(export, leave_after=chunks)
    until(lambda: receipts)
    assert receipts[0].outcome == "client gone"
    assert rows.closed == 1
    until(lambda: at_rest(scratch_pool(settings)))


def test_a_client_that_leaves_while_sheets_are_copied_leaves_nothing(
    get: Get, settings: sw.Settings, receipts: list[sw.Receipt]
) -> None:
    export = sw.Export(sales, format="xlsx", sheet_by=0, settings=settings, on_done=receipts.append)
    chunks = len(get(export).chunks)
    get(export, leave_after=chunks - 4)
    until(lambda: len(receipts) == 2)
    assert receipts[1].outcome == "client gone"
    assert receipts[1].rows == COUNT
    until(lambda: at_rest(scratch_pool(settings)))


@pytest.mark.parametrize("delivery", DELIVERIES)
def test_rows_that_fail_break_the_transfer_and_leave_nothing(
    get: Get, delivery: Any, settings: sw.Settings
) -> None:
    def broken() -> Iterator[Any]:
        yield from sales()
        raise Broken

    export = sw.Export(broken, format="xlsx", sheet_by=0, delivery=delivery, settings=settings)
    reply = get(export)
    assert isinstance(reply.error, Broken)
    assert not reply.complete
    assert at_rest(scratch_pool(settings))


@pytest.mark.parametrize("delivery", DELIVERIES)
def test_a_full_disk_breaks_it_and_leaves_nothing(
    get: Get, delivery: Any, tmp_path: Path, receipts: list[sw.Receipt]
) -> None:
    with oracle.tmpfs(tmp_path, "size=512k") as root:
        settings = sw.Settings(
            scratch_dir=root, spool_memory=1000, keep_free_bytes=0, wait_seconds=0
        )
        export = sw.Export(
            sales,
            format="xlsx",
            sheet_by=0,
            delivery=delivery,
            settings=settings,
            on_done=receipts.append,
        )
        reply = get(export)
        assert not calamine_or_none(reply.body)
        assert (reply.status == 503) or isinstance(reply.error, sw.ScratchError | sw.Refused)
        assert [receipt.outcome for receipt in receipts] == ["no space"]
        assert at_rest(scratch_pool(settings))
        oracle.close(scratch_pool(settings))


@pytest.mark.parametrize("delivery", DELIVERIES)
@pytest.mark.parametrize(
    "bound", [{"request_bytes": 300_000}, {"process_bytes": 300_000}, {"request_files": 2}]
)
def test_the_bounds_of_scratch_hold(
    get: Get, delivery: Any, bound: Any, settings: sw.Settings, receipts: list[sw.Receipt]
) -> None:
    export = sw.Export(
        sales,
        format="xlsx",
        sheet_by=0,
        delivery=delivery,
        settings=replace(settings, **bound),
        on_done=receipts.append,
    )
    reply = get(export)
    assert not calamine_or_none(reply.body)
    assert (reply.status or 503) == 503 or isinstance(reply.error, sw.ScratchError | sw.Refused)
    assert [receipt.outcome for receipt in receipts] == ["no space"]
    assert at_rest(scratch_pool(replace(settings, **bound)))


def test_the_export_s_own_limit_of_scratch_holds(
    get: Get, settings: sw.Settings, receipts: list[sw.Receipt]
) -> None:
    export = sw.Export(
        sales,
        format="xlsx",
        sheet_by=0,
        delivery="spool",
        limits=sw.Limits(scratch_bytes=300_000),
        settings=settings,
        on_done=receipts.append,
    )
    reply = get(export)
    assert (reply.status, reply.error) == (413, None)
    assert [receipt.outcome for receipt in receipts] == ["limit"]
    assert at_rest(scratch_pool(settings))


def test_head_opens_nothing(get: Get, settings: sw.Settings) -> None:
    rows = Rows(sales())
    reply = get(sw.Export(rows, format="xlsx", sheet_by=0, settings=settings), method="HEAD")
    assert (reply.status, reply.body, rows.pulled, rows.closed) == (200, b"", 0, 1)


def test_the_first_chunk_comes_before_a_thousand_rows(get: Get, settings: sw.Settings) -> None:
    rows = Rows(sales(10**6))
    get(sw.Export(rows, format="xlsx", sheet_by=0, settings=settings), leave_after=1)
    assert rows.pulled < 1000


def calamine_or_none(body: bytes) -> Any:
    """The rows of a workbook that is whole."""
    return calamine_rows(body) if body.rfind(b"PK\5\6") > 0 else None
