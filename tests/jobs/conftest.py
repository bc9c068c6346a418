"""What must hold over WSGI and over ASGI is tested over both."""

import pytest

from fakes import Get, asgi_get, wsgi_get


@pytest.fixture(params=["wsgi", "asgi"])
def get(request: pytest.FixtureRequest) -> Get:
    return {"wsgi": wsgi_get, "asgi": asgi_get}[str(request.param)]
