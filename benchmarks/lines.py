"""The lines of docs/databases.md: what a view returns, wrong and right, with each driver.

A line is evaluated as it stands, in the names that the application for its server gives it.
"""

from __future__ import annotations

import os
from ast import PyCF_ALLOW_TOP_LEVEL_AWAIT
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

import streamware as sw
from benchmarks.child import peak_memory
from benchmarks.databases import Databases, cache

ORDERS = "BENCHMARK_ORDERS"
"""The environment variable that tells an application how many orders its databases have."""
Application = Literal["flask", "fastapi", "django", "django asgi"]
DJANGO: tuple[Application, ...] = ("django", "django asgi")


@dataclass(frozen=True, slots=True)
class Line:
    """What a view returns.

    Attributes:
        driver: The section of the page.
        application: Where it is served.
        code: An expression.
        right: Whether the page recommends it.
    """

    driver: str
    application: Application
    code: str
    right: bool = True


COLUMNS = ["number", "placed", "customer.name", "total"]
PLAIN = ["number", "placed", "total"]
WITH_LINES = [*PLAIN, sw.Column("lines", convert=len)]
DJANGO_WITH_LINES = [*PLAIN, sw.Column("lines", convert=lambda lines: len(lines.all()))]


SQL = '"select * from orders"'
OBJECTS = "select(Order)"
CUSTOMER = "select(Order).options(joinedload(Order.customer))"
JOINED = "select(Order.number, Customer.name).join(Order.customer)"
DETAILS = "select(Order).options(selectinload(Order.lines))"


def _lines(
    driver: str, application: Application, *, wrong: Iterable[str], right: Iterable[str]
) -> Iterator[Line]:
    call = "sw.Export" if application == "flask" else "ExportResponse"
    for is_right, codes in ((False, wrong), (True, right)):
        for code in codes:
            yield Line(driver, application, f"{call}({code})", is_right)


LINES = (
    *_lines(
        "SQLAlchemy",
        "flask",
        wrong=[
            f"Session().execute({OBJECTS})",
            f"Session().scalars({OBJECTS})",
            f"engine.connect().execute({OBJECTS})",
        ],
        right=[
            f"sqlalchemy.rows(engine, {JOINED})",
            f"sqlalchemy.rows(engine, {SQL})",
            f"sqlalchemy.rows(Session, {OBJECTS})",
            f"sqlalchemy.rows(Session, {CUSTOMER}), columns=columns",
            f"sqlalchemy.rows(Session, {DETAILS}), columns=with_lines",
        ],
    ),
    *_lines(
        "SQLAlchemy with asyncio",
        "fastapi",
        wrong=[
            f"(await session.scalars({OBJECTS})).all()",
            f"await session.stream_scalars({OBJECTS})",
        ],
        right=[
            f"sqlalchemy.rows(async_session, {OBJECTS})",
            f"sqlalchemy.rows(session, {OBJECTS})",
            f"sqlalchemy.rows(async_session, {CUSTOMER}), columns=columns",
            f"sqlalchemy.rows(async_session, {DETAILS}), columns=with_lines",
            f"sqlalchemy.rows(async_engine, {JOINED})",
            f"sqlalchemy.rows(Session, {OBJECTS})",
        ],
    ),
    *_lines(
        "Flask-SQLAlchemy",
        "flask",
        wrong=[
            "Order.query.all()",
            f"db.session.scalars({OBJECTS})",
            f"db.session.scalars({CUSTOMER}), columns=columns",
        ],
        right=[
            "Order.query",
            "Order.query.options(joinedload(Order.customer)), columns=columns",
            f"sqlalchemy.rows(db.session, {OBJECTS})",
            f"sqlalchemy.rows(db.session, {CUSTOMER}), columns=columns",
            f"sqlalchemy.rows(db.session, {DETAILS}), columns=with_lines",
            f"db.session.scalars({OBJECTS}.execution_options(yield_per=1000))",
        ],
    ),
    *chain.from_iterable(
        _lines(
            "Django",
            application,
            wrong=[
                "request, list(Order.objects.all())",
                "request, iter(Order.objects.select_related('customer')), columns=columns",
            ],
            right=[
                "request, Order.objects.all()",
                "request, Order.objects.select_related('customer'), columns=columns",
                "request, Order.objects.prefetch_related('lines'), columns=with_lines",
                "request, Order.objects.values('number', 'customer__name', 'total')",
            ],
        )
        for application in DJANGO
    ),
    *_lines(
        "psycopg",
        "flask",
        wrong=[f"connect().execute({SQL})"],
        right=[f"psycopg.rows(pool, {SQL})", f"psycopg.rows(conninfo, {SQL})"],
    ),
    *_lines(
        "psycopg",
        "fastapi",
        wrong=[f"await (await connect()).execute({SQL})"],
        right=[f"psycopg.rows(pool, {SQL})"],
    ),
    *_lines(
        "asyncpg",
        "fastapi",
        wrong=[f"await pool.fetch({SQL})"],
        right=[f"asyncpg.rows(pool, {SQL})"],
    ),
    *_lines(
        "SQLite",
        "flask",
        wrong=[f"connect().execute({SQL}).fetchall()"],
        right=[f"sqlite.rows(path, {SQL})"],
    ),
    *_lines(
        "SQLite",
        "fastapi",
        wrong=[f"await (await connect()).execute_fetchall({SQL})"],
        right=[f"sqlite.rows(path, {SQL})"],
    ),
    *_lines(
        "DuckDB",
        "flask",
        wrong=[f"connection.execute({SQL}).fetchall()"],
        right=[f"duckdb.rows(connection, {SQL})"],
    ),
    *_lines("DuckDB", "fastapi", wrong=[], right=[f"duckdb.rows(connection, {SQL})"]),
    *_lines(
        "MySQL and MariaDB",
        "flask",
        wrong=[f"executed(connect().cursor(), {SQL})"],
        right=[f"dbapi.rows(connect, {SQL})"],
    ),
)


def databases() -> Databases:
    """Return the databases of this process, which the environment names."""
    return Databases(cache(), int(os.environ[ORDERS]))


def value(number: int, names: Mapping[str, Any]) -> Any:
    """Return what a line gives; a coroutine of it if the line awaits something."""
    flags = PyCF_ALLOW_TOP_LEVEL_AWAIT
    return eval(compile(LINES[number].code, "<line>", "eval", flags=flags), dict(names))


def peak() -> str:
    """Return the peak memory of this process."""
    return str(peak_memory())
