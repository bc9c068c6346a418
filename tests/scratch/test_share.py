"""What one export has of the scratch of its request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import streamware as sw
from oracle import storing
from streamware.scratch.ledger import Scratch

MIB = 2**20


@pytest.fixture
def scratch(root: Path) -> Iterator[Scratch]:
    with storing(root, spool_memory=1000) as scratch_pool:
        made = Scratch(scratch_pool)
        yield made
        made.close()


def test_a_share_without_a_bound_is_as_its_ledger(scratch: Scratch) -> None:
    share = scratch.share(sw.Limits())
    spool = share.spool()
    assert (spool.write(bytes(3 * MIB)), share.bytes) == (3 * MIB, scratch.usage.bytes)
    assert share.settings is scratch.settings


def test_what_is_in_memory_is_not_counted(scratch: Scratch) -> None:
    share = scratch.share(sw.Limits(scratch_bytes=0))
    assert share.spool().write(bytes(1000)) == 1000
    assert share.bytes == 0


def test_all_spools_of_a_share_hold_no_more_than_its_bound(scratch: Scratch) -> None:
    share = scratch.share(sw.Limits(scratch_bytes=3 * MIB))
    share.spool().write(bytes(2 * MIB))
    with pytest.raises(sw.LimitError, match=r"scratch bytes of the export: .* limit of 3,145,728"):
        share.spool().write(bytes(2 * MIB))
    assert share.bytes == scratch.usage.bytes == 2 * MIB


def test_a_share_knows_the_most_that_it_held(scratch: Scratch) -> None:
    share = scratch.share(sw.Limits(scratch_bytes=3 * MIB))
    with share.spool() as spool:
        spool.write(bytes(2 * MIB))
        with pytest.raises(sw.LimitError):
            share.spool().write(bytes(2 * MIB))
    assert (share.bytes, share.peak) == (0, 2 * MIB)


def test_no_more_than_the_bound_is_reserved_ahead(scratch: Scratch) -> None:
    share = scratch.share(sw.Limits(scratch_bytes=5000))
    share.spool().write(bytes(2000))
    assert 2000 <= share.bytes == scratch.usage.bytes <= 5000


def test_the_last_of_the_bound_is_not_reserved_ahead(scratch: Scratch) -> None:
    share = scratch.share(sw.Limits(scratch_bytes=16_000))
    spool = share.spool()
    spool.write(bytes(2000))
    assert share.bytes == scratch.usage.bytes == 15_000
    spool.write(bytes(13_500))
    assert share.bytes == scratch.usage.bytes == 15_500


def test_what_is_closed_is_free_again(scratch: Scratch) -> None:
    share = scratch.share(sw.Limits(scratch_bytes=MIB))
    for _ in range(3):
        with share.spool() as spool:
            spool.write(bytes(MIB))
    assert (share.bytes, scratch.usage.bytes, scratch.usage.files) == (0, 0, 0)


def test_what_the_request_does_not_allow_is_not_counted(root: Path) -> None:
    with storing(root, spool_memory=0, request_bytes=MIB) as scratch_pool:
        scratch = Scratch(scratch_pool)
        share = scratch.share(sw.Limits(scratch_bytes=2 * MIB))
        with pytest.raises(sw.ScratchError, match="request_bytes"):
            share.spool().write(bytes(2 * MIB))
        assert share.bytes == 0
        scratch.close()


def test_shares_do_not_count_for_each_other(scratch: Scratch) -> None:
    first = scratch.share(sw.Limits(scratch_bytes=MIB))
    second = first.other(sw.Limits(scratch_bytes=2 * MIB))
    first.spool().write(bytes(MIB))
    second.spool().write(bytes(2 * MIB))
    scratch.spool().write(bytes(MIB))
    assert (first.bytes, second.bytes) == (MIB, 2 * MIB)


def test_the_giver_of_a_ring_waits_at_the_bound(scratch: Scratch) -> None:
    ring = scratch.share(sw.Limits(scratch_bytes=MIB)).ring()
    assert ring.put(bytes(1000))
    assert not ring.put(bytes(1000))
    assert ring.get() == bytes(1000)
    assert ring.put(bytes(1000))


def test_a_ring_uses_what_the_bound_allows(scratch: Scratch) -> None:
    share = scratch.share(sw.Limits(scratch_bytes=8 * MIB))
    ring = share.ring()
    put = 0
    while ring.put(bytes(65_536)):
        put += 65_536
    assert 8 * MIB <= put <= 8 * MIB + 65_536
    assert share.bytes == 8 * MIB
    ring.close()
    assert share.bytes == 0


def test_its_spools_are_closed_with_the_ledger(scratch: Scratch) -> None:
    share = scratch.share(sw.Limits())
    spool = share.spool()
    spool.write(bytes(MIB))
    scratch.close()
    assert (spool.closed, share.bytes) == (True, 0)
