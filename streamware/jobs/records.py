"""Records: what is known of all jobs, in a database.

A change of a job is one statement, `UPDATE … WHERE` the job is still in the state and the attempt
that its author saw; if no row matches, another process was first, and nothing changes.  So there is
no transaction of several statements and no lock, in any of the databases.

Whoever watches the records hears of each change of state that was made by this process.

Two columns are unique, and empty once a job has ended, so that the database itself sees to what
several processes may do at once: `running` is the digest of the name, the arguments and the owner
(`dedupe`), `place` is one of the places that an owner has (`max_open`).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from threading import Lock
from time import monotonic, sleep
from typing import Any, Final, TypeVar

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    Text,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from streamware.errors import Refused
from streamware.jobs.database import connect
from streamware.jobs.layout import Layout
from streamware.jobs.record import ENDED, OPEN, TRANSITIONS, JobState, Record
from streamware.locks import fork_safe, generation

T = TypeVar("T")
Watcher = Callable[[Record, JobState, bool], object]
"""Is called with a record as it was, its next state, and whether its lease was lost before."""

logger = logging.getLogger("streamware")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0  # seconds between two tries
_JSON: Final = ("arguments", "receipt")
_FREE: Final[Mapping[str, Any]] = {"running": None, "place": None, "lease": None}
_TRIES: Final = 50  # to insert a job, while others take the places that were free
_RETRY_AFTER: Final = 30.0

_METADATA = MetaData()
JOBS: Final = Table(
    "streamware_jobs",
    _METADATA,
    Column("id", String(64), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("arguments", Text, nullable=False),
    Column("by", String(200)),
    Column("format", String(50)),
    Column("state", String(12), nullable=False, index=True),
    Column("attempt", Integer, nullable=False),
    Column("created", Double, nullable=False),
    Column("started", Double),
    Column("ended", Double),
    Column("lease", Double),
    Column("heartbeat", Double),
    Column("rows", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("total", BigInteger),
    Column("problem", Text),
    Column("receipt", Text),
    Column("filename", Text),
    Column("media_type", String(200)),
    Column("object", Text),
    Column("size", BigInteger),
    Column("etag", String(200)),
    Column("expires", Double, index=True),
    Column("running", String(64)),
    Column("place", String(80)),
    Index("ux_streamware_jobs_running", "running", unique=True),
    Index("ux_streamware_jobs_place", "place", unique=True),
    mysql_charset="utf8mb4",
)
_FIELDS: Final = [column for column in JOBS.c if column.name not in ("running", "place")]


@dataclass(frozen=True, slots=True)
class Count:
    """The jobs in one state.

    Attributes:
        jobs: How many there are.
        stored: Bytes of their files in the store.
        since: When the oldest of them was created.
    """

    jobs: int
    stored: int
    since: float


class Records:
    """The records of jobs in one database, which is opened when it is first used.

    Args:
        where: The URL of a database, the path of one of SQLite, or an engine of SQLAlchemy.
    """

    def __init__(self, where: str | Path | Engine) -> None:
        self._where = where  # as given
        self._engine: Engine | None = None  # once it is used
        self._layout: Layout | None = None  # once it was checked
        self._watchers: list[Watcher] = []  # hear of changes
        self._generation = generation()  # of the process that has the connections
        self._lock = fork_safe(Lock())  # while it is opened

    @property
    def space(self) -> str:
        """The random name of this database: objects of its jobs are below it in the store."""
        return self._opened()[1].space

    def create(
        self, record: Record, *, dedupe: bool = False, max_open: int | None = None
    ) -> Record:
        """Keep a new record; return it, or with `dedupe` that of the same job that is open.

        Args:
            record: The record.
            dedupe: Whether its name, arguments, format and owner make it the same as another.
            max_open: How many open jobs its owner may have.

        Raises:
            Refused: The owner has as many.
        """
        running = _digest(record) if dedupe else None
        owner = None if record.by is None or max_open is None else _owner(record.by)
        for _ in range(_TRIES):
            if running is not None and (same := self._first(JOBS.c.running == running)):
                return same
            place = None if owner is None else self._free_place(owner, max_open or 0)
            try:
                self._write(insert(JOBS).values(**_row(record), running=running, place=place))
            except IntegrityError:
                if running is None and place is None:
                    raise
                continue  # another process was faster
            return record
        raise Refused(_FULL, retry_after=_RETRY_AFTER, limit="max_open")

    def get(self, id: str) -> Record | None:  # noqa: A002 - the contract's name
        """Return a record; None if there is none."""
        return self._first(JOBS.c.id == id)

    def move(
        self,
        record: Record,
        to: JobState,
        *,
        lost_at: float | None = None,
        **values: Any,
    ) -> bool:
        """Change the state of a job; return False if it is not as `record` says any more.

        Args:
            record: The job as it was read: its state and its attempt have to be the same still.
            to: The next state.
            lost_at: A time at which its lease has to be over.
            **values: What else changes.
        """
        if to not in TRANSITIONS[record.state]:
            raise ValueError(f"a job that is {record.state} cannot be {to}")
        matches = [
            JOBS.c.id == record.id,
            JOBS.c.state == record.state.value,
            JOBS.c.attempt == record.attempt,
        ]
        if lost_at is not None:
            matches.append(or_(JOBS.c.lease.is_(None), JOBS.c.lease < lost_at))
        freed = {} if to in OPEN else _FREE
        changed = update(JOBS).where(*matches).values(state=to.value, **freed, **_texts(values))
        if self._write(changed) != 1:
            return False
        for watcher in self._watchers:
            try:
                watcher(record, to, lost_at is not None)
            except Exception:  # the change is made
                logger.exception("the watcher of job %s failed", record.id)
        return True

    def note(self, record: Record, states: Sequence[JobState], **values: Any) -> bool:
        """Change what is known of a job in one of these states; return False if it is in none."""
        changed = update(JOBS).where(
            JOBS.c.id == record.id,
            JOBS.c.attempt == record.attempt,
            JOBS.c.state.in_([state.value for state in states]),
        )
        return self._write(changed.values(**_texts(values))) == 1

    def lost(self, now: float) -> Iterator[Record]:
        """Yield the open jobs whose lease has ended."""
        is_open = JOBS.c.state.in_([state.value for state in OPEN])
        return self._all(is_open, or_(JOBS.c.lease.is_(None), JOBS.c.lease < now))

    def in_state(self, *states: JobState) -> Iterator[Record]:
        """Yield the jobs in these states, the oldest first."""
        return self._all(JOBS.c.state.in_([state.value for state in states]))

    def expired(self, now: float) -> Iterator[Record]:
        """Yield the jobs that have ended, and whose files are to be given up."""
        ended = JOBS.c.state.in_([state.value for state in ENDED])
        return self._all(ended, JOBS.c.expires < now)

    def forget(self, record: Record) -> bool:
        """Remove the record of an expired job that has no object; return whether it was there."""
        removed = delete(JOBS).where(
            JOBS.c.id == record.id,
            JOBS.c.state == JobState.EXPIRED.value,
            JOBS.c.object.is_(None),
        )
        return self._write(removed) == 1

    def counts(self) -> dict[JobState, Count]:
        """Return how many jobs there are in each state that some have."""
        stored = func.sum(case((JOBS.c.object.is_(None), 0), else_=JOBS.c.size))
        query = select(
            JOBS.c.state, func.count(), func.coalesce(stored, 0), func.min(JOBS.c.created)
        ).group_by(JOBS.c.state)
        with self._opened()[0].connect() as connection:
            rows = connection.execute(query).all()
        return {JobState(state): Count(jobs, int(size), since) for state, jobs, size, since in rows}

    def watch(self, watcher: Watcher) -> None:
        """Call it after each change of state that this process makes."""
        self._watchers.append(watcher)

    def persist(self, call: Callable[[], T], seconds: float) -> T:
        """Return what `call` returns; call it again for some time while the database is gone."""
        end, pause = monotonic() + seconds, _FIRST_PAUSE
        while True:
            try:
                return call()
            except SQLAlchemyError as error:
                if monotonic() > end:
                    raise
                logger.warning("the records cannot be reached, and are tried again: %r", error)
            sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def migrate(self) -> list[str]:
        """Bring a database of an older layout up to date; return what was added to it."""
        with self._lock:
            return Layout.migrate(self._connected(), JOBS)

    def close(self) -> None:
        """Close its connections, unless the engine is the caller's.  It may be used again."""
        with self._lock:
            engine, self._engine = self._engine, None
            if engine is not None and not isinstance(self._where, Engine):
                engine.dispose(close=self._generation == generation())

    def _free_place(self, owner: str, places: int) -> str:
        """Return a place that an owner has and does not use; raise Refused if there is none."""
        query = select(JOBS.c.place).where(JOBS.c.place.startswith(f"{owner}:"))
        with self._opened()[0].connect() as connection:
            used = set(connection.scalars(query))
        for number in range(places):
            if (place := f"{owner}:{number}") not in used:
                return place
        raise Refused(_FULL, retry_after=_RETRY_AFTER, limit="max_open")

    def _first(self, *matches: Any) -> Record | None:
        with self._opened()[0].connect() as connection:
            row = connection.execute(select(*_FIELDS).where(*matches)).first()
        return None if row is None else _record(row)

    def _all(self, *matches: Any) -> Iterator[Record]:
        query = select(*_FIELDS).where(*matches).order_by(JOBS.c.created)
        with self._opened()[0].connect() as connection:
            rows = connection.execute(query).all()
        yield from map(_record, rows)

    def _write(self, statement: Any) -> int:
        with self._opened()[0].connect() as connection:
            return int(connection.execute(statement).rowcount)

    def _opened(self) -> tuple[Engine, Layout]:
        """Return the engine, and the layout that was found."""
        engine, layout = self._engine, self._layout
        if engine is not None and layout is not None and self._generation == generation():
            return engine, layout
        with self._lock:
            engine = self._connected()
            self._layout = self._layout or Layout.check(engine, JOBS)
            return engine, self._layout

    def _connected(self) -> Engine:
        if self._engine is None:
            self._engine = connect(self._where)
        elif self._generation != generation():  # its connections are the parent's
            self._engine.dispose(close=False)
        self._generation = generation()
        return self._engine


_FULL = "the owner has as many open jobs as one may have (max_open); wait until one has ended"


def _digest(record: Record) -> str:
    same = [record.name, record.arguments, record.by, record.format]
    return sha256(json.dumps(same, sort_keys=True).encode()).hexdigest()


def _owner(by: str) -> str:
    return sha256(by.encode()).hexdigest()


def _texts(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as the columns have them."""
    return {
        name: json.dumps(value) if name in _JSON and value is not None else value
        for name, value in values.items()
    }


def _row(record: Record) -> dict[str, Any]:
    return _texts({column.name: getattr(record, column.name) for column in _FIELDS})


def _record(row: Row[Any]) -> Record:
    found = dict(row._mapping)  # noqa: SLF001 - its only name
    for name in _JSON:
        if found[name] is not None:
            found[name] = json.loads(found[name])
    return Record(**found | {"state": JobState(found["state"])})
