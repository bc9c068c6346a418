import ast
import asyncio
import os
import re
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from time import sleep
from typing import Any
from urllib.parse import urlencode
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
from servers.process import ServerProcess, reserve, until
from streamware.scratch.pool import _pools
from streamware.scratch.process_directory import reap

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


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The scratch directory of an example, which is to hold no file at the end."""
    monkeypatch.setenv("STREAMWARE_SCRATCH_DIR", str(tmp_path))
    for name in ("flask_workbook", "flask_spool", "starlette_workbook"):
        monkeypatch.delitem(sys.modules, f"examples.{name}", raising=False)
    yield tmp_path
    left = files(tmp_path)
    for made in list(_pools.values()):
        if made.directory.path == str(tmp_path):
            made.process_directory.close()
            made.directory.close()
    assert left == []
    assert list(tmp_path.iterdir()) == []


def files(folder: Path) -> list[str]:
    """Their names, at any depth; a folder may be removed meanwhile."""
    return [name for _, _, names in os.walk(folder) for name in names]


def are_orders(rows: list[list[Any]]) -> bool:
    return len(rows) == 10_001 and [rows[1], rows[-1]] == [FIRST, LAST]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_short_and_says_how_to_start_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    said = ast.get_docstring(ast.parse(text)) or ""
    start = next(line for line in said.splitlines() if line.startswith("Start it: "))
    assert path.stem in start
    assert len(text.splitlines()) < most_lines(text)


def most_lines(text: str) -> int:
    """What an example may have: models need some, and so does an admin tool with its login."""
    if "ModelAdmin" in text:
        return 90
    if "(admin, admin)" in text:
        return 150
    return 70 if any(base in text for base in ("models.Model", "db.Model", "(Base)")) else 40


def commands(path: Path) -> list[str]:
    """How an example says that it is started."""
    return re.findall(r"(?m)^(?:Start it|Or): (.+)$", path.read_text(encoding="utf-8"))


def index_row(path: Path) -> str:
    """The row of the index, made from what the example says of itself."""
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    shows, _, steps = said.partition("\n\n")
    start = " or ".join(f"`{command}`" for command in commands(path))
    opens = " ".join(re.findall(r"(?m)^Then open (.+)$", steps)).replace(".  ", ". ")
    return f"| [{path.name}]({path.name}) | {shows} | {start} | {opens} |"


def test_the_index_lists_every_example_as_it_describes_itself() -> None:
    index = (EXAMPLES[0].parent / "README.md").read_text(encoding="utf-8")
    rows = [line for line in index.splitlines() if line.startswith("| [")]
    assert sorted(rows) == [index_row(path) for path in EXAMPLES]


PORTS = {
    "python": (),
    **dict.fromkeys(("flask", "granian", "uvicorn"), ("--port", "{port}")),
    **dict.fromkeys(("gunicorn", "hypercorn"), ("--bind", "127.0.0.1:{port}")),
}
"""How the port is given to each program; a script has its own, which is replaced."""


def copy_for(path: Path, folder: Path, holder: socket.socket) -> None:
    """Copy an example to where it runs, with the port of `holder`."""
    (folder / "examples").mkdir()
    text = path.read_text(encoding="utf-8").replace("8000", str(holder.getsockname()[1]))
    (folder / "examples" / path.name).write_text(text, encoding="utf-8")


@pytest.mark.servers
@pytest.mark.parametrize(
    ("path", "command"),
    [(path, command) for path in EXAMPLES for command in commands(path)],
    ids=lambda given: getattr(given, "stem", given),
)
def test_an_example_starts_as_it_says(path: Path, command: str, tmp_path: Path) -> None:
    program, *arguments = command.split()
    for name in (program, path.stem.partition("_")[0].replace("drf", "rest_framework")):
        if name not in ("python", "bare", "bundle", "several"):
            pytest.importorskip(name)
    with reserve() as holder:
        text = path.read_text(encoding="utf-8")
        copy_for(path, tmp_path, holder)
        (url,) = re.findall(r"Then open http://[\d.:]+(/\w*)", text)
        run = arguments if program == "python" else ["-m", program, *arguments, *PORTS[program]]
        server = ServerProcess(run, tmp_path, ready=url, holder=holder)
        with server, server.client() as client:  # the admin leads to its login
            assert client.get(url, follow_redirects=True).status_code == 200


def test_every_example_is_run_here() -> None:
    here = Path(__file__).read_text(encoding="utf-8")
    assert EXAMPLES
    stems = [path.stem for path in EXAMPLES]
    assert [it for it in stems if f'("{it}"' not in here] == []


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


@pytest.fixture(scope="module")
def litestar() -> None:
    """Litestar's logging has a thread as long as there is an application: one for all tests."""
    pytest.importorskip("litestar")
    import_module("examples.litestar_app")


@pytest.mark.usefixtures("litestar")
def test_litestar_gives_a_workbook() -> None:
    response = asgi_get("litestar_app", "/orders")
    assert len(calamine_rows(response.content)) == 10_001
    assert "orders.xlsx" in response.headers["content-disposition"]


@pytest.mark.usefixtures("litestar")
def test_litestar_gives_json() -> None:
    rows = json_rows(asgi_get("litestar_app", "/orders?format=json").content)
    assert rows[0] == {"id": 1, "customer": "Müller & Söhne 1", "total": 0.125}


def test_falcon_gives_a_workbook() -> None:
    pytest.importorskip("falcon")
    response = wsgi_get("falcon_app", "/orders?format=xlsx")
    assert len(calamine_rows(response.data)) == 10_001
    assert "orders.xlsx" in response.headers["Content-Disposition"]


def test_falcon_gives_csv() -> None:
    pytest.importorskip("falcon")
    assert are_orders(csv_rows(wsgi_get("falcon_app", "/orders").data))


def test_quart_gives_a_workbook() -> None:
    pytest.importorskip("quart")
    assert len(calamine_rows(asgi_get("quart_app", "/orders").content)) == 10_001


def test_quart_gives_csv() -> None:
    pytest.importorskip("quart")
    assert are_orders(csv_rows(asgi_get("quart_app", "/orders?format=csv").content))


def test_starlette_gives_a_response_with_a_cookie_and_a_task() -> None:
    response = asgi_get("starlette_response", "/orders?format=csv")
    assert are_orders(csv_rows(response.content))
    assert response.headers["set-cookie"].startswith("downloaded=orders")
    keeper = import_module("examples.starlette_response").keeper
    assert keeper.execute("select count(*) from downloads").fetchone() == (1,)


def test_flask_gives_a_304_to_a_client_that_has_it() -> None:
    response = wsgi_get("flask_response", "/orders")
    assert are_orders(csv_rows(response.data))
    assert "no-store" not in response.headers["Cache-Control"]
    client = Client(validator(import_module("examples.flask_response").app))
    asked = {"If-None-Match": response.headers["ETag"]}
    again = client.get("/orders", headers=asked, buffered=True)
    assert (again.status_code, again.data) == (304, b"")
    assert client.get("/orders?format=xml", headers=asked, buffered=True).status_code == 200


@contextmanager
def imported(name: str) -> Iterator[Any]:
    """An example with a database in a folder, which is removed at the end."""
    module = import_module(f"examples.{name}")
    try:
        yield module
    finally:
        module.folder.cleanup()
        del sys.modules[module.__name__]


@contextmanager
def with_flask(name: str) -> Iterator[Any]:
    """The client of an example; its pool has all of its connections at the end."""
    with imported(name) as module:
        yield module.app.test_client()
        with module.app.app_context():
            assert module.db.engine.pool.checkedout() == 0
            module.db.engine.dispose()


def driven(name: str, drive: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
    """Drive an example within its lifespan; its pool has all of its connections at the end."""

    async def within(module: Any) -> None:
        transport = httpx.ASGITransport(module.app)
        async with (
            module.app.router.lifespan_context(module.app),
            httpx.AsyncClient(transport=transport, base_url="http://test") as client,
        ):
            await drive(client)
            assert module.engine.pool.checkedout() == 0

    with imported(name) as module:
        asyncio.run(within(module))


def test_flask_sqlalchemy_gives_a_workbook_of_objects() -> None:
    pytest.importorskip("flask_sqlalchemy")
    with with_flask("flask_sqlalchemy_app") as client:
        rows = calamine_rows(client.get("/orders?format=xlsx", buffered=True).data)
    assert rows[:2] == [["id", "customer.name", "total"], [1.0, "Müller & Söhne 1", 0.125]]
    assert len(rows) == 10_001


@pytest.mark.slow
def test_fastapi_gives_objects_of_the_session_that_a_dependency_has() -> None:
    pytest.importorskip("greenlet")

    async def drive(client: httpx.AsyncClient) -> None:
        response = await client.get("/orders?format=csv")
        assert are_orders(csv_rows(response.content))
        workbook = await client.get("/orders?format=xlsx")
        assert calamine_rows(workbook.content)[-1] == [10_000.0, "Müller & Söhne 10000", 1250.0]

    driven("fastapi_sqlalchemy_app", drive)


RECIPES = ("flask_admin_app", "sqladmin_app", "starlette_admin_app")


@pytest.mark.parametrize("name", RECIPES)
def test_the_recipe_of_the_docs_is_that_of_the_example(name: str) -> None:
    docs = (EXAMPLES[0].parents[1] / "docs" / "admin-tools.md").read_text(encoding="utf-8")
    example = EXAMPLES[0].with_name(f"{name}.py").read_text(encoding="utf-8")
    recipes = re.findall(r"```python\n(.*?)```", docs, flags=re.DOTALL)
    assert [recipe for recipe in recipes if recipe.strip() in example]


LARGEST = [
    [9999, "Müller & Söhne 9999", 1249.875],
    [9998, "Müller & Söhne 9998", 1249.75],
]


def sheet_rows(data: bytes) -> list[list[Any]]:
    """The rows of the only sheet, as openpyxl reads them."""
    (sheet,) = openpyxl_book(data).worksheets
    return [list(row) for row in sheet.iter_rows(values_only=True)]


@pytest.mark.slow
def test_flask_admin_exports_what_its_list_has_found() -> None:
    pytest.importorskip("flask_admin")
    export = "/admin/order/export/xlsx/"
    found = {"search": "999", "flt0_2": "500", "sort": "2", "desc": "1"}
    known: dict[str, Any] = {"auth": ("admin", "admin"), "buffered": True}
    asked = {"query_string": found, **known}
    with with_flask("flask_admin_app") as client:
        assert client.get(export).status_code == 401
        page = client.get("/admin/order/", **asked).text
        rows = sheet_rows(client.get(export, **asked).data)
        whole = client.get("/admin/order/export/csv/", **known)
        assert client.get("/admin/order/export/pdf/", **asked).status_code == 403
    assert re.search(export + r"\?[^\"]*search=999[^\"]*flt0_2=500", page)
    assert (rows[:3], len(rows)) == ([["No.", "Customer", "Total"], *LARGEST], 16)
    assert are_orders(csv_rows(whole.data))
    assert 'filename="Order_' in whole.headers["Content-Disposition"]


@pytest.mark.slow
def test_sqladmin_exports_what_its_list_has_found() -> None:
    pytest.importorskip("sqladmin")

    async def drive(client: httpx.AsyncClient) -> None:
        asked = "?search=999&total_op=greater_than&total=500&sortBy=total&sort=desc"
        export = "/admin/order/export/xlsx"
        refused = await client.get(export + asked)
        assert refused.headers["location"] == "http://test/admin/login"
        await client.post("/admin/login", data={"username": "admin", "password": "admin"})
        page = (await client.get("/admin/order/list" + asked)).text
        assert f'href="http://test{export}{asked.replace("&", "&amp;")}"' in page
        rows = sheet_rows((await client.get(export + asked)).content)
        assert (rows[:3], len(rows)) == ([["No.", "customer", "total"], *LARGEST], 16)
        whole = await client.get("/admin/order/export/csv")
        assert are_orders(csv_rows(whole.content))
        assert 'filename="Order_' in whole.headers["content-disposition"]
        assert (await client.get("/admin/order/export/json")).status_code == 404
        assert (await client.get(export + "?sortBy=customer_id")).status_code == 400

    driven("sqladmin_app", drive)


@pytest.mark.slow
def test_starlette_admin_exports_what_its_list_has_found() -> None:
    pytest.importorskip("starlette_admin")

    async def drive(client: httpx.AsyncClient) -> None:
        async def post(form: Any, **asked: Any) -> httpx.Response:
            token = {"csrftoken": client.cookies["starlette_admin_csrftoken"]}
            params = {"name": "export", **asked}
            return await client.post("/admin/_api/order/action", params=params, data=token | form)

        await client.get("/admin/login")
        everything = {"format": "xlsx", "scope": "selected"}
        refused = await post(everything, all="1")
        assert refused.headers["location"].startswith("http://test/admin/login")
        token = client.cookies["starlette_admin_csrftoken"]
        login = {"username": "admin", "password": "admin", "csrftoken": token}
        await client.post("/admin/login", data=login)
        listed = "?" + urlencode({"sort": "total__desc", "q": "999", "filter": "total__gt=500"})
        response = await post(everything, all="1", _list_query=listed)
        rows = sheet_rows(response.content)
        assert (rows[:3], len(rows)) == ([["Id", "Customer", "Total"], *LARGEST], 16)
        assert 'filename="order.xlsx"' in response.headers["content-disposition"]
        csv = {"format": "csv"}
        whole = await post({**csv, "scope": "selected"}, all="1")
        assert are_orders(csv_rows(whole.content))
        page = csv_rows((await post(csv, _list_query="?page=2&sort=id__asc")).content)
        assert [row[0] for row in page[1:]] == [str(at) for at in range(11, 21)]
        few = {**csv, "scope": "selected", "fields": ["total", "customer"], "filename": "few"}
        chosen = await post(few, pks=["3", "4"])
        assert csv_rows(chosen.content)[1:] == [
            ["Müller & Söhne 3", "0.375"],
            ["Müller & Söhne 4", "0.5"],
        ]
        assert 'filename="few.csv"' in chosen.headers["content-disposition"]
        assert (await post({"format": "pdf"})).status_code == 400

    driven("starlette_admin_app", drive)


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


def test_a_report_has_a_title_and_a_total_and_its_regions_sheets_of_their_own() -> None:
    report = wsgi_get("flask_report", "/report").data
    zip_rules(report)
    rows = calamine_rows(report)
    assert rows[0][0] == "Orders of October 2026"
    assert rows[2] == ["No.", "Placed", "Customer", "Region", "Margin", "Total"]
    assert rows[-1][-1] == pytest.approx(sum(row[-1] for row in rows[3:-1]))
    regions = wsgi_get("flask_report", "/regions").data
    names = openpyxl_book(regions).sheetnames
    assert sorted(names) == ["East", "North", "South", "West"]
    assert {row[3] for row in calamine_rows(regions, names[0])[3:-1]} == {names[0]}


def test_a_bundle_holds_exports_and_files() -> None:
    response = wsgi_get("bundle", "/shop")
    parts = zip_parts(response.data)
    assert list(parts) == ["orders.xlsx", "customers.csv", "READ ME.txt"]
    assert len(calamine_rows(parts["orders.xlsx"])) == 1001
    assert csv_rows(parts["customers.csv"])[1] == ["1", "Åse & Bjørn"]
    assert parts["READ ME.txt"] == b"Hello\n"
    assert "shop.zip" in response.headers["Content-Disposition"]


def is_sales(data: bytes) -> bool:
    assert any("chart" in name for name in zip_parts(data))
    rows = calamine_rows(data)
    return len(rows) == 13 and [rows[1], rows[-1]] == [["2026-01", 1.25], ["2026-12", 15.0]]


def test_flask_sends_a_workbook_from_a_scratch_path(scratch: Path) -> None:
    pytest.importorskip("openpyxl")
    response = wsgi_get("flask_workbook", "/sales")
    assert is_sales(response.data)
    assert "sales.xlsx" in response.headers["Content-Disposition"]


def test_the_scratch_path_is_there_until_the_response_is_closed(scratch: Path) -> None:
    pytest.importorskip("openpyxl")
    app = import_module("examples.flask_workbook").app
    response = Client(app).get("/sales", buffered=False)
    there = files(scratch)
    response.close()
    assert there == ["1.xlsx"]
    assert files(scratch) == []


def test_starlette_sends_a_workbook_from_a_scratch_path(scratch: Path) -> None:
    pytest.importorskip("xlsxwriter")
    response = asgi_get("starlette_workbook", "/sales")
    assert is_sales(response.content)
    assert "sales.xlsx" in response.headers["Content-Disposition"]


def test_flask_sends_a_zip_from_a_spool(scratch: Path) -> None:
    response = wsgi_get("flask_spool", "/invoices")
    parts = zip_parts(response.data)
    assert list(parts) == [f"2026-{month:02}.csv" for month in range(1, 13)]
    rows = csv_rows(parts["2026-12.csv"])
    assert [len(rows), rows[0], rows[-1]] == [2001, ["number", "total"], ["122000", "250.0"]]
    assert response.content_length == len(response.data) > 65_536


PATIENCE = 30
SERVERS: dict[str, tuple[str, ...]] = {
    "gunicorn": ("gunicorn", "--bind", "127.0.0.1:{port}", "apps.files:wsgi"),
    "gunicorn, preload": (
        *("gunicorn", "--preload", "--threads", "4", "--bind", "127.0.0.1:{port}"),
        "apps.files:wsgi",
    ),
    "granian, WSGI": ("granian", "--interface", "wsgi", "--port", "{port}", "apps.files:wsgi"),
    "granian": ("granian", "--interface", "asgi", "--port", "{port}", "apps.files:asgi"),
    "uvicorn": ("uvicorn", "--port", "{port}", "apps.files:asgi"),
}


class Server(ServerProcess):
    """`apps.files` on a real server.

    Attributes:
        scratch: The scratch directory.
    """

    def __init__(self, name: str, folder: Path) -> None:
        pytest.importorskip(SERVERS[name][0])
        self.scratch = folder / "scratch"
        self.scratch.mkdir(0o700)
        environment = {"STREAMWARE_SCRATCH_DIR": str(self.scratch)}
        super().__init__(("-m", *SERVERS[name]), folder, environment, ready="/nothing")


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    for name in ("flask", "openpyxl", "xlsxwriter"):
        pytest.importorskip(name)
    folder = tmp_path_factory.mktemp(re.sub(r"\W", "", request.param))
    with Server(request.param, folder) as made:
        yield made
    assert files(made.scratch) == []
    # Some servers end by the signal itself, and leave the directory of the process, empty.
    assert reap(made.scratch).errors == []
    assert list(made.scratch.iterdir()) == []
    assert [path.name for path in folder.iterdir() if "openpyxl" in path.name] == []


@pytest.mark.servers
def test_a_scratch_path_arrives_whole_from_a_real_server(server: Server) -> None:
    assert [at for at in range(40) if not is_sales(server.get("/sales").content)] == []
    until(lambda: files(server.scratch) == [], patience=5)


@pytest.mark.servers
def test_a_large_scratch_path_arrives_whole_from_a_real_server(server: Server) -> None:
    response = server.get("/large")
    assert response.content == b"".join(bytes([at]) * 2**20 for at in range(64))
    assert response.headers["content-length"] == str(64 * 2**20)
    until(lambda: files(server.scratch) == [], patience=5)


@pytest.mark.servers
def test_a_file_that_is_no_scratch_is_left_to_the_server(server: Server) -> None:
    page = Path(__file__).parent / "apps" / "files.py"
    assert server.get("/other").content == page.read_bytes()


@pytest.mark.servers
def test_a_scratch_path_goes_when_the_client_leaves_in_the_middle(server: Server) -> None:
    for _ in range(3):
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
            client.connect(server.address)
            client.sendall(b"GET /large HTTP/1.1\r\nHost: test\r\n\r\n")
            assert client.recv(15) == b"HTTP/1.1 200 OK"
            sleep(0.2)  # as much as the buffers take
            assert files(server.scratch) == ["1.bin"]
        until(lambda: files(server.scratch) == [], patience=5)


DJANGO = {
    "ASGI": ("uvicorn", "--port", "{port}", "examples.APP:app"),
    "WSGI": ("gunicorn", "--bind", "127.0.0.1:{port}", "examples.APP:application"),
}


@pytest.mark.servers
@pytest.mark.parametrize("interface", DJANGO)
def test_django_gives_csv(interface: str, tmp_path: Path) -> None:
    """On a real server, for its settings are for a process of its own."""
    pytest.importorskip("django")
    with started("django_app", interface, tmp_path) as server:
        response = server.get("/orders?format=csv")
    assert are_orders(csv_rows(response.content))
    assert "orders.csv" in response.headers["content-disposition"]


@pytest.mark.servers
@pytest.mark.parametrize("interface", DJANGO)
def test_rest_framework_gives_all_that_is_found(interface: str, tmp_path: Path) -> None:
    pytest.importorskip("rest_framework")
    with started("drf_app", interface, tmp_path) as server:
        page = server.get("/orders/").json()
        whole = server.get("/orders/?format=xlsx")
        found = server.get("/orders.csv?search=999")
        failed = server.get("/orders/?format=tsv")
    assert (page["count"], len(page["results"])) == (10_000, 20)
    assert len(calamine_rows(whole.content)) == 10_001
    assert 'filename="orders.xlsx"' in whole.headers["content-disposition"]
    assert csv_rows(found.content)[:2] == [
        ["ID", "Customer", "Total"],
        ["999", "Müller & Söhne 999", "124.875"],
    ]
    assert failed.json() == {"detail": "Not found."}


def path_of(name: str) -> Path:
    return EXAMPLES[0].parent / f"{name}.py"


@pytest.mark.servers
def test_the_admin_of_django_exports_the_filtered_list(tmp_path: Path) -> None:
    """More is in tests/servers/test_django_admin.py, with a browser."""
    pytest.importorskip("django")
    with reserve() as holder:
        example = path_of("django_admin")
        copy_for(example, tmp_path, holder)
        server = ServerProcess(
            [f"examples/{example.name}"], tmp_path, ready="/login/", holder=holder
        )
        with server, server.client() as client:
            page = client.get("/login/").text
            (token,) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
            user = {"username": "admin", "password": "admin", "csrfmiddlewaretoken": token}
            assert client.post("/login/?next=/shop/order/", data=user).status_code == 302
            list_ = client.get("/shop/order/?q=999&status__exact=o").text
            (link,) = re.findall(r'href="([^"]+)" id="streamware-export"', list_)
            url = link.replace("&amp;", "&")
            assert "Export as XLSX" in client.get(url).text
            response = client.get(f"{url}&_format=csv&_column=id&_column=day&_column=total")
    assert csv_rows(response.content)[:2] == [
        ["ID", "Day", "Total"],
        ["9998", "2026-04-09", "1249.75"],
    ]
    assert len(csv_rows(response.content)) == 1 + 5
    assert 'filename="orders-2' in response.headers["content-disposition"]


def started(name: str, interface: str, folder: Path) -> ServerProcess:
    command = [part.replace("APP", name) for part in DJANGO[interface]]
    pytest.importorskip(command[0])
    return ServerProcess(("-m", *command), folder)
