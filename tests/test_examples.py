import ast
import asyncio
from importlib import import_module
from pathlib import Path
from typing import Any
from wsgiref.validate import validator

import httpx
import pytest
from werkzeug.test import Client

from readers import (
    calamine_rows,
    csv_rows,
    json_rows,
    openpyxl_book,
    xml_rows,
    zip_parts,
    zip_rules,
)

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))
FIRST, LAST = ["1", "Müller & Söhne 1", "0.125"], ["10000", "Müller & Söhne 10000", "1250.0"]


def wsgi_get(name: str, url: str) -> Any:
    pytest.importorskip("flask")
    module = import_module(f"examples.{name}")
    application = getattr(module, "application", None) or module.app
    response = Client(validator(application)).get(url, buffered=True)
    assert response.status_code == 200
    return response


def asgi_get(name: str, url: str) -> httpx.Response:
    app = import_module(f"examples.{name}").app

    async def get() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get(url)

    response = asyncio.run(get())
    assert response.status_code == 200
    return response


def are_orders(rows: list[list[Any]]) -> bool:
    return len(rows) == 10_001 and [rows[1], rows[-1]] == [FIRST, LAST]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_short_and_says_how_to_start_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    said = ast.get_docstring(ast.parse(text)) or ""
    start = next(line for line in said.splitlines() if line.startswith("Start it: "))
    assert path.stem in start
    assert len(text.splitlines()) < 40


def test_every_example_is_run_here() -> None:
    here = Path(__file__).read_text(encoding="utf-8")
    assert EXAMPLES
    assert [path.stem for path in EXAMPLES if f'get("{path.stem}"' not in here] == []


def test_flask_gives_a_workbook_that_says_its_name() -> None:
    response = wsgi_get("flask_sqlite", "/orders")
    rows = calamine_rows(response.data)
    zip_rules(response.data)
    assert rows[:2] == [["No.", "customer", "total"], [1.0, "Müller & Söhne 1", 0.125]]
    assert len(rows) == 10_001
    assert "orders.xlsx" in response.headers["Content-Disposition"]


def test_flask_gives_csv() -> None:
    assert are_orders(csv_rows(wsgi_get("flask_sqlite", "/orders?format=csv").data))


def test_flask_gives_xml() -> None:
    rows = xml_rows(wsgi_get("flask_sqlite", "/orders?format=xml").data)
    assert len(rows) == 10_000
    assert list(rows[-1].values()) == LAST


def test_starlette_gives_a_workbook_from_an_async_generator() -> None:
    rows = calamine_rows(asgi_get("starlette_async", "/orders").content)
    assert rows[0] == ["id", "customer", "total"]
    assert rows[-1] == [10_000.0, "Müller & Söhne 10000", 1250.0]


def test_starlette_gives_csv_from_an_async_generator() -> None:
    assert are_orders(csv_rows(asgi_get("starlette_async", "/orders?format=csv").content))


def test_fastapi_gives_a_workbook() -> None:
    rows = calamine_rows(asgi_get("fastapi_app", "/orders?above=1249").content)
    assert rows == [
        ["id", "customer", "total"],
        *([float(at), f"Müller & Söhne {at}", at / 8] for at in range(9993, 10_001)),
    ]


def test_fastapi_describes_the_download() -> None:
    assert "/orders" in asgi_get("fastapi_app", "/openapi.json").json()["paths"]


def test_fastapi_gives_json() -> None:
    rows = json_rows(asgi_get("fastapi_app", "/orders?format=json").content)
    assert len(rows) == 10_000
    assert rows[0] == {"id": 1, "customer": "Müller & Söhne 1", "total": 0.125}


def test_bare_wsgi_gives_csv() -> None:
    response = wsgi_get("bare_wsgi", "/")
    assert are_orders(csv_rows(response.data))
    assert "orders.csv" in response.headers["Content-Disposition"]


def test_bare_asgi_gives_csv() -> None:
    assert are_orders(csv_rows(asgi_get("bare_asgi", "/").content))


def test_bare_asgi_gives_a_workbook() -> None:
    assert len(calamine_rows(asgi_get("bare_asgi", "/?format=xlsx").content)) == 10_001


def test_several_sheets_lie_in_one_workbook() -> None:
    data = wsgi_get("several_sheets", "/shop").data
    zip_rules(data)
    assert openpyxl_book(data).sheetnames == ["Orders", "Customers"]
    assert len(calamine_rows(data, "Orders")) == 1001
    assert calamine_rows(data, "Customers")[1:] == [[1.0, "Åse & Bjørn"], [2.0, "O'Brien"]]


def test_a_bundle_holds_exports_and_files() -> None:
    response = wsgi_get("bundle", "/shop")
    parts = zip_parts(response.data)
    assert list(parts) == ["orders.xlsx", "customers.csv", "READ ME.txt"]
    assert len(calamine_rows(parts["orders.xlsx"])) == 1001
    assert csv_rows(parts["customers.csv"])[1] == ["1", "Åse & Bjørn"]
    assert parts["READ ME.txt"] == b"Hello\n"
    assert "shop.zip" in response.headers["Content-Disposition"]
