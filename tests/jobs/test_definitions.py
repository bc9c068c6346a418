"""By which names and with which arguments exports are made."""

import datetime
import decimal
import math
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

import streamware as sw
from streamware.jobs.definitions import Definition, Definitions, check_arguments, owner

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text("abc", min_size=1), json_values, max_size=3))
@settings(max_examples=30)
def test_what_is_json_is_taken(arguments: dict[str, Any]) -> None:
    check_arguments(arguments)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (datetime.date(2026, 1, 2), "the argument x is no JSON: date"),
        (decimal.Decimal(1), "the argument x is no JSON: Decimal"),
        ((1, 2), "the argument x is no JSON: tuple"),
        ({1, 2}, "the argument x is no JSON: set"),
        (b"1", "the argument x is no JSON: bytes"),
        (object(), "the argument x is no JSON: object"),
        ({1: 2}, "a key in the argument x is no text: int"),
        ([1, [object()]], r"the argument x\[1\]\[0\] is no JSON: object"),
        (math.nan, "the argument x is nan, which JSON does not have"),
        ([math.inf], "is inf, which JSON does not have"),
        ("\ud800", "the argument x has a lone surrogate"),
        ({"\ud800": 1}, "a key in the argument x has a lone surrogate"),
        (1 << 20_000, "an integer of too many digits"),
        ("x" * 60_001, "take 60,0.. bytes, and 60,000 are allowed"),
    ],
    ids=range(14),
)
def test_what_is_no_json_is_refused(value: Any, said: str) -> None:
    with pytest.raises((TypeError, ValueError), match=said):
        check_arguments({"x": value})


def test_what_is_nested_without_end_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(ValueError, match="nested deeper than 50"):
        check_arguments({"x": endless})


def orders(*, region: str, by: str | None = None) -> sw.Export:
    return sw.Export([(region, by)], columns=["region", "by"])


@pytest.mark.parametrize("arguments", [{}, {"region": 1, "other": 2}, {"region": 1, "self": 2}])
def test_arguments_that_the_function_does_not_take_are_refused(arguments: Any) -> None:
    with pytest.raises(TypeError, match="the job 'orders' does not take the arguments"):
        Definition.of("orders", orders).check(arguments, None)


def test_the_owner_is_passed_to_a_function_that_takes_one() -> None:
    seen: list[Any] = []

    def with_owner(*, by: str) -> sw.Export:
        seen.append(by)
        return sw.Export([])

    Definition.of("with", with_owner).make({}, "ann")
    Definition.of("without", lambda: sw.Export([])).make({}, "ann")
    assert seen == ["ann"]


def test_an_unknown_name_is_explained() -> None:
    known = Definitions()
    known.add("orders", orders)
    with pytest.raises(LookupError, match="no job is defined as 'order'; there are: orders"):
        known.get("order")
    hostile: Any
    for hostile in ("x" * 10**6, None, [], "\x00"):
        with pytest.raises(LookupError) as caught:
            known.get(hostile)
        assert len(str(caught.value)) < 200


def test_a_name_is_defined_once_but_a_module_may_be_imported_again() -> None:
    known = Definitions()
    known.add("orders", orders)
    known.add("orders", orders)
    with pytest.raises(ValueError, match="'orders' is defined twice"):
        known.add("orders", lambda: sw.Export([]))


async def asynchronous() -> sw.Export:
    return sw.Export([])


def by_place(region: str, /) -> sw.Export:
    return sw.Export([region])


def with_format(*, format: str) -> sw.Export:  # noqa: A002 - that is what is refused
    return sw.Export([format])


@pytest.mark.parametrize(
    ("name", "call", "said"),
    [
        ("", orders, "1 to 100 printable characters"),
        ("x" * 101, orders, "1 to 100 printable characters"),
        ("a\nb", orders, "1 to 100 printable characters"),
        (7, orders, "1 to 100 printable characters"),
        ("orders", asynchronous, "by an ordinary function, not an async one"),
        ("orders", 7, "by an ordinary function"),
        ("orders", by_place, "gets all arguments by name"),
        ("orders", with_format, r"create\(format=\) chooses it"),
    ],
)
def test_what_cannot_be_a_definition_is_explained(name: Any, call: Any, said: str) -> None:
    with pytest.raises((TypeError, ValueError), match=said):
        Definition.of(name, call)


def test_a_function_has_to_make_an_export() -> None:
    with pytest.raises(TypeError, match="has to return an Export or a Bundle, not list"):
        Definition.of("orders", lambda: [1]).make({}, None)


@pytest.mark.parametrize("by", [True, 1.5, b"ann", ["ann"], "", "x" * 201, "a\x00b", "\ud800"])
def test_what_names_no_owner_is_refused(by: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="by= is the key of a user"):
        owner(by)
