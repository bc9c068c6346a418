"""Python in processes of its own: killed, forked, as another user, on a file system of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PATIENCE = 60
NOBODY = 65534

needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="skipped: needs root"
)
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="skipped: needs fork")
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="skipped: needs Linux")


def command(code: str, *arguments: object) -> list[str]:
    return [sys.executable, "-W", "error", "-c", code, *map(str, arguments)]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT)}


def ran(
    code: str, *arguments: object, before: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """What a program said; it must have ended well."""
    done = subprocess.run(
        [*before, *command(code, *arguments)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def ran_mounted(
    code: str, folder: Path, *arguments: object, kind: str = "tmpfs", options: str = "size=8m"
) -> subprocess.CompletedProcess[str]:
    """The same with something mounted on `folder`, for that program only."""
    unshare = shutil.which("unshare")
    mount = f'mount -t {kind} -o {options} scratch "$0" && exec "$@"'
    before = (unshare or "", "--mount", "sh", "-c", mount, str(folder))
    tried = unshare and subprocess.run(
        [*before, "true"], capture_output=True, timeout=PATIENCE, check=False
    )
    if not tried or tried.returncode:
        pytest.skip(f"skipped: needs the right to mount a {kind}")
    return ran(code, folder, *arguments, before=before)
