"""Beginnings: what this process last sent of a document, so that another end never follows it.

A client resumes with a range and an entity tag.  If the data has changed and its tag has not, the
part that the client has and the part that it gets are of two documents.  So the beginning is
compared with the one that was sent, as long as the same process has sent it.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from threading import Lock

from streamware.locks import fork_safe

_MOST = 1024
"""Documents that are remembered, of about 200 bytes each; the one sent longest ago is dropped."""
_sent: OrderedDict[str, tuple[int, str]] = OrderedDict()
_lock = fork_safe(Lock())


class Recorder:
    """Remembers what is sent of a document; in place of a content coding.

    Args:
        name: What the document is known by: its tag and its address.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._size = 0
        self._digest = hashlib.sha256()

    def __call__(self, chunk: bytes, *, last: bool, flush: bool) -> bytes:
        """Return the chunk."""
        self._size += len(chunk)
        self._digest.update(chunk)
        remember(self._name, self._size, self._digest.hexdigest())
        return chunk


class Comparison:
    """Compares a document with what was last sent by its name.

    Args:
        name: What it is known by.
    """

    def __init__(self, name: str) -> None:
        with _lock:
            self._missing, self._wanted = _sent.get(name, (0, ""))
        self._digest = hashlib.sha256()

    def add(self, chunk: bytes) -> None:
        """Add the next bytes of the document."""
        if self._missing:
            self._digest.update(chunk[: self._missing])
            self._missing -= min(len(chunk), self._missing)

    @property
    def differs(self) -> bool:
        """Whether the document, all of which was added, began with other bytes."""
        return bool(self._wanted) and (
            self._missing > 0 or self._digest.hexdigest() != self._wanted
        )


def remember(name: str, size: int, digest: str) -> None:
    """Remember what was sent of a document.

    Args:
        name: What it is known by.
        size: Its first bytes that were sent.
        digest: The SHA-256 of them, in hexadecimal digits.
    """
    with _lock:
        _sent[name] = size, digest
        _sent.move_to_end(name)
        if len(_sent) > _MOST:
            _sent.popitem(last=False)
