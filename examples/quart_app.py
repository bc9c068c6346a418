"""A SQLite query as a download from a Quart view.

Start it: hypercorn examples.quart_app:app
Then open http://127.0.0.1:8000/orders, or /orders?format=csv.  Needs aiosqlite.
"""

import sqlite3

import aiosqlite
from quart import Quart, g

from streamware.frameworks.quart import ExportResponse

DATABASE = "file:quart_app?mode=memory&cache=shared"  # exists while `keeper` is open
keeper = sqlite3.connect(DATABASE, uri=True, isolation_level=None)
keeper.execute("create table orders (id, customer, total)")
rows = [(n, f"Müller & Söhne {n}", n / 8) for n in range(1, 10_001)]
keeper.executemany("insert into orders values (?, ?, ?)", rows)

app = Quart(__name__)


@app.teardown_appcontext
async def close_db(error):  # runs after the last row is read, not when the view returns
    if "db" in g:
        await g.pop("db").close()


async def fetch_orders():
    g.db = await aiosqlite.connect(DATABASE, uri=True)
    async with g.db.execute("select id, customer, total from orders") as cursor:
        async for order in cursor:
            yield order


@app.get("/orders")
async def orders():
    columns, formats = ["id", "customer", "total"], ("xlsx", "csv", "xml")
    return ExportResponse(fetch_orders, columns=columns, filename="orders", formats=formats)
