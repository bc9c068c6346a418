"""A server of the matrix in a process of its own, and what it holds."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from json import loads
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from servers.clients import curl
from servers.setups import Setup, located

TESTS = Path(__file__).parents[1]
START = 30.0
"""Seconds for a server to start."""

NGINX = """
daemon off;
master_process off;
error_log {folder}/nginx.log warn;
pid {folder}/nginx.pid;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://127.0.0.1:{upstream};
      proxy_http_version {version};
      proxy_set_header Connection "";
    }}
  }}
}}
"""
OURS = ("spools", "files", "threads", "tasks", "places", "scratch bytes")
"""What is to be as before when an export has been released."""
THEIRS = ("descriptors", "all tasks")
"""What servers keep for a connection, too, for which some take their time."""


class Running:
    """A server that serves, until `stop`.

    Args:
        setup: Which.
        folder: An empty one, for all that it writes.

    Attributes:
        port: Where the clients connect; nginx's, where that is in front.
        log: What it has to say.
        base: What it held when it had served a few exports, and nothing was under way.
    """

    def __init__(self, setup: Setup, folder: Path) -> None:
        self.setup = setup
        self.folder = folder
        self.log = folder / "log"
        self._side = folder / "side"
        self._processes: list[subprocess.Popen[bytes]] = []
        self.base: dict[str, int] = {}
        scratch, temporary = folder / "scratch", folder / "temporary"
        for made in (scratch, temporary):
            made.mkdir(mode=0o700)
        environment = os.environ | {
            "HOME": str(folder),
            "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)]),
            "TMPDIR": str(temporary),
            "MATRIX_SIDE": str(self._side),
            "STREAMWARE_SCRATCH_DIR": str(scratch),
            "STREAMWARE_KEEP_FREE_BYTES": "0",
        }
        try:
            served = free_port()
            self._begin(setup.line(served), environment)
            self.port = served
            self._await()
            if setup.proxy:
                self._begin_nginx(served)
        except BaseException:
            self.stop()
            raise

    def _begin(self, command: list[str], environment: dict[str, str]) -> None:
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # its workers end with it
            )
        self._processes.append(process)

    def _begin_nginx(self, upstream: int) -> None:
        self.port = free_port()
        text = NGINX.format(
            folder=self.folder, port=self.port, upstream=upstream, version=self.setup.proxy
        )
        (self.folder / "nginx.conf").write_text(text)
        self._begin(
            [located("nginx") or "nginx", "-c", str(self.folder / "nginx.conf")], dict(os.environ)
        )
        self._await()

    def _await(self) -> None:
        end = monotonic() + START
        options = ["--http2-prior-knowledge"] if self.setup.http2 else []
        while monotonic() < end and self._processes[-1].poll() is None:
            if curl(self.port, "/ping", *options).body == b"pong":
                return
            sleep(0.05)
        said = self.log.read_text(errors="replace")
        raise AssertionError(f"{self.setup.name} does not answer: {said}")

    def snapshot(self, word: bytes = b"tell") -> dict[str, Any]:
        """What the process holds, and its exports, however busy the server is."""
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(START)
            asking.connect(str(self._side))
            asking.sendall(word)
            with asking.makefile("rb") as answer:
                found: dict[str, Any] = loads(answer.read())
        return found

    def settle(self) -> None:
        """Take what is held now, with nothing under way, as the base."""
        for _ in range(10):
            found = self.snapshot()
            for name in OURS + THEIRS:
                self.base[name] = max(self.base.get(name, 0), found[name])
            sleep(0.02)

    def left(self, found: dict[str, Any], names: Iterable[str]) -> list[str]:
        """What is held beyond the base."""
        more = {name: found[name] - self.base[name] for name in names}
        return [f"{count} {name}" for name, count in more.items() if count > 0]

    def stop(self) -> None:
        """End it, kindly first."""
        for process in reversed(self._processes):
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(4)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def remove(self) -> None:
        """Its folder, too."""
        shutil.rmtree(self.folder, ignore_errors=True)


def free_port() -> int:
    """One that nobody listens on just now."""
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        port: int = made.getsockname()[1]
    return port
