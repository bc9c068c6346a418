"""`python -m streamware`: `demo`, to see it work; `reap`, to clear scratch of killed processes."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from streamware.scratch.directory import ScratchDirectory
from streamware.scratch.process_directory import reap
from streamware.settings import Settings

# ruff: noqa: T201 - a command line prints


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    code: int = options.run(options)
    return code


def _demo(options: argparse.Namespace) -> int:
    try:
        from streamware.demo.run import run  # noqa: PLC0415 - needs the extra that may be missing
    except ModuleNotFoundError as missing:
        name = (missing.name or "").partition(".")[0]
        if name not in ("httpx", "starlette", "uvicorn"):
            raise
        print(f"the demo needs {name}: pip install 'streamware-exports[demo]'", file=sys.stderr)
        return 1
    # So that the temporary directory is removed and the server ended.
    signal.signal(signal.SIGTERM, _end)
    try:
        return run(options.rows, port=options.port, serve=options.serve)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _reap(options: argparse.Namespace) -> int:
    try:
        given = {} if options.directory is None else {"scratch_dir": options.directory}
        directory = Settings(**given).scratch_dir
    except ValueError as problem:
        print(problem, file=sys.stderr)
        return 1
    source = None if options.directory is None else "DIRECTORY"
    place = ScratchDirectory(None if directory is None else os.fspath(directory), source=source)
    try:
        reaped = reap(place)
    finally:
        place.close()
    for error in reaped.errors:
        print(error, file=sys.stderr)
    counts = f"{_several(reaped.directories, 'directory')}, {_several(reaped.files, 'file')}"
    print(f"removed {counts}, {_several(reaped.bytes, 'byte')} from {place.path}")
    return 1 if reaped.errors else 0


def _several(count: int, noun: str) -> str:
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{count:,} {noun if count == 1 else plural}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m streamware", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    demo = commands.add_parser(
        "demo",
        help="download a SQLite table in every format, and print what that took",
        description="Make a SQLite table of orders, serve it with uvicorn, download it in every"
        " format while its rows are read, and print what that took.  Nothing is left behind.",
    )
    demo.set_defaults(run=_demo)
    demo.add_argument(
        "--rows", type=_count, default=1_000_000, metavar="N", help="orders (default: 1000000)"
    )
    demo.add_argument(
        "--serve", action="store_true", help="then keep a page with the downloads up for a browser"
    )
    demo.add_argument(
        "--port", type=_port, default=0, metavar="N", help="of the server (default: a free one)"
    )
    reaping = commands.add_parser(
        "reap",
        help="remove the scratch that killed processes left behind",
        description="Remove what processes of this user that were killed left in a scratch"
        " directory.  What a living process holds stays.  The exit code is 1 if anything resists.",
    )
    reaping.set_defaults(run=_reap)
    reaping.add_argument(
        "directory",
        nargs="?",
        metavar="DIRECTORY",
        help="of the scratch (default: STREAMWARE_SCRATCH_DIR, else /var/tmp)",
    )
    return parser


def _count(text: str) -> int:
    count = int(text.replace("_", "").replace(",", ""))
    if count < 1:
        raise argparse.ArgumentTypeError("there must be one at the least")
    return count


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port < 65_536:
        raise argparse.ArgumentTypeError("a port is below 65536; 0 is a free one")
    return port


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
