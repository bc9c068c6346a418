import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import pytest

import streamware as sw
from fakes import Broken, Connection, failing
from readers import calamine_rows, csv_rows, zip_parts

httpx = pytest.importorskip("httpx")
pytest.importorskip("fastapi")

from fastapi import BackgroundTasks, Depends, FastAPI, Response  # noqa: E402 - where it is installed
from starlette.background import BackgroundTask  # noqa: E402

from streamware.frameworks import starlette  # noqa: E402
from streamware.frameworks.fastapi import ExportResponse, describe  # noqa: E402

ROWS = [{"id": 1, "name": "Åse"}, {"id": 2, "name": "Bo"}]


async def get(app: FastAPI, url: str = "/orders", method: str = "GET", **options: Any) -> Any:
    transport = httpx.ASGITransport(app, **options)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.request(method, url)


@pytest.mark.parametrize(
    "made",
    [
        lambda: sw.Export(ROWS),
        lambda: sw.Bundle([("a.csv", sw.Export(ROWS))]),
        lambda: {"orders": sw.Export(ROWS)},
        lambda: [sw.Export(ROWS)],
    ],
    ids=["export", "bundle", "in a dict", "in a list"],
)
async def test_an_export_returned_as_it_is_is_a_500_that_names_the_class(made: Any) -> None:
    app = FastAPI()
    app.get("/orders")(made)
    with pytest.raises(Exception, match="ExportResponse") as caught:
        await get(app)
    logged = "".join(traceback.format_exception(caught.value))
    assert "streamware.frameworks.fastapi.ExportResponse" in logged
    response = await get(app, raise_app_exceptions=False)
    assert response.status_code == 500
    assert response.text == "Internal Server Error"


async def test_an_export_as_return_type_is_refused_when_the_view_is_made() -> None:
    app = FastAPI()

    def orders() -> sw.Export:
        return sw.Export(ROWS)

    with pytest.raises(Exception, match="Export"):
        app.get("/orders")(orders)


async def test_a_response_is_a_download() -> None:
    app = FastAPI()

    @app.get("/orders")
    def orders() -> ExportResponse:
        return ExportResponse(ROWS, filename="orders", formats=("xlsx", "csv"))

    response = await get(app)
    assert calamine_rows(response.content) == [["id", "name"], [1.0, "Åse"], [2.0, "Bo"]]
    assert "orders.xlsx" in response.headers["content-disposition"]
    assert csv_rows((await get(app, "/orders?format=csv")).content)[1] == ["1", "Åse"]


async def test_headers_and_cookies_of_the_response_are_sent() -> None:
    app = FastAPI()

    @app.get("/orders")
    async def orders() -> ExportResponse:
        response = ExportResponse(ROWS, format="csv", headers=[("X-Ours", "1")], status_code=203)
        response.headers["X-Theirs"] = "2"
        response.set_cookie("seen", "yes")
        return response

    response = await get(app)
    assert response.status_code == 203
    assert response.headers["x-ours"] == "1"
    assert response.headers["x-theirs"] == "2"
    assert response.headers["set-cookie"].startswith("seen=yes")
    assert response.headers["content-type"].startswith("text/csv")


async def test_a_header_set_on_the_response_replaces_ours() -> None:
    app = FastAPI()

    @app.get("/orders")
    async def orders() -> ExportResponse:
        response = ExportResponse(ROWS, format="csv")
        response.headers["Cache-Control"] = "private, max-age=60"
        return response

    response = await get(app)
    assert response.headers.get_list("cache-control") == ["private, max-age=60"]


async def test_the_background_task_runs_after_the_rows_are_closed() -> None:
    app = FastAPI()
    events: list[str] = []

    def rows() -> Any:
        yield from ROWS
        events.append("rows")

    @app.get("/orders")
    async def orders() -> ExportResponse:
        task = BackgroundTask(events.append, "task")
        return ExportResponse(
            rows, format="csv", background=task, on_done=lambda receipt: events.append("done")
        )

    await get(app)
    assert events == ["rows", "done", "task"]


async def test_background_tasks_of_the_view_run_too() -> None:
    app = FastAPI()
    events: list[str] = []

    @app.get("/orders")
    async def orders(tasks: BackgroundTasks) -> ExportResponse:
        tasks.add_task(events.append, "task")
        return ExportResponse(ROWS, format="csv")

    await get(app)
    assert events == ["task"]


async def test_a_dependency_with_yield_ends_after_the_rows() -> None:
    app = FastAPI()
    events: list[str] = []

    def session() -> Any:
        yield "session"
        events.append("session ended")

    @app.get("/orders")
    def orders(db: Annotated[str, Depends(session)]) -> ExportResponse:
        def rows() -> Any:
            yield from ROWS
            events.append(f"rows of {db}")

        return ExportResponse(rows, format="csv")

    await get(app)
    assert events == ["rows of session", "session ended"]


@pytest.mark.parametrize("scope", ["function", "request"])
@pytest.mark.parametrize("used", [False, True])
async def test_the_session_of_a_dependency_is_right_whenever_that_closes_it(
    scope: Any, used: bool, tmp_path: Path
) -> None:
    """With the view, as FastAPI 0.106 to 0.117 did, or after the response."""
    pytest.importorskip("greenlet")
    sa = pytest.importorskip("sqlalchemy")
    from streamware.sources import sqlalchemy

    asyncio_ = pytest.importorskip("sqlalchemy.ext.asyncio")
    app, engine = FastAPI(), asyncio_.create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/a")
    table = sa.Table("orders", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True))
    registry = pytest.importorskip("sqlalchemy.orm").registry()
    order: Any = registry.map_imperatively(type("Order", (), {}), table).class_
    async with engine.begin() as connection:
        await connection.run_sync(table.metadata.create_all)
        await connection.execute(sa.insert(table), [{"id": n} for n in range(1, 2001)])

    async def session() -> Any:
        async with asyncio_.AsyncSession(engine) as made:
            yield made

    @app.get("/orders")
    async def orders(db: Annotated[Any, Depends(session, scope=scope)]) -> ExportResponse:
        if used:
            await db.get(order, 2000)
        return ExportResponse(sqlalchemy.rows(db, sa.select(order)), format="csv")

    rows = csv_rows((await get(app)).content)
    assert (rows[-1], len(rows)) == (["2000"], 2001)
    assert engine.pool.checkedout() == 0
    await engine.dispose()
    registry.dispose()


async def test_an_async_source_and_a_bundle_are_responses_too() -> None:
    app = FastAPI()

    async def rows() -> Any:
        for row in ROWS:
            yield row

    @app.get("/orders")
    async def orders() -> ExportResponse:
        return ExportResponse(sw.Bundle([("a.csv", sw.Export(rows, format="csv"))]))

    parts = zip_parts((await get(app)).content)
    assert csv_rows(parts["a.csv"])[2] == ["2", "Bo"]


async def test_rows_that_fail_at_once_are_a_500() -> None:
    app = FastAPI()

    def rows() -> Any:
        raise OSError("no database")
        yield

    @app.get("/orders")
    async def orders() -> ExportResponse:
        return ExportResponse(rows, format="csv")

    response = await get(app, raise_app_exceptions=False)
    assert (response.status_code, response.text) == (500, "Internal Server Error")


async def described(view: Any, **options: Any) -> Any:
    app = FastAPI()
    app.get("/orders", response_class=ExportResponse, **options)(view)
    return (await get(app, "/openapi.json")).json()["paths"]["/orders"]["get"]["responses"]


async def test_the_class_is_a_response_class_in_the_description() -> None:
    async def orders() -> Any:
        return ExportResponse(ROWS, format="csv")

    answers = await described(orders)
    assert answers["200"] == {"description": "Successful Response"}


async def test_the_caller_may_describe_what_is_sent() -> None:
    csv = {"content": {"text/csv": {"schema": {"type": "string"}}}}
    answers = await described(lambda: ExportResponse(ROWS), responses={200: csv}, status_code=201)
    assert answers["201"] == {"description": "Successful Response"}
    assert answers["200"]["content"] == csv["content"]


async def test_rows_returned_under_the_response_class_are_a_download() -> None:
    app = FastAPI()
    events: list[str] = []

    @app.get("/orders", response_class=ExportResponse, status_code=201)
    async def orders(response: Response, tasks: BackgroundTasks) -> Any:
        response.set_cookie("seen", "yes")
        tasks.add_task(events.append, "task")
        return ROWS

    response = await get(app)
    assert response.status_code == 201
    assert csv_rows(response.content) == [["id", "name"], ["1", "Åse"], ["2", "Bo"]]
    assert response.headers["set-cookie"].startswith("seen=yes")
    assert "content-length" not in response.headers
    assert events == ["task"]


async def test_an_export_returned_as_it_is_is_refused_under_the_response_class_too() -> None:
    app = FastAPI()
    app.get("/orders", response_class=ExportResponse)(lambda: sw.Export(ROWS))
    with pytest.raises(Exception, match="ExportResponse"):
        await get(app)


def test_it_is_the_class_of_starlette() -> None:
    assert ExportResponse is starlette.ExportResponse


async def test_a_described_route_lists_its_formats_and_the_parameter() -> None:
    app = FastAPI()
    formats = ("xlsx", "csv", sw.Ndjson())
    extra = describe(formats, format_param="as", status_code=201)

    @app.get("/orders", response_class=ExportResponse, status_code=201, openapi_extra=extra)
    async def orders(above: float = 0) -> Any:
        return ExportResponse(ROWS, formats=formats, format_param="as")

    shown = (await get(app, "/openapi.json")).json()["paths"]["/orders"]["get"]
    assert [parameter["name"] for parameter in shown["parameters"]] == ["above", "as"]
    assert shown["parameters"][1]["schema"] == {
        "type": "string",
        "enum": ["xlsx", "csv", "ndjson"],
        "default": "xlsx",
    }
    assert list(shown["responses"]["201"]["content"]) == [
        sw.Xlsx().media_type,
        "text/csv",
        "application/x-ndjson",
    ]
    assert shown["responses"]["201"]["description"] == "Successful Response"
    assert "406" in shown["responses"]


async def test_each_described_value_of_the_parameter_is_answered_as_described() -> None:
    app = FastAPI()

    @app.get("/orders", response_class=ExportResponse, openapi_extra=describe())
    async def orders() -> Any:
        return ExportResponse(ROWS)

    shown = (await get(app, "/openapi.json")).json()["paths"]["/orders"]["get"]
    (parameter,) = shown["parameters"]
    sent = [
        (await get(app, f"/orders?format={name}")).headers["content-type"].partition(";")[0]
        for name in parameter["schema"]["enum"]
    ]
    assert sent == list(shown["responses"]["200"]["content"])


def test_a_sole_format_is_described_without_a_choice() -> None:
    shown = describe(["csv"])
    assert shown == {
        "responses": {
            "200": {"content": {"text/csv": {"schema": {"type": "string", "format": "binary"}}}}
        }
    }


@pytest.mark.parametrize(("formats", "error"), [("csv", TypeError), ([], ValueError)])
def test_formats_that_no_export_takes_are_not_described(formats: Any, error: Any) -> None:
    with pytest.raises(error, match="formats"):
        describe(formats)


async def test_a_client_of_an_api_description_gets_the_sole_format() -> None:
    app = FastAPI()

    @app.get("/orders")
    async def orders() -> ExportResponse:
        return ExportResponse(ROWS, format="csv")

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        response = await client.get("/orders", headers={"Accept": "application/json"})
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert "accept" not in response.headers["vary"].lower().split(", ")


# Below `@app.middleware("http")`


@pytest.mark.parametrize("layers", [0, 1, 3])
@pytest.mark.parametrize("delivery", ["auto", "stream", "buffer"])
async def test_rows_that_fail_late_break_the_transfer(layers: int, delivery: Any) -> None:
    app = FastAPI()

    async def passing(request: Any, call_next: Any) -> Any:
        return await call_next(request)

    for _ in range(layers):
        app.middleware("http")(passing)

    def session() -> Iterator[str]:
        with suppress(Broken):  # as sessions do that roll back
            yield "session"

    @app.get("/")
    def orders(session: Annotated[str, Depends(session)]) -> Response:
        return ExportResponse(failing(20_000), format="csv", delivery=delivery, compress="off")

    reply = await Connection().run(app)
    assert (reply.status, reply.complete) == (200, False)
    assert 10_000 < len(csv_rows(reply.body)) <= 20_000


async def test_a_download_that_was_collected_is_a_500() -> None:
    app = FastAPI()

    @app.middleware("http")
    async def signing(request: Any, call_next: Any) -> Any:
        response = await call_next(request)
        body = b"".join([chunk async for chunk in response.body_iterator])
        return Response(body, headers={"X-Signature": str(len(body))})

    @app.get("/")
    def orders() -> Response:
        return ExportResponse(failing(20_000), format="csv")

    reply = await Connection().run(app)
    assert (reply.status, reply.body) == (500, b"Internal Server Error")
    assert isinstance(reply.error, Broken)
