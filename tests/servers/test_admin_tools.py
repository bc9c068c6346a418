"""The recipes of docs/admin-tools.md in a browser: log in, search, export, and open the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import pytest

from readers import csv_rows, openpyxl_book
from servers.browser import CHROMIUM, PATIENCE, Browser
from servers.process import ServerProcess

pytest.importorskip("sqlalchemy", reason="skipped: needs SQLAlchemy")
if not CHROMIUM:
    pytest.skip("skipped: needs Chromium", allow_module_level=True)

pytestmark = pytest.mark.servers
FOUND = 19
"""Orders of the customers that "999" finds, on two pages."""


@contextmanager
def page(command: str, folder: Path, path: str) -> Iterator[tuple[Browser, str]]:
    """A browser, and where an example has its admin."""
    words = command.split()
    with ServerProcess(["-m", *words], folder, ready=path) as server, Browser() as browser:
        yield browser, f"http://127.0.0.1:{server.port}{path}"


def log_in(browser: Browser, url: str) -> None:
    browser.open(url)
    for name in ("username", "password"):
        browser.run(f"document.querySelector('[name={name}]').value = 'admin'")
    browser.follow("[type=submit]")


def await_(browser: Browser, selector: str) -> None:
    """Wait until the page shows something."""
    shown = f"!!document.querySelector('{selector}')?.offsetParent"
    end = monotonic() + PATIENCE
    while not browser.run(shown):
        assert monotonic() < end, f"{selector} does not come"
        sleep(0.05)


def check_workbook(file: Path) -> None:
    header, *rows = openpyxl_book(file.read_bytes()).active.values
    assert len(header) == 3
    assert len(rows) == FOUND
    by_number = {row[0]: row[1:] for row in rows}
    assert by_number[1999] == ("Müller & Söhne 1999", 249.875)


def check_csv(file: Path) -> None:
    rows = csv_rows(file.read_bytes())
    assert len(rows) == 1 + FOUND
    assert ["1999", "Müller & Söhne 1999", "249.875"] in rows


def test_flask_admin(tmp_path: Path) -> None:
    pytest.importorskip("flask_admin", reason="skipped: needs Flask-Admin")
    pytest.importorskip("gunicorn", reason="skipped: needs gunicorn")
    command = "gunicorn --bind 127.0.0.1:{port} examples.flask_admin_app:app"
    with page(command, tmp_path, "/admin/") as (browser, url):
        browser.call("Network.enable")
        who = {"Authorization": "Basic YWRtaW46YWRtaW4="}
        browser.call("Network.setExtraHTTPHeaders", headers=who)
        browser.open(f"{url}order/?search=999")
        browser.click("a[href*='/export/xlsx/']")
        check_workbook(browser.downloaded(".xlsx"))
        browser.click("a[href*='/export/csv/']")
        check_csv(browser.downloaded(".csv"))


def test_sqladmin(tmp_path: Path) -> None:
    pytest.importorskip("sqladmin", reason="skipped: needs sqladmin")
    pytest.importorskip("aiosqlite", reason="skipped: needs aiosqlite")
    command = "uvicorn --port {port} examples.sqladmin_app:app"
    with page(command, tmp_path, "/admin/") as (browser, url):
        log_in(browser, url)
        browser.open(f"{url}order/list?search=999")
        browser.click("a[href*='/export/xlsx']")
        check_workbook(browser.downloaded(".xlsx"))
        browser.click("a[href*='/export/csv']")
        check_csv(browser.downloaded(".csv"))


def test_starlette_admin(tmp_path: Path) -> None:
    pytest.importorskip("starlette_admin", reason="skipped: needs starlette-admin")
    pytest.importorskip("aiosqlite", reason="skipped: needs aiosqlite")
    command = "uvicorn --port {port} examples.starlette_admin_app:app"
    with page(command, tmp_path, "/admin/") as (browser, url):
        log_in(browser, url)
        for format_, check in (("xlsx", check_workbook), ("csv", check_csv)):
            browser.open(f"{url}order/list?q=999")
            await_(browser, "thead [type=checkbox]")
            browser.click("thead [type=checkbox]")
            await_(browser, "#select-all-matching-link")
            browser.click("#select-all-matching-link")
            buttons = "[...document.querySelectorAll('.action-item')]"
            browser.run(f"{buttons}.find(each => each.textContent.trim() == 'Export').click()")
            await_(browser, ".modal.show [name=format]")
            browser.click("[data-sa-export-scope-selected]")
            browser.run(f"document.querySelector('[name=format]').value = '{format_}'")
            browser.click("#actionSubmit")
            check(browser.downloaded(f".{format_}"))
