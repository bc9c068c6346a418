"""sqladmin whose Export is a streamed workbook or CSV of all that its list has found.

Start it: uvicorn examples.sqladmin_app:app
Then open http://127.0.0.1:8000/admin (admin, admin).  Needs sqladmin[auth], sqlalchemy[aiosqlite].
"""

from contextlib import asynccontextmanager
from tempfile import TemporaryDirectory

from sqladmin import Admin, ModelView
from sqladmin.authentication import AuthenticationBackend
from sqladmin.filters import OperationColumnFilter
from sqlalchemy import ForeignKey, insert, tuple_
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload
from starlette.applications import Starlette

import streamware as sw
from streamware.frameworks.starlette import ExportResponse
from streamware.sources import sqlalchemy


def text(value):  # of related objects
    return ", ".join(map(str, value)) if isinstance(value, (list, set)) else value


class ExportView(ModelView):
    """Exports what the list shows: its filters, search and order, but all of its pages."""

    export_types = ["xlsx", "csv"]

    async def list_context(self, request):
        def url_for(name, **path):  # the links of the list to its exports keep what it is asked for
            url = request.url_for(name, **path)
            return url.replace(query=request.url.query) if name == "admin:export" else url

        return {"url_for": url_for}

    async def get_model_objects(self, request, limit=0):
        query = self.list_query(request)
        for each in self.get_filters():
            value = request.query_params.get(each.parameter_name)
            if getattr(each, "has_operator", False):
                operation = request.query_params.get(f"{each.parameter_name}_op")
                query = await each.get_filtered_query(query, operation, value, self.model)
            elif value or (value is None and hasattr(each, "default_value")):
                query = await each.get_filtered_query(query, value, self.model)
        if term := request.query_params.get("search"):
            found = self.search_query(query, term).with_only_columns(*self.pk_columns)
            query = query.where(tuple_(*self.pk_columns).in_(found))  # once, if a join has it twice
        paths = {name.partition(".")[0] for name in self.get_export_columns()}
        related = [each for each in self.model.__mapper__.relationships if each.key in paths]
        query = query.options(*(selectinload(each.class_attribute) for each in related))
        query = self.sort_query(query, request).limit(limit or None)
        return sqlalchemy.rows(self.session_maker, query)

    async def export_data(self, data, export_type="csv", request=None):
        columns = [
            sw.Column(name, self._column_labels.get(name, name), convert=text)
            for name in self.get_export_columns()
        ]
        filename = self.get_export_name(export_type).removesuffix(f".{export_type}")
        texts = sw.Values(other="str")
        return ExportResponse(
            data, columns=columns, filename=filename, format=export_type, values=texts
        )


folder = TemporaryDirectory()
engine = create_async_engine(f"sqlite+aiosqlite:///{folder.name}/orders.db")


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]

    def __str__(self):
        return self.name


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


class Login(AuthenticationBackend):
    async def login(self, request):
        form = await request.form()
        known = (form["username"], form["password"]) == ("admin", "admin")
        request.session.update({"user_id": "admin"} if known else {})
        return known

    async def logout(self, request):
        request.session.clear()
        return True

    async def authenticate(self, request):
        return "user_id" in request.session


class OrderView(ExportView, model=Order):
    column_list = ["id", "customer", "total"]
    column_labels = {"id": "No."}
    column_searchable_list = ["customer.name"]
    column_sortable_list = ["id", "total"]
    column_filters = [OperationColumnFilter(Order.total)]


app = Starlette(lifespan=lifespan)
Admin(app, engine, authentication_backend=Login("change me")).add_view(OrderView)
