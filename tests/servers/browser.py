"""Chromium without a window, told what to do over a pipe: nothing has to be installed beside it.

Source: the Chrome DevTools Protocol; `--remote-debugging-pipe` ends each message with a NUL.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from select import select
from tempfile import mkdtemp
from time import monotonic, sleep
from typing import Any, Self

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
PATIENCE = 30.0
"""Seconds for a page to load, or for a file to arrive."""
_START = """\
import os, sys
ends = [os.dup(os.dup(int(end))) for end in sys.argv[1:3]]
for number, end in enumerate(ends, 3):
    os.dup2(end, number)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Browser:
    """One page of a browser; a context manager.

    Args:
        size: Of the page, in pixels.

    Attributes:
        downloads: Where files arrive; it is gone when the browser is closed.
    """

    def __init__(self, size: tuple[int, int] = (1100, 560)) -> None:
        self._folder = folder = Path(
            mkdtemp(dir="/tmp")
        )  # short, as the name of a socket in it must be
        self.downloads = folder / "downloads"
        self.downloads.mkdir()
        theirs, self._to = os.pipe()
        self._from, mine = os.pipe()
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        options += ["--remote-debugging-pipe", f"--user-data-dir={folder / 'profile'}"]
        options += [f"--window-size={size[0]},{size[1]}", "--lang=en-US", "about:blank"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, str(theirs), str(mine), CHROMIUM, *options],
            pass_fds=(theirs, mine),
            env=os.environ | {"HOME": str(folder), "TMPDIR": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for end in (theirs, mine):
            os.close(end)
        self._received = b""
        self._number = 0
        self._session: str | None = None
        try:
            self._attach(size)
        except BaseException:
            self.close()
            raise

    def _attach(self, size: tuple[int, int]) -> None:
        where = {"behavior": "allow", "downloadPath": str(self.downloads)}
        self.call("Browser.setDownloadBehavior", **where)
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        attached = self.call("Target.attachToTarget", targetId=page, flatten=True)
        self._session = attached["sessionId"]
        shown = {"deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", width=size[0], height=size[1], **shown)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of a method of the protocol."""
        self._number += 1
        asked = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            asked["sessionId"] = self._session
        os.write(self._to, json.dumps(asked).encode() + b"\0")
        while True:
            message = self._message()
            if message.get("id") == self._number:
                assert "error" not in message, message["error"]
                return dict(message["result"])

    def _message(self) -> dict[str, Any]:
        while b"\0" not in self._received:
            ready, _, _ = select([self._from], [], [], PATIENCE)
            part = os.read(self._from, 65_536) if ready else b""
            assert part, "the browser says nothing"
            self._received += part
        first, _, self._received = self._received.partition(b"\0")
        return dict(json.loads(first))

    def run(self, script: str) -> Any:
        """The value of an expression of JavaScript on the page."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def open(self, url: str) -> None:
        """Load a page."""
        self.leave(lambda: self.call("Page.navigate", url=url))

    def click(self, selector: str) -> None:
        """Click on what a selector of CSS finds."""
        self.run(f"document.querySelector({json.dumps(selector)}).click()")

    def follow(self, selector: str) -> None:
        """Click, and wait for another page."""
        self.leave(lambda: self.click(selector))

    def leave(self, act: Callable[[], object]) -> None:
        """Do what leads to another page, and wait until that is loaded."""
        self.run("window.isLeft = true")
        act()
        end = monotonic() + PATIENCE
        while monotonic() < end:
            with suppress(AssertionError):  # the page is being replaced
                if self.run("!window.isLeft && document.readyState") == "complete":
                    return
            sleep(0.05)
        raise AssertionError("the page does not come")

    def downloaded(self, ending: str) -> Path:
        """The file that was downloaded, once all of it is there.

        Chromium reserves the name by an empty file, and renames the whole one to it.
        """
        end = monotonic() + PATIENCE
        while monotonic() < end:
            found = [file for file in self.downloads.glob(f"*{ending}") if file.stat().st_size]
            if found and not list(self.downloads.glob("*.crdownload")):
                return found[0]
            sleep(0.05)
        raise AssertionError(f"no {ending} has come, but {list(self.downloads.iterdir())}")

    def picture(self) -> bytes:
        """The page as a PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])

    def close(self) -> None:
        """End the browser."""
        self._session = None
        with suppress(OSError, AssertionError):
            self.call("Browser.close")
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(PATIENCE)
        for end in (self._to, self._from):
            os.close(end)
        shutil.rmtree(self._folder, ignore_errors=True)
