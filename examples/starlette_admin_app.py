"""starlette-admin whose Export is a streamed workbook or CSV of all that its list has found.

Start it: uvicorn examples.starlette_admin_app:app
Then open http://127.0.0.1:8000/admin (admin, admin).  Needs starlette-admin, sqlalchemy[aiosqlite].
"""

from contextlib import asynccontextmanager
from functools import partial
from tempfile import TemporaryDirectory

from sqlalchemy import ForeignKey, insert
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload
from starlette.applications import Starlette
from starlette.datastructures import QueryParams
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette_admin import FloatField, RequestAction
from starlette_admin.auth import AdminUser, AuthProvider
from starlette_admin.contrib.sqla import Admin, ModelView
from starlette_admin.exceptions import ActionFailed, LoginFailed
from starlette_admin.export import BaseExporter, ExportConfig

import streamware as sw
from streamware.frameworks.starlette import ExportResponse
from streamware.sources import sqlalchemy


class Streamed(BaseExporter):
    """A format in the dialog of starlette-admin."""

    def __init__(self, extension):
        self.extension = extension

    async def generate(self, fields, rows):
        raise NotImplementedError("`ExportView.export_action` sends the rows")


class ExportView(ModelView):
    """Exports what the list shows by the dialog of starlette-admin."""

    exporters = (Streamed("xlsx"), Streamed("csv"))

    async def export_action(self, request, selection):
        request.state.action = RequestAction.EXPORT
        form = await request.form()
        if form.get("format") not in [each.extension for each in self.exporters]:
            raise ActionFailed("This list has no such format")
        asked = QueryParams(request.query_params.get("_list_query", "").lstrip("?"))
        listed, scope = self._parse_list_params(request, asked), form.get("scope", "page")
        if scope == "page" or not selection.is_select_all:  # a page at most
            given = (request, selection, scope, listed, ExportConfig())
            rows = await self._export_resolve_items(*given)
        else:  # all pages, read as they are sent
            query = self.build_order_clauses(request, listed.sorts, self.get_list_query(request))
            query = await self._apply_search_and_filters(request, query, listed.q, listed.filters)
            related = [each.class_attribute for each in self.model.__mapper__.relationships]
            rows = sqlalchemy.rows(engine, query.options(*map(selectinload, related)))
        fields = self.get_fields_list(request)
        fields = [each for each in fields if each.name in form.getlist("fields")] or fields
        keys = [(each.getter and partial(each.getter, request)) or each.name for each in fields]
        columns = [
            sw.Column(key, str(each.label), convert=partial(text, request))
            for key, each in zip(keys, fields, strict=True)
        ]
        filename = form.get("filename") or self.key
        return ExportResponse(rows, columns=columns, filename=filename, format=form["format"])

    export_action._action = ModelView.export_action._action  # the button and its dialog


def text(request, value):
    """Return a related object as starlette-admin shows it; other values as they are."""
    if isinstance(value, (list, set)):
        return ", ".join(str(text(request, each)) for each in value)
    return value.__admin_repr__(request) if hasattr(value, "__admin_repr__") else value


folder = TemporaryDirectory()
engine = create_async_engine(f"sqlite+aiosqlite:///{folder.name}/orders.db")


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]

    def __admin_repr__(self, request):
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


class Login(AuthProvider):
    async def login(self, username, password, remember_me, request):
        if (username, password) != ("admin", "admin"):
            raise LoginFailed("Invalid username or password")
        request.session["user"] = username

    async def authenticate(self, request):
        user = request.session.get("user")
        return user and AdminUser(user)

    async def logout(self, request):
        request.session.clear()


class CustomerView(ModelView):
    fields = ["id", "name"]


class OrderView(ExportView):
    fields = ["id", "customer", FloatField("total")]

    def get_search_query(self, request, term):
        return Order.customer.has(Customer.name.contains(term))


app = Starlette(lifespan=lifespan)
sessions = Middleware(SessionMiddleware, secret_key="change me")
admin = Admin(engine, auth_provider=Login(), middlewares=[sessions], secret_key="change me")
admin.add_view(CustomerView(Customer))
admin.add_view(OrderView(Order))
admin.mount_to(app)
