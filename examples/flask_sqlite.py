"""A SQLite query as a download from a Flask view.

Start it: flask --app examples/flask_sqlite.py run
Then open http://127.0.0.1:5000/orders, or /orders?format=csv.
"""

import sqlite3

from flask import Flask, g

import streamware as sw

DATABASE = "file:flask_sqlite?mode=memory&cache=shared"  # exists while `keeper` is open
keeper = sqlite3.connect(DATABASE, uri=True, isolation_level=None)
keeper.execute("create table orders (id, customer, total)")
rows = [(n, f"Müller & Söhne {n}", n / 8) for n in range(1, 10_001)]
keeper.executemany("insert into orders values (?, ?, ?)", rows)
app = Flask(__name__)


def get_db():
    g.db = g.get("db") or sqlite3.connect(DATABASE, uri=True)
    return g.db


@app.teardown_appcontext
def close_db(error):  # runs after the last row is read, not when the view returns
    if "db" in g:
        g.pop("db").close()


@app.get("/orders")
def orders():
    return sw.Export(
        lambda: get_db().execute("select * from orders"),
        columns=[sw.Column("id", "No."), "customer", sw.Column("total", format="0.00")],
        filename="orders",
        formats=("xlsx", "csv", "xml"),
    )
