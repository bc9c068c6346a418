"""A download without any framework, over WSGI.

Start it: python examples/bare_wsgi.py
Then open http://127.0.0.1:8000/, or /?format=xlsx, or /?format=xml.
"""

import sqlite3
from contextlib import closing
from wsgiref.simple_server import make_server

import streamware as sw

DATABASE = "file:bare_wsgi?mode=memory&cache=shared"  # lives as long as `keeper`
keeper = sqlite3.connect(DATABASE, uri=True, isolation_level=None)
keeper.execute("create table orders (id, customer, total)")
some = [(at, f"Müller & Söhne {at}", at / 8) for at in range(1, 10_001)]
keeper.executemany("insert into orders values (?, ?, ?)", some)


def fetch_orders():
    with closing(sqlite3.connect(DATABASE, uri=True)) as db:
        yield from db.execute("select id, customer, total from orders")


application = sw.Export(fetch_orders, columns=["id", "customer", "total"], filename="orders").wsgi

if __name__ == "__main__":
    make_server("127.0.0.1", 8000, application).serve_forever()
