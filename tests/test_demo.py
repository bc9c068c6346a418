import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from readers import calamine_rows, csv_rows
from servers.process import reserve

ROOT = Path(__file__).parents[1]
PATIENCE = 60
HIDING = """
import sys
sys.modules[{name!r}] = None
from streamware.__main__ import main
sys.exit(main(["demo", "--rows", "1"]))
"""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-W", "error", "-m", "streamware", *arguments]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT)}


def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The demo with its page up, and where that is."""
    with subprocess.Popen(
        command("demo", "--serve", "--rows", "1000", *arguments),
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as demo:
        try:
            assert demo.stdout is not None
            url = next(line.split()[0] for line in demo.stdout if line.startswith("http://"))
            yield demo, url
        finally:
            demo.terminate()


def left_behind() -> list[Path]:
    return list(Path(tempfile.gettempdir()).iterdir())


@pytest.mark.servers
def test_the_demo_prints_a_line_for_every_format_with_no_file_on_disk() -> None:
    done = ran("demo", "--rows", "2000")
    assert done.stderr == ""
    assert done.returncode == 0
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [line[:2] for line in lines[3:9]] == [
        [name, "2,000"] for name in ("csv", "tsv", "xml", "json", "ndjson", "xlsx")
    ]
    assert left_behind() == []
    if Path("/proc/self/fd").is_dir():
        assert all(re.search(r" \d+\.\d MB +0$", line) for line in done.stdout.splitlines()[3:9])


@pytest.mark.servers
def test_a_bar_is_drawn_on_a_terminal_and_cleared() -> None:
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    with (
        open(ours, "rb", buffering=0) as terminal,  # noqa: PTH123 - a descriptor
        open(theirs, "wb", buffering=0) as error,  # noqa: PTH123 - a descriptor
    ):
        done = subprocess.run(
            command("demo", "--rows", "2000"),
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=error,
            timeout=PATIENCE,
            check=True,
        )
        drawn = terminal.read(65536).decode()
    assert "table  [" in drawn
    assert "csv    [" in drawn
    assert drawn.endswith(" \r")
    assert b"[" not in done.stdout


@pytest.mark.servers
def test_the_page_of_the_demo_has_links_that_download() -> None:
    with serving() as (_, url), httpx.Client(base_url=url, trust_env=False) as client:
        links = re.findall(r'href="(/orders\?format=\w+)"', client.get("/").text)
        found = {link.rpartition("=")[2]: client.get(link) for link in links}
    assert list(found) == ["csv", "tsv", "xml", "json", "ndjson", "xlsx"]
    assert "orders.xlsx" in found["xlsx"].headers["content-disposition"]
    assert len(calamine_rows(found["xlsx"].content)) == 1001
    assert len(csv_rows(found["csv"].content)) == 1001


@pytest.mark.servers
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"]
)
def test_the_demo_leaves_nothing_when_it_is_stopped(number: signal.Signals, code: int) -> None:
    with serving() as (demo, url):
        demo.send_signal(number)
        assert demo.wait(PATIENCE) == code
    assert left_behind() == []
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, trust_env=False)


@pytest.mark.servers
def test_the_demo_listens_on_the_given_port() -> None:
    with reserve() as holder:
        port = holder.getsockname()[1]
        with serving("--port", str(port)) as (_, url):
            assert url == f"http://127.0.0.1:{port}"


@pytest.mark.servers
def test_the_demo_says_that_its_port_is_taken() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        done = ran("demo", "--rows", "10", "--port", str(port))
    assert done.returncode == 1
    assert f"cannot listen on port {port}" in done.stderr
    assert "Traceback" not in done.stderr
    assert left_behind() == []


@pytest.mark.parametrize("name", ["httpx", "starlette", "uvicorn"])
def test_the_demo_names_the_extra_that_is_missing(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HIDING.format(name=name)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 1
    expected = f"the demo needs {name}: pip install 'streamware-exports[demo]'\n"
    assert done.stderr == expected


@pytest.mark.parametrize(
    "arguments", [[], ["demo", "--rows", "0"], ["demo", "--rows", "x"], ["demo", "--port", "70000"]]
)
def test_wrong_arguments_get_the_usage(arguments: list[str]) -> None:
    done = ran(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: python -m streamware")


def test_the_table_has_ten_columns_and_as_many_orders_as_asked(tmp_path: Path) -> None:
    from streamware.demo.table import COLUMNS, make

    seen: list[tuple[str, int, int]] = []
    make(tmp_path / "orders.sqlite3", 25_000, lambda *at: seen.append(at))
    with closing(sqlite3.connect(tmp_path / "orders.sqlite3")) as connection:
        count, kinds = connection.execute(
            "select count(*), count(distinct number) from orders"
        ).fetchone()
        names = [item[0] for item in connection.execute("select * from orders").description]
    assert (count, kinds) == (25_000, 25_000)
    assert names == [column.key for column in COLUMNS]
    assert len(names) == 10
    assert seen == [("table", 0, 25_000), ("table", 20_000, 25_000)]
