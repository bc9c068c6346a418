"""The kinds of rows: orders as tuples, dictionaries, objects of an ORM, a table of Arrow.

Of each kind there are tuples with the same values, which it is compared with.
"""

from __future__ import annotations

import sqlite3
import warnings
from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, make_dataclass
from importlib.util import find_spec
from typing import Any

from benchmarks.contender import arrow_table, polars_frame
from benchmarks.served import plain
from benchmarks.workloads import WORKLOADS, Row

TITLES = WORKLOADS["orders"].titles
Made = tuple[Any, list[Row]]
"""Rows of a kind, and tuples with the same values."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of rows.

    Attributes:
        make: Returns that many rows, and tuples with the same values.
        needs: The module that it needs.
    """

    make: Callable[[int], Made]
    needs: str = "builtins"

    @property
    def installed(self) -> bool:
        """Whether there is what it needs."""
        return find_spec(self.needs) is not None


def _orders(n: int) -> list[Row]:
    return list(WORKLOADS["orders"].rows(n))


def _each(make: Callable[[Row], Any]) -> Callable[[int], Made]:
    def made(n: int) -> Made:
        rows = _orders(n)
        return [make(row) for row in rows], rows

    return made


def _whole(make: Callable[[Iterable[Row], tuple[str, ...]], Any]) -> Callable[[int], Made]:
    def made(n: int) -> Made:
        rows = _orders(n)
        return make(rows, TITLES), rows

    return made


Named = namedtuple("Named", TITLES)  # type: ignore[misc] # noqa: PYI024 - its names are data
Data = make_dataclass("Data", TITLES)


def sqlite_rows(n: int) -> Made:
    """Return rows of sqlite3, which have the types of SQLite."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute(f"create table orders ({', '.join(TITLES)})")
        marks = ", ".join("?" * len(TITLES))
        database.executemany(f"insert into orders values ({marks})", map(plain, _orders(n)))
        tuples = database.execute("select * from orders").fetchall()
        database.row_factory = sqlite3.Row
        return database.execute("select * from orders").fetchall(), tuples


def sqlalchemy_rows(n: int) -> Made:
    """Return rows of SQLAlchemy's Core."""
    return _from_sqlalchemy(n, lambda session, order: session.execute(_columns_of(order)).all())


def orm_objects(n: int) -> Made:
    """Return objects of SQLAlchemy's ORM, which were loaded."""
    return _from_sqlalchemy(n, lambda session, order: session.query(order).all())


def _columns_of(order: Any) -> Any:
    from sqlalchemy import select

    return select(*(getattr(order, title) for title in TITLES))


def _from_sqlalchemy(n: int, read: Callable[[Any, Any], Any]) -> Made:
    from sqlalchemy import create_engine
    from sqlalchemy.orm import Session

    order, engine = _mapped(), create_engine("sqlite://")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SQLite has no Decimals
        with ExitStack() as stack, Session(engine) as session:
            stack.callback(engine.dispose)
            order.metadata.create_all(session.connection())
            rows = [dict(zip(TITLES, row, strict=True)) for row in _orders(n)]
            session.execute(order.__table__.insert(), rows)
            found = read(session, order)
            tuples = [tuple(row) for row in session.execute(_columns_of(order))]
            session.expunge_all()
            return found, tuples


def _mapped() -> Any:
    """Return a class for orders, mapped."""
    from sqlalchemy import Boolean, Date, DateTime, Float, Integer, Numeric, String
    from sqlalchemy.orm import declarative_base, mapped_column

    types: tuple[Any, ...] = (
        *(Integer, String, String, Float, Numeric(10, 2), Boolean),
        *(Date, DateTime, Integer, String),
    )
    columns = {
        title: mapped_column(kind, primary_key=title == "id")
        for title, kind in zip(TITLES, types, strict=True)
    }
    return type("Order", (declarative_base(),), {"__tablename__": "orders", **columns})


def django_objects(n: int) -> Made:
    """Return objects of a Django model, as from a database, in a process without settings."""
    import django
    from django.conf import settings

    settings.configure()
    django.setup()
    from django.db import models

    kinds: dict[str, Any] = {
        "id": models.IntegerField(primary_key=True),
        "number": models.CharField(max_length=50),
        "customer": models.CharField(max_length=50),
        "amount": models.FloatField(),
        "price": models.DecimalField(max_digits=10, decimal_places=2),
        "paid": models.BooleanField(),
        "day": models.DateField(),
        "created": models.DateTimeField(),
        "qty": models.IntegerField(null=True),
        "note": models.TextField(),
    }
    meta = type("Meta", (), {"app_label": "benchmarks"})
    members = {"__module__": __name__, "Meta": meta, **kinds}
    model: Any = type("KindOfOrder", (models.Model,), members)
    return _each(lambda row: model.from_db("default", TITLES, row))(n)


KINDS = {
    "tuple": Kind(_each(tuple)),
    "list": Kind(_each(list)),
    "dict": Kind(_each(lambda row: dict(zip(TITLES, row, strict=True)))),
    "namedtuple": Kind(_each(Named._make)),
    "dataclass": Kind(_each(lambda row: Data(*row))),
    "sqlite3.Row": Kind(sqlite_rows),
    "SQLAlchemy Row": Kind(sqlalchemy_rows, "sqlalchemy"),
    "SQLAlchemy ORM object": Kind(orm_objects, "sqlalchemy"),
    "Django object": Kind(django_objects, "django"),
    "Arrow table": Kind(_whole(arrow_table), "pyarrow"),
    "Polars frame": Kind(_whole(polars_frame), "polars"),
}


def installed() -> Iterator[tuple[str, Kind]]:
    """Yield the kinds for which there is what they need."""
    return ((name, kind) for name, kind in KINDS.items() if kind.installed)
