"""An async session of SQLAlchemy, a dependency of a FastAPI view: its objects as a download.

Start it: uvicorn examples.fastapi_sqlalchemy_app:app
Then open http://127.0.0.1:8000/orders, or /orders?format=csv.  Needs sqlalchemy[aiosqlite].
"""

from contextlib import asynccontextmanager
from tempfile import TemporaryDirectory
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlalchemy import ForeignKey, insert, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from streamware.frameworks.fastapi import ExportResponse
from streamware.sources import sqlalchemy

folder = TemporaryDirectory()
engine = create_async_engine(f"sqlite+aiosqlite:///{folder.name}/orders.db")
new_session = async_sessionmaker(engine)


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id))
    customer: Mapped[Customer] = relationship()
    total: Mapped[float]


@asynccontextmanager
async def lifespan(app):
    customers = [{"id": n, "name": f"Müller & Söhne {n}"} for n in range(1, 10_001)]
    orders = [{"id": n, "customer_id": n, "total": n / 8} for n in range(1, 10_001)]
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
        await connection.execute(insert(Customer), customers)
        await connection.execute(insert(Order), orders)
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


async def get_session():
    async with new_session() as session:
        yield session


@app.get("/orders", response_class=ExportResponse)
async def export_orders(session: Annotated[AsyncSession, Depends(get_session)]):
    rows = sqlalchemy.rows(session, select(Order))  # in a transaction that ends with the last row
    columns = ["id", "customer.name", "total"]  # customers are loaded with their orders
    return ExportResponse(rows, columns=columns, filename="orders")
