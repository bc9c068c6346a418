from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from wsgiref.validate import validator

import pytest
from werkzeug.test import Client

import streamware as sw
from readers import calamine_rows, csv_rows
from servers.process import ServerProcess, until

flask = pytest.importorskip("flask")
flask_sqlalchemy = pytest.importorskip("flask_sqlalchemy")
sqlalchemy = pytest.importorskip("sqlalchemy")
orm = pytest.importorskip("sqlalchemy.orm")
pooled = pytest.importorskip("pooled")
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


# A pool of two connections, and an application that uses its session to the end of the request

GTHREAD = ("--worker-class", "gthread", "--threads", "8", "--graceful-timeout", "1")
DELIVERIES = ("stream", "buffer", "spool")
STATUS = {
    ("whole", "stream"): 200,
    ("whole", "buffer"): 200,
    ("whole", "spool"): 200,
    ("first", "stream"): 500,
    ("first", "buffer"): 500,
    ("first", "spool"): 500,
    ("later", "stream"): 200,
    ("later", "buffer"): 200,
    ("later", "spool"): 500,
    ("room", "stream"): 503,
    ("room", "buffer"): 503,
    ("room", "spool"): 503,
}
EVERY = [(f"/{kind}/{how}/{end}", s) for kind in pooled.KINDS for (end, how), s in STATUS.items()]
CONNECTIONS = pytest.mark.parametrize("kind", pooled.KINDS)


@pytest.fixture
def pool(tmp_path: Path) -> Any:
    app = pooled.Pooled(tmp_path / "shop.sqlite3")
    yield app
    app.pool().dispose()


def ask(app: Any, path: str, *, chunks: int = 10**6, **options: Any) -> int:
    """Get it, or as many chunks of it; the status."""
    response = Client(validator(app)).get(path, **options)
    with closing(response), suppress(OSError):
        for _ in zip(range(chunks), response.response, strict=False):
            pass
    return int(response.status_code)


@pytest.mark.parametrize(("path", "status"), EVERY)
@pytest.mark.parametrize("protocol", ["HTTP/1.1", "HTTP/1.0"])
def test_a_session_is_the_request_s_until_its_end_and_given_back_once(
    pool: Any, path: str, status: int, protocol: str
) -> None:
    for _ in range(2 * pooled.POOL):
        assert ask(pool, path, environ_overrides={"SERVER_PROTOCOL": protocol}) == status
        assert pool.pool().checkedout() == 0
    assert pool.counted["requests"] == pool.counted["torn down"] == 2 * pooled.POOL
    assert pool.counted["another session"] == 0


@CONNECTIONS
@pytest.mark.parametrize("delivery", DELIVERIES)
@pytest.mark.parametrize("chunks", [0, 1, 2])
def test_a_session_is_given_back_once_when_the_client_leaves(
    pool: Any, kind: str, delivery: str, chunks: int
) -> None:
    for _ in range(2 * pooled.POOL):
        assert ask(pool, f"/{kind}/{delivery}/whole", chunks=chunks) == 200
        assert pool.pool().checkedout() == 0
    assert pool.counted["requests"] == pool.counted["torn down"] == 2 * pooled.POOL


@pytest.mark.slow
@CONNECTIONS
@pytest.mark.parametrize("delivery", ["buffer", "spool"])
def test_a_session_is_given_back_however_slowly_the_client_reads(
    pool: Any, kind: str, delivery: str
) -> None:
    response = Client(validator(pool)).get(f"/{kind}/{delivery}/whole")
    chunks = iter(response.response)
    next(chunks)
    until(lambda: pool.pool().checkedout() == 0)
    assert next(chunks)
    response.close()
    assert pool.counted["torn down"] == 1


@CONNECTIONS
def test_a_session_around_the_request_is_left_to_its_owner(pool: Any, kind: str) -> None:
    with pool.app_context():
        for delivery in DELIVERIES:
            assert ask(pool, f"/{kind}/{delivery}/whole") == 200
        assert pool.counted["torn down"] == 0
    assert pool.counted["torn down"] == 1
    assert pool.pool().checkedout() == 0


@CONNECTIONS
def test_a_session_that_a_test_client_keeps_is_given_back_by_it(pool: Any, kind: str) -> None:
    with pool.test_client() as client:
        for count, delivery in enumerate(("stream", "buffer")):
            assert len(csv_rows(client.get(f"/{kind}/{delivery}/whole").data)) == pooled.ROWS
            assert flask.g.session is not None
            assert pool.counted["torn down"] == count
    assert pool.counted["torn down"] == 2
    assert pool.pool().checkedout() == 0


@CONNECTIONS
@pytest.mark.parametrize("delivery", DELIVERIES)
def test_an_export_may_be_read_in_the_request(pool: Any, kind: str, delivery: str) -> None:
    def whole(response: Any) -> Any:
        return flask.Response(b"".join(response.response), mimetype=response.mimetype)

    pool.after_request(whole)
    assert ask(pool, f"/{kind}/{delivery}/whole") == 200
    assert pool.counted["torn down"] == 1
    assert pool.counted["another session"] == 0
    assert pool.pool().checkedout() == 0


@pytest.mark.parametrize("delivery", DELIVERIES)
def test_an_export_may_be_what_is_sent_for_another_that_failed(pool: Any, delivery: Any) -> None:
    def other(error: Any) -> Any:
        query = pooled.QUERY
        rows = lambda: flask.g.session.execute(query)  # noqa: E731
        return sw.Export(rows, format="csv", delivery=delivery, status=203)

    pool.register_error_handler(500, other)
    assert ask(pool, f"/export/{delivery}/first") == 203
    assert pool.counted["torn down"] == 1
    assert pool.pool().checkedout() == 0


@pytest.fixture
def gunicorn(tmp_path: Path) -> Iterator[ServerProcess]:
    """A gunicorn that serves it on eight threads."""
    pytest.importorskip("gunicorn")
    served = f"pooled:Pooled({str(tmp_path / 'shop.sqlite3')!r})"
    command = ("-m", "gunicorn", *GTHREAD, "--bind", "127.0.0.1:{port}", served)
    with ServerProcess(command, tmp_path, ready="/state") as made:
        yield made


@pytest.mark.servers
def test_a_pool_is_never_exhausted_under_gunicorn(gunicorn: ServerProcess) -> None:
    def state() -> Any:
        return gunicorn.get("/state").json()

    def get(asked: tuple[str, int]) -> None:
        path, status = asked
        with gunicorn.client() as client, client.stream("GET", path) as response:
            assert response.status_code == status
            chunks = response.iter_raw()
            next(chunks)
            if "whole" in path and "leave" not in path:
                for _ in chunks:
                    pass

    asked = [*EVERY, *((f"{path}?leave", status) for path, status in EVERY)] * 3
    with ThreadPoolExecutor(pooled.POOL) as clients:
        list(clients.map(get, asked))
    until(lambda: state()["torn down"] == len(asked))
    seen = state()
    assert seen["requests"] == len(asked)
    assert (seen["checked out"], seen["another session"]) == (0, 0)
