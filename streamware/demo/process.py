"""The demo's server as a process of its own, started and measured from outside."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Self

import httpx

_WAIT = 10.0  # seconds for the server to do what takes it a moment


class DemoError(Exception):
    """A failure that is printed in one line."""


class ServerProcess:
    """uvicorn in a process of its own, so that memory and files can be measured.

    Args:
        database: The SQLite file to serve; the server's temporary directory is made beside it.
        port: The port to listen on; 0 is a free one.

    Attributes:
        url: The address of the server.
        client: An HTTP client for it.
    """

    def __init__(self, database: Path, port: int) -> None:
        self._database = str(database)
        self._scratch = database.parent / "tmp"
        self._scratch.mkdir()
        code = f"from streamware.demo.server import serve; serve({self._database!r}, {port})"
        self._process = subprocess.Popen(  # noqa: S603 - our own code
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(self._scratch)),
            start_new_session=True,  # Ctrl-C reaches only us, and we stop the server
        )
        actual_port = self._process.stdout.readline().strip() if self._process.stdout else ""
        if not actual_port:
            self._stop()
            raise DemoError("the server did not start")
        self.url = f"http://127.0.0.1:{actual_port}"
        self.client = httpx.Client(
            base_url=self.url,
            headers={"Accept-Encoding": "identity"},  # the sizes are those of the files
            timeout=60,
            trust_env=False,  # no proxy
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.client.close()
        self._stop()

    def _stop(self) -> None:
        with self._process as process:
            if process.stdin:
                process.stdin.close()
            try:
                process.wait(_WAIT)
            except subprocess.TimeoutExpired:
                process.kill()

    def wait(self) -> None:
        """Wait until the server ends by itself."""
        self._process.wait()

    def status(self) -> dict[str, Any]:
        """Return the rows read for the last download, and its receipt once it has ended."""
        found: dict[str, Any] = self.client.get("/status").json()
        return found

    def receipt(self) -> dict[str, Any]:
        """Return the receipt of the last download, which comes a moment after the last byte."""
        end = monotonic() + _WAIT
        while monotonic() < end:
            if receipt := self.status()["receipt"]:
                return dict(receipt)
            sleep(0.01)
        raise DemoError(f"the server reported no end of the download within {_WAIT:.0f} seconds")

    def reset_peak(self) -> None:
        """Measure the peak memory from here on, if the system allows it (proc(5))."""
        try:
            Path(f"/proc/{self._process.pid}/clear_refs").write_text("5", "ascii")
        except OSError:
            return

    def peak(self) -> int | None:
        """Return the peak memory in bytes; None if the system does not report it."""
        try:
            status = Path(f"/proc/{self._process.pid}/status").read_text("utf-8").splitlines()
        except OSError:
            return None
        peaks = [int(line.split()[1]) for line in status if line.startswith("VmHWM:")]
        return 1024 * peaks[0] if peaks else None

    def files(self) -> int | None:
        """Return how many files the server has on disk, apart from the database.

        Those are the files in its temporary directory, and open files without a name.  None if
        the system does not report them.
        """
        named = sum(path.is_file() for path in self._scratch.rglob("*"))
        try:
            opened = list(Path(f"/proc/{self._process.pid}/fd").iterdir())
        except OSError:
            return named or None
        nameless = 0
        for each in opened:
            with suppress(FileNotFoundError):  # closed meanwhile
                is_database = str(each.readlink()).startswith(self._database)
                if int(each.name) > 2 and not is_database:
                    nameless += stat.S_ISREG(each.stat().st_mode)
        return named + nameless
