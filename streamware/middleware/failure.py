"""Failure: what is answered for an error that leaves an application which has sent nothing."""

from __future__ import annotations

import logging
import os
from errno import EDQUOT, ENOSPC
from http import HTTPStatus

from streamware.errors import ScratchError
from streamware.http import headers as head
from streamware.http.delivery import Answer, refusal
from streamware.scratch.ledger import Scratch

logger = logging.getLogger("streamware")


def instead_of(error: BaseException, scratch: Scratch, *, head_only: bool) -> Answer | None:
    """A 503, say, if `error` tells that there was no room, or if all errors of a group do.

    Args:
        error: What the application raised.
        scratch: The request's, which is still open.
        head_only: Whether it has no body.
    """
    if isinstance(error, BaseExceptionGroup):
        answers = [instead_of(each, scratch, head_only=head_only) for each in error.exceptions]
        return None if None in answers else answers[0]
    return refusal(_full(error, scratch) or error, head_only=head_only)


def _full(error: BaseException, scratch: Scratch) -> ScratchError | None:
    """Our own word for it, where a library found the disk full that wrote to a named file."""
    if isinstance(error, ScratchError) or not isinstance(error, OSError):
        return None
    if error.errno not in (ENOSPC, EDQUOT) or not scratch.usage.files:
        return None
    return ScratchError(
        error.errno, f"{os.strerror(error.errno)}: raised by a request that has scratch files"
    )


def fault(error: BaseException, *, head_only: bool) -> Answer | None:
    """A 500, if `error` is a `ScratchError`.

    That is an `OSError`, which gunicorn takes for a client that has left: it would close the
    connection, and send nothing.
    """
    if not isinstance(error, ScratchError):
        return None
    logger.error("a request failed for its scratch", exc_info=error)
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    body = f"{status.phrase}\n".encode()
    headers = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(body))),
        *head.DEFAULTS,
    ]
    return Answer(status, headers, b"" if head_only else body)
