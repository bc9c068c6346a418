"""A download from a Litestar handler.

Start it: uvicorn examples.litestar_app:app
Then open http://127.0.0.1:8000/orders, or /orders?format=json.
"""

import sqlite3
from contextlib import closing

from litestar import Litestar, get

from streamware.frameworks.litestar import ExportResponse

DATABASE = "file:litestar_app?mode=memory&cache=shared"  # exists while `keeper` is open
keeper = sqlite3.connect(DATABASE, uri=True, isolation_level=None)
keeper.execute("create table orders (id, customer, total)")
rows = [(n, f"Müller & Söhne {n}", n / 8) for n in range(1, 10_001)]
keeper.executemany("insert into orders values (?, ?, ?)", rows)


def fetch_orders():
    with closing(sqlite3.connect(DATABASE, uri=True)) as db:
        db.row_factory = sqlite3.Row
        yield from db.execute("select id, customer, total from orders")


@get("/orders")
async def orders() -> ExportResponse:
    return ExportResponse(fetch_orders, filename="orders", formats=("xlsx", "csv", "json"))


app = Litestar([orders])
