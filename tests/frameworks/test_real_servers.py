"""Litestar, Falcon and Quart on real servers: what a client sees, and when rows are closed."""

import re
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
import pytest

from readers import calamine_rows, csv_rows, xml_rows
from servers.process import ServerProcess, state

pytestmark = pytest.mark.servers
for framework in ("litestar", "falcon", "quart", "flask"):
    pytest.importorskip(framework)

ENDLESS = 10**9
UVICORN = ("uvicorn", "--timeout-graceful-shutdown", "1", "--port", "{port}")
HYPERCORN = ("hypercorn", "--graceful-timeout", "1", "--bind", "127.0.0.1:{port}")
GTHREAD = ("--worker-class", "gthread", "--threads", "8", "--graceful-timeout", "1")
GUNICORN = ("gunicorn", *GTHREAD, "--bind", "127.0.0.1:{port}")
COMMANDS = {
    "uvicorn, litestar": (*UVICORN, "apps.built:litestar_app"),
    "hypercorn, litestar": (*HYPERCORN, "apps.built:litestar_app"),
    "gunicorn, falcon": (*GUNICORN, "apps.built:falcon_app"),
    "uvicorn, falcon": (*UVICORN, "apps.built:falcon_asgi_app"),
    "hypercorn, falcon": (*HYPERCORN, "apps.built:falcon_asgi_app"),
    "uvicorn, quart": (*UVICORN, "apps.built:quart_app"),
    "hypercorn, quart": (*HYPERCORN, "apps.built:quart_app"),
}
READERS: dict[str, Callable[[bytes], list[Any]]] = {
    "csv": csv_rows,
    "xml": xml_rows,
    "xlsx": calamine_rows,
}


class Server(ServerProcess):
    """A server of one framework's application.

    Attributes:
        asgi: Whether it serves ASGI.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.asgi = "gunicorn" not in name
        pytest.importorskip(COMMANDS[name][0])
        super().__init__(("-m", *COMMANDS[name]), folder, ready="/state")


@pytest.fixture(scope="module", params=COMMANDS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp(re.sub(r"\W+", "-", request.param))
    with Server(request.param, folder) as made:
        yield made


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with server.client() as made:
        made.get("/reset")
        yield made


def read(response: httpx.Response, into: bytearray) -> None:
    for chunk in response.iter_raw():
        into += chunk


@pytest.mark.parametrize("format_", READERS)
def test_a_download_arrives_complete(client: httpx.Client, format_: str) -> None:
    response = client.get("/orders", params={"format": format_, "rows": 20_000})
    assert response.status_code == 200
    assert len(READERS[format_](response.content)) == 20_000 + (format_ != "xml")
    assert f"orders.{format_}" in response.headers["content-disposition"]


def test_async_rows_arrive_complete(server: Server, client: httpx.Client) -> None:
    path = "/async" if server.asgi else "/orders"
    assert len(csv_rows(client.get(f"{path}?rows=20000").content)) == 20_001


def test_a_format_that_is_not_offered_is_a_406(client: httpx.Client) -> None:
    response = client.get("/orders?format=pdf")
    assert (response.status_code, response.text) == (
        406,
        "Not Acceptable. There are: csv, xml, xlsx\n",
    )


def test_head_opens_nothing(client: httpx.Client) -> None:
    response = client.head("/orders?format=xlsx")
    assert response.status_code == 200
    assert "orders.xlsx" in response.headers["content-disposition"]
    assert "content-length" not in response.headers
    assert client.get("/state").json()["opened"] == 0


def test_rows_that_fail_at_once_are_a_500(client: httpx.Client) -> None:
    response = client.get("/orders?fail=1")
    assert response.status_code == 500
    assert "secret" not in response.text
    assert state(client, "closed")["closed"] == 1


@pytest.mark.parametrize("format_", READERS)
def test_rows_that_fail_later_break_the_transfer(client: httpx.Client, format_: str) -> None:
    asked: dict[str, Any] = {"format": format_, "rows": ENDLESS, "fail": 150_000}
    data = bytearray()
    with (
        client.stream("GET", "/orders", params=asked) as response,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        read(response, data)
    assert len(data) > 2**20
    assert not zipfile.is_zipfile(BytesIO(data))
    assert b"secret" not in data
    assert state(client, "closed")["closed"] == 1


@pytest.mark.parametrize("format_", READERS)
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_rows_are_closed_within_a_second_when_the_client_leaves(
    server: Server, client: httpx.Client, kind: str, format_: str
) -> None:
    path = "/async" if kind == "async" and server.asgi else "/orders"
    asked: dict[str, Any] = {"format": format_, "rows": ENDLESS}
    with server.client() as leaving, leaving.stream("GET", path, params=asked) as response:
        chunks = response.iter_raw()  # dropped, it would close the response
        next(chunks)
    left = monotonic()
    seen = state(client, "closed")
    assert (seen["opened"], seen["closed"]) == (1, 1)
    assert seen["closed_at"] - left < 1


def test_rows_are_closed_within_a_second_after_the_pull_that_was_under_way(
    server: Server, client: httpx.Client
) -> None:
    asked: dict[str, Any] = {"rows": ENDLESS, "hold": 5000}
    with server.client() as leaving, leaving.stream("GET", "/orders", params=asked) as response:
        chunks = response.iter_raw()  # which would leave as soon as it is dropped
        next(chunks)
        assert state(client, "held")["held"] == 1
    sleep(0.2)
    assert client.get("/state").json()["closed"] == 0
    released = monotonic()
    client.get("/release")
    seen = state(client, "closed")
    assert seen["closed"] == 1
    assert seen["closed_at"] - released < 1


@pytest.mark.parametrize("server", [n for n in COMMANDS if n[0] == "h"], indirect=True)
def test_over_http2_rows_are_closed_within_a_second_when_a_client_that_takes_nothing_leaves(
    server: Server, client: httpx.Client
) -> None:
    pytest.importorskip("h2")
    asked: dict[str, Any] = {"rows": ENDLESS}
    with server.client(http2=True) as leaving:
        with leaving.stream("GET", "/orders", params=asked) as response:
            chunks = response.iter_raw()
            next(chunks)
            sleep(0.3)  # until the window of the stream is full, and sending blocks
        assert response.http_version == "HTTP/2"
    left = monotonic()
    seen = state(client, "closed")
    assert seen["closed"] == 1
    assert seen["closed_at"] - left < 1


def test_a_client_that_leaves_is_no_error_in_the_log(server: Server, client: httpx.Client) -> None:
    before = server.log()
    for _ in range(3):
        asked: dict[str, Any] = {"rows": ENDLESS}
        with server.client() as leaving, leaving.stream("GET", "/orders", params=asked) as response:
            chunks = response.iter_raw()  # dropped, it would close the response
            next(chunks)
        state(client, "closed")
        client.get("/reset")
    assert "Traceback" not in server.log().removeprefix(before)
