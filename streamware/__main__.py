"""`python -m streamware`: `demo` shows it at work, `reap` removes scratch of killed processes.

`jobs sweep` removes what jobs no longer need, and `jobs migrate` brings their records up to date.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from importlib import import_module
from types import FrameType
from typing import TypeAlias

from streamware import __version__, kernel
from streamware.errors import StateError
from streamware.jobs.jobs import Jobs
from streamware.scratch.directory import ScratchDirectory
from streamware.scratch.process_directory import reap
from streamware.scratch.removal import counted
from streamware.settings import Settings

# ruff: noqa: T201 - a command line prints

_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - its only name


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m streamware",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,  # else the version is wrapped, too
    )
    parser.add_argument(
        "--version",
        action="version",
        version=f"streamware {__version__}, {kernel.path()}",
        help="print the version, and whether rows are written by the compiled kernel",
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_demo(commands)
    _add_reap(commands)
    _add_jobs(commands)
    options = parser.parse_args(arguments)
    code: int = options.run(options)
    return code


def _demo(options: argparse.Namespace) -> int:
    try:
        from streamware.demo.run import run  # noqa: PLC0415 - its extra may be missing
    except ModuleNotFoundError as missing:
        name = (missing.name or "").partition(".")[0]
        if name not in ("httpx", "starlette", "uvicorn"):
            raise
        print(f"the demo needs {name}: pip install 'streamware-exports[demo]'", file=sys.stderr)
        return 1
    # So that the temporary directory is removed and the server stopped.
    signal.signal(signal.SIGTERM, _exit)
    try:
        return run(options.rows, port=options.port, serve=options.serve)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _reap(options: argparse.Namespace) -> int:
    try:
        given = {} if options.directory is None else {"scratch_dir": options.directory}
        path = Settings(**given).scratch_dir
    except ValueError as problem:
        print(problem, file=sys.stderr)
        return 1
    source = None if options.directory is None else "DIRECTORY"
    directory = ScratchDirectory(None if path is None else os.fspath(path), source=source)
    try:
        reaped = reap(directory)
    finally:
        directory.close()
    for error in reaped.errors:
        print(error, file=sys.stderr)
    counts = f"{counted(reaped.directories, 'directory')}, {counted(reaped.files, 'file')}"
    print(f"removed {counts}, {counted(reaped.bytes, 'byte')} from {directory.path}")
    return 1 if reaped.errors else 0


def _sweep(options: argparse.Namespace) -> int:
    def sweep(jobs: Jobs) -> str:
        swept = jobs.sweep(run_here=False)
        return ", ".join(f"{getattr(swept, field.name)} {field.name}" for field in fields(swept))

    return _look_after(options.jobs, sweep)


def _migrate(options: argparse.Namespace) -> int:
    def migrate(jobs: Jobs) -> str:
        added = jobs.migrate()
        return f"added {', '.join(added)}" if added else "the records are up to date"

    return _look_after(options.jobs, migrate)


def _look_after(place: str, action: Callable[[Jobs], str]) -> int:
    """Do something with the jobs of an application, and print what it says."""
    jobs = _jobs(place)
    if jobs is None:
        return 1
    try:
        print(action(jobs))
    except StateError as error:  # another layout
        print(error, file=sys.stderr)
        return 1
    finally:
        jobs.close()
    return 0


def _jobs(place: str) -> Jobs | None:
    """Return the jobs of an application, such as `app.exports:jobs`; say so if there are none."""
    module, _, name = place.partition(":")
    sys.path.insert(0, "")  # as `python -m` and the servers have it
    try:
        found = import_module(module)
        for part in (name or "jobs").split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        print(f"{place} cannot be imported: {error}", file=sys.stderr)
        return None
    if not isinstance(found, Jobs):
        print(f"{place} is no sw.Jobs, but a {type(found).__name__}", file=sys.stderr)
        return None
    return found


def _add_demo(commands: _Commands) -> None:
    demo = commands.add_parser(
        "demo",
        help="download a SQLite table in every format, and print time, memory and files",
        description="Make a SQLite table of orders, serve it with uvicorn, download it in every"
        " format, and print time, memory and files for each.  Nothing is left behind.",
    )
    demo.set_defaults(run=_demo)
    demo.add_argument(
        "--rows",
        type=_rows,
        default=1_000_000,
        metavar="N",
        help="how many orders (default: 1000000)",
    )
    demo.add_argument(
        "--serve",
        action="store_true",
        help="then keep the server running, with a page of the downloads for a browser",
    )
    demo.add_argument(
        "--port",
        type=_port,
        default=0,
        metavar="N",
        help="port of the server (default: a free one)",
    )


def _add_reap(commands: _Commands) -> None:
    reaping = commands.add_parser(
        "reap",
        help="remove the scratch files that killed processes left behind",
        description="Remove what killed processes of this user left in a scratch directory."
        "  What a running process holds stays.  The exit code is 1 if anything cannot be removed.",
    )
    reaping.set_defaults(run=_reap)
    reaping.add_argument(
        "directory",
        nargs="?",
        metavar="DIRECTORY",
        help="scratch directory (default: STREAMWARE_SCRATCH_DIR, else /var/tmp)",
    )


def _add_jobs(commands: _Commands) -> None:
    jobs = commands.add_parser("jobs", help="look after the jobs of an application")
    actions = jobs.add_subparsers(required=True, metavar="action")
    for name, run, text in (
        ("sweep", _sweep, "remove what has expired and what dead workers left; submit lost jobs"),
        ("migrate", _migrate, "bring the database of the records up to date"),
    ):
        action = actions.add_parser(name, help=text, description=f"{text.capitalize()}.")
        action.set_defaults(run=run)
        action.add_argument(
            "jobs",
            metavar="MODULE:JOBS",
            help="where the application has its sw.Jobs, such as app.exports:jobs",
        )


def _rows(text: str) -> int:
    digits = text.replace("_", "").replace(",", "")
    if not digits.isdecimal() or int(digits) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text!r}")
    return int(digits)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(
            f"must be a whole number up to 65535, not {text!r}; 0 is a free one"
        )
    return int(text)


def _exit(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
