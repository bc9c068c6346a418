"""SQLite: the rows of a query, by `sqlite3`.

SQLite makes a row when it is asked for one, so memory is constant with any cursor.  On a connection
of its own an export sees one state of the database from its first row to its last, and may run on
another thread than the view: also beside an event loop, where the export has a thread of its own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from streamware.sources import dbapi
from streamware.sources.source import Source

Database = str | PathLike[str] | sqlite3.Connection | Callable[[], sqlite3.Connection]
"""A file, a callable that connects, or a connection."""


def rows(
    database: Database, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()
) -> Source:
    """Return the rows of a query as a source: tuples, or what `row_factory` makes.

    Args:
        database: A path, which has to exist and is opened read-only, or a `file:` URI; a callable
            that returns a connection, which is closed at the end; or a connection, which is used
            and left open.
        query: A statement that returns rows.
        parameters: A sequence for `?`, a mapping for `:name`.

    Raises:
        TypeError: `database` is something else.
        ValueError: It is an in-memory database, which another connection cannot see.
    """
    if isinstance(database, (str, PathLike)):
        return dbapi.rows(_connector(fspath(database)), query, parameters)
    return dbapi.rows(database, query, parameters)


def _connector(path: str) -> Callable[[], sqlite3.Connection]:
    """Return what opens the file, with no lock on its thread: only one at a time uses it."""
    if path in ("", ":memory:"):
        raise ValueError(
            "an in-memory database cannot be seen by another connection: pass the connection that"
            " has it, opened with check_same_thread=False"
        )
    uri = path if path.startswith("file:") else Path(path).absolute().as_uri() + "?mode=ro"
    return partial(_connect, uri)


def _connect(uri: str) -> sqlite3.Connection:
    try:
        return sqlite3.connect(uri, uri=True, check_same_thread=False)
    except sqlite3.OperationalError as error:
        error.add_note(f"while opening {uri}")
        raise
