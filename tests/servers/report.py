"""docs/servers.md, from what the matrix measured."""

from __future__ import annotations

import platform
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from string import Template

from servers import layers
from servers.matrix import CELLS, Cell, Found, Result, Results, stays
from servers.setups import SETUPS, Setup

HEAD = [
    "server",
    "late failure",
    "late failure, HTTP/1.0",
    "late failure, `auto`",
    "the client's leaving is noticed",
    "read ahead",
    "advice",
]
PACKAGES = (
    *("gunicorn", "waitress", "werkzeug", "granian", "uvicorn", "hypercorn", "gevent", "cheroot"),
    *("uwsgi", "a2wsgi", "daphne", "starlette", "litestar"),
)
NONE = "-"
SILENT = "**looks complete**"
MIB = 2**20


def page(results: Results, layered: dict[str, layers.Found]) -> str:
    """The whole document."""
    setups = [setup for setup in SETUPS if setup.name in results]
    rows = [row(setup, results[setup.name]) for setup in setups]
    text = Template((Path(__file__).parent / "servers.md").read_text(encoding="utf-8"))
    filled = text.substitute(
        servers=table([HEAD, *rows]),
        layers=layer_table(layered),
        cells="\n".join(every_cell(setups, results)),
        versions=versions(),
        **summary(rows),
        **proxy(results),
    )
    return "\n\n".join(map(wrapped, filled.strip().split("\n\n"))) + "\n"


def layer_table(layered: dict[str, layers.Found]) -> str:
    """The table of the layers that were measured."""
    there = [layer for layer in layers.LAYERS if layer.name in layered]
    return table([layers.HEAD, *(layers.row(layer, layered[layer.name]) for layer in there)])


def wrapped(block: str) -> str:
    """A paragraph or a list, in lines of 120; tables, titles and code as they are."""
    if block.startswith(("|", "#", "```", "    ")) or "```" in block:
        return block
    items = re.split(r"\n(?=- )", block)
    return "\n".join(
        textwrap.fill(
            " ".join(item.split()),
            120,
            subsequent_indent="  " if item.startswith("- ") else "",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for item in items
    )


def every_cell(setups: Sequence[Setup], results: Results) -> Iterator[str]:
    for title, wanted in KINDS:
        cells = [cell for cell in CELLS if wanted(cell) and measured(cell, results)]
        if cells:
            yield f"### {title}\n"
            yield details(setups, cells, results)


def row(setup: Setup, found: Found) -> list[str]:
    """The line of a server; what it says is the same in every run."""
    cells = found.cells
    return [
        setup.name,
        failure(cells, "fails later"),
        failure(cells, "fails later 1.0"),
        automatic(cells),
        told(cells),
        ahead(cells),
        setup.follows,
    ]


RANKS = (
    (SILENT, "hangs", "no answer", "cut", "500"),
    ("**never**", "by a write", "within 1.5 s", "at once"),
    ("**everything**", "< 32 MiB", "< 12 MiB"),
)
"""What a line may say of an outcome, worst first; what stands nowhere here is text."""


def worse(found: Sequence[str], told: Sequence[str]) -> list[str]:
    """Where a server does worse than its line in the table, or otherwise without being better."""
    pairs = zip(HEAD, found, told, strict=True)
    return [
        f"{title}: {now}, not {then}"
        for title, now, then in pairs
        if now != then and not is_better(now, then)
    ]


def better(found: Sequence[str], told: Sequence[str]) -> list[str]:
    """Where it does better."""
    pairs = zip(HEAD, found, told, strict=True)
    return [f"{title}: {now}, not {then}" for title, now, then in pairs if is_better(now, then)]


def is_better(now: str, then: str) -> bool:
    """Whether both tell an outcome, and the first a better one."""
    return rank(now) > rank(then) >= 0


def rank(said: str) -> int:
    """How good the worst of the outcomes in a cell is; -1 of a cell that tells no outcome."""
    outcomes = [re.sub(r" \(curl \d+\)", "", one) for one in said.split(", ")]
    for ranks in RANKS:
        if set(outcomes) <= set(ranks):
            return min(map(ranks.index, outcomes))
    return -1


def failure(cells: dict[str, Result], name: str) -> str:
    if name not in cells:
        return NONE
    code = cells[f"{name} curl"].seen.code
    return f"{shown(cells[name].saw)} (curl {code})"


def shown(saw: str) -> str:
    return SILENT if saw == "taken for complete" else saw


def automatic(cells: dict[str, Result]) -> str:
    saw = [cells[name].saw for name in AUTO if name in cells]
    return ", ".join(dict.fromkeys(map(shown, saw)))


AUTO = ("auto fails later", "auto fails later 1.0")


def told(cells: dict[str, Result]) -> str:
    """From a source that was blocked when the client left, and one that is spooled slowly."""
    result, spool = cells["blocked, RST"], cells.get("spool that drips, FIN")
    if result.told is not None and result.told < 0.5:
        return "at once"
    if spool is not None and spool.released is not None and spool.released <= 1.5:
        return "within 1.5 s"
    return "**never**" if result.told is None else "by a write"


def ahead(cells: dict[str, Result]) -> str:
    """How much, at the most, of an export of 190 MiB; the sockets alone take some."""
    most = max(found.ahead for name, found in cells.items() if name in STALLED) / MIB
    return next((f"< {bound} MiB" for bound in (12, 32) if most < bound), "**everything**")


STALLED = ("many, stalled", "many, window shut")


def summary(rows: Sequence[Sequence[str]]) -> dict[str, str]:
    return {
        "silent": listed([cells[0] for cells in rows if SILENT in cells[1]]),
        "never": listed([cells[0] for cells in rows if "never" in cells[4]]),
        "greedy": listed([cells[0] for cells in rows if "everything" in cells[5]]),
    }


def listed(names: Sequence[str]) -> str:
    return "; ".join(names) or "none of the measured servers"


def proxy(results: Results) -> dict[str, str]:
    behind = [setup.name for setup in SETUPS if setup.proxy and setup.name in results]
    stalled = [results[name].cells["many, stalled"].ahead / MIB for name in behind]
    unbuffered = [results[name].cells["unbuffered, stalled"].ahead / MIB for name in behind]
    drips = [
        results[s.name].cells["drips"] for s in SETUPS if s.proxy == "1.0" and s.name in behind
    ]
    late = bool(drips) and all(found.seen.arrivals == 1 for found in drips)
    return {
        "buffered": f"{max(stalled, default=0):.0f}",
        "unbuffered": f"{max(unbuffered, default=0):.0f}",
        "drips": "nothing arrived until nginx had 4 KiB or the end" if late else "it arrives late",
    }


KINDS: tuple[tuple[str, Callable[[Cell], bool]], ...] = (
    ("A client that stays", lambda cell: stays(cell) and cell.delivery in ("stream", "auto")),
    ("A client that leaves", lambda cell: not stays(cell) and cell.delivery in ("stream", "auto")),
    ("Spooled, or buffered", lambda cell: cell.delivery in ("spool", "buffer")),
)


def measured(cell: Cell, results: Results) -> bool:
    return any(cell.name in found.cells for found in results.values())


def details(setups: Sequence[Setup], cells: Sequence[Cell], results: Results) -> str:
    """A row a cell, a column a server would be too wide: the other way round it is, too."""
    parts = []
    for start in range(0, len(cells), 7):
        some = cells[start : start + 7]
        lines = [["server", *(cell.name for cell in some)]]
        for setup in setups:
            found = results[setup.name].cells
            lines.append([setup.name, *(detail(cell, found.get(cell.name)) for cell in some)])
        parts.append(table(lines))
    return "\n".join(parts)


def detail(cell: Cell, result: Result | None) -> str:
    if result is None:
        return NONE
    if result.problem:
        return f"**{result.problem}**"
    parts = [shown(result.saw)] if stays(cell) else []
    if not stays(cell) or (result.released or 0) > 0.1:
        parts.append("**never**" if result.released is None else f"{result.released:.1f}")
    if result.left:
        parts.append("left: " + ", ".join(result.left))
    if cell.how in ("stall", "shut"):
        closed = ", rows closed" if result.drained else ""
        parts.append(f"({result.ahead / MIB:.0f} MiB ahead{closed})")
    return " ".join(parts)


def table(lines: Sequence[Sequence[str]]) -> str:
    ruled = [lines[0], ["---"] * len(lines[0]), *lines[1:]]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in ruled)


def versions() -> str:
    told = [f"{name} {found}" for name in PACKAGES if (found := version_of(name))]
    return f"Measured on {platform.system()} with CPython {platform.python_version()}, " + (
        ", ".join(told) + "; over loopback."
    )


def version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
