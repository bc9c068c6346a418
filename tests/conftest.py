"""Nothing is left behind: no file, no descriptor, no thread, no task, after any test."""

import asyncio
import contextlib
import gc
import inspect
import logging
import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import streamware.engine.driver
import streamware.engine.lifecycle
import streamware.rows.batching
from drive import Clock
from streamware import kernel
from streamware.http.watchdog import watchdog

GRACE = 2.0
"""Seconds for threads and servers to finish; the library itself promises one."""

settings.register_profile("dev", deadline=None)
settings.register_profile(
    "ci",
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ci" if os.environ.get("CI") else "dev")

_failed = pytest.StashKey[bool]()


def pytest_report_header() -> str:
    return f"streamware: {kernel.path()}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember a failure: its traceback keeps everything alive, which is no news."""
    report = yield
    item.stash[_failed] = item.stash.get(_failed, False) or report.failed
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what is better than the documents say: no failure, but they are due."""
    reports = terminalreporter.getreports("passed")
    found = [said for one in reports for name, said in one.user_properties if name == "better"]
    if found:
        terminalreporter.section("better than documented")
        for said in sorted(map(str, found)):
            terminalreporter.write_line(said)


def pytest_collection_finish() -> None:
    """Keep what was imported out of the collector's way: tests that call it would wait for that."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an `async def` test in an event loop of its own."""
    test = pyfuncitem.obj
    if not inspect.iscoroutinefunction(test) or "anyio_backend" in pyfuncitem.funcargs:
        return None
    names = inspect.signature(test).parameters
    asyncio.run(test(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


@pytest.fixture(scope="session")
def temporary_folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The parent of every test's own TMPDIR."""
    return tmp_path_factory.mktemp("tmpdir")


@pytest.fixture(autouse=True)
def usual_log_levels() -> None:
    """Undo what frameworks of earlier tests did to the levels, which some of them set for good."""
    logging.getLogger().setLevel(logging.WARNING)
    logging.getLogger("streamware").setLevel(logging.NOTSET)


@pytest.fixture
def caplog(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Record the test's own messages: what earlier tests dropped in cycles logs before it."""
    gc.collect()
    caplog.clear()
    return caplog


@pytest.fixture(autouse=True)
def nothing_left_behind(
    request: pytest.FixtureRequest, temporary_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Compare what is open before the test and after it and all its fixtures."""
    folder = Path(tempfile.mkdtemp(dir=temporary_folders))
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    tasks = _watch_tasks(monkeypatch)
    threads = set(threading.enumerate())
    descriptors = _descriptors()
    yield
    watchdog.hurry()  # its thread would end by itself, half a second later
    if request.node.stash.get(_failed, False):
        return
    _nothing("descriptors", lambda: sorted((_descriptors() - descriptors).elements()))
    _nothing(
        "threads", lambda: [thread for thread in threading.enumerate() if thread not in threads]
    )
    _nothing("files", lambda: sorted(path.name for path in folder.iterdir()))
    assert not tasks, f"tasks left behind: {tasks}"


def _nothing(what: str, left: Callable[[], Sequence[object]]) -> None:
    end = time.monotonic() + GRACE
    while found := left():
        if time.monotonic() > end:
            gc.collect()
            cause = "only the garbage collector releases them" if not left() else "still there"
            pytest.fail(f"{what} left behind, {cause}: {found}", pytrace=False)
        time.sleep(0.01)


def _descriptors() -> Counter[str]:
    """What every descriptor of this process points to; nothing where there is no /proc."""
    found: Counter[str] = Counter()
    folder = Path("/proc/self/fd")
    for descriptor in folder.iterdir() if folder.is_dir() else ():
        with contextlib.suppress(FileNotFoundError):  # the listing's own, closed by now
            found[str(descriptor.readlink())] += 1
    return found


def _watch_tasks(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The tasks that outlive the main one, which `asyncio.run` cancels without a word."""
    left: list[object] = []
    close = asyncio.Runner.close

    def watching_close(runner: asyncio.Runner) -> None:
        # A closed runner has no loop to give, and nothing left in it.
        with contextlib.suppress(RuntimeError):
            loop = runner.get_loop()
            left.extend(loop.run_until_complete(_still_running()))
        close(runner)

    monkeypatch.setattr(asyncio.Runner, "close", watching_close)
    return left


async def _still_running() -> list[object]:
    """The other tasks of this loop that do not end by themselves in a moment."""
    loop = asyncio.get_running_loop()
    end = loop.time() + GRACE
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        if loop.time() > end:
            return [repr(task) for task in others]
        await asyncio.sleep(0.01)
    return []


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the plain loop, which only the test moves."""
    made = Clock()
    for module in (streamware.rows.batching, streamware.engine.driver, streamware.engine.lifecycle):
        monkeypatch.setattr(module, "monotonic", made)
    return made
