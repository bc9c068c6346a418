"""Mount: whether a directory is on disk or in memory, as far as the system shows."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

Kind = Literal["disk", "memory", "overlay", "unknown"]
"""An overlay may be on disk or in memory; it hides which."""

_MEMORY = ("tmpfs", "ramfs", "devtmpfs", "rootfs", "hugetlbfs")
_OVERLAY = ("overlay", "aufs", "fuse.fuse-overlayfs")


def file_system(descriptor: int) -> str | None:
    """Return the type of the file system that a directory is on, from Linux's /proc; proc(5)."""
    if sys.platform != "linux":
        return None
    try:
        status = Path(f"/proc/self/fdinfo/{descriptor}").read_bytes()
        mount = next(line[7:].strip() for line in status.splitlines() if line[:7] == b"mnt_id:")
        for line in Path("/proc/self/mountinfo").read_bytes().splitlines():
            if line.startswith(mount + b" "):
                return line.partition(b" - ")[2].split()[0].decode("ascii", "replace")
    except (OSError, StopIteration, IndexError):  # no /proc, or one of another format
        return None
    return None  # a mount that this process does not see, in a chroot for example


def kind(system: str | None) -> Kind:
    """Return what a file system of that type keeps its files in."""
    if system in _MEMORY:
        return "memory"
    if system in _OVERLAY:
        return "overlay"
    return "unknown" if system is None or system.startswith("fuse") else "disk"
