import itertools
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from shutil import rmtree

import pytest

from fakes import PATIENCE
from oracle import storing
from streamware.errors import Refused, ScratchError, StateError
from streamware.scratch.disk_quota import RequestQuota
from streamware.scratch.ledger import Scratch
from streamware.scratch.named_files import NamedFiles
from streamware.scratch.pool import ScratchPool


@pytest.fixture
def quota(scratch_pool: ScratchPool) -> RequestQuota:
    return RequestQuota(scratch_pool)


@pytest.fixture
def names(scratch_pool: ScratchPool, quota: RequestQuota) -> NamedFiles:
    return NamedFiles(scratch_pool, quota)


def test_a_directory_is_made_when_the_first_name_is(names: NamedFiles, root: Path) -> None:
    assert not [path for path in root.iterdir() if path.is_dir()]
    path = names.file(".csv")
    assert path.parent.parent.parent == root
    assert names.directory().parent == path.parent
    names.remove()


def test_what_others_write_is_charged_when_it_is_measured(
    names: NamedFiles, quota: RequestQuota
) -> None:
    names.file("").write_bytes(b"x" * 4096)
    assert (names.unmeasured(), quota.bytes) == (4096, 0)
    names.measure()
    assert (names.unmeasured(), quota.bytes) == (0, 4096)
    names.remove()
    assert quota.bytes == 0


def test_what_others_delete_is_given_back_when_it_is_measured(
    names: NamedFiles, quota: RequestQuota
) -> None:
    path = names.file("")
    path.write_bytes(b"x" * 4096)
    names.measure()
    path.unlink()
    names.measure()
    assert quota.bytes == 0
    names.remove()


def test_files_at_any_depth_count_and_links_are_not_followed(names: NamedFiles) -> None:
    folder = names.directory()
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "part").write_bytes(b"x" * 4096)
    (folder / "out").symlink_to("/usr")
    assert names.unmeasured() == 4096
    names.remove()


def test_a_file_that_vanishes_while_it_is_measured_counts_nothing(
    names: NamedFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [names.file("") for _ in range(3)]
    paths[0].write_bytes(b"x" * 4096)
    lost = names.directory()
    scandir = os.scandir

    def scanned(directory: str) -> object:
        found = list(scandir(directory))
        if len(found) == 4:
            paths[1].unlink()
            lost.rmdir()
        return nullcontext(found)

    monkeypatch.setattr("os.scandir", scanned)
    assert names.unmeasured() == 4096
    monkeypatch.undo()
    names.remove()


def test_what_takes_long_to_measure_is_not_measured_often(
    names: NamedFiles, quota: RequestQuota, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = itertools.count(1000.0, 1.0)  # it takes a second, whenever it is done
    monkeypatch.setattr("streamware.scratch.named_files.monotonic", lambda: next(times))
    names.file("").write_bytes(b"x" * 4096)
    assert names.unmeasured() == 4096
    for _ in range(10):
        names.measure(if_due=True)
        assert quota.bytes == 0
    for _ in range(30):
        names.measure(if_due=True)
    assert quota.bytes == 4096
    names.remove()


def test_it_is_always_measured_when_that_is_asked_for(
    names: NamedFiles, quota: RequestQuota, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = itertools.count(1000.0, 1.0)
    monkeypatch.setattr("streamware.scratch.named_files.monotonic", lambda: next(times))
    path = names.file("")
    for size in (4096, 8192):
        path.write_bytes(b"x" * size)
        names.measure()
        assert quota.bytes == size
    names.remove()


def test_many_names_take_no_time_that_grows_with_their_square(root: Path) -> None:
    with storing(root) as scratch_pool:
        scratch, began = Scratch(scratch_pool), time.process_time()
        for _ in range(2000):
            scratch.path()
        assert time.process_time() - began < 2.0  # it was 20
        scratch.close()


def test_a_sparse_file_counts_what_it_takes(names: NamedFiles) -> None:
    with names.file("").open("wb") as file:
        file.truncate(2**30)
    assert names.unmeasured() == 0
    names.remove()


def test_a_directory_removed_from_under_it_is_made_again(names: NamedFiles) -> None:
    lost = names.file("").parent
    rmtree(lost)
    path = names.file("")
    assert path.parent != lost
    assert names.holds(path)
    assert names.remove() == []


def test_a_home_removed_from_under_it_is_made_again(names: NamedFiles) -> None:
    rmtree(names.file("").parent.parent)
    assert names.file("").exists()
    assert names.remove() == []


def test_a_name_that_cannot_be_made_is_not_counted(names: NamedFiles, quota: RequestQuota) -> None:
    for _ in range(2):
        with pytest.raises(ScratchError, match="a new file in"):
            names.file("x" * 300)
    assert quota.files == 0
    names.remove()


def test_after_the_removal_there_are_no_more_names(names: NamedFiles, quota: RequestQuota) -> None:
    names.file("").write_bytes(b"x" * 4096)
    names.measure()
    assert names.remove() == []
    with pytest.raises(StateError):
        names.file("")
    assert (quota.files, quota.bytes, names.unmeasured()) == (0, 0, 0)


def test_a_second_removal_gives_nothing_back_twice(
    names: NamedFiles, quota: RequestQuota, scratch_pool: ScratchPool
) -> None:
    scratch_pool.budget.take(10_000)
    names.file("").write_bytes(b"x" * 4096)
    names.measure()
    for _ in range(3):
        names.remove()
        names.measure()
    assert (quota.bytes, quota.files, scratch_pool.budget.used) == (0, 0, 10_000)
    scratch_pool.budget.release(10_000)


def test_a_charge_that_is_refused_is_asked_for_again(root: Path) -> None:
    with storing(root, process_bytes=5000) as scratch_pool:
        quota = RequestQuota(scratch_pool)
        names = NamedFiles(scratch_pool, quota)
        scratch_pool.budget.take(3000)
        names.file("").write_bytes(b"x" * 4096)
        for _ in range(2):
            with pytest.raises(Refused):
                names.measure()
            assert (quota.bytes, names.unmeasured()) == (0, 4096)
        scratch_pool.budget.release(3000)
        names.measure()
        assert (quota.bytes, names.unmeasured()) == (4096, 0)
        names.remove()
        assert scratch_pool.budget.used == 0


def test_two_who_measure_at_once_charge_once(names: NamedFiles, quota: RequestQuota) -> None:
    names.file("").write_bytes(b"x" * 4096)
    start = threading.Barrier(8)

    def measure() -> None:
        start.wait(PATIENCE)
        names.measure()

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(measure) for _ in range(8)]:
            done.result(PATIENCE)
    assert quota.bytes == 4096
    names.remove()


def test_what_is_charged_while_the_names_go_is_given_back(root: Path) -> None:
    with storing(root, process_bytes=5000, wait_seconds=PATIENCE) as scratch_pool:
        quota = RequestQuota(scratch_pool)
        names = NamedFiles(scratch_pool, quota)
        scratch_pool.budget.take(3000)
        names.file("").write_bytes(b"x" * 4096)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(names.measure)
            while not quota.bytes:
                pass
            names.remove()
            scratch_pool.budget.release(3000)
            waiting.result(PATIENCE)
        assert (quota.bytes, scratch_pool.budget.used) == (0, 0)


def test_a_file_deleted_while_its_charge_waits_is_given_back_once(root: Path) -> None:
    with storing(root, process_bytes=9000, wait_seconds=PATIENCE) as scratch_pool:
        quota = RequestQuota(scratch_pool)
        names = NamedFiles(scratch_pool, quota)
        path = names.file("")
        scratch_pool.budget.take(8000)
        path.write_bytes(b"x" * 4096)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(names.measure)
            while not quota.bytes:
                pass
            path.unlink()
            names.measure()
            scratch_pool.budget.release(8000)
            waiting.result(PATIENCE)
        names.measure()
        assert (quota.bytes, scratch_pool.budget.used) == (0, 0)
        names.remove()
