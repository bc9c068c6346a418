"""A download over ASGI, without a framework.

Start it: uvicorn examples.bare_asgi:app
Then open http://127.0.0.1:8000/, or /?format=xlsx, or /?format=xml.
"""

import sqlite3
from contextlib import closing

import streamware as sw

DATABASE = "file:bare_asgi?mode=memory&cache=shared"  # exists while `keeper` is open
keeper = sqlite3.connect(DATABASE, uri=True, isolation_level=None)
keeper.execute("create table orders (id, customer, total)")
rows = [(n, f"Müller & Söhne {n}", n / 8) for n in range(1, 10_001)]
keeper.executemany("insert into orders values (?, ?, ?)", rows)


def fetch_orders():
    with closing(sqlite3.connect(DATABASE, uri=True)) as db:
        yield from db.execute("select id, customer, total from orders")


export = sw.Export(fetch_orders, columns=["id", "customer", "total"], filename="orders")


async def app(scope, receive, send):
    if scope["type"] == "http":
        await export.asgi(scope, receive, send)
