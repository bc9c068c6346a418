"""run: takes a job, makes its document, writes it to the store, and says so in the record.

Theory of operation
===================

A job is taken by a compare-and-set that makes the attempt one higher.  The document is written to
an object whose path has the attempt in it, so two attempts never write to the same.  Before the
object is published the lease is renewed; a run that has lost it publishes nothing.  Then, by
another compare-and-set, the record names the object.  If that fails, because the job was cancelled
or another worker has it, the object is removed.  If the worker dies in between, no record names the
object: the sweep removes it.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from time import time
from typing import TYPE_CHECKING, Any, Final

from streamware.http import saved
from streamware.http.delivery import Job
from streamware.http.saved import Saving
from streamware.jobs.control import Control, Stop, Stopped
from streamware.jobs.definitions import DefinitionError, Definitions
from streamware.jobs.record import JobState, Record
from streamware.receipt import Receipt, problem_of
from streamware.rows.source import Bridge, Cancelled
from streamware.scratch.disk_quota import ExportQuota
from streamware.stores.remote import Remote
from streamware.stores.store import Store, Upload

if TYPE_CHECKING:
    from streamware.jobs.records import Records

logger = logging.getLogger("streamware")

LOST: Final = "its workers were lost: {attempts} attempts"
_PATIENCE: Final = 60.0  # seconds for which an end is recorded again and again
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST: Final = 100  # characters of a file's name in the store


@dataclass(frozen=True, slots=True)
class Workshop:
    """What a run needs.

    Attributes:
        records: The records.
        store: Where the documents go.
        definitions: What makes the exports.
        lease: Seconds of a lease.
        attempts: How many times a job is taken before it fails.
        expires: Seconds for which a file is kept.
        waiting: Seconds that a job may wait before it is submitted again.
    """

    records: Records
    store: Store
    definitions: Definitions
    lease: float
    attempts: int
    expires: float
    waiting: float


def take(shop: Workshop, id: str) -> Record | None:  # noqa: A002 - the contract's name
    """Return a job that is now this worker's; None if it is not to be run."""
    now = time()
    record = shop.records.get(id)
    if record is None or not (record.state is JobState.QUEUED or record.is_lost(now)):
        return None
    if end_if_over(shop, record, now):
        return None
    taken: dict[str, Any] = {
        "attempt": record.attempt + 1,
        "started": now,
        "heartbeat": now,
        "lease": now + shop.lease,
        "rows": 0,
        "bytes": 0,
    }
    lost_at = None if record.state is JobState.QUEUED else now
    if not shop.records.move(record, JobState.RUNNING, lost_at=lost_at, **taken):
        return None
    return replace(record, state=JobState.RUNNING, **taken)


def end_if_over(shop: Workshop, record: Record, now: float) -> bool:
    """End a lost job that is not to be taken again; return whether it is such a one."""
    ended = {"ended": now, "expires": now + shop.expires}
    if record.state is JobState.CANCELLING:
        shop.records.move(record, JobState.CANCELLED, lost_at=now, **ended)
        return True
    if record.attempt < shop.attempts:
        return False
    problem = LOST.format(attempts=record.attempt)
    lost_at = None if record.state is JobState.QUEUED else now  # its lease is the queue's
    shop.records.move(record, JobState.FAILED, lost_at=lost_at, problem=problem, **ended)
    return True


def run(shop: Workshop, record: Record, control: Control) -> None:
    """Make the document of a job that was taken, and record how that ended.

    Args:
        shop: What it needs.
        record: The job, as it was taken.
        control: Holds its lease.

    Raises:
        BaseException: What is no Exception, such as SystemExit: the job is given back.
    """
    try:
        with control:
            ended = _made(shop, record, control)
        finish(shop, record, control, ended)
    except (Stopped, Cancelled):
        end_stopped(shop, record, control)
    except Exception as error:
        if control.reason is not None:  # what an interrupted source made of it
            end_stopped(shop, record, control)
            return
        logger.warning("job %s (%s) failed", record.id, record.name, exc_info=True)
        _fail(shop, record, control, problem(error))
    except BaseException:
        control.reason = control.reason or Stop.CLOSING
        end_stopped(shop, record, control)
        raise


def _made(shop: Workshop, record: Record, control: Control) -> dict[str, Any]:
    """Make and publish the document; return what the record says of it."""
    control.check()
    document = shop.definitions.get(record.name).make(record.arguments, record.by)
    store = _Fenced(shop.store, control.confirm)
    saving = document._saving_as(  # noqa: SLF001 - private to users, not to us
        lambda name: Remote(_path(shop.records.space, record, name), store=store), record.format
    )
    receipt = _save(saving, control)
    meta = store.meta()
    return {
        "receipt": asdict(receipt),
        "rows": receipt.rows,
        "bytes": receipt.bytes,
        "total": saving.total,
        "filename": saving.filename,
        "media_type": saving.media_type,
        "object": meta.path,
        "size": meta.size,
        "etag": meta.etag,
    }


def _save(saving: Saving, control: Control) -> Receipt:
    """Write a document, which another thread can stop; return its receipt."""
    job = saving.job

    def make(bridge: Bridge | None, quota: ExportQuota | None) -> Any:
        made = job.make(bridge, quota)
        control.watch(made, saving.total)
        return made

    watched: Job = replace(job, make=make)

    def look(_: Receipt) -> None:
        control.check()

    if saving.asynchronous:
        return asyncio.run(saved.asave(watched, saving.destination, look))
    return saved.save(watched, saving.destination, look)


class _Fenced:
    """A store in which one attempt publishes its object, if it still has the lease.

    Args:
        store: The store.
        confirm: Raises if the lease is lost.
    """

    def __init__(self, store: Store, confirm: Callable[[], None]) -> None:
        self._store = store
        self._confirm = confirm
        self._upload: Upload | None = None

    @contextmanager
    def writer(self, path: str, **options: Any) -> Iterator[Upload]:
        """Yield an upload; see `Store.writer`."""
        with self._store.writer(path, **options) as upload:
            yield upload
            self._confirm()
        self._upload = upload

    def signed_url(self, path: str, seconds: float) -> str | None:
        """Return an address; see `Store.signed_url`."""
        return self._store.signed_url(path, seconds)

    def meta(self) -> Any:
        """Return what was published."""
        if self._upload is None or self._upload.meta is None:
            raise Stopped
        return self._upload.meta


def finish(shop: Workshop, record: Record, control: Control, ended: Mapping[str, Any]) -> None:
    """Record that a job is done; remove its object if it is no longer this worker's."""
    now = time()
    times = {"ended": now, "heartbeat": now, "expires": now + shop.expires}

    def done() -> bool:
        if shop.records.move(record, JobState.DONE, problem=None, **ended, **times):
            return True
        found = shop.records.get(record.id)  # perhaps it was recorded, and the answer was lost
        return found is not None and found.object == ended["object"]

    try:
        recorded = shop.records.persist(done, _PATIENCE)
    except Exception:  # it may have been recorded or not: the sweep will see
        logger.exception("job %s is done, and that cannot be recorded", record.id)
        return
    if not recorded:
        control.reason = control.reason or Stop.CANCELLED
        with suppress(OSError):  # the sweep removes it
            shop.store.delete(ended["object"])
        end_stopped(shop, record, control)


def end_stopped(shop: Workshop, record: Record, control: Control) -> None:
    """Record the end of a run that was stopped: cancelled, given back, or taken by another."""
    now = time()
    cancelling = replace(record, state=JobState.CANCELLING)
    ended = {"ended": now, "expires": now + shop.expires, **control.figures()}

    def end() -> bool:
        if control.reason is Stop.CLOSING and shop.records.move(
            record, JobState.QUEUED, lease=None, heartbeat=None
        ):
            return True
        return shop.records.move(cancelling, JobState.CANCELLED, **ended)

    _recorded(shop, record, end)


def _fail(shop: Workshop, record: Record, control: Control, said: str) -> None:
    """Record that a job has failed; if it was cancelled meanwhile, that it is cancelled."""
    now = time()
    ended = {"ended": now, "expires": now + shop.expires, **control.figures()}
    cancelling = replace(record, state=JobState.CANCELLING)

    def fail() -> bool:
        return shop.records.move(
            record, JobState.FAILED, problem=said, **ended
        ) or shop.records.move(cancelling, JobState.CANCELLED, **ended)

    _recorded(shop, record, fail)


def _recorded(shop: Workshop, record: Record, end: Callable[[], bool]) -> None:
    try:
        shop.records.persist(end, _PATIENCE)
    except Exception:
        logger.exception("the end of job %s cannot be recorded", record.id)


def problem(error: Exception) -> str:
    """Return why a job has failed, in one line without any value of the data."""
    if isinstance(error, DefinitionError):
        return str(error)
    return problem_of(error)


def _path(space: str, record: Record, filename: str) -> str:
    """Return the path of the object that an attempt writes."""
    stem, dot, extension = filename.rpartition(".")
    safe = _UNSAFE.sub("_", stem or extension).strip("._")[:_LONGEST] or "export"
    return f"{space}/{record.id}/{record.attempt}/{safe}{dot}{_UNSAFE.sub('_', extension)}"
