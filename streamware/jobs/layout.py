"""Layout: which tables a database of records has, and how an older one is brought up to date."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from secrets import token_hex
from time import monotonic, sleep
from typing import Any, Final, Self

from sqlalchemy import (
    Column,
    Insert,
    Integer,
    MetaData,
    String,
    Table,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError, IntegrityError

from streamware.errors import StateError

VERSION: Final = 1
"""The layout that this version of the library reads and writes."""

_PATIENCE, _PAUSE = 5.0, 0.02  # seconds for which another process is waited for
_ONLY: Final = 1  # the key of the only row
_LAYOUT: Final = Table(
    "streamware_jobs_layout",
    MetaData(),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
    Column("space", String(16), nullable=False),
)


@dataclass(frozen=True, slots=True)
class Layout:
    """What a database says of itself.

    Attributes:
        version: Of its tables.
        space: A random name, below which the objects of its jobs are in the store: a store that
            two databases share has no object of theirs in common.
    """

    version: int
    space: str

    @classmethod
    def check(cls, engine: Engine, jobs: Table) -> Self:
        """Return the layout of a database; make the tables if it has none.

        Args:
            engine: Connects to it.
            jobs: The table of the records.

        Raises:
            StateError: It has another layout than this version of the library.
        """
        if not inspect(engine).has_table(jobs.name):
            _make(engine, jobs)
        found = cls._read(engine)
        version = 0 if found is None else found.version
        if version > VERSION:
            raise StateError(
                f"the records have layout {version}, and this version of streamware knows only"
                f" {VERSION}: a newer version has migrated them; install that"
            )
        if found is None or version < VERSION or _missing(engine, jobs):
            raise StateError(
                f"the records have an older layout ({version}, and {VERSION} is expected): stop the"
                " workers, and run `python -m streamware jobs migrate MODULE:JOBS`"
            )
        return found

    @classmethod
    def migrate(cls, engine: Engine, jobs: Table) -> list[str]:
        """Add to a database what its layout lacks; return the names of it.

        Raises:
            StateError: It has a newer layout.
        """
        if not inspect(engine).has_table(jobs.name):
            _make(engine, jobs)
            return [jobs.name, _LAYOUT.name]
        _LAYOUT.create(engine, checkfirst=True)
        found = cls._read(engine)
        if found is not None and found.version > VERSION:
            raise StateError(f"the records have layout {found.version}, a newer one than {VERSION}")
        missing = _missing(engine, jobs)
        with engine.connect() as connection:
            for column in missing:
                connection.exec_driver_sql(_adding(engine, jobs, column))
            for index in jobs.indexes:
                index.create(connection, checkfirst=True)
            if found is None:
                connection.execute(_first())
            elif found.version < VERSION:
                connection.execute(update(_LAYOUT).values(version=VERSION))
        return [column.name for column in missing]

    @classmethod
    def _read(cls, engine: Engine) -> Self | None:
        if not inspect(engine).has_table(_LAYOUT.name):
            return None
        with engine.connect() as connection:
            row = connection.execute(select(_LAYOUT.c.version, _LAYOUT.c.space)).first()
        return None if row is None else cls(row.version, row.space)


def _make(engine: Engine, jobs: Table) -> None:
    """Make the tables; if another process does so at the same time, one of the two wins."""
    try:
        _LAYOUT.create(engine, checkfirst=True)
        # It may be there: another process was faster, or was killed after it.
        with engine.connect() as connection, suppress(IntegrityError):
            connection.execute(_first())
        jobs.create(engine, checkfirst=True)
    except DBAPIError:
        if not _appears(engine, jobs):
            raise


def _appears(engine: Engine, jobs: Table) -> bool:
    """Return whether another process makes the tables right now, once it has."""
    end = monotonic() + _PATIENCE
    while monotonic() < end:
        if inspect(engine).has_table(jobs.name) and not _missing(engine, jobs):
            return True
        sleep(_PAUSE)
    return False


def _first() -> Insert:
    return insert(_LAYOUT).values(id=_ONLY, version=VERSION, space=token_hex(6))


def _missing(engine: Engine, jobs: Table) -> list[Column[Any]]:
    """Return the columns that the table of the records lacks."""
    there = {column["name"] for column in inspect(engine).get_columns(jobs.name)}
    return [column for column in jobs.c if column.name not in there]


def _adding(engine: Engine, jobs: Table, column: Column[Any]) -> str:
    """Return the statement that adds a column; those who have rows already get none in it."""
    kind = column.type.compile(engine.dialect)
    name = engine.dialect.identifier_preparer.format_column(column)
    table = engine.dialect.identifier_preparer.format_table(jobs)
    default = "" if column.nullable else " DEFAULT 0 NOT NULL"
    return f"ALTER TABLE {table} ADD COLUMN {name} {kind}{default}"
