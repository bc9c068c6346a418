"""Jobs on real servers: their files, clients that leave or take nothing, many at once."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from servers.process import PATIENCE, ServerProcess
from servers.setups import GRANIAN, GUNICORN, HYPERCORN, UVICORN

pytestmark = pytest.mark.servers

SERVERS = {
    "gunicorn": (*GUNICORN, "gthread", "--threads", "4", "servers.job_app:wsgi"),
    "waitress": ("-m", "waitress", "--listen", "127.0.0.1:{port}", "servers.job_app:wsgi"),
    "uvicorn": (*UVICORN, "servers.job_app:asgi"),
    "hypercorn": (*HYPERCORN, "servers.job_app:asgi"),
    "granian": (*GRANIAN, "--interface", "asgi", "servers.job_app:asgi"),
}
ROWS = 300_000


@pytest.fixture(scope="module", params=list(SERVERS))
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    pytest.importorskip(request.param, reason=f"skipped: needs {request.param}")
    folder = tmp_path_factory.mktemp(request.param)
    with ServerProcess(SERVERS[request.param], folder, ready="/ping") as running:
        yield running


@pytest.fixture(scope="module")
def done(server: ServerProcess) -> dict[str, Any]:
    """The status of a job that is done."""
    with server.client() as client:
        started = client.post(f"/orders?count={ROWS}")
        assert started.status_code == 202
        return wait(client, started.headers["location"])


def wait(client: Any, location: str, state: str = "done") -> dict[str, Any]:
    end = monotonic() + PATIENCE
    while (status := client.get(location).json())["state"] != state:
        assert monotonic() < end, status
        sleep(0.05)
    return dict(status)


def descriptors(server: ServerProcess) -> int:
    """How many files of the store the server and its workers have open."""
    group = server.process.pid
    count = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if int((process / "stat").read_text().rpartition(")")[2].split()[2]) != group:
                continue
            links = [link.readlink().name for link in (process / "fd").iterdir()]
        except OSError:
            continue
        count += sum(name.endswith((".csv", ".csv (deleted)")) for name in links)
    return count


def test_the_file_is_what_its_digest_says(server: ServerProcess, done: dict[str, Any]) -> None:
    with server.client() as client:
        file = client.get(done["links"]["file"])
        assert hashlib.sha256(file.content).hexdigest() == done["sha256"]
        assert int(file.headers["content-length"]) == done["size"] == len(file.content)
        head = client.head(done["links"]["file"])
        assert (head.headers["content-length"], head.content) == (str(done["size"]), b"")
        same = client.get(done["links"]["file"], headers={"If-None-Match": file.headers["etag"]})
        assert same.status_code == 304


def test_a_broken_download_is_resumed(server: ServerProcess, done: dict[str, Any]) -> None:
    data = b""
    with server.client() as client:
        with client.stream("GET", done["links"]["file"]) as file:
            etag = file.headers["etag"]
            for chunk in file.iter_raw():
                data += chunk
                if len(data) > 100_000:
                    break
        headers = {"Range": f"bytes={len(data)}-", "If-Range": etag}
        rest = client.get(done["links"]["file"], headers=headers)
        assert rest.status_code == 206
    assert hashlib.sha256(data + rest.content).hexdigest() == done["sha256"]


def ask_and_take_little(server: ServerProcess, path: str) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(PATIENCE)
    connection.connect(server.address)
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    return connection


def until_closed(server: ServerProcess) -> None:
    end = monotonic() + PATIENCE
    while descriptors(server):
        assert monotonic() < end, "a file stays open"
        sleep(0.05)


def test_when_a_client_leaves_the_file_is_closed(
    server: ServerProcess, done: dict[str, Any]
) -> None:
    for _ in range(3):
        ask_and_take_little(server, done["links"]["file"]).close()
    until_closed(server)


def test_a_client_that_takes_nothing_is_left(server: ServerProcess, done: dict[str, Any]) -> None:
    with ask_and_take_little(server, done["links"]["file"]):
        until_closed(server)


def test_many_cancel_at_once(server: ServerProcess) -> None:
    with server.client() as client:
        location = client.post("/orders?count=100000000").headers["location"]
        wait(client, location, "running")
        with ThreadPoolExecutor(8) as pool:
            codes = set(pool.map(lambda _: client.delete(location).status_code, range(16)))
        assert codes <= {200, 202}
        status = wait(client, location, "cancelled")
        assert "file" not in status["links"]
        assert client.get(f"{location}/file").status_code == 409


HOSTILE = [
    b"GET /exports/%2e%2e%2f%2e%2e%2fetc%2fpasswd HTTP/1.1\r\nHost: x\r\n",
    b"GET /exports/a%00b%00c%00d%00e%00f%00g%00 HTTP/1.1\r\nHost: x\r\n",
    b"GET /exports/%ff%fe%fd%fc%fb%fa%f9%f8 HTTP/1.1\r\nHost: x\r\n",
    b"GET /exports/" + b"a" * 3000 + b" HTTP/1.1\r\nHost: x\r\n",
    b"DELETE /exports/%27%20OR%201=1--%20%20%20 HTTP/1.1\r\nHost: x\r\n",
    b"GET /exports/AAAAAAAAAAAAAAAAAAAAAA/file HTTP/1.1\r\nHost: x\r\nRange: bytes="
    + b"0-," * 999
    + b"\r\n",
]


@pytest.mark.parametrize("asked", HOSTILE, ids=lambda asked: asked[:30].decode())
def test_hostile_requests_find_nothing(server: ServerProcess, asked: bytes) -> None:
    with socket.create_connection(server.address, PATIENCE) as connection:
        connection.sendall(asked + b"Connection: close\r\n\r\n")
        status = connection.recv(1000).split(b" ")[1]
    assert status in {b"404", b"400"}
