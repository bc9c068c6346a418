"""The connection of a request: found, looked at and broken, over real sockets."""

import os
import select
import socket
import struct
import sys
import threading
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from streamware.http import connection as module
from streamware.http.connection import Connection, from_environ, from_scope

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="skipped: needs /proc")
Pair = tuple[socket.socket, socket.socket]


def connected(family: int = socket.AF_INET, host: str = "127.0.0.1") -> Pair:
    """The client's end and the server's."""
    with socket.socket(family) as listening:
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listening.bind((host, 0))
        listening.listen()
        port = listening.getsockname()[1]
        client = socket.create_connection(("127.0.0.1" if host == "::" else host, port))
        return client, listening.accept()[0]


@pytest.fixture
def pair() -> Iterator[Pair]:
    client, server = connected()
    with client, server:
        yield client, server


def ends(pair: Pair) -> dict[str, Any]:
    """What a server puts into the environ."""
    host, port = pair[0].getsockname()[:2]
    own = pair[1].getsockname()[1]
    return {"REMOTE_ADDR": host, "REMOTE_PORT": str(port), "SERVER_PORT": str(own)}


def of(pair: Pair) -> Connection:
    found = from_environ(ends(pair))(False)
    assert found is not None
    return found


# Finding it


@pytest.mark.parametrize("key", ["gunicorn.socket", "werkzeug.socket"])
def test_some_servers_give_it(pair: Pair, key: str) -> None:
    found = from_environ({key: pair[1]})(False)
    assert found is not None
    found.cut()
    assert pair[0].recv(1) == b""


def test_uwsgi_gives_it(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    given = types.SimpleNamespace(connection_fd=pair[1].fileno)
    monkeypatch.setitem(sys.modules, "uwsgi", given)
    found = from_environ({"uwsgi.version": b"2"})(False)
    assert found is not None
    assert not found.has_left()


def test_others_have_it_among_the_descriptors_of_the_process(pair: Pair) -> None:
    of(pair).cut()
    assert pair[0].recv(1) == b""


@pytest.mark.parametrize(
    ("family", "host", "written"),
    [
        (socket.AF_INET6, "::1", "::1"),
        (socket.AF_INET6, "::1", "0:0:0:0:0:0:0:1"),
        (socket.AF_INET6, "::", "127.0.0.1"),
        (socket.AF_INET6, "::", "::ffff:127.0.0.1"),
    ],
)
def test_an_address_may_be_written_in_several_ways(family: int, host: str, written: str) -> None:
    client, server = connected(family, host)
    with client, server:
        assert from_environ({**ends((client, server)), "REMOTE_ADDR": written})(False) is not None


def test_a_scope_names_its_ends(pair: Pair) -> None:
    client, own = pair[0].getsockname(), pair[1].getsockname()
    found = from_scope({"client": client, "server": own})(False)
    assert found is not None
    found.cut()
    assert pair[0].recv(1) == b""


@pytest.mark.parametrize("version", ["2", "3"])
def test_a_connection_of_several_responses_is_left_alone(pair: Pair, version: str) -> None:
    client, own = pair[0].getsockname(), pair[1].getsockname()
    scope = {"client": client, "server": own}
    assert from_scope({**scope, "http_version": "1.1"})(False) is not None
    assert from_scope({**scope, "http_version": version})(False) is None


@pytest.mark.parametrize(
    "change",
    [
        {"REMOTE_PORT": "0"},  # uvicorn behind a proxy that names its client only
        {"REMOTE_PORT": None},
        {"REMOTE_PORT": "none"},
        {"REMOTE_ADDR": "127.0.0.2"},
        {"REMOTE_ADDR": ""},
        {"REMOTE_ADDR": "unix:"},
        {"REMOTE_ADDR": None},
        {"SERVER_PORT": "1"},
        {"SERVER_PORT": None},
    ],
)
def test_another_connection_is_never_taken_for_it(pair: Pair, change: dict[str, Any]) -> None:
    assert from_environ({**ends(pair), **change})(False) is None


@pytest.mark.parametrize(
    "scope",
    [
        {},
        {"client": None, "server": None},
        {"client": ("x", None)},
        {"client": ("x", None), "server": ("y", None)},
        {"client": ["127.0.0.1", 1], "server": iter(["127.0.0.1", 1])},
        {"client": "unix", "server": ("/tmp/socket", None)},
    ],
)
def test_a_scope_may_name_none(scope: dict[str, Any]) -> None:
    assert from_scope(scope)(False) is None


def test_a_connection_to_the_client_s_port_is_not_it(pair: Pair) -> None:
    """One that this process has made, as to a database on the client's host."""
    host, port = pair[1].getsockname()
    assert (
        from_environ({"REMOTE_ADDR": host, "REMOTE_PORT": port, "SERVER_PORT": port})(False) is None
    )


def test_a_descriptor_that_was_found_last_is_found_without_a_list(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server uses few numbers, and a list of all costs more than a small export."""
    other = connected()
    with other[0], other[1]:
        of(pair), of(other)
        monkeypatch.setattr(module, "_descriptors", lambda: pytest.fail("they were listed"))
        for found, client in ((of(pair), pair[0]), (of(other), other[0])):
            assert not found.has_left()
            client.close()
            assert found.has_left()


def test_a_number_that_has_another_connection_now_is_not_taken_for_it(pair: Pair) -> None:
    other = connected()
    with other[0], other[1]:
        of(pair)
        gone, number = ends(pair), pair[1].fileno()
        os.dup2(other[1].fileno(), number)
        assert from_environ(gone)(False) is None
        assert from_environ(gone)(True) is None
        assert of(other) is not None


def test_among_many_descriptors_only_those_found_last_are_looked_at_at_once(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FEW", 1)
    monkeypatch.setattr(module, "_last", [-1] * 8)
    asked = from_environ({**ends(pair), "waitress.client_disconnected": lambda: False})
    assert asked(True) is None
    found = asked(False)
    assert found is not None
    assert asked(True) is not None
    pair[0].close()
    assert found.has_left()


def test_sockets_are_not_touched_where_new_ones_have_a_timeout(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket.setdefaulttimeout(5)
    try:
        assert from_environ(ends(pair))(False) is None
        given = from_environ({"gunicorn.socket": pair[1]})(False)
        assert given is not None
        assert given.taken() is None
        assert os.get_blocking(pair[1].fileno())
    finally:
        socket.setdefaulttimeout(None)


def test_looking_changes_nothing_of_a_socket(pair: Pair) -> None:
    found = of(pair)
    assert not found.has_left()
    assert found.taken() == 0
    assert os.get_blocking(pair[1].fileno())
    assert pair[1].gettimeout() is None
    pair[0].sendall(b"x")
    assert pair[1].recv(10) == b"x"


# Whether the client has left


def depart(client: socket.socket, how: str) -> None:
    if how == "RST":
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if how == "half":
        client.shutdown(socket.SHUT_WR)
    else:
        client.close()


@pytest.mark.parametrize("how", ["FIN", "RST", "half"])
@pytest.mark.parametrize("unread", [b"", b"GET / HTTP/1.1\r\n\r\n"])
def test_a_client_that_has_left_is_seen(pair: Pair, how: str, unread: bytes) -> None:
    found = of(pair)
    pair[0].sendall(unread)
    assert not found.has_left()
    depart(pair[0], how)
    assert found.has_left()
    if how != "RST":
        assert pair[1].recv(100) == unread


def test_so_is_one_of_a_unix_socket() -> None:
    client, server = socket.socketpair()
    with client, server:
        found = from_environ({"gunicorn.socket": server})(False)
        assert found is not None
        assert not found.has_left()
        assert found.taken() is None
        client.close()
        assert found.has_left()


def test_a_connection_that_the_server_has_closed_is_left(pair: Pair) -> None:
    found = of(pair)
    number = pair[1].fileno()
    pair[1].close()
    assert found.has_left()
    one, other = socket.socketpair()  # one of them has the number now
    with one, other:
        assert number in (one.fileno(), other.fileno())
        assert found.has_left()
        assert found.taken() is None
        found.cut()
        one.sendall(b"x")
        assert other.recv(1) == b"x"


@pytest.mark.parametrize("told", [None, lambda: True])
@pytest.mark.parametrize("reused", [True, False])
def test_a_connection_that_is_closed_while_it_is_found_is_not_another_one(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, told: Any, reused: bool
) -> None:
    """The server closes it, and perhaps gets the next client under the same number."""
    other, next_of = connected()
    real, number = module._borrowed, pair[1].fileno()

    @contextmanager
    def borrowed(descriptor: int) -> Iterator[Any]:
        with real(descriptor) as made:
            yield made
        if descriptor == number:
            monkeypatch.setattr(module, "_borrowed", real)
            pair[1].close()
            if reused:
                os.dup2(next_of.fileno(), number)

    monkeypatch.setattr(module, "_borrowed", borrowed)
    with other, next_of:
        given = {} if told is None else {"waitress.client_disconnected": told}
        found = from_environ({**ends(pair), **given})(False)
        assert module._borrowed is real
        if found is not None:
            assert found.has_left()
            found.cut()
        next_of.sendall(b"x")
        assert other.recv(1) == b"x"
        if reused:
            os.close(number)


def test_what_a_server_has_closed_before_is_not_given() -> None:
    client, server = connected()
    client.close()
    server.close()
    assert from_environ({"gunicorn.socket": server})(False) is None


def test_waitress_says_it(pair: Pair) -> None:
    answers = iter([False, True])
    found = from_environ({"waitress.client_disconnected": lambda: next(answers)})(False)
    assert found is not None
    assert not found.has_left()
    assert found.has_left()
    found.cut()


def test_the_poll_of_gevent_is_not_used(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    real = select.poll
    patched = types.SimpleNamespace(get_original=lambda *_: real)
    monkeypatch.setitem(sys.modules, "gevent.monkey", patched)
    monkeypatch.delattr(select, "poll")
    found = of(pair)
    depart(pair[0], "FIN")
    assert found.has_left()


def test_without_poll_nothing_is_noticed(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_poll", lambda: None)
    found = of(pair)
    depart(pair[0], "FIN")
    assert not found.has_left()


# What it has taken


def test_what_a_client_reads_is_counted(pair: Pair) -> None:
    client, server = pair
    found = of(pair)
    server.setblocking(False)
    sent = 0
    try:
        while True:
            sent += server.send(b"x" * 2**16)
    except BlockingIOError:
        pass
    held = found.taken()
    assert held is not None
    assert held < sent
    left = held
    while left > 0:
        left -= len(client.recv(left))
    client.recv(2**16)
    for _ in range(100):
        if found.taken() != held:
            break
        client.recv(2**16)
    assert (found.taken() or 0) > held


# Breaking it


def test_a_send_that_is_blocked_fails(pair: Pair) -> None:
    _, server = pair
    failed: list[BaseException] = []

    def send() -> None:
        try:
            server.sendall(b"x" * 2**26)
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=send)
    thread.start()
    thread.join(0.2)
    assert thread.is_alive()
    of(pair).cut()
    thread.join(5)
    assert [type(error) for error in failed] == [BrokenPipeError]
    assert server.fileno() >= 0
