"""The FastAPI app of `benchmarks.sources`: `/line/N` returns what line N of `lines` gives."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from inspect import iscoroutine
from typing import Annotated, Any

import aiosqlite
import asyncpg as asyncpg_driver
import duckdb as duckdb_driver
import psycopg as psycopg_driver
from fastapi import Depends, FastAPI
from fastapi.responses import PlainTextResponse
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import create_engine, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import joinedload, selectinload, sessionmaker

from benchmarks import lines
from benchmarks.models import Customer, Order
from streamware.frameworks.fastapi import ExportResponse
from streamware.sources import asyncpg, duckdb, psycopg, sqlalchemy, sqlite

where = lines.databases()
app = FastAPI()
async_engine = create_async_engine("postgresql+asyncpg" + where.url)
async_session = async_sessionmaker(async_engine)


async def orm_names() -> dict[str, Any]:
    return {
        "sqlalchemy": sqlalchemy,
        "async_engine": async_engine,
        "async_session": async_session,
        "Session": sessionmaker(create_engine("postgresql+psycopg" + where.url)),
        "select": select,
        "joinedload": joinedload,
        "selectinload": selectinload,
        "Order": Order,
        "Customer": Customer,
        "columns": lines.COLUMNS,
        "with_lines": lines.WITH_LINES,
    }


async def psycopg_names() -> dict[str, Any]:
    connect = partial(psycopg_driver.AsyncConnection.connect, where.conninfo)
    pool = AsyncConnectionPool(where.conninfo, min_size=1, open=False)
    await pool.open()
    return {"psycopg": psycopg, "connect": connect, "pool": pool}


async def asyncpg_names() -> dict[str, Any]:
    pool = await asyncpg_driver.create_pool("postgresql" + where.url, min_size=1)
    return {"asyncpg": asyncpg, "pool": pool}


async def sqlite_names() -> dict[str, Any]:
    connect = partial(aiosqlite.connect, where.sqlite)
    return {"sqlite": sqlite, "connect": connect, "path": where.sqlite}


async def duckdb_names() -> dict[str, Any]:
    connection = duckdb_driver.connect(str(where.duckdb), read_only=True)
    return {"duckdb": duckdb, "connection": connection}


OPENERS = {
    "SQLAlchemy with asyncio": orm_names,
    "psycopg": psycopg_names,
    "asyncpg": asyncpg_names,
    "SQLite": sqlite_names,
    "DuckDB": duckdb_names,
}
opened: dict[str, dict[str, Any]] = {}


async def get_session() -> AsyncIterator[AsyncSession]:
    async with async_session() as session:
        yield session


@app.get("/line/{number}")
async def line(number: int, session: Annotated[AsyncSession, Depends(get_session)]) -> Any:
    driver = lines.LINES[number].driver
    if driver not in opened:
        opened[driver] = {"ExportResponse": ExportResponse, **await OPENERS[driver]()}
    found = lines.value(number, opened[driver] | {"session": session})
    return await found if iscoroutine(found) else found


@app.get("/peak", response_class=PlainTextResponse)
async def peak() -> str:
    return lines.peak()
