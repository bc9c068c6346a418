"""A download from Starlette with a cookie, and a background task that runs after it.

Start it: uvicorn examples.starlette_response:app
Then open http://127.0.0.1:8000/orders, or /orders?format=xlsx.
"""

import sqlite3
from contextlib import closing

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.routing import Route

from streamware.frameworks.starlette import ExportResponse

DATABASE = "file:starlette_response?mode=memory&cache=shared"  # exists while `keeper` is open
keeper = sqlite3.connect(DATABASE, uri=True, isolation_level=None, check_same_thread=False)
keeper.execute("create table downloads (at)")
keeper.execute("create table orders (id, customer, total)")
rows = [(n, f"Müller & Söhne {n}", n / 8) for n in range(1, 10_001)]
keeper.executemany("insert into orders values (?, ?, ?)", rows)


def fetch_orders():  # opened, read and closed on one thread, so the connection is, too
    with closing(sqlite3.connect(DATABASE, uri=True)) as db:
        yield from db.execute("select id, customer, total from orders")


async def orders(request):
    task = BackgroundTask(keeper.execute, "insert into downloads values (datetime())")
    columns = ["id", "customer", "total"]
    response = ExportResponse(fetch_orders, columns=columns, filename="orders", background=task)
    response.set_cookie("downloaded", "orders")
    return response


app = Starlette(routes=[Route("/orders", orders)])
