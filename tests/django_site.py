"""Django for tests: settings, and a site of one view under WSGI and ASGI."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar
from wsgiref.validate import validator

import django
import httpx
from django.conf import settings


class Urls:
    """Where a request goes; the tests put their views here."""

    urlpatterns: ClassVar[list[Any]] = []


settings.configure(
    ALLOWED_HOSTS=["*"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ""}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.messages",
        "django.contrib.sessions",
        "django_orders",
    ],
    REST_FRAMEWORK={  # its defaults want the users of Django
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "UNAUTHENTICATED_USER": None,
    },
    ROOT_URLCONF=Urls,
    SECRET_KEY="for tests only",
    STATIC_URL="/static/",
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    TIME_ZONE="UTC",
    USE_TZ=True,
)
django.setup()

from django.core.handlers.asgi import ASGIHandler  # noqa: E402 - they want the settings
from django.core.handlers.wsgi import WSGIHandler  # noqa: E402
from django.test import override_settings  # noqa: E402
from django.urls import path  # noqa: E402


def asynchronous(view: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The same view as a coroutine function."""

    async def aview(request: Any) -> Any:
        return view(request)

    return aview


class Site:
    """Django with one view, `/orders`, and the middlewares that a test wants.

    Args:
        under: "wsgi" or "asgi", and ", async" where the view is to be.
    """

    def __init__(self, under: str) -> None:
        self.asgi = under.startswith("asgi")
        self.async_view = under.endswith("async")

    async def get(
        self,
        view: Callable[[Any], Any],
        url: str = "/orders",
        *,
        method: str = "GET",
        middleware: Sequence[str] = (),
        headers: dict[str, str] | None = None,
        urls: Sequence[Any] = (),
    ) -> Any:
        seen = asynchronous(view) if self.async_view else view
        Urls.urlpatterns[:] = [path("orders", seen), *urls]
        django.urls.clear_url_caches()
        with override_settings(MIDDLEWARE=list(middleware)):
            handler = ASGIHandler() if self.asgi else WSGIHandler()
        if self.asgi:
            transport = httpx.ASGITransport(handler, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                response = await client.request(method, url, headers=headers)
                await asyncio.to_thread(lambda: None)
                return response
        return await asyncio.to_thread(self._get, handler, url, method, headers)

    def _get(self, handler: Any, url: str, method: str, headers: Any) -> Any:
        transport = httpx.WSGITransport(validator(handler), raise_app_exceptions=False)
        with httpx.Client(transport=transport, base_url="http://test") as client:
            return client.request(method, url, headers=headers)


@asynccontextmanager
async def wait_for(seconds: float) -> AsyncIterator[None]:
    """Fail after so many seconds, and say what waits."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise AssertionError(f"it still waits after {seconds} seconds") from None
