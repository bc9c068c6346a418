"""sweep: removes what has expired and what dead workers left, and submits lost jobs again."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import time
from typing import Final

from streamware.jobs.record import JobState, Record
from streamware.jobs.run import Workshop, end_if_over
from streamware.stores.folder import Folder

_OBJECT: Final = re.compile(r"[0-9a-f]+/(?P<id>[^/]+)/(?P<attempt>\d+)/[^/]+", re.ASCII)
_DAY: Final = 86_400.0  # seconds after which a temporary file of a folder is abandoned


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep has done.

    Attributes:
        resubmitted: Jobs that were submitted again, because their lease had ended.
        ended: Lost jobs that were ended: they had been cancelled, or taken too often.
        expired: Jobs whose files were given up.
        forgotten: Records that were removed.
        objects: Objects that were removed because no record names them.
        files: Temporary files of killed processes that were removed from the folder.
    """

    resubmitted: int
    ended: int
    expired: int
    forgotten: int
    objects: int
    files: int


def sweep(shop: Workshop, submit: Callable[[str], object] | None) -> Swept:
    """Remove what is no longer wanted; any number of processes may do so at once.

    Args:
        shop: The records and the store.
        submit: Submits a job again; None: lost jobs wait for another process.
    """
    now = time()
    resubmitted, ended = take_up(shop, submit, now)
    expired = _expire(shop, now)
    return Swept(
        resubmitted=resubmitted,
        ended=ended,
        expired=expired,
        forgotten=_forget(shop, now),
        objects=_remove_orphans(shop),
        files=shop.store.tidy(now - _DAY) if isinstance(shop.store, Folder) else 0,
    )


def take_up(shop: Workshop, submit: Callable[[str], object] | None, now: float) -> tuple[int, int]:
    """Submit the open jobs whose lease has ended; return how many those were, and how many ended.

    A job that waits is then the queue's for another lease, so that not every sweep hands it out.
    """
    resubmitted = ended = 0
    for record in shop.records.lost(now):
        if record.state is not JobState.QUEUED and end_if_over(shop, record, now):
            ended += 1
            continue
        if submit is None:
            continue
        if record.state is JobState.QUEUED:
            shop.records.note(record, [JobState.QUEUED], lease=now + shop.waiting)
        submit(record.id)
        resubmitted += 1
    return resubmitted, ended


def _expire(shop: Workshop, now: float) -> int:
    """Give up the files of jobs that have expired."""
    expired = 0
    for record in shop.records.expired(now):
        expired += shop.records.move(record, JobState.EXPIRED)
    for record in shop.records.in_state(JobState.EXPIRED):
        if record.object is not None:
            with suppress(FileNotFoundError):
                shop.store.delete(record.object)
            shop.records.note(record, [JobState.EXPIRED], object=None)
    return expired


def _forget(shop: Workshop, now: float) -> int:
    """Remove the records of jobs that expired as long ago as their files were kept."""
    old = now - shop.expires
    return sum(
        shop.records.forget(record)
        for record in shop.records.in_state(JobState.EXPIRED)
        if record.expires is not None and record.expires < old
    )


def _remove_orphans(shop: Workshop) -> int:
    """Remove the objects of attempts that are over and that no record names."""
    removed = 0
    for found in list(shop.store.list(shop.records.space)):
        named = _OBJECT.fullmatch(found.path)
        # The record is read after the list: an attempt that is over then stays over.
        if named is not None and _is_orphan(
            shop.records.get(named["id"]), found.path, int(named["attempt"])
        ):
            shop.store.delete(found.path)
            removed += 1
    return removed


def _is_orphan(record: Record | None, path: str, attempt: int) -> bool:
    if record is None:
        return True
    if record.is_open:
        return attempt < record.attempt or record.state is JobState.QUEUED
    return record.object != path
