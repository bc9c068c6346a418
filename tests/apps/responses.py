"""The same downloads as `ExportResponse` of Starlette, FastAPI, Flask and Django (ASGI and WSGI).

What real servers serve, with the routes of `apps.source`.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import django
import flask
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.urls import path
from fastapi import Depends, FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from apps import exports
from apps.source import OPTIONS, PLAIN, ROWS, async_rows, own_rows, source, told
from streamware.frameworks.django import ExportResponse as DjangoExport
from streamware.frameworks.fastapi import ExportResponse as FastAPIExport
from streamware.frameworks.flask import ExportResponse as FlaskExport
from streamware.frameworks.starlette import ExportResponse as StarletteExport

# Starlette


async def orders(request: Request) -> StarletteExport:
    rows = ROWS[request.url.path[1:]]
    response = StarletteExport(lambda: rows(request.query_params), **OPTIONS)
    response.set_cookie("seen", "yes")
    return response


async def state(request: Request) -> JSONResponse:
    return JSONResponse(told(request.url.path))


starlette_app = Starlette(
    routes=[
        *(Route(f"/{name}", orders) for name in ROWS),
        *(Route(f"/{name}", state) for name in PLAIN),
    ]
)

# FastAPI: the view is an ordinary function, and what it depends on ends after the rows


def session() -> Any:
    """What rows need until they are closed."""
    yield "session"
    source.torn_down += 1


fastapi_app = FastAPI()


def fastapi_orders(request: Request, db: Annotated[str, Depends(session)]) -> FastAPIExport:
    rows = ROWS[request.url.path[1:]]
    response = FastAPIExport(lambda: rows(request.query_params), **OPTIONS)
    response.set_cookie("seen", "yes")
    return response


for name in ROWS:
    fastapi_app.add_api_route(f"/{name}", fastapi_orders, methods=["GET", "HEAD"])
for name in PLAIN:
    fastapi_app.add_route(f"/{name}", state)

# Flask, with the tutorial's connection in `g`

flask_app = flask.Flask(__name__)
flask_app.teardown_appcontext(exports.close_db)


def flask_orders() -> Any:
    asked = flask.request.args
    response = FlaskExport(lambda: source.rows(exports.get_db(), asked), **OPTIONS)
    response.set_cookie("seen", "yes")
    return response


flask_app.add_url_rule("/orders", view_func=flask_orders)
for name in PLAIN:
    flask_app.add_url_rule(f"/{name}", name, lambda: told(flask.request.path))

# Django, whose own connection is opened by the rows

settings.configure(
    ALLOWED_HOSTS=["*"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.sqlite3"}},
    ROOT_URLCONF=__name__,
)
django.setup()


def django_rows(asked: Mapping[str, str]) -> Any:
    with connection.cursor() as cursor:
        cursor.execute("select 1")
    return own_rows(asked)


def django_orders(request: HttpRequest) -> Any:
    rows = async_rows if request.path == "/async" else django_rows
    response = DjangoExport(request, lambda: rows(request.GET.dict()), **OPTIONS)
    response.set_cookie("seen", "yes")
    return response


def django_state(request: HttpRequest) -> Any:
    return JsonResponse(told(request.path))


urlpatterns = [
    *(path(name, django_orders) for name in ROWS),
    *(path(name, django_state) for name in PLAIN),
]
django_app, django_application = get_asgi_application(), get_wsgi_application()
