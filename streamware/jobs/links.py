"""Links: the addresses of a job, as its clients see them."""

from __future__ import annotations

from dataclasses import dataclass

from streamware.http.request import Request


@dataclass(frozen=True, slots=True)
class Links:
    """The addresses of one job.

    Attributes:
        base: Where the application of the jobs is mounted: a path, or a whole address.
        id: The job's.
    """

    base: str
    id: str

    @property
    def status(self) -> str:
        """Its status, and what a `DELETE` cancels."""
        return f"{self.base}/{self.id}"

    @property
    def file(self) -> str:
        """Its file."""
        return f"{self.status}/file"

    @property
    def cancel(self) -> str:
        """What a form posts to, to cancel it."""
        return f"{self.status}/cancel"


def mounted(request: Request, url: str) -> str:
    """Return where the jobs are mounted, for an answer of another view of the application.

    Args:
        request: The one that is answered.
        url: Where they are mounted: a path below the root of the application, or a whole address.
    """
    return request.root + url if url[:1] in ("", "/") else url
