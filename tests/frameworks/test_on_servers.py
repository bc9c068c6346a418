"""`ExportResponse` of Starlette, FastAPI, Flask and Django on real servers."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
import pytest

from readers import calamine_rows, csv_rows, xml_rows

pytestmark = pytest.mark.servers
for framework in ("django", "fastapi", "flask", "starlette"):
    pytest.importorskip(framework)

TESTS = Path(__file__).parents[1]
PATIENCE = 30
ENDLESS = 10**9
UVICORN = ("uvicorn", "--timeout-graceful-shutdown", "1", "--port", "{port}")
GTHREAD = ("--worker-class", "gthread", "--threads", "8", "--graceful-timeout", "1")
GUNICORN = ("gunicorn", *GTHREAD, "--bind", "127.0.0.1:{port}")
GRANIAN = ("granian", "--interface", "asgi", "--port", "{port}")
COMMANDS = {
    "starlette, uvicorn": (*UVICORN, "response_apps:starlette_app"),
    "fastapi, uvicorn": (*UVICORN, "response_apps:fastapi_app"),
    "fastapi, granian": (*GRANIAN, "response_apps:fastapi_app"),
    "flask, gunicorn": (*GUNICORN, "response_apps:flask_app"),
    "django, gunicorn": (*GUNICORN, "response_apps:django_application"),
    "django, uvicorn": (*UVICORN, "response_apps:django_app"),
    "django, granian": (*GRANIAN, "response_apps:django_app"),
}
READERS: dict[str, Callable[[bytes], list[Any]]] = {
    "csv": csv_rows,
    "xml": xml_rows,
    "xlsx": calamine_rows,
}


class Server:
    """A server in a process of its own."""

    def __init__(self, name: str, folder: Path) -> None:
        self.asgi = "gunicorn" not in name
        self._log = folder / "log"
        with closing(socket.create_server(("127.0.0.1", 0))) as found:
            port = found.getsockname()[1]
        self._url = f"http://127.0.0.1:{port}"
        command = [part.format(port=port) for part in COMMANDS[name]]
        pytest.importorskip(command[0])
        paths = os.pathsep.join(map(str, (TESTS, TESTS.parent)))
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=folder,
                env=os.environ | {"PYTHONPATH": paths, "HOME": str(folder), "TMPDIR": str(folder)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def _wait(self) -> None:
        end = monotonic() + PATIENCE
        while monotonic() < end and self._process.poll() is None:
            with self.client() as client:
                try:
                    client.get("/state")
                except httpx.TransportError:
                    sleep(0.05)
                else:
                    return
        raise AssertionError(f"no server: {self._log.read_text()}")

    def client(self) -> httpx.Client:
        return httpx.Client(
            base_url=self._url,
            headers={"Accept-Encoding": "identity"},
            limits=httpx.Limits(max_keepalive_connections=0),
            timeout=PATIENCE,
            trust_env=False,
        )

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE)


@pytest.fixture(scope="module", params=COMMANDS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    made = Server(request.param, tmp_path_factory.mktemp(re.sub(r"\W+", "-", request.param)))
    yield made
    made.stop()


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with server.client() as made:
        made.get("/reset")
        yield made


def state(client: httpx.Client, until: str, patience: float = 5.0) -> Any:
    """The counters of the source, once the one called `until` is not zero."""
    end = monotonic() + patience
    while not (found := client.get("/state").json())[until] and monotonic() < end:
        sleep(0.01)
    return found


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
