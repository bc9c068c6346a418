"""The code of docs/databases.md, run against real databases."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

import streamware as sw
from postgresql import cluster
from readers import csv_rows, openpyxl_book
from test_docs import ROOT, block

for needed in ("psycopg", "psycopg_pool", "asyncpg", "sqlalchemy", "greenlet", "django", "fastapi"):
    pytest.importorskip(needed, reason=f"skipped: needs {needed}")
for needed in ("flask_sqlalchemy", "duckdb"):
    pytest.importorskip(needed, reason=f"skipped: needs {needed}")

import asyncpg as asyncpg_driver  # noqa: E402
import duckdb as duckdb_driver  # noqa: E402
import fastapi  # noqa: E402
import flask  # noqa: E402
import psycopg as psycopg_driver  # noqa: E402
from psycopg_pool import ConnectionPool  # noqa: E402
from sqlalchemy import create_engine, select  # noqa: E402
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine  # noqa: E402
from sqlalchemy.orm import joinedload, selectinload, sessionmaker  # noqa: E402

from benchmarks.databases import CUSTOMERS, Databases  # noqa: E402
from benchmarks.models import Customer, Order, db  # noqa: E402
from streamware.sources import psycopg, sqlalchemy  # noqa: E402

pytestmark = pytest.mark.servers

PAGE = "databases.md"
ORDERS = 120
ORM = {
    "sw": sw,
    "select": select,
    "joinedload": joinedload,
    "selectinload": selectinload,
    "Order": Order,
    "Customer": Customer,
}


@pytest.fixture(scope="module")
def where() -> Iterator[Databases]:
    with cluster() as made:
        found = Databases(made.folder, ORDERS)
        found.make("postgresql")
        yield found


@pytest.fixture
def engine(where: Databases) -> Iterator[Any]:
    made = create_engine("postgresql+psycopg" + where.url)
    yield made
    assert made.pool.checkedout() == 0  # type: ignore[attr-defined]  # a QueuePool
    made.dispose()


@pytest.fixture
def pool(where: Databases) -> Iterator[Any]:
    with ConnectionPool(where.conninfo, min_size=1, max_size=1, timeout=5) as made:
        yield made


def flask_get(part: str, names: dict[str, Any], path: str = "/orders") -> list[list[str]]:
    """What the Flask view of a block sends."""
    app = flask.Flask("docs")
    exec(block(PAGE, part), names | {"sw": sw, "app": app})
    return csv_rows(app.test_client().get(path, buffered=True).data)


async def fastapi_get(part: str, names: dict[str, Any]) -> list[list[str]]:
    """What the FastAPI view of a block sends."""
    from streamware.frameworks.fastapi import ExportResponse

    app = fastapi.FastAPI()
    exec(block(PAGE, part), names | {"sw": sw, "app": app, "ExportResponse": ExportResponse})
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return csv_rows((await client.get("/orders")).content)


def test_objects_of_a_sessionmaker(engine: Any) -> None:
    found = flask_get(
        "sqlalchemy.rows(Session, select(Order))", ORM | {"Session": sessionmaker(engine)}
    )
    assert found[:2] == [
        ["number", "placed", "customer.name", "total"],
        ["2026-1", "2020-01-02", "Müller & Söhne 2", "1.25"],
    ]
    assert len(found) == ORDERS + 1


async def test_objects_beside_an_event_loop(where: Databases) -> None:
    made = create_async_engine("postgresql+asyncpg" + where.url)
    names = ORM | {"async_session": async_sessionmaker(made)}
    found = await fastapi_get("sqlalchemy.rows(async_session, statement)", names)
    assert found[:2] == [["number", "lines"], ["2026-1", "2"]]
    assert len(found) == ORDERS + 1
    await made.dispose()


@pytest.mark.parametrize(
    ("path", "first"),
    [
        ("/orders", ["2026-1", "2020-01-02", "Müller & Söhne 2", "1.25"]),
        ("/lines", ["2026-1", "2"]),
    ],
)
def test_objects_of_flask_sqlalchemy(where: Databases, path: str, first: list[str]) -> None:
    app = flask.Flask("docs")
    app.config["SQLALCHEMY_DATABASE_URI"] = "postgresql+psycopg" + where.url
    db.init_app(app)
    columns = ["number", "placed", "customer.name", "total"]
    names = ORM | {"app": app, "db": db, "columns": columns, "sqlalchemy": sqlalchemy}
    exec(block(PAGE, "Order.query.where"), names)
    found = csv_rows(app.test_client().get(path, buffered=True).data)
    assert found[1] == first
    assert len(found) == ORDERS + 1
    with app.app_context():
        assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # a QueuePool
        db.engine.dispose()


def test_a_queryset(where: Databases) -> None:
    """In a process of its own, for its settings."""
    script = f"""
from pathlib import Path
from django.test import RequestFactory
from benchmarks import django_models
from benchmarks.databases import Databases
from benchmarks.django_models import Order
django_models.connect(Databases(Path({str(where.folder)!r}), {ORDERS}))
{block(PAGE, "queryset = Order.objects")}
response = orders(RequestFactory().get("/orders"))
response.render()
print(b"".join(response).decode())
response.close()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True
    )
    found = csv_rows(done.stdout.encode())
    assert found[:2] == [
        ["Number", "Placed", "Name", "Total"],
        ["2026-1", "2020-01-02", "Müller & Söhne 2", "1.25"],
    ]


def test_rows_of_psycopg(where: Databases) -> None:
    names: dict[str, Any] = {"ConnectionPool": ConnectionPool, "conninfo": where.conninfo}
    app = flask.Flask("docs")
    names |= {"sw": sw, "app": app}
    exec(block(PAGE, "psycopg.rows(pool, query, [100])"), names)
    found = csv_rows(app.test_client().get("/orders", buffered=True).data)
    names["pool"].close()
    assert found[:2] == [["number", "total"], ["2026-81", "101.25"]]


async def test_rows_of_asyncpg(where: Databases) -> None:
    async with asyncpg_driver.create_pool("postgresql" + where.url, min_size=1) as made:
        found = await fastapi_get("asyncpg.rows(pool, query, 100)", {"pool": made})
    assert found[:2] == [["number", "total"], ["2026-81", "101.25"]]


def test_rows_of_files(where: Databases) -> None:
    for name in ("sqlite", "duckdb"):
        where.make(name)
    found = flask_get("sqlite.rows(path, query", {"path": where.sqlite})
    assert found[:2] == [["number", "total"], ["2026-81", "101.25"]]

    class driver:  # noqa: N801 - what the page calls the package
        @staticmethod
        def connect(name: str, *, read_only: bool) -> Any:
            assert name == "orders.duckdb"
            return duckdb_driver.connect(str(where.duckdb), read_only=read_only)

    app = flask.Flask("docs")
    names: dict[str, Any] = {"driver": driver, "sw": sw, "app": app}
    exec(block(PAGE, "duckdb.rows(connection"), names)
    found = csv_rows(app.test_client().get("/orders", buffered=True).data)
    names["connection"].close()
    assert found[:2] == [["number", "total"], ["2026-1", "1.25"]]


def add_customer(where: Databases) -> None:
    with psycopg_driver.connect(where.conninfo) as connection:
        connection.execute("insert into customers select max(id) + 1, 'New' from customers")


def heights(where: Databases, part: str, names: dict[str, Any]) -> dict[str, int]:
    """The rows of each sheet; a customer is added after the first bytes."""
    found = {"sw": sw, "psycopg": psycopg, **names}
    exec(block(PAGE, part), found)
    data = b""
    for chunk in sw.encode(found["book"], "xlsx"):
        if not data:
            add_customer(where)
        data += chunk
    return {sheet.title: sheet.max_row for sheet in openpyxl_book(data)}


def customers(where: Databases) -> int:
    with psycopg_driver.connect(where.conninfo) as connection:
        row = connection.execute("select count(*) from customers").fetchone()
    assert row is not None
    return int(row[0])


def test_sheets_of_one_transaction_see_one_state(where: Databases, pool: Any, engine: Any) -> None:
    blocks = {"repeatable read, read only": {"pool": pool}}
    blocks["REPEATABLE READ"] = ORM | {"engine": engine, "sqlalchemy": sqlalchemy}
    for part, names in blocks.items():
        before = customers(where)
        assert heights(where, part, names) == {"Orders": ORDERS + 1, "Customers": before + 1}
        assert customers(where) == before + 1 > CUSTOMERS


def test_connections_share_a_snapshot(where: Databases) -> None:
    found: dict[str, Any] = {"sql": psycopg_driver.sql}
    exec(block(PAGE, "pg_export_snapshot"), found)
    with (
        psycopg_driver.connect(where.conninfo) as leader,
        psycopg_driver.connect(where.conninfo) as follower,
    ):
        before, snapshot = customers(where), found["snapshot_of"](leader)
        add_customer(where)
        connection = found["follow"](follower, snapshot)
        rows = psycopg.rows(connection, "select id from customers")
        assert len(csv_rows(b"".join(sw.encode(rows)))) == before + 1
