"""Lending: what Django has opened on a thread is closed on it, or by another one in its place.

Each of Django's connections belongs to a thread, and so does the transaction on it: ended on
another thread, it would be that thread's.  But a server's thread may be blocked, in a send to a
client that takes nothing, when the rows have to be closed.  So another one borrows its connections
for that.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from django.conf import settings
from django.db import connections

logger = logging.getLogger("streamware")


def open_connection(alias: str, stack: ExitStack) -> tuple[Any, ExitStack]:
    """Connect this thread to a database; return its connection, and the stack of what it opens.

    Args:
        alias: The database, as `DATABASES` names it.
        stack: Closes that stack, and the connection if it was not open, on whatever thread.
    """
    connection = connections[alias]
    inner = ExitStack()
    stack.callback(_close, inner, connection)
    if connection.connection is None:  # it is opened for these rows alone
        inner.callback(connection.close_if_unusable_or_obsolete)
    connection.ensure_connection()
    return connection, inner


def _close(stack: ExitStack, connection: Any) -> None:
    with lent([connection]):
        stack.close()


def close_all() -> None:
    """Close all connections of this thread, which ends.  Never raises."""
    try:
        if settings.configured:
            connections.close_all()
    except Exception:
        logger.warning("closing the connections of a thread failed", exc_info=True)


@contextmanager
def lent(used: Iterable[Any]) -> Iterator[None]:
    """Have this thread use the connections of another one, which does not do so meanwhile."""
    own = {each.alias: each for each in connections.all(initialized_only=True)}
    borrowed = [each for each in used if own.get(each.alias) is not each]
    for each in borrowed:
        each.inc_thread_sharing()
        connections[each.alias] = each
    try:
        yield
    finally:
        for each in borrowed:
            each.dec_thread_sharing()
            if each.alias in own:
                connections[each.alias] = own[each.alias]
            else:
                del connections[each.alias]
