"""Orders with a customer and labels."""

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
