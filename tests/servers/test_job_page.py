"""The page of a job in a real browser: what a person sees, and what happens by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from socketserver import ThreadingMixIn
from threading import Thread
from time import monotonic, sleep
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest

from jobs.kept import DATA, ID, Kept, job
from servers.browser import CHROMIUM, PATIENCE, Browser
from streamware.jobs.application import JobApplication
from streamware.jobs.record import JobState

if not CHROMIUM:
    pytest.skip("skipped: needs Chromium", allow_module_level=True)

pytestmark = pytest.mark.servers

CONTRAST = """
(() => {
  const parse = (color) => color.match(/[\\d.]+/g).map(Number);
  const over = (top, below) => {
    const alpha = top[3] ?? 1;
    return top.slice(0, 3).map((part, at) => part * alpha + below[at] * (1 - alpha));
  };
  const ground = (element) => {
    if (!element) return [255, 255, 255];
    return over(parse(getComputedStyle(element).backgroundColor), ground(element.parentElement));
  };
  const light = (color) => {
    const [red, green, blue] = color.map((part) => {
      const share = part / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const ratio = (element) => {
    const below = ground(element);
    const [high, low] = [light(over(parse(getComputedStyle(element).color), below)), light(below)]
      .sort((one, other) => other - one);
    return (high + 0.05) / (low + 0.05);
  };
  const hasText = (element) =>
    [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  const shown = [...document.querySelectorAll("body *")].filter((element) =>
    element.offsetParent && hasText(element));
  return Math.min(...shown.map(ratio));
})()
"""
"""The least contrast of any text that is shown (WCAG 2.2, relative luminance)."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = False


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "store", job())


@pytest.fixture
def site(kept: Kept) -> Iterator[str]:
    """The address of the page of a job."""
    application = JobApplication(kept)

    def mounted(environ: dict[str, Any], start_response: Any) -> Any:
        environ["SCRIPT_NAME"] = "/exports"
        environ["PATH_INFO"] = environ["PATH_INFO"].removeprefix("/exports")
        return application.wsgi(environ, start_response)

    with make_server("127.0.0.1", 0, mounted, _Server, _Quiet) as server:
        serving = Thread(target=server.serve_forever, args=[0.05])
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}/exports/{ID}"
        server.shutdown()
        serving.join()


@pytest.fixture
def browser(site: str) -> Iterator[Browser]:
    """A browser that shows the page."""
    with Browser((640, 640)) as opened:
        opened.open(site)
        yield opened


def text(browser: Browser) -> str:
    return str(browser.run("document.querySelector('main')?.innerText ?? ''"))


def until(condition: Callable[[], object]) -> None:
    end = monotonic() + PATIENCE
    while not condition():
        assert monotonic() < end, "it does not happen"
        sleep(0.05)


def test_the_page_follows_the_job_and_fetches_its_file(browser: Browser, kept: Kept) -> None:
    browser.run("window.isSame = true")
    browser.run("document.querySelector('button').focus()")
    assert "400,000 of 1,000,000 rows" in text(browser)
    kept.records[ID] = job(rows=600_000)
    until(lambda: "600,000 of 1,000,000 rows" in text(browser))
    assert browser.run("document.querySelector('progress').value") == 600
    assert browser.run("document.title").startswith("60%")
    assert browser.run("document.activeElement.tagName") == "BUTTON"
    kept.finish()
    assert browser.downloaded(".xlsx").read_bytes() == DATA
    assert "Ready" in text(browser)
    assert "The download has begun." in text(browser)
    assert browser.run("document.activeElement.id") == "download"
    assert browser.run("window.isSame")
    (browser.downloads / "orders-EU.xlsx").unlink()
    browser.click("#download")
    assert browser.downloaded(".xlsx").read_bytes() == DATA


def test_the_button_cancels(browser: Browser, kept: Kept) -> None:
    browser.follow("button")
    assert kept.cancelled == [ID]
    assert "Being cancelled" in text(browser)
    kept.records[ID] = job(state=JobState.CANCELLED, ended=200.0)
    until(lambda: "there is no file" in text(browser))
    assert not browser.run("!!document.querySelector('button, progress')")


def test_without_scripts_the_page_loads_itself_again(
    browser: Browser, kept: Kept, site: str
) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    browser.call("Page.navigate", url=site)
    kept.records[ID] = job(rows=600_000)
    until(lambda: "600,000" in text(browser))
    until(lambda: browser.run("location.search") == "?watch")
    browser.run("document.querySelector('form').requestSubmit()")
    until(lambda: kept.cancelled == [ID])
    kept.finish()
    until(lambda: "Ready" in text(browser))
    assert browser.run("document.querySelector('#download').getAttribute('href')") == f"{ID}/file"


def test_a_server_that_fails_is_asked_again(
    browser: Browser, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: str) -> None:
        raise ConnectionError

    monkeypatch.setattr(kept, "get", fail)
    until(lambda: "cannot be reached" in text(browser))
    monkeypatch.undo()
    until(lambda: "cannot be reached" not in text(browser))


def test_only_the_script_of_the_page_runs(browser: Browser) -> None:
    browser.run(
        "(() => { const script = document.createElement('script');"
        " script.textContent = 'window.isFoul = true'; document.body.append(script); })()"
    )
    assert browser.run("window.isFoul") is None


def test_a_screen_reader_is_told_what_there_is(browser: Browser) -> None:
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    found = {
        (node["role"]["value"], node.get("name", {}).get("value"))
        for node in nodes
        if not node["ignored"]
    }
    assert {("main", ""), ("heading", "orders-EU.xlsx"), ("progressbar", "Progress")} <= found
    assert ("button", "Cancel") in found
    assert any(role == "status" for role, _ in found)


STATES = [
    job(state=JobState.QUEUED, started=None, rows=0, bytes=0),
    job(),
    job(total=None),
    job(state=JobState.CANCELLING),
    job(state=JobState.FAILED, ended=200.0, problem="OperationalError"),
    job(state=JobState.CANCELLED, ended=200.0),
    job(state=JobState.EXPIRED, ended=200.0, size=3),
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read_and_fits(kept: Kept, site: str, scheme: str) -> None:
    with Browser((320, 640)) as browser:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.call("Emulation.setEmulatedMedia", features=features)
        kept.finish()
        for record in [kept.records[ID], *STATES]:
            kept.records[ID] = replace(record, filename="Bestellungen-" + "x" * 80 + ".xlsx")
            browser.open(f"{site}?watch")
            assert browser.run(CONTRAST) >= 4.5, record.state
            assert browser.run("document.documentElement.scrollWidth") <= 320, record.state
