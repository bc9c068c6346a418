"""A download from a FastAPI view with a query parameter.

Start it: uvicorn examples.fastapi_app:app
Then open http://127.0.0.1:8000/orders, or /orders?format=json&above=1000, or /docs.
"""

import sqlite3
from contextlib import closing

from fastapi import FastAPI

from streamware.frameworks.fastapi import ExportResponse, describe

DATABASE = "file:fastapi_app?mode=memory&cache=shared"  # exists while `keeper` is open
keeper = sqlite3.connect(DATABASE, uri=True, isolation_level=None)
keeper.execute("create table orders (id, customer, total)")
rows = [(n, f"Müller & Söhne {n}", n / 8) for n in range(1, 10_001)]
keeper.executemany("insert into orders values (?, ?, ?)", rows)

app = FastAPI()
FORMATS = ("xlsx", "csv", "json")


def fetch_orders(above):
    with closing(sqlite3.connect(DATABASE, uri=True)) as db:
        db.row_factory = sqlite3.Row
        yield from db.execute("select id, customer, total from orders where total > ?", [above])


@app.get("/orders", response_class=ExportResponse, openapi_extra=describe(FORMATS))
def orders(above: float = 0):
    return ExportResponse(lambda: fetch_orders(above), filename="orders", formats=FORMATS)
