"""A private MariaDB, for the tests that need one."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PATIENCE = 30.0


class Server:
    """A private MariaDB, reached over a Unix socket in its own directory."""

    def __init__(self, program: str, install: str, folder: Path) -> None:
        self.folder = folder
        # The server refuses to run as root; Debian's package makes a user for it.
        user = ["--user=mysql"] if os.geteuid() == 0 else []
        if user:
            shutil.chown(folder, "mysql")
        data = f"--datadir={folder}/data"
        arguments = [install, "--no-defaults", data, "--auth-root-authentication-method=normal"]
        done = subprocess.run(
            [*arguments, "--skip-test-db", *user],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        self._log = folder / "log"
        self._process = subprocess.Popen(
            [
                program,
                "--no-defaults",
                data,
                f"--socket={self.socket}",
                f"--pid-file={folder}/pid",
                f"--log-error={self._log}",
                "--skip-networking",
                "--innodb-buffer-pool-size=16M",
                "--innodb-flush-log-at-trx-commit=0",
                *user,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    @property
    def socket(self) -> str:
        """Where clients find it."""
        return str(self.folder / "socket")

    def connect(self, **options: Any) -> Any:
        """A new connection of PyMySQL."""
        pymysql = pytest.importorskip("pymysql", reason="skipped: needs PyMySQL")
        return pymysql.connect(unix_socket=self.socket, user="root", **options)

    def url(self, driver: str) -> str:
        """What SQLAlchemy finds it by."""
        return f"mysql+{driver}://root@localhost/test?unix_socket={self.socket}"

    def _wait(self) -> None:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                Path(self.socket).stat()
                self.connect().close()
            except Exception:  # noqa: BLE001 - the driver's, which may not be there
                assert self._process.poll() is None, self._log.read_text()
                assert time.monotonic() < end, self._log.read_text()
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        self._process.send_signal(signal.SIGKILL)  # nothing of it is kept
        self._process.wait()


@contextmanager
def server() -> Iterator[Server]:
    """A server that is removed at the end; skips where there is no MariaDB."""
    program = shutil.which("mariadbd", path=f"{os.environ['PATH']}:/usr/sbin")
    install = shutil.which("mariadb-install-db")
    if program is None or install is None:
        pytest.skip("skipped: needs MariaDB")
    # In /tmp itself, for a path to a socket is short, and another user has to come there.
    folder = Path(tempfile.mkdtemp(prefix="mariadb-", dir="/tmp"))
    try:
        made = Server(program, install, folder)
        try:
            yield made
        finally:
            made.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
