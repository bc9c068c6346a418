"""The admin of Django in a real browser: what the user sees, and the files that arrive."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from readers import csv_rows, libreoffice_csv, openpyxl_book
from servers.browser import CHROMIUM, Browser
from servers.process import ServerProcess, reserve

pytest.importorskip("django", reason="skipped: needs Django")
if not CHROMIUM:
    pytest.skip("skipped: needs Chromium", allow_module_level=True)

pytestmark = pytest.mark.servers
ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "django_admin.py"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the list of orders."""
    folder = tmp_path_factory.mktemp("admin")
    with reserve() as holder:
        port = str(holder.getsockname()[1])
        script = folder / EXAMPLE.name
        script.write_text(EXAMPLE.read_text(encoding="utf-8").replace("8000", port), "utf-8")
        with ServerProcess([str(script)], folder, ready="/login/", holder=holder):
            yield f"http://127.0.0.1:{port}/shop/order/"


@pytest.fixture
def browser(site: str) -> Iterator[Browser]:
    """A browser in which the user has logged in, with the list of orders."""
    with Browser() as opened:
        opened.open(site)
        for name in ("username", "password"):
            opened.run(f"document.getElementById('id_{name}').value = 'admin'")
        opened.follow("[type=submit]")
        yield opened


def test_the_selected_orders_arrive_as_a_workbook(browser: Browser) -> None:
    for row in (1, 3):
        browser.click(f"#result_list tbody tr:nth-child({row}) .action-select")
    browser.run("document.querySelector('[name=action]').value = 'export_as_xlsx'")
    browser.click("#changelist-form [name=index]")
    book = openpyxl_book(browser.downloaded(".xlsx").read_bytes())
    assert [row[0] for row in book.active.values] == ["ID", 10_000, 9998]


def test_all_orders_of_all_pages_arrive(browser: Browser) -> None:
    browser.click("#action-toggle")
    browser.click(".actions .question a")
    browser.run("document.querySelector('[name=action]').value = 'export_as_csv'")
    browser.click("#changelist-form [name=index]")
    assert len(csv_rows(browser.downloaded(".csv").read_bytes())) == 10_001


def test_the_filtered_list_arrives_with_the_chosen_columns(browser: Browser, site: str) -> None:
    browser.open(f"{site}?status__exact=o&q=999")
    browser.follow("#streamware-export")
    browser.click("[name=_column][value=day]")
    browser.click("button[value=xlsx]")
    file = browser.downloaded(".xlsx")
    assert file.name.startswith("orders-2")
    rows = list(openpyxl_book(file.read_bytes()).active.values)
    assert rows[0] == ("ID", "Customer", "Status", "Total")
    assert rows[1] == (9998, "Müller & Söhne 9998", "Open", 1249.75)
    assert browser.run("document.querySelectorAll('[name=_column]:checked').length") == 4
    assert len(rows) == 1 + 5


def test_libreoffice_opens_what_arrives(browser: Browser, site: str, tmp_path: Path) -> None:
    browser.open(f"{site}?q=1234")
    browser.follow("#streamware-export")
    browser.click("button[value=xlsx]")
    rows = libreoffice_csv(browser.downloaded(".xlsx").read_bytes(), tmp_path)
    assert rows == [
        ["ID", "Customer", "Status", "Day", "Total"],
        ["1234", "Müller & Söhne 1234", "Open", "2026-02-04", "154.25"],
    ]
