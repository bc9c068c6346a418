"""The twins: what must hold over WSGI and over ASGI is tested over both."""

import pytest

from fakes import Get, asgi_get, wsgi_get


@pytest.fixture(params=["wsgi", "asgi"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def get(kind: str) -> Get:
    return {"wsgi": wsgi_get, "asgi": asgi_get}[kind]
