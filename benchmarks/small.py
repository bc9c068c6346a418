"""What does a small export cost?

The CPU time of a whole call, with few rows of orders and their titles, is compared with that of
`csv.writer` and XlsxWriter, and through Flask with a plain response that holds what these made.
All take turns; imports are not counted.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from statistics import median
from typing import Any

import streamware as sw
from benchmarks import paths
from benchmarks.table import conditions, table
from benchmarks.workloads import WORKLOADS

ROWS, ROUNDS, SECONDS = 10, 15, 0.02
ORDERS = WORKLOADS["orders"]
VERSIONS = ("streamware", "isal", "orjson", "xlsxwriter", "flask")
MUST = {"CSV": 3.0, "XLSX": 0.5, "CSV, Flask": 2.0}
"""What a small export may cost, as a multiple of the other's time."""

Call = Callable[[], object]


def calls(rows: list[Any]) -> dict[str, tuple[Call, Call]]:
    """Return our call and the other one for each case whose libraries are installed."""
    found: dict[str, tuple[Call, Call]] = {
        "CSV": (lambda: encoded(rows, "csv"), lambda: by_csv_writer(rows)),
    }
    if find_spec("xlsxwriter"):
        found["XLSX"] = (lambda: encoded(rows, "xlsx"), lambda: by_xlsxwriter(rows))
    if find_spec("flask"):
        found |= _by_flask(rows, with_xlsx="XLSX" in found)
    return found


def encoded(rows: list[Any], form: str) -> bytes:
    """Return the document of `encode`."""
    return b"".join(sw.encode(rows, form, columns=ORDERS.titles))


def by_csv_writer(rows: list[Any]) -> bytes:
    """Return what csv.writer makes, as UTF-8."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(ORDERS.titles)
    writer.writerows(rows)
    return text.getvalue().encode()


def by_xlsxwriter(rows: list[Any]) -> bytes:
    """Return the workbook that XlsxWriter makes."""
    import xlsxwriter

    file = io.BytesIO()
    options = {"in_memory": True, "default_date_format": "yyyy-mm-dd hh:mm:ss"}
    book = xlsxwriter.Workbook(file, options)
    sheet = book.add_worksheet()
    for at, row in enumerate([ORDERS.titles, *rows]):
        sheet.write_row(at, 0, row)
    book.close()
    return file.getvalue()


def _by_flask(rows: list[Any], *, with_xlsx: bool) -> dict[str, tuple[Call, Call]]:
    """Return the cases that are requests to an application of Flask, by its test client."""
    import flask

    app = flask.Flask(__name__)
    made = {"csv": by_csv_writer} | ({"xlsx": by_xlsxwriter} if with_xlsx else {})
    client = app.test_client()

    @app.get("/ours/<form>")
    def ours(form: str) -> Any:
        return sw.Export(rows, columns=ORDERS.titles, format=form)

    @app.get("/other/<form>")
    def other(form: str) -> flask.Response:
        named = {"Content-Disposition": f"attachment; filename=export.{form}"}
        return flask.Response(made[form](rows), headers=named)

    def get(path: str) -> bytes:
        with client.get(path) as response:
            data: bytes = response.data
        return data

    return {
        f"{form.upper()}, Flask": (
            lambda form=form: get(f"/ours/{form}"),  # type: ignore[misc]
            lambda form=form: get(f"/other/{form}"),  # type: ignore[misc]
        )
        for form in made
    }


def micros(call: Call, seconds: float = SECONDS) -> float:
    """Return the CPU microseconds of a call, of as many as take some time."""
    count, start = 0, time.process_time()
    while (took := time.process_time() - start) < seconds:
        call()
        count += 1
    return took / count * 1e6


def measure(n: int, rounds: int) -> dict[str, tuple[float, float, float]]:
    """Return our lowest µs a call, those of the other, and the median of the ratios, by case."""
    found = {}
    for name, (ours, other) in calls(list(ORDERS.rows(n))).items():
        pairs = [(micros(ours), micros(other)) for _ in range(rounds)]
        lowest = (min(times) for times in zip(*pairs, strict=True))
        found[name] = (*lowest, median(our / their for our, their in pairs))
    return found


def measure_paths(n: int, rounds: int) -> dict[str, dict[str, tuple[float, float, float]]]:
    """Return what `measure` returns, by path."""
    arguments = ("--here", "--rows", str(n), "--rounds", str(rounds))
    return {
        path: json.loads(paths.ran(path, "benchmarks.small", *arguments))
        for path in paths.available()
    }


def report(found: dict[str, dict[str, tuple[float, float, float]]]) -> str:
    """Return the table of all paths."""
    titles = ["µs CPU a call", *found, "the other", *(f"ratio, {path}" for path in found), "must"]
    first = next(iter(found.values()))
    lines = []
    for name in first:
        each = [of_path[name] for of_path in found.values()]
        others = min(other for _, other, _ in each)
        must = f"{MUST[name]:g}" if name in MUST else ""
        times = [f"{ours:.0f}" for ours, _, _ in each]
        lines.append([name, *times, f"{others:.0f}", *(f"{r:.2f}" for _, _, r in each), must])
    return table(titles, lines)


def main() -> None:
    """Measure what the command line asks for, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--here", action="store_true", help="print the figures of one path as JSON")
    options = parser.parse_args()
    if options.here:
        json.dump(measure(options.rows, options.rounds), sys.stdout)
        return
    found = measure_paths(options.rows, options.rounds)
    print(conditions("benchmarks.small", VERSIONS))
    print(paths.said() + "\n")
    print(report(found))


if __name__ == "__main__":
    main()
