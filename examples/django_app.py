"""A Django query as a download; the view is the same under ASGI and WSGI.

Start it: uvicorn examples.django_app:app
Or: gunicorn examples.django_app:application
Then open http://127.0.0.1:8000/orders, or /orders?format=csv.
"""

import sqlite3
from contextlib import closing
from tempfile import TemporaryDirectory

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.urls import path

from streamware.frameworks.django import ExportResponse

folder = TemporaryDirectory()
database = {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{folder.name}/orders"}
settings.configure(ALLOWED_HOSTS=["*"], DATABASES={"default": database}, ROOT_URLCONF=__name__)
with closing(sqlite3.connect(database["NAME"])) as db:
    db.execute("create table orders (id, customer, total)")
    rows = [(n, f"Müller & Söhne {n}", n / 8) for n in range(1, 10_001)]
    db.executemany("insert into orders values (?, ?, ?)", rows)
    db.commit()


def fetch_orders():  # with models: Order.objects.values("id", "total").iterator
    return connection.cursor().execute("select id, customer, total from orders")


def orders(request):
    return ExportResponse(request, fetch_orders, filename="orders", formats=("xlsx", "csv"))


urlpatterns = [path("orders", orders)]
app, application = get_asgi_application(), get_wsgi_application()
