import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from wsgiref.validate import validator

import pytest
from werkzeug.test import Client

import streamware as sw
from readers import calamine_rows, csv_rows, xml_rows

flask = pytest.importorskip("flask")
ROWS = 6000
READERS: dict[str, Callable[[bytes], list[Any]]] = {
    "csv": csv_rows,
    "xml": xml_rows,
    "xlsx": calamine_rows,
}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "orders.sqlite3"
    with sqlite3.connect(path) as connection:
        connection.execute("create table orders (id, customer)")
        some = ((at, f"Åse {at}") for at in range(ROWS))
        connection.executemany("insert into orders values (?, ?)", some)
    connection.close()
    return path


class Shop:
    """The tutorial's application: a connection in `g`, closed by a teardown function.

    Attributes:
        events: What happened, in order.
    """

    def __init__(self, database: Path) -> None:
        self.events: list[object] = []
        self.app = flask.Flask(__name__)
        self.app.add_url_rule("/orders", view_func=self.orders)
        self.app.teardown_appcontext(self.close_db)
        self.database = database
        self.query: Callable[[], Any] = lambda: self.get_db().execute("select * from orders")

    def get_db(self) -> sqlite3.Connection:
        if "db" not in flask.g:
            flask.g.db = sqlite3.connect(self.database)
            self.events.append("opened")
        connection: sqlite3.Connection = flask.g.db
        return connection

    def close_db(self, error: BaseException | None) -> None:
        connection = flask.g.pop("db", None)
        if connection is not None:
            connection.close()
        self.events.append(("teardown", error))

    def orders(self) -> sw.Export:
        self.events.append("view")
        return sw.Export(self.query, formats=("xlsx", "csv", "xml"))

    def client(self) -> Client:
        return Client(validator(self.app))


@pytest.fixture
def shop(database: Path) -> Shop:
    return Shop(database)


@pytest.mark.parametrize("format_", ["csv", "xml", "xlsx"])
def test_a_connection_in_g_outlives_the_view(shop: Shop, format_: str) -> None:
    data = shop.client().get(f"/orders?format={format_}", buffered=True).data
    assert len(READERS[format_](data)) == ROWS + (format_ != "xml")


def test_the_teardown_runs_once_and_after_the_last_row(shop: Shop) -> None:
    response = shop.client().get("/orders?format=csv")
    chunks = iter(response.response)
    next(chunks)
    assert shop.events == ["view", "opened"]
    for _ in chunks:
        assert shop.events == ["view", "opened"]
    response.close()
    assert shop.events == ["view", "opened", ("teardown", None)]


def test_the_teardown_runs_once_when_the_client_leaves(shop: Shop) -> None:
    response = shop.client().get("/orders?format=csv")
    next(iter(response.response))
    response.close()
    assert shop.events == ["view", "opened", ("teardown", None)]


def test_the_teardown_runs_once_for_head_and_nothing_is_opened(shop: Shop) -> None:
    response = shop.client().head("/orders?format=csv", buffered=True)
    assert response.status_code == 200
    assert "export.csv" in response.headers["Content-Disposition"]
    assert shop.events == ["view", ("teardown", None)]


def test_rows_that_fail_at_once_are_a_500_and_one_teardown(shop: Shop) -> None:
    shop.query = lambda: shop.get_db().execute("select * from nothing")
    response = shop.client().get("/orders", buffered=True)
    assert response.status_code == 500
    assert b"nothing" not in response.data
    assert [event for event in shop.events if isinstance(event, str)] == ["view", "opened"]
    assert len(shop.events) == 3


def test_rows_that_fail_later_break_the_transfer_and_are_torn_down(shop: Shop) -> None:
    def failing() -> Iterator[tuple[int, str]]:
        yield from shop.get_db().execute("select * from orders")
        raise OSError("the disk is gone")

    shop.query = failing
    response = shop.client().get("/orders?format=csv")
    assert response.status_code == 200
    with pytest.raises(OSError, match="the disk is gone"):
        list(response.response)
    response.close()
    assert shop.events[:2] == ["view", "opened"]
    assert len(shop.events) == 3


def test_exports_on_two_threads_have_a_connection_each(shop: Shop) -> None:
    first = shop.client().get("/orders?format=csv")
    chunks: Iterator[Any] = iter(first.response)
    head = next(chunks)
    with ThreadPoolExecutor(1) as other:
        second = other.submit(lambda: shop.client().get("/orders?format=csv", buffered=True).data)
        assert head + b"".join(chunks) == second.result()
    first.close()
    assert shop.events.count("opened") == 2
    assert shop.events.count(("teardown", None)) == 2


def test_the_request_is_there_while_rows_are_read(shop: Shop) -> None:
    def rows() -> Iterator[tuple[str]]:
        for _ in range(5000):
            yield (flask.request.args["name"],)

    shop.query = rows
    data = shop.client().get("/orders?format=csv&name=Ada", buffered=True).data
    assert csv_rows(data) == [["Ada"]] * 5000


def test_an_async_view_returns_an_export_too(shop: Shop) -> None:
    async def orders() -> sw.Export:
        return shop.orders()

    shop.app.add_url_rule("/async", "async", orders)
    data = shop.client().get("/async?format=csv", buffered=True).data
    assert len(csv_rows(data)) == ROWS + 1


def test_an_export_is_an_application_of_its_own(shop: Shop) -> None:
    app = sw.Export([{"a": 1}], format="csv").wsgi
    assert csv_rows(Client(validator(app)).get("/", buffered=True).data) == [["a"], ["1"]]
