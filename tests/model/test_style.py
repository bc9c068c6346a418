from dataclasses import FrozenInstanceError, fields
from types import SimpleNamespace
from typing import Any

import pytest

from streamware import Style
from streamware.model.style import choose, color_of, expect


@pytest.mark.parametrize("color", ["#4472c4", "4472C4", "#4472C4"])
def test_a_color_is_six_digits(color: str) -> None:
    assert color_of(color) == "4472C4"
    assert Style(color=color) == Style(color="#4472C4")


@pytest.mark.parametrize(
    "color", ["red", "#FFF", "#4472C4FF", "", " #4472C4", 0x4472C4, "#4472C4\n"]
)
def test_what_is_no_color_is_refused(color: Any) -> None:
    for name in ("color", "background"):
        with pytest.raises(ValueError, match="a colour must be like '#4472C4', not"):
            Style(**{name: color})


def test_equal_styles_are_one() -> None:
    assert Style(bold=True, format="date") == Style(bold=True, format="yyyy-mm-dd")
    assert len({Style(size=11), Style(size=11.0), Style()}) == 2


def test_a_style_cannot_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Style().bold = True  # type: ignore[misc]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"size": 0.5}, "size must be 1 to 409 points, not"),
        ({"size": 410}, "size must be 1 to 409 points, not"),
        ({"size": float("nan")}, "size must be 1 to 409 points, not"),
        ({"format": "0 kg"}, "the number format '0 kg' has 'kg'"),
        ({"align": "middle"}, "align must be 'left', 'center' or 'right', not 'middle'"),
        ({"valign": "middle"}, "valign must be 'top', 'center' or 'bottom', not 'middle'"),
        (
            {"border": "thin "},
            "border must be 'thin', 'medium', 'thick', .* or 'dashed', not 'thin '",
        ),
        ({"font": ""}, "font must have 1 to 31 characters, not"),
        ({"font": "x" * 32}, "font must have 1 to 31 characters, not"),
    ],
)
def test_a_choice_that_there_is_not_is_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Style(**options)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"size": True}, "size must be a number, not bool"),
        ({"size": "12"}, "size must be a number, not str"),
        ({"font": 1}, "font must be a str, not int"),
        ({"bold": "no"}, "bold must be True or False, not str"),
        ({"italic": 0}, "italic must be True or False, not int"),
        ({"underline": "single"}, "underline must be True or False, not str"),
        ({"wrap": None}, "wrap must be True or False, not NoneType"),
    ],
)
def test_an_attribute_of_another_type_is_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(TypeError, match=f"^{problem}$"):
        Style(**options)


def test_what_a_style_leaves_open_is_as_below() -> None:
    below = Style(bold=True, color="#111111", format="0.00", align="right", size=9)
    above = Style(italic=True, color="#222222", align="left")
    assert above.over(below) == Style(
        bold=True, italic=True, color="#222222", format="0.00", align="left", size=9
    )
    assert Style().over(below) == below
    assert below.over(Style()) == below


def test_every_field_shines_through() -> None:
    chosen: dict[str, Any] = {"color": "#111111", "background": "#222222", "font": "Arial"}
    chosen |= {"size": 9, "format": "0", "align": "left", "valign": "top", "border": "thin"}
    full = Style(bold=True, italic=True, underline=True, wrap=True, **chosen)
    assert all(getattr(full, field.name) for field in fields(Style))
    assert Style().over(full) == full.over(Style()) == full


def test_a_choice_is_one_of_those_there_are() -> None:
    choose("align", None, ("left",))
    choose("align", "left", ("left",))
    with pytest.raises(ValueError, match="align must be 'left', not 'up'"):
        choose("align", "up", ("left",))


def test_a_bool_is_no_number() -> None:
    given = SimpleNamespace(width=True, height=2)
    expect(given, "a number", int | float, "height")
    expect(given, "True or a number", bool | int, "width", "height")
    with pytest.raises(TypeError, match="width must be a number, not bool"):
        expect(given, "a number", int, "height", "width")


def test_the_name_of_a_font_is_as_long_as_windows_counts() -> None:
    assert Style(font="😀" * 15).font == "😀" * 15
    with pytest.raises(ValueError, match="1 to 31 characters"):
        Style(font="😀" * 16)
