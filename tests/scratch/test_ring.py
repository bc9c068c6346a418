"""A queue of bytes that is in memory first, and then on disk."""

import os
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from shutil import disk_usage

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamware as sw
from oracle import storing
from streamware.scratch.ledger import Scratch
from streamware.scratch.pool import ScratchPool
from streamware.scratch.ring import SEGMENT, Ring
from streamware.scratch.spool import Spool

CHUNK = bytes(range(256)) * 256


def drained(ring: Ring) -> bytes:
    return b"".join(iter(ring.get, b""))


def fill(ring: Ring) -> None:
    while ring.put(CHUNK):
        pass


def test_a_little_stays_in_memory(scratch: Scratch) -> None:
    ring = Ring(scratch.spool, memory=10)
    assert [ring.put(b"12345"), ring.put(b"67890")] == [True, True]
    assert not ring.on_disk
    assert (ring.size, drained(ring), ring.size) == (10, b"1234567890", 0)


def test_one_chunk_is_always_kept_however_large(scratch: Scratch) -> None:
    ring = Ring(scratch.spool, memory=0)
    assert ring.keeps(CHUNK)
    assert ring.put(CHUNK)
    assert not ring.keeps(b"x")
    assert drained(ring) == CHUNK


def test_more_goes_to_disk_and_comes_back_in_order(scratch: Scratch) -> None:
    ring = scratch.ring()
    chunks = [bytes([at]) * 100_000 for at in range(200)]
    assert all(ring.put(chunk) for chunk in chunks)
    assert ring.on_disk
    assert scratch.usage.bytes >= 18_000_000
    assert drained(ring) == b"".join(chunks)
    assert not ring.on_disk
    assert (scratch.usage.bytes, scratch.usage.files) == (0, 0)


def test_the_space_behind_the_taker_is_given_back(scratch: Scratch) -> None:
    ring = Ring(scratch.spool, memory=0)
    held = deque[int]()
    for _ in range(400):
        assert ring.put(CHUNK)
    for _ in range(400):
        assert ring.get()
        held.append(scratch.usage.bytes - ring.size)
    assert max(held) <= 2 * SEGMENT
    assert scratch.usage.bytes == 0


def test_without_room_it_says_so_and_loses_nothing(root: Path) -> None:
    with storing(root, request_bytes=2 * SEGMENT, spool_memory=0) as scratch_pool:
        scratch = Scratch(scratch_pool)
        ring = scratch.ring()
        taken = 0
        while ring.put(CHUNK):
            taken += 1
        assert taken == 2 * SEGMENT // len(CHUNK) + 1
        for _ in range(70):
            assert ring.get()
        assert ring.put(b"goes on")
        assert drained(ring).endswith(CHUNK[-100:] + b"goes on")
        scratch.close()


@pytest.mark.parametrize("limit", ["process_bytes", "host_bytes", "keep_free_bytes", "files"])
def test_it_never_waits_for_room(root: Path, limit: str) -> None:
    bounds = {
        "process_bytes": {"process_bytes": SEGMENT - 1},
        "host_bytes": {"host_bytes": SEGMENT - 1},
        "keep_free_bytes": {"keep_free_bytes": disk_usage(root).total},
        "files": {"request_files": 1},
    }[limit]
    with storing(root, wait_seconds=60.0, spool_memory=0, **bounds) as scratch_pool:
        scratch = Scratch(scratch_pool)
        ring = scratch.ring()
        answers = [ring.put(CHUNK) for _ in range(100)]
        assert answers[0]
        assert not answers[-1]
        scratch.close()


def test_reads_between_the_writes_leave_it_its_segment(scratch: Scratch) -> None:
    ring = Ring(scratch.spool, memory=0)
    ring.put(CHUNK)
    for _ in range(20):
        assert ring.put(CHUNK)
        assert ring.get()
        assert scratch.usage.bytes == SEGMENT
    ring.close()


def test_a_disk_that_fails_is_an_error_and_no_wait(
    scratch_pool: ScratchPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = Scratch(scratch_pool)
    ring = Ring(scratch.spool, memory=0)
    assert ring.put(CHUNK)

    def reserve(spool: Spool, size: int) -> None:
        raise sw.ScratchError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(Spool, "reserve", reserve)
        with pytest.raises(sw.ScratchError, match="Input/output"):
            ring.put(CHUNK)
    assert ring.put(CHUNK)
    scratch.close()


def test_after_the_end_of_the_request_nothing_is_opened(scratch_pool: ScratchPool) -> None:
    scratch = Scratch(scratch_pool)
    ring = scratch.ring()
    scratch.close()
    assert ring.put(CHUNK)
    with pytest.raises(sw.StateError, match="over"):
        fill(ring)
    with pytest.raises(sw.StateError, match="over"):
        scratch.ring()


def test_what_is_closed_drops_everything_and_takes_anything(scratch: Scratch) -> None:
    ring = Ring(scratch.spool, memory=0)
    for _ in range(100):
        assert ring.put(CHUNK)
    ring.close()
    ring.close()
    assert (scratch.usage.bytes, ring.size, ring.on_disk) == (0, 0, False)
    assert ring.put(CHUNK)
    assert ring.get() == b""


def test_a_reservation_that_fails_leaves_the_spool_good(root: Path) -> None:
    with storing(root, request_bytes=1_000_000) as scratch_pool:
        scratch = Scratch(scratch_pool)
        spool = scratch.spool()
        spool.write(b"before")
        with pytest.raises(sw.ScratchError, match="request_bytes"):
            spool.reserve(1_000_001)
        spool.write(b" and after")
        spool.reserve(500_000)
        assert os.fstat(spool.fileno()).st_size == 16
        spool.seek(0)
        assert spool.read() == b"before and after"
        scratch.close()


@given(
    steps=st.lists(st.one_of(st.just(None), st.binary(max_size=300)), max_size=60),
    memory=st.integers(0, 500),
)
def test_it_is_a_queue(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[bytes | None],
    memory: int,
) -> None:
    with storing(tmp_path_factory.mktemp("ring"), spool_memory=0) as scratch_pool:
        scratch = Scratch(scratch_pool)
        ring = Ring(scratch.spool, memory=memory)
        model = b""
        for chunk in steps:
            if chunk is None:
                got = ring.get()
                assert model.startswith(got)
                assert got or not model
                model = model[len(got) :]
            else:
                assert ring.put(chunk)
                model += chunk
            assert ring.size == len(model)
        assert drained(ring) == model
        scratch.close()
        assert scratch_pool.budget.used == 0


def test_a_giver_and_a_taker_on_two_threads(scratch: Scratch) -> None:
    ring = Ring(scratch.spool, memory=100_000)
    ended = threading.Event()

    def give() -> None:
        for at in range(1000):
            ring.put(b"%06d" % at * 500)
        ended.set()

    giver = threading.Thread(target=give)
    giver.start()
    found: list[bytes] = []
    take: Callable[[], bytes] = ring.get
    while not ended.is_set() or ring.size:
        found.append(take())
    giver.join()
    assert b"".join(found) == b"".join(b"%06d" % at * 500 for at in range(1000))
