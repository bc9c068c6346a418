"""Stores as real servers: S3 by moto, Azure by Azurite; one that is down, and a killed process."""

import base64
import hmac
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

import streamware as sw
from children import ROOT, command, environment, ran
from fakes import Broken
from servers.process import ServerProcess
from stores.s3 import serving
from stores.started import started
from streamware.stores.opening import open_store

started()
pytestmark = [pytest.mark.servers, pytest.mark.slow]
WIDE = "x" * 60_000
MANY = 200  # rows of several parts
READERS = Path(os.environ.get("STREAMWARE_READERS") or ROOT / ".ci" / "readers")
AZURITE = READERS / "azurite" / "node_modules" / ".bin" / "azurite-blob"
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The account of every emulator, which is public."""


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment in which `s3://exports` is a bucket of moto's server."""
    if find_spec("moto") is None:
        pytest.skip("skipped: needs moto")
    run = ("-m", "moto.server", "-H", "127.0.0.1", "-p", "{port}")
    with ServerProcess(run, tmp_path_factory.mktemp("moto"), ready="/moto-api/") as server:
        url = f"http://127.0.0.1:{server.port}"
        urlopen(Request(f"{url}/exports", method="PUT")).close()
        yield {
            "AWS_ENDPOINT_URL": url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "b",
            "AWS_REGION": "us-east-1",
        }


@pytest.fixture
def s3(moto: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in moto.items():
        monkeypatch.setenv(name, value)
    return "s3://exports"


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment in which `az://exports` is a container of Azurite."""
    if not AZURITE.exists():
        pytest.skip("skipped: needs azurite-blob of npm")
    run = ("--blobPort", "{port}", "--inMemoryPersistence", "--skipApiVersionCheck", "--silent")
    folder = tmp_path_factory.mktemp("azurite")
    with ServerProcess(run, folder, program=str(AZURITE), ready=None) as server:
        url = f"http://127.0.0.1:{server.port}/{ACCOUNT}"
        now = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        version = "x-ms-version:2021-08-06"
        signed = f"PUT{12 * chr(10)}x-ms-date:{now}\n{version}\n/{ACCOUNT}/{ACCOUNT}/exports"
        signed += "\nrestype:container"
        digest = hmac.new(base64.b64decode(KEY), signed.encode(), sha256).digest()
        headers = {
            "x-ms-date": now,
            "x-ms-version": "2021-08-06",
            "Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}",
            "Content-Length": "0",
        }
        made = Request(f"{url}/exports?restype=container", method="PUT", headers=headers)
        urlopen(made).close()
        yield {
            "AZURE_STORAGE_ENDPOINT": url,
            "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": KEY,
            "AZURE_ALLOW_HTTP": "true",
        }


@pytest.fixture(scope="module", params=["s3", "az"])
def place(request: pytest.FixtureRequest) -> tuple[str, dict[str, str]]:
    """The scheme of a store, and its environment."""
    server: dict[str, str] = request.getfixturevalue({"s3": "moto", "az": "azure"}[request.param])
    return request.param, server


@pytest.fixture
def scheme(place: tuple[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in place[1].items():
        monkeypatch.setenv(name, value)
    return place[0]


@pytest.fixture
def url(scheme: str) -> str:
    """The URL of a bucket."""
    return f"{scheme}://exports"


def rows(count: int) -> Iterator[tuple[str]]:
    return ((WIDE,) for _ in range(count))


@pytest.mark.parametrize("overwrite", [True, False])
@pytest.mark.parametrize("count", [3, MANY])
def test_an_export_is_saved_and_sent_as_it_is_said(url: str, count: int, overwrite: bool) -> None:
    target = sw.Remote(f"{url}/{count}/{overwrite}.csv", overwrite=overwrite, metadata={"by": "42"})
    receipt = sw.Export(rows(count), filename="Aufträge").save(target)
    store = open_store(url)
    data = b"".join(store.read(f"{count}/{overwrite}.csv"))
    assert sha256(data).hexdigest() == receipt.sha256
    assert store.head(f"{count}/{overwrite}.csv").etag == receipt.etag
    signed = store.signed_url(f"{count}/{overwrite}.csv", 60)
    assert signed is not None
    with urlopen(signed) as answer:
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert "filename*=UTF-8''Auftr%C3%A4ge.csv" in answer.headers["Content-Disposition"]
        assert answer.read() == data
    with pytest.raises(FileExistsError, match="there is an object already"):
        sw.save(rows(1), sw.Remote(str(target.target), overwrite=False))


async def test_an_export_is_saved_beside_a_loop(url: str) -> None:
    receipt = await sw.asave(rows(MANY), f"{url}/async.csv")
    store = open_store(url)
    found = await store.ahead("async.csv")
    assert (found.size, found.etag) == (receipt.bytes, receipt.etag)
    data = b"".join([chunk async for chunk in store.aread("async.csv", 5, 1_000_000)])
    assert data == b"x" * 59_995 + b"\r\n" + data[59_997:]
    assert len(data) == 999_995
    assert await store.asigned_url("async.csv", 60)


def test_an_error_publishes_nothing(url: str) -> None:
    def failing() -> Iterator[Any]:
        yield from rows(MANY)
        raise Broken

    with pytest.raises(Broken):
        sw.save(failing, f"{url}/broken/orders.csv")
    assert list(open_store(f"{url}/broken").list()) == []


def test_objects_are_listed_and_removed(url: str) -> None:
    store = open_store(f"{url}/listed")
    for name in ("b", "a/1", "a/2"):
        with store.writer(name) as upload:
            upload.write(b"x")
    assert [found.path for found in store.list()] == ["a/1", "a/2", "b"]
    assert [found.path for found in store.list("a")] == ["a/1", "a/2"]
    for name in ("b", "a/1", "a/2", "a/2"):
        store.delete(name)
    assert list(store.list()) == []


def test_a_bucket_that_is_not_there_is_an_error(scheme: str) -> None:
    with pytest.raises(FileNotFoundError, match="there is no such"):
        sw.save(rows(3), f"{scheme}://nowhere/orders.csv")


def test_a_store_that_is_down_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as (_, store):
        pass
    with pytest.raises(ConnectionError, match="the store cannot be reached"):
        sw.save(rows(3), sw.Remote("orders.csv", store=store))


KILLED = """
import os, sys
import streamware as sw

def rows():
    yield from (("x" * 60_000,) for _ in range(200))
    os.kill(os.getpid(), 9)

sw.save(rows, sys.argv[1])
"""


def test_a_process_that_is_killed_publishes_nothing(s3: str) -> None:
    done = subprocess.run(
        command(KILLED, f"{s3}/killed/orders.csv"), env=environment(), check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert list(open_store(f"{s3}/killed").list()) == []


FORKED = """
import os, sys
import streamware as sw

if sys.argv[2] == "used":
    sw.save([(1,)], sys.argv[1])
child = os.fork()
if not child:
    try:
        sw.save([(2,)], sys.argv[1])
    except sw.StateError as error:
        print(error)
    sys.stdout.flush()
    os._exit(0)
os.waitpid(child, 0)
print("ended")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="skipped: needs fork")
@pytest.mark.parametrize(
    ("used", "said"), [("used", "cannot use one: fork before the first use"), ("unused", "")]
)
def test_a_forked_child_uses_a_store_or_says_that_it_cannot(s3: str, used: str, said: str) -> None:
    done = ran(FORKED, f"{s3}/forked.csv", used)
    assert done.stdout.endswith("ended\n")
    assert said in done.stdout
    assert (used == "used") == ("forked" in done.stdout)


MEASURED = """
import sys
import streamware as sw

def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

def rows(count):
    return ((number, "customer", 12.5, "x" * 100) for number in range(count))

sw.save(rows(100), sys.argv[1])
before = peak()
receipt = sw.save(rows(int(sys.argv[2])), sys.argv[1])
print(receipt.bytes, (peak() - before) * 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="skipped: needs Linux")
def test_memory_does_not_grow_with_the_object(s3: str) -> None:
    peaks = []
    for count in (500_000, 1_500_000):
        size, peak = map(int, ran(MEASURED, f"{s3}/measured.csv", count).stdout.split())
        assert size > count * 100
        peaks.append(peak)
    assert max(peaks) < 16 * 2**20
    assert peaks[1] - peaks[0] < 2 * 2**20
