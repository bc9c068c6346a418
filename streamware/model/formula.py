"""What a formula must be like, so that Excel does not remove it from the file that it opens.

A file has formulas as an English Excel shows them: a comma between arguments, a point in numbers.

Source: ECMA-376 Part 1 §18.17.2 (syntax); Microsoft, "Excel specifications and limits".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from streamware.model.utf16 import units

MAX_FORMULA = 8192  # UTF-16 units
MAX_TEXT = 255  # UTF-16 units of a text in a formula
MAX_NESTING = 64  # functions inside each other
MAX_ARGUMENTS = 255  # of a function

_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[Ee][+-]?[0-9]+)?(?![\w.])"
_TEXT = r'"(?:[^"]|"")*+"'
_ERROR = r"\#(?:N/A|DIV/0!|NAME\?|GETTING_DATA|[A-Z]+!)"
_CONSTANT = rf"\s*(?:[+-]?{_NUMBER}|{_TEXT}|{_ERROR}|(?i:TRUE|FALSE))\s*"
_TOKENS = re.compile(
    rf"""
    (?P<text>{_TEXT})
    | (?P<error>{_ERROR})
    | (?P<sheet>(?:'(?:[^']|'')++'|(?:\[[^][]*\])?[\w.\\?]+(?::[\w.]+)?|\[[^][]*\])!)
    | (?P<array>\{{{_CONSTANT}(?:[,;]{_CONSTANT})*\}})
    | (?P<table>(?:[^\W\d][\w.\\]*)?\[(?:[^][']|'.|\[(?:[^][']|'.)*\])*\])
    | (?P<function>[^\W\d][\w.\\?]*)\s*\(
    | (?P<name>(?:\\|\$?[^\W\d])[\w.$\\?]*|\$[0-9]+)
    | (?P<number>{_NUMBER})
    | (?P<open>\()
    | (?P<close>\))
    | (?P<comma>,)
    | (?P<sign>[+-])
    | (?P<operator><=|>=|<>|[*/^&=<>:])
    | (?P<percent>%)
    | (?P<blank>[ \t\r\n]+)
    """,
    re.VERBOSE | re.DOTALL,
)
_SEPARATOR = b"\x1f"  # between the formulas of a blob
_DIGITS = bytes.maketrans(b"0123456789", b"1" * 10)
_SHORT_TEXT = re.compile(rb'"[^"\x1f]*+"')
_MAX_SHAPE = 1024  # bytes of a shape that is remembered
# What cannot be a token, by its first character.
_ODD = {
    ";": "has a semicolon between arguments; in a file it is a comma in every language",
    '"': "has a quote that is not closed",
    "'": "has an apostrophe outside of the name of a sheet, such as 'My sheet'!A1",
    "{": "has braces that are not around constants; for an array formula, leave them out and pass"
    " array=True",
    "}": "has a brace that is not open",
    "[": "has a bracket that is not closed",
    "]": "has a bracket that is not open",
    "@": "has an @ outside of brackets, which Excel shows but no file has; write SINGLE(…)",
    "#": "has a # after a cell, which Excel shows but no file has; write ANCHORARRAY(A1) for A1#",
    "!": "has a ! after something else than the name of a sheet; for unequal write <>",
}


def problem_of(text: str) -> str | None:
    """Return what is wrong with a formula without its `=`, or None."""
    if len(text) > MAX_FORMULA // 2 and units(text) > MAX_FORMULA:
        return f"has more than {MAX_FORMULA} characters"
    blob = text.encode("utf-8", "surrogatepass")
    return syntax_problem(text) if _SEPARATOR in blob else _problem_of_shape(_shapes(blob))


def any_problem(blob: bytes) -> bool:
    """Return whether something is wrong with any of some formulas, each without its `=`.

    Args:
        blob: The formulas, separated by U+001F; none is too long.
    """
    return any(map(_problem_of_shape, set(_shapes(blob).split(_SEPARATOR))))


def syntax_problem(text: str) -> str | None:
    """Return what is wrong with a formula, but for its length, by reading all its tokens."""
    return _Syntax().problem(text)


def _shapes(blob: bytes) -> bytes:
    """Return formulas that have the same problem, if any, and of which a column has few.

    The formulas of a column differ in their numbers and texts.  All digits are alike but that of
    `#DIV/0!`; all texts are, too, where none can be too long, and where their quotes cannot be in
    the name of a sheet or of a column.
    """
    blob = blob.replace(b"#DIV/0!", b"#REF!").translate(_DIGITS)
    if b'"' in blob and b"'" not in blob and b"[" not in blob:
        longest = max(map(len, blob.split(_SEPARATOR)))
        if longest <= MAX_TEXT:  # a text has at most as many UTF-16 units as bytes of UTF-8
            return _SHORT_TEXT.sub(b'""', blob)
    return blob


def _problem_of_shape(shape: bytes) -> str | None:
    return (_remembered if len(shape) <= _MAX_SHAPE else _decoded)(shape)


def _decoded(shape: bytes) -> str | None:
    return syntax_problem(shape.decode("utf-8", "surrogatepass"))


_remembered = lru_cache(maxsize=512)(_decoded)


def has_columns_of_tables(text: str) -> bool:
    """Return whether a formula refers to columns of a table, as in `Table1[Price]`."""
    return any(found["table"] for found in _TOKENS.finditer(text))


def replace_columns_of_tables(text: str, replaced: Callable[[str, str], str]) -> str:
    """Return a formula in which what refers to columns of tables is replaced.

    Args:
        text: The formula without its `=`.
        replaced: Called with the name of the table, which can be empty, and what is in brackets.
    """
    return _TOKENS.sub(
        lambda found: replaced(*found["table"][:-1].split("[", 1)) if found["table"] else found[0],
        text,
    )


class _FormulaError(Exception):
    """The formula is wrong; the message says why."""


class _Syntax:
    """Reads the tokens of one formula, from left to right."""

    def __init__(self) -> None:
        self._open: list[int] = []  # arguments so far of each open function; -1 for a parenthesis
        self._before = ""  # kind of the token before, blanks not counted; "" at the start
        self._complete = False  # whether the text so far is a formula, but for what is open
        self._blank = False  # whether a blank is before the token

    def problem(self, text: str) -> str | None:
        """Return what is wrong with the formula, or None."""
        at = 0
        try:
            while at < len(text):
                found = _TOKENS.match(text, at)
                if found is None:
                    return _ODD.get(text[at], "has a character that only a text in quotes can have")
                self._add(found.lastgroup or "", found[0])
                at = found.end()
        except _FormulaError as wrong:
            return str(wrong)
        if not self._complete:
            return "ends where a value is expected"
        return "has a parenthesis that is not closed" if self._open else None

    def _add(self, kind: str, token: str) -> None:
        if kind == "blank":
            self._blank = True
            return
        if kind == "open" and self._before == "close" and not self._blank:
            self._open.append(0)  # a call of what a function returned
            self._complete, self._before = False, "function"
            return
        if kind in ("text", "error", "array", "table", "function", "name", "number", "open"):
            self._value(kind, token)
        elif kind == "sheet":
            self._start_value(kind)
        elif kind == "close":
            self._close()
        elif kind == "comma":
            self._separate()
        elif kind != "sign" and not self._complete:
            raise _FormulaError("has an operator where a value is expected")
        elif kind != "percent":
            self._complete = False
        self._before, self._blank = kind, False

    def _start_value(self, kind: str) -> None:
        constants = ("text", "number", "array", "sign")
        if self._complete and (not self._blank or {kind, self._before}.intersection(constants)):
            raise _FormulaError("has two values without an operator between them")
        if self._before == "comma" and not self._open and kind in constants:
            raise _FormulaError("has a comma outside of a function; a decimal sign is a point")
        self._complete = False

    def _value(self, kind: str, token: str) -> None:
        self._start_value(kind)
        if self._before == "sheet" and kind in ("text", "array", "open"):
            raise _FormulaError("has the name of a sheet without a cell after it")
        if kind == "text" and units(token) - 2 - token[1:-1].count('""') > MAX_TEXT:
            raise _FormulaError(
                f"has a text of over {MAX_TEXT} characters; join shorter ones with &"
            )
        if kind == "array" and not _is_rectangular(token):
            raise _FormulaError("has an array whose rows have different lengths")
        if kind == "function":
            self._open.append(0)
            if len(self._open) - self._open.count(-1) > MAX_NESTING:
                raise _FormulaError(f"has more than {MAX_NESTING} functions inside each other")
        elif kind == "open":
            self._open.append(-1)
        self._complete = kind not in ("function", "open")

    def _close(self) -> None:
        if not self._open:
            raise _FormulaError("has a parenthesis that is not open")
        empty = self._before in ("function", "comma")  # an argument may be left out
        if not (self._complete or (empty and self._open[-1] >= 0)):
            raise _FormulaError("has a parenthesis where a value is expected")
        self._open.pop()
        self._complete = True

    def _separate(self) -> None:
        if self._open and self._open[-1] >= 0:
            if not self._complete and self._before not in ("function", "comma"):
                raise _FormulaError("has a comma where a value is expected")
            self._open[-1] += 1
            if self._open[-1] >= MAX_ARGUMENTS:
                raise _FormulaError(f"has a function with over {MAX_ARGUMENTS} arguments")
        elif not self._complete:
            raise _FormulaError("has a comma where a value is expected")
        elif self._before in ("text", "number", "array"):
            raise _FormulaError("has a comma outside of a function; a decimal sign is a point")
        self._complete = False


def _is_rectangular(array: str) -> bool:
    rows = re.sub(_TEXT, "", array).split(";")
    return len({row.count(",") for row in rows}) == 1
