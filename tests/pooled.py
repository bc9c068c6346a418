"""A Flask application whose sessions come from a pool of two, for exports that end in every way.

`/export/…` and `/response/…` answer with an `Export` and with an `ExportResponse`, over `/stream`,
`/buffer` and `/spool`, that are `/whole`, fail at the first row (`/first`) or at a `/later` one, or
have no `/room`.  What is called after a request uses the session, and so does the handler of
errors; `/state` tells what became of it, and of the pool.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import flask
import flask_sqlalchemy
import sqlalchemy
from sqlalchemy.pool import QueuePool

import streamware as sw
from streamware.frameworks.flask import ExportResponse
from streamware.http.admission import admission

POOL = 2
ROWS = 20_000
KINDS: dict[str, Any] = {"export": sw.Export, "response": ExportResponse}
QUERY = sqlalchemy.text(
    f"with recursive n(n) as (select 1 union all select n + 1 from n where n < {ROWS})"
    " select n, 'order ' || n from n"
)


class Pooled(flask.Flask):
    """The application.

    Attributes:
        counted: Requests, and what became of their sessions.
    """

    def __init__(self, database: str | Path) -> None:
        super().__init__(__name__)
        folder = Path(database).parent
        options = {"poolclass": QueuePool, "pool_size": POOL, "max_overflow": 0, "pool_timeout": 2}
        self.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{database}"
        self.config["SQLALCHEMY_ENGINE_OPTIONS"] = options
        self.db: Any = flask_sqlalchemy.SQLAlchemy(self)
        self.counted = Counter[str]()
        self._free = sw.Settings(scratch_dir=folder)
        # Places are those of all settings with the same two: these are nobody else's.
        self._full = sw.Settings(scratch_dir=folder, max_concurrent=1, wait_seconds=0.003)
        with suppress(sw.Refused):  # another application like this one has taken it
            admission(self._full).enter()
        self.add_url_rule("/<kind>/<delivery>/<end>", view_func=self.download)
        self.add_url_rule("/state", view_func=self.state)
        self.after_request(self.after)
        self.register_error_handler(500, self.failed)
        self.teardown_appcontext(self.torn_down)

    def pool(self) -> Any:
        """Where the sessions' connections come from."""
        with self.app_context():
            return self.db.engine.pool

    def look(self) -> None:
        """Use the session, which must be the request's still."""
        session = flask.g.setdefault("session", self.db.session())
        self.counted["another session"] += session is not self.db.session()
        session.execute(sqlalchemy.text("select 1"))

    def download(self, kind: str, delivery: Any, end: str) -> Any:
        """An export."""
        self.counted["requests"] += 1
        self.look()
        settings = self._full if end == "room" else self._free
        rows = partial(self.rows, {"first": 0, "later": ROWS - 1}.get(end))
        return KINDS[kind](rows, format="csv", delivery=delivery, settings=settings)

    def rows(self, fail: int | None) -> Iterator[Any]:
        """Rows of the session, of which one may fail."""
        for at, row in enumerate(self.db.session.execute(QUERY)):
            if at == fail:
                raise OSError("no such order")
            yield tuple(row)

    def state(self) -> Any:
        """The counters, and how many connections are out."""
        return {**self.counted, "checked out": self.pool().checkedout()}

    def after(self, response: Any) -> Any:
        """What is called after the request."""
        if flask.request.endpoint == "download":
            self.look()
        return response

    def failed(self, error: Any) -> Any:
        """What is answered where the view, or the export, has raised."""
        self.look()
        return "Sorry", 500

    def torn_down(self, error: BaseException | None) -> None:
        """Count a teardown of a request that had a session."""
        if "session" in flask.g:
            self.counted["torn down"] += 1
