"""The Django views of `benchmarks.sources`: `/line/N` returns what the line N of `lines` gives."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

from benchmarks import django_models, lines
from streamware.frameworks.django import ExportResponse

NAMES = {
    "ExportResponse": ExportResponse,
    "Order": django_models.Order,
    "columns": lines.COLUMNS,
    "with_lines": lines.DJANGO_WITH_LINES,
}


def line(request: HttpRequest, number: int) -> Any:
    return lines.value(number, NAMES | {"request": request})


def peak(request: HttpRequest) -> HttpResponse:
    found = lines.peak()
    return HttpResponse(found, headers={"Content-Length": str(len(found))})


urlpatterns = [path("line/<int:number>", line), path("peak", peak)]
settings.ROOT_URLCONF = __name__
django_models.connect(lines.databases())
wsgi = get_wsgi_application()
asgi = get_asgi_application()
