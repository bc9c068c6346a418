"""The demo: make the table, serve it, download it in every format, and print the figures."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from time import monotonic

import httpx

from streamware.demo.process import DemoError, ServerProcess
from streamware.demo.server import FORMATS
from streamware.demo.table import COLUMNS, make

# ruff: noqa: T201 - a command line prints

_INTERVAL = 0.2  # seconds between two looks at the server
_TITLES = (
    "format",
    "rows",
    "size",
    "first byte",
    "rows read by then",
    "rows/s",
    "server peak",
    "files on disk",
)


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one download; None if the system does not report one.

    Attributes:
        format: Such as "csv".
        rows: Rows in the document.
        size: Bytes of the document.
        seconds: Time to the last byte.
        first_byte: Seconds to the first byte.
        rows_by_then: Rows that the server had read when the client asked, right after that byte.
        peak: Most bytes of memory that the server had.
        files: Most files that the server had on disk.
    """

    format: str
    rows: int
    size: int
    seconds: float
    first_byte: float
    rows_by_then: int
    peak: int | None
    files: int | None


class Bar:
    """A progress bar: one line on a terminal, nothing anywhere else."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()

    def show(self, what: str, at: int, end: int) -> None:
        """Draw the bar."""
        if self._shown:
            done = 40 * at // end
            bar = "#" * done + "." * (40 - done)
            print(f"\r{what:<7}[{bar}] {at:>11,} rows", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Clear the line."""
        if self._shown:
            print(f"\r{'':<70}\r", end="", file=sys.stderr, flush=True)


def run(rows: int, *, port: int = 0, serve: bool = False) -> int:
    """Run the demo, print its figures, and return the exit code.

    Args:
        rows: How many orders; a million take 180 MB in the directory for temporary files.
        port: Port of the server; 0 is a free one.
        serve: Keep the server running afterwards, until Ctrl-C.
    """
    bar = Bar()
    try:
        with TemporaryDirectory(prefix="streamware-demo-") as folder:
            database = Path(folder, "orders.sqlite3")
            make(database, rows, bar.show)
            with ServerProcess(database, port) as server:
                _measure(server, rows, bar)
                if serve:
                    _wait(server)
    except (DemoError, httpx.HTTPError, sqlite3.OperationalError) as error:
        print(f"the demo failed: {error}", file=sys.stderr)
        if isinstance(error, sqlite3.OperationalError):
            print(f"(in {gettempdir()}; set TMPDIR to use another directory)", file=sys.stderr)
        return 1
    finally:
        bar.clear()
    return 0


def _measure(server: ServerProcess, rows: int, bar: Bar) -> None:
    server.status()  # at the first request the server imports what it needs
    idle = server.peak()
    figures = [_download(server, format_, rows, bar) for format_ in FORMATS]
    bar.clear()
    print(f"{rows:,} orders of {len(COLUMNS)} columns, from SQLite through uvicorn to httpx:\n")
    print(table(figures))
    print(
        "\nThe rows read by then were counted when the client asked, just after its first byte."
        f"\nThe peak is of the whole server; before the first download it had {_megabytes(idle)}."
    )


def _wait(server: ServerProcess) -> None:
    try:
        print(
            f"\n{server.url} has the downloads for your browser; press Ctrl-C to stop.", flush=True
        )
        server.wait()
    except KeyboardInterrupt:
        print()


def _download(server: ServerProcess, format_: str, rows: int, bar: Bar) -> Figures:
    digest, size, files = sha256(), 0, server.files()
    first_byte, rows_by_then = 0.0, 0
    server.reset_peak()
    started = due = monotonic()
    with server.client.stream("GET", "/orders", params={"format": format_}) as response:
        response.raise_for_status()
        for chunk in response.iter_raw():
            if not size:
                first_byte = monotonic() - started
                rows_by_then = server.status()["rows"]
            digest.update(chunk)
            size += len(chunk)
            if monotonic() > due:
                bar.show(format_, server.status()["rows"], rows)
                files = max(files, server.files(), key=lambda count: count or 0)
                due = monotonic() + _INTERVAL
    seconds = monotonic() - started
    if server.receipt() != {"outcome": "complete", "rows": rows, "sha256": digest.hexdigest()}:
        raise DemoError(f"the {format_} document that arrived is not the one that the server sent")
    return Figures(format_, rows, size, seconds, first_byte, rows_by_then, server.peak(), files)


def table(figures: Iterable[Figures]) -> str:
    """Return the figures as a text table with titles."""
    lines = [_TITLES, *map(_line, figures)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])])
        for line in lines
    )


def _line(figures: Figures) -> tuple[str, ...]:
    return (
        figures.format,
        f"{figures.rows:,}",
        _megabytes(figures.size),
        f"{figures.first_byte * 1000:,.0f} ms",
        f"{figures.rows_by_then:,}",
        f"{figures.rows / figures.seconds:,.0f}",
        _megabytes(figures.peak),
        "-" if figures.files is None else str(figures.files),
    )


def _megabytes(size: int | None) -> str:
    return "-" if size is None else f"{size / 1e6:,.1f} MB"
