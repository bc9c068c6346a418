"""What to do about a value that an object cannot load; `sources/test_eager.py` has real ones."""

from types import SimpleNamespace
from typing import Any

import pytest

from streamware.rows.unloaded import remedy


class DetachedInstanceError(Exception):
    """As SQLAlchemy's."""


class MissingGreenlet(Exception):
    """As SQLAlchemy's."""


class StatementError(Exception):
    """As SQLAlchemy's, which keeps what caused it."""

    def __init__(self, orig: Exception) -> None:
        super().__init__("it has failed")
        self.orig = orig


class Order:
    """As a mapped class."""

    __mapper__ = SimpleNamespace(
        column_attrs={"id": 1, "terms": 2}, attrs={"id": 1, "terms": 2, "customer": 3}
    )

    def __init__(self, *, expired: bool = False, **loaded: object) -> None:
        self._sa_instance_state = SimpleNamespace(expired=expired)
        self.__dict__.update(loaded)


@pytest.mark.parametrize(
    ("error", "row", "key", "said"),
    [
        (DetachedInstanceError(""), Order(), "customer.name", "selectinload(Order.customer)"),
        (MissingGreenlet(""), Order(), "customer.name", "selectinload(Order.customer)"),
        (StatementError(MissingGreenlet()), Order(), "customer", "selectinload(Order.customer)"),
        (
            Exception("'Order.customer' … lazy='raise'"),
            Order(),
            len,
            "selectinload(Order.customer)",
        ),
        (
            DetachedInstanceError("of attribute 'customer'"),
            1,
            "first",
            "customer of int",
        ),
        (DetachedInstanceError(""), Order(), "terms", "undefer(Order.terms)"),
        (DetachedInstanceError(""), Order(expired=True), "id", "expire_on_commit=False"),
        (
            DetachedInstanceError(""),
            SimpleNamespace(order=Order()),
            "order.id",
            "a related value of SimpleNamespace",
        ),
    ],
)
def test_the_remedy_names_what_was_not_loaded(
    error: Exception, row: Any, key: object, said: str
) -> None:
    assert said in (remedy(error, row, key) or "")


def test_what_a_property_needs_is_the_only_relationship_that_is_not_loaded() -> None:
    class Related(Order):
        __mapper__ = SimpleNamespace(
            column_attrs={},
            attrs={},
            relationships=[SimpleNamespace(key="customer"), SimpleNamespace(key="lines")],
        )

    def said(row: Any) -> str:
        return remedy(MissingGreenlet(""), row, "label") or ""

    assert "selectinload(Related.customer)" in said(Related(lines=[]))
    assert "a related value of Related" in said(Related())
    assert "selectinload(…)" in said(Related())


@pytest.mark.parametrize(
    "error", [ValueError("attribute 'x'"), StatementError(ValueError()), KeyError("lazy")]
)
def test_other_errors_have_none(error: Exception) -> None:
    assert remedy(error, Order(), "customer.name") is None
