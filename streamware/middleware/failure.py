"""What a middleware answers when an application raises before it has sent anything."""

from __future__ import annotations

import logging
import os
from errno import EDQUOT, ENOSPC
from http import HTTPStatus

from streamware.errors import ScratchError
from streamware.http.delivery import Answer, refusal
from streamware.http.headers import DEFAULT_HEADERS
from streamware.scratch.ledger import Scratch

logger = logging.getLogger("streamware")


def refusal_of(error: BaseException, scratch: Scratch, *, head_only: bool) -> Answer | None:
    """Return the answer to a request that failed for lack of room or at a limit, else None.

    That is a 503 or the status of a `LimitError`.  A group of errors has one if each of its
    errors has.

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
    """Return a `ScratchError` for a full disk that a library met when it wrote to a scratch path.

    The request must have scratch files: else it was another disk.
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

    A `ScratchError` is an `OSError`, which gunicorn takes for a client that has left: it would
    close the connection without an answer.
    """
    if not isinstance(error, ScratchError):
        return None
    logger.error("a request failed because of its scratch files", exc_info=error)
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    body = f"{status.phrase}\n".encode()
    headers = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(body))),
        *DEFAULT_HEADERS,
    ]
    return Answer(status, headers, b"" if head_only else body)
