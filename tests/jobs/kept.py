"""Jobs that are only kept: records in a dict, files in a folder; what was cancelled is noted."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from fakes import Get, Reply
from streamware.jobs.record import JobState, Record
from streamware.stores.folder import Folder
from streamware.stores.store import Store

ID = "a1B2c3D4e5F6g7H8i9J0kA"
OTHER = "b1B2c3D4e5F6g7H8i9J0kA"
DATA = bytes(range(256)) * 4000
DIGEST = hashlib.sha256(DATA).hexdigest()
PAGE = "text/html,application/xhtml+xml,*/*;q=0.8"
"""What a browser accepts."""


class Kept:
    """What the application asks of jobs."""

    url = "/exports"
    links: Literal["streamed", "signed"] = "streamed"
    authorize: Callable[[Any, Record, str], Any] | None = None

    def __init__(self, folder: Path, *records: Record) -> None:
        self.store: Store = Folder(folder)
        self.records = {record.id: record for record in records}
        self.cancelled: list[str] = []

    def get(self, id: str) -> Record | None:  # noqa: A002 - the contract's name
        return self.records.get(id)

    def cancel(self, id: str) -> None:  # noqa: A002 - the contract's name
        self.cancelled.append(id)
        found = self.records[id]
        ended = found.state is JobState.QUEUED
        state = JobState.CANCELLED if ended else JobState.CANCELLING
        self.records[id] = replace(found, state=state)

    def finish(self) -> None:
        """Put the file into the store, and the job into its state."""
        with self.store.writer("1/orders.xlsx") as file:
            file.write(DATA)
        self.records[ID] = replace(
            self.records[ID],
            state=JobState.DONE,
            ended=200.0,
            size=len(DATA),
            object="1/orders.xlsx",
            receipt={"sha256": DIGEST},
            expires=1_796_000_000.0,
        )


def job(**changes: Any) -> Record:
    """A job that is running, but for the changes."""
    given: dict[str, Any] = {
        "id": ID,
        "name": "orders",
        "arguments": {"region": "EU"},
        "by": "42",
        "state": JobState.RUNNING,
        "attempt": 1,
        "created": 90.0,
        "started": 100.0,
        "rows": 400_000,
        "total": 1_000_000,
        "bytes": 14_300_000,
        "filename": "orders-EU.xlsx",
        "media_type": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    }
    return Record(**given | changes)


class Client:
    """Asks an application below a mount point, over WSGI or ASGI."""

    def __init__(self, get: Get, app: Any, mount: str = "/exports") -> None:
        self._get, self._app, self._mount = get, app, mount

    def __call__(
        self, path: str, method: str = "GET", query: str = "", **fields: str | None
    ) -> Reply:
        headers = {name.replace("_", "-"): value for name, value in fields.items() if value}
        return self._get(
            at(self._app, self._mount, path), method=method, query=query, headers=headers
        )


def at(app: Any, mount: str, path: str) -> Any:
    """`app` as a server calls it for a path below a mount point."""

    def application(*given: Any) -> Any:
        if len(given) == 2:
            environ, start_response = given
            environ |= {"SCRIPT_NAME": mount, "PATH_INFO": path}
            return app.wsgi(environ, start_response)
        scope, receive, send = given
        return app.asgi({**scope, "root_path": mount, "path": mount + path}, receive, send)

    return application
