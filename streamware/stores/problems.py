"""problems: what a store of obstore reports, as the OSError that a file would raise.

Obstore has threads of its own, which a forked child lacks: it would wait for them for ever.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EACCES, EEXIST, EHOSTUNREACH, EIO, ENOENT, ENOSPC

from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PermissionDeniedError,
    UnauthenticatedError,
)

from streamware.errors import StateError
from streamware.locks import generation

_NO_BUCKET = re.compile(r"NoSuchBucket|ContainerNotFound|bucket does not exist", re.IGNORECASE)
_STATUS = re.compile(r"status code: (\d{3}[^:\n]*)")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_UNREACHED = ("error sending request", "error trying to connect", "operation timed out")


@contextmanager
def explained(where: str) -> Iterator[None]:
    """Raise what obstore raises as an OSError of the kind that a file would raise.

    Args:
        where: The URL of the object, for the message.

    Raises:
        StateError: Another process has used obstore, and was forked into this one.
    """
    _check_process()
    try:
        yield
    except (BaseError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # not obstore's: its own have no number
        raise _explain(error, where) from error


_first: list[int] = []  # the generation of the process that used obstore first


def _check_process() -> None:
    if not _first:
        _first.append(generation())
    if _first[0] != generation():
        raise StateError(
            "this process was forked from one that had used an object store, and cannot use one:"
            " fork before the first use, as servers do without preload, or spawn"
        )


def _explain(error: Exception, where: str) -> OSError:
    text = str(error)
    status = _STATUS.search(text)
    number = "" if status is None else status[1].partition(" ")[0]
    if _NO_BUCKET.search(text):
        return FileNotFoundError(ENOENT, "there is no such bucket", where)
    if isinstance(error, AlreadyExistsError):
        return FileExistsError(EEXIST, "there is an object already", where)
    if isinstance(error, FileNotFoundError) or number == "404":
        return FileNotFoundError(ENOENT, "there is no such object or bucket", where)
    if isinstance(error, (PermissionDeniedError, UnauthenticatedError)) or number in ("401", "403"):
        return PermissionError(EACCES, f"the store forbids it{_reason(text)}", where)
    if number == "507":
        return OSError(ENOSPC, "the store is full", where)
    if any(phrase in text for phrase in _UNREACHED) and not number:
        return ConnectionError(EHOSTUNREACH, "the store cannot be reached", where)
    return OSError(EIO, f"the store failed{_reason(text)}", where)


def _reason(text: str) -> str:
    """Return what the store answered, in parentheses; the full text is in `__cause__`."""
    found = [match[1].strip() for match in (_STATUS.search(text), _CODE.search(text)) if match]
    said = ", ".join(found) or text.partition("\n")[0][:200]
    return f" ({said})"
