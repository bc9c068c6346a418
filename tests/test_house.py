"""The shape of the package: short functions, explained attributes, folders that ask a question."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "streamware"
MODULES = sorted(PACKAGE.rglob("*.py"))
FOLDERS = sorted(path for path in PACKAGE.rglob("__init__.py") if path.parent != PACKAGE)
LINES = 40
"""Of code that a function may have, its signature included."""
ATTRIBUTES = 5
"""That an `__init__` may set without a comment at each."""
module = pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef, lines: list[str]) -> int:
    """The lines of a function without its docstring, blank lines and comments."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    if not body:
        return 0
    signature = function.body[0].lineno - function.lineno
    found = lines[body[0].lineno - 1 : function.end_lineno]
    return signature + sum(bool(line.split("#")[0].strip()) for line in found)


def settings_of_self(function: ast.FunctionDef) -> Iterator[ast.Assign | ast.AnnAssign]:
    """The statements that set attributes."""
    for node in ast.walk(function):
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                for part in ast.walk(target):
                    if (
                        isinstance(part, ast.Attribute)
                        and isinstance(part.ctx, ast.Store)
                        and isinstance(part.value, ast.Name)
                        and part.value.id == "self"
                    ):
                        yield node


def is_explained(statement: ast.stmt, lines: list[str]) -> bool:
    """Whether a comment stands on its lines or directly above."""
    own = lines[statement.lineno - 1 : statement.end_lineno]
    return any("#" in line for line in own) or lines[statement.lineno - 2].strip().startswith("#")


@module
def test_no_function_is_long(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    functions = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    sizes = {node.name: code_lines(node, text.splitlines()) for node in functions}
    assert {name: size for name, size in sizes.items() if size > LINES} == {}


@module
def test_where_many_attributes_are_set_each_is_explained(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    unexplained = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            found = list(settings_of_self(node))
            if len(found) > ATTRIBUTES:
                unexplained += [one.lineno for one in found if not is_explained(one, lines)]
    assert unexplained == []


@pytest.mark.parametrize("path", FOLDERS, ids=lambda path: str(path.parent.relative_to(PACKAGE)))
def test_a_folder_begins_with_the_question_that_it_answers(path: Path) -> None:
    told = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    first = re.match(r"[^.!?]*[.!?]", told)
    assert first is not None
    assert first[0].endswith("?")


@module
def test_no_code_is_made_of_text_and_no_verb_means_everything(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    found = re.findall(r"\w*settle\w*|(?<![\w.])(?:exec|eval)\(", text, re.IGNORECASE)
    assert found == []
