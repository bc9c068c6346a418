"""One way to read the orders: `python -m benchmarks.readings NAME WAY FOLDER ORDERS`.

Each has a process of its own.  The ways are those of `benchmarks.sources.Cpu`.  A few
rows are read first, so that imports and caches do not count.  The CPU seconds are printed as JSON.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import sqlite3
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from inspect import isasyncgenfunction
from itertools import islice
from operator import attrgetter
from pathlib import Path
from time import process_time
from typing import Any

import streamware as sw
from benchmarks.databases import Databases

BATCH = 1000
QUERY = "select * from orders"
FEW = 20
Batches = Iterator[Sequence[Any]] | AsyncIterator[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Reading:
    """A driver and our source for it.

    Attributes:
        database: The database that it reads.
        batches: Reads by the driver alone, in batches.
        source: Returns our source.
        cells: Makes the cells of a row for `csv.writer`; None if the row has them.
    """

    database: str
    batches: Callable[[Databases], Batches]
    source: Callable[[Databases], Any]
    cells: Callable[[Any], Sequence[Any]] | None = None


READINGS: dict[str, Reading] = {}


def reading(
    name: str,
    database: str,
    source: Callable[[Databases], Any],
    cells: Callable[[Any], Sequence[Any]] | None = None,
) -> Callable[[Callable[[Databases], Batches]], None]:
    """Register what reads by a driver alone."""

    def register(batches: Callable[[Databases], Batches]) -> None:
        READINGS[name] = Reading(database, batches, source, cells)

    return register


# psycopg and asyncpg ------------------------------------------------------------------------


def psycopg_source(where: Databases) -> Any:
    from streamware.sources import psycopg

    return psycopg.rows(where.conninfo, QUERY)


@reading("psycopg", "postgresql", psycopg_source)
def psycopg_batches(where: Databases) -> Iterator[Sequence[Any]]:
    import psycopg

    with psycopg.connect(where.conninfo) as connection, connection.cursor("export") as cursor:
        yield from fetched(cursor.execute(QUERY))


def asyncpg_source(where: Databases) -> Any:
    from streamware.sources import asyncpg

    return asyncpg.rows("postgresql" + where.url, QUERY)


@reading("asyncpg", "postgresql", asyncpg_source)
async def asyncpg_batches(where: Databases) -> AsyncIterator[Sequence[Any]]:
    import asyncpg

    connection = await asyncpg.connect("postgresql" + where.url)
    async with connection.transaction():
        cursor = await connection.cursor(QUERY)
        while batch := await cursor.fetch(BATCH):
            yield batch
    await connection.close()


# SQLite, DuckDB, MariaDB --------------------------------------------------------------------


def sqlite_source(where: Databases) -> Any:
    from streamware.sources import sqlite

    return sqlite.rows(where.sqlite, QUERY)


@reading("sqlite3", "sqlite", sqlite_source)
def sqlite_batches(where: Databases) -> Iterator[Sequence[Any]]:
    with closing(sqlite3.connect(where.sqlite)) as connection:
        yield from fetched(connection.execute(QUERY))


def duckdb_source(where: Databases) -> Any:
    from streamware.sources import duckdb

    return duckdb.rows(where.duckdb, QUERY)


@reading("DuckDB", "duckdb", duckdb_source)
def duckdb_batches(where: Databases) -> Iterator[Sequence[Any]]:
    import duckdb

    with closing(duckdb.connect(str(where.duckdb), read_only=True)) as connection:
        yield from fetched(connection.execute(QUERY))


def mariadb_source(where: Databases) -> Any:
    import pymysql

    from streamware.sources import dbapi

    return dbapi.rows(lambda: pymysql.connect(**where.mariadb), QUERY)


@reading("PyMySQL, SSCursor", "mariadb", mariadb_source)
def mariadb_batches(where: Databases) -> Iterator[Sequence[Any]]:
    import pymysql

    with (
        closing(pymysql.connect(**where.mariadb)) as connection,
        connection.cursor(pymysql.cursors.SSCursor) as cursor,
    ):
        cursor.execute(QUERY)
        yield from fetched(cursor)


def fetched(cursor: Any) -> Iterator[Sequence[Any]]:
    """Yield the rows of a cursor in batches."""
    while batch := cursor.fetchmany(BATCH):
        yield batch


# SQLAlchemy ---------------------------------------------------------------------------------


def core_source(where: Databases) -> Any:
    from sqlalchemy import create_engine

    from streamware.sources import sqlalchemy

    return sqlalchemy.rows(create_engine("postgresql+psycopg" + where.url), QUERY)


@reading("SQLAlchemy Core", "postgresql", core_source)
def core_batches(where: Databases) -> Iterator[Sequence[Any]]:
    from sqlalchemy import create_engine, text

    engine = create_engine("postgresql+psycopg" + where.url)
    with engine.connect() as connection:
        options = {"yield_per": BATCH}
        yield from connection.execute(text(QUERY), execution_options=options).partitions()


ORDER = attrgetter("id", "number", "placed", "status", "customer_id", "total", "note")


def orm_source(where: Databases) -> Any:
    from sqlalchemy import create_engine, select

    from benchmarks.models import Order
    from streamware.sources import sqlalchemy

    return sqlalchemy.rows(create_engine("postgresql+psycopg" + where.url), select(Order))


@reading("SQLAlchemy ORM", "postgresql", orm_source, ORDER)
def orm_batches(where: Databases) -> Iterator[Sequence[Any]]:
    from sqlalchemy import create_engine, select
    from sqlalchemy.orm import Session

    from benchmarks.models import Order

    with Session(create_engine("postgresql+psycopg" + where.url)) as session:
        options = {"yield_per": BATCH}
        yield from session.scalars(select(Order), execution_options=options).partitions()


def async_orm_source(where: Databases) -> Any:
    from sqlalchemy import select
    from sqlalchemy.ext.asyncio import create_async_engine

    from benchmarks.models import Order
    from streamware.sources import sqlalchemy

    return sqlalchemy.rows(create_async_engine("postgresql+asyncpg" + where.url), select(Order))


@reading("SQLAlchemy ORM, asyncpg", "postgresql", async_orm_source, ORDER)
async def async_orm_batches(where: Databases) -> AsyncIterator[Sequence[Any]]:
    from sqlalchemy import select
    from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

    from benchmarks.models import Order

    async with AsyncSession(create_async_engine("postgresql+asyncpg" + where.url)) as session:
        options = {"yield_per": BATCH}
        found = await session.stream_scalars(select(Order), execution_options=options)
        async for batch in found.partitions():
            yield batch


# Django -------------------------------------------------------------------------------------


def django_orders(where: Databases) -> Any:
    from benchmarks import django_models

    django_models.connect(where)
    return django_models.Order.objects.select_related("customer")


def django_source(where: Databases) -> Any:
    orders = django_orders(where)
    from streamware.sources import django

    return django.rows(orders)


DJANGO_ORDER = attrgetter("id", "number", "placed", "status", "customer", "total", "note")


@reading("Django objects", "postgresql", django_source, DJANGO_ORDER)
def django_batches(where: Databases) -> Batches:
    return sliced(django_orders(where).iterator(BATCH))


COLUMNS = ("id", "number", "placed", "status", "customer__name", "total", "note")


def values_source(where: Databases) -> Any:
    orders = django_orders(where)
    from streamware.sources import django

    return django.rows(orders.values_list(*COLUMNS))


@reading("Django values_list", "postgresql", values_source)
def values_batches(where: Databases) -> Batches:
    return sliced(django_orders(where).values_list(*COLUMNS).iterator(BATCH))


def sliced(rows: Iterator[Any]) -> Iterator[Sequence[Any]]:
    """Yield rows in batches."""
    while batch := list(islice(rows, BATCH)):
        yield batch


# The ways -----------------------------------------------------------------------------------


def _read(one: Reading, way: str, where: Databases) -> None:
    if way == "source":
        deque(one.source(where), maxlen=0)
    elif way == "exported":
        deque(sw.encode(one.source(where), "csv"), maxlen=0)
    else:
        batches = one.batches(where)
        assert isinstance(batches, Iterator)
        deque(map(_taker(one, way), batches), maxlen=0)


async def _aread(one: Reading, way: str, where: Databases) -> None:
    if way == "source":
        async for _ in one.source(where):
            pass
    elif way == "exported":
        async with sw.aencode(one.source(where), "csv") as chunks:
            async for _ in chunks:
                pass
    else:
        batches, take = one.batches(where), _taker(one, way)
        assert isinstance(batches, AsyncIterator)
        async for batch in batches:
            take(batch)


def _taker(one: Reading, way: str) -> Callable[[Sequence[Any]], object]:
    """Return what a batch is given to."""
    return Written(one.cells) if way == "written" else len


class Written:
    """Writes batches by `csv.writer`, and drops the bytes."""

    def __init__(self, cells: Callable[[Any], Sequence[Any]] | None) -> None:
        self._cells = cells
        self._file = io.StringIO(newline="")
        self._writer = csv.writer(self._file)

    def __call__(self, batch: Iterable[Any]) -> None:
        """Write a batch."""
        self._writer.writerows(batch if self._cells is None else map(self._cells, batch))
        self._file.getvalue().encode()
        self._file.seek(0)
        self._file.truncate()


def measure(name: str, way: str, where: Databases) -> float:
    """Return the CPU seconds of reading in a way, in this process, which should be new."""
    one = READINGS[name]
    few = Databases(where.folder, FEW)
    if isasyncgenfunction(one.batches):
        asyncio.run(_aread(one, way, few))
        before = process_time()
        asyncio.run(_aread(one, way, where))
    else:
        _read(one, way, few)
        before = process_time()
        _read(one, way, where)
    return process_time() - before


if __name__ == "__main__":
    reading_, way_, folder, orders = sys.argv[1:]
    json.dump(measure(reading_, way_, Databases(Path(folder), int(orders))), sys.stdout)
