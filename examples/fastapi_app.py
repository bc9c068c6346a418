"""A download from a FastAPI view.

Start it: uvicorn examples.fastapi_app:app
Then open http://127.0.0.1:8000/orders, or /orders?format=json; /docs describes it.
"""

import sqlite3
from contextlib import closing

from fastapi import FastAPI

from streamware.frameworks.fastapi import ExportResponse

DATABASE = "file:fastapi_app?mode=memory&cache=shared"  # lives as long as `keeper`
keeper = sqlite3.connect(DATABASE, uri=True, isolation_level=None)
keeper.execute("create table orders (id, customer, total)")
some = [(at, f"Müller & Söhne {at}", at / 8) for at in range(1, 10_001)]
keeper.executemany("insert into orders values (?, ?, ?)", some)

app = FastAPI()


def fetch_orders(above):
    with closing(sqlite3.connect(DATABASE, uri=True)) as db:
        db.row_factory = sqlite3.Row
        yield from db.execute("select id, customer, total from orders where total > ?", [above])


@app.get("/orders")
def orders(above: float = 0) -> ExportResponse:
    return ExportResponse(
        lambda: fetch_orders(above), filename="orders", formats=("xlsx", "csv", "json")
    )
