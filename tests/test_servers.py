"""The same downloads from gunicorn and from uvicorn, over real connections."""

import os
import re
import subprocess
import sys
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

pytestmark = pytest.mark.servers
pytest.importorskip("flask")

HERE = Path(__file__).parent
PATIENCE = 30
ENDLESS = 10**9
COMMANDS = {
    "gunicorn": (
        *("-m", "gunicorn", "--bind", "127.0.0.1:0", "--worker-class", "gthread"),
        *("--threads", "8", "--graceful-timeout", "1", "served:wsgi"),
    ),
    "uvicorn": ("-m", "uvicorn", "--port", "0", "--timeout-graceful-shutdown", "1", "served:asgi"),
}
READERS: dict[str, Callable[[bytes], list[Any]]] = {
    "csv": csv_rows,
    "xml": xml_rows,
    "xlsx": calamine_rows,
}


class Server:
    """A server in a process of its own.

    Attributes:
        scratch: Its directory for temporary files.
        log: What it has to say.
    """

    def __init__(self, name: str, folder: Path) -> None:
        pytest.importorskip(name)
        self.scratch = folder / "scratch"
        self.scratch.mkdir()
        self.log = folder / "log"
        paths = os.pathsep.join(map(str, (HERE, HERE.parent)))
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *COMMANDS[name]],
                cwd=folder,
                env=os.environ
                | {"HOME": str(folder), "PYTHONPATH": paths, "TMPDIR": str(self.scratch)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            self.url = self._listening()
        except BaseException:
            self.stop()
            raise

    def _listening(self) -> str:
        end = monotonic() + PATIENCE
        while monotonic() < end and self.process.poll() is None:
            if found := re.search(r"http://127\.0\.0\.1:[1-9]\d*", self.log.read_text()):
                return found[0]
            sleep(0.02)
        raise AssertionError(f"no server: {self.log.read_text()}")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE)

    def client(self) -> httpx.Client:
        return httpx.Client(
            base_url=self.url,
            headers={"Accept-Encoding": "identity"},
            limits=httpx.Limits(max_keepalive_connections=0),  # none that a 500 has closed
            timeout=PATIENCE,
            trust_env=False,
        )


@pytest.fixture(scope="module", params=COMMANDS)
def started(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    made = Server(request.param, tmp_path_factory.mktemp(request.param))
    yield made
    made.stop()


@pytest.fixture
def server(started: Server) -> Iterator[Server]:
    with started.client() as client:
        client.get("/reset")
    yield started
    assert list(started.scratch.iterdir()) == []


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with server.client() as made:
        yield made


def read(response: httpx.Response, into: bytearray) -> None:
    for chunk in response.iter_raw():
        into += chunk


def state(client: httpx.Client, until: str = "opened", patience: float = 5.0) -> Any:
    """The counters of the source, once the one called `until` is not zero."""
    end = monotonic() + patience
    while not (found := client.get("/state").json())[until] and monotonic() < end:
        sleep(0.01)
    return found


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
        assert list(server.scratch.iterdir()) == []
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
            next(response.iter_raw())
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


@pytest.mark.parametrize("started", ["gunicorn"], indirect=True)
def test_flask_tears_down_once_after_every_download(client: httpx.Client) -> None:
    for _ in range(3):
        client.get("/orders?format=csv")
    seen = state(client, "torn_down")
    assert (seen["opened"], seen["closed"], seen["torn_down"]) == (3, 3, 3)


@pytest.mark.parametrize("started", ["uvicorn"], indirect=True)
def test_async_rows_are_closed_within_a_second_when_the_client_leaves(
    client: httpx.Client, server: Server
) -> None:
    with (
        server.client() as leaving,
        leaving.stream("GET", f"/async?format=csv&rows={ENDLESS}") as response,
    ):
        next(response.iter_raw())
    left = monotonic()
    seen = state(client, "closed")
    assert seen["closed"] == 1
    assert seen["closed_at"] - left < 1
