"""An export of 375 MiB while nobody reads it takes no more memory than a small one.

What is counted is the server's process, after small exports of every kind.  The buffers of the
kernel's sockets are not in it.
"""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from servers.matrix import Cell, begin, serving
from servers.running import OURS, Running
from servers.setups import SETUPS

pytestmark = [pytest.mark.slow, pytest.mark.servers]

MIB = 2**20
SIZE = 375 * MIB
ROWS = SIZE // 1000
OF_OUR_OWN = 10 * MIB
BUDGET = 400 * MIB
STALL = 1.0
PATIENCE = 60.0
SERVERS = [setup for setup in SETUPS if setup.name in ("uvicorn httptools", "gunicorn gthread")]


@pytest.fixture(scope="module", params=SERVERS, ids=[setup.name for setup in SERVERS])
def server(request: pytest.FixtureRequest) -> Iterator[Running]:
    setup = request.param
    if setup.missing:
        pytest.skip(f"skipped: needs {setup.missing}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STREAMWARE_REQUEST_BYTES", str(BUDGET))
        with serving(setup) as made:
            yield made


class Stalled:
    """What the server held at the most while its client did not read.

    Attributes:
        memory: Bytes above what it had before.
        disk: Bytes of scratch.
        pulled: Bytes of rows that were taken.
        closed: Whether the rows were closed.
    """

    def __init__(self, server: Running) -> None:
        self._server = server
        self._before = server.snapshot(b"collect")["memory"]
        self.memory = self.disk = self.pulled = 0
        self.closed = False

    def look(self) -> None:
        found = self._server.snapshot()
        run: dict[str, Any] = found["runs"].get("export", {})
        self.memory = max(self.memory, found["memory"] - self._before)
        self.disk = max(self.disk, found["scratch bytes"])
        self.pulled = run.get("pulled", 0) * 1000
        self.closed = bool(run.get("closed"))
        time.sleep(0.02)


def stalled(server: Running, delivery: str, version: str) -> Stalled:
    """Ask for the export, look until its rows are closed, or nothing is pulled any more; leave."""
    cell = Cell(
        name="memory",
        how="1.0" if version == "1.0" else "all",
        asked={"rows": ROWS, "delivery": delivery},
    )
    server.snapshot(b"forget")
    found = Stalled(server)
    client = begin(server, cell, "export")
    try:
        end, last, since = time.monotonic() + PATIENCE, -1, time.monotonic()
        while not found.closed and time.monotonic() < end and time.monotonic() - since < STALL:
            found.look()
            if found.pulled != last:
                last, since = found.pulled, time.monotonic()
        for _ in range(10):
            found.look()
    finally:
        client.leave()
    return found


def released(server: Running) -> bool:
    end = time.monotonic() + PATIENCE
    while server.left(server.snapshot(), OURS) and time.monotonic() < end:
        time.sleep(0.02)
    return not server.left(server.snapshot(), OURS)


@pytest.mark.parametrize(
    ("delivery", "version"),
    [("stream", "1.1"), ("buffer", "1.1"), ("spool", "1.1"), ("auto", "1.0")],
)
def test_a_stalled_client_costs_no_memory(server: Running, delivery: str, version: str) -> None:
    found = stalled(server, delivery, version)
    print(
        f"{server.setup.name}, {delivery}, HTTP/{version}: memory {found.memory / MIB:.1f} MiB,"
        f" disk {found.disk / MIB:.0f} MiB, rows {found.pulled / MIB:.0f} MiB"
    )
    assert found.memory <= OF_OUR_OWN
    assert found.closed == (delivery != "stream")
    if delivery == "stream":
        assert found.disk == 0
        assert found.pulled < SIZE / 4
    else:
        assert SIZE / 2 < found.disk <= BUDGET
        assert found.pulled >= SIZE - 1000
    assert released(server)
    assert server.snapshot()["scratch bytes"] == 0
