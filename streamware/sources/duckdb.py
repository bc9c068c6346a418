"""DuckDB: the rows of a query, a batch at a time.

Each export has a cursor of its own, which DuckDB makes as another connection to the same database,
so that the application's own is not disturbed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from os import PathLike, fspath
from typing import Any

import duckdb

from streamware.sources.dbapi import fetched
from streamware.sources.source import (
    BATCH_ROWS,
    Cancel,
    Results,
    Source,
    check_batch,
    check_query,
)


def rows(
    database: str | PathLike[str] | duckdb.DuckDBPyConnection,
    query: str,
    parameters: Sequence[Any] | Mapping[str, Any] | None = None,
    *,
    batch: int = BATCH_ROWS,
) -> Source:
    """Return the rows of a query as a source of tuples.

    Args:
        database: A connection, of which each export has a cursor of its own; or a file, which has
            to exist and is opened read-only.
        query: A statement that returns rows.
        parameters: A sequence for `?` and `$1`, a mapping for `$name`; None for none.
        batch: Rows read at a time.

    Raises:
        TypeError: `database` or `query` is something else; `parameters` is a single value.
        ValueError: `batch` is below 1.
    """
    if not isinstance(database, (str, PathLike, duckdb.DuckDBPyConnection)):
        kind = type(database).__name__
        raise TypeError(f"database must be a connection of DuckDB or a path, not {kind}")
    check_query(query, parameters)
    size = check_batch(batch)

    def open_cursor(stack: ExitStack) -> tuple[Results, Cancel]:
        if isinstance(database, duckdb.DuckDBPyConnection):
            cursor = stack.enter_context(closing(database.cursor()))
        else:
            cursor = stack.enter_context(closing(duckdb.connect(fspath(database), read_only=True)))
        return fetched(cursor, query, parameters, size), cursor.interrupt

    return Source(open_cursor)
