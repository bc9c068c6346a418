"""Measure what README.md and docs/benchmarks.md say, and write it: `python -m benchmarks`.

It takes about an hour, and a quiet machine: run it in the environment of `rivals.txt`.  A part is
written as soon as it is measured; `--part` names those to measure.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from shutil import which

from benchmarks import delivery, instructions, loop, losses, paths, shapes, small, speed
from benchmarks.contenders import CONTENDERS
from benchmarks.paths import ROOT
from benchmarks.table import conditions, megabytes, placed, table

README, PAGE = ROOT / "README.md", ROOT / "docs" / "benchmarks.md"
WORKLOADS = ("orders", "numbers", "strings")
SHOWN = (("orders", "xlsx"), ("orders", "csv"), ("orders", "xml"), ("numbers", "xlsx"))
"""The workloads and formats of README.md."""
AGAINST = ("80 % None", "integers", "integers and floats", "eight types")
"""The shapes that are compared with csv.writer alone."""
Written = Iterator[tuple[Path, str, str]]
"""A page, the name of its marks, and what stands between them."""


def of_speed(rows: int, rounds: int) -> Written:
    """Yield the tables of `benchmarks.speed`."""
    found = speed.lost(speed.FORMATS)
    results = {
        (workload, form): speed.measure(rows, rounds=rounds, workload=workload, format_name=form)
        for workload in WORKLOADS
        for form in speed.FORMATS
    }
    for workload in AGAINST:
        results[workload, "csv"] = speed.measure(
            rows, rounds=rounds, workload=workload, format_name="csv", only="csv.writer"
        )
    said = _conditions("speed", f"{rows:,} rows, {rounds} rounds", speed.PACKAGES)
    yield README, "speed", readme_table(results, found)
    missing = "\n".join(["", *speed.absent(speed.FORMATS)])
    tables = (
        f"{form}, {workload}\n\n{speed.report(speeds, found)}"
        for (workload, form), speeds in results.items()
    )
    yield PAGE, "speed", "\n\n".join([said + missing, *tables])
    yield PAGE, "targets", speed.summary(results)
    yield PAGE, "losses", losses.report(found)


def readme_table(results: Mapping[tuple[str, str], speed.Speeds], found: speed.Lost) -> str:
    """Return the table of README.md: those that are given rows, by the lowest times."""
    titles = (
        *("document", "contender", "takes", "µs CPU a row", "times ours", "first bytes, s"),
        *("files, MB", "RSS over base, MB", "loses"),
    )
    lines = (
        line
        for workload, form in SHOWN
        for line in _readme_lines(workload, form, results[workload, form], found)
    )
    return table(titles, lines, ("contender", "takes", "loses"))


def _readme_lines(
    workload: str, form: str, speeds: speed.Speeds, found: speed.Lost
) -> Iterator[list[str]]:
    given = {name: one for name, one in speeds.items() if CONTENDERS[name].takes != "given"}
    ours = given[f"streamware {form}"].lowest
    for name, one in sorted(given.items(), key=lambda item: item[1].lowest):
        yield [
            f"{form}, {workload}",
            name,
            CONTENDERS[name].takes,
            f"{one.lowest:.2f}",
            f"{one.lowest / ours:.1f}",
            f"{one.first_chunk:.3f}",
            megabytes(one.disk),
            megabytes(one.rss),
            losses.briefly(found[name]) if name in found else "",
        ]


def of_shapes(rows: int, rounds: int) -> Written:
    """Yield the tables of `benchmarks.shapes`."""
    found = shapes.measure(rows // 5, rounds)
    said = _conditions(
        "shapes", f"{rows // 5:,} rows, {rounds} rounds", ("streamware", "xlsxwriter")
    )
    tables = (
        shapes.reports(found),
        shapes.report_growth(shapes.growth(1000)),
        shapes.report_peaks(shapes.peaks(shapes.LONG_ROWS)),
    )
    yield PAGE, "shapes", "\n\n".join([said, *tables])


def of_delivery(rows: int, rounds: int) -> Written:
    """Yield the table of downloads on both paths."""
    rows *= 6
    with tempfile.TemporaryDirectory() as folder:
        found = delivery.measure_paths(Path(folder), rows, rounds)
    said = _conditions("delivery", f"{rows:,} rows, {rounds} rounds", ("streamware", "uvicorn"))
    yield PAGE, "delivery", f"{said}\n\n{delivery.report_paths(found, rows)}"


def of_small(rows: int, rounds: int) -> Written:
    """Yield the table of small exports, which have few rows whatever others have."""
    rounds *= 3
    found = small.measure_paths(small.ROWS, rounds)
    said = _conditions("small", f"{small.ROWS} rows, {rounds} rounds", small.VERSIONS)
    yield PAGE, "small", f"{said}\n\n{small.report(found)}"


def of_loop(rows: int, rounds: int) -> Written:
    """Yield the tables of the event loop."""
    said = _conditions("loop", f"{rows:,} rows each, {rounds} rounds", ("streamware",))
    tables = (f"{form}\n\n{loop.report(loop.measure(rows, form, rounds))}" for form in loop.FORMATS)
    yield PAGE, "loop", "\n\n".join([said, *tables])


def of_instructions(rows: int, rounds: int) -> Written:
    """Yield the table of instructions, and store them."""
    if which("valgrind") is None:
        print("skipped: needs valgrind")
        return
    found = instructions.measure()
    instructions.write(found)
    said = _conditions("instructions", "callgrind", ("streamware", *instructions.VERSIONS))
    yield PAGE, "instructions", f"{said}\n\n{instructions.report(found, {})}"


def _conditions(module: str, what: str, packages: tuple[str, ...]) -> str:
    _, _, versions = conditions(module, packages).partition("\n\n")
    return f"`python -m benchmarks.{module}`: {what}; {versions.strip()} {paths.said()}."


PARTS: dict[str, Callable[[int, int], Written]] = {
    "speed": of_speed,
    "shapes": of_shapes,
    "delivery": of_delivery,
    "small": of_small,
    "loop": of_loop,
    "instructions": of_instructions,
}


def main() -> None:
    """Measure the parts that the command line names, or all, and write them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--part", choices=PARTS, action="append")
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    for part in options.part or PARTS:
        for page, name, text in PARTS[part](options.rows, options.rounds):
            page.write_text(placed(page.read_text("utf-8"), name, text), "utf-8")
            print(f"{page.name}: {name}\n\n{text}\n", flush=True)


if __name__ == "__main__":
    main()
