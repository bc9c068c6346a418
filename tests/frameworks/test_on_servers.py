"""`ExportResponse` of Starlette, FastAPI, Flask and Django on real servers."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
import pytest

from readers import calamine_rows, csv_rows, xml_rows
from servers.process import ServerProcess, state

pytestmark = pytest.mark.servers
for framework in ("django", "fastapi", "flask", "starlette"):
    pytest.importorskip(framework)

ENDLESS = 10**9
UVICORN = ("uvicorn", "--timeout-graceful-shutdown", "1", "--port", "{port}")
GTHREAD = ("--worker-class", "gthread", "--threads", "8", "--graceful-timeout", "1")
GUNICORN = ("gunicorn", *GTHREAD, "--bind", "127.0.0.1:{port}")
GRANIAN = ("granian", "--interface", "asgi", "--port", "{port}")
COMMANDS = {
    "starlette, uvicorn": (*UVICORN, "apps.responses:starlette_app"),
    "fastapi, uvicorn": (*UVICORN, "apps.responses:fastapi_app"),
    "fastapi, granian": (*GRANIAN, "apps.responses:fastapi_app"),
    "flask, gunicorn": (*GUNICORN, "apps.responses:flask_app"),
    "django, gunicorn": (*GUNICORN, "apps.responses:django_application"),
    "django, uvicorn": (*UVICORN, "apps.responses:django_app"),
    "django, granian": (*GRANIAN, "apps.responses:django_app"),
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


@pytest.mark.parametrize("format_", READERS)
def test_a_download_arrives_complete(client: httpx.Client, format_: str) -> None:
    response = client.get("/orders", params={"format": format_, "rows": 20_000})
    assert response.status_code == 200
    assert len(READERS[format_](response.content)) == 20_000 + (format_ != "xml")
    assert f"orders.{format_}" in response.headers["content-disposition"]
    assert response.cookies["seen"] == "yes"


def test_async_rows_arrive_complete(server: Server, client: httpx.Client) -> None:
    if server.asgi:
        assert len(csv_rows(client.get("/async?rows=20000").content)) == 20_001


def test_head_opens_nothing(client: httpx.Client) -> None:
    response = client.head("/orders?format=xlsx")
    assert response.status_code == 200
    assert "orders.xlsx" in response.headers["content-disposition"]
    assert client.get("/state").json()["opened"] == 0


def test_rows_that_fail_at_once_are_a_500(client: httpx.Client) -> None:
    response = client.get("/orders?fail=1")
    assert response.status_code == 500
    assert "secret" not in response.text
    assert state(client, "closed")["closed"] == 1


def test_rows_that_fail_later_break_the_transfer(client: httpx.Client) -> None:
    data = bytearray()
    with client.stream("GET", f"/orders?rows={ENDLESS}&fail=150000") as response:
        assert response.status_code == 200
        chunks = response.iter_raw()
        data += next(chunks)
        with pytest.raises(httpx.RemoteProtocolError):
            data += b"".join(chunks)
    assert b"secret" not in data
    assert state(client, "closed")["closed"] == 1


@pytest.mark.parametrize("path", ["/orders", "/async"])
def test_rows_are_closed_within_a_second_when_the_client_leaves(
    server: Server, client: httpx.Client, path: str
) -> None:
    if path == "/async" and not server.asgi:
        pytest.skip("WSGI")
    with (
        server.client() as leaving,
        leaving.stream("GET", f"{path}?rows={ENDLESS}&format=csv") as response,
    ):
        chunks = response.iter_raw()  # dropped, it would close the response
        next(chunks)
    left = monotonic()
    seen = state(client, "closed")
    assert (seen["opened"], seen["closed"]) == (1, 1)
    assert seen["closed_at"] - left < 1


def test_rows_are_closed_within_a_second_after_the_pull_that_was_under_way(
    server: Server, client: httpx.Client
) -> None:
    asked: dict[str, Any] = {"rows": ENDLESS, "hold": 5000, "format": "csv"}
    with server.client() as leaving, leaving.stream("GET", "/orders", params=asked) as response:
        chunks = response.iter_raw()  # it closes the response when it is dropped
        next(chunks)
        state(client, "held")
    sleep(0.2)
    seen = client.get("/state").json()
    assert (seen["held"], seen["closed"]) == (1, 0)
    released = monotonic()
    client.get("/release")
    seen = state(client, "closed")
    assert seen["closed"] == 1
    assert seen["closed_at"] - released < 1
