"""`python -m streamware demo`: see it work, on a table of a million orders."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from types import FrameType

# ruff: noqa: T201 - a command line prints


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m streamware", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    demo = commands.add_parser(
        "demo",
        help="download a SQLite table in every format, and print what that took",
        description="Make a SQLite table of orders, serve it with uvicorn, download it in every"
        " format while its rows are read, and print what that took.  Nothing is left behind.",
    )
    demo.add_argument(
        "--rows", type=_count, default=1_000_000, metavar="N", help="orders (default: 1000000)"
    )
    demo.add_argument(
        "--serve", action="store_true", help="then keep a page with the downloads up for a browser"
    )
    demo.add_argument(
        "--port", type=_port, default=0, metavar="N", help="of the server (default: a free one)"
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
