"""Exports of a query that a request names, by a driver that it names, from small pools.

The driver is the path, the query the parameter `query`; a pool has two connections.  `QUERIED` is
the folder of PostgreSQL's socket.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import asyncpg as asyncpg_driver
from psycopg_pool import AsyncConnectionPool, ConnectionPool
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine

import streamware as sw
from benchmarks.databases import Databases
from streamware.sources import asyncpg, psycopg, sqlalchemy

where = Databases(Path(os.environ["QUERIED"]), int(os.environ["BENCHMARK_ORDERS"]))
POOLED: dict[str, Any] = {"pool_size": 2, "max_overflow": 0, "pool_timeout": 5}
BOUNDS: dict[str, Any] = {"min_size": 1, "max_size": 2, "timeout": 5}
engine = create_engine("postgresql+psycopg" + where.url, **POOLED)
async_engine = create_async_engine("postgresql+asyncpg" + where.url, **POOLED)
opened: dict[str, Any] = {}


def sync_rows(driver: str, query: Any) -> Any:
    """The rows of a query by a driver that knows no event loop."""
    if driver == "psycopg":
        if driver not in opened:
            opened[driver] = ConnectionPool(where.conninfo, open=True, **BOUNDS)
        return psycopg.rows(opened[driver], query)
    if driver == "sqlalchemy":
        return sqlalchemy.rows(engine, query)
    return None


async def async_rows(driver: str, query: Any) -> Any:
    """The rows of a query by a driver that may know one."""
    if driver == "psycopg-async":
        if driver not in opened:
            opened[driver] = AsyncConnectionPool(where.conninfo, open=False, **BOUNDS)
            await opened[driver].open()
        return psycopg.rows(opened[driver], query)
    if driver == "asyncpg":
        if driver not in opened:
            opened[driver] = await asyncpg_driver.create_pool(
                "postgresql" + where.url, min_size=1, max_size=2
            )
        return asyncpg.rows(opened[driver], query)
    if driver == "sqlalchemy-async":
        return sqlalchemy.rows(async_engine, query)
    return sync_rows(driver, query)


def wsgi(environ: dict[str, Any], start_response: Any) -> Any:
    rows = sync_rows(environ["PATH_INFO"][1:], asked(environ["QUERY_STRING"]))
    if rows is None:
        start_response("200 OK", [("Content-Length", "0")])
        return [b""]
    return sw.Export(rows)(environ, start_response)


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    rows = await async_rows(scope["path"][1:], asked(scope["query_string"].decode()))
    if rows is not None:
        await sw.Export(rows)(scope, receive, send)
        return
    headers = [(b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def asked(query_string: str) -> str:
    return parse_qs(query_string).get("query", [""])[0]


# Django: the query is that of its orders, of which those past 2,000 take their time ----------


def django_view(request: Any) -> Any:
    from benchmarks.django_models import Order
    from streamware.frameworks.django import ExportResponse

    if "query" not in request.GET:
        from django.http import HttpResponse

        return HttpResponse(headers={"Content-Length": "0"})
    slept = {"slept": request.GET["query"]}
    return ExportResponse(request, Order.objects.extra(select=slept).order_by("id"))


def django(make: str) -> Any:
    """Django's handler, "wsgi" or "asgi"."""
    from benchmarks import django_models

    django_models.connect(where)
    from django.conf import settings
    from django.core.asgi import get_asgi_application
    from django.core.wsgi import get_wsgi_application
    from django.urls import path

    class Urls:
        urlpatterns = (path("django", django_view), path("", django_view))

    settings.ROOT_URLCONF = Urls
    return {"wsgi": get_wsgi_application, "asgi": get_asgi_application}[make]()
