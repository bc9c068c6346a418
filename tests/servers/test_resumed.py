"""curl, wget, Chromium and nginx resume a download that broke, and get the whole document."""

import hashlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

import streamware as sw
from servers import resumed
from servers.browser import CHROMIUM, Browser

pytestmark = pytest.mark.servers

TESTS = Path(__file__).parents[1]
NGINX = """\
daemon off; pid {folder}/pid; error_log {folder}/log;
events {{ worker_connections 64; }}
http {{
  access_log off; gzip on; gzip_types *; gzip_proxied any; client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u;
  scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://127.0.0.1:{behind}; proxy_http_version 1.1; }}
  }}
}}
"""


def free_port() -> int:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return int(made.getsockname()[1])


def answers(port: int) -> bool:
    with suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    return False


def started(command: list[str], port: int, **options: Any) -> Iterator[int]:
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options
    )
    end = monotonic() + 20
    try:
        while not answers(port):
            assert monotonic() < end, "the server does not start"
            sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    chosen = free_port()
    command = [sys.executable, "-m", "uvicorn", "servers.resumed:app", "--port", str(chosen)]
    paths = os.pathsep.join(map(str, [TESTS, TESTS.parent]))
    yield from started(command, chosen, env=os.environ | {"PYTHONPATH": paths})


@pytest.fixture
def behind_nginx(port: int, tmp_path: Path) -> Iterator[int]:
    if not shutil.which("nginx"):
        pytest.skip("skipped: needs nginx")
    chosen = free_port()
    configured = tmp_path / "nginx.conf"
    configured.write_text(NGINX.format(folder=tmp_path, port=chosen, behind=port))
    yield from started(["nginx", "-p", str(tmp_path), "-c", str(configured)], chosen)


@pytest.fixture(params=["csv", "xlsx"])
def format_(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def digest(format_: str) -> str:
    made = hashlib.sha256()
    options: Any = {"columns": ["id", "text", "x"], "flush_interval": float("inf")}
    for chunk in sw.encode(resumed.rows, format_, **options):
        made.update(chunk)
    return made.hexdigest()


def curl(url: str, path: Path, *, more: bool) -> int:
    command = ["curl", "-s", *(["-C", "-"] if more else []), "-o", str(path), url]
    return subprocess.run(command, check=False, timeout=60).returncode


def wget(url: str, path: Path, *, more: bool) -> int:
    command = ["wget", "-q", "-t", "1", *(["-c"] if more else []), "-O", str(path), url]
    return subprocess.run(command, check=False, timeout=60).returncode


def check_resumed(client: Callable[..., int], url: str, format_: str, folder: Path) -> None:
    path = folder / f"orders.{format_}"
    assert client(url, path, more=False) != 0
    assert 0 < path.stat().st_size <= resumed.BROKEN_AFTER
    assert client(url, path, more=True) == 0
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest(format_)


@pytest.mark.parametrize("client", [curl, wget])
def test_a_client_resumes(
    client: Callable[..., int], port: int, format_: str, tmp_path: Path
) -> None:
    if not shutil.which(client.__name__):
        pytest.skip(f"skipped: needs {client.__name__}")
    check_resumed(client, f"http://127.0.0.1:{port}/broken?format={format_}", format_, tmp_path)


def test_wget_knows_that_it_has_all_of_it(port: int, format_: str, tmp_path: Path) -> None:
    if not shutil.which("wget"):
        pytest.skip("skipped: needs wget")
    url, path = f"http://127.0.0.1:{port}/?format={format_}", tmp_path / "orders"
    assert (wget(url, path, more=False), wget(url, path, more=True)) == (0, 0)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest(format_)


def test_a_client_resumes_behind_nginx(behind_nginx: int, format_: str, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{behind_nginx}/broken?format={format_}"
    check_resumed(curl, url, format_, tmp_path)


def test_nginx_compresses_no_part_and_weakens_the_tag_of_what_it_compresses(
    behind_nginx: int,
) -> None:
    def ask(**fields: str) -> Any:
        connection = HTTPConnection("127.0.0.1", behind_nginx, timeout=30)
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        connection.request("GET", "/?format=csv", headers=headers)
        reply = connection.getresponse()
        reply.read()
        connection.close()
        return reply

    tag = ask().headers["ETag"]
    coded = ask(Accept_Encoding="gzip")
    assert (coded.headers["Content-Encoding"], coded.headers["ETag"]) == ("gzip", f"W/{tag}")
    part = ask(Accept_Encoding="gzip", Range="bytes=5-", If_Range=tag)
    assert (part.status, part.headers["Content-Encoding"]) == (206, None)
    other = ask(Accept_Encoding="gzip", Range="bytes=5-", If_Range=f"W/{tag}")
    assert other.status == 200
    assert ask(Accept_Encoding="gzip", If_None_Match=f"W/{tag}").status == 304


ITEM = """(() => {
  const items = document.querySelector("downloads-manager").shadowRoot;
  const found = items.querySelector("downloads-item").shadowRoot.querySelector("SELECTOR");
  if (!found || found.hidden) return false;
  found.click();
  return true;
})()"""


def test_chromium_resumes(port: int, format_: str) -> None:
    if not CHROMIUM:
        pytest.skip("skipped: needs chromium")

    def click(selector: str) -> None:
        end = monotonic() + 20
        while True:
            with suppress(AssertionError):  # the page is not complete
                if browser.run(ITEM.replace("SELECTOR", selector)):
                    return
            assert monotonic() < end, f"there is no {selector}"
            sleep(0.2)

    with Browser() as browser:
        url = f"http://127.0.0.1:{port}/broken?format={format_}"
        browser.call("Page.navigate", url=url)
        sleep(2)
        browser.call("Page.navigate", url="chrome://downloads/")
        click("#more-actions")
        click("#pause-or-resume")
        path = browser.downloaded(f".{format_}")
        assert hashlib.sha256(path.read_bytes()).hexdigest() == digest(format_)
