"""Objects of SQLAlchemy: what their chosen columns load, and what says how to load the rest."""

import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import streamware as sw
from readers import csv_rows

sqlalchemy = pytest.importorskip("sqlalchemy", reason="skipped: needs SQLAlchemy")
pytest.importorskip("greenlet", reason="skipped: needs greenlet")

from sqlalchemy import ForeignKey, create_engine, event, func, select, text  # noqa: E402
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine  # noqa: E402
from sqlalchemy.ext.hybrid import hybrid_property  # noqa: E402
from sqlalchemy.orm import (  # noqa: E402
    DeclarativeBase,
    Mapped,
    Session,
    aliased,
    column_property,
    composite,
    contains_eager,
    joinedload,
    lazyload,
    load_only,
    mapped_column,
    raiseload,
    relationship,
    selectinload,
    sessionmaker,
    undefer,
    with_polymorphic,
)
from sqlalchemy.pool import StaticPool  # noqa: E402

from streamware.sources import sqlalchemy as source  # noqa: E402


class Base(DeclarativeBase):
    """The mapped classes."""


class Point:
    """A value of two columns."""

    def __init__(self, x: int, y: int) -> None:
        self.x, self.y = x, y

    def __composite_values__(self) -> tuple[int, int]:
        return self.x, self.y


class Region(Base):
    __tablename__ = "regions"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Customer(Base):
    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    notes: Mapped[str] = mapped_column(deferred=True)
    region_id: Mapped[int] = mapped_column(ForeignKey("regions.id"))
    region: Mapped[Region] = relationship()


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    terms: Mapped[str] = mapped_column(deferred=True)
    x: Mapped[int] = mapped_column()
    y: Mapped[int]
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customers.id"))
    customer: Mapped[Customer | None] = relationship()
    lines: Mapped[list["Line"]] = relationship(order_by="Line.id")
    point: Mapped[Point] = composite("x", "y")
    double: Mapped[int] = column_property(x * 2)
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "order"}  # noqa: RUF012

    @hybrid_property
    def name(self) -> str:
        return f"No. {self.id}"

    @property
    def first(self) -> str:
        return self.customer.name if self.customer else ""


class Rush(Order):
    __tablename__ = "rushes"
    id: Mapped[int] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    hours: Mapped[int]
    __mapper_args__ = {"polymorphic_identity": "rush"}  # noqa: RUF012


class Line(Base):
    __tablename__ = "lines"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("objects") / "orders.db"
    engine = create_engine(f"sqlite:///{made}")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        regions = [Region(id=n, name=f"R{n}") for n in range(5)]
        customers = [
            Customer(id=n, name=f"C{n}", notes=f"n{n}", region=regions[n % 5]) for n in range(50)
        ]
        session.add_all(customers)
        for n in range(1, 51):
            of = None if n == 3 else customers[n - 1]
            order = Order(id=n, terms=f"t{n}", x=n, y=-n, customer=of)
            order.lines = [Line(), Line()]
            session.add(order)
        session.add(Rush(id=51, terms="soon", x=1, y=2, hours=3, customer=customers[0]))
        session.commit()
    engine.dispose()
    return made


@pytest.fixture
def engine(path: Path) -> Iterator[Any]:
    made = create_engine(f"sqlite:///{path}")
    made.statements = []  # type: ignore[attr-defined]  # for the tests
    event.listen(made, "before_cursor_execute", lambda *args: made.statements.append(args[2]))  # type: ignore[attr-defined]
    yield made
    made.dispose()
    gc.collect()


def document(rows: Any, **options: Any) -> list[list[str]]:
    return csv_rows(b"".join(sw.encode(rows, **options)))


async def adocument(rows: Any, **options: Any) -> list[list[str]]:
    async with sw.aencode(rows, **options) as encoding:
        return csv_rows(b"".join([chunk async for chunk in encoding]))


PLAIN = select(Order).where(Order.id < 51).order_by(Order.id)


@pytest.mark.parametrize(
    ("column", "cell", "statements"),
    [
        ("customer.name", "C0", 1),
        ("customer.region.name", "R0", 1),
        ("customer.notes", "n0", 1),  # deferred
        ("terms", "t1", 1),
        ("id", "1", 1),
        ("point.x", "1", 1),
        ("double", "2", 1),
        ("name", "No. 1", 1),
        (sw.Column("customer", convert=lambda customer: customer and customer.name), "C0", 1),
        (sw.Column("lines", convert=len), "2", 2),
    ],
)
def test_what_a_column_needs_is_loaded_with_the_objects(
    engine: Any, column: Any, cell: str, statements: int
) -> None:
    _, *rows = document(source.rows(engine, PLAIN), columns=["id", column])
    assert rows[0][-1] == cell
    assert len(rows) == 50
    assert len(engine.statements) == statements


async def test_it_is_beside_an_event_loop_too(path: Path) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    rows = source.rows(engine, PLAIN)
    columns = ["customer.region.name", "customer.notes", "terms"]
    assert (await adocument(rows, columns=columns))[1] == ["R0", "n0", "t1"]
    await engine.dispose()


def test_only_what_the_columns_need_is_loaded(engine: Any) -> None:
    document(source.rows(engine, PLAIN), columns=["id"])
    document(source.rows(engine, PLAIN))
    assert not any("JOIN" in statement for statement in engine.statements)


def test_no_statement_is_joined_that_a_join_would_change(engine: Any) -> None:
    for statement in (PLAIN.group_by(Order.id), PLAIN.distinct(), PLAIN.with_for_update()):
        document(source.rows(engine, statement), columns=["customer.name"])
    first = engine.statements[::2]
    assert len(first) == 3
    assert not any("JOIN" in statement for statement in first)


@pytest.mark.parametrize(
    "statement",
    [
        PLAIN.options(selectinload(Order.customer).load_only(Customer.name)),
        PLAIN.options(joinedload(Order.customer)),
        PLAIN.options(joinedload(Order.customer).options(undefer(Customer.notes))),
        PLAIN.outerjoin(Order.customer).options(contains_eager(Order.customer)),
        PLAIN.options(lazyload(Order.customer)),
        PLAIN.options(load_only(Order.id), undefer(Order.terms)),
        PLAIN.join(Order.lines).where(Line.id % 2 == 0),
        select(Order).from_statement(text("select * from orders where id < 51 order by id")),
        PLAIN.limit(60).offset(0),
    ],
)
def test_what_a_statement_says_of_loading_stays_as_it_is(engine: Any, statement: Any) -> None:
    rows = document(source.rows(engine, statement), columns=["id", "customer.name"])
    assert rows[1:4] == [["1", "C0"], ["2", "C1"], ["3", ""]]
    assert len(rows) == 51


def test_an_alias_is_loaded_with_what_its_columns_need(engine: Any) -> None:
    other = aliased(Order)
    statement = select(other).where(other.id < 3).order_by(other.id)
    columns = ["customer.name", "customer.region.name", "terms"]
    assert document(source.rows(engine, statement), columns=columns)[1] == ["C0", "R0", "t1"]
    assert len(engine.statements) == 1


def test_a_query_is_loaded_with_what_its_columns_need(engine: Any) -> None:
    with Session(engine) as session:
        rows = session.query(Order).filter(Order.id < 10)
        assert len(document(rows, columns=["customer.name"])) == 10
    assert len(engine.statements) == 1


def test_subclasses_come_with_the_columns_of_the_class_that_is_selected(engine: Any) -> None:
    statement = select(Order).where(Order.id > 49).order_by(Order.id)
    header, *rows = document(source.rows(engine, statement))
    assert sorted(header) == ["customer_id", "double", "id", "kind", "x", "y"]
    assert [row[header.index("kind")] for row in rows] == ["order", "rush"]
    columns = ["id", "hours", "customer.name"]
    every = with_polymorphic(Order, [Rush])
    statement = select(every).where(every.id == 51)
    assert document(source.rows(engine, statement), columns=columns)[1] == ["51", "3", "C0"]
    assert document(source.rows(engine, select(Rush)), columns=columns)[1] == ["51", "3", "C0"]


def test_selected_columns_of_several_classes_have_their_names(engine: Any) -> None:
    other = aliased(Order)
    statement = (
        select(Order.id, other.x.label("half"), func.count().over(), Order.double)
        .join(other, other.id == Order.id)
        .where(Order.id == text(":most"))
    )
    assert document(source.rows(engine, statement, {"most": 4}))[0][:2] == ["id", "half"]


# What cannot be loaded ------------------------------------------------------------------------


def detached(engine: Any, *options: Any, commit: bool = False, **kept: Any) -> list[Any]:
    """Objects whose session is closed."""
    with sessionmaker(engine, **kept)() as session:
        rows = list(session.scalars(PLAIN.options(*options)))
        if commit:
            session.commit()
    return rows


UNLOADED: dict[str, tuple[Callable[[Any], Any], Any, str]] = {
    "a relationship": (
        detached,
        "customer.name",
        r"row 1, column customer.name: customer of Order .*selectinload\(Order.customer\)",
    ),
    "a relationship behind another": (
        lambda engine: detached(engine, joinedload(Order.customer)),
        "customer.region.name",
        r"row 1, column customer.region.name: region of Customer .*selectinload\(Customer.region\)",
    ),
    "a deferred column": (detached, "terms", r"row 1, column terms: .*undefer\(Order.terms\)"),
    "expired values": (
        lambda engine: detached(engine, commit=True),
        "x",
        r"row 1, column x: x of Order expired .*expire_on_commit=False",
    ),
    "a relationship that must not load": (
        lambda engine: source.rows(engine, PLAIN.options(raiseload(Order.customer))),
        "customer.name",
        r"row 1, column customer.name: .*selectinload\(Order.customer\)",
    ),
    "a relationship that code reads": (
        detached,
        sw.Column(lambda order: order.customer.name, "Name"),
        r"row 1, column Name: customer of Order .*selectinload\(Order.customer\)",
    ),
    "a relationship that a property reads": (
        detached,
        "first",
        r"row 1, column first: customer of Order .*selectinload\(Order.customer\)",
    ),
}


@pytest.mark.parametrize("kind", UNLOADED)
def test_a_value_that_cannot_be_loaded_is_an_error_that_says_how_to(engine: Any, kind: str) -> None:
    make, column, message = UNLOADED[kind]
    with pytest.raises(sw.EncodeError, match=message) as caught:
        document(make(engine), columns=[column])
    assert type(caught.value.__cause__).__module__.startswith("sqlalchemy.")


def test_expired_objects_are_loaded_again_while_they_have_a_session(engine: Any) -> None:
    with Session(engine) as session:
        rows = list(session.scalars(PLAIN.limit(2)))
        session.commit()
        assert document(rows)[1] == document(source.rows(engine, PLAIN.limit(2)))[1]


def test_values_that_expired_are_columns_all_the_same(engine: Any) -> None:
    with pytest.raises(sw.EncodeError, match=r"of Order expired .*sqlalchemy\.rows\(engine"):
        document(detached(engine, commit=True))
    assert len(document(detached(engine, commit=True, expire_on_commit=False))) == 51


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.parametrize(
    ("expires", "column", "message"),
    [
        (False, "customer.name", r"row 1, column customer.name: .*selectinload\(Order.customer\)"),
        (False, "terms", r"row 1, column terms: .*undefer\(Order.terms\)"),
        (True, "id", r"row 1, column id: .*expire_on_commit=False"),
    ],
)
async def test_beside_an_event_loop_nothing_is_loaded_later(
    path: Path, column: str, message: str, *, expires: bool
) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    async with AsyncSession(engine) as session:
        rows = list(await session.scalars(PLAIN))
        if expires:
            await session.commit()
        with pytest.raises(sw.EncodeError, match=message):
            await adocument(rows, columns=[column])
    await engine.dispose()
    gc.collect()  # SQLAlchemy leaves a coroutine behind


# Sessions and connections that are not open -----------------------------------------------------


def closed_session(engine: Any) -> Any:
    session = Session(engine, close_resets_only=False)
    session.close()
    return session


def closed_connection(engine: Any) -> Any:
    connection = engine.connect()
    connection.close()
    return connection


@pytest.mark.parametrize("make", [closed_session, closed_connection])
def test_a_closed_session_or_connection_is_an_error_that_says_what_to_pass(
    engine: Any, make: Callable[[Any], Any]
) -> None:
    with pytest.raises(sw.StateError, match="closed: pass the engine or a sessionmaker"):
        document(source.rows(make(engine), PLAIN))


def test_an_asynchronous_driver_on_an_ordinary_engine_is_an_error_that_says_so(path: Path) -> None:
    engine = create_engine(f"sqlite+aiosqlite:///{path}")
    with pytest.raises(sw.StateError, match="create_async_engine"):
        document(source.rows(engine, PLAIN))
    engine.dispose()


# Collections that the mapping joins -------------------------------------------------------------


class Shop(Base):
    __tablename__ = "shops"
    id: Mapped[int] = mapped_column(primary_key=True)
    sales: Mapped[list["Sale"]] = relationship(lazy="joined", order_by="Sale.id")
    visits: Mapped[list["Visit"]] = relationship(lazy="subquery")


class Sale(Base):
    __tablename__ = "sales"
    id: Mapped[int] = mapped_column(primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))


class Guest(Base):
    __tablename__ = "guests"
    id: Mapped[int] = mapped_column(primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))
    shop: Mapped[Shop] = relationship(lazy="joined")


class Visit(Base):
    __tablename__ = "visits"
    id: Mapped[int] = mapped_column(primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))


@pytest.mark.parametrize("batch", [1, 1000])
def test_collections_that_a_mapping_joins_are_selected_a_batch_at_a_time(batch: int) -> None:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        for n in (1, 2, 3):
            shop = Shop(id=n, sales=[Sale() for _ in range(n)], visits=[Visit()])
            session.add(Guest(id=n, shop=shop))
        session.commit()
    counts = [
        sw.Column("id"),
        sw.Column("sales", convert=len),
        sw.Column("visits", convert=len),
    ]
    of_shops = source.rows(engine, select(Shop).order_by(Shop.id), batch=batch)
    assert document(of_shops, columns=counts)[1:] == [
        ["1", "1", "1"],
        ["2", "2", "1"],
        ["3", "3", "1"],
    ]
    of_guests = source.rows(engine, select(Guest).order_by(Guest.id), batch=batch)
    of_shop = [sw.Column("id"), sw.Column(lambda guest: len(guest.shop.sales), "Sales")]
    assert document(of_guests, columns=of_shop)[1:] == [["1", "1"], ["2", "2"], ["3", "3"]]
    with Session(engine) as session:
        assert len(document(session.query(aliased(Shop)), columns=counts)) == 4
    engine.dispose()
