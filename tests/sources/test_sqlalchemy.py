import asyncio
import contextlib
import gc
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

import streamware as sw
from readers import csv_rows

sqlalchemy = pytest.importorskip("sqlalchemy", reason="skipped: needs SQLAlchemy")
pytest.importorskip("greenlet", reason="skipped: needs greenlet")

from sqlalchemy import ForeignKey, create_engine, event, func, insert, select, text  # noqa: E402
from sqlalchemy.exc import InvalidRequestError, OperationalError  # noqa: E402
from sqlalchemy.ext.asyncio import (  # noqa: E402
    AsyncSession,
    async_scoped_session,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import (  # noqa: E402
    Bundle,
    DeclarativeBase,
    Mapped,
    Session,
    aliased,
    joinedload,
    load_only,
    mapped_column,
    relationship,
    scoped_session,
    selectinload,
    sessionmaker,
)
from sqlalchemy.pool import QueuePool  # noqa: E402

from streamware.sources import sqlalchemy as source  # noqa: E402

COUNT = 2500


class Base(DeclarativeBase):
    """The mapped classes."""


class Customer(Base):
    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Line(Base):
    __tablename__ = "lines"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))


class Order(Base):
    __tablename__ = "orders"
    zone: Mapped[str]
    id: Mapped[int] = mapped_column(primary_key=True)
    amount: Mapped[float] = mapped_column("total")
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    terms: Mapped[str] = mapped_column(deferred=True)
    customer: Mapped[Customer] = relationship()
    lines: Mapped[list[Line]] = relationship()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("sqlalchemy") / "orders.db"
    engine = create_engine(f"sqlite:///{made}")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.execute(insert(Customer), [{"id": 1, "name": "Ann"}, {"id": 2, "name": "Bo"}])
        session.execute(
            insert(Order),
            [
                {"id": n, "zone": "EU", "amount": n / 4, "customer_id": n % 2 + 1, "terms": "x"}
                for n in range(1, COUNT + 1)
            ],
        )
        session.commit()
    engine.dispose()
    return made


def checked_out(engine: Any) -> int:
    """Connections that were not given back to the pool."""
    return int(engine.pool.checkedout())


@pytest.fixture
def engine(path: Path) -> Iterator[Any]:
    made = create_engine(f"sqlite:///{path}", poolclass=QueuePool)
    yield made
    assert checked_out(made) == 0
    made.dispose()


@contextlib.asynccontextmanager
async def connected(path: Path) -> AsyncIterator[Any]:
    made = create_async_engine(f"sqlite+aiosqlite:///{path}")
    yield made
    assert checked_out(made) == 0
    await made.dispose()


BINDS: dict[str, Callable[[Any], Any]] = {
    "engine": lambda engine: engine,
    "sessionmaker": sessionmaker,
    "scoped session": lambda engine: scoped_session(sessionmaker(engine)),
    "session": Session,
    "connection": lambda engine: engine.connect(),
}
ASYNC_BINDS: dict[str, Callable[[Any], Any]] = {
    "engine": lambda engine: engine,
    "sessionmaker": async_sessionmaker,
    "scoped session": lambda engine: async_scoped_session(
        async_sessionmaker(engine), asyncio.current_task
    ),
    "session": AsyncSession,
}
NAMES = select(Order.id, Customer.name).join(Customer).where(Order.id <= 3).order_by(Order.id)
OBJECTS = select(Order).where(Order.id <= 2).options(selectinload(Order.customer))


def document(rows: Any, **options: Any) -> list[list[str]]:
    return csv_rows(b"".join(sw.encode(rows, **options)))


async def adocument(rows: Any, **options: Any) -> list[list[str]]:
    async with sw.aencode(rows, **options) as encoding:
        return csv_rows(b"".join([chunk async for chunk in encoding]))


@pytest.mark.parametrize("kind", BINDS)
def test_columns_have_the_names_of_the_statement(engine: Any, kind: str) -> None:
    bind = BINDS[kind](engine)
    expected = [["id", "name"], ["1", "Bo"], ["2", "Ann"], ["3", "Bo"]]
    assert document(source.rows(bind, NAMES)) == expected
    assert document(source.rows(bind, NAMES)) == expected  # it can be opened again
    if kind == "connection":
        bind.close()


@pytest.mark.parametrize("kind", ASYNC_BINDS)
async def test_columns_have_the_names_of_the_statement_beside_a_loop(path: Path, kind: str) -> None:
    async with connected(path) as async_engine:
        rows = source.rows(ASYNC_BINDS[kind](async_engine), NAMES)
        expected = [["id", "name"], ["1", "Bo"], ["2", "Ann"], ["3", "Bo"]]
        assert await adocument(rows) == expected
        assert await adocument(rows) == expected


async def test_an_async_connection_is_used_and_left_open(path: Path) -> None:
    async with connected(path) as async_engine, async_engine.connect() as connection:
        rows = source.rows(connection, "select 1 as a union select :b", {"b": 2})
        assert await adocument(rows) == [["a"], ["1"], ["2"]]
        assert not connection.in_transaction()
        assert (await connection.execute(text("select 3"))).scalar() == 3


@pytest.mark.parametrize("statement", [OBJECTS, OBJECTS.where(Order.id < 0)], ids=["two", "none"])
def test_objects_have_the_columns_of_their_class_in_the_order_of_the_mapping(
    engine: Any, statement: Any
) -> None:
    header, *rows = document(source.rows(engine, statement))
    assert header == ["zone", "id", "amount", "customer_id"]  # and none that is loaded by itself
    assert rows in ([], [["EU", "1", "0.25", "2"], ["EU", "2", "0.5", "1"]])


async def test_the_first_batch_beside_a_loop_is_small_too(path: Path) -> None:
    async with connected(path) as async_engine:
        statement = select(Order).options(selectinload(Order.lines)).order_by(Order.id)
        reader = await source.rows(async_engine, statement).open_rows()
        async with contextlib.aclosing(reader):
            batches = [[order.id for order in batch] async for batch in reader.batches()]
    assert [len(batch) for batch in batches] == [100, 1000, 1000, 400]
    assert list(chain(*batches)) == list(range(1, COUNT + 1))


@pytest.mark.parametrize("statement", [OBJECTS, NAMES])
async def test_a_statement_without_rows_has_its_columns_beside_a_loop(
    path: Path, statement: Any
) -> None:
    async with connected(path) as async_engine:
        rows = await adocument(source.rows(async_engine, statement.where(Order.id < 0)))
    assert len(rows) == 1
    assert "id" in rows[0]


async def test_objects_come_beside_a_loop_with_a_loaded_relationship(path: Path) -> None:
    async with connected(path) as async_engine:
        rows = source.rows(async_engine, OBJECTS)
        assert await adocument(rows, columns=["id", "customer.name"]) == [
            ["id", "customer.name"],
            ["1", "Bo"],
            ["2", "Ann"],
        ]


async def test_the_last_rows_of_a_session_are_not_read_again(path: Path) -> None:
    async with connected(path) as async_engine, AsyncSession(async_engine) as session:
        known = await session.get(Order, COUNT)
        await session.rollback()
        executed: list[str] = []
        event.listen(
            async_engine.sync_engine,
            "before_cursor_execute",
            lambda *said: executed.append(said[2]),
        )
        statement = select(Order).options(selectinload(Order.customer)).order_by(Order.id)
        rows = source.rows(session, statement)
        document = await adocument(rows, columns=["id", "customer.name"])
        assert document[-1] == [str(COUNT), "Bo" if COUNT % 2 else "Ann"]
        assert len(document) == COUNT + 1
        assert len([each for each in executed if "FROM orders" in each]) == 1
        assert not session.in_transaction()
        assert checked_out(async_engine) == 0
        assert known in session


def test_relationships_are_reached_by_a_path(engine: Any) -> None:
    columns = [sw.Column("customer.name", "Customer"), "id"]
    assert document(source.rows(engine, OBJECTS), columns=columns) == [
        ["Customer", "id"],
        ["Bo", "1"],
        ["Ann", "2"],
    ]


def test_a_statement_that_loads_some_columns_gives_those(engine: Any) -> None:
    statement = OBJECTS.options(load_only(Order.amount))
    assert document(source.rows(engine, statement))[0] == ["id", "amount"]


def test_an_alias_and_a_statement_of_text_give_objects_too(engine: Any) -> None:
    other = aliased(Order)
    assert len(document(source.rows(engine, select(other).where(other.id == 1)))) == 2
    statement = select(Order).from_statement(text("select * from orders where id = 1"))
    assert document(source.rows(engine, statement))[1][:2] == ["EU", "1"]


@pytest.mark.parametrize(
    "statement",
    [select(Order, Customer).join(Customer), select(Order, func.count()).group_by(Order.id)],
    ids=["two classes", "a class and a column"],
)
def test_a_class_beside_something_else_is_refused_with_what_to_do(
    engine: Any, statement: Any
) -> None:
    with pytest.raises(TypeError, match=r"Order, .*select the class.*or select the columns"):
        source.rows(engine, statement)


def test_what_is_no_statement_is_an_error_that_says_what_is(engine: Any) -> None:
    with Session(engine) as session, session.execute(select(Order)) as result:
        cases: list[tuple[Any, str]] = [
            (Order, "not the class Order: pass select"),
            (session.query(Order), "not Query: pass its .statement, or the query itself"),
            (result, "Result: pass what was executed"),
            (session, "not Session: pass one, such as select"),
        ]
        for wrong, cure in cases:
            with pytest.raises(TypeError, match=f"statement must be .*{cure}"):
                source.rows(engine, wrong)


def test_statements_without_rows_are_refused(engine: Any) -> None:
    with pytest.raises(sw.EncodeError, match="returns no rows"):
        document(source.rows(engine, text("delete from customers where id = 99")))


@pytest.mark.parametrize("bind", ["sqlite://", None, object()])
def test_something_else_to_execute_it_is_a_type_error(bind: Any) -> None:
    with pytest.raises(TypeError, match=f"not {type(bind).__name__}"):
        source.rows(bind, NAMES)


def test_a_batch_is_at_least_a_row(engine: Any) -> None:
    with pytest.raises(ValueError, match="at least 1, not 0"):
        source.rows(engine, NAMES, batch=0)


def test_collections_that_are_joined_are_an_error_that_names_selectinload(engine: Any) -> None:
    with pytest.raises(InvalidRequestError, match="selectinload"):
        document(source.rows(engine, OBJECTS.options(joinedload(Order.lines))))


def test_a_failing_statement_gives_its_connection_back(engine: Any) -> None:
    with pytest.raises(OperationalError):
        document(source.rows(engine, "select * from nothing"))


@pytest.mark.parametrize("taken", [0, 3])
def test_a_download_that_is_broken_off_gives_its_connection_back(engine: Any, taken: int) -> None:
    encoding = sw.encode(source.rows(engine, select(Order)), chunk_size=100)
    for _ in range(taken):
        next(encoding)
    encoding.close()


async def test_a_broken_download_gives_its_connection_back_beside_a_loop(path: Path) -> None:
    async with connected(path) as async_engine:
        encoding = sw.aencode(source.rows(async_engine, select(Order)), chunk_size=100)
        await anext(aiter(encoding))
        await encoding.aclose()


def test_a_session_in_a_transaction_stays_in_it(engine: Any) -> None:
    with Session(engine) as session:
        session.add(Customer(id=7, name="Cy"))
        rows = source.rows(session, select(Customer.name).where(Customer.id == 7))
        assert document(rows) == [["name"], ["Cy"]]  # it is flushed, and seen
        assert session.in_transaction()
        session.rollback()


def test_a_session_that_was_idle_is_idle_again(engine: Any) -> None:
    session = Session(engine)
    document(source.rows(session, NAMES))
    assert not session.in_transaction()
    assert checked_out(engine) == 0


def test_what_a_sessionmaker_does_to_its_statements_is_done(engine: Any) -> None:
    class Tenant(Session):
        """Shows the orders of one customer."""

    @event.listens_for(Tenant, "do_orm_execute")
    def filtered(state: Any) -> None:
        state.statement = state.statement.where(Order.customer_id == 1)

    for bind in (
        sessionmaker(engine, class_=Tenant),
        scoped_session(sessionmaker(engine, class_=Tenant)),
    ):
        assert len(document(source.rows(bind, select(Order.id)))) == COUNT // 2 + 1


GIVEN: dict[str, Callable[[Any], Any]] = {
    "query": lambda session: session.query(Order).filter(Order.id <= 2),
    "scalars": lambda session: session.scalars(OBJECTS),
    "result": lambda session: session.execute(OBJECTS),
    "list": lambda session: session.scalars(OBJECTS).all(),
    "callable": lambda session: lambda: session.execute(OBJECTS),
}


@pytest.mark.parametrize("kind", GIVEN)
def test_what_a_session_gives_are_rows_with_the_columns_of_the_mapping(
    engine: Any, kind: str
) -> None:
    with Session(engine) as session:
        assert document(GIVEN[kind](session)) == [
            ["zone", "id", "amount", "customer_id"],
            ["EU", "1", "0.25", "2"],
            ["EU", "2", "0.5", "1"],
        ]


def test_a_result_of_columns_has_their_names(engine: Any) -> None:
    with engine.connect() as connection:
        assert document(connection.execute(NAMES))[:2] == [["id", "name"], ["1", "Bo"]]
        assert document(connection.execute(NAMES.where(Order.id < 0))) == [["id", "name"]]
        assert document(connection.execute(NAMES).mappings())[0] == ["id", "name"]


def test_a_query_is_read_by_the_batch(engine: Any) -> None:
    seen: list[int] = []
    event.listen(engine, "before_execute", lambda *args: seen.append(args[-1]["yield_per"]))
    with Session(engine) as session:
        document(session.query(Order))
    assert seen == [100]  # the first batch; `yield_per` of the result makes it more


@pytest.mark.parametrize("option", [joinedload(Order.customer), selectinload(Order.lines)])
def test_the_first_batch_of_objects_is_small_as_the_first_byte_waits_for_it(
    engine: Any, option: Any
) -> None:
    statement = select(Order).options(option).order_by(Order.id)
    with contextlib.closing(source.rows(engine, statement).open_rows()) as reader:
        batches = [[order.id for order in batch] for batch in reader._batches()]
    assert [len(batch) for batch in batches] == [100, 1000, 1000, 400]
    assert list(chain(*batches)) == list(range(1, COUNT + 1))


def test_rows_that_hold_one_object_are_that_object(engine: Any) -> None:
    with Session(engine) as session:
        expected = document(session.scalars(OBJECTS))
        assert len(expected) > 2
        for rows in (
            session.execute(OBJECTS).all(),
            iter(session.execute(OBJECTS)),
            (row for row in session.execute(OBJECTS)),
        ):
            assert document(rows) == expected
        several = iter(session.execute(select(Order, Customer).join(Customer)))
        with pytest.raises(sw.EncodeError, match="row 1 holds an Order among others: select the"):
            document(several)


async def test_a_streamed_result_of_objects_is_read_beside_an_event_loop(path: Path) -> None:
    async with connected(path) as async_engine, AsyncSession(async_engine) as session:
        expected = await adocument(source.rows(async_engine, OBJECTS))
        assert await adocument(await session.stream(OBJECTS)) == expected
        assert await adocument(session.stream(OBJECTS)) == expected
        assert await adocument(lambda: session.stream(OBJECTS)) == expected


@pytest.mark.parametrize("options", [{}, {"yield_per": 10}])
def test_a_result_of_objects_without_rows_has_the_columns_of_their_class(
    engine: Any, options: Any
) -> None:
    with Session(engine) as session:
        found = session.execute(OBJECTS, execution_options=options)
        header = document(found)[0]
        none = OBJECTS.where(Order.id < 0)
        assert document(session.execute(none, execution_options=options)) == [header]


@pytest.mark.parametrize("options", [{}, {"yield_per": 10}])
def test_what_filters_a_result_without_objects_has_the_same_columns(
    engine: Any, options: Any
) -> None:
    none = OBJECTS.where(Order.id < 0)
    with Session(engine) as session:
        header = document(session.scalars(OBJECTS))[0]
        assert document(session.scalars(none, execution_options=options)) == [header]
        assert document(lambda: session.scalars(none, execution_options=options)) == [header]
        of_alias = select(aliased(Order)).where(text("false"))
        assert document(session.execute(of_alias, execution_options=options)) == [header]


@pytest.mark.parametrize("options", [{}, {"yield_per": 10}])
async def test_a_stream_without_objects_has_the_columns_of_their_class(
    path: Path, options: Any
) -> None:
    none = OBJECTS.where(Order.id < 0)
    async with connected(path) as async_engine, AsyncSession(async_engine) as session:
        header = (await adocument(await session.stream(OBJECTS)))[0]
        streams = [session.stream, session.stream_scalars]
        reads: list[Any] = [*streams, *([] if options else [session.execute, session.scalars])]
        for read in reads:
            assert await adocument(await read(none, execution_options=options)) == [header]


def test_a_streamed_result_is_read_as_many_rows_at_a_time_as_it_was_told(engine: Any) -> None:
    made: list[int] = []

    def loaded(order: Order, _: object) -> None:
        made.append(order.id)

    event.listen(Order, "load", loaded)
    with Session(engine) as session:
        rows = session.scalars(OBJECTS, execution_options={"yield_per": 10})
        with closing(sw.encode(rows)) as encoding:
            next(encoding)
    event.remove(Order, "load", loaded)
    assert len(made) <= 50


BUNDLES: dict[str, tuple[Callable[[], Any], list[str]]] = {
    "alone": (lambda: select(Bundle("place", Order.id, Order.zone)), ["id", "zone"]),
    "beside a column": (
        lambda: select(Bundle("place", Order.id, Order.zone), Order.amount),
        ["place.id", "place.zone", "amount"],
    ),
    "two": (
        lambda: select(Bundle("place", Order.zone), Bundle("sum", Order.amount)),
        ["place.zone", "sum.amount"],
    ),
    "one within another": (
        lambda: select(Bundle("place", Order.id, Bundle("sum", Order.amount, Order.zone))),
        ["id", "sum.amount", "sum.zone"],
    ),
    "expressions": (
        lambda: select(Bundle("sums", Order.id + 1, Order.id + 2), Order.id + 3),
        ["sums._no_label", "sums._no_label_1", "_no_label"],
    ),
    "a name twice": (
        lambda: select(Bundle("both", Order.id, Customer.id)).join(Customer),
        ["id", "id_1"],
    ),
}


@pytest.mark.parametrize("rows", [0, 2])
@pytest.mark.parametrize("kind", BUNDLES)
def test_bundles_have_columns_by_themselves(engine: Any, kind: str, rows: int) -> None:
    make, names = BUNDLES[kind]
    statement = make().order_by(Order.id).limit(rows)
    made = document(source.rows(engine, statement))
    assert (made[0], len(made)) == (names, rows + 1)
    assert all(len(row) == len(names) for row in made)
    with Session(engine) as session:
        assert document(session.execute(statement)) == made
        assert document(session.execute(statement, execution_options={"yield_per": 1})) == made


def test_a_query_of_a_bundle_has_its_columns(engine: Any) -> None:
    with Session(engine) as session:
        query: Any = session.query(Bundle("place", Order.id, Order.zone)).order_by(Order.id)
        assert document(query.limit(1)) == [["id", "zone"], ["1", "EU"]]
        assert document(query.limit(0)) == [["id", "zone"]]


def test_columns_of_bundles_may_be_chosen(engine: Any) -> None:
    statement = BUNDLES["two"][0]()
    for rows in (0, 2):
        made = document(source.rows(engine, statement.limit(rows)), columns=["sum.amount"])
        assert (made[0], len(made)) == (["sum.amount"], rows + 1)


async def test_bundles_have_columns_beside_an_event_loop(path: Path) -> None:
    statement: Any = select(Bundle("place", Order.id, Order.zone)).order_by(Order.id)
    async with connected(path) as async_engine, AsyncSession(async_engine) as session:
        for limit, expected in ((1, [["id", "zone"], ["1", "EU"]]), (0, [["id", "zone"]])):
            limited = statement.limit(limit)
            assert await adocument(source.rows(async_engine, limited)) == expected
            assert await adocument(session.stream(limited)) == expected


def test_lists_of_rows_are_an_error_that_says_what_to_pass(engine: Any) -> None:
    message = r"row 1 is a list of rows: pass .*in place of its partitions\(\)"
    with Session(engine) as session:
        for make in (
            lambda: session.execute(OBJECTS).partitions(10),
            lambda: session.scalars(OBJECTS).partitions(10),
            lambda: session.execute(NAMES).partitions(10),
        ):
            for columns in (None, ["id", "zone"]):
                with pytest.raises(sw.EncodeError, match=message):
                    document(make(), columns=columns)
        counted = [sw.Column(len, "Orders")]
        counts = document(session.scalars(OBJECTS.limit(2)).partitions(2), columns=counted)
        assert counts == [["Orders"], ["2"]]


def test_a_result_with_an_object_among_others_is_an_error_that_tells_the_way(engine: Any) -> None:
    with Session(engine) as session:
        result = session.execute(select(Order, Customer).join(Customer))
        with pytest.raises(sw.EncodeError, match=r"row 1 holds an Order .*select the columns"):
            document(result)


def test_a_statement_is_no_rows_and_the_message_says_what_is() -> None:
    for statement in (NAMES, text("select 1")):
        with pytest.raises(TypeError, match=r"not a statement .*sqlalchemy\.rows\(engine"):
            sw.Export(statement)  # type: ignore[arg-type]  # that is the point


def test_a_result_that_is_in_memory_is_told_once(
    engine: Any, caplog: pytest.LogCaptureFixture
) -> None:
    source._warn_once.cache_clear()
    with Session(engine) as session, engine.connect() as connection:
        document(connection.execute(NAMES))  # SQLite makes a row when it is asked for one
        document(session.execute(OBJECTS, execution_options={"yield_per": 10}))
        assert not caplog.records
        for _ in range(2):
            document(session.execute(OBJECTS))
    assert ["yield_per" in record.message for record in caplog.records] == [True]


@pytest.mark.parametrize(
    "read",
    [
        lambda session: session.scalars(OBJECTS),
        lambda session: session.execute(OBJECTS, execution_options={"stream_results": True}),
        lambda session: session.execute(NAMES).mappings(),
        lambda session: lambda: session.scalars(OBJECTS),
    ],
    ids=["scalars", "stream_results of objects", "mappings", "callable"],
)
def test_every_kind_of_result_that_is_in_memory_is_told(
    engine: Any, read: Callable[[Any], Any], caplog: pytest.LogCaptureFixture
) -> None:
    source._warn_once.cache_clear()
    with Session(engine) as session:
        document(read(session), columns=["id"])
        assert ["yield_per" in record.message for record in caplog.records] == [True]
        source._warn_once.cache_clear()
        document(session.scalars(OBJECTS, execution_options={"yield_per": 10}), columns=["id"])
    assert len(caplog.records) == 1


async def test_an_asynchronous_stream_of_objects_is_in_memory_too(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source._warn_once.cache_clear()
    async with connected(path) as async_engine, AsyncSession(async_engine) as session:
        streamed = await session.stream_scalars(OBJECTS, execution_options={"yield_per": 10})
        assert len(await adocument(streamed, columns=["id"])) == 3
        assert not caplog.records
        assert len(await adocument(await session.stream_scalars(OBJECTS), columns=["id"])) == 3
    assert ["yield_per" in record.message for record in caplog.records] == [True]


@pytest.mark.slow
def test_the_objects_of_a_batch_are_all_that_is_held(engine: Any) -> None:
    def peak(rows: Any) -> int:
        gc.collect()
        tracemalloc.reset_peak()
        base = tracemalloc.get_traced_memory()[0]
        for _ in sw.encode(rows, columns=["id", "customer.name"]):
            pass
        return tracemalloc.get_traced_memory()[1] - base

    statement = select(Order).options(selectinload(Order.customer))
    tracemalloc.start()
    try:
        peak(source.rows(engine, statement))
        with Session(engine) as session:
            whole = peak(lambda: session.scalars(statement).all())
        assert peak(source.rows(engine, statement, batch=100)) < whole / 2
    finally:
        tracemalloc.stop()


def test_flask_sqlalchemy_s_session_finds_the_database_of_each_class(tmp_path: Path) -> None:
    flask = pytest.importorskip("flask", reason="skipped: needs Flask")
    flask_sqlalchemy = pytest.importorskip("flask_sqlalchemy", reason="skipped: needs it")
    app = flask.Flask("orders")
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path}/main.db"
    app.config["SQLALCHEMY_BINDS"] = {"archive": f"sqlite:///{tmp_path}/archive.db"}
    db = flask_sqlalchemy.SQLAlchemy(app)

    class Now(db.Model):  # type: ignore[name-defined, misc]  # a class that is made here
        id = db.Column(db.Integer, primary_key=True)

    class Then(db.Model):  # type: ignore[name-defined, misc]  # the same
        __bind_key__ = "archive"
        id = db.Column(db.Integer, primary_key=True)

    with app.app_context():
        db.create_all()
        db.session.add_all([Now(id=1), Then(id=2), Then(id=3)])
        db.session.commit()
        for statement, ids in ((select(Now), ["1"]), (select(Then.id), ["2", "3"])):
            assert document(source.rows(db.session, statement)) == [["id"], *([n] for n in ids)]
        assert document(Then.query) == [["id"], ["2"], ["3"]]
        db.session.remove()
        for engine in db.engines.values():
            engine.dispose()
    gc.collect()


def test_a_session_of_another_thread_is_read_where_the_driver_lets_it(engine: Any) -> None:
    memory = create_engine("sqlite://")
    with Session(memory) as session, Session(engine) as other:
        session.execute(text("create table t as select 1 as a"))
        other.execute(text("select 1"))

        async def read(rows: Any) -> list[list[str]]:
            return await adocument(rows)

        assert len(asyncio.run(read(source.rows(other, NAMES)))) == 4
        with pytest.raises(sw.StateError, match="another thread"):
            asyncio.run(read(source.rows(session, "select a from t")))
    memory.dispose()
