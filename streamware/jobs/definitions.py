"""Definitions: by which names and with which arguments exports are made."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final, cast

from streamware.http.bundle import Bundle
from streamware.http.export import Export

Document = Export | Bundle
Define = Callable[..., Document]

_LONGEST_NAME, _LONGEST_OWNER = 100, 200
_MOST_BYTES: Final = 60_000  # of the arguments; MariaDB's TEXT holds 65,535
_DEEPEST: Final = 50
_ATOMS: Final = (bool, int, str, type(None))


class DefinitionError(TypeError, LookupError):
    """There is no such definition, or it takes other arguments; the message has no value."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A function that makes an export.

    Attributes:
        name: Its name, which records have.
        call: The function.
        signature: Its parameters.
    """

    name: str
    call: Define
    signature: inspect.Signature

    @classmethod
    def of(cls, name: object, call: object) -> Definition:
        """Return the definition by a function.

        Raises:
            TypeError: It is no ordinary function, or it has parameters that cannot be named.
            ValueError: The name is not one.
        """
        if not isinstance(name, str) or not (0 < len(name) <= _LONGEST_NAME and name.isprintable()):
            raise ValueError(f"a job is named by 1 to {_LONGEST_NAME} printable characters")
        if not callable(call) or inspect.iscoroutinefunction(call):
            raise TypeError(
                f"the job {name!r} is defined by an ordinary function, not an async one"
            )
        signature = inspect.signature(call)
        for parameter in signature.parameters.values():
            if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL):
                raise TypeError(
                    f"the job {name!r} gets all arguments by name; {parameter} has none"
                )
            if parameter.name == "format":
                raise TypeError(
                    f"the job {name!r} cannot have a 'format': create(format=) chooses it"
                )
        return cls(name, cast(Define, call), signature)

    def check(self, arguments: Mapping[str, Any], by: str | None) -> None:
        """Raise DefinitionError if the function does not take these arguments."""
        try:
            self.signature.bind(**self._given(arguments, by))
        except TypeError as error:
            raise DefinitionError(
                f"the job {self.name!r} does not take the arguments that were given: {error}"
            ) from error

    def make(self, arguments: Mapping[str, Any], by: str | None) -> Document:
        """Return what the function makes.

        Raises:
            DefinitionError: It does not take these arguments, or makes something else.
        """
        self.check(arguments, by)
        made: object = self.call(**self._given(arguments, by))
        if not isinstance(made, Document):
            kind = type(made).__name__
            raise DefinitionError(
                f"the job {self.name!r} has to return an Export or a Bundle, not {kind}"
            )
        return made

    def _given(self, arguments: Mapping[str, Any], by: str | None) -> dict[str, Any]:
        """Return the arguments, with the owner if the function takes one."""
        parameters = self.signature.parameters
        takes = "by" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        return {**arguments, **({"by": by} if takes else {})}


class Definitions:
    """The definitions of an application, by their names."""

    def __init__(self) -> None:
        self._known: dict[str, Definition] = {}

    def add(self, name: str, call: Define) -> None:
        """Add a definition.

        Raises:
            TypeError, ValueError: It cannot be one, or there is another one of that name.
        """
        definition = Definition.of(name, call)
        known = self._known.setdefault(name, definition)
        if known.call is not call and _place(known.call) != _place(call):
            raise ValueError(f"the job {name!r} is defined twice")
        self._known[name] = definition

    def get(self, name: str) -> Definition:
        """Return a definition.

        Raises:
            DefinitionError: There is none of that name.
        """
        try:
            return self._known[name]
        except (KeyError, TypeError):
            known = ", ".join(sorted(self._known)) or "none"
            raise DefinitionError(
                f"no job is defined as {_shown(name)}; there are: {known}"
            ) from None


def _place(call: Define) -> tuple[object, object]:
    """Return where a function stands: a module that is imported again defines the same again."""
    return getattr(call, "__module__", None), getattr(call, "__qualname__", call)


def _shown(name: object) -> str:
    return repr(name)[: _LONGEST_NAME + 2]


def check_arguments(arguments: Mapping[str, Any]) -> None:
    """Raise an error if a record cannot keep arguments, or would give others back.

    Raises:
        TypeError: One is no JSON: anything but None, booleans, numbers, texts, lists and dicts.
        ValueError: A number is not finite, a text has half a character, or all are too large.
    """
    for name, value in arguments.items():
        _check(value, name, 1)
    try:
        size = len(json.dumps(arguments))
    except ValueError as error:  # an integer of more digits than Python writes
        raise ValueError("an argument is an integer of too many digits") from error
    if size > _MOST_BYTES:
        raise ValueError(
            f"the arguments of a job take {size:,} bytes, and {_MOST_BYTES:,} are allowed; keep"
            " what is large elsewhere, and pass its key"
        )


def _check(value: object, where: str, depth: int) -> None:
    if depth > _DEEPEST:
        raise ValueError(f"the argument {where[:100]} is nested deeper than {_DEEPEST} levels")
    if isinstance(value, str):
        check_text(value, f"the argument {where}")
    if type(value) in _ATOMS or (type(value) is float and isfinite(value)):
        return
    if type(value) is float:
        raise ValueError(f"the argument {where} is {value}, which JSON does not have")
    if type(value) is list:
        for at, each in enumerate(value):
            _check(each, f"{where}[{at}]", depth + 1)
    elif type(value) is dict:
        for key, each in value.items():
            if type(key) is not str:
                raise TypeError(f"a key in the argument {where} is no text: {type(key).__name__}")
            check_text(key, f"a key in the argument {where}")
            _check(each, f"{where}[…]", depth + 1)
    else:
        raise TypeError(
            f"the argument {where} is no JSON: {type(value).__name__}; pass what names it, such as"
            " a key, an ISO date or a list"
        )


def check_text(text: str, what: str) -> None:
    """Raise ValueError if a text cannot be encoded."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{what} has a lone surrogate, which is half a character") from error


def owner(by: object) -> str | None:
    """Return an owner as records have it.

    Raises:
        TypeError: It is neither a text nor a number nor a UUID.
        ValueError: It is too long, or has characters that no name has.
    """
    if by is None:
        return None
    if isinstance(by, bool) or not (isinstance(by, (str, int)) or type(by).__name__ == "UUID"):
        raise TypeError(
            f"by= is the key of a user: text, a number or a UUID, not {type(by).__name__}"
        )
    text = str(by)
    if not (0 < len(text) <= _LONGEST_OWNER and text.isprintable()):
        raise ValueError(f"by= is the key of a user, of 1 to {_LONGEST_OWNER} printable characters")
    return text
