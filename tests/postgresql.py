"""A private PostgreSQL, for the tests that need one."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PATIENCE = 30.0


def binaries() -> Path | None:
    """Where the server's programs are: Debian keeps them out of the path."""
    found = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    given = Path(found).resolve() if found else (debian[-1] if debian else None)
    return given.parent if given else None


class Cluster:
    """A private PostgreSQL, reached over a Unix socket in its own directory."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self.folder = folder
        # The server refuses to run as root; Debian's package makes a user for it.
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user is not None:
            shutil.chown(folder, self._user)
        self._run("initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N")
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
        log = str(folder / "log")
        self._run("pg_ctl", "-D", self._data, "-o", options, "-l", log, "-w", "start")

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._programs / program), *arguments],
            user=self._user,
            group=self._user,
            extra_groups=None if self._user is None else [],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    @property
    def conninfo(self) -> str:
        """Where libpq finds it."""
        return f"host={self.folder} user=postgres dbname=postgres"

    def connect(self, name: str = "") -> Any:
        """A new connection."""
        psycopg = pytest.importorskip("psycopg", reason="skipped: needs psycopg")
        return psycopg.connect(self.conninfo, application_name=name)

    def stop(self) -> None:
        self._run("pg_ctl", "-D", self._data, "-m", "immediate", "-w", "stop")


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A cluster that is removed at the end; skips where there is no PostgreSQL."""
    programs = binaries()
    if programs is None:
        pytest.skip("skipped: needs PostgreSQL")
    # In /tmp itself, for a path to a socket is short, and another user has to come there.
    folder = Path(tempfile.mkdtemp(prefix="postgresql-", dir="/tmp"))
    try:
        made = Cluster(programs, folder)
        try:
            yield made
        finally:
            made.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
