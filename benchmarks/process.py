"""A server in a process of its own, for the benchmarks that measure downloads."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter, sleep

from benchmarks.clients import get

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT = 30.0


class ServerProcess:
    """A server that is ready.

    Args:
        command: After `python -m`; `{port}` is replaced.
        folder: Where it has its scratch directory.
        environment: Further variables.
        ready: A path with a small response, which is requested until it comes.

    Attributes:
        port: Its port on the loopback interface.

    Raises:
        RuntimeError: It does not respond.
    """

    def __init__(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str], *, ready: str
    ) -> None:
        # Bound, not listening: no one else is given its port, and the server may listen there.
        self._holder = socket.socket()
        self._holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._holder.bind(("127.0.0.1", 0))
        self.port: int = self._holder.getsockname()[1]
        scratch = folder / command[0]
        scratch.mkdir(mode=0o700, exist_ok=True)
        own = {"STREAMWARE_SCRATCH_DIR": str(scratch), "STREAMWARE_KEEP_FREE_BYTES": "0"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", *(part.format(port=self.port) for part in command)],
            cwd=ROOT,
            env=os.environ | own | dict(environment),
        )
        self._wait(ready)

    def stop(self) -> None:
        """Stop it."""
        self._process.terminate()
        self._process.wait(TIMEOUT)
        self._holder.close()

    def _wait(self, ready: str) -> None:
        end = perf_counter() + TIMEOUT
        while perf_counter() < end and self._process.poll() is None:
            try:
                get(self.port, ready)
            except OSError:
                sleep(0.05)
            else:
                return
        self.stop()
        raise RuntimeError(f"{self._process.args!r} does not respond")
