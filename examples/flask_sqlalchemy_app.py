"""A query of Flask-SQLAlchemy, objects with a related one, as a download.

Start it: flask --app examples/flask_sqlalchemy_app.py run
Then open http://127.0.0.1:5000/orders, or /orders?format=csv.  Needs flask-sqlalchemy.
"""

from tempfile import TemporaryDirectory

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import ForeignKey, insert, select
from sqlalchemy.orm import Mapped, mapped_column, relationship

from streamware.frameworks.flask import ExportResponse
from streamware.sources import sqlalchemy

folder, app = TemporaryDirectory(), Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{folder.name}/orders.db"
db = SQLAlchemy(app)


class Customer(db.Model):
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


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


@app.get("/orders")
def export_orders():
    rows = sqlalchemy.rows(db.session, select(Order))  # in a session of its own, to the last row
    columns = ["id", "customer.name", "total"]  # customers are loaded with their orders
    return ExportResponse(rows, columns=columns, filename="orders")
