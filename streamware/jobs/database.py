"""connect: an engine of SQLAlchemy for the records, where each statement is a transaction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError

_PATIENCE = 30  # seconds that SQLite waits while another process writes
_RECYCLE = 1800  # seconds after which a connection is made anew; MariaDB ends idle ones


def connect(where: str | Path | Engine) -> Engine:
    """Return an engine.  No connection is made before it is used.

    Args:
        where: The URL of a database, the path of one of SQLite, or an engine, which keeps its
            connections.

    Raises:
        ValueError: It is no URL, or that of a database in memory.
        ImportError: The driver of the database is not installed.
    """
    if isinstance(where, Engine):
        return where.execution_options(isolation_level="AUTOCOMMIT")
    given = URL.create("sqlite", database=str(where)) if isinstance(where, Path) else where
    try:
        url = make_url(given)
    except ArgumentError as error:
        raise ValueError(
            "records= must be the URL of a database, such as sqlite:///jobs.sqlite3 or"
            " postgresql+psycopg://user@host/database, or an engine of SQLAlchemy"
        ) from error
    # Arguments and owners of jobs belong in no message of an error.
    options: dict[str, Any] = {"isolation_level": "AUTOCOMMIT", "hide_parameters": True}
    is_sqlite = url.get_backend_name() == "sqlite"
    if is_sqlite and url.database in (None, "", ":memory:"):
        raise ValueError(
            "records= cannot be kept in memory, where each thread would have its own: name a file,"
            " such as sqlite:///jobs.sqlite3"
        )
    if is_sqlite:
        _make_folder(url.database)
        options["connect_args"] = {"timeout": _PATIENCE}
    else:
        options |= {"pool_pre_ping": True, "pool_recycle": _RECYCLE, "max_overflow": -1}
    engine = create_engine(url, **options)
    if is_sqlite:
        event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _: object) -> None:
    """Let others read while one writes.

    What a power failure may lose are the last changes: a job is then unknown, or made again.
    """
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


def _make_folder(database: str | None) -> None:
    """Make the folder of a database of SQLite."""
    if database and not database.startswith("file:"):
        Path(database).parent.mkdir(parents=True, exist_ok=True)
