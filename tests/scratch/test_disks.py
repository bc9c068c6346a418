"""Real disks that are full, small, read-only, gone or swapped; real limits of a process."""

import errno
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from oracle import Oracle, settings, storing, tmpfs
from streamware.errors import Refused, ScratchError, StreamwareError
from streamware.scratch.ledger import Scratch
from streamware.scratch.pool import ScratchPool

MIB = 2**20

TAKES: dict[str, Callable[[Scratch], object]] = {
    "spool": lambda scratch: scratch.spool().write(b"x" * 5000),
    "path": Scratch.path,
    "directory": Scratch.directory,
}


@contextmanager
def limited(what: int, soft: int) -> Iterator[None]:
    before = resource.getrlimit(what)
    resource.setrlimit(what, (soft, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(what, before)


@contextmanager
def requesting(root: Path, **changes: object) -> Iterator[Scratch]:
    """A request, after which nothing is left."""
    oracle = Oracle(root)
    with storing(root, **changes) as scratch_pool:
        scratch = Scratch(scratch_pool)
        yield scratch
        scratch.close()
        assert scratch_pool.budget.used == 0
        assert scratch_pool.signals["leaked_ledgers"] == 0
    oracle.check()


def fill(root: Path, leave: int = 0) -> None:
    """Take the disk, but for some bytes, from outside."""
    room = os.statvfs(root)
    with (root / "full").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_frsize - leave)


def until_it_fails(call: Callable[[], object]) -> None:
    for _ in range(100):
        call()


def remounted(root: Path, option: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{option}", str(root)], check=True)


# Full


def test_a_full_disk_is_refused_before_a_byte_is_written(tmp_path: Path) -> None:
    with tmpfs(tmp_path, "size=2m") as root:
        fill(root)
        with requesting(root) as scratch:
            with pytest.raises(Refused, match=r"0 of 2,097,152 bytes free") as caught:
                scratch.spool().write(b"x" * 5000)
            assert caught.value.retry_after > 0


def test_a_disk_that_fills_up_in_mid_write_spoils_the_spool_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tmpfs(tmp_path, "size=2m") as root, requesting(root) as scratch:
        other = scratch.spool()
        other.write(b"o" * 5000)
        spool = scratch.spool()
        # As if others had taken the room since it was looked at.
        monkeypatch.setattr(scratch._pool.directory, "check_room", lambda _: None)
        with pytest.raises(ScratchError) as caught:
            spool.write(b"x" * 3 * MIB)
        assert caught.value.errno == errno.ENOSPC
        assert str(root) in str(caught.value)
        other.seek(0)
        assert other.read() == b"o" * 5000


def test_what_is_written_up_to_the_last_byte_is_there(tmp_path: Path) -> None:
    with tmpfs(tmp_path, "size=2m") as root, requesting(root) as scratch:
        spool = scratch.spool()
        with pytest.raises(StreamwareError):
            until_it_fails(lambda: spool.write(b"x" * 100_000))
        written = scratch.usage.bytes
        assert written > MIB
        spool.close()
        again = scratch.spool()
        again.write(b"y" * written)
        again.seek(0)
        assert again.read() == b"y" * written


@pytest.mark.parametrize("take", TAKES)
def test_a_disk_without_inodes_is_refused_and_says_inodes(tmp_path: Path, take: str) -> None:
    small = "size=8m,nr_inodes=30"
    with (
        tmpfs(tmp_path, small) as root,
        requesting(root) as scratch,
        pytest.raises((Refused, ScratchError), match="inodes"),
    ):
        until_it_fails(lambda: TAKES[take](scratch))


def test_names_written_to_a_full_disk_by_others_go_too(tmp_path: Path) -> None:
    with tmpfs(tmp_path, "size=1m") as root, requesting(root) as scratch:
        path = scratch.path()
        with path.open("wb", 0) as file, pytest.raises(OSError, match="No space left"):
            until_it_fails(lambda: file.write(b"x" * 300_000))
        with pytest.raises((Refused, ScratchError)):
            scratch.spool().write(b"x" * 5000)


# Limits of the process


def test_a_file_that_may_not_grow_is_as_a_full_disk(root: Path) -> None:
    with limited(resource.RLIMIT_FSIZE, 20_000), requesting(root) as scratch:
        spool = scratch.spool()
        spool.write(b"x" * 10_000)
        with pytest.raises(ScratchError) as caught:
            spool.write(b"x" * 20_000)
        assert caught.value.errno == errno.EFBIG
        with pytest.raises(ScratchError, match="spoilt"):
            spool.read()


@pytest.mark.parametrize("take", TAKES)
def test_a_process_out_of_descriptors_is_told_so_and_makes_no_name(root: Path, take: str) -> None:
    os.close(free := os.dup(0))
    with requesting(root) as scratch:
        scratch.spool().write(b"x" * 5000)
        names = sorted(root.rglob("*"))
        with limited(resource.RLIMIT_NOFILE, free + 1), pytest.raises(ScratchError) as caught:
            until_it_fails(lambda: TAKES[take](scratch))
        assert caught.value.errno == errno.EMFILE
        assert sorted(root.rglob("*")) == names


# Directories


def test_a_read_only_disk_is_refused_at_the_start(tmp_path: Path) -> None:
    with tmpfs(tmp_path) as root:
        remounted(root, "ro")
        with pytest.raises(ScratchError, match="mounted read-only") as caught:
            ScratchPool(settings(root)).start()
        assert caught.value.errno == errno.EROFS


@pytest.mark.parametrize("take", TAKES)
def test_a_disk_that_becomes_read_only_is_named(tmp_path: Path, take: str) -> None:
    with tmpfs(tmp_path) as root, requesting(root, host_bytes=None) as scratch:
        scratch._pool.directory.verify()
        remounted(root, "ro")
        with pytest.raises(ScratchError) as caught:
            TAKES[take](scratch)
        assert caught.value.errno == errno.EROFS
        remounted(root, "rw")


def test_spools_go_on_when_the_directory_is_removed(tmp_path: Path) -> None:
    root = tmp_path / "scratch"
    root.mkdir(mode=0o700)
    with storing(root, host_bytes=None) as scratch_pool:
        scratch = Scratch(scratch_pool)
        spool = scratch.spool()
        spool.write(b"x" * 5000)
        root.rmdir()
        spool.write(b"y" * 5000)
        spool.seek(0)
        assert spool.read() == b"x" * 5000 + b"y" * 5000
        for take in TAKES.values():
            with pytest.raises(ScratchError, match="does not exist"):
                take(scratch)
        root.mkdir(mode=0o700)
        assert scratch.path().exists()
        scratch.close()
    assert list(root.iterdir()) == []


@pytest.mark.parametrize("take", TAKES)
def test_a_directory_replaced_by_a_link_is_not_followed(tmp_path: Path, take: str) -> None:
    root, elsewhere = tmp_path / "scratch", tmp_path / "elsewhere"
    elsewhere.mkdir()
    root.mkdir(mode=0o700)
    with storing(root, host_bytes=None) as scratch_pool:
        scratch = Scratch(scratch_pool)
        scratch.spool().write(b"x" * 5000)
        root.rmdir()
        root.symlink_to(elsewhere)
        with pytest.raises(ScratchError, match="is a symbolic link"):
            TAKES[take](scratch)
        scratch.close()
    assert list(elsewhere.iterdir()) == []


# The end of a process


KILLED = """
import os, signal, sys
from pathlib import Path
from oracle import settings
from streamware.scratch.ledger import Scratch
from streamware.scratch.pool import ScratchPool

scratch = Scratch(ScratchPool(settings(Path(sys.argv[1]))))
scratch.spool().write(b"x" * 2**20)
scratch.path().write_bytes(b"x" * 2**20)
(scratch.directory() / "part").write_bytes(b"x" * 2**20)
scratch.spool().write(b"x" * 2**20)
{end}
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("end", "status", "orphans"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, 1),
        ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM, 1),
        ("os._exit(3)", 3, 1),
        ("sys.exit(0)", 0, 0),
        ("raise SystemExit(4)", 4, 0),
    ],
    ids=["kill", "terminate", "_exit", "exit", "raise"],
)
def test_whatever_end_a_process_comes_to_the_next_start_finds_nothing(
    tmp_path: Path, end: str, status: int, orphans: int
) -> None:
    here = str(Path(__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([here, str(Path(here).parent)])}
    with tmpfs(tmp_path) as root:
        oracle = Oracle(root)
        done = subprocess.run(
            [sys.executable, "-c", KILLED.format(end=end), str(root)],
            env=environment,
            check=False,
            stderr=subprocess.DEVNULL,
        )
        assert done.returncode == status
        # The bytes without a name are the kernel's to free, and the units of the host.
        assert oracle.look().units == 0
        assert oracle.look().bytes - oracle.baseline.bytes == orphans * 2 * MIB
        with storing(root) as scratch_pool:
            scratch_pool.start()
            assert scratch_pool.signals["orphans_reaped"] == orphans
        oracle.check()
