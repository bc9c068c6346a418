"""Style: how a cell of a spreadsheet looks."""

from __future__ import annotations

import re
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
    """A colour as six hexadecimal digits in capitals.

    Raises:
        ValueError: It is not given like `"#4472C4"`.
    """
    found = _COLOR.fullmatch(str(color))
    if found is None:
        raise ValueError(f"a colour is given like '#4472C4', not {color!r}")
    return found[1].upper()


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How a cell looks.  What is not given is as everywhere else.

    Equal styles are one in the document, however often they are made.

    Attributes:
        bold: Whether its text is bold.
        italic: Whether it is slanted.
        underline: Whether it is underlined.
        color: Colour of the text, as `"#C00000"`.
        background: Colour of the cell.
        font: Name of the font, at most 31 characters.
        size: Size of the font in points, 1 to 409.
        format: Number format, by a name or as a code; see `Column`.
        align: "left", "center" or "right".
        valign: "top", "center" or "bottom".
        wrap: Whether long text goes on in the next line.
        border: Line around the cell: "thin", "medium", "thick", "double", "dotted", "dashed".

    Raises:
        TypeError: An attribute of another type; a bool is no number.
        ValueError: A colour, a number format or another choice that there is not.

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
        expect(self, "a text", str | None, "font")
        expect(self, "a number", int | float | None, "size")
        for name in ("color", "background"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, color_of(getattr(self, name)))
        if self.format is not None:
            object.__setattr__(self, "format", code_of(self.format))
        if self.font is not None and not 1 <= units(self.font) <= MAX_FONT_NAME:
            raise ValueError(f"the name of a font has 1 to {MAX_FONT_NAME} characters")
        if self.size is not None and not 1 <= self.size <= 409:
            raise ValueError("the size of a font is 1 to 409 points")
        choose("align", self.align, get_args(Align))
        choose("valign", self.valign, get_args(VerticalAlign))
        choose("border", self.border, get_args(Border))

    def over(self, base: Style) -> Style:
        """This style, and what it leaves open as `base` has it."""
        return Style(
            **{f.name: getattr(self, f.name) or getattr(base, f.name) for f in fields(Style)}
        )


def choose(name: str, value: str | None, choices: tuple[str, ...]) -> None:
    """Raises ValueError when `value` is given and none of `choices`."""
    if value is not None and value not in choices:
        raise ValueError(f"{name}={value!r}: choose one of {', '.join(choices)}")


def expect(options: object, wanted: str, kinds: type | UnionType, *names: str) -> None:
    """Raises TypeError where an attribute of `options` is of none of `kinds`, and names it.

    A bool is no number here, though Python has it so.
    """
    for name in names:
        value = getattr(options, name)
        unwanted = isinstance(value, bool) and bool not in (get_args(kinds) or (kinds,))
        if unwanted or not isinstance(value, kinds):
            raise TypeError(f"{name} is {wanted}, not {type(value).__name__}")
