"""Rows over SQLite that tell how far they are, for the applications that real servers serve.

There are as many as the query of a request asks for (`rows`); they fail at one of them (`fail`), or
wait at one for `/release` (`hold`).  `told` answers `/state`, `/release` and `/reset`.
"""

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import closing
from threading import Event
from time import monotonic
from typing import Any

QUERY = """
with recursive numbers(n) as (select 1 union all select n + 1 from numbers limit ?)
select n, 'Müller & Söhne ' || n, n / 8.0 from numbers
"""
COLUMNS = ["id", "customer", "total"]
FORMATS = ("csv", "xml", "xlsx")
OPTIONS: dict[str, Any] = {"columns": COLUMNS, "formats": FORMATS, "filename": "orders"}
PLAIN = ("state", "release", "reset")
"""The paths that `told` answers."""


class Source:
    """How far the rows of this process are."""

    def __init__(self) -> None:
        self.release = Event()
        self.reset()

    def reset(self) -> None:
        """As if nothing had been asked for yet."""
        self.opened = self.pulled = self.held = self.closed = self.torn_down = self.paid = 0
        self.closed_at = 0.0
        self.release.clear()

    def state(self) -> dict[str, float]:
        """The counters, and when rows were closed last, in seconds of the system's clock."""
        names = ("opened", "pulled", "held", "closed", "torn_down", "closed_at", "paid")
        return {name: getattr(self, name) for name in names}

    def rows(self, db: sqlite3.Connection, asked: Mapping[str, str]) -> Iterator[Any]:
        """As many rows as were asked for."""
        fail, hold = int(asked.get("fail", 0)), int(asked.get("hold", 0))
        self.opened += 1
        try:
            for row in db.execute(QUERY, [int(asked.get("rows", 1000))]):
                if row[0] == fail:
                    raise RuntimeError("the secret source is gone")
                if row[0] == hold:
                    self.held += 1
                    self.release.wait(30)
                self.pulled += 1
                yield row
        finally:
            self.closed += 1
            self.closed_at = monotonic()

    def pay(self) -> str:
        """Wait to be told, then pay."""
        self.held += 1
        self.release.wait(30)
        self.paid += 1
        return "paid"


source = Source()


def told(path: str) -> dict[str, float]:
    """The counters, once the source has been told what the path says."""
    commands: dict[str, Callable[[], None]] = {"release": source.release.set, "reset": source.reset}
    if command := commands.get(path.strip("/")):
        command()
    return source.state()


def own_rows(asked: Mapping[str, str]) -> Iterator[Any]:
    """The rows, over a connection of their own."""
    with closing(sqlite3.connect(":memory:")) as db:
        yield from source.rows(db, asked)


async def async_rows(asked: Mapping[str, str]) -> AsyncIterator[Any]:
    """The same, asynchronously."""
    rows = own_rows(asked)
    try:
        for row in rows:
            yield row
    finally:
        rows.close()  # type: ignore[attr-defined]  # a generator


ROWS: dict[str, Callable[[Mapping[str, str]], Any]] = {"orders": own_rows, "async": async_rows}
"""Those of the two paths that every application over ASGI has."""
