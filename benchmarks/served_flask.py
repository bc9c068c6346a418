"""The Flask application of `benchmarks.sources`: `/line/N` returns what line N of `lines` gives."""

from __future__ import annotations

import sqlite3
from functools import partial
from typing import Any

import duckdb as duckdb_driver
import psycopg as psycopg_driver
import pymysql
from flask import Flask
from psycopg_pool import ConnectionPool
from sqlalchemy import create_engine, select
from sqlalchemy.orm import joinedload, selectinload, sessionmaker

import streamware as sw
from benchmarks import lines
from benchmarks.models import Customer, Order, db
from streamware.sources import dbapi, duckdb, psycopg, sqlalchemy, sqlite

where = lines.databases()
app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = "postgresql+psycopg" + where.url
db.init_app(app)
engine = create_engine("postgresql+psycopg" + where.url)
ORM = {
    "sqlalchemy": sqlalchemy,
    "engine": engine,
    "Session": sessionmaker(engine),
    "db": db,
    "select": select,
    "joinedload": joinedload,
    "selectinload": selectinload,
    "Order": Order,
    "Customer": Customer,
    "columns": lines.COLUMNS,
    "with_lines": lines.WITH_LINES,
}


def psycopg_names() -> dict[str, Any]:
    connect = partial(psycopg_driver.connect, where.conninfo)
    pool = ConnectionPool(where.conninfo, min_size=1, open=True)
    return {"psycopg": psycopg, "connect": connect, "pool": pool, "conninfo": where.conninfo}


def sqlite_names() -> dict[str, Any]:
    connect = partial(sqlite3.connect, where.sqlite)
    return {"sqlite": sqlite, "connect": connect, "path": where.sqlite}


def duckdb_names() -> dict[str, Any]:
    connection = duckdb_driver.connect(str(where.duckdb), read_only=True)
    return {"duckdb": duckdb, "connection": connection}


def mariadb_names() -> dict[str, Any]:
    connect = partial(pymysql.connect, **where.mariadb)
    return {"dbapi": dbapi, "connect": connect, "executed": executed}


def executed(cursor: Any, query: str) -> Any:
    """Return the cursor, which has executed a query."""
    cursor.execute(query)
    return cursor


OPENERS = {
    "psycopg": psycopg_names,
    "SQLite": sqlite_names,
    "DuckDB": duckdb_names,
    "MySQL and MariaDB": mariadb_names,
}
opened: dict[str, dict[str, Any]] = {}


@app.get("/line/<int:number>")
def line(number: int) -> Any:
    driver = lines.LINES[number].driver
    if driver not in opened:
        opened[driver] = {"sw": sw, **OPENERS.get(driver, lambda: ORM)()}
    return lines.value(number, opened[driver])


@app.get("/peak")
def peak() -> str:
    return lines.peak()
