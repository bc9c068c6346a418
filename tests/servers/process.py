"""Servers in processes of their own: started, awaited, asked and stopped."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Self

import httpx

TESTS = Path(__file__).parents[1]
PATIENCE = 30.0
"""Seconds for a server to start, to answer or to stop."""


def reserve() -> socket.socket:
    """A socket on a port that the system gives to no one else until it is closed.

    It never listens: a server that sets SO_REUSEADDR, as all do, can bind and listen there, and
    whoever asks for any free port gets another one.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    return holder


class ServerProcess:
    """A server on a port of the loopback interface, with its workers; a context manager.

    Args:
        command: For `python`, or for `program`; `{port}` is replaced in it.
        folder: Where it runs, with its log; HOME and TMPDIR, unless `environment` has others.
        environment: More variables, or other values.
        program: Where the program is, if that is not this interpreter.
        ready: A path that answers once the server is up; None where it speaks no HTTP.
        holder: Of a port that is reserved already, for a server that has it in a file.

    Attributes:
        port: Where it listens.
        process: Its first process.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str] | None = None,
        *,
        program: str = sys.executable,
        ready: str | None = "/",
        holder: socket.socket | None = None,
    ) -> None:
        self._log = folder / "log"
        self._holder = holder or reserve()
        self.port: int = self._holder.getsockname()[1]
        paths = os.pathsep.join(map(str, (TESTS, TESTS.parent)))
        own = {"PYTHONPATH": paths, "HOME": str(folder), "TMPDIR": str(folder)}
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [program, *(part.format(port=self.port) for part in command)],
                cwd=folder,
                env=os.environ | own | dict(environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # its workers end with it
            )
        try:
            self._await(ready)
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def address(self) -> tuple[str, int]:
        """Where to connect a socket."""
        return "127.0.0.1", self.port

    def log(self) -> str:
        """What it has written so far."""
        return self._log.read_text(errors="replace")

    def client(self, *, http2: bool = False) -> httpx.Client:
        """An HTTP client that decodes nothing and opens a connection for each request."""
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}",
            headers={"Accept-Encoding": "identity"},
            limits=httpx.Limits(max_keepalive_connections=0),  # none that a 500 has closed
            timeout=PATIENCE,
            trust_env=False,
            http1=not http2,
            http2=http2,
        )

    def get(self, path: str) -> httpx.Response:
        """The answer to one request."""
        with self.client() as client:
            return client.get(path)

    def stop(self, patience: float = PATIENCE, *, by_force: bool = False) -> None:
        """End it, with its workers.

        Raises:
            subprocess.TimeoutExpired: It has not ended when asked to; not with `by_force`.
        """
        self.process.terminate()
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            if not by_force:
                raise
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self._holder.close()

    def _await(self, ready: str | None) -> None:
        end = monotonic() + PATIENCE
        while monotonic() < end and self.process.poll() is None:
            connection = HTTPConnection(*self.address, timeout=PATIENCE)
            try:
                connection.connect()
                if ready is not None:
                    connection.request("GET", ready)
                    connection.getresponse().read()
            except (OSError, HTTPException):
                sleep(0.02)
            else:
                return
            finally:
                connection.close()
        raise AssertionError(f"no server: {self.log()}")


def until(happens: Callable[[], object], patience: float = PATIENCE) -> None:
    """Wait until something has happened, and fail if it does not."""
    end = monotonic() + patience
    while not happens():
        assert monotonic() < end, "it has not happened in time"
        sleep(0.01)


def state(client: httpx.Client, counted: str, patience: float = 5.0) -> Any:
    """The counters of `apps.source`, once the one called `counted` is not zero."""
    end = monotonic() + patience
    while not (found := client.get("/state").json())[counted] and monotonic() < end:
        sleep(0.01)
    return found
