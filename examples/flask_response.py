"""A download from Flask with an ETag: a client that has it gets a 304, and no rows are read.

Start it: flask --app examples/flask_response.py run
Then open http://127.0.0.1:5000/orders, or /orders?format=xlsx; opened again, it is a 304.
"""

import sqlite3

from flask import Flask, g, request

from streamware.frameworks.flask import ExportResponse

DATABASE = "file:flask_response?mode=memory&cache=shared"  # exists while `keeper` is open
keeper = sqlite3.connect(DATABASE, uri=True, isolation_level=None)
keeper.execute("create table orders (id, customer, total)")
rows = [(n, f"Müller & Söhne {n}", n / 8) for n in range(1, 10_001)]
keeper.executemany("insert into orders values (?, ?, ?)", rows)
app = Flask(__name__)


@app.teardown_appcontext
def close_db(error):  # runs after the last row is read, not when the view returns
    if "db" in g:
        g.pop("db").close()


@app.get("/orders")
def orders():
    db = g.db = sqlite3.connect(DATABASE, uri=True)
    (newest,) = db.execute("select max(id) from orders").fetchone()
    response = ExportResponse(lambda: db.execute("select * from orders"), filename="orders")
    response.set_etag(f"{newest}-{response.mimetype}")
    response.cache_control.no_store = None  # the browser may keep it, but must ask first
    response.cache_control.no_cache = True
    return response.make_conditional(request)
