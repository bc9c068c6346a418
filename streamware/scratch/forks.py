"""What a forked child must not take with it.

A child inherits every descriptor, and with them space and locks that their owner gives back in
vain; it also inherits locks that a thread held which does not exist in it.  So what holds either
is told, in the child, before anything else runs there.
"""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Forkable(Protocol):
    """What holds descriptors, counts or locks."""

    def forked(self) -> None:
        """Close inherited descriptors, forget counts, make new locks; called in the child."""


_watched: WeakSet[Forkable] = WeakSet()


def watch(it: Forkable) -> None:
    """Tell `it` in a forked child, as long as something else keeps it alive."""
    _watched.add(it)


def _tell() -> None:
    errors = []
    for it in list(_watched):
        try:
            it.forked()
        except Exception as error:  # noqa: BLE001 - the others are told all the same
            errors.append(error)
    if errors:
        raise ExceptionGroup("a forked child still holds what its parent has", errors)


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork either
    os.register_at_fork(after_in_child=_tell)
