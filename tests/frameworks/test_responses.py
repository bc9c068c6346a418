"""What `ExportResponse` does is the same in Litestar, in Falcon (WSGI and ASGI) and in Quart."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest

import streamware as sw
from fakes import (
    AsyncRows,
    Broken,
    Connection,
    Gate,
    Reply,
    Rows,
    aorders,
    asgi_get,
    failing,
    gated,
    orders,
    until,
    wsgi_get,
)
from readers import calamine_rows, csv_rows, xml_rows, zip_parts

for framework in ("litestar", "falcon", "quart"):
    pytest.importorskip(framework)

from apps.built import BUILDERS, over_http_1_1, with_defaults  # noqa: E402 - where they are installed

ENDLESS = 10**9
Ask = Callable[..., Reply]

pytestmark = [
    # Litestar and Quart warn of what they do themselves.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def app_of(name: str, content: Any, options: Mapping[str, Any]) -> Any:
    made = BUILDERS[name]({"/": lambda asked: {"content": content, **options}}, {})
    return over_http_1_1(made) if name == "falcon" else with_defaults(made)


@pytest.fixture(params=BUILDERS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def serve(name: str) -> Callable[..., Ask]:
    """Makes an application that has one view, and returns what asks it."""

    def made(content: Any, **options: Any) -> Ask:
        app = app_of(name, content, options)
        get: Any = wsgi_get if name == "falcon" else asgi_get
        return lambda **asked: get(app, **asked)

    return made


def test_rows_arrive_with_their_headers(serve: Callable[..., Ask]) -> None:
    get = serve(lambda: orders(20_000), filename="Übersicht", headers={"X-Ours": "1"}, status=203)
    reply = get()
    assert (reply.status, reply.complete) == (203, True)
    assert csv_rows(reply.body)[-1] == ["19999", "order 19999"]
    assert reply.headers["content-type"] == "text/csv; charset=utf-8"
    assert "filename*=UTF-8''%C3%9Cbersicht.csv" in reply.headers["content-disposition"]
    assert (reply.headers["x-ours"], reply.headers["accept-ranges"]) == ("1", "none")
    assert "content-length" not in reply.headers


def test_the_query_and_the_accept_header_choose(serve: Callable[..., Ask]) -> None:
    get = serve([{"a": 1}])
    assert xml_rows(get(query="format=xml").body) == [{"a": "1"}]
    xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    assert calamine_rows(get(headers={"Accept": xlsx}).body) == [["a"], [1.0]]
    assert csv_rows(get(query="format=csv", headers={"Accept": xlsx}).body) == [["a"], ["1"]]


def test_a_csv_is_in_the_language_of_its_reader(serve: Callable[..., Ask]) -> None:
    get = serve([{"a": 1.5, "b": "x"}], format=sw.Csv(language="auto"))
    reply = get(headers={"Accept-Language": "de-DE,de;q=0.9,en;q=0.8"})
    assert reply.body.decode() == "\ufeffa;b\r\n1,5;x\r\n"
    assert reply.headers["content-language"] == "de"
    assert "Accept-Language" in reply.headers["vary"]
    assert get().body == b"a,b\r\n1.5,x\r\n"


def test_a_format_that_is_not_offered_is_a_406(serve: Callable[..., Ask]) -> None:
    reply = serve(lambda: pytest.fail("opened"))(query="format=pdf")
    assert reply.status == 406
    assert reply.body == b"Not Acceptable. There are: csv, xlsx, xml\n"


def test_text_is_compressed_for_clients_that_accept_it(serve: Callable[..., Ask]) -> None:
    reply = serve(lambda: orders(100))(headers={"Accept-Encoding": "gzip"})
    assert reply.headers["content-encoding"] == "gzip"
    assert reply.body[:2] == b"\x1f\x8b"


def test_head_gives_the_headers_and_opens_nothing(serve: Callable[..., Ask]) -> None:
    reply = serve(lambda: pytest.fail("opened"), filename="orders")(method="HEAD")
    assert (reply.status, reply.body) == (200, b"")
    assert "orders.csv" in reply.headers["content-disposition"]
    assert "content-length" not in reply.headers


@pytest.mark.parametrize("query", ["", "format=pdf"])
def test_rows_passed_open_are_closed_for_head_and_406(
    serve: Callable[..., Ask], query: str
) -> None:
    rows = Rows(orders(3))
    serve(rows)(method="HEAD", query=query)
    assert (rows.pulled, rows.closed) == (0, 1)


@pytest.mark.parametrize("delivery", ["spool", "buffer"])
def test_documents_can_be_spooled_and_buffered(serve: Callable[..., Ask], delivery: str) -> None:
    receipts: list[sw.Receipt] = []
    reply = serve(lambda: orders(30_000), delivery=delivery, on_done=receipts.append)()
    assert csv_rows(reply.body)[-1] == ["29999", "order 29999"]
    assert [receipt.delivery for receipt in receipts] == [delivery]
    if delivery == "spool":
        assert int(reply.headers["content-length"]) == len(reply.body)
        assert reply.headers["repr-digest"].startswith("sha-256=:")


def test_more_rows_than_the_limit_are_a_413(serve: Callable[..., Ask]) -> None:
    rows = Rows(orders(ENDLESS))
    reply = serve(lambda: rows, limits=sw.Limits(rows=10))()
    assert reply.status == 413
    assert "content-disposition" not in reply.headers
    assert rows.closed == 1


def test_rows_that_fail_at_once_are_a_500_that_says_nothing(serve: Callable[..., Ask]) -> None:
    rows = Rows(failing(0, OSError("the secret")))
    reply = serve(lambda: rows)()
    assert reply.status == 500
    assert b"secret" not in reply.body
    assert "content-disposition" not in reply.headers
    assert rows.closed == 1


@pytest.mark.parametrize("format_", ["csv", "xlsx"])
def test_rows_that_fail_later_break_the_transfer(serve: Callable[..., Ask], format_: str) -> None:
    rows = Rows(failing(200_000, OSError("the secret")))
    reply = serve(lambda: rows, format=format_)()
    assert (reply.status, reply.complete) == (200, False)
    assert reply.error is not None
    assert b"secret" not in reply.body
    assert rows.closed == 1


def test_rows_are_closed_when_the_client_leaves(serve: Callable[..., Ask]) -> None:
    rows = Rows(orders(ENDLESS))
    receipts: list[sw.Receipt] = []
    reply = serve(lambda: rows, on_done=receipts.append)(leave_after=2)
    assert not reply.complete
    assert rows.closed == 1
    assert rows.pulled < 50_000
    assert [receipt.outcome for receipt in receipts] == ["client gone"]


def test_an_export_or_a_bundle_is_as_good_as_rows(serve: Callable[..., Ask]) -> None:
    export = sw.Export(lambda: orders(2), columns=["id", "name"], format="csv", status=202)
    reply = serve(export)()
    assert reply.status == 202
    assert csv_rows(reply.body) == [["id", "name"], ["0", "order 0"], ["1", "order 1"]]
    parts = zip_parts(serve(sw.Bundle([("a.csv", export)]))().body)
    assert csv_rows(parts["a.csv"])[1] == ["0", "order 0"]


def test_options_beside_an_export_are_refused(serve: Callable[..., Ask]) -> None:
    assert serve(sw.Export([(1,)]), filename="orders")().status == 500


def test_rows_have_scratch(serve: Callable[..., Ask]) -> None:
    def rows() -> Any:
        with sw.current_scratch().spool() as spool:
            spool.write(b"spooled")
            spool.seek(0)
            yield (spool.read().decode(),)

    assert serve(rows)().body == b"spooled\r\n"


ON_ASGI = pytest.mark.parametrize("name", [name for name in BUILDERS if name != "falcon"])


@ON_ASGI
def test_async_rows_are_closed_when_the_client_leaves(serve: Callable[..., Ask]) -> None:
    rows = AsyncRows(orders(ENDLESS))
    serve(lambda: rows)(leave_after=2)
    assert rows.closed == 1
    assert rows.pulled < 50_000
    assert csv_rows(serve(lambda: aorders(3))().body)[-1] == ["2", "order 2"]


@ON_ASGI
async def test_rows_are_closed_when_the_client_leaves_before_the_first_byte(name: str) -> None:
    gate = Gate()
    rows = Rows(gated(1, gate, orders(ENDLESS)))
    connection = Connection()
    running = asyncio.ensure_future(connection.run(app_of(name, lambda: rows, {})))
    await gate.was_entered()
    connection.leave()
    await asyncio.sleep(0.05)
    gate.open()
    reply = await running
    assert reply.body == b""
    assert reply.error is None
    assert rows.closed == 1


@pytest.mark.slow
@ON_ASGI
async def test_rows_are_closed_when_the_client_leaves_while_sending_is_blocked(name: str) -> None:
    rows = Rows(orders(ENDLESS))
    connection = Connection(stall_after=2)
    running = asyncio.ensure_future(connection.run(app_of(name, lambda: rows, {})))
    await connection.stalled.wait()
    connection.leave()
    await until(lambda: rows.closed)
    await asyncio.wait({running}, timeout=2)
    assert running.done()


@pytest.mark.parametrize("name", ["litestar", "falcon, asgi"])  # Quart leaves its tasks behind
async def test_rows_are_closed_when_the_server_cancels(name: str) -> None:
    rows = Rows(orders(ENDLESS))
    connection = Connection(stall_after=2)
    running = asyncio.ensure_future(connection.run(app_of(name, lambda: rows, {})))
    await connection.stalled.wait()
    running.cancel()
    await asyncio.wait({running})
    await until(lambda: rows.closed)
    assert running.cancelled()


@ON_ASGI
@pytest.mark.usefixtures("scratch_dir")
def test_within_a_middleware_it_is_the_same(name: str) -> None:
    rows = Rows(orders(ENDLESS))
    app = sw.ASGIMiddleware(app_of(name, lambda: rows, {}))
    assert not asgi_get(app, leave_after=2).complete
    assert rows.closed == 1
    broken = app_of(name, lambda: failing(200_000, Broken()), {})
    assert asgi_get(sw.ASGIMiddleware(broken)).error is not None
    assert csv_rows(asgi_get(app_of(name, lambda: orders(3), {})).body)[-1] == ["2", "order 2"]
