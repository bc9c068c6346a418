"""A server of the matrix in a process of its own, and what it holds."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterable
from json import loads
from pathlib import Path
from time import sleep
from typing import Any

from servers.process import PATIENCE, ServerProcess, reserve
from servers.setups import Setup, located

KINDLY = 4.0
"""Seconds that a server has to end by itself."""

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
        base: What it held when it had served a few exports, and nothing was under way.
    """

    def __init__(self, setup: Setup, folder: Path) -> None:
        self.setup = setup
        self.folder = folder
        self.base: dict[str, int] = {}
        self._side = folder / "side"
        self._processes: list[ServerProcess] = []
        scratch, temporary = folder / "scratch", folder / "temporary"
        for made in (scratch, temporary):
            made.mkdir(mode=0o700)
        environment = {
            "TMPDIR": str(temporary),
            "MATRIX_SIDE": str(self._side),
            "STREAMWARE_SCRATCH_DIR": str(scratch),
            "STREAMWARE_KEEP_FREE_BYTES": "0",
        }
        try:
            server = ServerProcess(
                setup.command, folder, environment, program=setup.executable, ready="/ping"
            )
            self._processes.append(server)
            if setup.proxy:
                self._start_nginx(server.port)
        except BaseException:
            self.stop()
            raise

    @property
    def port(self) -> int:
        """Where the clients connect: nginx's, where that is in front."""
        return self._processes[-1].port

    @property
    def log(self) -> str:
        """What it has to say, and nginx."""
        return self._processes[0].log()

    def _start_nginx(self, upstream: int) -> None:
        holder = reserve()
        port = holder.getsockname()[1]
        configuration = self.folder / "nginx.conf"
        configuration.write_text(
            NGINX.format(folder=self.folder, port=port, upstream=upstream, version=self.setup.proxy)
        )
        self._processes.append(
            ServerProcess(
                ("-c", str(configuration)),
                self.folder,
                program=located("nginx") or "nginx",
                ready="/ping",
                holder=holder,
            )
        )

    def snapshot(self, word: bytes = b"tell") -> dict[str, Any]:
        """What the process holds, and its exports, however busy the server is."""
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(PATIENCE)
            asking.connect(str(self._side))
            asking.sendall(word)
            with asking.makefile("rb") as answer:
                found: dict[str, Any] = loads(answer.read())
        return found

    def take_base(self) -> None:
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
            process.stop(KINDLY, by_force=True)

    def remove(self) -> None:
        """Its folder, too."""
        shutil.rmtree(self.folder, ignore_errors=True)
