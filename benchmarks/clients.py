"""HTTP clients on raw sockets, which use as little CPU time as possible.

`python -m benchmarks.clients PORT PATH TIMES together|in turn` downloads a path several times in
a process of its own, and prints the bytes received, with their framing, and the seconds as JSON.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
from time import perf_counter, sleep

BLOCK = 2**18
TIMEOUT = 600.0
"""Seconds without a byte after which a download has failed."""
STEP = 0.05
"""Seconds between two reads of a slow client."""


class BadResponseError(RuntimeError):
    """A response is not 200, or was cut."""


class Download:
    """A download: its request was sent, and its response is being read.

    Attributes:
        size: Bytes received so far.
        ended: Whether the server has closed the connection.
    """

    def __init__(self, port: int, path: str, *, window: int | None = None) -> None:
        self.size = 0  # bytes received so far
        self.ended = False  # whether the server has closed the connection
        self.socket = socket.socket()  # the connection
        self.socket.settimeout(TIMEOUT)
        if window is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        self.socket.connect(("127.0.0.1", port))
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        self.socket.sendall(head.encode())
        self._first = b""  # the first bytes, which have the status
        self._last = b""  # the last bytes, which are the last chunk of a whole body
        self._buffer = bytearray(BLOCK)  # reused by every read

    def read(self, most: int = BLOCK) -> None:
        """Receive up to `most` bytes; block until there is a byte, or the end.

        Raises:
            BadResponseError: The response has ended, and is not 200 or not whole.
        """
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
        """Close the connection."""
        self.socket.close()

    def _check(self) -> None:
        self.close()
        if not self._first.startswith(b"HTTP/1.1 200") or self._last != b"0\r\n\r\n":
            raise BadResponseError(f"{self._first!r} … {self._last!r} after {self.size:,} bytes")


def in_turn(port: int, path: str, times: int) -> int:
    """Download one after another; return the bytes received."""
    size = 0
    for _ in range(times):
        download = Download(port, path)
        while not download.ended:
            download.read()
        size += download.size
    return size


def together(port: int, path: str, times: int) -> int:
    """Download all at once; return the bytes received."""
    downloads = [Download(port, path) for _ in range(times)]
    with selectors.DefaultSelector() as selector:
        for download in downloads:
            selector.register(download.socket, selectors.EVENT_READ, download)
        while selector.get_map():
            for key, _ in selector.select(TIMEOUT):
                one: Download = key.data
                selected = one.socket
                one.read()
                if one.ended:
                    selector.unregister(selected)
    return sum(download.size for download in downloads)


def read_slowly(download: Download, seconds: float, rate: int) -> None:
    """Read `rate` bytes a second for some seconds, or until the end."""
    end = perf_counter() + seconds
    while perf_counter() < end and not download.ended:
        download.read(max(1, int(rate * STEP)))
        sleep(STEP)


def get(port: int, path: str) -> bytes:
    """Return the body of a small response without waiting for the end of the connection.

    gunicorn may close it seconds later.
    """
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as connection:
        request(connection, path, close=True)
        with connection.makefile("rb") as response:
            while not (line := response.readline()).lower().startswith(b"content-length:"):
                if not line:
                    raise BadResponseError(f"{path}: no length")
            while response.readline().strip():
                pass
            return response.read(int(line.partition(b":")[2]))


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
