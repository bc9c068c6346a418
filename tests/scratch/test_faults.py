"""A request under every fault: whichever call fails, whatever says so, nothing is left."""

import asyncio
import errno
import logging
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from faults import CALLS, ERRORS, Faults, Tally, sweep, use
from oracle import Oracle, disk, storing
from streamware.errors import ScratchError
from streamware.scratch.ledger import Scratch
from streamware.scratch.process_directory import reap

WAITS = 30.0
"""Seconds that a request may wait, on threads that may."""


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "streamware")


def judged(tally: Tally) -> None:
    assert tally.leaks == []
    assert tally.passed >= 0


@pytest.mark.slow
@pytest.mark.parametrize("call", CALLS)
def test_nothing_is_left_in_a_thread(call: str, tmp_path: Path) -> None:
    with disk(tmp_path) as root, ThreadPoolExecutor(1) as pool:
        for error in ERRORS:
            judged(pool.submit(sweep, root, call, error).result())


@pytest.mark.slow
@pytest.mark.parametrize("call", CALLS)
def test_nothing_is_left_on_the_thread_of_a_loop_and_nobody_waits(
    call: str, tmp_path: Path
) -> None:
    async def on_the_loop(root: Path) -> Tally:
        await asyncio.sleep(0)
        return sweep(root, call, "ENOSPC", wait_seconds=WAITS)

    with disk(tmp_path) as root:
        began = time.monotonic()
        judged(asyncio.run(on_the_loop(root)))
        assert time.monotonic() - began < WAITS


def test_every_call_of_a_request_is_made_to_fail(root: Path) -> None:
    met = []
    for call in CALLS:
        with (
            Faults(call, "EIO", at=10**9, persistent=False) as faults,
            storing(root) as scratch_pool,
        ):
            scratch = Scratch(scratch_pool)
            use(scratch, faults.paused)
            scratch.close()
        met += [call] * bool(faults.calls)
    # Those that are missing are of another Python, or of what a request seldom meets.
    assert set(CALLS) - set(met) <= {"lstat", "dup2", "chmod", "fchmod", "posix_fadvise"}


def test_a_name_that_resists_waits_for_the_end_of_the_process(root: Path) -> None:
    with storing(root) as scratch_pool:
        scratch = Scratch(scratch_pool)
        path = scratch.path()
        with Faults("unlink", "EIO", at=1, persistent=True):
            scratch.close()
        assert path.exists()
        assert scratch_pool.signals["cleanup_failures"] > 0
        assert scratch_pool.budget.used == 0
    assert not path.exists()


def test_a_name_that_resists_to_the_end_is_taken_by_the_reaper(root: Path) -> None:
    with Faults("unlink", "EIO", at=1, persistent=True), storing(root) as scratch_pool:
        scratch = Scratch(scratch_pool)
        scratch.path(".left")
        scratch.close()
    assert len(list(root.rglob("*.left"))) == 1
    reaped = reap(root)
    assert (reaped.directories, reaped.files, reaped.errors) == (1, 1, [])


def out_of_descriptors(scratch: Scratch) -> int | None:
    """What the request is told when it has taken the last one."""
    with pytest.raises(ScratchError) as caught:  # noqa: PT012 - at which spool is no matter
        for _ in range(50):
            scratch.spool().write(b"x" * 5000)
    return caught.value.errno


def test_a_name_is_removed_although_its_own_request_took_the_last_descriptor(root: Path) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with storing(root) as scratch_pool:
        scratch = Scratch(scratch_pool)
        path = scratch.path()
        try:
            os.close(free := os.dup(0))
            resource.setrlimit(resource.RLIMIT_NOFILE, (free + 10, before[1]))
            number = out_of_descriptors(scratch)
            scratch.close()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        assert number == errno.EMFILE
        assert not path.exists()
        assert scratch_pool.signals.total() == 0


@pytest.mark.slow
def test_the_table_can_be_printed(tmp_path: Path) -> None:
    command = [sys.executable, str(Path(__file__).parents[1] / "sweep.py"), "flock", "rmdir"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True)
    assert printed.stderr == ""
    assert printed.stdout.count("| 0 |\n") == 2 * len(ERRORS)


def test_an_oracle_sees_what_is_left(tmp_path: Path) -> None:
    with disk(tmp_path) as root:
        oracle = Oracle(root)
        with storing(root) as scratch_pool:
            scratch = Scratch(scratch_pool)
            use(scratch, Faults("open", "EIO", at=10**9, persistent=False).paused)
            left = oracle.look() - oracle.baseline
            scratch.close()
        for what in ("descriptor", "name streamware-", "bytes", "inodes", "units"):
            assert what in left
        oracle.check()
