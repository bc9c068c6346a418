"""Clients that do exactly what they are told: over bare sockets, over HTTP/2, and curl.

What a client saw is a `Seen`.  h11 and h2 only read what came and judge its framing; every byte
that is sent, and how the connection ends, is decided here.
"""

import socket
import struct
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Protocol

import h11

PATIENCE = 10.0
"""Seconds for a server to say anything at all."""
READ = 2**16
WINDOW = 2**30
LITTLE = 2**15
"""Bytes that a socket takes for a client that stalls."""


@dataclass(slots=True)
class Seen:
    """What came, and how it ended.

    Attributes:
        status: 0 where there was no answer.
        ending: "whole" where the framing says so, "closed" where only the connection's end says
            that there is no more, "cut" where the framing says that there should be, "silence".
        arrivals: How many times something of the body came.
        first_at: When the first of it did, by the system's clock.
        code: Of curl.
    """

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    ending: str = ""
    arrivals: int = 0
    first_at: float = 0.0
    code: int | None = None

    def came(self, data: bytes) -> None:
        """A part of the body."""
        self.first_at = self.first_at or monotonic()
        self.arrivals += 1
        self.body += data


class Client(Protocol):
    """One request."""

    seen: Seen

    def read(self, least: int | None = None) -> Seen:
        """Read until the body has that many bytes, or to the end."""

    def leave(self, *, reset: bool = False) -> None:
        """Go, by FIN or by RST."""


def connected(port: int, *, stalling: bool) -> socket.socket:
    """A connection; a client that is going to stall takes little before it does."""
    made = socket.socket()
    try:
        if stalling:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, LITTLE)
        made.settimeout(PATIENCE)
        made.connect(("127.0.0.1", port))
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        made.close()
        raise
    return made


def depart(connection: socket.socket, *, reset: bool) -> None:
    """By RST, or by FIN first, whatever is unread: `close` alone would send RST for that."""
    with suppress(OSError):
        if reset:
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        else:
            connection.shutdown(socket.SHUT_RDWR)
    connection.close()


class Http1:
    """A request over HTTP/1.1, or as HTTP/1.0 asks."""

    def __init__(
        self,
        port: int,
        path: str,
        *,
        method: str = "GET",
        version: str = "1.1",
        headers: tuple[tuple[str, str], ...] = (),
        stalling: bool = False,
    ) -> None:
        self.seen = Seen()
        self._socket = connected(port, stalling=stalling)
        self._reads = READ if not stalling else 2**10
        self._parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=2**20)
        self._parser.send(h11.Request(method=method, target=path, headers=[("Host", "matrix")]))
        self._parser.send(h11.EndOfMessage())
        lines = [f"{method} {path} HTTP/{version}", "Host: matrix"]
        lines += [f"{name}: {value}" for name, value in headers]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())

    def read(self, least: int | None = None) -> Seen:
        while not self.seen.ending and (least is None or len(self.seen.body) < least):
            try:
                self._step()
            except h11.RemoteProtocolError:
                self.seen.ending = "cut"
        return self.seen

    def _step(self) -> None:
        event = self._parser.next_event()
        if event is h11.NEED_DATA:
            self._parser.receive_data(self._received())
        elif isinstance(event, h11.Response):
            self.seen.status = event.status_code
            self.seen.headers = {k.decode(): v.decode("latin-1") for k, v in event.headers}
        elif isinstance(event, h11.Data):
            self.seen.came(bytes(event.data))
        elif isinstance(event, h11.EndOfMessage):
            framed = {"content-length", "transfer-encoding"} & set(self.seen.headers)
            self.seen.ending = "whole" if framed else "closed"
        elif isinstance(event, h11.ConnectionClosed):
            self.seen.ending = "cut"

    def _received(self) -> bytes:
        try:
            return self._socket.recv(self._reads)
        except TimeoutError:
            self.seen.ending = "silence"
        except OSError:  # the server's RST
            self.seen.ending = "cut"
        return b""

    def leave(self, *, reset: bool = False) -> None:
        depart(self._socket, reset=reset)

    def shut_down(self) -> None:
        """Send a FIN, and go on reading."""
        self._socket.shutdown(socket.SHUT_WR)

    def stray(self) -> bytes:
        """What came after the end of the response: nothing should have."""
        data = bytes(self._parser.trailing_data[0])
        self._socket.settimeout(0.2)
        with suppress(OSError):
            data += self._socket.recv(READ)
        return data


class Http2:
    """A request over HTTP/2, in the clear, by prior knowledge.

    With `shut` it never opens the window of 64 KiB again.
    """

    def __init__(
        self,
        port: int,
        path: str,
        *,
        method: str = "GET",
        headers: tuple[tuple[str, str], ...] = (),
        stalling: bool = False,
        shut: bool = False,
    ) -> None:
        from h2.config import H2Configuration
        from h2.connection import H2Connection
        from h2.settings import SettingCodes

        self.seen = Seen()
        self._shut = shut
        self._socket = connected(port, stalling=stalling)
        self._protocol: Any = H2Connection(H2Configuration(header_encoding="utf-8"))
        self._protocol.initiate_connection()
        if not shut:  # then it is the connection that stalls, not the stream
            self._protocol.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: WINDOW})
            self._protocol.increment_flow_control_window(WINDOW)
        pseudo = [(":method", method), (":path", path), (":authority", "matrix")]
        head = [*pseudo, (":scheme", "http"), *((k.lower(), v) for k, v in headers)]
        self._protocol.send_headers(1, head, end_stream=True)
        self._socket.sendall(self._protocol.data_to_send())

    def read(self, least: int | None = None) -> Seen:
        while not self.seen.ending and (least is None or len(self.seen.body) < least):
            data = self._received()
            if not data:
                break
            for event in self._protocol.receive_data(data):
                self._take(event)
            with suppress(OSError):
                self._socket.sendall(self._protocol.data_to_send())
        return self.seen

    def _take(self, event: Any) -> None:
        kind = type(event).__name__
        if kind == "ResponseReceived":
            self.seen.headers = dict(event.headers)
            self.seen.status = int(self.seen.headers[":status"])
        elif kind == "DataReceived":
            self.seen.came(event.data)
            if not self._shut:
                self._protocol.acknowledge_received_data(event.flow_controlled_length, 1)
        elif kind == "StreamEnded":
            self.seen.ending = "whole"
        elif kind in ("StreamReset", "ConnectionTerminated"):
            self.seen.ending = self.seen.ending or "cut"

    def _received(self) -> bytes:
        data = b""
        self.seen.ending = "cut"
        try:
            data = self._socket.recv(READ)
        except TimeoutError:
            self.seen.ending = "silence"
        except OSError:  # the server's RST
            return b""
        if data:
            self.seen.ending = ""
        return data

    def leave(self, *, reset: bool = False) -> None:
        depart(self._socket, reset=reset)

    def cancel(self) -> None:
        """Leave the stream only, by RST_STREAM: the connection stays."""
        self._protocol.reset_stream(1, error_code=8)
        self._socket.sendall(self._protocol.data_to_send())

    def stray(self) -> bytes:
        """HTTP/2 has no room for it."""
        return b""


def curl(port: int, path: str, *options: str) -> Seen:
    """What curl says: 0 is a complete download, 22 a refusal."""
    patience = ("--max-time", str(PATIENCE))
    quiet = ("curl", "-s", "--fail", "--noproxy", "*", "-o", "-", *patience)
    url = f"http://127.0.0.1:{port}{path}"
    done = subprocess.run([*quiet, *options, url], capture_output=True, check=False)
    return Seen(body=bytearray(done.stdout), code=done.returncode)
