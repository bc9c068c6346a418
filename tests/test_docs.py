"""The documentation is run, or compiled, or compared with what it is about."""

import gc
import os
import re
import subprocess
import sys
import tempfile
import tomllib
import warnings
from ast import PyCF_ALLOW_TOP_LEVEL_AWAIT
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields
from functools import partial
from importlib.metadata import EntryPoint
from pathlib import Path
from shutil import disk_usage
from types import SimpleNamespace
from typing import Any, NamedTuple

import httpx
import pytest

import streamware as sw
from readers import calamine_rows
from streamware.formats import registry
from streamware.receipt import CONVERSIONS
from streamware.scratch.pool import _pools

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "Gi": 2**30}


class Block(NamedTuple):
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    text: str


def blocks() -> Iterator[Block]:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for found in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
            line = text[: found.start()].count("\n") + 2
            yield Block(page.name, line, found[1], found[2])


def named(block: Block) -> str:
    return f"{block.page}:{block.line}"


BLOCKS = list(blocks())


def block(page: str, part: str) -> str:
    """The text of the one block of a page that holds `part`."""
    (found,) = [one.text for one in BLOCKS if one.page == page and part in one.text]
    return found


def rows(page: str, title: str) -> list[dict[str, str]]:
    """The table of a page whose first title that is."""
    lines = (ROOT / "docs" / page).read_text(encoding="utf-8").splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith(f"| {title} |"))
    split = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[start:]]
    end = next(at for at, cells in enumerate(split) if len(cells) == 1)
    return [dict(zip(split[0], cells, strict=True)) for cells in split[2:end]]


def meant(default: str) -> object:
    """What a cell says, without what stands in brackets."""
    text = re.sub(r"\(.*\)", "", default).strip()
    if text in ("none", "empty"):
        return None if text == "none" else ()
    if text.startswith("`"):
        return text.strip("`")
    number, _, unit = text.partition(" ")
    return int(number) * UNITS[unit or "B"]


@pytest.fixture
def scratch_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where scratch goes by default; nothing is to be left there."""
    monkeypatch.setenv("STREAMWARE_SCRATCH_DIR", str(tmp_path))
    yield tmp_path
    for made in list(_pools.values()):
        if made.directory.path == str(tmp_path):
            made.process_directory.close()
            made.directory.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("block", [one for one in BLOCKS if one.language == "python"], ids=named)
def test_python_compiles(block: Block) -> None:
    compile(block.text, named(block), "exec", flags=PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.skipif(os.name == "nt", reason="needs a shell")
@pytest.mark.parametrize("block", [one for one in BLOCKS if one.language == "sh"], ids=named)
def test_a_command_is_one_that_a_shell_reads(block: Block) -> None:
    subprocess.run(["sh", "-n"], input=block.text, text=True, check=True)


def test_every_block_says_what_it_is() -> None:
    known = {"python", "sh", "toml", "yaml", "dockerfile", "text"}
    assert [named(one) for one in BLOCKS if one.language not in known] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_link_leads_to_a_file(page: Path) -> None:
    prose = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)#]+)", prose)
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []


def test_the_reference_has_every_public_name_once() -> None:
    pages = (ROOT / "docs" / "reference").glob("*.md")
    found = [
        name
        for page in pages
        for name in re.findall(r"^::: streamware\.(\w+)$", page.read_text(), re.MULTILINE)
    ]
    assert sorted(found) == sw.__all__


def test_the_table_of_settings_is_that_of_the_class() -> None:
    told = {row["setting"].strip("`"): row for row in rows("settings.md", "setting")}
    assert list(told) == [field.name for field in fields(sw.Settings)]
    for field in fields(sw.Settings):
        row, variable = told[field.name], field.metadata.get("variable", "")
        default = field.metadata["default"] if field.default is MISSING else field.default
        assert (row["environment variable"].strip("`"), meant(row["default"])) == (
            variable,
            default,
        )
        assert field.name.endswith(("bytes", "memory")) == (row["unit"] == "bytes")
        assert field.name.endswith("seconds") == (row["unit"] == "seconds")
        assert row["what it decides"].endswith(".")


def test_settings_are_written_as_the_docs_do() -> None:
    text = block("settings.md", "process_bytes").splitlines()[0]
    found: dict[str, Any] = {"sw": sw}
    exec(text, found)
    assert found["settings"].process_bytes == 4 * 2**30


@pytest.mark.skipif(os.name == "nt", reason="needs a shell")
def test_the_environment_is_read_as_the_docs_say() -> None:
    asked = "import streamware as sw; it = sw.Settings();"
    asked += " print(it.scratch_dir, it.host_bytes, it.request_files)"
    script = block("settings.md", "STREAMWARE_HOST_BYTES") + f'"{sys.executable}" -c "{asked}"\n'
    done = subprocess.run(
        ["sh", "-e"], input=script, text=True, check=True, capture_output=True, cwd=ROOT
    )
    assert done.stdout == f"/var/lib/shop/scratch {20 * 2**30} None\n"


@pytest.mark.parametrize("page", ["scratch.md", "settings.md"])
def test_only_settings_that_there_are_are_named(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    variables = {field.metadata.get("variable") for field in fields(sw.Settings)}
    assert set(re.findall(r"STREAMWARE_[A-Z_]+", text)) <= variables
    names = re.findall(r"`(\w+_(?:bytes|files|seconds|memory|backed|concurrent|dir))\b", text)
    assert names
    known = {field.name for field in fields(sw.Settings)} | {"constant_memory"}  # XlsxWriter's
    assert set(names) <= known


def test_the_budget_of_a_pod_is_below_its_limit() -> None:
    manifest = block("scratch.md", "emptyDir")
    budget = re.search(r'STREAMWARE_HOST_BYTES, value: "(\d+)"', manifest)
    limit = re.search(r"sizeLimit: (\d+)(Gi)", manifest)
    assert budget is not None
    assert limit is not None
    assert int(budget[1]) < int(limit[1]) * UNITS[limit[2]]


def request(view: Callable[[], object]) -> None:
    """Call a view below a middleware."""

    def app(environ: object, start_response: Any) -> list[bytes]:
        view()
        start_response("200 OK", [])
        return [b"done"]

    assert list(sw.WSGIMiddleware(app)({"REQUEST_METHOD": "GET"}, lambda *_: lambda _: None))


def files(folder: Path) -> list[str]:
    """Their names, at any depth."""
    return [path.name for path in folder.rglob("*") if path.is_file()]


def test_a_view_gets_what_the_docs_promise(scratch_dir: Path) -> None:
    kept: list[Any] = []

    class Connection:
        closed = False

        def close(self) -> None:
            self.closed = True

    def keep(**names: Any) -> None:
        kept.append(names)
        assert files(scratch_dir) == ["1.pdf"]
        assert names["spool"].write(b"data") == 4
        assert names["folder"].is_dir()
        assert not names["cursor"].closed

    found: dict[str, Any] = {"sw": sw, "connect": Connection, "keep": keep}
    exec(block("scratch.md", "scratch.spool()") + "    keep(**locals())\n", found)
    request(found["view"])
    assert kept[0]["scratch"].closed
    assert kept[0]["cursor"].closed
    assert files(scratch_dir) == []


def fill() -> None:
    """A view that wants more than it may have."""
    sw.current_scratch().path().write_bytes(bytes(20_000))
    sw.current_scratch().path()


def test_flask_answers_503_when_there_is_no_room(scratch_dir: Path) -> None:
    flask = pytest.importorskip("flask")
    app = flask.Flask("docs")
    exec(block("scratch.md", "@app.errorhandler"), {"sw": sw, "app": app})

    def refused() -> None:
        raise sw.Refused("not now", retry_after=7.0)

    app.add_url_rule("/refused", view_func=refused)
    app.add_url_rule("/full", view_func=fill)
    full = sw.Settings(keep_free_bytes=disk_usage(scratch_dir).total, wait_seconds=0)
    app.wsgi_app = sw.WSGIMiddleware(app.wsgi_app, full)
    answers = [app.test_client().get(path, buffered=True) for path in ("/refused", "/full")]
    found = [(answer.status_code, answer.headers["Retry-After"]) for answer in answers]
    assert found == [(503, "7"), (503, "10")]
    assert files(scratch_dir) == []


def test_django_answers_503_when_there_is_no_room() -> None:
    http = pytest.importorskip("django.http")
    django = pytest.importorskip("django")
    settings = pytest.importorskip("django.conf").settings
    if not settings.configured:
        settings.configure()
        django.setup()
    found: dict[str, Any] = {"sw": sw, "HttpResponse": http.HttpResponse}
    exec(block("scratch.md", "process_exception"), found)
    handler = found["NoRoom"](lambda request: http.HttpResponse("fine"))
    answer = handler.process_exception(None, sw.Refused("not now", retry_after=7.0))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")
    assert handler.process_exception(None, ValueError()) is None
    assert handler(None).status_code == 200


async def test_a_spool_is_sent_in_blocks_as_the_docs_say(scratch_dir: Path) -> None:
    responses = pytest.importorskip("starlette.responses")
    routing = pytest.importorskip("starlette.routing")
    lines = b"\n" * 200_000
    found = {
        "sw": sw,
        "partial": partial,
        "StreamingResponse": responses.StreamingResponse,
        "write_invoices": lambda spool: spool.write(lines),
    }
    exec(block("scratch.md", "write_invoices"), found)
    app = sw.ASGIMiddleware(routing.Route("/", found["invoices"]))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://test"
    ) as client:
        assert (await client.get("/")).content == lines
    assert files(scratch_dir) == []


@pytest.mark.parametrize("has_handler", [False, True], ids=["as it is", "with a handler"])
async def test_fastapi_answers_503_when_there_is_no_room(
    scratch_dir: Path, has_handler: bool
) -> None:
    fastapi = pytest.importorskip("fastapi")
    from fastapi.responses import JSONResponse

    app = fastapi.FastAPI()
    if has_handler:
        names = {"sw": sw, "app": app, "JSONResponse": JSONResponse}
        exec(block("scratch.md", "@app.exception_handler"), names)

    app.add_api_route("/full", fill)
    full = sw.Settings(keep_free_bytes=disk_usage(scratch_dir).total, wait_seconds=0)
    app.add_middleware(sw.ASGIMiddleware, settings=full)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/full")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
    assert ("Try again later" in answer.text) == has_handler
    assert files(scratch_dir) == []


def test_xlsxwriter_writes_as_the_docs_say(scratch_dir: Path) -> None:
    xlsxwriter = pytest.importorskip("xlsxwriter")
    sent: list[bytes] = []
    found = {
        "sw": sw,
        "Workbook": xlsxwriter.Workbook,
        "fetch": lambda: [[1, 2], [3, 4]],
        "send_file": lambda path, **_: sent.append(path.read_bytes()),
    }
    exec(block("scratch.md", "book.close()"), found)
    request(found["sales"])
    assert calamine_rows(sent[0]) == [[1, 2], [3, 4]]
    assert files(scratch_dir) == []


def test_xlsxwriter_leaves_nothing_behind_when_rows_fail(scratch_dir: Path) -> None:
    xlsxwriter = pytest.importorskip("xlsxwriter")

    def fetch() -> Iterator[list[int]]:
        yield [1, 2]
        assert len(files(scratch_dir)) > 1  # its own, beside the path
        raise LookupError

    found: dict[str, Any] = {"sw": sw, "Workbook": xlsxwriter.Workbook, "fetch": fetch}
    exec(block("scratch.md", "book.close()"), found)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it does not close them, either
        with pytest.raises(LookupError):
            request(found["sales"])
        gc.collect()
    assert files(scratch_dir) == []


def test_openpyxl_makes_its_files_where_the_docs_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openpyxl")
    from openpyxl.worksheet._writer import ALL_TEMP_FILES, create_temporary_file

    monkeypatch.setattr(tempfile, "tempdir", None)
    text = block("scratch.md", "tempfile.tempdir").replace("/var/lib/shop/openpyxl", str(tmp_path))
    exec(text, {"tempfile": tempfile})
    made = Path(create_temporary_file())
    ALL_TEMP_FILES.remove(str(made))
    assert made.parent == tmp_path


@pytest.mark.skipif(os.name == "nt", reason="nobody reaps")
def test_the_command_reaps(tmp_path: Path) -> None:
    dead = tmp_path / f"streamware-{os.geteuid()}-0123456789abcdef"
    dead.mkdir(0o700)
    (dead / "left.xlsx").write_bytes(bytes(5))
    script = block("scratch.md", "reap").replace("python", f'"{sys.executable}"')
    done = subprocess.run(
        ["sh", "-e"],
        input=script,
        text=True,
        check=True,
        capture_output=True,
        cwd=ROOT,
        env=os.environ | {"STREAMWARE_SCRATCH_DIR": str(tmp_path)},
    )
    assert "1 directory, 1 file, 5 bytes" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def markdown(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The module of `formats.md`, installed as its table of entry points has it."""
    found: dict[str, Any] = {"sw": sw, "__name__": "your_package.markdown"}
    text = block("formats.md", "class MarkdownEncoder")
    assert len(text.splitlines()) <= 60
    monkeypatch.setitem(sys.modules, "your_package.markdown", SimpleNamespace())
    exec(text, found)
    vars(sys.modules["your_package.markdown"]).update(found)
    project = tomllib.loads(block("formats.md", "entry-points"))["project"]
    ((group, names),) = project["entry-points"].items()
    entries = [EntryPoint(name, value, group) for name, value in names.items()]
    monkeypatch.setattr(
        registry, "entry_points", lambda group: [one for one in entries if one.group == group]
    )
    registry.extensions.cache_clear()
    yield found
    registry.extensions.cache_clear()


def test_the_format_of_the_docs_writes_what_they_show(markdown: dict[str, Any]) -> None:
    exec(block("formats.md", "Markdown(null="), markdown)
    assert markdown["document"].decode() == block("formats.md", "| A-2 |")


def test_the_format_of_the_docs_is_known_by_its_name(
    markdown: dict[str, Any], tmp_path: Path
) -> None:
    sheets = [sw.Sheet("One", [{"a": 1}, {"a": "*"}]), sw.Sheet("Two", [], columns=["b"])]
    receipt = sw.save(sheets, tmp_path / "orders.md")
    assert receipt.format == "markdown"
    assert (tmp_path / "orders.md").read_text(encoding="utf-8") == (
        "## One\n\n| a |\n| --- |\n| 1 |\n| \\* |\n\n## Two\n\n| b |\n| --- |\n\n2 rows\n"
    )
    assert b"".join(sw.encode(iter([]), "markdown")).endswith(b"\n0 rows\n")


VALUES = ROOT / "docs" / "values.md"


def with_conversions(page: str) -> str:
    """The page about converted values, whose table is the one in the code."""
    lines = [
        f"| `{key}` | {formats} | {meaning} |" for key, (formats, meaning) in CONVERSIONS.items()
    ]
    table = "\n".join(["| key | formats | counted when |", "| --- | --- | --- |", *lines])
    return page.partition("| key |")[0] + table + "\n"


def test_the_table_of_conversions_is_that_of_the_code() -> None:
    page = VALUES.read_text(encoding="utf-8")
    assert page == with_conversions(page)


if __name__ == "__main__":  # `python tests/test_docs.py` writes the table anew
    VALUES.write_text(with_conversions(VALUES.read_text(encoding="utf-8")), encoding="utf-8")
