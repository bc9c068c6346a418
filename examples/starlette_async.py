"""An async generator as a download from a Starlette view.

Start it: uvicorn examples.starlette_async:app
Then open http://127.0.0.1:8000/orders, or /orders?format=csv.  Needs aiosqlite.
"""

import sqlite3

import aiosqlite
from starlette.applications import Starlette
from starlette.routing import Route

import streamware as sw

DATABASE = "file:starlette_async?mode=memory&cache=shared"  # exists while `keeper` is open
keeper = sqlite3.connect(DATABASE, uri=True, isolation_level=None)
keeper.execute("create table orders (id, customer, total)")
rows = [(n, f"Müller & Söhne {n}", n / 8) for n in range(1, 10_001)]
keeper.executemany("insert into orders values (?, ?, ?)", rows)


async def fetch_orders():
    async with aiosqlite.connect(DATABASE, uri=True) as db:
        db.row_factory = sqlite3.Row
        async with db.execute("select id, customer, total from orders") as cursor:
            async for order in cursor:
                yield order


async def orders(request):
    return sw.Export(fetch_orders(), filename="orders", formats=("xlsx", "csv", "xml"))


app = Starlette(routes=[Route("/orders", orders)])
