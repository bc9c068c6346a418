"""Clients over raw sockets, which take as little of the machine as can be.

`python -m benchmarks.clients PORT PATH TIMES together|in turn` downloads in a process of its own,
and prints the bytes of all bodies, with what is between them, and the seconds as JSON.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
from time import perf_counter, sleep

BLOCK = 2**18
PATIENCE = 600.0
"""Seconds without a byte that are taken for a failure."""
STEP = 0.05
"""Seconds between two reads of a slow client."""


class BadAnswerError(RuntimeError):
    """An answer that is not 200, or that was cut."""


class Download:
    """A request that was sent, and what has come of its answer.

    Attributes:
        size: Bytes so far.
        ended: Whether the server has closed the connection.
    """

    def __init__(self, port: int, path: str, *, window: int | None = None) -> None:
        self.size = 0
        self.ended = False
        self.socket = socket.socket()
        self.socket.settimeout(PATIENCE)
        if window is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        self.socket.connect(("127.0.0.1", port))
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        self.socket.sendall(head.encode())
        self._first = b""
        self._last = b""
        self._buffer = bytearray(BLOCK)

    def read(self, most: int = BLOCK) -> None:
        """What there is, at least a byte, or the end; blocks."""
        count = self.socket.recv_into(self._buffer, most)
        if not count:
            self.ended = True
            self._check()
            return
        self.size += count
        if len(self._first) < len(b"HTTP/1.1 200"):
            self._first += self._buffer[: min(count, 12)]
        self._last = (self._last + self._buffer[max(0, count - 5) : count])[-5:]

    def close(self) -> None:
        """Leave."""
        self.socket.close()

    def _check(self) -> None:
        self.close()
        if not self._first.startswith(b"HTTP/1.1 200") or self._last != b"0\r\n\r\n":
            raise BadAnswerError(f"{self._first!r} … {self._last!r} after {self.size:,} bytes")


def in_turn(port: int, path: str, times: int) -> int:
    """One download after the other; bytes in all."""
    size = 0
    for _ in range(times):
        download = Download(port, path)
        while not download.ended:
            download.read()
        size += download.size
    return size


def together(port: int, path: str, times: int) -> int:
    """All downloads at once; bytes in all."""
    downloads = [Download(port, path) for _ in range(times)]
    with selectors.DefaultSelector() as selector:
        for download in downloads:
            selector.register(download.socket, selectors.EVENT_READ, download)
        while selector.get_map():
            for key, _ in selector.select(PATIENCE):
                one: Download = key.data
                selected = one.socket
                one.read()
                if one.ended:
                    selector.unregister(selected)
    return sum(download.size for download in downloads)


def slowly(download: Download, seconds: float, rate: int) -> None:
    """Take `rate` bytes a second for so long, or up to the end."""
    end = perf_counter() + seconds
    while perf_counter() < end and not download.ended:
        download.read(max(1, int(rate * STEP)))
        sleep(STEP)


def get(port: int, path: str) -> bytes:
    """The body of a small answer, as soon as it is there: gunicorn may close seconds later."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        request(connection, path, close=True)
        with connection.makefile("rb") as answer:
            while not (line := answer.readline()).lower().startswith(b"content-length:"):
                if not line:
                    raise BadAnswerError(f"{path}: no length")
            while answer.readline().strip():
                pass
            return answer.read(int(line.partition(b":")[2]))


def request(connection: socket.socket, path: str, *, close: bool = False) -> None:
    """Send the head of a request."""
    kept = "Connection: close\r\n" if close else ""
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{kept}\r\n".encode())


WAYS = {"together": together, "in turn": in_turn}

if __name__ == "__main__":
    given_port, given_path, count, way = sys.argv[1:]
    started = perf_counter()
    received = WAYS[way](int(given_port), given_path, int(count))
    json.dump({"size": received, "seconds": perf_counter() - started}, sys.stdout)
