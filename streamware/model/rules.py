"""The rules of a spreadsheet's column: which cells are highlighted, and what may be typed in.

Source: ECMA-376 Part 1 §18.3.1.10 (cfRule), §18.3.1.32 (dataValidation).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from math import isfinite
from typing import Literal, get_args

from streamware.model.formula import MAX_FORMULA, problem_of
from streamware.model.style import Style, choose, color_of, expect
from streamware.model.utf16 import units

Comparison = Literal["<", "<=", "=", "<>", ">=", ">", "between", "not between"]
Operand = str | float | Decimal | date | datetime
"""A number, a text, a date, or a formula that starts with `=`."""

MAX_LIST = 255  # characters of a list of choices, its commas counted (Excel's dialog and reader)
MAX_MESSAGE = 255
MAX_TEXT = 255  # characters of a text in a formula (Microsoft's limits page)
MAX_TITLE = 32
_RANGE = "'=Lookup!$A$1:$A$70'"  # for messages


@dataclass(frozen=True, slots=True)
class Condition:
    """A style for the cells of a column that compare as given.

    Attributes:
        comparison: "<", "<=", "=", "<>", ">=", ">", "between" or "not between".
        value: The value that cells are compared with.
        other: The second bound of "between" and "not between".
        style: How matching cells look; font, size, alignment and wrapping cannot change.
    """

    comparison: Comparison
    value: Operand
    other: Operand | None = None
    style: Style = Style(color="#9C0006", background="#FFC7CE")  # noqa: RUF009 - it is frozen

    def __post_init__(self) -> None:
        choose("comparison", self.comparison, get_args(Comparison))
        _check_bounds(self.comparison, self.other)
        if self.value is None:
            raise TypeError("value must be given to compare with; for empty cells use '=\"\"'")
        _convert_operands(self)
        expect(self, "a Style", Style, "style")
        style = self.style
        if style.font or style.size or style.align or style.valign or style.wrap:
            raise ValueError(
                "the style of a condition cannot change font, size, alignment or wrapping"
            )


@dataclass(frozen=True, slots=True)
class ColorScale:
    """A background for every cell of a column, between two or three colours.

    Attributes:
        low: Colour of the lowest number.
        high: Colour of the highest number.
        middle: Colour of the median, if there are three colours.
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
    """A bar in each cell of a column, whose length shows the number.

    Attributes:
        color: Colour of the bars.
    """

    color: str = "#638EC6"

    def __post_init__(self) -> None:
        object.__setattr__(self, "color", color_of(self.color))


Rule = Condition | ColorScale | DataBar


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """What may be typed into the cells of a column, once the workbook is open.

    Attributes:
        choices: The allowed texts; together at most 255 characters, with the commas between them,
            and without a comma in any.  For other lists give the cells that hold them, as a
            formula: "=Lookup!$A$1:$A$70", or a name of the workbook such as "=Countries".
        kind: What is compared with `value`: a "whole" number, a "decimal" number, a "date" or the
            "length" of a text.  With "custom", `value` is a formula that must be true.
        comparison: As in `Condition`.
        value: The value that the entry is compared with.
        other: The second bound of "between" and "not between".
        message: Shown when an entry is not allowed; at most 255 characters.
        title: The title of that message; at most 32 characters.
        strict: Whether such an entry is refused; otherwise the user is only warned.
    """

    choices: Sequence[str] | str = ()
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
        expect(self, "a str", str | None, "message", "title")
        expect(self, "True or False", bool, "strict")
        object.__setattr__(self, "choices", _choices(self.choices))
        if bool(self.choices) == (self.kind is not None):
            raise ValueError("a validation must have either choices= or kind=")
        if self.kind is not None and self.value is None:
            raise ValueError(f"value must be given for a validation of kind {self.kind!r}")
        if self.kind == "custom" and not str(self.value).startswith("="):
            raise ValueError("value must be a formula such as '=A1>B1' for kind 'custom'")
        if self.kind not in (None, "custom"):
            _check_bounds(self.comparison, self.other)
        _convert_operands(self)
        _check_length("message of a validation", self.message, MAX_MESSAGE)
        _check_length("title of a validation", self.title, MAX_TITLE)


def choices_formula(rule: Validation) -> str | None:
    """Return the formula for the cells with the choices; None if the choices are texts."""
    return rule.choices[0] if len(rule.choices) == 1 and rule.choices[0][0] == "=" else None


def _choices(given: object) -> tuple[str, ...]:
    """Return the choices, checked; a single one that starts with `=` stands for those in cells."""
    formula = isinstance(given, str) and given.startswith("=")
    if not isinstance(given, Iterable) or (isinstance(given, str) and not formula):
        raise TypeError(
            f"choices must be a list of str, not {type(given).__name__}; for choices in cells it is"
            f" a formula such as {_RANGE}"
        )
    choices: tuple[object, ...] = (given,) if formula else tuple(given)
    if not all(isinstance(choice, str) and choice.strip() for choice in choices):
        raise ValueError("each choice must be a str that is not blank")
    texts = tuple(map(str, choices))
    if len(texts) == 1 and texts[0].startswith("="):
        _operand(texts[0])
        return texts
    if any("," in text for text in texts):
        raise ValueError(
            "a choice cannot contain a comma, which separates choices in the file; write the"
            f" choices to a sheet and give their cells: choices={_RANGE}"
        )
    if units(",".join(texts)) > MAX_LIST:
        raise ValueError(
            f"the list of choices must have at most {MAX_LIST} characters, not"
            f" {units(','.join(texts))}; write longer ones to a sheet and give their cells:"
            f" choices={_RANGE}"
        )
    return texts


def _check_bounds(comparison: str, other: Operand | None) -> None:
    if (other is not None) != comparison.endswith("between"):
        needed = "both value and other" if other is None else "value alone, without other"
        raise ValueError(f"the comparison {comparison!r} takes {needed}")


def _convert_operands(rule: Condition | Validation) -> None:
    for name in ("value", "other"):
        operand = getattr(rule, name)
        if operand is not None:
            object.__setattr__(rule, name, _operand(operand))


def _operand(operand: object) -> Operand:
    """Return an operand as it can stand in a rule's formula, where numbers are doubles."""
    if isinstance(operand, bool) or not isinstance(operand, int | Operand):
        raise TypeError(
            f"value and other must be a number, a str or a date, not {type(operand).__name__}"
        )
    if isinstance(operand, int):
        return int(operand)  # the member of an IntEnum would be written by its name
    if isinstance(operand, (float, Decimal)):
        operand = float(operand)
        if not isfinite(operand):
            raise ValueError(f"value and other must be finite, not {operand}")
    if isinstance(operand, str):
        if operand.startswith("=") and not operand[1:].strip():
            raise ValueError(
                "a formula must not end after its '='; for the sign alone use '=\"=\"'"
            )
        problem = problem_of(operand[1:]) if operand.startswith("=") else None
        if problem:
            raise ValueError(f"the formula of a rule {problem}")
        limit = MAX_FORMULA if operand.startswith("=") else MAX_TEXT
        _check_length("text to compare with", operand, limit)
    return operand


def _check_length(what: str, text: str | None, limit: int) -> None:
    if text is not None and units(text) > limit:
        raise ValueError(f"the {what} must have at most {limit} characters, not {units(text)}")
