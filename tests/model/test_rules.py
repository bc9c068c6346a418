# ruff: noqa: DTZ001 - date-times without a zone are what is tested

from datetime import date, datetime, timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import pytest

from streamware import ColorScale, Condition, DataBar, Style, Validation


@pytest.mark.parametrize("comparison", ["<", "<=", "=", "<>", ">=", ">"])
@pytest.mark.parametrize("value", [0, 1.5, "open", "=B2", date(2024, 5, 17), datetime(2024, 5, 17)])
def test_a_condition_compares_with_one_value(comparison: Any, value: Any) -> None:
    found = Condition(comparison, value)
    assert (found.comparison, found.value, found.other) == (comparison, value, None)


@pytest.mark.parametrize("comparison", ["between", "not between"])
def test_a_condition_between_has_two_bounds(comparison: Any) -> None:
    assert Condition(comparison, 1, 0).other == 0
    with pytest.raises(
        ValueError, match=f"the comparison '{comparison}' takes both value and other"
    ):
        Condition(comparison, 1)


def test_a_condition_that_is_not_between_has_no_second_bound() -> None:
    with pytest.raises(ValueError, match="the comparison '<' takes value alone"):
        Condition("<", 1, 2)


def test_a_condition_stands_out_by_itself() -> None:
    assert Condition("<", 0).style == Style(color="#9C0006", background="#FFC7CE")


@pytest.mark.parametrize("comparison", ["==", "!=", "in", ""])
def test_a_comparison_that_there_is_not_is_refused(comparison: Any) -> None:
    with pytest.raises(
        ValueError, match="must be '<', '<=', '=', '<>', '>=', '>', 'between' or 'not between'"
    ):
        Condition(comparison, 1)


@pytest.mark.parametrize("value", [True, [1], timedelta(1), b"a", 1j], ids=repr)
def test_what_cannot_be_compared_with_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="value and other must be a number, a str or a date, not"):
        Condition("<", value)
    with pytest.raises(TypeError, match="value and other must be a number, a str or a date, not"):
        Validation(kind="whole", value=1, other=value)


def test_a_condition_needs_a_value() -> None:
    with pytest.raises(TypeError, match="value must be given to compare with"):
        Condition("=", None)  # type: ignore[arg-type]


def test_numbers_stand_in_a_formula_as_their_digits() -> None:
    assert repr(Condition("<", Decimal("1.50")).value) == "1.5"
    assert repr(Condition("<", HTTPStatus.OK).value) == "200"
    assert repr(Validation(kind="decimal", value=0, other=Decimal(9)).other) == "9.0"


def test_the_middle_of_three_colors_is_named() -> None:
    with pytest.raises(TypeError, match="positional"):
        ColorScale("#FFFFFF", "#FFEB84", "#63BE7B")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("rule", "options", "problem"),
    [
        (Condition, {"style": {"bold": True}}, "style must be a Style, not dict"),
        (Validation, {"message": 1}, "message must be a str, not int"),
        (Validation, {"title": b"a"}, "title must be a str, not bytes"),
        (Validation, {"strict": "no"}, "strict must be True or False, not str"),
    ],
)
def test_an_attribute_of_another_type_is_refused(rule: Any, options: Any, problem: str) -> None:
    with pytest.raises(TypeError, match=f"^{problem}$"):
        rule(comparison="<", value=1, **options)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal("1e400"), Decimal("nan")])
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="value and other must be finite, not"):
        Condition("between", 1, value)


def test_a_text_to_compare_with_is_as_long_as_a_formula_may_have_it() -> None:
    Condition("=", "x" * 255)
    Condition("=", "=" + "x" * 8191)
    with pytest.raises(ValueError, match="compare with must have at most 255 characters, not 256"):
        Condition("=", "x" * 256)


@pytest.mark.parametrize(
    "style",
    [
        Style(font="Arial"),
        Style(size=12),
        Style(align="left"),
        Style(valign="top"),
        Style(wrap=True),
    ],
)
def test_a_condition_cannot_change_what_takes_room(style: Style) -> None:
    with pytest.raises(ValueError, match="cannot change font, size, alignment or wrapping"):
        Condition("<", 0, style=style)


def test_colors_of_rules_are_colors() -> None:
    assert ColorScale("#ff0000", middle="00ff00") == ColorScale("FF0000", middle="00FF00")
    assert DataBar("#abcdef").color == "ABCDEF"
    for wrong in (lambda: ColorScale("red"), lambda: DataBar("red"), lambda: ColorScale(middle="")):
        with pytest.raises(ValueError, match="a colour must be like '#4472C4', not"):
            wrong()


# Validations


def test_a_validation_lists_choices() -> None:
    assert Validation(choices=["open", "paid"]).choices == ("open", "paid")


def test_a_validation_compares() -> None:
    found = Validation(kind="whole", value=1, other=9, message="1 to 9", title="Rating")
    assert (found.comparison, found.value, found.other, found.strict) == ("between", 1, 9, True)
    assert Validation(kind="length", comparison="<", value=80).other is None
    assert Validation(kind="custom", value="=A1>B1").other is None


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({}, "a validation must have either choices= or kind="),
        ({"choices": ["a"], "kind": "whole"}, "a validation must have either choices= or kind="),
        ({"choices": ["a,b"]}, "a choice cannot contain a comma"),
        ({"choices": ["a", ""]}, "each choice must be a str that is not blank"),
        ({"choices": ["a", 1]}, "each choice must be a str that is not blank"),
        (
            {"choices": ["x" * 128, "x" * 127]},
            "list of choices must have at most 255 characters, not 256",
        ),
        ({"kind": "int", "value": 1}, "kind must be 'whole', 'decimal', .*, not 'int'"),
        ({"kind": "whole"}, "value must be given for a validation of kind 'whole'"),
        ({"kind": "whole", "value": 1}, "the comparison 'between' takes both"),
        ({"kind": "custom", "value": "A1>B1"}, "value must be a formula such as '=A1>B1'"),
        (
            {"choices": ["a"], "message": "x" * 256},
            "the message of a validation must have at most 255 characters, not 256",
        ),
        (
            {"choices": ["a"], "title": "x" * 33},
            "the title of a validation must have at most 32 characters, not 33",
        ),
    ],
)
def test_a_validation_that_cannot_be_is_refused(options: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Validation(**options)


@pytest.mark.parametrize("choices", ["=Lookup!$A$1:$A$70", ["=Lookup!$A$1:$A$70"]])
def test_choices_may_be_in_cells(choices: Any) -> None:
    assert Validation(choices=choices).choices == ("=Lookup!$A$1:$A$70",)


def test_one_of_several_choices_may_start_like_a_formula() -> None:
    assert Validation(choices=["=a", "b"]).choices == ("=a", "b")


@pytest.mark.parametrize("choices", [["x" * 200, "y" * 70], ["a, b", "c"]])
def test_what_no_list_can_hold_is_said_to_belong_into_cells(choices: list[str]) -> None:
    with pytest.raises(ValueError, match=r"give their cells: choices='=Lookup!\$A\$1:\$A\$70'"):
        Validation(choices=choices)


def test_choices_are_a_list() -> None:
    for wrong in ("abc", 1, None):
        with pytest.raises(TypeError, match="choices must be a list of str, not"):
            Validation(choices=wrong)  # type: ignore[arg-type]


def test_lengths_are_counted_as_spreadsheets_do() -> None:
    Validation(choices=["😀" * 127])
    with pytest.raises(ValueError, match="at most 255 characters, not 256"):
        Validation(choices=["😀" * 128])


@pytest.mark.parametrize("formula", ["=", "= ", "=\n"])
def test_a_formula_has_something_after_its_sign(formula: str) -> None:
    for wrong in (
        lambda: Condition("=", formula),
        lambda: Condition("between", 1, formula),
        lambda: Validation(kind="custom", value=formula),
    ):
        with pytest.raises(ValueError, match="a formula must not end after its '='"):
            wrong()
