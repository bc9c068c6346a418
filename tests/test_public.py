"""What users see: the names, their signatures (`public.txt`) and that each is explained.

`python tests/test_public.py > tests/public.txt` writes the signatures down anew; a line that
changed is a promise that changed.  A promise is written down once: what a class inherits from
another public class, or has because it is a `Format` or a file, is not repeated.
"""

import ast
import inspect
import io
import re
import types
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, ForwardRef, is_typeddict

import pytest

import streamware as sw

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "streamware"
TESTED_ELSEWHERE = {
    "__init__": "test_public",
    "__main__": "test_demo",
    "asyncpg": "test_postgresql",
    "dbapi": "test_sqlite",
    "django_jobs": "test_jobs",
    "lending": "test_django",
    "psycopg": "test_postgresql",
}
MADE_BY_THE_LIBRARY = {
    "AsyncEncoding",
    "Context",
    "Encoding",
    "Receipt",
    "Scratch",
    "Spool",
    "Usage",
}
"""Classes whose constructors are not for users; the docstrings say what makes them."""


def surface() -> Iterator[str]:
    """A line for each name, and one for each name within."""
    for name in sw.__all__:
        thing = getattr(sw, name)
        if isinstance(thing, types.UnionType):
            yield f"{name} = {thing}"
            continue
        if not inspect.isclass(thing):
            yield f"{name}{signature(thing)}"
            continue
        bases = ", ".join(base.__name__ for base in thing.__bases__ if base is not object)
        yield f"class {name}{constructor(thing)}{f': {bases}' if bases else ''}"
        yield from (f"    {line}" for line in sorted(members(thing)))


def members(cls: type) -> Iterator[str]:
    known = promised_elsewhere(cls)
    for name, member in public_members(cls):
        if name in known:
            continue
        if isinstance(member, property):
            yield f"{name} -> {annotation(inspect.signature(member.fget).return_annotation)}"  # type: ignore[arg-type]
        elif isinstance(member, classmethod | staticmethod):
            yield f"{name}{signature(getattr(cls, name))}"
        elif inspect.isroutine(member):
            prefix = "async " if inspect.iscoroutinefunction(member) else ""
            yield f"{prefix}{name}{signature(member)}"
        elif not is_dataclass(cls) or name not in {field.name for field in fields(cls)}:
            yield f"{name} = {member!r}"
    if is_typeddict(cls) or (is_dataclass(cls) and cls.__name__ in MADE_BY_THE_LIBRARY):
        yield from (f"{name}: {annotation(hint)}" for name, hint in cls.__annotations__.items())


def promised_elsewhere(cls: type) -> set[str]:
    """Names that another public class promises, or the protocol of a file."""
    known = {name for base in public_bases(cls) for name, _ in public_members(base)}
    if hasattr(cls, "media_type") and cls is not sw.Format:
        known |= {name for name, _ in public_members(sw.Format)}
    return known | (set(dir(io.BufferedIOBase)) if issubclass(cls, io.IOBase) else set())


def public_bases(cls: type) -> list[type]:
    return [base for base in cls.__mro__[1:] if base.__name__ in sw.__all__]


def public_members(cls: type) -> Iterator[tuple[str, Any]]:
    """What a class of ours brings, or inherits from another one of ours."""
    found: dict[str, Any] = {}
    for base in reversed(ours(cls)):
        found |= vars(base)
    for name, member in found.items():
        if not name.startswith("_") and not isinstance(member, types.MemberDescriptorType):
            yield name, member


def ours(cls: type) -> list[type]:
    return [base for base in cls.__mro__ if base.__module__.startswith("streamware")]


def constructor(cls: type) -> str:
    """Its arguments, if users call it; those that a public dataclass has already are left out."""
    protocol = getattr(cls, "_is_protocol", False)
    own = any("__init__" in vars(base) for base in ours(cls))
    if not own or protocol or cls.__name__ in MADE_BY_THE_LIBRARY:
        return ""
    inherited = [base for base in public_bases(cls) if is_dataclass(base)]
    return signature(cls, inherited[0] if inherited else None).removesuffix(" -> None")


def signature(thing: Any, base: Any = None) -> str:
    """As `inspect.signature` has it, and the same for every Python; without `self`."""
    made = inspect.signature(thing)
    known = {} if base is None else dict(inspect.signature(base).parameters)
    parts: list[str] = []
    star = False
    for parameter in made.parameters.values():
        if parameter.name == "self" or known.get(parameter.name) == parameter:
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            parts.append("*")
            star = True
        text = str(parameter.replace(annotation=parameter.empty, default=parameter.empty))
        if parameter.annotation is not parameter.empty:
            text += f": {annotation(parameter.annotation)}"
        if parameter.default is not parameter.empty:
            text += f" = {default(parameter.default)}"
        parts.append(text)
    if base is not None:
        parts.append(f"**{base.__name__}")
    result = made.return_annotation
    arrow = "" if result is made.empty else f" -> {annotation(result)}"
    return f"({', '.join(parts)}){arrow}"


def default(value: object) -> str:
    """A default as one writes it: of a dataclass, only the fields that are not its defaults."""
    if not is_dataclass(value):
        return "..." if repr(value) == "<factory>" else repr(value)
    told = [
        f"{field.name}={getattr(value, field.name)!r}"
        for field in fields(value)
        if getattr(value, field.name) != field.default
    ]
    return f"{type(value).__name__}({', '.join(told)})"


def annotation(value: object) -> str:
    if isinstance(value, ForwardRef):
        return value.__forward_arg__
    return value if isinstance(value, str) else inspect.formatannotation(value)


def modules() -> list[Path]:
    """Every module of the package that has more in it than a docstring."""
    found = (path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))
    return sorted(path for path in found if len(ast.parse((PACKAGE / path).read_text()).body) > 1)


def test_the_package_says_what_each_name_is_for() -> None:
    listed = re.findall(r"`(\w+)`", sw.__doc__ or "")
    assert sorted(listed) == sorted(sw.__all__)


def test_all_is_every_public_name_in_order() -> None:
    bound = [
        name
        for name, thing in vars(sw).items()
        if not name.startswith("_") and not inspect.ismodule(thing)
    ]
    assert sw.__all__ == sorted(bound)


def test_the_signatures_are_those_that_were_promised() -> None:
    promised = (ROOT / "tests" / "public.txt").read_text(encoding="utf-8").splitlines()
    assert list(surface()) == promised


@pytest.mark.parametrize("name", sw.__all__)
def test_every_name_is_explained(name: str) -> None:
    thing = getattr(sw, name)
    assert inspect.getdoc(thing)
    if not inspect.isclass(thing):
        return
    given = [field.name for field in fields(thing)] if is_dataclass(thing) else []
    given += thing.__annotations__ if is_typeddict(thing) else []
    told = " ".join(base.__doc__ or "" for base in ours(thing))
    assert [field for field in given if not re.search(rf"\b{field}\b", told)] == []
    silent = [
        member
        for member, value in public_members(thing)
        if (inspect.isroutine(value) or isinstance(value, property)) and not value.__doc__
    ]
    assert silent == []


@pytest.mark.parametrize("path", modules(), ids=str)
def test_every_module_is_explained_and_has_a_module_of_tests(path: Path) -> None:
    assert ast.get_docstring(ast.parse((PACKAGE / path).read_text()))
    stem = TESTED_ELSEWHERE.get(path.stem, f"test_{path.stem}")
    places = [ROOT / "tests" / path.parent / f"{stem}.py"]
    if path.parent.name:  # a package whose parts are tested together, or whose own module it is
        places.append(ROOT / "tests" / path.parent.parent / f"test_{path.parent.name}.py")
        places.append(ROOT / "tests" / path.parent / f"test_{path.parent.name}.py")
    assert any(place.is_file() for place in places), f"none of {', '.join(map(str, places))}"


def test_the_version_is_one() -> None:
    assert all(part.isdigit() for part in sw.__version__.split("."))


if __name__ == "__main__":
    print("\n".join(surface()))
