"""MySQL and MariaDB: how a query whose rows are not all read ends, with any driver.

A cursor that leaves the result on the server reads all the rest of it when it is closed, and a
server that computes does not see that its client has left.  So another connection kills the query;
the rest of its rows is then what was on its way.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

from streamware.errors import StateError
from streamware.sources.source import Cancel

_DRIVERS = ("pymysql", "MySQLdb", "mysql", "mariadb", "aiomysql", "asyncmy")


def is_mysql(connection: object) -> bool:
    """Return whether a connection, or what it is derived from, is that of a driver of MySQL."""
    modules = (base.__module__.partition(".")[0] for base in type(connection).__mro__)
    return any(module in _DRIVERS for module in modules)


def killer(connection: Any, connect: Callable[[], Any]) -> Cancel:
    """Return what ends the query of a connection; `connect` opens another one for that."""
    number = _number(connection)

    def kill() -> None:
        with closing(connect()) as other, closing(other.cursor()) as cursor:
            cursor.execute(f"KILL QUERY {number:d}")

    return kill


@contextmanager
def killed_if_unread(kill: Cancel | None, fetch: Callable[[], object]) -> Iterator[None]:
    """End a query if the generator around this is closed before it has all rows.

    Args:
        kill: Ends the query; None if nothing has to be done.
        fetch: Reads the next rows, so that the connection is free again when there are none.
    """
    try:
        yield
    except (GeneratorExit, StateError):  # the second is of `sqlalchemy`, which refuses a query
        if kill is not None:
            kill()
            with suppress(Exception):  # that it was killed
                while fetch():
                    pass
        raise


def close_killed(cursor: Any) -> None:
    """Close a cursor whose query may have been killed, as mysqlclient then says once more."""
    with suppress(Exception):
        cursor.close()


def unbuffered_cursor(connection: Any) -> Any:
    """Return a cursor that leaves the result on the server: PyMySQL and mysqlclient call it SS."""
    own = getattr(connection, "cursorclass", None)
    if own is None:
        return connection.cursor()  # other drivers read a row when they are asked for one
    return connection.cursor(getattr(sys.modules[own.__module__], f"SS{own.__name__}", own))


def _number(connection: Any) -> int:
    """Return the number by which the server knows a connection."""
    found = getattr(connection, "thread_id", None) or getattr(connection, "connection_id", None)
    return int(found() if callable(found) else found)  # type: ignore[arg-type]  # one is there
