"""Saving an export or a bundle without a request: what `Export.save` and `Bundle.save` share."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack
from contextvars import copy_context
from dataclasses import dataclass
from time import monotonic

from streamware.engine.lifecycle import Lifecycle
from streamware.engine.saving import awrite_document, write_document
from streamware.engine.target import Destination
from streamware.http.asgi import check_loop
from streamware.http.delivery import ExportLease, Job, log_end
from streamware.observe import SECONDS
from streamware.receipt import Receipt
from streamware.scratch.ledger import CURRENT

Progress = Callable[[Receipt], object]
"""Is called with the receipt every second; what it raises ends the saving."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """What is made, and where it goes, for who saves it under a name that it has as a download.

    Attributes:
        job: Makes the document.
        destination: Where it goes.
        filename: Its name as a download.
        media_type: Its media type.
        total: How many rows are expected; None if that is not known.
        asynchronous: Whether only an event loop can read its rows.
    """

    job: Job
    destination: Destination
    filename: str
    media_type: str
    total: int | None = None
    asynchronous: bool = False


def save(job: Job, destination: Destination, progress: Progress | None) -> Receipt:
    """Make a document and write it to its destination; notify observers as of a download."""
    return copy_context().run(_save, job, destination, progress)  # rows may change the context


def _save(job: Job, destination: Destination, progress: Progress | None) -> Receipt:
    lease = ExportLease(job, None)
    try:
        CURRENT.set(lease.scratch)
        document = job.chunks(lease.quota)
        run = _Run(job, lease, document.lifecycle, destination, progress)
        with ExitStack() as ending:  # from last to first
            ending.callback(run.end)
            ending.callback(lease.leave)
            ending.callback(document.close)
            run.start()
            write_document(document, run.receipt, destination, run.look)
    finally:
        lease.leave()
    return run.receipt


async def asave(job: Job, destination: Destination, progress: Progress | None) -> Receipt:
    """Make a document and write it to its destination, beside an event loop; the twin of `save`."""
    check_loop()
    async with AsyncExitStack() as ending:  # from last to first
        lease = await ending.enter_async_context(ExportLease(job, None))
        # Rows are read in copies of this task's context.
        ending.callback(CURRENT.reset, CURRENT.set(lease.scratch))
        document = job.achunks(lease.quota)
        run = _Run(job, lease, document.lifecycle, destination, progress)
        ending.callback(run.end)
        ending.push_async_callback(lease.aleave)
        ending.push_async_callback(document.aclose)
        run.start()
        await awrite_document(document, run.receipt, destination, run.look)
    return run.receipt


class _Run:
    """The reports of one saving: to the observers, to `on_done`, to the caller and to the log."""

    def __init__(
        self,
        job: Job,
        lease: ExportLease,
        lifecycle: Lifecycle,
        destination: Destination,
        progress: Progress | None,
    ) -> None:
        self.receipt = lifecycle.receipt  # of the document
        self._lifecycle = lifecycle  # of the document
        self._quota = lease.quota  # the scratch that it uses
        self._destination = destination  # knows whether it has failed
        self._progress = progress  # the caller's, which hears of it every second
        self._due = monotonic() + SECONDS  # when it hears of it next
        self._watch = job.watch(self.receipt, lease.scratch.settings)  # observers

    def start(self) -> None:
        """Report that it starts."""
        self.receipt.delivery = "save"
        self._watch.opened()

    def look(self) -> None:
        """Report the progress, if it is time."""
        self._watch.look()
        if self._progress is not None and monotonic() >= self._due:
            self._due = monotonic() + SECONDS
            self._progress(self.receipt)

    def end(self) -> None:
        """Record and report how it ended."""
        if self._destination.failure is not None:
            self._lifecycle.lose(*self._destination.failure)
        self.receipt.scratch_peak_bytes = self._quota.peak
        log_end(self.receipt)
        self._watch.done()
