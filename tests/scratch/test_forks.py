import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fakes import PATIENCE
from streamware.scratch import forks
from streamware.scratch.forks import watch

REPOSITORY = Path(__file__).parents[2]
forking = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")


class Holder:
    """Something that a child must be told of."""

    def __init__(self, error: Exception | None = None) -> None:
        self.told = 0
        self.error = error

    def forked(self) -> None:
        self.told += 1
        if self.error is not None:
            raise self.error


def run(script: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", script],
        capture_output=True,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_what_is_watched_is_told() -> None:
    holders = [Holder(), Holder()]
    for holder in holders:
        watch(holder)
        watch(holder)
    forks._tell()
    assert [holder.told for holder in holders] == [1, 1]


def test_what_is_gone_is_told_nothing() -> None:
    told: list[str] = []

    class Short(Holder):
        def forked(self) -> None:
            told.append("short")

    watch(Short())
    gc.collect()
    forks._tell()
    assert told == []


def test_one_that_fails_keeps_nobody_from_being_told() -> None:
    holders = [Holder(OSError("stuck")), Holder(), Holder(ValueError("stuck too"))]
    for holder in holders:
        watch(holder)
    with pytest.raises(ExceptionGroup) as caught:
        forks._tell()
    assert [holder.told for holder in holders] == [1, 1, 1]
    assert {type(error) for error in caught.value.exceptions} == {OSError, ValueError}


FORKED = """
import os, threading
from streamware.scratch.forks import watch

class Holder:
    lock = threading.Lock()
    def forked(self):
        self.lock = threading.Lock()
        print("told", flush=True)

holder = Holder()
watch(holder)
with holder.lock:
    child = os.fork()
    if not child:
        with holder.lock:
            grandchild = os.fork()
            if not grandchild:
                os._exit(0)
            os.waitpid(grandchild, 0)
        os._exit(0)
    os.waitpid(child, 0)
"""


@forking
def test_every_child_is_told_before_its_own_code_runs_and_the_parent_is_not() -> None:
    done = run(FORKED)
    assert (done.stdout, done.stderr) == ("told\ntold\n", "")


def test_a_system_without_forks_can_import_it() -> None:
    before = """
import os
for name in ("fork", "register_at_fork"):
    if hasattr(os, name):
        delattr(os, name)
"""
    done = run(before + "from streamware.scratch.forks import watch; watch(type('It', (), {})())")
    assert (done.stdout, done.stderr) == ("", "")
