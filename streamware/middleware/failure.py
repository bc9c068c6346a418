"""The answer of a middleware to an application that raised before it had sent anything."""

from __future__ import annotations

import logging
import os
from errno import EDQUOT, ENOSPC
from http import HTTPStatus

from streamware.errors import ScratchError
from streamware.http.delivery import Answer, plain_answer, refusal
from streamware.scratch.ledger import Scratch

logger = logging.getLogger("streamware")


def refusal_of(error: BaseException, scratch: Scratch, *, head_only: bool) -> Answer | None:
    """Return the answer to a request that failed for lack of room or at a limit, else None.

    That is a 503, or the status of a `LimitError`.  A group of errors gets the answer to its
    first if each of them has an answer.

    Args:
        error: What the application raised.
        scratch: The request's, still open.
        head_only: Whether to leave out the body.
    """
    if isinstance(error, BaseExceptionGroup):
        answers = [refusal_of(each, scratch, head_only=head_only) for each in error.exceptions]
        return None if None in answers else answers[0]
    return refusal(_disk_full(error, scratch) or error, head_only=head_only)


def _disk_full(error: BaseException, scratch: Scratch) -> ScratchError | None:
    """Return a `ScratchError` if a library found the disk full when it wrote to a scratch path.

    If the request has no scratch files, it was another disk.
    """
    if isinstance(error, ScratchError) or not isinstance(error, OSError):
        return None
    if error.errno not in (ENOSPC, EDQUOT) or not scratch.usage.files:
        return None
    return ScratchError(
        error.errno, f"{os.strerror(error.errno)}: raised by a request that has scratch files"
    )


def internal_error(error: BaseException, *, head_only: bool) -> Answer | None:
    """Return a 500 if `error` is a `ScratchError`, else None, and log the error.

    A `ScratchError` is an `OSError`, by which gunicorn concludes that the client has left: it
    would close the connection without an answer.
    """
    if not isinstance(error, ScratchError):
        return None
    logger.error("a request failed because of its scratch files", exc_info=error)
    return plain_answer(HTTPStatus.INTERNAL_SERVER_ERROR, head_only=head_only)
