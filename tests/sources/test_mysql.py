"""PyMySQL and SQLAlchemy against a real MariaDB: how queries end whose rows are not all read."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

import streamware as sw
from mariadb import Server, server
from readers import csv_rows

pymysql = pytest.importorskip("pymysql", reason="skipped: needs PyMySQL")
sqlalchemy = pytest.importorskip("sqlalchemy", reason="skipped: needs SQLAlchemy")
cursors = pytest.importorskip("pymysql.cursors", reason="skipped: needs PyMySQL")

from sqlalchemy import ForeignKey, String, create_engine, select  # noqa: E402
from sqlalchemy.orm import (  # noqa: E402
    DeclarativeBase,
    Mapped,
    Session,
    joinedload,
    mapped_column,
    relationship,
    selectinload,
)

from streamware.sources import dbapi  # noqa: E402
from streamware.sources import sqlalchemy as source  # noqa: E402

pytestmark = pytest.mark.servers

QUERY = "select seq as number, repeat('x', 100) as text from seq_1_to_{}"
LONG = "select count(a.seq * b.seq) from seq_1_to_1000000 a, seq_1_to_1000000 b"
COUNT = 2500


class Base(DeclarativeBase):
    """The mapped classes."""


class Customer(Base):
    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20))


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    customer: Mapped[Customer] = relationship()


@pytest.fixture(scope="module", name="database")
def database_() -> Iterator[Server]:
    with server() as made:
        with closing(made.connect(autocommit=True)) as connection:
            connection.cursor().execute("create database test")
        engine = create_engine(made.url("pymysql"))
        Base.metadata.create_all(engine)
        with engine.begin() as connection:
            for statement in (
                "insert into customers select seq, concat('C', seq) from seq_1_to_1000",
                f"insert into orders select seq, mod(seq, 1000) + 1 from seq_1_to_{COUNT}",
            ):
                connection.exec_driver_sql(statement)
        engine.dispose()
        yield made


def checked_out(engine: Any) -> int:
    """Connections that were not given back to the pool."""
    return int(engine.pool.checkedout())


@pytest.fixture
def engine(database: Server) -> Iterator[Any]:
    made = create_engine(database.url("pymysql"), pool_size=2, max_overflow=0, pool_timeout=5)
    yield made
    assert checked_out(made) == 0
    made.dispose()


def document(rows: Any, **options: Any) -> list[list[str]]:
    return csv_rows(b"".join(sw.encode(rows, **options)))


def queries(database: Server) -> list[str]:
    """What runs on other connections."""
    with closing(database.connect()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(
            "select info from information_schema.processlist"
            " where id <> connection_id() and info is not null"
        )
        return [row[0] for row in cursor.fetchall()]


def all_end(database: Server, began: float) -> bool:
    """Whether all queries end within the two seconds that are promised."""
    while queries(database):
        if time.monotonic() > began + 2:
            return False
        time.sleep(0.02)
    return True


def test_rows_stay_on_the_server_until_they_are_read(database: Server) -> None:
    rows = dbapi.rows(lambda: database.connect(database="test"), QUERY.format(2))
    assert [row[0] for row in document(rows)] == ["number", "1", "2"]
    begun = dbapi.rows(lambda: database.connect(database="test"), QUERY.format(10_000_000))
    with closing(begun.open_rows()) as reader:
        iterator = iter(reader)
        assert next(iterator)[0] == 1
        assert queries(database) == [QUERY.format(10_000_000)]


@pytest.mark.parametrize("cursorclass", [cursors.DictCursor, cursors.SSCursor])
def test_the_cursor_is_that_of_the_connection_but_for_where_it_reads(
    database: Server, cursorclass: Any
) -> None:
    rows = dbapi.rows(
        lambda: database.connect(database="test", cursorclass=cursorclass), QUERY.format(3)
    )
    assert isinstance(next(iter(rows)), dict) is (cursorclass is cursors.DictCursor)
    assert len(document(rows)) == 4


def test_a_download_that_is_broken_off_ends_its_query(database: Server) -> None:
    connect = lambda: database.connect(database="test")  # noqa: E731
    for rows in (
        dbapi.rows(connect, QUERY.format(50_000_000)),
        dbapi.rows(
            connect,
            QUERY.format(50_000_000),
            cursor_factory=lambda connection: connection.cursor(cursors.SSCursor),
        ),
    ):
        encoding = sw.encode(rows)
        next(encoding)
        began = time.monotonic()
        encoding.close()
        assert all_end(database, began)


def test_a_slow_query_is_killed_by_its_reader(database: Server, engine: Any) -> None:
    for rows in (
        dbapi.rows(lambda: database.connect(database="test"), LONG),
        source.rows(engine, LONG),
    ):
        reader = rows.open_rows()
        assert reader.cancel is not None
        timer = threading.Timer(0.2, reader.cancel)
        timer.start()
        with pytest.raises(Exception, match="interrupted"):
            list(reader)
        began = time.monotonic()
        reader.close()
        assert all_end(database, began)
        timer.join()


def test_a_query_is_too_slow_for_the_limits_of_an_export(database: Server) -> None:
    began = time.monotonic()
    with pytest.raises(sw.LimitError, match="seconds"):
        document(
            dbapi.rows(lambda: database.connect(database="test"), LONG),
            limits=sw.Limits(seconds=0.2),
        )
    assert all_end(database, began)


def test_downloads_that_are_broken_off_give_their_connections_back(
    database: Server, engine: Any, caplog: pytest.LogCaptureFixture
) -> None:
    for statement in (QUERY.format(50_000_000), select(Order)):
        for _ in range(5):
            encoding = sw.encode(source.rows(engine, statement), chunk_size=100)
            next(encoding)
            encoding.close()
            assert checked_out(engine) == 0
    assert all_end(database, time.monotonic())
    assert caplog.records == []
    assert len(document(source.rows(engine, select(Order.id)))) == COUNT + 1


@pytest.mark.parametrize(
    "options", [[], [selectinload(Order.customer)], [joinedload(Order.customer)]]
)
def test_relationships_are_loaded_without_losing_rows(engine: Any, options: list[Any]) -> None:
    name = sw.Column(lambda order: order.customer.name, "Name")
    statement = select(Order).options(*options).order_by(Order.id)
    rows = document(source.rows(engine, statement), columns=["id", name])
    assert len(rows) == COUNT + 1
    assert rows[-1] == [str(COUNT), f"C{COUNT % 1000 + 1}"]


def test_a_session_that_would_lose_rows_is_an_error_that_says_what_to_pass(engine: Any) -> None:
    statement = select(Order).options(selectinload(Order.customer))
    with Session(engine) as session:
        for rows in (source.rows(session, statement), session.query(Order)):
            with pytest.raises(sw.StateError, match=r"pass the engine .*joinedload"):
                document(rows, columns=[sw.Column(lambda order: order.customer.name, "Name")])
        assert len(document(source.rows(session, select(Order)), columns=["customer.name"])) > COUNT


def test_an_empty_result_and_a_failing_query_leave_nothing(database: Server, engine: Any) -> None:
    connect = lambda: database.connect(database="test")  # noqa: E731
    assert document(dbapi.rows(connect, "select id from orders where id < 0")) == [["id"]]
    with pytest.raises(pymysql.err.MySQLError):
        document(dbapi.rows(connect, "select nothing from orders"))
    with pytest.raises(sw.EncodeError, match="returns no rows"):
        document(dbapi.rows(connect, "update orders set id = id where id < 0"))
    with pytest.raises(sw.EncodeError, match="returns no rows"):
        document(source.rows(engine, "update orders set id = id where id < 0"))
    assert queries(database) == []
