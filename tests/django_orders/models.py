"""Orders with a customer and labels, some of them with an invoice."""

from typing import Any

from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.utils.translation import gettext_lazy


class Customer(models.Model):  # type: ignore[misc]  # Django has no types
    name = models.CharField(gettext_lazy("Name"), max_length=50)

    def __str__(self) -> str:
        return f"Customer {self.name}"


class Label(models.Model):  # type: ignore[misc]
    name = models.CharField(max_length=50)

    def __str__(self) -> str:
        return str(self.name)


class Order(models.Model):  # type: ignore[misc]
    number = models.CharField("order number", max_length=50)
    status = models.CharField(max_length=1, choices=[("o", gettext_lazy("Yes")), ("p", "Paid")])
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, null=True)
    labels = models.ManyToManyField(Label)

    def shout(self) -> str:
        return f"{self.number}!"

    shout.short_description = "as shouted"  # type: ignore[attr-defined]

    @property
    def half(self) -> float:
        return float(self.id) / 2


class Money:
    """What the field of some other package gives."""

    def __init__(self, amount: int) -> None:
        self.amount = amount

    def __str__(self) -> str:
        return f"EUR {self.amount}"


class MoneyField(models.IntegerField):  # type: ignore[misc]
    def from_db_value(self, value: Any, *_: Any) -> Money:
        return Money(value)


class Invoice(models.Model):  # type: ignore[misc]
    order = models.OneToOneField(Order, on_delete=models.CASCADE)
    scan = models.FileField(blank=True)
    amount = MoneyField()
    kind = models.ForeignKey(ContentType, on_delete=models.CASCADE, null=True)
    about_id = models.PositiveBigIntegerField(null=True)
    about = GenericForeignKey("kind", "about_id")


class Job(models.Model):  # type: ignore[misc]
    name = models.CharField(max_length=50)
    state = models.CharField(max_length=1, choices=[("o", gettext_lazy("Yes")), ("p", "Paid")])
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, null=True)
    placed_at = models.DateTimeField("placed", null=True)
    day = models.DateField(null=True)
    total = models.DecimalField(max_digits=9, decimal_places=2)
    urgent = models.BooleanField(null=True)

    class Meta:
        verbose_name = "Auftrag"
        verbose_name_plural = "Aufträge"

    def __str__(self) -> str:
        return f"Auftrag {self.name}"

    @property
    def half(self) -> Any:
        return self.total / 2


class UrgentJob(Job):
    class Meta:
        proxy = True
        verbose_name_plural = "urgent jobs"
