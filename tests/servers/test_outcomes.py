"""A download that a framework has sent whole is "complete", whatever the client does then.

Most servers report that the client has left, or cancel the request's task, as soon as it has the
last byte; and frameworks then close the response, or do not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import urlencode

import pytest

from servers.clients import Http1
from servers.running import Running
from servers.setups import BIND, GRANIAN, GUNICORN, HYPERCORN, UVICORN, Setup

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="skipped: needs /proc"),
]

TIMES = 24
PATIENCE = 10.0
"""Seconds for the last of the exports to end."""
CLOSE = (("Connection", "close"),)


def setup(framework: str, server: str, *command: str) -> Setup:
    needs = (framework.partition("_")[0], server.partition(" ")[0])
    interface = "wsgi" if framework.endswith("wsgi") else "asgi"
    command = tuple(part.replace("INTERFACE", interface) for part in command)
    return Setup(name=f"{framework}, {server}", interface="ASGI", command=command, needs=needs)


def setups() -> Iterator[Setup]:
    for framework in ("django_asgi", "quart", "falcon_asgi"):
        named = f"servers.framed:{framework}"
        made = named.replace(":", ":made_")
        yield setup(framework, "uvicorn", *UVICORN, "--factory", named)
        yield setup(framework, "hypercorn", *HYPERCORN, f"{named}()")
        yield setup(framework, "granian", *GRANIAN, "--interface", "INTERFACE", "--factory", named)
        yield setup(framework, "daphne", "-m", "daphne", "-b", "127.0.0.1", "-p", "{port}", made)
    for framework in ("django_wsgi", "falcon_wsgi"):
        named = f"servers.framed:{framework}"
        made = named.replace(":", ":made_")
        yield setup(framework, "granian", *GRANIAN, "--interface", "INTERFACE", "--factory", named)
        yield setup(framework, "waitress", "-m", "waitress", f"--listen={BIND}", made)
        yield setup(framework, "gunicorn", *GUNICORN, "gthread", "--threads", "4", f"{named}()")


@pytest.fixture(scope="module", params=list(setups()), ids=lambda setup: setup.name)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    asked: Setup = request.param
    if asked.missing:
        pytest.skip(f"skipped: needs {asked.missing}")
    running = Running(asked, tmp_path_factory.mktemp("served"))
    yield running
    running.stop()


@pytest.mark.parametrize("path", ["plain", "one", "two"])
@pytest.mark.parametrize("delivery", ["stream", "spool", "buffer"])
def test_a_download_that_was_sent_is_complete(server: Running, path: str, delivery: str) -> None:
    """The client keeps the connection, closes it by FIN or RST, or has the server do it."""
    names = [f"{path} {delivery} {number}" for number in range(TIMES)]
    kept = []
    for number, name in enumerate(names):
        asked = urlencode({"id": name, "rows": 1000, "delivery": delivery})
        headers = CLOSE if number % 4 == 3 else ()
        client = Http1(server.port, f"/{path}?{asked}", headers=headers)
        assert client.read().ending == "whole"
        if number % 4 == 0:
            kept.append(client)
        else:
            client.leave(reset=number % 4 == 1)
    assert outcomes(server, names) == {("complete", 1, 1, delivery): TIMES}
    for client in kept:
        client.leave()


def outcomes(server: Running, names: list[str]) -> Counter[tuple[str, int, int, str | None]]:
    """How many ended so, once all have ended."""
    end = monotonic() + PATIENCE
    while True:
        runs = server.snapshot()["runs"]
        found = [runs[name] for name in names if name in runs]
        if all(run["done"] for run in found) or monotonic() > end:
            return Counter(
                (run["outcome"], run["closed"], run["done"], run["delivery"]) for run in found
            )
        sleep(0.02)
