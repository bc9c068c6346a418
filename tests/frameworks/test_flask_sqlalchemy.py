from pathlib import Path
from typing import Any
from wsgiref.validate import validator

import pytest
from werkzeug.test import Client

import streamware as sw
from readers import calamine_rows, csv_rows

flask = pytest.importorskip("flask")
flask_sqlalchemy = pytest.importorskip("flask_sqlalchemy")
sqlalchemy = pytest.importorskip("sqlalchemy")
orm = pytest.importorskip("sqlalchemy.orm")
ROWS = 5000


class Shop:
    """An application with a session of Flask-SQLAlchemy and two related tables."""

    def __init__(self, database: Path) -> None:
        class Base(orm.DeclarativeBase):  # type: ignore[misc, name-defined]
            pass

        self.db: Any = flask_sqlalchemy.SQLAlchemy(model_class=Base)
        self.app = flask.Flask(__name__)
        self.app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{database}"
        self.db.init_app(self.app)
        db = self.db

        class Customer(db.Model):  # type: ignore[misc, name-defined]
            id = db.Column(db.Integer, primary_key=True)
            name = db.Column(db.String)

        class Order(db.Model):  # type: ignore[misc, name-defined]
            id = db.Column(db.Integer, primary_key=True)
            total = db.Column(db.Numeric(10, 2))
            customer_id = db.Column(db.ForeignKey(Customer.id))
            customer = db.relationship(Customer, lazy="joined")

        self.Customer, self.Order = Customer, Order
        self.fill()

    def fill(self) -> None:
        with self.app.app_context():
            self.db.create_all()
            self.db.session.add_all(
                [self.Customer(id=1, name="Åse"), self.Customer(id=2, name="Bo")]
            )
            self.db.session.execute(
                sqlalchemy.insert(self.Order),
                [
                    {"id": at, "total": at / 4, "customer_id": at % 2 + 1}
                    for at in range(1, ROWS + 1)
                ],
            )
            self.db.session.commit()

    def close(self) -> None:
        with self.app.app_context():
            self.db.engine.dispose()

    def get(self, view: Any, format_: str) -> bytes:
        self.app.add_url_rule("/orders", "orders", view)
        client = Client(validator(self.app))
        response = client.get(f"/orders?format={format_}", buffered=True)
        assert response.status_code == 200
        data: bytes = response.data
        return data


@pytest.fixture
def shop(tmp_path: Path) -> Any:
    made = Shop(tmp_path / "shop.sqlite3")
    yield made
    made.close()


def test_what_the_session_executes_is_exported_under_its_own_names(shop: Shop) -> None:
    query = sqlalchemy.select(shop.Order.id, shop.Order.total.label("sum"))
    data = shop.get(lambda: sw.Export(lambda: shop.db.session.execute(query)), "csv")
    assert csv_rows(data)[:3] == [["id", "sum"], ["1", "0.25"], ["2", "0.50"]]
    assert len(csv_rows(data)) == ROWS + 1


def test_objects_are_exported_by_their_attributes(shop: Shop) -> None:
    def orders() -> sw.Export:
        query = sqlalchemy.select(shop.Order).execution_options(yield_per=500)
        return sw.Export(
            lambda: shop.db.session.scalars(query),
            columns=["id", sw.Column("customer.name", "Customer"), "total"],
        )

    rows = calamine_rows(shop.get(orders, "xlsx"))
    assert rows[:3] == [["id", "Customer", "total"], [1.0, "Bo", 0.25], [2.0, "Åse", 0.5]]
    assert len(rows) == ROWS + 1


def test_the_session_is_given_back_when_the_rows_are_closed(shop: Shop) -> None:
    query = sqlalchemy.select(shop.Order.id)
    seen: list[BaseException | None] = []
    shop.app.teardown_appcontext(seen.append)
    client = Client(validator(shop.app))
    shop.app.add_url_rule(
        "/orders",
        "orders",
        lambda: sw.Export(lambda: shop.db.session.execute(query), format="csv"),
    )
    response = client.get("/orders")
    next(iter(response.response))
    assert seen == []
    response.close()
    with shop.app.app_context():
        assert seen == [None]
        assert shop.db.engine.pool.checkedout() == 0
