"""Adoption: makes sources of what ORMs offer as rows, or says in an error what to pass instead.

Iterated as it is, a QuerySet or a query reads its whole result into memory; a source does not.
Classes are recognised by their names: a library that is not there is not imported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def adopted(rows: Any) -> Any:
    """Return the source of rows that need one, and other rows as they are.

    Raises:
        TypeError: They are no rows yet; the message says what makes rows of them.
    """
    for base in type(rows).__mro__:
        adopt = _ADOPT.get((base.__module__, base.__name__))
        if adopt is not None:
            return adopt(rows)
    return rows


def _queryset(rows: Any) -> Any:
    from streamware.sources import django  # noqa: PLC0415 - it imports Django

    return django.rows(rows)


def _query(rows: Any) -> Any:
    from streamware.sources import sqlalchemy  # noqa: PLC0415 - it imports SQLAlchemy

    return sqlalchemy.query_rows(rows)


def _result(rows: Any) -> Any:
    from streamware.sources import sqlalchemy  # noqa: PLC0415 - it imports SQLAlchemy

    return sqlalchemy.result_rows(rows)


def _statement(rows: Any) -> Any:
    raise TypeError(
        f"rows must be rows, not a statement ({type(rows).__name__}): pass"
        " streamware.sources.sqlalchemy.rows(engine, statement)"
    )


_ADOPT: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("django.db.models.query", "QuerySet"): _queryset,
    ("django.db.models.query", "RawQuerySet"): _queryset,
    ("django.db.models.manager", "BaseManager"): _queryset,
    ("sqlalchemy.orm.query", "Query"): _query,
    ("sqlalchemy.engine.result", "Result"): _result,
    ("sqlalchemy.sql.base", "Executable"): _statement,
}
