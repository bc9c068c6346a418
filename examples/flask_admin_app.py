"""Flask-Admin whose Export is a streamed workbook or CSV of all that its list has found.

Start it: flask --app examples/flask_admin_app.py run
Then open http://127.0.0.1:5000/admin/order/ (admin, admin).  Needs flask-admin[sqlalchemy].
"""

from functools import partial
from tempfile import TemporaryDirectory

from flask import Flask, Response, abort, request
from flask_admin import Admin, expose
from flask_admin.contrib.sqla import ModelView
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import ForeignKey, insert
from sqlalchemy.orm import Mapped, mapped_column, relationship, selectinload

import streamware as sw
from streamware.frameworks.flask import ExportResponse


class ExportView(ModelView):
    """Exports what the list shows: its filters, search and order, but all of its pages."""

    can_export, export_types = True, ("xlsx", "csv")
    column_auto_select_related = False  # a join that cannot be streamed; `get_query` has another

    def get_query(self):
        columns = [*self.get_list_columns(), *self.get_export_columns()]
        paths = {name.partition(".")[0] for name, _ in columns}
        related = [each for each in self.model.__mapper__.relationships if each.key in paths]
        loads = [selectinload(each.class_attribute) for each in related]
        return super().get_query().options(*loads)

    @expose("/export/<export_type>/")
    def export(self, export_type):
        if not self.can_export or export_type not in self.export_types:
            abort(403)
        asked = self._get_list_extra_args()
        order, _ = self._get_column_by_idx(asked.sort) or (None, None)
        listed = (0, order, asked.sort_desc, asked.search, asked.filters)
        _, query = self.get_list(*listed, execute=False, page_size=self.export_max_rows)
        columns = [
            sw.Column(partial(self.get_export_value, name=name), str(title))
            for name, title in self.get_export_columns()
        ]
        filename = self.get_export_name(export_type).removesuffix(f".{export_type}")
        texts = sw.Values(other="str")  # of related objects
        return ExportResponse(
            query, columns=columns, filename=filename, format=export_type, values=texts
        )


folder, app = TemporaryDirectory(), Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{folder.name}/orders.db"
app.secret_key = "change me"
db = SQLAlchemy(app)


class Customer(db.Model):
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]

    def __str__(self):
        return self.name


class Order(db.Model):
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id))
    customer: Mapped[Customer] = relationship()
    total: Mapped[float]


with app.app_context():
    db.create_all()
    customers = [{"id": n, "name": f"Müller & Söhne {n}"} for n in range(1, 10_001)]
    orders = [{"id": n, "customer_id": n, "total": n / 8} for n in range(1, 10_001)]
    db.session.execute(insert(Customer), customers)
    db.session.execute(insert(Order), orders)
    db.session.commit()


class OrderView(ExportView):
    column_list = ("id", "customer", "total")
    column_labels = {"id": "No."}
    column_searchable_list = ("customer.name",)
    column_filters = ("total",)

    def is_accessible(self):
        user = request.authorization
        return user is not None and (user.username, user.password) == ("admin", "admin")

    def inaccessible_callback(self, name, **given):
        return Response("Who are you?", 401, {"WWW-Authenticate": "Basic"})


Admin(app, name="Shop").add_view(OrderView(Order, db))
