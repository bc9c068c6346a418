import errno
import logging
import os
import re
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from shutil import disk_usage
from types import SimpleNamespace

import pytest

import streamware as sw
from children import needs_fork, needs_linux, needs_root, ran, ran_mounted
from streamware.scratch import directory as module
from streamware.scratch import mount
from streamware.scratch.directory import ScratchDirectory
from streamware.scratch.process_directory import reap

GIB = 2**30


def refusal(path: str | Path | None, **options: object) -> str:
    """Why a place is not taken, and that it says so every time."""
    with closing(ScratchDirectory(path and str(path), **options)) as scratch_directory:  # type: ignore[arg-type]
        with pytest.raises(sw.ScratchError) as first:
            scratch_directory.verify()
        with pytest.raises(sw.ScratchError) as second:
            os.close(scratch_directory.open_unnamed())
        assert str(first.value) == str(second.value)
        assert first.value.errno
    return str(first.value)


def link(path: Path) -> str:
    (path / "real").mkdir(mode=0o700)
    (path / "link").symlink_to("real")
    return "link"


def file(path: Path) -> str:
    (path / "file").write_text("")
    return "file"


def below_file(path: Path) -> str:
    return file(path) + "/scratch"


def dangling(path: Path) -> str:
    (path / "link").symlink_to("nothing")
    return "link"


def loop(path: Path) -> str:
    (path / "loop").symlink_to("loop")
    return "loop/scratch"


def with_mode(mode: int) -> Callable[[Path], str]:
    def made(path: Path) -> str:
        (path / "open").mkdir()
        (path / "open").chmod(mode)
        return "open"

    return made


def in_open(path: Path) -> str:
    with_mode(0o777)(path)
    (path / "open/scratch").mkdir(mode=0o700)
    return "open/scratch"


def told_of_nul() -> str:
    """What this version of Python says of a path with a NUL in it."""
    with pytest.raises(ValueError, match="null") as caught:
        os.open("a\0b", os.O_RDONLY)
    return str(caught.value)


BAD = {
    "missing": (lambda path: "nothing", "does not exist: make it, or set Settings.scratch_dir"),
    "file": (file, "is not a directory: set Settings.scratch_dir (STREAMWARE_SCRATCH_DIR"),
    "below a file": (below_file, "is not a directory"),
    "link": (link, "is a symbolic link: name the directory that it leads to"),
    "link and slash": (lambda path: link(path) + "/", "is a symbolic link"),
    "link and dot": (lambda path: link(path) + "/.", "is a symbolic link"),
    "dangling link": (dangling, "is a symbolic link"),
    "loop of links": (loop, "is not a directory"),
    "NUL": (lambda path: "a\0b", f"cannot be opened ({told_of_nul()})"),
    "long name": (lambda path: "a" * 300, "cannot be opened (file name too long)"),
    "open to all": (with_mode(0o777), "can be written to by others (mode 0777) and is not sticky"),
    "open to a group": (with_mode(0o770), "can be written to by others (mode 0770)"),
    "in one that is open to all": (in_open, "lies in a directory that every user can write to"),
}


@pytest.mark.parametrize(("make", "problem"), BAD.values(), ids=BAD.keys())
def test_a_directory_that_is_not_safe_is_refused(
    make: Callable[[Path], str], problem: str, tmp_path: Path
) -> None:
    given = f"{tmp_path}/{make(tmp_path)}"
    text = refusal(given)
    assert problem in text
    assert f"{given.rstrip('/.')} (Settings.scratch_dir)" in text


@pytest.mark.parametrize("make", [with_mode(0o777), in_open], ids=["itself", "above"])
def test_the_cure_for_an_open_directory_is_named_and_cures(
    make: Callable[[Path], str], tmp_path: Path
) -> None:
    path = tmp_path / make(tmp_path)
    assert re.search(r"chmod \+t (it|that one) \(a Kubernetes emptyDir is not", refusal(path))
    (tmp_path / "open").chmod(0o1777)
    with closing(ScratchDirectory(str(path))) as scratch_directory:
        scratch_directory.verify()


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o2750, 0o1777])
def test_a_directory_of_ours_is_taken(
    mode: int, folder: Path, scratch_directory: ScratchDirectory
) -> None:
    folder.chmod(mode)
    scratch_directory.verify()
    scratch_directory.verify()
    assert os.path.samestat(os.fstat(scratch_directory.descriptor()), folder.stat())
    assert not os.get_inheritable(scratch_directory.descriptor())


def test_nothing_is_looked_at_before_it_is_needed() -> None:
    assert ScratchDirectory("/no/such/directory").path == "/no/such/directory"


def test_the_directory_stays_where_it_was_when_the_process_moves(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    with closing(ScratchDirectory("scratch")) as scratch_directory:
        monkeypatch.chdir("/")
        scratch_directory.verify()
        assert scratch_directory.path == str(folder)


def test_no_name_is_not_the_working_directory() -> None:
    with pytest.raises(ValueError, match="must have a name"):
        ScratchDirectory("")


def test_the_default_is_var_tmp_whatever_tempfile_says(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    assert ScratchDirectory(None).path == "/var/tmp"


def test_the_default_of_windows_is_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "os", SimpleNamespace(name="nt", environ=os.environ, path=os.path))
    monkeypatch.setenv("LOCALAPPDATA", "/C/Users/me/AppData/Local")
    assert module._default() == "/C/Users/me/AppData/Local/Temp"


def test_a_message_names_what_named_the_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "/nothing (Settings.scratch_dir) does not exist" in refusal("/nothing")
    monkeypatch.setenv("STREAMWARE_SCRATCH_DIR", "/nothing")
    assert "/nothing (STREAMWARE_SCRATCH_DIR) does not exist" in refusal("/nothing")
    assert "/nothing (for a test) does not exist" in refusal("/nothing", source="for a test")
    monkeypatch.setattr(module, "_default", lambda: "/nothing")
    assert "/nothing (the default) does not exist" in refusal(None)


AS_NOBODY = """
import os, sys
from streamware.errors import ScratchError
from streamware.scratch.directory import ScratchDirectory
scratch_directory = ScratchDirectory(sys.argv[1])
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
try:
    os.close(scratch_directory.open_unnamed())
    os.close(scratch_directory.open_host_lock_file())
    print("taken")
except ScratchError as error:
    print(error)
"""


@pytest.fixture
def outside() -> Iterator[Path]:
    """A directory that other users can come to, unlike `tmp_path`."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        made = Path(name)
        made.chmod(0o755)
        yield made


@pytest.mark.slow
@needs_root
@pytest.mark.parametrize(
    ("owner", "mode", "said"),
    [
        (65534, 0o700, "taken"),
        (0, 0o1777, "taken"),
        (0, 0o755, "cannot be written to by uid 65534 of this process: set Settings.scratch_dir"),
        (0, 0o700, "cannot be opened (permission denied)"),
        (1234, 0o755, "belongs to uid 1234, not to uid 65534 of this process or root"),
        (1234, 0o1777, "belongs to uid 1234"),
    ],
)
def test_a_directory_is_ours_or_that_of_root(
    owner: int, mode: int, said: str, outside: Path
) -> None:
    folder = outside / "scratch"
    folder.mkdir()
    os.chown(folder, owner, owner)
    folder.chmod(mode)
    assert said in ran(AS_NOBODY, folder).stdout


@needs_root
def test_root_does_not_work_in_the_directory_of_a_user(folder: Path) -> None:
    os.chown(folder, 1234, 1234)
    assert "belongs to uid 1234, not to uid 0 of this process or root" in refusal(folder)


@needs_root
def test_the_ledger_of_another_user_is_not_opened(outside: Path) -> None:
    folder = outside / "scratch"
    folder.mkdir()
    folder.chmod(0o1777)
    squatted = folder / ".streamware-budget-65534"
    squatted.write_text("")
    squatted.chmod(0o666)
    assert ".streamware-budget-65534" in ran(AS_NOBODY, folder).stdout


KIND = """
import logging, os, sys
from streamware.errors import ScratchError
from streamware.scratch import mount
from streamware.scratch.directory import ScratchDirectory
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
try:
    scratch_directory = ScratchDirectory(sys.argv[1], memory_backed=sys.argv[2])
    print("kind:", mount.kind(mount.file_system(scratch_directory.descriptor())))
    print("room:", scratch_directory.check_room(1))
    os.close(scratch_directory.open_unnamed())
except ScratchError as error:
    print(error)
"""


@pytest.mark.slow
@needs_root
@needs_linux
@pytest.mark.parametrize("kind", ["tmpfs", "ramfs"])
def test_memory_is_warned_about_or_refused(kind: str, folder: Path) -> None:
    warned = ran_mounted(KIND, folder, "warn", kind=kind, options="mode=700").stdout
    assert f"{folder} (Settings.scratch_dir) is on {kind}, which is memory, not disk: " in warned
    assert "kind: memory\nroom: None\n" in warned
    refused = ran_mounted(KIND, folder, "refuse", kind=kind, options="mode=700").stdout
    assert f"is on {kind}, which is memory, not disk, refused by Settings." in refused
    assert "kind:" not in refused


@needs_root
@needs_linux
def test_what_is_below_an_overlay_cannot_be_told(tmp_path: Path) -> None:
    for name in ("lower", "upper", "work", "scratch"):
        (tmp_path / name).mkdir(mode=0o700)
    parts = ",".join(f"{name}dir={tmp_path / name}" for name in ("lower", "upper", "work"))
    said = ran_mounted(KIND, tmp_path / "scratch", "refuse", kind="overlay", options=parts).stdout
    assert "is on an overlay, which hides whether it is disk or memory" in said
    assert "kind: overlay" in said


@needs_root
@needs_linux
def test_a_read_only_file_system_is_refused(folder: Path) -> None:
    said = ran_mounted(KIND, folder, "warn", options="mode=700,ro").stdout
    assert "is on a file system that is mounted read-only: set Settings.scratch_dir" in said


def test_memory_is_warned_about_once_a_process(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(mount, "file_system", lambda descriptor: "tmpfs")
    for _ in range(3):
        with closing(ScratchDirectory(str(folder))) as scratch_directory:
            scratch_directory.verify()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_a_file_has_no_name_and_never_gets_one(
    folder: Path, scratch_directory: ScratchDirectory
) -> None:
    file = scratch_directory.open_unnamed()
    try:
        assert list(folder.iterdir()) == []
        os.write(file, b"rows")
        assert os.pread(file, 10, 0) == b"rows"
        assert not os.get_inheritable(file)
        status = os.fstat(file)
        assert (stat.S_IMODE(status.st_mode), status.st_nlink) == (0o600, 0)
        if module._UNNAMED:
            with pytest.raises(FileNotFoundError):
                os.link(f"/proc/self/fd/{file}", "name", dst_dir_fd=scratch_directory.descriptor())
    finally:
        os.close(file)


class Disk:
    """Opens files, with an error for those of some flag."""

    def __init__(self, flag: int, number: int) -> None:
        self.flag = flag
        self.number = number
        self.open = os.open

    def __call__(
        self, path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None
    ) -> int:
        if flags & self.flag == self.flag:
            raise OSError(self.number, os.strerror(self.number))
        return self.open(path, flags, mode, dir_fd=dir_fd)


@needs_linux
@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT])
def test_without_unnamed_files_the_name_goes_at_once(
    number: int, folder: Path, scratch_directory: ScratchDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "open", Disk(os.O_TMPFILE, number))
    file = scratch_directory.open_unnamed()
    assert os.fstat(file).st_nlink == 0
    assert stat.S_IMODE(os.fstat(file).st_mode) == 0o600
    assert list(folder.iterdir()) == []
    os.close(file)


def test_a_system_without_unnamed_files_takes_a_name_away(
    folder: Path, scratch_directory: ScratchDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_UNNAMED", 0)
    os.close(scratch_directory.open_unnamed())
    assert list(folder.iterdir()) == []


@needs_linux
@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.EROFS, errno.EACCES, errno.EIO]
)
def test_no_other_error_leads_to_a_name(
    number: int, scratch_directory: ScratchDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch_directory.verify()
    monkeypatch.setattr(os, "open", Disk(os.O_TMPFILE, number))
    monkeypatch.setattr(module, "prefix", lambda: pytest.fail("a name was made"))
    with pytest.raises(sw.ScratchError, match="accepts no file") as caught:
        scratch_directory.open_unnamed()
    assert caught.value.errno == number
    assert "bytes and" in str(caught.value)
    assert "(Settings.scratch_dir)" in str(caught.value)


def test_a_name_that_its_process_did_not_live_to_remove_is_reaped(
    folder: Path, scratch_directory: ScratchDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(name: str, *, dir_fd: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_UNNAMED", 0)
    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            scratch_directory.open_unnamed()
    assert len(list(folder.iterdir())) == 1
    assert (reap(scratch_directory).files, list(folder.iterdir())) == (1, [])


def test_a_reaper_may_be_faster_than_the_owner_of_a_name(
    scratch_directory: ScratchDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlink = os.unlink

    def late(name: str, *, dir_fd: int) -> None:
        unlink(name, dir_fd=dir_fd)
        unlink(name, dir_fd=dir_fd)

    monkeypatch.setattr(module, "_UNNAMED", 0)
    monkeypatch.setattr(os, "unlink", late)
    os.close(scratch_directory.open_unnamed())


EXHAUSTED = """
import errno, os, resource, sys
from streamware.errors import ScratchError
from streamware.scratch.process_directory import ProcessDirectory
from streamware.scratch.directory import ScratchDirectory
scratch_directory = ScratchDirectory(sys.argv[1])
scratch_directory.verify()
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
for make in (scratch_directory.open_unnamed, ProcessDirectory(scratch_directory).make_directory):
    opened = []
    try:
        while make == scratch_directory.open_unnamed or len(opened) == 0:
            opened.append(make())
            if make != scratch_directory.open_unnamed:
                opened.pop()
    except ScratchError as error:
        assert error.errno == errno.EMFILE, error
        print(len(opened), error)
        if make == scratch_directory.open_unnamed:
            keep = opened
print(os.stat(sys.argv[1]).st_nlink, sum(1 for _ in keep))
"""


@needs_linux
def test_a_lack_of_descriptors_is_an_error_and_leaves_no_name(folder: Path) -> None:
    said = ran(EXHAUSTED, folder).stdout
    assert said.count("Too many open files") == 2
    assert list(folder.iterdir()) == []


def test_a_removed_directory_is_an_error_until_it_is_made_again(
    folder: Path, scratch_directory: ScratchDirectory
) -> None:
    file, number = scratch_directory.open_unnamed(), scratch_directory.descriptor()
    folder.rmdir()
    with pytest.raises(sw.ScratchError, match="does not exist"):
        scratch_directory.open_unnamed()
    assert os.write(file, b"goes on") == 7
    assert scratch_directory.check_room(1) is None
    os.close(file)
    folder.mkdir(mode=0o700)
    os.close(scratch_directory.open_unnamed())
    assert scratch_directory.descriptor() == number
    assert os.path.samestat(os.fstat(number), folder.stat())
    assert not os.get_inheritable(number)


def test_a_directory_that_took_its_place_is_verified(
    folder: Path, scratch_directory: ScratchDirectory
) -> None:
    scratch_directory.verify()
    folder.rename(folder.with_name("old"))
    folder.symlink_to("old")
    with pytest.raises(sw.ScratchError, match="is a symbolic link"):
        scratch_directory.open_unnamed()
    folder.unlink()
    folder.mkdir(mode=0o700)
    folder.chmod(0o777)
    with pytest.raises(sw.ScratchError, match="is not sticky"):
        scratch_directory.open_unnamed()


def test_a_directory_removed_at_the_last_moment_is_opened_again(
    folder: Path, scratch_directory: ScratchDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch_directory.verify()
    descriptor, calls = scratch_directory.descriptor, []

    def late() -> int:
        calls.append(descriptor())
        if len(calls) == 1:
            folder.rmdir()
            folder.mkdir(mode=0o700)
        return calls[-1]

    monkeypatch.setattr(scratch_directory, "descriptor", late)
    os.close(scratch_directory.open_unnamed())
    assert len(calls) == 2


def test_a_number_that_others_have_taken_is_left_alone(
    folder: Path, scratch_directory: ScratchDirectory
) -> None:
    number = scratch_directory.descriptor()
    os.close(number)
    assert os.open("/", os.O_RDONLY) == number
    os.close(scratch_directory.open_unnamed())
    assert scratch_directory.descriptor() != number
    scratch_directory.close()
    assert os.path.samestat(os.fstat(number), Path("/").stat())
    os.close(number)


def test_a_closed_place_opens_again(folder: Path) -> None:
    scratch_directory = ScratchDirectory(str(folder))
    for _ in range(2):
        os.close(scratch_directory.open_unnamed())
        scratch_directory.close()
        scratch_directory.close()


@dataclass
class FileSystem:
    """What statvfs(3) says; free for root is far more than for us."""

    path: str
    f_frsize: int = 4096
    f_bsize: int = 65_536
    f_blocks: int = 1000
    f_bfree: int = 10**9
    f_bavail: int = 1000
    f_files: int = 0
    f_ffree: int = 10**9
    f_favail: int = 0
    f_flag: int = 0


@pytest.fixture
def full(folder: Path, monkeypatch: pytest.MonkeyPatch) -> FileSystem:
    made = FileSystem(str(folder))
    monkeypatch.setattr(os, "fstatvfs", lambda descriptor: made)
    return made


KEPT = {
    "5 % of it": (1000, 10, None, 50 * 4096),
    "1 GiB of it": (2**30, 10, None, 2**30),
    "nothing": (1000, 60, 0, 0),
    "all there is": (1000, 60, 60 * 4096, 60 * 4096),
}


@pytest.mark.parametrize(("blocks", "over", "keep", "kept"), KEPT.values(), ids=KEPT.keys())
def test_a_share_of_the_bytes_is_kept_free(
    blocks: int, over: int, keep: int | None, kept: int, full: FileSystem
) -> None:
    full.f_blocks, full.f_bavail = blocks, kept // 4096 + over
    with closing(ScratchDirectory(full.path, keep_free_bytes=keep)) as scratch_directory:
        assert scratch_directory.check_room(over * 4096) is None
        assert scratch_directory.check_room(over * 4096 + 1) is not None


@pytest.mark.parametrize("keep", [None, 10**9])
def test_a_file_system_without_a_size_has_room(keep: int | None, full: FileSystem) -> None:
    full.f_blocks = full.f_bavail = 0
    with closing(ScratchDirectory(full.path, keep_free_bytes=keep)) as scratch_directory:
        assert scratch_directory.check_room(10**12) is None


@pytest.mark.parametrize(
    ("files", "free", "room"),
    [(100, 6, True), (100, 5, False), (10**6, 1001, True), (10**6, 1000, False), (0, 0, True)],
)
def test_a_share_of_the_inodes_is_kept_free(
    files: int, free: int, room: bool, full: FileSystem
) -> None:
    full.f_files, full.f_favail = files, free
    with closing(ScratchDirectory(full.path)) as scratch_directory:
        assert (scratch_directory.check_room(1) is None) == room


def test_more_to_be_kept_free_than_there_is_is_a_mistake(folder: Path) -> None:
    whole = disk_usage(folder).total
    with closing(ScratchDirectory(str(folder), keep_free_bytes=whole)) as scratch_directory:
        scratch_directory.verify()
    with (
        closing(ScratchDirectory(str(folder), keep_free_bytes=whole + 1)) as scratch_directory,
        pytest.raises(sw.ScratchError, match=r"lower Settings\.keep_free_bytes \(STREAM") as caught,
    ):
        scratch_directory.verify()
    assert caught.value.errno == errno.EINVAL


def test_no_room_is_explained(full: FileSystem) -> None:
    with closing(ScratchDirectory(full.path)) as scratch_directory:
        full.f_bavail = 60
        assert scratch_directory.check_room(100_000) == (
            f"no room for 100,000 bytes of scratch: the scratch directory {full.path}"
            " (Settings.scratch_dir) has 245,760 of 4,096,000 bytes free, and 204,800 are kept"
            " free by Settings.keep_free_bytes (STREAMWARE_KEEP_FREE_BYTES): remove files, or set"
            " Settings.scratch_dir (STREAMWARE_SCRATCH_DIR) to another"
        )
        full.f_files, full.f_favail = 100, 5
        assert scratch_directory.check_room(1) == (
            f"no room for another scratch file: the scratch directory {full.path}"
            " (Settings.scratch_dir) has 5 of 100 inodes free, and 5 are kept free: remove files,"
            " or set Settings.scratch_dir (STREAMWARE_SCRATCH_DIR) to another"
        )


INODES = """
import os, sys
from streamware.errors import ScratchError
from streamware.scratch.directory import ScratchDirectory
scratch_directory = ScratchDirectory(sys.argv[1])
opened = []
while (problem := scratch_directory.check_room(1)) is None:
    opened.append(scratch_directory.open_unnamed())
print(len(opened), problem)
try:
    while True:
        opened.append(scratch_directory.open_unnamed())
except ScratchError as error:
    print(len(opened), error)
"""


@needs_root
@needs_linux
def test_inodes_run_out_before_bytes(folder: Path) -> None:
    options = "size=8m,nr_inodes=64,mode=700"
    looked, failed = ran_mounted(INODES, folder, options=options).stdout.splitlines()
    assert "no room for another scratch file" in looked
    assert "of 64 inodes free, and 3 are kept free" in looked
    assert "No space left on device; " in failed
    assert "0 of 64 inodes are free" in failed


def test_the_ledger_is_one_file_that_stays(
    folder: Path, scratch_directory: ScratchDirectory
) -> None:
    first, second = scratch_directory.open_host_lock_file(), scratch_directory.open_host_lock_file()
    assert os.path.samestat(os.fstat(first), os.fstat(second))
    assert not os.get_inheritable(first)
    os.close(first)
    os.close(second)
    (name,) = folder.iterdir()
    assert name.name == f".streamware-budget-{os.geteuid()}"
    assert stat.S_IMODE(name.stat().st_mode) == 0o600
    assert reap(scratch_directory).errors == []
    assert name.exists()


def test_a_ledger_that_others_could_lock_is_closed_to_them(
    folder: Path, scratch_directory: ScratchDirectory
) -> None:
    ledger = folder / f".streamware-budget-{os.geteuid()}"
    ledger.write_text("")
    ledger.chmod(0o666)
    os.close(scratch_directory.open_host_lock_file())
    assert stat.S_IMODE(ledger.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "squat",
    [
        lambda name: name.symlink_to("elsewhere"),
        lambda name: name.mkdir(),
        os.mkfifo,
        lambda name: (name.with_name("else").write_text(""), name.hardlink_to("else")),
    ],
    ids=["link", "directory", "fifo", "hard link"],
)
def test_a_ledger_that_is_something_else_is_an_error(
    squat: Callable[[Path], object],
    folder: Path,
    scratch_directory: ScratchDirectory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(folder)
    squat(folder / f".streamware-budget-{os.geteuid()}")
    with pytest.raises(sw.ScratchError, match=r"\.streamware-budget-"):
        scratch_directory.open_host_lock_file()
    assert not (folder / "elsewhere").exists()


@needs_fork
def test_a_forked_child_drops_the_descriptor_and_opens_its_own(
    scratch_directory: ScratchDirectory,
) -> None:
    number = scratch_directory.descriptor()
    child = os.fork()
    if not child:
        try:
            os.fstat(number)
        except OSError:
            os.close(scratch_directory.open_unnamed())
            os._exit(0)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    os.fstat(number)


@needs_fork
def test_a_child_forked_while_the_place_is_being_opened_can_open_it(
    scratch_directory: ScratchDirectory,
) -> None:
    with scratch_directory._lock:
        child = os.fork()
        if not child:
            os.close(scratch_directory.open_unnamed())
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


BARE = """
import os, sys
sys.modules["fcntl"] = None
sys.platform = "another"
os.supports_dir_fd.clear()
for name in ("O_TMPFILE", "O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK", "geteuid",
             "fstatvfs", "fork", "register_at_fork", "fchmod", "ST_RDONLY"):
    delattr(os, name)
import streamware
from streamware.errors import ScratchError
from streamware.scratch import mount
from streamware.scratch.process_directory import ProcessDirectory, reap
from streamware.scratch.directory import ScratchDirectory
scratch_directory, where = ScratchDirectory(sys.argv[1]), sys.argv[1]
scratch_directory.verify()
assert mount.kind(mount.file_system(0)) == "unknown"
assert scratch_directory.check_room(1) is None
assert "no room for" in scratch_directory.check_room(10**15)
file = scratch_directory.open_unnamed()
assert os.listdir(where) == []
os.write(file, b"rows")
os.close(file)
process_directory = ProcessDirectory(scratch_directory)
name, path = process_directory.make_directory()
os.makedirs(path + "/a/b")
open(path + "/a/b/file", "w").close()
other, _ = process_directory.make_directory()
assert reap(scratch_directory).directories == 0
assert process_directory.remove(name) == []
assert not os.path.exists(path)
assert process_directory.remove(name) == []
process_directory.close()
assert os.listdir(where) == []
_, path = process_directory.make_directory()
print(path)
for bad in ("/nothing", __file__ if "__file__" in globals() else "/etc/passwd", where + "/link"):
    os.path.exists(where + "/link") or os.symlink("/", where + "/link")
    try:
        ScratchDirectory(bad).verify()
    except ScratchError as error:
        print(error)
os.unlink(where + "/link")
try:
    scratch_directory.open_host_lock_file()
except ScratchError as error:
    print(error)
"""


def test_a_system_without_locks_descriptors_and_unnamed_files_has_scratch(folder: Path) -> None:
    lines = ran(BARE, folder).stdout.splitlines()
    assert lines[0].startswith(f"{folder}/streamware-0-")
    assert [said in line for said, line in zip(WITHOUT, lines[1:], strict=True)] == [True] * 4
    assert list(folder.iterdir()) == []


WITHOUT = ["does not exist", "is not a directory", "is a symbolic link", "has no lock file"]
