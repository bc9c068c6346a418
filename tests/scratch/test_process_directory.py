import errno
import gc
import json
import os
import signal
import stat
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import streamware as sw
from children import (
    NOBODY,
    PATIENCE,
    command,
    environment,
    needs_fork,
    needs_linux,
    needs_root,
    ran,
)
from streamware.scratch import process_directory as module
from streamware.scratch.directory import ScratchDirectory
from streamware.scratch.process_directory import ProcessDirectory, reap


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def orphan(folder: Path, *, files: int = 1) -> Path:
    """What a killed process leaves."""
    made = folder / f"streamware-{os.geteuid()}-{len(names(folder)):016x}"
    (made / "request").mkdir(mode=0o700, parents=True)
    made.chmod(0o700)
    for number in range(files):
        (made / "request" / str(number)).write_bytes(b"rows")
    return made


def test_nothing_is_made_before_it_is_needed(
    folder: Path, process_directory: ProcessDirectory
) -> None:
    process_directory.close()
    assert names(folder) == []


def test_a_directory_is_empty_and_for_this_user_only(
    folder: Path, process_directory: ProcessDirectory
) -> None:
    name, path = process_directory.make_directory()
    made = Path(path)
    (above,) = folder.iterdir()
    assert made == above / name
    assert above.name.startswith(f"streamware-{os.geteuid()}-")
    assert [stat.S_IMODE(there.stat().st_mode) for there in (above, made)] == [0o700, 0o700]
    assert names(made) == []


def test_the_directories_of_a_process_are_in_one(
    folder: Path, process_directory: ProcessDirectory
) -> None:
    made = {process_directory.make_directory()[0] for _ in range(10)}
    (above,) = folder.iterdir()
    assert set(names(above)) == made
    assert len(made) == 10


def test_a_removed_directory_is_gone_and_may_be_removed_again(
    folder: Path, process_directory: ProcessDirectory
) -> None:
    name, path = process_directory.make_directory()
    (Path(path) / "sub").mkdir()
    (Path(path) / "sub" / "file").write_text("rows")
    assert process_directory.remove(name) == []
    assert not Path(path).exists()
    assert process_directory.remove(name) == []
    assert Path(process_directory.make_directory()[1]).is_dir()


def test_a_directory_that_its_user_moved_away_stays(
    tmp_path: Path, process_directory: ProcessDirectory
) -> None:
    name, path = process_directory.make_directory()
    Path(path).rename(tmp_path / "kept")
    assert process_directory.remove(name) == []
    assert (tmp_path / "kept").is_dir()


def test_a_closed_home_leaves_nothing_and_can_be_used_again(
    folder: Path, process_directory: ProcessDirectory
) -> None:
    for _ in range(2):
        (Path(process_directory.make_directory()[1]) / "file").write_text("rows")
        process_directory.close()
        process_directory.close()
        assert names(folder) == []


def test_a_collected_home_leaves_nothing(folder: Path, scratch_directory: ScratchDirectory) -> None:
    process_directory = ProcessDirectory(scratch_directory)
    process_directory.make_directory()
    del process_directory
    gc.collect()
    assert names(folder) == []


def test_a_home_survives_the_close_of_its_place(
    folder: Path, scratch_directory: ScratchDirectory, process_directory: ProcessDirectory
) -> None:
    process_directory.make_directory()
    scratch_directory.close()
    process_directory.close()
    assert names(folder) == []


# The directory of the process, removed or replaced.


def test_a_process_directory_that_was_removed_is_made_again(
    folder: Path, process_directory: ProcessDirectory
) -> None:
    old, path = process_directory.make_directory()
    Path(path).rmdir()
    Path(path).parent.rmdir()
    name, again = process_directory.make_directory()
    assert Path(again).is_dir()
    assert process_directory.remove(old) == []
    assert len(names(folder)) == 1
    assert process_directory.remove(name) == []


def test_the_process_directory_goes_with_the_last_one_in_it(
    folder: Path, process_directory: ProcessDirectory
) -> None:
    first, path = process_directory.make_directory()
    second, _ = process_directory.make_directory()
    process_directory.remove(first)
    assert names(folder) == [Path(path).parent.name]
    process_directory.remove(second)
    assert names(folder) == []
    third, _ = process_directory.make_directory()
    assert len(names(folder)) == 1
    process_directory.remove(third)


def test_a_directory_removed_by_a_finalizer_leaves_the_one_being_made(
    process_directory: ProcessDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, _ = process_directory.make_directory()
    mkdir = os.mkdir

    def collecting(name: str, mode: int, *, dir_fd: int) -> None:
        assert process_directory.remove(old) == []
        mkdir(name, mode, dir_fd=dir_fd)

    with monkeypatch.context() as patch:
        patch.setattr(os, "mkdir", collecting)
        assert Path(process_directory.make_directory()[1]).is_dir()


def test_a_process_directory_removed_at_the_last_moment_is_made_again(
    process_directory: ProcessDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, path = process_directory.make_directory()
    Path(path).rmdir()
    mkdir = os.mkdir

    def late(name: str, mode: int, *, dir_fd: int) -> None:
        if Path(path).parent.exists() and not name.startswith("streamware"):
            Path(path).parent.rmdir()
        mkdir(name, mode, dir_fd=dir_fd)

    with monkeypatch.context() as patch:
        patch.setattr(os, "mkdir", late)
        assert Path(process_directory.make_directory()[1]).is_dir()


def test_a_removed_scratch_directory_is_an_error_until_it_is_back(
    folder: Path, process_directory: ProcessDirectory
) -> None:
    _, path = process_directory.make_directory()
    Path(path).rmdir()
    Path(path).parent.rmdir()
    folder.rmdir()
    with pytest.raises(sw.ScratchError, match="does not exist"):
        process_directory.make_directory()
    folder.mkdir(mode=0o700)
    assert Path(process_directory.make_directory()[1]).is_dir()


def test_a_descriptor_that_others_closed_is_not_closed_again(
    folder: Path, process_directory: ProcessDirectory
) -> None:
    process_directory.make_directory()
    assert isinstance(process_directory._held, module._LockedDirectory)
    number = process_directory._held.descriptor
    os.close(number)
    assert os.open(folder, os.O_RDONLY) == number
    name, _ = process_directory.make_directory()
    assert os.path.samestat(os.fstat(number), folder.stat())
    os.close(number)
    assert process_directory.remove(name) == []
    assert reap(folder).directories == 1


class Disk:
    """Answers a call of `os` or `fcntl` with an error, the first times."""

    def __init__(self, number: int, times: int = 10**6) -> None:
        self.number = number
        self.left = times

    def __call__(self, *arguments: object, **options: object) -> None:
        self.left -= 1
        if self.left >= 0:
            raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EMFILE])
def test_a_place_that_takes_no_directory_is_an_error(
    number: int, folder: Path, process_directory: ProcessDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "mkdir", Disk(number))
        problem = r"\(Settings.scratch_dir\) accepts no directory:"
        with pytest.raises(sw.ScratchError, match=problem):
            process_directory.make_directory()
    with monkeypatch.context() as patch:
        patch.setattr(module, "open_directory", Disk(number))
        with pytest.raises(sw.ScratchError) as caught:
            process_directory.make_directory()
        assert caught.value.errno == number
    assert names(folder) == []
    assert Path(process_directory.make_directory()[1]).is_dir()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EBADF])
def test_a_file_system_without_locks_is_an_error_and_keeps_nothing(
    number: int, folder: Path, process_directory: ProcessDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fcntl.flock", Disk(number))
    with pytest.raises(sw.ScratchError, match="accepts no directory that only this user can enter"):
        process_directory.make_directory()
    assert names(folder) == []


def test_a_umask_that_shuts_us_out_is_an_error(
    folder: Path, process_directory: ProcessDirectory
) -> None:
    before = os.umask(0o277)
    try:
        with pytest.raises(sw.ScratchError, match="has mode 0500"):
            process_directory.make_directory()
    finally:
        os.umask(before)
    assert names(folder) == []


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_the_umask_does_not_open_it(
    mask: int, folder: Path, process_directory: ProcessDirectory
) -> None:
    before = os.umask(mask)
    try:
        process_directory.make_directory()
    finally:
        os.umask(before)
    (above,) = folder.iterdir()
    assert stat.S_IMODE(above.stat().st_mode) == 0o700


def test_a_directory_that_a_reaper_takes_first_is_made_again(
    folder: Path, process_directory: ProcessDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = module._try_lock, []

    def beaten(descriptor: int) -> bool:
        calls.append(descriptor)
        if len(calls) == 1:
            return False
        if len(calls) == 2:
            made = os.fstat(descriptor)
            next(path for path in folder.iterdir() if path.stat().st_ino == made.st_ino).rmdir()
        return real(descriptor)

    monkeypatch.setattr(module, "_try_lock", beaten)
    assert Path(process_directory.make_directory()[1]).is_dir()
    assert len(calls) == 3
    monkeypatch.undo()
    reap(folder)
    assert len(names(folder)) == 1


def test_a_reaper_that_always_comes_first_is_an_error(
    process_directory: ProcessDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_try_lock", lambda descriptor: False)
    with pytest.raises(sw.ScratchError, match="lost 100 new directories in a row"):
        process_directory.make_directory()


# Reaping.


def test_what_nobody_holds_is_reaped_and_counted(
    folder: Path, scratch_directory: ScratchDirectory, process_directory: ProcessDirectory
) -> None:
    orphan(folder, files=3)
    orphan(folder, files=2)
    _, living = process_directory.make_directory()
    reaped = reap(scratch_directory)
    assert (reaped.directories, reaped.files, reaped.bytes, reaped.errors) == (2, 5, 20, [])
    assert Path(living).is_dir()
    assert len(names(folder)) == 1
    assert reap(str(folder)).directories == 0


def test_what_is_not_ours_by_name_stays(folder: Path) -> None:
    (folder / f"streamware-{os.geteuid() + 1}-0").mkdir()
    (folder / "streamware").mkdir()
    (folder / "other").write_text("rows")
    (folder / f"streamware-{os.geteuid()}-link").symlink_to("other")
    reaped = reap(folder)
    assert (reaped.directories, reaped.files, reaped.errors) == (0, 0, [])
    assert len(names(folder)) == 4


@needs_root
def test_root_reaps_nothing_of_another_user(folder: Path) -> None:
    named = folder / f"streamware-{NOBODY}-0"
    owned = folder / "streamware-0-0"
    for made in (named, owned):
        made.mkdir()
        os.chown(made, NOBODY, NOBODY)
    assert reap(folder).directories == 0
    assert len(names(folder)) == 2


def test_a_place_that_is_not_safe_is_not_reaped(tmp_path: Path) -> None:
    assert "does not exist" in str(reap(tmp_path / "nothing").errors[0])
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    left = orphan(tmp_path / "open")
    (error,) = reap(tmp_path / "open").errors
    assert "is not sticky" in str(error)
    assert left.is_dir()


def test_one_that_resists_does_not_keep_the_others(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        orphan(folder)
    (orphan(folder) / "stubborn").write_text("rows")
    unlink = os.unlink

    def stubborn(name: str, *, dir_fd: int) -> None:
        if name == "stubborn":
            raise OSError(errno.EIO, os.strerror(errno.EIO), name)
        unlink(name, dir_fd=dir_fd)

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", stubborn)
        reaped = reap(folder)
    assert (reaped.directories, len(reaped.errors)) == (3, 1)
    assert reap(folder).directories == 1


def test_two_reapers_share_the_work(folder: Path) -> None:
    for _ in range(200):
        orphan(folder)
    results = []
    threads = [threading.Thread(target=lambda: results.append(reap(folder))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(result.directories for result in results) == 200
    assert [result.errors for result in results] == [[]] * 4
    assert names(folder) == []


def test_where_nothing_can_be_locked_nothing_is_reaped(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    orphan(folder)
    monkeypatch.setattr(module, "_LOCKS", False)
    assert reap(folder).directories == 0
    assert len(names(folder)) == 1


def test_no_clock_is_asked(folder: Path) -> None:
    os.utime(orphan(folder), (2**33, 2**33))
    os.utime(orphan(folder), (0, 0))
    assert reap(folder).directories == 2


class Failing:
    """Calls of `os` and `fcntl`, of which one fails, and from then on all or none."""

    CALLS = ("open", "mkdir", "stat", "fstat", "listdir", "rename", "unlink", "rmdir", "fchmod")

    def __init__(self, at: int, number: int, *, for_good: bool) -> None:
        self.at = at
        self.number = number
        self.for_good = for_good
        self.count = 0

    def install(self, patch: pytest.MonkeyPatch) -> None:
        for name in self.CALLS:
            patch.setattr(os, name, self.around(getattr(os, name)))
        patch.setattr("fcntl.flock", self.around(module.__dict__["fcntl"].flock))

    def around(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            self.count += 1
            if self.count == self.at or (self.for_good and self.count > self.at):
                raise OSError(self.number, os.strerror(self.number))
            return real(*arguments, **options)

        return call


@needs_linux
@pytest.mark.parametrize("number", [errno.EIO, errno.EMFILE, errno.EACCES, errno.ENOENT])
@pytest.mark.parametrize("for_good", [False, True], ids=["once", "for good"])
def test_any_call_may_fail_and_the_next_reaper_leaves_nothing(
    number: int, for_good: bool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at, hit = 0, True
    while hit:
        at += 1
        scratch_directory = ScratchDirectory(str(folder))
        process_directory = ProcessDirectory(scratch_directory)
        with monkeypatch.context() as patch:
            failing = Failing(at, number, for_good=for_good)
            failing.install(patch)
            with suppress(sw.ScratchError):
                process_directory.remove(process_directory.make_directory()[0])
            with suppress(sw.ScratchError):
                (Path(process_directory.make_directory()[1]) / "file").write_text("rows")
            reap(scratch_directory)
            process_directory.close()
            scratch_directory.close()
            hit = failing.count >= at
        process_directory.close()
        scratch_directory.close()
        assert reap(folder).errors == []
        assert names(folder) == []
    assert at > 30


# Processes.

LIVING = """
import os, signal, sys
from streamware.scratch.process_directory import ProcessDirectory
from streamware.scratch.directory import ScratchDirectory
process_directory = ProcessDirectory(ScratchDirectory(sys.argv[1]))
for _ in range(3):
    _, path = process_directory.make_directory()
    with open(path + "/rows", "wb") as file:
        file.write(b"rows")
spool = ScratchDirectory(sys.argv[1]).open_unnamed()
os.write(spool, bytes(2**20))
print("ready", flush=True)
sys.stdin.read()
"""


def living(folder: Path) -> subprocess.Popen[str]:
    started = subprocess.Popen(
        command(LIVING, folder),
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    return started


@pytest.mark.slow
def test_after_a_kill_the_next_start_leaves_what_its_sibling_holds(folder: Path) -> None:
    assert names(folder) == []
    with living(folder) as killed, living(folder) as sibling:
        assert len(names(folder)) == 2
        killed.kill()
        killed.wait(PATIENCE)
        assert len(names(folder)) == 2
        reaped = reap(folder)
        assert (reaped.directories, reaped.files, reaped.bytes) == (1, 3, 12)
        (left,) = folder.iterdir()
        assert len(list(left.glob("*/rows"))) == 3
        assert reap(folder).directories == 0
        sibling.kill()
        sibling.wait(PATIENCE)
    assert reap(folder).directories == 1
    assert names(folder) == []


def test_a_clean_shutdown_leaves_nothing(folder: Path) -> None:
    with living(folder) as ended:
        ended.communicate("", timeout=PATIENCE)
    assert ended.returncode == 0
    assert names(folder) == []


FORKED = """
import os, signal, sys
from streamware.scratch.process_directory import ProcessDirectory, reap
from streamware.scratch.directory import ScratchDirectory
where, how = sys.argv[1:]
scratch_directory = ScratchDirectory(where)
process_directory = ProcessDirectory(scratch_directory)
name, path = process_directory.make_directory()
child = os.fork()
if not child:
    if how == "works":
        _, other = process_directory.make_directory()
        assert os.path.dirname(other) != os.path.dirname(path)
        assert process_directory.remove(name) == []
        process_directory.close()
    elif how == "closes":
        process_directory.close()
    elif how == "forgets":
        del process_directory
    sys.exit(0)  # with all that runs at an exit
assert os.waitpid(child, 0)[1] == 0
assert os.path.isdir(path), "the child removed its parent's"
assert reap(where).directories == 0
print(len(os.listdir(where)))
"""


@pytest.mark.slow
@needs_fork
@pytest.mark.parametrize("how", ["exits", "works", "closes", "forgets"])
def test_a_forked_child_deletes_nothing_of_its_parent(how: str, folder: Path) -> None:
    assert ran(FORKED, folder, how).stdout == "1\n"
    assert names(folder) == []


PRELOADED = """
import os, signal, sys
from streamware.scratch.process_directory import ProcessDirectory, reap
from streamware.scratch.directory import ScratchDirectory
scratch_directory = ScratchDirectory(sys.argv[1])
process_directory = ProcessDirectory(scratch_directory)
_, path = process_directory.make_directory()
spare, end = os.pipe()
if os.fork():
    os.kill(os.getpid(), signal.SIGKILL)
os.close(end)
assert os.getppid() >= 0
import time
while True:
    reaped = reap(scratch_directory)
    if reaped.directories:
        break
    time.sleep(0.01)
print(reaped.directories, os.listdir(sys.argv[1]), flush=True)
os._exit(0)
"""


RACE = """
import warnings; warnings.simplefilter("ignore")
import os, sys, threading, time
from streamware.scratch.process_directory import ProcessDirectory, reap
from streamware.scratch.directory import ScratchDirectory

folder = sys.argv[1]
ending = threading.Event()

def work():
    process_directory = ProcessDirectory(scratch_directory)
    while not ending.is_set():
        process_directory.remove(process_directory.make_directory()[0])
        process_directory.close()
        reap(scratch_directory)

scratch_directory = ScratchDirectory(folder)
scratch_directory.descriptor()
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
held = 0
end = time.monotonic() + 3
while time.monotonic() < end:
    child = os.fork()
    if not child:
        found = 0
        for number in os.listdir("/proc/self/fd"):
            try:
                found |= os.readlink(f"/proc/self/fd/{number}").startswith(folder)
            except OSError:
                pass
        os._exit(found)
    held += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
ending.set()
for thread in threads:
    thread.join()
print(held)
"""


@pytest.mark.slow
@needs_fork
@needs_linux
def test_children_forked_while_threads_make_and_remove_hold_nothing(folder: Path) -> None:
    assert ran(RACE, folder).stdout == "0\n"


@needs_fork
def test_a_forked_child_does_not_hold_what_its_parent_left(folder: Path) -> None:
    with subprocess.Popen(
        command(PRELOADED, folder), env=environment(), stdout=subprocess.PIPE, text=True
    ) as parent:
        said, _ = parent.communicate(timeout=PATIENCE)
    assert parent.returncode == -signal.SIGKILL
    assert said == "1 []\n"


@needs_fork
def test_a_child_forked_while_a_directory_is_being_made_can_make_its_own(
    process_directory: ProcessDirectory,
) -> None:
    with process_directory._lock:
        child = os.fork()
        if not child:
            process_directory.make_directory()
            process_directory.close()
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


@needs_fork
def test_a_fork_that_told_nobody_is_noticed(
    process_directory: ProcessDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, path = process_directory.make_directory()
    process = os.getpid()
    held = process_directory._held
    assert held is not None
    monkeypatch.setattr(os, "getpid", lambda: process + 1)
    held.remove()
    assert Path(path).is_dir()
    _, other = process_directory.make_directory()
    assert Path(other).parent != Path(path).parent
    process_directory.close()
    monkeypatch.undo()
    assert Path(path).is_dir()
    assert reap(Path(path).parents[1]).directories == 1


def test_a_program_that_we_start_does_not_hold_the_directory(
    folder: Path, scratch_directory: ScratchDirectory
) -> None:
    process_directory = ProcessDirectory(scratch_directory)
    process_directory.make_directory()
    assert isinstance(process_directory._held, module._LockedDirectory)
    with subprocess.Popen(["sleep", "60"], close_fds=False) as program:
        try:
            process_directory._held.close()
            assert reap(scratch_directory).directories == 1
        finally:
            program.kill()


# A storm: directories come and go while their makers are killed and reapers run.

STORM = """
import json, os, random, signal, sys, time
from streamware.scratch.process_directory import ProcessDirectory, reap
from streamware.scratch.directory import ScratchDirectory

where, report = sys.argv[1:]
over = report + ".over"
log = os.open(report, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def told(word):
    os.write(log, word.encode() + b"\\n")


def creator():
    signal.alarm(0)
    scratch_directory = ScratchDirectory(where)
    while True:
        process_directory = ProcessDirectory(scratch_directory)
        name, path = process_directory.make_directory()
        try:
            open(path + "/rows", "w").close()
            if random.random() < 0.3:
                time.sleep(random.random() / 200)
            os.stat(path + "/rows")
            told("made")
        except FileNotFoundError:
            told("lost")
        if random.random() < 0.5:
            process_directory.remove(name)
        process_directory.close()


def reaper():
    scratch_directory = ScratchDirectory(where)
    while not os.path.exists(over):
        reaped = reap(scratch_directory)
        for error in reaped.errors:
            told("error " + str(error))
        if reaped.directories:
            told("reaped %d" % reaped.directories)


def started(work):
    child = os.fork()
    if not child:
        random.seed()
        try:
            work()
        except BaseException as error:
            told("error " + repr(error))
        os._exit(0)
    return child


reapers = [started(reaper) for _ in range(3)]
creators = [started(creator) for _ in range(6)]
kills = 0


def enough():
    words = open(report).read().split("\\n")
    reaped = sum(int(word.split()[1]) for word in words if word.startswith("reaped"))
    return kills > 100 and words.count("made") > 1000 and reaped > 10


while not enough():
    time.sleep(random.random() / 100)
    victim = random.randrange(len(creators))
    os.kill(creators[victim], signal.SIGKILL)
    os.waitpid(creators[victim], 0)
    kills += 1
    creators[victim] = started(creator)
open(over, "w").close()
for child in creators:
    os.kill(child, signal.SIGKILL)
    kills += 1
for child in creators + reapers:
    os.waitpid(child, 0)
before = len(os.listdir(where))
last = reap(where)
words = open(report).read().split("\\n")
print(json.dumps({
    "made": words.count("made"),
    "kills": kills,
    "lost": words.count("lost"),
    "reaped": sum(int(word[7:]) for word in words if word.startswith("reaped")),
    "before": before,
    "last": last.directories,
    "errors": [word for word in words if word.startswith("error")] + [str(e) for e in last.errors],
    "left": len(os.listdir(where)),
}))
"""


@needs_fork
@needs_linux
@pytest.mark.slow
def test_in_a_storm_nothing_living_is_lost_and_nothing_dead_left(
    tmp_path: Path, folder: Path
) -> None:
    figures = json.loads(ran(STORM, folder, tmp_path / "report").stdout)
    print(figures)
    assert figures["errors"] == []
    assert (figures["lost"], figures["left"]) == (0, 0)
    assert figures["kills"] > 100
    assert figures["made"] > 1000
    assert figures["reaped"] + figures["last"] > 10
