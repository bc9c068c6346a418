"""What must hold on every server, and what is known of each.

The cells are gone through once, all servers side by side; each test looks at what became of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from servers import report
from servers.app import DRIP_SECONDS
from servers.matrix import (
    CELLS,
    MANY,
    SPOOLED_ROWS,
    STREAM,
    Cell,
    Found,
    Result,
    Results,
    abort,
    begin,
    everywhere,
    run_all,
    serving,
    stays,
    tells_a_secret,
    unbuilt,
)
from servers.running import OURS
from servers.setups import SETUPS, Setup
from test_docs import rows

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="skipped: needs /proc"),
]

MIB = 2**20
SOCKETS = 12 * MIB
"""What the kernel, and servers that slow down at once, take of a body that nobody reads."""
OWN = 10 * MIB
WAITRESS = 24 * MIB
"""It takes 16 MiB itself."""
ABORTED = 200
PLACES = 64
"""Downloads at once, by default."""
PATIENCE = 30.0
"""Seconds for what is held to be released, on a machine that is busy with other things."""


@pytest.fixture(scope="module")
def results() -> Results:
    return run_all(everywhere())


@pytest.fixture(params=everywhere(), ids=lambda setup: setup.name)
def setup(request: pytest.FixtureRequest) -> Setup:
    asked: Setup = request.param
    if asked.missing:
        pytest.skip(f"skipped: needs {asked.missing}")
    return asked


@pytest.fixture
def found(setup: Setup, results: Results) -> Found:
    return results[setup.name]


def some(found: Found, *names: str) -> Iterator[tuple[str, Result]]:
    """Those of these cells that the server has; skipped where the library has none of them."""
    deliveries = {cell.delivery for cell in CELLS if cell.name in names}
    if missing := [name for name in sorted(deliveries) if unbuilt(name)]:
        pytest.skip(f"skipped: needs delivery={missing[0]!r}")
    there = [(name, found.cells[name]) for name in names if name in found.cells]
    assert there or all(name.endswith(("1.0", "1.0 curl")) for name in names)
    yield from there


def saw(found: Found, *names: str) -> dict[str, str]:
    return {name: result.saw for name, result in some(found, *names)}


def broken(*, hidden: bool) -> tuple[str, ...]:
    """How a body that broke off may look; to be seen is never worse than the table."""
    return ("cut", "taken for complete") if hidden else ("cut",)


def all_of(names: Any, said: Any) -> dict[str, Any]:
    return dict.fromkeys(names, said)


def test_every_cell_was_gone_through(found: Found) -> None:
    assert {name: one.problem for name, one in found.cells.items() if one.problem} == {}


def test_a_download_arrives_complete(found: Found) -> None:
    seen = saw(found, "complete", "complete xlsx", "complete 1.0", "drips")
    seen |= {name: one.saw for name, one in found.cells.items() if name == "complete async"}
    assert seen == all_of(seen, "complete")
    assert saw(found, "complete curl") == {"complete curl": "curl 0"}


def test_rows_arrive_while_others_are_still_to_come(found: Found) -> None:
    for _, result in some(found, "drips"):
        assert result.seen.arrivals > 1
        assert result.seen.first_at < result.run["closed_at"] - 0.5


def test_head_opens_nothing_and_has_no_body(setup: Setup, found: Found) -> None:
    for _, result in some(found, "head", "spool head"):
        assert (result.seen.status, result.stray) == (200, setup.stray)
        assert len(result.seen.body) == 0
        assert (result.run["opened"], result.run["done"]) == (0, 0)


def test_a_first_row_that_fails_is_a_clean_500(setup: Setup, found: Found) -> None:
    assert saw(found, "fails first") == {"fails first": setup.first}


def test_a_later_failure_is_noticed_where_the_server_allows_it(setup: Setup, found: Found) -> None:
    assert saw(found, "fails later")["fails later"] in broken(hidden=setup.hides)
    assert found.cells["fails later curl"].seen.code in ((0, 18) if setup.hides else (18,))


def test_over_http_1_0_it_is_noticed_where_the_server_allows_it(setup: Setup, found: Found) -> None:
    for name, result in some(found, "fails later 1.0", "fails later 1.0 curl"):
        hidden = "curl 0" if name.endswith("curl") else "taken for complete"
        assert result.saw != hidden or setup.hides_from_1_0


def test_a_workbook_that_failed_is_none(found: Found) -> None:
    assert saw(found, "fails later xlsx")["fails later xlsx"] != "complete"


def test_with_auto_a_failure_never_passes_for_a_whole_document(found: Found) -> None:
    for name, said in saw(found, "auto fails later", "auto fails later 1.0").items():
        assert said in ("cut", "500"), name


def test_a_blocked_source_expires(setup: Setup, found: Found) -> None:
    for name, result in some(found, "expires", "expires first"):
        assert result.run["outcome"] == "expired", name
        assert result.run["returned_at"] - result.run["blocked_at"] < 1.9
        if name == "expires first":
            assert result.saw == "503"
        else:
            assert result.saw in broken(hidden=setup.hides)


def test_exception_text_is_in_no_response(found: Found) -> None:
    assert [name for name, result in found.cells.items() if tells_a_secret(result)] == []


def test_every_export_that_was_opened_ended_once(found: Found) -> None:
    for name, result in found.cells.items():
        if run := result.run:
            ends = (run["opened"], run["closed"], run["done"])
            assert ends in ((1, 1, 1), (0, 0, 0)), name


def test_everything_is_released_within_a_second(setup: Setup, found: Found) -> None:
    """Of the later of that the server tells it and that the pull in flight returns."""
    others = [cell.name for cell in CELLS if cell.how == "held"]
    bounds = {}
    if setup.tells == "by a write":  # a client that reads on has not left
        others.append("drips, half-closed")
        # Nothing is written while a spool is made, so it is made to its end.
        bounds["spool that drips, FIN"] = SPOOLED_ROWS * DRIP_SECONDS + 1
    late = {
        name: (result.after, result.released)
        for name, result in found.cells.items()
        if (result.after is None or result.after > bounds.get(name, 1)) and name not in others
    }
    assert late == {}


def test_a_client_that_takes_nothing_is_let_go(setup: Setup, found: Found) -> None:
    """After two seconds; a server that takes all of a body itself has a complete one."""
    for name, result in some(found, *(cell.name for cell in CELLS if cell.how == "held")):
        gone = "expired" if name == "held until the time is over" else "client gone"
        assert result.run["outcome"] in (gone, "complete"), name
        assert result.released is not None, name
        assert result.released < 4.5, name


def test_nothing_is_left(found: Found) -> None:
    assert {name: one.left for name, one in found.cells.items() if one.left} == {}


def test_the_server_tells_that_the_client_left(setup: Setup, found: Found) -> None:
    """Servers of ASGI at once, others when they write: once a second, and it takes some writes."""
    bounds = {"at once": 0.5, "within 1.5 s": 1.5, "by a write": 4.5}
    hows = ("held", "half")
    leaving = [
        cell.name
        for cell in CELLS
        if not stays(cell) and cell.delivery == "stream" and cell.how not in hows
    ]
    if setup.tells == "by a write":  # nothing is written while a source blocks
        leaving.remove("blocked, cancel= of WSGI")
    told = {name: found.cells[name].told for name in leaving if name in found.cells}
    slow = [name for name, at in told.items() if at is None or at > bounds[setup.tells]]
    assert [name for name in slow if name != "many, window shut"] == []


def test_a_client_that_has_everything_did_not_leave(found: Found) -> None:
    there = some(found, "complete", "complete xlsx", "complete curl", "drips", "buffer")
    outcomes = {name: result.run["outcome"] for name, result in there}
    assert outcomes == all_of(outcomes, "complete")


def test_nor_did_one_that_knew_the_length(found: Found) -> None:
    there = some(found, "spool", "spool bare", "spool curl", "spool 1.0")
    outcomes = {name: result.run["outcome"] for name, result in there}
    assert outcomes == all_of(outcomes, "complete")


def test_a_client_that_left_is_no_complete_download(found: Found) -> None:
    for name, result in some(
        found, "many, FIN", "many, RST", "blocked, RST", "blocked at once, FIN"
    ):
        assert result.run["outcome"] == "client gone", name


def test_a_client_that_stalls_holds_the_rows_back(setup: Setup, found: Found) -> None:
    for _, result in some(found, "many, stalled"):
        assert result.ahead < (WAITRESS if setup.name == "waitress" else SOCKETS)
        assert result.memory < OWN
        assert not result.drained


def test_a_spooled_document_says_how_long_it_is(found: Found) -> None:
    seen = saw(found, "spool", "spool 1.0", "spool bare")
    assert seen == all_of(seen, "complete")
    for name, result in some(found, "spool", "spool 1.0", "spool bare"):
        headers = {key.lower(): value for key, value in result.seen.headers.items()}
        assert int(headers["content-length"]) == len(result.seen.body), name
        assert "repr-digest" in headers, name
        assert result.run["closed_at"] < result.seen.first_at, name
    assert saw(found, "spool curl") == {"spool curl": "curl 0"}


def test_a_spooled_document_that_fails_is_a_clean_500(setup: Setup, found: Found) -> None:
    assert saw(found, "spool fails") == {"spool fails": setup.first}


def test_a_buffered_document_arrives_complete_or_is_cut(setup: Setup, found: Found) -> None:
    assert saw(found, "buffer") == {"buffer": "complete"}
    assert saw(found, "buffer fails")["buffer fails"] in broken(hidden=setup.hides)


def test_rows_of_a_finished_document_are_closed_though_the_client_stalls(found: Found) -> None:
    for name, result in some(found, "spool, stalled", "buffer, stalled"):
        assert result.drained, name
        assert result.memory < OWN, name


def test_the_application_kept_to_wsgi(found: Found) -> None:
    assert re.findall(r"\n.*(?:AssertionError|WSGIWarning).*", found.log) == []


def test_no_server_is_worse_than_the_table(
    setup: Setup, found: Found, record_property: Callable[[str, object], None]
) -> None:
    if unbuilt("auto"):
        pytest.skip("skipped: needs delivery='spool'")
    told = {row["server"]: list(row.values()) for row in rows("servers.md", "server")}
    measured = report.row(setup, found)
    assert report.worse(measured, told[setup.name]) == []
    for said in report.better(measured, told[setup.name]):
        record_property("better", f"{setup.name}, {said}")


TOLD = ["a", "**looks complete** (curl 0)", "-", "cut, 500", "by a write", "< 12 MiB", "Text."]


def test_a_server_that_is_better_than_the_table_is_named() -> None:
    found = [*TOLD[:1], "cut (curl 18)", *TOLD[2:]]
    assert report.worse(found, TOLD) == []
    assert report.better(found, TOLD) == [
        "late failure: cut (curl 18), not **looks complete** (curl 0)"
    ]


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (2, "cut (curl 18)"),
        (3, "cut, **looks complete**"),
        (3, "hangs, 500"),
        (4, "**never**"),
        (5, "< 32 MiB"),
        (6, "Other text."),
    ],
)
def test_a_server_that_is_worse_or_other_than_the_table_is_told(at: int, said: str) -> None:
    found = [*TOLD[:at], said, *TOLD[at + 1 :]]
    assert report.worse(found, TOLD) == [f"{report.HEAD[at]}: {said}, not {TOLD[at]}"]
    assert report.better(found, TOLD) == []


@pytest.mark.parametrize("name", ["gunicorn gthread", "uvicorn httptools"])
def test_two_hundred_aborted_downloads_leave_nothing(name: str) -> None:
    (setup,) = (setup for setup in SETUPS if setup.name == name)
    if setup.missing:
        pytest.skip(f"skipped: needs {setup.missing}")
    watched = (*OURS, "descriptors", "all tasks", "all threads")
    with serving(setup, at_once=4) as server:
        abort(server, 20, 4)
        at_rest(server, watched, {})
        base = server.snapshot()
        abort(server, ABORTED, 4)
        found = at_rest(server, watched, base)
        assert {what: found[what] for what in watched} == {what: base[what] for what in watched}
        runs = [run for key, run in found["runs"].items() if key.startswith("aborted")]
        assert len(runs) == ABORTED
        assert {(run["opened"], run["closed"], run["done"]) for run in runs} == {(1, 1, 1)}
        assert {run["outcome"] for run in runs} == {"client gone"}


def with_threads(name: str, threads: int) -> Setup:
    """A server with as many threads, if it has a number of them."""
    (setup,) = (setup for setup in SETUPS if setup.name == name)
    if setup.missing:
        pytest.skip(f"skipped: needs {setup.missing}")
    options = {"waitress": f"--threads={threads}", "cheroot": f"--threads={threads}"}
    command = [str(threads) if part == "4" else part for part in setup.command]
    return replace(setup, command=(*command[:2], *filter(None, [options.get(name)]), *command[2:]))


@pytest.mark.parametrize(
    "name",
    [
        *("gunicorn gthread", "waitress", "werkzeug", "granian WSGI", "cheroot", "gunicorn gevent"),
        *("uvicorn httptools", "hypercorn h1", "granian ASGI", "gunicorn asgi"),
    ],
)
def test_sixty_four_stalled_sockets_leave_a_working_service(name: str) -> None:
    """If each has a thread: that is the server's own bound."""
    with serving(with_threads(name, PLACES + 8), at_once=4) as server:
        stalled = stall(server, PLACES, seconds=3)
        for client in stalled:
            client.read(1)
        assert_others_are_served(server, stalled)


@pytest.mark.parametrize(
    "name",
    ["gunicorn gthread", "waitress", "cheroot", "uWSGI http-socket", "uvicorn + a2wsgi"],
)
def test_the_threads_of_stalled_sockets_come_back(name: str) -> None:
    """More sockets than threads."""
    with serving(with_threads(name, 4), at_once=4) as server:
        count = 12 if "a2wsgi" in name else 8  # that has ten threads
        assert_others_are_served(server, stall(server, count, seconds=1))


def stall(server: Any, count: int, seconds: float) -> list[Any]:
    """Clients that take nothing."""
    cell = Cell(name="", how="held", asked={"rows": MANY, "stall": seconds, **STREAM})
    return [begin(server, cell, f"stalled {number}") for number in range(count)]


def assert_others_are_served(server: Any, stalled: list[Any]) -> None:
    """Another client gets its download, and nothing is held for those that stall any more."""
    watched = [*OURS, "all tasks"]
    # A connection that is not found stays open; waitress kept one for 30 s, once.
    if server.setup.tells != "by a write" and server.setup.name != "waitress":
        watched.append("descriptors")
    other = begin(server, Cell(name="", how="all", asked={"rows": 3000, **STREAM}), "other")
    try:
        # It has waited for a place, or for a thread.
        assert other.read().ending in ("whole", *(["closed"] if server.setup.hides else []))
        found = at_rest(server, watched, server.base, stalled=len(stalled))
    finally:
        for client in (other, *stalled):
            client.leave()
    runs = [run for key, run in found["runs"].items() if "stalled" in key]
    assert {run["outcome"] for run in runs} == {"client gone"}
    assert len(runs) == len(stalled)
    assert {what: found[what] > server.base[what] for what in watched} == all_of(watched, False)


def at_rest(
    server: Any, watched: Sequence[str], base: dict[str, Any], stalled: int = 0
) -> dict[str, Any]:
    """What is held when it has come down to the base, or has had its time."""
    end = monotonic() + (PATIENCE if base else 3)
    while monotonic() < end:
        found: dict[str, Any] = server.snapshot()
        over = sum(run["done"] for key, run in found["runs"].items() if "stalled" in key)
        if base and over == stalled and all(found[what] <= base[what] for what in watched):
            break
        sleep(0.05)
    return server.snapshot()  # type: ignore[no-any-return]
