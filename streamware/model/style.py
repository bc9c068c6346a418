"""Style: how a cell of a spreadsheet looks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from types import UnionType
from typing import Literal, get_args

from streamware.model.number_format import code_of
from streamware.model.utf16 import units

Align = Literal["left", "center", "right"]
VerticalAlign = Literal["top", "center", "bottom"]
Border = Literal["thin", "medium", "thick", "double", "dotted", "dashed"]

MAX_FONT_NAME = 31  # UTF-16 units (LOGFONT.lfFaceName of Windows holds 32 with its end)

_COLOR = re.compile(r"#?([0-9A-Fa-f]{6})")


def color_of(color: str) -> str:
    """Return a colour as six hexadecimal digits in capitals.

    Raises:
        ValueError: It is not six hexadecimal digits, as in `"#4472C4"`.
    """
    found = _COLOR.fullmatch(str(color))
    if found is None:
        raise ValueError(f"a colour must be like '#4472C4', not {color!r}")
    return found[1].upper()


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How a cell looks.  What is left out is as in the column or the program that opens it.

    Equal styles are written once, however many objects there are.

    Attributes:
        bold: Whether its text is bold.
        italic: Whether its text is italic.
        underline: Whether its text is underlined.
        color: Colour of the text, as `"#C00000"`.
        background: Colour of the cell.
        font: Name of the font, at most 31 characters.
        size: Size of the font in points, 1 to 409.
        format: Number format, by a name or as a code; see `Column`.
        align: "left", "center" or "right".
        valign: "top", "center" or "bottom".
        wrap: Whether long text is wrapped onto further lines.
        border: Line around the cell: "thin", "medium", "thick", "double", "dotted", "dashed".

    Raises:
        TypeError: An attribute has the wrong type; a bool does not count as a number.
        ValueError: A colour, a number format or another value is not one of those allowed.

    Source: ECMA-376 Part 1 §18.8.
    """

    bold: bool = False
    italic: bool = False
    underline: bool = False
    color: str | None = None
    background: str | None = None
    font: str | None = None
    size: float | None = None
    format: str | None = None
    align: Align | None = None
    valign: VerticalAlign | None = None
    wrap: bool = False
    border: Border | None = None

    def __post_init__(self) -> None:
        expect(self, "True or False", bool, "bold", "italic", "underline", "wrap")
        expect(self, "a str", str | None, "font")
        expect(self, "a number", int | float | None, "size")
        for name in ("color", "background"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, color_of(getattr(self, name)))
        if self.format is not None:
            object.__setattr__(self, "format", code_of(self.format))
        if self.font is not None and not 1 <= units(self.font) <= MAX_FONT_NAME:
            raise ValueError(
                f"font must have 1 to {MAX_FONT_NAME} characters, not {units(self.font)}"
            )
        if self.size is not None and not 1 <= self.size <= 409:
            raise ValueError(f"size must be 1 to 409 points, not {self.size}")
        choose("align", self.align, get_args(Align))
        choose("valign", self.valign, get_args(VerticalAlign))
        choose("border", self.border, get_args(Border))

    def over(self, base: Style) -> Style:
        """Return this style, with what it leaves out taken from `base`."""
        return Style(
            **{f.name: getattr(self, f.name) or getattr(base, f.name) for f in fields(Style)}
        )


def choose(name: str, value: str | None, choices: tuple[str, ...]) -> None:
    """Raise ValueError if `value` is given and is not one of `choices`."""
    if value is not None and value not in choices:
        raise ValueError(f"{name} must be {one_of(choices)}, not {value!r}")


def one_of(choices: Sequence[str]) -> str:
    """Return the choices as a message lists them: 'a', 'b' or 'c'."""
    *others, last = map(repr, choices)
    return f"{', '.join(others)} or {last}" if others else last


def expect(options: object, wanted: str, kinds: type | UnionType, *names: str) -> None:
    """Raise TypeError, with the name, if an attribute of `options` has none of these types.

    A bool does not count as a number, although it is an int to Python.
    """
    for name in names:
        value = getattr(options, name)
        if not isinstance(value, kinds) or (
            isinstance(value, bool) and bool not in (get_args(kinds) or (kinds,))
        ):
            raise TypeError(f"{name} must be {wanted}, not {type(value).__name__}")
