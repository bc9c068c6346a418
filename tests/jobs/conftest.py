"""What must hold over WSGI and over ASGI is tested over both."""

from pathlib import Path

import pytest

from fakes import Get, asgi_get, wsgi_get
from jobs.kept import Client, Kept, job
from streamware.jobs.application import JobApplication


@pytest.fixture(params=["wsgi", "asgi"])
def get(request: pytest.FixtureRequest) -> Get:
    return {"wsgi": wsgi_get, "asgi": asgi_get}[str(request.param)]


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "store", job())


@pytest.fixture
def client(get: Get, kept: Kept) -> Client:
    return Client(get, JobApplication(kept))
