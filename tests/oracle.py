"""What scratch is held, asked of the system: descriptors, names, bytes, inodes, budget units."""

from __future__ import annotations

import os
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from stat import S_ISDIR

import pytest

from streamware.scratch.pool import ScratchPool
from streamware.settings import Settings

PATIENCE = 2.0
"""Seconds in which a file system gives back what was closed; xfs does so in the background."""


@dataclass(frozen=True)
class Held:
    """Everything that scratch can leave behind.

    Attributes:
        descriptors: What the descriptors of this process point to, below the directory.
        names: In the directory, at any depth.
        bytes: In use on its file system, if that is the directory's alone, else of its files.
        inodes: The same.
        units: Of the budget of the host, held by anyone.
    """

    descriptors: tuple[str, ...]
    names: tuple[str, ...]
    bytes: int
    inodes: int
    units: int

    def __sub__(self, other: Held) -> str:
        """What is more than there was, for a message; nothing when all is back."""
        more = [
            *(f"descriptor {it}" for it in _more(self.descriptors, other.descriptors)),
            *(f"name {it}" for it in _more(self.names, other.names)),
            *(
                f"{getattr(self, name) - getattr(other, name):+} {name}"
                for name in ("bytes", "inodes", "units")
                if getattr(self, name) != getattr(other, name)
            ),
        ]
        return ", ".join(more)


class Oracle:
    """Asks what is held in a directory, and whether that is what was held before.

    It keeps one ledger of the host in the directory, so that units can be counted.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.watcher = ScratchPool(settings(root))
        self.baseline = self.look()

    def look(self) -> Held:
        units = self.watcher.budget.host_units()
        self.watcher.budget.close()
        self.watcher.directory.close()
        names = tuple(sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*")))
        descriptors = tuple(_descriptors(self.root))
        used, inodes = _in_use(self.root, descriptors, names)
        return Held(descriptors, names, used, inodes, units)

    def left(self, *, but: Held | None = None) -> str:
        """What is still held after a while; `but` is allowed."""
        end = time.monotonic() + PATIENCE
        while left := self.look() - (but or self.baseline):
            if time.monotonic() > end:
                return left
            time.sleep(0.01)
        return ""

    def check(self) -> None:
        """Fail unless everything is as it was."""
        left = self.left()
        assert not left, f"left behind: {left}"


def settings(root: Path, **changes: object) -> Settings:
    """Of a small process in a directory of its own, which waits for nothing."""
    made = Settings(
        scratch_dir=root,
        spool_memory=1000,
        request_bytes=None,
        request_files=None,
        process_bytes=None,
        host_bytes=64 * 2**20,
        keep_free_bytes=0,
        wait_seconds=0,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


@contextmanager
def storing(root: Path, **changes: object) -> Iterator[ScratchPool]:
    """Yield a pool, and close it as a process does at its end."""
    made = ScratchPool(settings(root, **changes))
    try:
        yield made
    finally:
        close(made)


def close(scratch_pool: ScratchPool) -> None:
    """Release what a pool holds for the whole process."""
    scratch_pool.process_directory.close()
    scratch_pool.budget.close()
    scratch_pool.directory.close()


@contextmanager
def tmpfs(folder: Path, options: str = "size=16m") -> Iterator[Path]:
    """A small file system in memory, private to one test.  Skips the test without the right."""
    root = folder / "disk"
    root.mkdir()
    if not _mounted(root, options):
        pytest.skip("skipped: needs the right to mount a tmpfs")
    try:
        yield root
    finally:
        _unmount(root)


@contextmanager
def disk(folder: Path) -> Iterator[Path]:
    """A private tmpfs if this user may have one, else a plain directory."""
    root = folder / "disk"
    root.mkdir(mode=0o700)
    mounted = _mounted(root, "size=16m")
    try:
        yield root
    finally:
        if mounted:
            _unmount(root)


def _mounted(root: Path, options: str) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", f"mode=0700,{options}", "streamware-test", str(root)]
    try:
        return not subprocess.run(command, capture_output=True, check=False).returncode
    except FileNotFoundError:
        return False


def _unmount(root: Path) -> None:
    try:
        subprocess.run(["umount", str(root)], check=True, capture_output=True)
    except subprocess.CalledProcessError:  # something in it is still open: a leak
        subprocess.run(["umount", "--lazy", str(root)], check=True)
        raise


def _descriptors(root: Path) -> Iterator[str]:
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the listing's own, closed by now
            found = str(descriptor.readlink())
            if found == str(root) or found.startswith(f"{root}/"):
                yield found


def _in_use(root: Path, descriptors: tuple[str, ...], names: tuple[str, ...]) -> tuple[int, int]:
    if os.path.ismount(root):
        room = os.statvfs(root)
        return (room.f_blocks - room.f_bfree) * room.f_frsize, room.f_files - room.f_ffree
    used = 0
    for name in names:
        with suppress(FileNotFoundError):
            status = (root / name).lstat()
            used += 0 if S_ISDIR(status.st_mode) else status.st_blocks * 512
    return used, len(names) + sum("(deleted)" in found for found in descriptors)


def _more(now: tuple[str, ...], then: tuple[str, ...]) -> list[str]:
    return sorted((Counter(now) - Counter(then)).elements())
