"""A workbook of several sheets, whose queries run one after the other.

Start it: flask --app examples/several_sheets.py run
Then open http://127.0.0.1:5000/shop.
"""

import sqlite3

from flask import Flask, g

import streamware as sw

DATABASE = "file:several_sheets?mode=memory&cache=shared"  # exists while `keeper` is open
keeper = sqlite3.connect(DATABASE, uri=True, isolation_level=None)
keeper.executescript("create table customers (id, name); create table orders (id, customer, total)")
keeper.executemany("insert into customers values (?, ?)", [(1, "Åse & Bjørn"), (2, "O'Brien")])
keeper.executemany("insert into orders values (?, ?, ?)", [(n, 1, n) for n in range(1, 1001)])

app = Flask(__name__)


@app.teardown_appcontext
def close_db(error):
    if "db" in g:
        g.pop("db").close()


@app.get("/shop")
def shop():
    db = g.db = sqlite3.connect(DATABASE, uri=True)
    orders = sw.Sheet("Orders", lambda: db.execute("select * from orders"))
    customers = sw.Sheet("Customers", lambda: db.execute("select * from customers"))
    return sw.Export([orders, customers], format="xlsx", filename="shop")
