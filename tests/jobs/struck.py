"""Jobs whose worker is struck at a phase: killed, stopped, or whatever `strike` does."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import streamware as sw
from streamware.jobs import run as running
from streamware.stores import folder, new_file

PHASES = ("opening", "encoding", "uploading", "publishing", "recording", "recorded")
ROWS = 20_000
Strike = Callable[[], object]


def build(store: Path, records: str | None = None, **options: Any) -> sw.Jobs:
    options.setdefault("submit", lambda _: None)
    options.setdefault("lease", 1.0)
    jobs = sw.Jobs(store, records, **options)
    jobs.define("orders")(lambda: sw.Export(rows, columns=["n", "x"], formats=("csv",)))
    return jobs


def rows() -> Iterator[Any]:
    return ((number, "x" * 50) for number in range(ROWS))


def strike_at(phase: str, strike: Strike, patch: pytest.MonkeyPatch) -> None:
    """Have `strike` called at a phase of the next run."""
    left = [strike]

    def once() -> None:
        if left:
            left.pop()()

    _STRIKES[phase](once, patch)


def _before(once: Strike, call: Callable[..., Any]) -> Callable[..., Any]:
    def struck(*arguments: Any) -> Any:
        once()
        return call(*arguments)

    return struck


def _encoding(once: Strike, patch: pytest.MonkeyPatch) -> None:
    def struck() -> Iterator[Any]:
        for number in range(ROWS):
            if number == ROWS // 2:
                once()
            yield number, "x" * 50

    patch.setattr(sys.modules[__name__], "rows", struck)


def _opening(once: Strike, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sys.modules[__name__], "rows", _before(once, rows))


def _uploading(once: Strike, patch: pytest.MonkeyPatch) -> None:
    write = folder._FileUpload.write
    patch.setattr(folder._FileUpload, "write", _before(once, write))


def _publishing(once: Strike, patch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def struck(*arguments: Any, **options: Any) -> Iterator[Any]:
        with new_file.new_file(*arguments, **options) as file:
            yield file
            once()

    patch.setattr(folder, "new_file", struck)


def _recording(once: Strike, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(running, "finish", _before(once, running.finish))


def _recorded(once: Strike, patch: pytest.MonkeyPatch) -> None:
    finish = running.finish

    def struck(*arguments: Any) -> None:
        finish(*arguments)
        once()

    patch.setattr(running, "finish", struck)


_STRIKES = {
    "opening": _opening,
    "encoding": _encoding,
    "uploading": _uploading,
    "publishing": _publishing,
    "recording": _recording,
    "recorded": _recorded,
}


def main(store: str, id: str, phase: str, number: str) -> None:  # noqa: A002
    jobs = build(Path(store))
    patch = pytest.MonkeyPatch()
    strike_at(phase, lambda: os.kill(os.getpid(), signal.Signals(int(number))), patch)
    jobs.run(id)
    jobs.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
