"""The same downloads from gunicorn and from uvicorn, over real connections.

Each serves the bare application, and the same within a middleware.
"""

import os
import socket
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
import pytest

from readers import calamine_rows, csv_rows, xml_rows, zip_rules
from servers.process import PATIENCE, ServerProcess, state

pytestmark = pytest.mark.servers
pytest.importorskip("flask")

ENDLESS = 10**9
GUNICORN = (
    *("-m", "gunicorn", "--bind", "127.0.0.1:{port}", "--worker-class", "gthread"),
    *("--threads", "8", "--graceful-timeout", "1"),
)
UVICORN = ("-m", "uvicorn", "--port", "{port}", "--timeout-graceful-shutdown", "1")
COMMANDS = {
    "gunicorn": (*GUNICORN, "apps.exports:wsgi"),
    "uvicorn": (*UVICORN, "apps.exports:asgi"),
    "gunicorn, wrapped": (*GUNICORN, "apps.exports:wrapped_wsgi"),
    "uvicorn, wrapped": (*UVICORN, "apps.exports:wrapped_asgi"),
}
ON_GUNICORN = pytest.mark.parametrize("started", ["gunicorn", "gunicorn, wrapped"], indirect=True)
ON_UVICORN = pytest.mark.parametrize("started", ["uvicorn", "uvicorn, wrapped"], indirect=True)
WRAPPED = pytest.mark.parametrize(
    "started", ["gunicorn, wrapped", "uvicorn, wrapped"], indirect=True
)
AT_ONCE = 6
READERS: dict[str, Callable[[bytes], list[Any]]] = {
    "csv": csv_rows,
    "xml": xml_rows,
    "xlsx": calamine_rows,
}


class Server(ServerProcess):
    """A server of `apps.exports`.

    Attributes:
        temporary: Its directory for temporary files.
        scratch: Its directory for scratch.
    """

    def __init__(self, name: str, folder: Path) -> None:
        pytest.importorskip(name.partition(",")[0])
        self.temporary = folder / "temporary"
        self.scratch = folder / "scratch"
        for made in (self.temporary, self.scratch):
            made.mkdir(mode=0o700)
        environment = {
            "TMPDIR": str(self.temporary),
            "STREAMWARE_SCRATCH_DIR": str(self.scratch),
            "STREAMWARE_KEEP_FREE_BYTES": "0",
            "STREAMWARE_MAX_CONCURRENT": str(AT_ONCE),
            "STREAMWARE_WAIT_SECONDS": "0.2",
        }
        super().__init__(COMMANDS[name], folder, environment, ready="/state")

    def names(self) -> list[str]:
        """The files that it has, temporary or scratch; what goes meanwhile is gone."""
        walks = (os.walk(folder) for folder in (self.temporary, self.scratch))
        return [name for walk in walks for _, _, names in walk for name in names]


@pytest.fixture(scope="module", params=COMMANDS)
def started(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    with Server(request.param, tmp_path_factory.mktemp(request.param)) as made:
        yield made


@pytest.fixture
def server(started: Server) -> Iterator[Server]:
    with started.client() as client:
        client.get("/reset")
    yield started
    assert list(started.temporary.iterdir()) == []
    assert started.names() == []


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with server.client() as made:
        yield made


def read(response: httpx.Response, into: bytearray) -> None:
    for chunk in response.iter_raw():
        into += chunk


@pytest.mark.parametrize("format_", READERS)
def test_a_download_arrives_complete(client: httpx.Client, format_: str) -> None:
    response = client.get("/orders", params={"format": format_, "rows": 50_000})
    rows = READERS[format_](response.content)
    assert response.status_code == 200
    assert len(rows) == 50_000 + (format_ != "xml")
    assert f"orders.{format_}" in response.headers["content-disposition"]
    assert [str(cell) for cell in (rows[-1].values() if format_ == "xml" else rows[-1])][1:] == [
        "Müller & Söhne 50000",
        "6250.0",
    ]
    if format_ == "xlsx":
        zip_rules(response.content)


@pytest.mark.parametrize("format_", READERS)
def test_first_bytes_arrive_while_rows_are_read(
    client: httpx.Client, server: Server, format_: str
) -> None:
    asked: dict[str, Any] = {"format": format_, "rows": 40_000, "hold": 20_000}
    with client.stream("GET", "/orders", params=asked) as response:
        chunks = response.iter_raw()
        data = next(chunks)
        seen = state(client, "pulled")
        assert data
        assert seen["pulled"] < 20_000
        assert (seen["opened"], seen["closed"]) == (1, 0)
        assert server.names() == []
        client.get("/release")
        data += b"".join(chunks)
    assert len(READERS[format_](data)) == 40_000 + (format_ != "xml")


def test_a_compressed_download_arrives_complete(client: httpx.Client) -> None:
    gzip = {"Accept-Encoding": "gzip"}
    response = client.get("/orders", params={"format": "csv", "rows": 50_000}, headers=gzip)
    assert response.headers["content-encoding"] == "gzip"
    assert len(csv_rows(response.content)) == 50_001


def test_six_downloads_at_once_arrive_complete(server: Server) -> None:
    def download(at: int) -> int:
        with server.client() as own:
            return len(csv_rows(own.get("/orders?format=csv&rows=10000").content))

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(download, range(6))) == [10_001] * 6


@pytest.mark.parametrize("format_", READERS)
def test_a_source_that_fails_later_breaks_the_transfer(client: httpx.Client, format_: str) -> None:
    asked: dict[str, Any] = {"format": format_, "rows": ENDLESS, "fail": 150_000}
    data = bytearray()
    with client.stream("GET", "/orders", params=asked) as response:
        assert response.status_code == 200
        with pytest.raises(httpx.RemoteProtocolError):
            read(response, data)
    assert len(data) > 2**20
    assert not zipfile.is_zipfile(BytesIO(data))
    assert b"secret" not in data
    assert state(client, "closed")["closed"] == 1


@pytest.mark.parametrize("format_", READERS)
def test_a_source_that_fails_at_once_is_a_500(client: httpx.Client, format_: str) -> None:
    response = client.get("/orders", params={"format": format_, "fail": 1})
    assert response.status_code == 500
    assert "secret" not in response.text
    assert "content-disposition" not in response.headers
    assert state(client, "closed")["closed"] == 1


def test_head_opens_nothing(client: httpx.Client) -> None:
    response = client.head("/orders?format=xlsx")
    assert response.status_code == 200
    assert "orders.xlsx" in response.headers["content-disposition"]
    assert response.content == b""
    assert client.get("/state").json()["opened"] == 0


@pytest.mark.parametrize("format_", READERS)
def test_rows_are_closed_within_a_second_when_the_client_leaves(
    client: httpx.Client, server: Server, format_: str
) -> None:
    with server.client() as leaving:
        asked: dict[str, Any] = {"format": format_, "rows": ENDLESS}
        with leaving.stream("GET", "/orders", params=asked) as response:
            chunks = response.iter_raw()  # dropped, it would close the response
            next(chunks)
    left = monotonic()
    seen = state(client, "closed")
    assert (seen["opened"], seen["closed"]) == (1, 1)
    assert seen["closed_at"] - left < 1


def test_rows_are_closed_within_a_second_after_the_pull_that_was_under_way(
    client: httpx.Client, server: Server
) -> None:
    with server.client() as leaving:
        asked: dict[str, Any] = {"format": "csv", "rows": ENDLESS, "hold": 5000}
        with leaving.stream("GET", "/orders", params=asked) as response:
            chunks = response.iter_raw()
            next(chunks)
            seen = state(client, "held")
    sleep(0.2)
    assert (seen["held"], client.get("/state").json()["closed"]) == (1, 0)
    released = monotonic()
    client.get("/release")
    seen = state(client, "closed")
    assert seen["closed"] == 1
    assert seen["closed_at"] - released < 1


@ON_GUNICORN
def test_flask_tears_down_once_after_every_download(client: httpx.Client) -> None:
    for _ in range(3):
        client.get("/orders?format=csv")
    seen = state(client, "torn_down")
    assert (seen["opened"], seen["closed"], seen["torn_down"]) == (3, 3, 3)


@ON_UVICORN
def test_async_rows_are_closed_within_a_second_when_the_client_leaves(
    client: httpx.Client, server: Server
) -> None:
    with (
        server.client() as leaving,
        leaving.stream("GET", f"/async?format=csv&rows={ENDLESS}") as response,
    ):
        chunks = response.iter_raw()  # dropped, it would close the response
        next(chunks)
    left = monotonic()
    seen = state(client, "closed")
    assert seen["closed"] == 1
    assert seen["closed_at"] - left < 1


def test_a_bill_is_paid_though_the_client_left(client: httpx.Client, server: Server) -> None:
    with socket.create_connection(server.address) as leaving:
        leaving.sendall(b"POST /bill HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n12")
        assert state(client, "held")["held"] == 1
    sleep(0.2)
    client.get("/release")
    assert state(client, "paid")["paid"] == 1


def test_an_export_too_many_is_told_to_come_again(client: httpx.Client, server: Server) -> None:
    asked: dict[str, Any] = {"format": "csv", "rows": 20_000, "hold": 10_000}

    def download(at: int) -> int:
        with server.client() as own:
            return own.get("/orders", params=asked).status_code

    with ThreadPoolExecutor(AT_ONCE) as pool:
        under_way = pool.map(download, range(AT_ONCE))
        end = monotonic() + PATIENCE
        while client.get("/state").json()["held"] < AT_ONCE and monotonic() < end:
            sleep(0.01)
        response = client.get("/orders?format=csv")
        client.get("/release")
        assert list(under_way) == [200] * AT_ONCE
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0
    assert client.get("/orders?format=csv").status_code == 200


@WRAPPED
def test_scratch_of_any_response_is_gone_when_the_client_leaves(
    client: httpx.Client, server: Server
) -> None:
    for _ in range(3):
        with server.client() as leaving, leaving.stream("GET", "/scratch") as response:
            chunks = response.iter_raw()  # dropped, it would close the response
            next(chunks)
            assert len(server.names()) == 1
        left = monotonic()
        while server.names() and monotonic() - left < PATIENCE:
            sleep(0.005)
        assert monotonic() - left < 1
    assert state(client, "opened")["opened"] == 3
