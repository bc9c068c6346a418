"""Rules that hold for a whole column of a spreadsheet: what stands out, and what may be typed in.

Source: ECMA-376 Part 1 §18.3.1.10 (cfRule), §18.3.1.32 (dataValidation).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from math import isfinite
from typing import Literal, get_args

from streamware.model.style import Style, choose, color_of, expect
from streamware.model.utf16 import units

Comparison = Literal["<", "<=", "=", "<>", ">=", ">", "between", "not between"]
Operand = str | float | Decimal | date | datetime
"""A number, a text, a date, or a formula that starts with `=`."""

MAX_LIST = 255  # characters of a list of choices, its commas counted (Excel's dialog and reader)
MAX_MESSAGE = 255
MAX_TEXT = 255  # characters of a text in a formula (Microsoft's limits page)
MAX_FORMULA = 8192  # characters of a formula (the same)
MAX_TITLE = 32


@dataclass(frozen=True, slots=True)
class Condition:
    """Cells of a column that look otherwise when they compare so.

    Attributes:
        comparison: "<", "<=", "=", "<>", ">=", ">", "between" or "not between".
        value: What they are compared with.
        other: The second bound of "between" and "not between".
        style: How they look then; fonts, sizes and alignments cannot change.
    """

    comparison: Comparison
    value: Operand
    other: Operand | None = None
    style: Style = Style(color="#9C0006", background="#FFC7CE")  # noqa: RUF009 - it is frozen

    def __post_init__(self) -> None:
        choose("comparison", self.comparison, get_args(Comparison))
        _check_bounds(self.comparison, self.other)
        if self.value is None:
            raise TypeError("a condition needs a value to compare with; empty cells are '=\"\"'")
        _settle_operands(self)
        expect(self, "a Style", Style, "style")
        style = self.style
        if style.font or style.size or style.align or style.valign or style.wrap:
            raise ValueError("a condition cannot change font, size, alignment or wrapping")


@dataclass(frozen=True, slots=True)
class ColorScale:
    """Backgrounds from one colour to another, by how the cells of the column compare.

    Attributes:
        low: Colour of the lowest.
        high: Colour of the highest.
        middle: Colour of the one in the middle, if there are three.
    """

    low: str = "#FFFFFF"
    high: str = "#63BE7B"
    middle: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        for name in ("low", "high", "middle"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, color_of(getattr(self, name)))


@dataclass(frozen=True, slots=True)
class DataBar:
    """A bar in each cell, as long as its number is large.

    Attributes:
        color: Its colour.
    """

    color: str = "#638EC6"

    def __post_init__(self) -> None:
        object.__setattr__(self, "color", color_of(self.color))


Rule = Condition | ColorScale | DataBar


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """What may be typed into the cells of a column, once the workbook is open.

    Attributes:
        choices: One of these; together at most 255 characters, their commas counted.
        kind: A "whole" number, a "decimal" one, a "date", a "length" of text, or what makes
            the formula `value` true ("custom"), compared as follows.
        comparison: As of a `Condition`.
        value: What it is compared with.
        other: The second bound.
        message: Shown when something else was typed, at most 255 characters.
        title: Above that message, at most 32.
        strict: Whether something else is refused, or only warned about.
    """

    choices: Sequence[str] = ()
    kind: Literal["whole", "decimal", "date", "length", "custom"] | None = None
    comparison: Comparison = "between"
    value: Operand | None = None
    other: Operand | None = None
    message: str | None = None
    title: str | None = None
    strict: bool = True

    def __post_init__(self) -> None:
        choose("kind", self.kind, ("whole", "decimal", "date", "length", "custom"))
        choose("comparison", self.comparison, get_args(Comparison))
        expect(self, "a text", str | None, "message", "title")
        expect(self, "True or False", bool, "strict")
        if isinstance(self.choices, str) or not isinstance(self.choices, Iterable):
            raise TypeError("choices are a list of texts")
        object.__setattr__(self, "choices", tuple(self.choices))
        if bool(self.choices) == (self.kind is not None):
            raise ValueError("a validation has either choices or a kind")
        self._check_choices()
        if self.kind is not None and self.value is None:
            raise ValueError(f"a validation of kind {self.kind!r} needs a value")
        if self.kind == "custom" and not str(self.value).startswith("="):
            raise ValueError("a validation of kind 'custom' needs a formula, such as '=A1>B1'")
        if self.kind not in (None, "custom"):
            _check_bounds(self.comparison, self.other)
        _settle_operands(self)
        _check_length("message", self.message, MAX_MESSAGE)
        _check_length("title", self.title, MAX_TITLE)

    def _check_choices(self) -> None:
        choices: Sequence[object] = self.choices
        if not all(isinstance(choice, str) and choice.strip() for choice in choices):
            raise ValueError("a choice is a text, and not empty")
        if any("," in choice for choice in self.choices):
            raise ValueError("a choice cannot have a comma: it parts them")
        _check_length("list of choices", ",".join(self.choices), MAX_LIST)


def _check_bounds(comparison: str, other: Operand | None) -> None:
    if (other is not None) != comparison.endswith("between"):
        raise ValueError(f"the comparison {comparison!r} needs {'two' if other is None else 'one'}")


def _settle_operands(rule: Condition | Validation) -> None:
    for name in ("value", "other"):
        operand = getattr(rule, name)
        if operand is not None:
            object.__setattr__(rule, name, _operand(operand))


def _operand(operand: object) -> Operand:
    """It as it can stand in a rule's formula, where numbers are doubles."""
    if isinstance(operand, bool) or not isinstance(operand, int | Operand):
        raise TypeError(
            f"a cell is compared with a number, a text or a date, not {type(operand).__name__}"
        )
    if isinstance(operand, int):
        return int(operand)  # an enumeration's member shows its name
    if isinstance(operand, (float, Decimal)):
        operand = float(operand)
        if not isfinite(operand):
            raise ValueError(f"a cell cannot be compared with {operand}")
    if isinstance(operand, str):
        if operand.startswith("=") and not operand[1:].strip():
            raise ValueError("a formula needs something after its '='; a sign alone is '=\"=\"'")
        limit = MAX_FORMULA if operand.startswith("=") else MAX_TEXT
        _check_length("text to compare with", operand, limit)
    return operand


def _check_length(what: str, text: str | None, limit: int) -> None:
    if text is not None and units(text) > limit:
        raise ValueError(f"the {what} has {units(text)} characters; {limit} are allowed")
