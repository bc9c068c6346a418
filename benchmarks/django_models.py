"""The tables of `databases` as models of Django, in a process that has no settings of its own."""

from __future__ import annotations

import django
from django.conf import settings

from benchmarks.databases import Databases

settings.configure(
    ALLOWED_HOSTS=["*"],
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "USER": "postgres"}},
)
django.setup()

from django.db import connection, models  # noqa: E402 - it wants the settings


def connect(where: Databases) -> None:
    """Use the PostgreSQL database with that number of orders from now on."""
    connection.close()
    connection.settings_dict |= {"HOST": str(where.folder), "NAME": where.name}


class Customer(models.Model):  # type: ignore[misc]  # Django has no types
    """Who orders."""

    name = models.CharField(max_length=50)

    class Meta:
        app_label = "benchmarks"
        db_table = "customers"

    def __str__(self) -> str:
        return str(self.name)


class Order(models.Model):  # type: ignore[misc]
    """An order of a customer."""

    number = models.CharField(max_length=20)
    placed = models.DateField()
    status = models.CharField(max_length=10)
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE)
    total = models.DecimalField(max_digits=12, decimal_places=2)
    note = models.CharField(max_length=100, null=True)

    class Meta:
        app_label = "benchmarks"
        db_table = "orders"


class Line(models.Model):  # type: ignore[misc]
    """An article of an order."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    article = models.CharField(max_length=20)
    quantity = models.IntegerField()

    class Meta:
        app_label = "benchmarks"
        db_table = "order_lines"
