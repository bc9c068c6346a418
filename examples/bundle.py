"""Several exports and files in one zip archive.

Start it: flask --app examples/bundle.py run
Then open http://127.0.0.1:5000/shop.
"""

import sqlite3

from flask import Flask, g

import streamware as sw

DATABASE = "file:bundle?mode=memory&cache=shared"  # exists while `keeper` is open
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
    orders = sw.Export(lambda: db.execute("select * from orders"), format="xlsx")
    customers = sw.Export(lambda: db.execute("select * from customers"), format="csv")
    members = [("orders.xlsx", orders), ("customers.csv", customers), ("READ ME.txt", b"Hello\n")]
    return sw.Bundle(members, filename="shop")
