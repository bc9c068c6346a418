"""A download from a Falcon responder.

Start it: gunicorn examples.falcon_app:app
Then open http://127.0.0.1:8000/orders, or /orders?format=xlsx.
In a falcon.asgi.App, write `async def on_get` and `await ExportResponse(…).afill(req, resp)`.
"""

import sqlite3
from contextlib import closing

import falcon

from streamware.frameworks.falcon import ExportResponse

DATABASE = "file:falcon_app?mode=memory&cache=shared"  # exists while `keeper` is open
keeper = sqlite3.connect(DATABASE, uri=True, isolation_level=None)
keeper.execute("create table orders (id, customer, total)")
rows = [(n, f"Müller & Söhne {n}", n / 8) for n in range(1, 10_001)]
keeper.executemany("insert into orders values (?, ?, ?)", rows)


def fetch_orders():
    with closing(sqlite3.connect(DATABASE, uri=True)) as db:
        db.row_factory = sqlite3.Row
        yield from db.execute("select id, customer, total from orders")


class Orders:
    """A resource whose responder sends the download."""

    def on_get(self, req, resp):
        """Fill the response; for `HEAD` no rows are opened."""
        ExportResponse(fetch_orders, filename="orders").fill(req, resp)

    on_head = on_get


app = falcon.App()
app.add_route("/orders", Orders())
