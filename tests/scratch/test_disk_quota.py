import asyncio
import errno
import faulthandler
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import streamware as sw
from fakes import PATIENCE
from oracle import storing, tmpfs
from streamware.errors import Refused, ScratchError, StateError
from streamware.scratch.disk_quota import RequestQuota
from streamware.scratch.ledger import Scratch
from streamware.scratch.pool import ScratchPool

MIB = 2**20


def free_room(scratch_pool: ScratchPool, after: int) -> Callable[[int], str | None]:
    """A disk that is full for as many looks."""
    looks = iter(range(after))
    return lambda _: "the disk is full" if next(looks, None) is not None else None


def test_bytes_are_charged_and_given_back(scratch_pool: ScratchPool) -> None:
    quota = RequestQuota(scratch_pool)
    assert quota.take(1000, up_to=1000) == 1000
    assert (quota.bytes, quota.peak, scratch_pool.budget.used) == (1000, 1000, 1000)
    quota.release(1000)
    assert (quota.bytes, quota.peak, scratch_pool.budget.used) == (0, 1000, 0)


def test_what_is_wished_is_granted_where_it_costs_no_wait(scratch_pool: ScratchPool) -> None:
    quota = RequestQuota(scratch_pool)
    assert quota.take(1000, up_to=5000) == 5000
    quota.release(5000)


@pytest.mark.parametrize("bound", ["request_bytes", "process_bytes", "host_bytes"])
def test_of_a_wish_there_is_what_the_last_sixteenth_of_a_bound_leaves(
    root: Path, bound: str
) -> None:
    with storing(root, **{bound: 16 * MIB}) as scratch_pool:
        quota = RequestQuota(scratch_pool)
        assert quota.take(1000, up_to=20 * MIB) == 15 * MIB
        assert quota.take(1000, up_to=5000) == 1000
        left = MIB - 1000
        assert quota.take(left, up_to=left) == left
        with pytest.raises(ScratchError, match=bound) as caught:
            quota.take(1, up_to=1)
        assert caught.value.errno == errno.EFBIG
        assert quota.bytes == scratch_pool.budget.used == 16 * MIB
        quota.release(16 * MIB)


def test_what_others_of_the_host_hold_is_no_room_for_wishes(root: Path) -> None:
    with (
        storing(root, host_bytes=16 * MIB) as scratch_pool,
        storing(root, host_bytes=16 * MIB) as other,
    ):
        other.budget.take(14 * MIB)
        quota = RequestQuota(scratch_pool)
        assert quota.take(1000, up_to=2 * MIB) == MIB
        quota.release(MIB)
        other.budget.release(14 * MIB)


def test_who_holds_all_that_is_in_use_is_not_told_to_come_again(root: Path) -> None:
    with storing(root, process_bytes=3000, wait_seconds=PATIENCE) as scratch_pool:
        quota, began = RequestQuota(scratch_pool), time.monotonic()
        assert quota.take(2000, up_to=2000) == 2000
        with pytest.raises(ScratchError, match=r"2,000 of 3,000 itself, .*process_bytes") as caught:
            quota.take(2000, up_to=9000)
        assert caught.value.errno == errno.EFBIG
        assert time.monotonic() - began < PATIENCE / 2
        assert (quota.bytes, scratch_pool.budget.used) == (2000, 2000)
        quota.release(2000)


def test_who_shares_the_host_with_another_process_is_told_to_come_again(root: Path) -> None:
    with (
        storing(root, host_bytes=4 * MIB) as scratch_pool,
        storing(root, host_bytes=4 * MIB) as other,
    ):
        quota = RequestQuota(scratch_pool)
        quota.take(2 * MIB, up_to=2 * MIB)
        other.budget.take(1)
        with pytest.raises(Refused, match="host_bytes"):
            quota.take(2 * MIB, up_to=2 * MIB)
        other.budget.release(1)
        with pytest.raises(ScratchError, match="host_bytes"):
            quota.take(3 * MIB, up_to=3 * MIB)
        quota.release(2 * MIB)


def test_who_waits_until_the_others_are_gone_is_told_that_it_is_alone(root: Path) -> None:
    with storing(root, process_bytes=5000, wait_seconds=PATIENCE) as scratch_pool:
        quota = RequestQuota(scratch_pool)
        quota.take(3000, up_to=3000)
        scratch_pool.budget.take(1000)
        threading.Timer(0.1, scratch_pool.budget.release, (1000,)).start()
        began = time.monotonic()
        with pytest.raises(ScratchError, match="itself"):
            quota.take(3000, up_to=3000)
        assert 0.05 < time.monotonic() - began < PATIENCE / 2
        quota.release(3000)


def test_what_is_refused_is_not_charged(root: Path) -> None:
    with storing(root, process_bytes=3000) as scratch_pool:
        quota, other = RequestQuota(scratch_pool), RequestQuota(scratch_pool)
        other.take(2000, up_to=2000)
        with pytest.raises(Refused):
            quota.take(2000, up_to=9000)
        assert (quota.bytes, quota.peak, scratch_pool.budget.used) == (0, 0, 2000)
        other.release(2000)


def test_what_can_never_be_had_is_no_matter_of_waiting(root: Path) -> None:
    with storing(root, process_bytes=3000, wait_seconds=PATIENCE) as scratch_pool:
        began = time.monotonic()
        with pytest.raises(ScratchError, match="process_bytes"):
            RequestQuota(scratch_pool).take(4000, up_to=4000)
        assert time.monotonic() - began < PATIENCE / 2


def test_a_wish_that_waits_is_not_in_the_way_of_the_same_request(root: Path) -> None:
    with storing(
        root, process_bytes=5000, request_bytes=4000, wait_seconds=PATIENCE
    ) as scratch_pool:
        quota = RequestQuota(scratch_pool)
        scratch_pool.budget.take(4500)
        waiting = threading.Thread(target=quota.take, args=(1000,), kwargs={"up_to": 4000})
        waiting.start()
        while quota.bytes != 1000:
            pass
        assert quota.take(100, up_to=100) == 100
        scratch_pool.budget.release(4500)
        waiting.join(PATIENCE)
        assert quota.bytes == 1100
        quota.release(1100)


def test_a_thread_waits_until_there_is_room(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with storing(root, wait_seconds=PATIENCE) as scratch_pool:
        monkeypatch.setattr(scratch_pool.directory, "check_room", free_room(scratch_pool, 2))
        quota = RequestQuota(scratch_pool)
        assert quota.take(10, up_to=10) == 10
        quota.release(10)


def test_a_thread_that_waited_long_enough_is_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with storing(root, wait_seconds=0.2) as scratch_pool:
        monkeypatch.setattr(scratch_pool.directory, "check_room", free_room(scratch_pool, 1000))
        quota, began = RequestQuota(scratch_pool), time.monotonic()
        with pytest.raises(Refused, match="the disk is full") as caught:
            quota.take_file()
        assert 0.2 <= time.monotonic() - began < PATIENCE
        assert caught.value.retry_after > 0
        assert quota.files == 0


async def test_the_thread_of_a_loop_never_waits(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with storing(root, wait_seconds=PATIENCE, process_bytes=100) as scratch_pool:
        quota, began = RequestQuota(scratch_pool), time.monotonic()
        scratch_pool.budget.take(100)
        with pytest.raises(Refused):
            quota.take(10, up_to=10)
        monkeypatch.setattr(scratch_pool.directory, "check_room", free_room(scratch_pool, 1000))
        for call in (quota.take_named_file, quota.take_file, lambda: quota.take(10, up_to=20)):
            with pytest.raises(Refused):
                call()
        assert time.monotonic() - began < PATIENCE / 2
        assert (quota.bytes, quota.files) == (0, 0)
        scratch_pool.budget.release(100)


async def test_a_thread_beside_a_loop_waits(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with storing(root, wait_seconds=PATIENCE) as scratch_pool:
        quota = RequestQuota(scratch_pool)
        await asyncio.to_thread(quota.take, 10, up_to=10)
        monkeypatch.setattr(scratch_pool.directory, "check_room", free_room(scratch_pool, 3))
        await asyncio.to_thread(quota.take_file)
        quota.release_file()
        quota.release(10)


def test_a_file_that_cannot_be_opened_is_not_counted(
    scratch_pool: ScratchPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing() -> int:
        raise ScratchError(errno.EMFILE, "no descriptor")

    monkeypatch.setattr(scratch_pool.directory, "open_unnamed", failing)
    quota = RequestQuota(scratch_pool)
    with quota.open_spool() as spool, pytest.raises(ScratchError):
        spool.fileno()
    assert (quota.files, scratch_pool.files) == (0, 0)


def test_open_spools_and_names_are_bounded_together(root: Path) -> None:
    with storing(root, request_files=3) as scratch_pool:
        quota = RequestQuota(scratch_pool)
        spools = [quota.open_spool(), quota.open_spool()]
        quota.take_named_file()
        for call in (quota.open_spool, quota.take_named_file):
            with pytest.raises(
                ScratchError, match=r"3 scratch files, .*Settings\.request_files \("
            ):
                call()
        spools[0].fileno()
        spools[0].close()
        quota.take_named_file()
        for _ in range(2):
            quota.release_named_file()
        spools[1].close()
        assert (quota.files, len(quota.spools), scratch_pool.files) == (0, 0, 0)


def test_memory_does_not_grow_with_the_number_of_spools(root: Path) -> None:
    with storing(root) as scratch_pool:
        quota = RequestQuota(scratch_pool)
        spools = [quota.open_spool() for _ in range(20)]
        for spool in spools:
            spool.write(b"x")
        assert [spool.on_disk for spool in spools] == [False] * 16 + [True] * 4
        for spool in spools:
            spool.close()
        assert not quota.spools


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_spool_in_memory_is_not_moved_to_disk_for_its_parent_by_a_child(
    scratch_pool: ScratchPool,
) -> None:
    quota = RequestQuota(scratch_pool)
    spool = quota.open_spool()
    spool.write(b"x")
    with quota._lock:
        child = os.fork()
        if not child:
            faulthandler.dump_traceback_later(PATIENCE, exit=True)
            try:
                spool.write(bytes(5000))
            except StateError:
                os._exit(0 if quota.files == 0 else 2)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert spool.write(bytes(5000)) == 5000
    spool.close()


def test_a_full_disk_is_refused_with_what_is_free(tmp_path: Path) -> None:
    with tmpfs(tmp_path, "size=1m") as root, storing(root, keep_free_bytes=2**19) as scratch_pool:
        quota = RequestQuota(scratch_pool)
        quota.take(2**18, up_to=2**18)
        quota.release(2**18)
        with pytest.raises(
            Refused, match=r"524,288 are kept free by Settings\.keep_free_bytes \(STREAM"
        ):
            quota.take(2**19 + 1, up_to=2**20)
        assert quota.bytes == 0


# What one export holds


@pytest.fixture
def spacious(root: Path) -> Iterator[Scratch]:
    with storing(root, spool_memory=1000) as scratch_pool:
        made = Scratch(scratch_pool)
        yield made
        made.close()


def test_an_export_without_a_bound_is_as_its_ledger(spacious: Scratch) -> None:
    quota = spacious.export_quota(sw.Limits())
    spool = quota.spool()
    assert (spool.write(bytes(3 * MIB)), quota.bytes) == (3 * MIB, spacious.usage.bytes)
    assert quota.settings is spacious.settings


def test_what_is_in_memory_is_not_counted(spacious: Scratch) -> None:
    quota = spacious.export_quota(sw.Limits(scratch_bytes=0))
    assert quota.spool().write(bytes(1000)) == 1000
    assert quota.bytes == 0


def test_all_spools_of_an_export_hold_no_more_than_its_bound(spacious: Scratch) -> None:
    quota = spacious.export_quota(sw.Limits(scratch_bytes=3 * MIB))
    quota.spool().write(bytes(2 * MIB))
    with pytest.raises(sw.LimitError, match=r"scratch bytes of the export: .* limit of 3,145,728"):
        quota.spool().write(bytes(2 * MIB))
    assert quota.bytes == spacious.usage.bytes == 2 * MIB


def test_an_export_knows_the_most_that_it_held(spacious: Scratch) -> None:
    quota = spacious.export_quota(sw.Limits(scratch_bytes=3 * MIB))
    with quota.spool() as spool:
        spool.write(bytes(2 * MIB))
        with pytest.raises(sw.LimitError):
            quota.spool().write(bytes(2 * MIB))
    assert (quota.bytes, quota.peak) == (0, 2 * MIB)


def test_no_more_than_the_bound_is_reserved_ahead(spacious: Scratch) -> None:
    quota = spacious.export_quota(sw.Limits(scratch_bytes=5000))
    quota.spool().write(bytes(2000))
    assert 2000 <= quota.bytes == spacious.usage.bytes <= 5000


def test_the_last_of_the_bound_is_not_reserved_ahead(spacious: Scratch) -> None:
    quota = spacious.export_quota(sw.Limits(scratch_bytes=16_000))
    spool = quota.spool()
    spool.write(bytes(2000))
    assert quota.bytes == spacious.usage.bytes == 15_000
    spool.write(bytes(13_500))
    assert quota.bytes == spacious.usage.bytes == 15_500


def test_what_is_closed_is_free_again(spacious: Scratch) -> None:
    quota = spacious.export_quota(sw.Limits(scratch_bytes=MIB))
    for _ in range(3):
        with quota.spool() as spool:
            spool.write(bytes(MIB))
    assert (quota.bytes, spacious.usage.bytes, spacious.usage.files) == (0, 0, 0)


def test_what_the_request_does_not_allow_is_not_counted(root: Path) -> None:
    with storing(root, spool_memory=0, request_bytes=MIB) as scratch_pool:
        scratch = Scratch(scratch_pool)
        quota = scratch.export_quota(sw.Limits(scratch_bytes=2 * MIB))
        with pytest.raises(sw.ScratchError, match="request_bytes"):
            quota.spool().write(bytes(2 * MIB))
        assert quota.bytes == 0
        scratch.close()


def test_exports_do_not_count_for_each_other(spacious: Scratch) -> None:
    first = spacious.export_quota(sw.Limits(scratch_bytes=MIB))
    second = first.other(sw.Limits(scratch_bytes=2 * MIB))
    first.spool().write(bytes(MIB))
    second.spool().write(bytes(2 * MIB))
    spacious.spool().write(bytes(MIB))
    assert (first.bytes, second.bytes) == (MIB, 2 * MIB)


def test_the_giver_of_a_ring_waits_at_the_bound(spacious: Scratch) -> None:
    ring = spacious.export_quota(sw.Limits(scratch_bytes=MIB)).ring()
    assert ring.put(bytes(1000))
    assert not ring.put(bytes(1000))
    assert ring.get() == bytes(1000)
    assert ring.put(bytes(1000))


def test_a_ring_uses_what_the_bound_allows(spacious: Scratch) -> None:
    quota = spacious.export_quota(sw.Limits(scratch_bytes=8 * MIB))
    ring = quota.ring()
    put = 0
    while ring.put(bytes(65_536)):
        put += 65_536
    assert 8 * MIB <= put <= 8 * MIB + 65_536
    assert quota.bytes == 8 * MIB
    ring.close()
    assert quota.bytes == 0


def test_its_spools_are_closed_with_the_ledger(spacious: Scratch) -> None:
    quota = spacious.export_quota(sw.Limits())
    spool = quota.spool()
    spool.write(bytes(MIB))
    spacious.close()
    assert (spool.closed, quota.bytes) == (True, 0)
