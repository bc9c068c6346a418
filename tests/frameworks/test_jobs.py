"""Jobs in frameworks: a view starts one, and what is mounted answers for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from jobs.kept import DATA, ID, PAGE, Kept, job
from streamware.jobs.application import JobApplication
from streamware.jobs.record import JobState
from streamware.jobs.started import Started

httpx = pytest.importorskip("httpx")
if find_spec("django"):
    import django_site  # it configures Django, before another test does


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "store", job(state=JobState.QUEUED, started=None, rows=0))


def started(kept: Kept) -> Started:
    return Started(kept, kept.records[ID])


def flask_site(kept: Kept) -> Any:
    flask = pytest.importorskip("flask")
    from werkzeug.middleware.dispatcher import DispatcherMiddleware

    app = flask.Flask("shop")
    app.post("/orders")(lambda: started(kept))
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/exports": JobApplication(kept).wsgi})
    return app


def flask_view_site(kept: Kept) -> Any:
    """The jobs are answered by a view, which sees the session."""
    flask = pytest.importorskip("flask")
    from streamware.frameworks.flask import ExportResponse

    app = flask.Flask("shop")

    def exports(rest: str) -> Any:
        return JobApplication(kept).wsgi

    app.post("/orders")(lambda: ExportResponse(started(kept)))
    app.route("/exports/<path:rest>", methods=["GET", "POST", "DELETE"])(exports)
    return app


def synchronous_django_site(kept: Kept) -> Any:
    pytest.importorskip("django")
    from django.core.handlers.wsgi import WSGIHandler

    urls(kept)
    return WSGIHandler()


def starlette_site(kept: Kept) -> Any:
    from starlette.applications import Starlette
    from starlette.routing import Mount, Route

    async def orders(request: Any) -> Any:
        return started(kept)

    return Starlette(
        routes=[
            Route("/orders", orders, methods=["POST"]),
            Mount("/exports", JobApplication(kept).asgi),
        ]
    )


def fastapi_site(kept: Kept) -> Any:
    fastapi = pytest.importorskip("fastapi")
    from streamware.frameworks.fastapi import ExportResponse

    app = fastapi.FastAPI()
    app.post("/orders", response_class=ExportResponse)(lambda: ExportResponse(started(kept)))
    app.mount("/exports", JobApplication(kept).asgi)
    return app


def fastapi_router_site(kept: Kept) -> Any:
    """The view is in an application that is mounted, the jobs are not."""
    fastapi = pytest.importorskip("fastapi")
    from streamware.frameworks.fastapi import ExportResponse

    inner = fastapi.FastAPI()
    inner.post("/", response_class=ExportResponse)(lambda: ExportResponse(started(kept)))
    app = fastapi.FastAPI()
    app.mount("/orders", inner)
    app.mount("/exports", JobApplication(kept).asgi)
    return app


def async_django_site(kept: Kept) -> Any:
    pytest.importorskip("django")
    from django.core.handlers.asgi import ASGIHandler

    urls(kept)
    return ASGIHandler()


def urls(kept: Kept) -> None:
    from django.urls import clear_url_caches, include, path
    from django.views.decorators.csrf import csrf_exempt

    from streamware.frameworks.django import ExportResponse
    from streamware.frameworks.django_jobs import job_urls

    view = csrf_exempt(lambda request: ExportResponse(request, started(kept)))
    django_site.Urls.urlpatterns[:] = [
        path("orders", view),
        path("exports/", include(job_urls(kept))),
    ]
    clear_url_caches()


WSGI = [flask_site, flask_view_site, synchronous_django_site]
ASGI = [starlette_site, fastapi_site, fastapi_router_site, async_django_site]


class Site:
    """Asks a site, below a prefix that the server knows."""

    def __init__(self, app: Any, prefix: str, *, wsgi: bool) -> None:
        self._app, self._prefix, self._wsgi = app, prefix, wsgi

    async def __call__(self, method: str, path: str, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        transport: Any
        if self._wsgi:
            import asyncio

            with httpx.Client(
                transport=httpx.WSGITransport(self._app, script_name=self._prefix),
                base_url="http://site",
            ) as client:
                return await asyncio.to_thread(client.request, method, path, headers=named)
        transport = httpx.ASGITransport(self._prefixed)
        async with httpx.AsyncClient(transport=transport, base_url="http://site") as client:
            return await client.request(method, path, headers=named, follow_redirects=False)

    async def _prefixed(self, scope: Any, receive: Any, send: Any) -> None:
        path = self._prefix + scope["path"]
        await self._app({**scope, "root_path": self._prefix, "path": path}, receive, send)


@pytest.fixture(params=["", "/shop"], ids=["at the root", "below a prefix"])
def prefix(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[*WSGI, *ASGI], ids=lambda site: site.__name__)
def make(request: pytest.FixtureRequest) -> Callable[[Kept], Any]:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def site(make: Callable[[Kept], Any], kept: Kept, prefix: str) -> Site:
    return Site(make(kept), prefix, wsgi=make in WSGI)


def orders(make: Callable[[Kept], Any]) -> str:
    return "/orders/" if make is fastapi_router_site else "/orders"


async def test_a_job_from_its_start_to_its_file(
    site: Site, make: Callable[[Kept], Any], kept: Kept, prefix: str
) -> None:
    reply = await site("POST", orders(make))
    assert (reply.status_code, reply.headers["location"]) == (202, f"{prefix}/exports/{ID}")
    assert reply.headers["retry-after"] == "2"
    assert reply.json()["links"]["status"] == f"{prefix}/exports/{ID}"
    status = await site("GET", f"/exports/{ID}")
    assert status.json()["state"] == "queued"
    kept.finish()
    status = await site("GET", f"/exports/{ID}")
    assert status.json()["links"]["file"] == f"{prefix}/exports/{ID}/file"
    file = await site("GET", f"/exports/{ID}/file")
    assert (file.status_code, file.content == DATA) == (200, True)
    assert file.headers["content-length"] == str(len(DATA))
    part = await site("GET", f"/exports/{ID}/file", range="bytes=1000-1999")
    assert (part.status_code, part.content == DATA[1000:2000]) == (206, True)
    assert part.headers["content-length"] == "1000"
    same = await site("GET", f"/exports/{ID}/file", if_none_match=file.headers["etag"])
    assert (same.status_code, same.content) == (304, b"")


async def test_a_person_is_led_to_the_page_and_cancels_there(
    site: Site, make: Callable[[Kept], Any], kept: Kept, prefix: str
) -> None:
    reply = await site("POST", orders(make), accept=PAGE)
    assert (reply.status_code, reply.headers["location"]) == (303, f"{prefix}/exports/{ID}")
    page = await site("GET", f"/exports/{ID}", accept=PAGE)
    assert f'action="{ID}/cancel"' in page.text
    foul = await site("POST", f"/exports/{ID}/cancel", accept=PAGE, sec_fetch_site="cross-site")
    assert foul.status_code == 403
    cancelled = await site(
        "POST", f"/exports/{ID}/cancel", accept=PAGE, sec_fetch_site="same-origin"
    )
    assert (cancelled.status_code, cancelled.headers["location"]) == (303, f"../{ID}?watch")
    assert kept.cancelled == [ID]


async def test_methods_and_unknown_jobs(site: Site, kept: Kept) -> None:
    assert (await site("GET", f"/exports/{ID[::-1]}")).status_code == 404
    assert (await site("DELETE", f"/exports/{ID}/file")).status_code == 405
    head = await site("HEAD", f"/exports/{ID}")
    assert (head.status_code, head.content) == (200, b"")
    assert (await site("DELETE", f"/exports/{ID}")).json()["state"] == "cancelled"


async def test_who_waits_gets_the_file(
    site: Site, make: Callable[[Kept], Any], kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = kept.get

    def done(id: str) -> Any:  # noqa: A002 - the contract's name
        kept.finish()
        return first(id)

    monkeypatch.setattr(kept, "get", done)  # it is done when it is looked at
    reply = await site("POST", orders(make), prefer="wait=10")
    assert (reply.status_code, reply.content == DATA) == (200, True)
    assert reply.headers["preference-applied"] == "wait=10"


@pytest.mark.parametrize("make", [synchronous_django_site, async_django_site], indirect=True)
async def test_in_django_permission_is_asked_with_its_request(site: Site, kept: Kept) -> None:
    seen: list[str] = []

    def authorize(given: Any, record: Any, action: str) -> bool:
        seen.append(given.get_full_path())
        return action == "status"

    kept.authorize = authorize
    assert (await site("GET", f"/exports/{ID}")).status_code == 200
    assert (await site("DELETE", f"/exports/{ID}")).status_code == 404
    assert seen[0].endswith(f"/exports/{ID}")
    assert json.loads((await site("GET", f"/exports/{ID}")).content)["id"] == ID
