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
    forks._notify_watched()
    assert [holder.told for holder in holders] == [1, 1]


def test_what_is_gone_is_told_nothing() -> None:
    told: list[str] = []

    class Short(Holder):
        def forked(self) -> None:
            told.append("short")

    watch(Short())
    gc.collect()
    forks._notify_watched()
    assert told == []


def test_one_that_fails_keeps_nobody_from_being_told() -> None:
    holders = [Holder(OSError("stuck")), Holder(), Holder(ValueError("stuck too"))]
    for holder in holders:
        watch(holder)
    with pytest.raises(ExceptionGroup) as caught:
        forks._notify_watched()
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


@pytest.mark.slow
@forking
def test_nobody_forks_while_a_descriptor_is_opened_and_not_yet_known() -> None:
    script = """
import warnings; warnings.simplefilter("ignore")
import os, threading
from streamware.scratch import forks

opened, known = threading.Event(), threading.Event()

def open_():
    number = os.open("/", os.O_RDONLY)
    opened.set()
    known.wait(0.3)
    return number

kept = []
thread = threading.Thread(target=lambda: kept.append(forks.ForkSafeFd(open_)))
thread.start()
opened.wait()
child = os.fork()
if not child:
    print([it.number for it in forks._watched if isinstance(it, forks.ForkSafeFd)], flush=True)
    os._exit(0)
os.waitpid(child, 0)
thread.join()
os.fstat(kept[0].number)
kept[0].close()
kept[0].close()
"""
    done = run(script)
    assert (done.stdout, done.stderr) == ("[-1]\n", "")


@forking
def test_a_fork_during_an_opening_by_its_own_thread_goes_on_and_so_do_its_children() -> None:
    script = """
import os, threading
from streamware.scratch import forks

with forks.opening(), forks.opening():
    child = os.fork()
    if not child:
        with forks.opening():
            pass
if not child:
    thread = threading.Thread(
        target=lambda: forks.ForkSafeFd(lambda: os.open("/", os.O_RDONLY)).close()
    )
    thread.start()
    thread.join(5)
    os._exit(thread.is_alive())
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
thread = threading.Thread(target=forks.opening().__enter__)
thread.start()
thread.join(5)
print(thread.is_alive())
"""
    done = run(script)
    assert (done.stdout, done.stderr) == ("0\nFalse\n", "")


@pytest.mark.slow
@forking
def test_who_holds_the_opening_for_ever_keeps_nobody_from_a_fork() -> None:
    script = """
import warnings; warnings.simplefilter("ignore")
import os, threading, time
from streamware.scratch import forks

forks._LONGEST = 0.1
held, end = threading.Event(), threading.Event()

def hang():
    with forks.opening():
        held.set()
        end.wait()

thread = threading.Thread(target=hang)
thread.start()
held.wait()
with forks.opening():
    child = os.fork()
    if not child:
        with forks.opening():
            os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
end.set()
thread.join()
"""
    done = run(script)
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_a_number_that_went_to_another_file_is_not_closed(tmp_path: Path) -> None:
    kept = forks.ForkSafeFd(lambda: os.open(tmp_path, os.O_RDONLY))
    other = os.open(os.devnull, os.O_RDONLY)
    os.dup2(other, kept.number)
    number = kept.number
    assert not kept.is_open()
    kept.forked()
    os.fstat(number)
    os.close(number)
    os.close(other)


def test_a_system_without_forks_can_import_it() -> None:
    before = """
import os
for name in ("fork", "register_at_fork"):
    if hasattr(os, name):
        delattr(os, name)
"""
    done = run(before + "from streamware.scratch.forks import watch; watch(type('It', (), {})())")
    assert (done.stdout, done.stderr) == ("", "")
