"""The two paths on which rows become bytes: the compiled kernel, or Python alone.

A process has one path for its life, so what compares them starts a process for each.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from streamware import kernel

ROOT = Path(__file__).resolve().parent.parent
KERNEL, PURE = "kernel", "pure"
SWITCH = "STREAMWARE_PURE"
"""The environment variable that switches the kernel off."""


def here() -> str:
    """Return the path of this process."""
    return PURE if kernel.native is None else KERNEL


def available() -> tuple[str, ...]:
    """Return the paths that a new process can take: without a compiled kernel it is one."""
    off = SWITCH in os.environ and here() == PURE
    found = ran(KERNEL, __name__).decode().strip() if off else here()
    return (KERNEL, PURE) if found == KERNEL else (PURE,)


def environment(path: str) -> dict[str, str]:
    """Return the environment of a process that is to take a path."""
    return os.environ | {SWITCH: "1" if path == PURE else "0"}


def said() -> str:
    """Return the line of a table's conditions that says what was measured."""
    both = "kernel and pure are the compiled kernel and Python alone"
    return both if len(available()) > 1 else "Python alone (pure): the kernel is not compiled here"


def ran(path: str, module: str, *arguments: str) -> bytes:
    """Run a module of the benchmarks on a path, and return what it prints."""
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment(path), stdout=subprocess.PIPE, check=True
    ).stdout


if __name__ == "__main__":
    print(here())
