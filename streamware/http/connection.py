"""Connection: the socket of a client, although the server keeps it to itself.

Some WSGI servers put it into the environ.  Any other is found among the descriptors of this
process by its two ends, which no other connection has.  Other threads may close it at any moment,
and its number may be given to another file.  So each use checks that it is still the same file.

Source: Linux, `tcp(7)`, `poll(2)`, `struct tcp_info`.
"""

from __future__ import annotations

import _socket  # no library replaces it, as gevent does with `socket`
import os
import select
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from streamware.scratch.forks import identity, still

_GIVEN = ("gunicorn.socket", "werkzeug.socket")
_REPORTED = "waitress.client_disconnected"
_FOLDERS = ("/proc/self/fd", "/dev/fd")
_UNKNOWN = -1, (0, 0)  # a descriptor, and what its file is known by
_FEW = 256  # descriptors, among which a connection is found in about a millisecond
_SHARED = ("2", "2.0", "3", "3.0")  # versions of HTTP with which responses share a connection
_last = [-1] * 8
"""Descriptors of connections found last: a server uses the same numbers again and again."""
_RDHUP = getattr(select, "POLLRDHUP", 0)  # the client has closed its end; Linux only
_GONE = _RDHUP | getattr(select, "POLLHUP", 0) | getattr(select, "POLLERR", 0)
_TCP_INFO = getattr(_socket, "TCP_INFO", None) if sys.platform == "linux" else None
_ACKED = slice(120, 128)  # of `struct tcp_info`: tcpi_bytes_acked, since Linux 4.1


class Connection:
    """A connected socket of the server; its methods never block and never raise.

    Args:
        descriptor: Its descriptor, which the server closes; -1 if it is not known.
        known: The identity of its file.
        reported: Returns whether the server knows that the client has left.
    """

    __slots__ = ("_descriptor", "_identity", "_reported")

    def __init__(
        self, descriptor: int, known: tuple[int, int], reported: Callable[[], object] | None = None
    ) -> None:
        self._descriptor = descriptor
        self._identity = known
        self._reported = reported

    def has_left(self) -> bool:
        """Return whether the client has closed its end, or the server the connection.

        A client that has only shut down its sending half has left, too, as servers see it.
        """
        if self._reported is not None and self._reported():
            return True
        if self._descriptor < 0 or (poll := _poll()) is None:
            return False
        if not still(self._descriptor, self._identity):
            return True
        with suppress(OSError):
            poller = poll()
            poller.register(self._descriptor, _RDHUP)
            return any(event & _GONE for _, event in poller.poll(0))
        return False

    def taken(self) -> int | None:
        """Return how many bytes the client's system has taken so far; None if it is not known."""
        if _TCP_INFO is None:
            return None
        with suppress(OSError), _borrowed(self._descriptor) as borrowed:
            info = borrowed.getsockopt(_socket.IPPROTO_TCP, _TCP_INFO, _ACKED.stop)
            if len(info) == _ACKED.stop and still(self._descriptor, self._identity):
                return int.from_bytes(info[_ACKED], sys.byteorder)
        return None

    def cut(self) -> None:
        """Break it: the server's calls fail, also one that is blocked."""
        with suppress(OSError):
            copy = os.dup(self._descriptor)
            try:
                if still(copy, self._identity):
                    with _borrowed(copy) as borrowed:
                        borrowed.shutdown(_socket.SHUT_RDWR)
            finally:
                os.close(copy)


Find = Callable[[bool], Connection | None]
"""Finds a connection; if the argument is True, only where that takes no time.

None means that nothing is known, or that it would have taken time.
"""


def from_environ(environ: Mapping[str, Any]) -> Find:
    """Return what finds the connection of a WSGI request; call this on the request's thread."""
    descriptor = -1
    with suppress(Exception):  # of a server that has changed
        if "uwsgi.version" in environ:
            descriptor = sys.modules["uwsgi"].connection_fd()
        else:
            given = (environ[key] for key in _GIVEN if key in environ)
            descriptor = next((socket.fileno() for socket in given), -1)
    if descriptor >= 0:
        with suppress(OSError):
            known = Connection(descriptor, identity(os.fstat(descriptor)))
            return lambda _: known
    client = environ.get("REMOTE_ADDR"), environ.get("REMOTE_PORT")
    port, reported = environ.get("SERVER_PORT"), environ.get(_REPORTED)
    return lambda quickly: _find(client, port, quickly, reported)


def from_scope(scope: Mapping[str, Any]) -> Find:
    """Return what finds the connection of an ASGI request.

    Over HTTP/2 it is not looked for: it has other responses, which it would break, and whose bytes
    would hide that the client takes nothing of this one.
    """
    if str(scope.get("http_version")) in _SHARED:
        return lambda _: None
    client, server = scope.get("client"), scope.get("server")
    ends = [end if isinstance(end, (list, tuple)) else () for end in (client, server)]
    if any(len(end) != len(("host", "port")) for end in ends):  # falcon's test client has iterators
        return lambda _: None
    return lambda quickly: _find((ends[0][0], ends[0][1]), ends[1][1], quickly)


def _find(
    client: tuple[Any, Any],
    port: Any,
    quickly: bool,
    reported: Callable[[], object] | None = None,
) -> Connection | None:
    """Return the connection of a client to a port of this process; None if nothing is known."""
    descriptor, known = _find_descriptor(client, port, _FEW if quickly else None)
    if descriptor < 0 and (reported is None or quickly):
        return None
    return Connection(descriptor, known, reported)


def _find_descriptor(
    client: tuple[Any, Any], port: Any, most: int | None
) -> tuple[int, tuple[int, int]]:
    """Return the descriptor of a connection and the identity of its file; -1 if it is unknown.

    Args:
        client: The address and the port of the client.
        port: That of this process.
        most: Look at the connections found last only, if the process has more descriptors; None if
            it may have any number.
    """
    try:
        peer, own = (str(client[0]), int(client[1])), int(port)
    except (TypeError, ValueError):  # a Unix socket, or a proxy that named its client only
        return _UNKNOWN
    found = _with_ends(_last, peer, own)
    if found is None:
        descriptors = _descriptors()
        if most is None or len(descriptors) <= most:
            found = _with_ends(descriptors, peer, own)
    return found or _UNKNOWN


def _with_ends(
    descriptors: Iterable[int], peer: tuple[str, int], own: int
) -> tuple[int, tuple[int, int]] | None:
    """Return which of these descriptors is that connection, and the identity of its file."""
    for descriptor in descriptors:
        if descriptor < 0:
            continue
        with suppress(OSError):
            status = os.fstat(descriptor)
            if stat.S_ISSOCK(status.st_mode) and _has_ends(descriptor, peer, own):
                known = identity(status)
                _last[descriptor % len(_last)] = descriptor
                # Else it was closed in between, and these are the ends of another connection.
                return (descriptor, known) if still(descriptor, known) else _UNKNOWN
    return None


def _has_ends(descriptor: int, peer: tuple[str, int], own: int) -> bool:
    """Return whether a socket connects an address with a port of this process."""
    with _borrowed(descriptor) as borrowed:
        name = borrowed.getpeername()
        # The ports first: they differ for nearly all, and are compared at once.
        if not isinstance(name, tuple) or name[1:2] != peer[1:]:
            return False
        same = name[0] == peer[0] or _host(name[0]) == _host(peer[0]) is not None
        return same and borrowed.getsockname()[1] == own


def _descriptors() -> list[int]:
    for folder in _FOLDERS:
        with suppress(OSError):
            return [int(name) for name in os.listdir(folder)]  # noqa: PTH208 - of this process
    return []


def _host(written: str) -> IPv4Address | IPv6Address | None:
    """Return an IP address, however it is written; None if it is none."""
    try:
        host = ip_address(written.partition("%")[0])
    except ValueError:
        return None
    return getattr(host, "ipv4_mapped", None) or host


@contextmanager
def _borrowed(descriptor: int) -> Iterator[Any]:
    """Yield a socket object for a descriptor that belongs to other code.

    It never closes the descriptor, and changes nothing of the socket.

    Raises:
        OSError: It is no socket; or new socket objects get a timeout, which would make the socket
            itself non-blocking.
    """
    if _socket.getdefaulttimeout() is not None:
        raise OSError("new sockets have a timeout")
    borrowed = _socket.socket(fileno=descriptor)
    try:
        yield borrowed
    finally:
        borrowed.detach()


def _poll() -> Any:
    """Return the system's `poll`, although gevent or eventlet has replaced it; None without."""
    if (gevent := sys.modules.get("gevent.monkey")) is not None:
        return gevent.get_original("select", "poll")
    if (eventlet := sys.modules.get("eventlet.patcher")) is not None:
        return eventlet.original("select").poll
    return getattr(select, "poll", None)
