"""What all benchmarks print: Markdown tables, and the conditions of the measurement."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Container, Iterable, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec


def table(titles: Sequence[str], rows: Iterable[Sequence[str]], texts: Container[str] = ()) -> str:
    """Return a Markdown table; the first column and those named are text, the others figures."""
    figures = ["---" if title in texts else "---:" for title in titles[1:]]
    lines = [titles, ["---", *figures], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def placed(page: str, name: str, text: str) -> str:
    """Return a page with a text between the marks `<!-- measured: NAME -->` and `<!-- end -->`.

    Raises:
        ValueError: The page has no such marks.
    """
    begin, end = f"<!-- measured: {name} -->\n", "<!-- end -->"
    before, mark, rest = page.partition(begin)
    _, found, after = rest.partition(end)
    if not mark or not found:
        raise ValueError(f"the page has no marks for what is measured as {name!r}")
    return f"{before}{begin}{text}\n{end}{after}"


def conditions(module: str, packages: Iterable[str] = ()) -> str:
    """Return the command line, the platform and the versions, to go above a table."""
    command = " ".join(["python -m", module, *sys.argv[1:]])
    system = f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    versions = [f"{name} {_version(name)}" for name in packages]
    return "\n".join([f"`{command}`", "", f"{', '.join([python, *versions])}; {system}.", ""])


def megabytes(count: float) -> str:
    """Return a number of bytes in MB."""
    return f"{count / 1e6:.1f}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        found = import_module(package) if find_spec(package) else None
        return getattr(found, "__version__", "absent")
