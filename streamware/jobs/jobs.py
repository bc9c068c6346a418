"""Jobs: exports that are made later, by whoever runs them, and kept for a time."""

from __future__ import annotations

import atexit
import logging
import os
import re
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from datetime import timedelta
from math import inf
from pathlib import Path
from secrets import token_urlsafe
from threading import RLock
from time import time
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar
from weakref import ref

from streamware.errors import Refused
from streamware.formats.registry import lookup
from streamware.http.application import Application
from streamware.http.disconnect import Receive, Scope, Send
from streamware.jobs.answered import Answered
from streamware.jobs.application import (
    Authorize,
    JobApplication,
    LinkKind,
    check_authorize,
    check_links,
    check_url,
)
from streamware.jobs.control import Control, Stop
from streamware.jobs.definitions import (
    Define,
    Definitions,
    Document,
    check_arguments,
    owner,
)
from streamware.jobs.record import ENDED, JobState, Record
from streamware.jobs.run import Workshop, run, take
from streamware.jobs.runner import Runner
from streamware.jobs.started import Started
from streamware.jobs.sweep import Swept, sweep, take_up
from streamware.locks import fork_safe
from streamware.stores.opening import local_path, open_store

if TYPE_CHECKING:
    from streamware.jobs.records import Records

logger = logging.getLogger("streamware")

LEASE: Final = 60.0
"""Seconds after which a job is taken again whose worker was not heard of."""
ATTEMPTS: Final = 3
SMALL: Final = 50_000
"""Rows below which `answer` sends a download at once: a second's work, or less."""
WEEK: Final = timedelta(days=7)
DATABASE: Final = ".jobs.sqlite3"
"""The file of the records in a folder; files whose names begin with a dot are not listed there."""
_QUEUED: Final = 600.0  # seconds after which a job that waits in a queue is submitted again
_SWEEP: Final = 3600.0  # seconds between two sweeps by the threads of this process
_ID: Final = re.compile(r"[A-Za-z0-9_-]{8,64}")

D = TypeVar("D", bound=Define)


class Jobs:
    """Exports that are made later, elsewhere, and kept for a time.

    Nothing is opened before it is used: neither the store nor the database.

    Args:
        store: Where the files go: a folder, a URL such as `s3://exports`, or a store of obstore.
        records: Where it is kept what is known of the jobs: the URL of a database, or an engine of
            SQLAlchemy.  By default an SQLite database in the folder; with another store it has to
            be given.
        submit: Is given the id of a job that is to be run, after its record is there; whatever
            queue it puts that into, a worker calls `run` with it.  By default threads of this
            process run the jobs.
        expires: For how long files are kept.  What is known of a job is kept as long again.
        dedupe: "running": who asks for what is being made for them already gets that job.
        max_open: How many jobs an owner may have that have not ended.
        lease: Seconds after which a job is taken again whose worker was not heard of.
        attempts: How many times a job is taken, before it fails because its workers were lost.
        url: Where `wsgi` or `asgi` is mounted: a path below the root of the application, or a whole
            address.
        authorize: Is called for each request with the WSGI environ or the ASGI scope (in Django,
            with its request), the record, and "status", "file" or "cancel", and says whether that
            is allowed.  Under ASGI it may be a coroutine function.  By default everybody may who
            has the link, which cannot be guessed.
        links: "streamed": files are sent from the store by this application.  "signed": each click
            leads to an address of the store that is valid for five minutes, if it has such.

    Raises:
        TypeError, ValueError, ImportError: An argument is wrong, or an extra is missing.
    """

    def __init__(
        self,
        store: object = "exports",
        records: Any = None,
        *,
        submit: Callable[[str], object] | None = None,
        expires: timedelta = WEEK,
        dedupe: Literal["running"] | None = None,
        max_open: int | None = None,
        lease: float = LEASE,
        attempts: int = ATTEMPTS,
        url: str = "/exports",
        authorize: Authorize | None = None,
        links: LinkKind = "streamed",
    ) -> None:
        _check(submit, expires, dedupe)
        _check_numbers(max_open=max_open, attempts=attempts, lease=lease)
        self.store = open_store(store)  # where the files go
        self.url = check_url(url)  # where `wsgi` or `asgi` is mounted
        self.authorize = check_authorize(authorize)  # says who may do what
        self.links = check_links(links)  # who sends the files
        self._definitions = Definitions()  # what makes the exports
        self._records = _records(store, records)  # what is known of the jobs
        self._shop = Workshop(  # what a run needs
            records=self._records,
            store=self.store,
            definitions=self._definitions,
            lease=lease,
            attempts=attempts,
            expires=expires.total_seconds(),
            waiting=lease if submit is None else max(lease, _QUEUED),
        )
        self._dedupe = dedupe is not None  # whether the same job is not made twice at once
        self._max_open = max_open  # open jobs of an owner
        # Runs jobs in this process, if there are no workers.
        self._runner = Runner(self._work, self._take_up) if submit is None else None
        self._submit: Callable[[str], object] = submit or self._run_here  # sends a job to a worker
        self._swept = 0.0  # when a thread of this process has swept
        self._running: list[Control] = []  # the runs of this process
        self._lock = fork_safe(RLock())  # guards the list
        atexit.register(_close, ref(self))

    def define(self, name: str) -> Callable[[D], D]:
        """Return a decorator for a function that makes an `Export` or a `Bundle`.

        The function gets the arguments of the job by name, as JSON has them, and its owner as `by`
        if it takes that.  It is called when the job runs, perhaps in another process, and again if
        that one dies.

        Args:
            name: The name of such jobs.
        """

        def defined(call: D) -> D:
            self._definitions.add(name, call)
            return call

        return defined

    def export(self, name: str, /, *, by: object = None, **arguments: Any) -> Document:
        """Return the export itself, for a download without a job.

        Args:
            name: That of the definition.
            by: The owner.
            **arguments: As for `create`.

        Raises:
            LookupError: Nothing is defined by that name.
            TypeError, ValueError: The arguments are wrong.
        """
        definition = self._definitions.get(name)
        check_arguments(arguments)
        return definition.make(arguments, owner(by))

    def create(
        self,
        name: str,
        /,
        *,
        by: object = None,
        format: str | None = None,  # noqa: A002 - the contract's name
        **arguments: Any,
    ) -> Record:
        """Create a job, and hand it to a worker; return its record.

        If it cannot be submitted, the record says so: it has failed.

        Args:
            name: That of the definition.
            by: The owner, as the application knows them: a text, a number or a UUID.
            format: One of the formats that the export offers; by default its first one.
            **arguments: What the definition is called with: nothing but JSON.

        Raises:
            LookupError: Nothing is defined by that name.
            TypeError, ValueError: The arguments are wrong, or no JSON.
            Refused: The owner has `max_open` open jobs.
            StateError: The database of the records has another layout.
        """
        definition = self._definitions.get(name)
        check_arguments(arguments)
        by_ = owner(by)
        definition.check(arguments, by_)
        if format is not None and format != "zip":
            lookup(format)
        self._start()
        now = time()
        new = Record(
            id=token_urlsafe(16),
            name=name,
            arguments=arguments,
            by=by_,
            format=format,
            created=now,
            lease=now + self._shop.waiting,
        )
        kept = self._records.create(new, dedupe=self._dedupe, max_open=self._max_open)
        if kept.id != new.id:
            return kept
        return self._hand_out(kept)

    def start(
        self,
        name: str,
        /,
        *,
        by: object = None,
        format: str | None = None,  # noqa: A002 - the contract's name
        **arguments: Any,
    ) -> Application:
        """Create a job, and return what a view answers with: where its status is.

        A browser is sent to the page of the job.  Other clients get a 202 with `Location` and
        `Retry-After`; one that would rather wait (`Prefer: wait=5`) gets the file, if it is done by
        then.  An owner with too many open jobs gets a 429.

        Args:
            name: That of the definition.
            by: The owner.
            format: One of the formats that the export offers; by default its first one.
            **arguments: As for `create`.

        Raises:
            LookupError, TypeError, ValueError, StateError: As `create` does.
        """
        try:
            return Started(self, self.create(name, by=by, format=format, **arguments))
        except Refused as error:
            return Started(self, error)

    def answer(
        self, name: str, /, *, direct_below: int = SMALL, by: object = None, **arguments: Any
    ) -> Application:
        """Return what a view answers with: the download itself if it is small, else as `start`.

        Either way the client chooses the format, as for an `Export`.  A job is created when the
        request is answered.

        Args:
            name: That of the definition.
            direct_below: Fewer rows are sent at once, if the rows say how many there are: a list,
                or a source that knows its `total`.
            by: The owner.
            **arguments: As for `create`.

        Raises:
            LookupError, TypeError, ValueError: As `create` does.
        """

        def create(chosen: str | None) -> Record:
            return self.create(name, by=by, format=chosen, **arguments)

        return Answered(self, self.export(name, by=by, **arguments), direct_below, create)

    @property
    def wsgi(self) -> Callable[..., Iterable[bytes]]:
        """A WSGI application with the status, the file and the cancelling of each job.

        It is mounted where `url` says, or returned from a view of Flask for all paths below.
        """
        return JobApplication(self).wsgi

    @property
    def asgi(self) -> Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]]:
        """The same as an ASGI application."""
        return JobApplication(self).asgi

    def get(self, id: str) -> Record | None:  # noqa: A002 - the contract's name
        """Return what is known of a job; None if there is no such job.

        A job whose time is over has expired, whether it was swept or not.
        """
        if not _is_id(id):
            return None
        self._start()
        record = self._records.get(id)
        if record is None:
            return None
        now = time()
        if self._runner is not None and record.is_lost(now):
            self._runner.submit(id)
        if record.state in ENDED and record.expires is not None and record.expires < now:
            return replace(record, state=JobState.EXPIRED, object=None)
        return record

    def cancel(self, id: str) -> bool:  # noqa: A002 - the contract's name
        """Cancel a job; return whether it was open and was not cancelled before.

        Who runs it stops within two seconds; its source is interrupted, if it can be.
        """
        for _ in range(3):  # its state may change meanwhile
            record = self.get(id)
            if record is None or record.state not in (JobState.QUEUED, JobState.RUNNING):
                return False
            now = time()
            if record.state is JobState.RUNNING:
                moved = self._records.move(record, JobState.CANCELLING)
            else:
                moved = self._records.move(
                    record, JobState.CANCELLED, ended=now, expires=now + self._shop.expires
                )
            if moved:
                return True
        return False

    def run(self, id: str) -> Record | None:  # noqa: A002 - the contract's name
        """Run a job, if it waits or its worker was lost; return its record.

        Workers call this with the id that `submit` was given.  It may be called any number of
        times: a job that another worker runs, and one that has ended, are left alone.  What makes
        the export fail is in the record and in the log, and is not raised.
        """
        record = take(self._shop, id) if _is_id(id) else None
        if record is not None:
            control = Control(self._records, record, self._shop.lease, self._shop.expires)
            with self._lock:
                self._running.append(control)
            try:
                run(self._shop, record, control)
            finally:
                with self._lock:
                    self._running.remove(control)
        return self.get(id)

    def sweep(self, *, run_here: bool = True) -> Swept:
        """Remove what has expired and what dead workers left; submit lost jobs again.

        Any number of processes may do so at once.  Applications with workers of their own do it
        now and then (`python -m streamware jobs sweep`); the threads of this process do it hourly.

        Args:
            run_here: Whether threads of this process may run lost jobs, if there is no `submit`.
        """
        self._swept = time()
        if self._runner is not None and not run_here:
            return sweep(self._shop, None)
        return sweep(self._shop, self._hand_out_again)

    def migrate(self) -> list[str]:
        """Bring the database of the records up to date; return the names of what was added."""
        return self._records.migrate()

    def close(self) -> None:
        """Give back the jobs that this process runs, and close the database.

        The next process takes those jobs up.  At the exit of the interpreter it happens by itself.
        """
        if self._runner is not None:
            self._runner.stop()
        with self._lock:
            running = list(self._running)
        for control in running:
            control.stop(Stop.CLOSING)
        if self._runner is not None:
            self._runner.join()
        self._records.close()

    def _hand_out(self, record: Record) -> Record:
        """Give a new job to a worker; return what is known of it then."""
        try:
            self._submit(record.id)
        except Exception as error:
            logger.exception("job %s cannot be handed to a worker", record.id)
            now = time()
            said = f"it could not be handed to a worker: {type(error).__name__}"
            self._records.move(
                record, JobState.FAILED, problem=said, ended=now, expires=now + self._shop.expires
            )
        return self._records.get(record.id) or record

    def _hand_out_again(self, id: str) -> None:  # noqa: A002 - the contract's name
        try:
            self._submit(id)
        except Exception:
            logger.exception("job %s cannot be handed to a worker", id)

    def _start(self) -> None:
        if self._runner is not None:
            self._runner.start()

    def _run_here(self, id: str) -> None:  # noqa: A002 - the contract's name
        if self._runner is not None:
            self._runner.submit(id)

    def _work(self, id: str) -> None:  # noqa: A002 - the contract's name
        """Run a job on a thread of this process, and sweep now and then."""
        self.run(id)
        if time() - self._swept > _SWEEP:
            try:
                self.sweep()
            except Exception:
                logger.exception("what has expired cannot be removed")

    def _take_up(self) -> float | None:
        """Run the open jobs whose lease has ended; return when another one may be lost."""
        now = time()
        for record in self._records.in_state(JobState.QUEUED):
            self._hand_out_again(record.id)
        take_up(self._shop, self._hand_out_again, now)
        running = self._records.in_state(JobState.RUNNING, JobState.CANCELLING)
        leases = [record.lease for record in running if record.lease is not None]
        return max(0.1, min(leases) - now + 0.1) if leases else None


def _close(reference: ref[Jobs]) -> None:
    """Give back what runs when the interpreter exits."""
    jobs = reference()
    if jobs is not None:
        jobs.close()


def _records(store: object, given: Any) -> Records:
    """Return the records; by default those in the folder that is the store."""
    try:
        from streamware.jobs.records import Records as Kept  # noqa: PLC0415 - imports SQLAlchemy
    except ImportError as error:
        raise ImportError(
            "jobs are kept by SQLAlchemy: pip install 'streamware-exports[jobs]'"
        ) from error
    if given is not None:
        return Kept(given)
    path = local_path(store) if isinstance(store, (str, os.PathLike)) else None
    if path is None:
        raise ValueError(
            "records= must be given with a store that is no folder: the URL of a database that all"
            " workers can reach, such as postgresql+psycopg://user@host/database"
        )
    return Kept(Path(path).absolute() / DATABASE)


def _is_id(given: object) -> bool:
    """Return whether there may be a job of this id: what comes from a URL may be anything."""
    return isinstance(given, str) and _ID.fullmatch(given) is not None


def _check(submit: object, expires: object, dedupe: object) -> None:
    if not (submit is None or callable(submit)):
        raise TypeError(f"submit= must be callable, not {type(submit).__name__}")
    if not isinstance(expires, timedelta):
        raise TypeError(f"expires= must be a timedelta, not {type(expires).__name__}")
    if expires <= timedelta():
        raise ValueError("expires= must be positive")
    if dedupe not in (None, "running"):
        raise ValueError(f"dedupe= must be 'running' or None, not {dedupe!r}")


def _check_numbers(*, max_open: object, attempts: object, lease: object) -> None:
    for name, given in (("max_open", 1 if max_open is None else max_open), ("attempts", attempts)):
        if type(given) is not int or given < 1:
            raise ValueError(f"{name}= must be a whole number of at least 1, not {given!r}")
    if not isinstance(lease, (int, float)) or not 0 < lease < inf:
        raise ValueError(f"lease= must be a number of seconds above 0, not {lease!r}")
