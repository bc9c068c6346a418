import errno
import logging
import os
import tempfile
from itertools import count
from pathlib import Path

import pytest

from children import NOBODY, needs_linux, needs_root, ran, ran_mounted
from streamware.scratch import removal
from streamware.scratch.process_directory import ProcessDirectory, reap


def test_no_link_is_followed(tmp_path: Path, process_directory: ProcessDirectory) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("rows")
    name, path = process_directory.make_directory()
    (Path(path) / "link").symlink_to(tmp_path / "precious")
    (Path(path) / "sub").mkdir()
    (Path(path) / "sub" / "link").symlink_to(tmp_path / "precious")
    (Path(path) / "sub" / "file").hardlink_to(tmp_path / "precious" / "file")
    assert process_directory.remove(name) == []
    assert (tmp_path / "precious" / "file").read_text() == "rows"


@needs_linux
def test_a_directory_that_became_a_link_is_not_followed(
    tmp_path: Path, process_directory: ProcessDirectory
) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("rows")
    name, path = process_directory.make_directory()
    Path(path).rmdir()
    Path(path).symlink_to(tmp_path / "precious")
    (error,) = process_directory.remove(name)
    assert error.errno == errno.ENOTDIR
    assert (tmp_path / "precious" / "file").exists()
    process_directory.close()
    assert (tmp_path / "precious" / "file").exists()
    assert not Path(path).is_symlink()


READ_ONLY = """
import os, sys
from streamware.scratch.process_directory import ProcessDirectory, reap
from streamware.scratch.directory import ScratchDirectory
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
process_directory = ProcessDirectory(ScratchDirectory(sys.argv[1]))
for mode in (0o500, 0o000, 0o300, 0o600):
    name, path = process_directory.make_directory()
    for inner in ("/a/b/c", "/d/e"):
        os.makedirs(path + inner)
        open(path + inner + "/file", "w").close()
    for inner in ("/a/b/c", "/a/b", "/a", "/d/e", "/d", ""):
        os.chmod(path + inner, mode)
    print(process_directory.remove(name), os.path.exists(path))
"""


@needs_root
def test_directories_that_a_library_made_read_only_are_removed() -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        os.chown(folder, NOBODY, NOBODY)
        assert ran(READ_ONLY, folder).stdout == "[] False\n" * 4
        assert list(Path(folder).iterdir()) == []


DEEP = """
import os, resource, sys
from streamware.scratch.process_directory import ProcessDirectory
from streamware.scratch.directory import ScratchDirectory
process_directory = ProcessDirectory(ScratchDirectory(sys.argv[1]))
name, path = process_directory.make_directory()
os.chdir(path)
for _ in range(3000):
    os.mkdir("a")
    os.chdir("a")
    open("file", "w").close()
os.chdir("/")
resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
print(process_directory.remove(name), os.path.exists(path))
"""


@needs_linux
@pytest.mark.slow
def test_a_tree_of_any_depth_is_removed_with_few_descriptors(folder: Path) -> None:
    assert ran(DEEP, folder).stdout == "[] False\n"
    assert list(folder.iterdir()) == []


MOUNTED = """
import os, subprocess, sys
from streamware.scratch.process_directory import ProcessDirectory, reap
from streamware.scratch.directory import ScratchDirectory
process_directory = ProcessDirectory(ScratchDirectory(sys.argv[1]))
name, path = process_directory.make_directory()
os.makedirs(path + "/sub/mounted")
open(path + "/file", "w").close()
subprocess.run(["mount", "--bind", sys.argv[2], path + "/sub/mounted"], check=True)
print([error.errno for error in process_directory.remove(name)])
print(os.listdir(sys.argv[2]))
with open("/proc/self/mountinfo") as mounts:
    (mounted,) = [at for at in (line.split()[4] for line in mounts) if at.endswith("/mounted")]
subprocess.run(["umount", mounted], check=True)
print(process_directory.remove(name), os.path.exists(path))
"""


@needs_root
@needs_linux
def test_what_is_mounted_in_it_is_not_emptied(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("rows")
    said = ran_mounted(MOUNTED, folder, tmp_path / "precious", options="mode=700").stdout
    assert said == f"[{errno.EBUSY}]\n['file']\n[] False\n"


class Stubborn:
    """Removes names, but for some."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.unlink = os.unlink

    def __call__(self, name: str, *, dir_fd: int) -> None:
        if name in self.names:
            raise OSError(errno.EIO, os.strerror(errno.EIO), name)
        self.unlink(name, dir_fd=dir_fd)


def test_what_resists_is_told_and_the_rest_goes(
    process_directory: ProcessDirectory,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    name, path = process_directory.make_directory()
    for where in ("a", "b", "c"):
        (Path(path) / where).mkdir()
        (Path(path) / where / "file").write_text("rows")
        (Path(path) / where / f"stubborn {where}").write_text("rows")
    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", Stubborn("stubborn a", "stubborn b"))
        errors = process_directory.remove(name)
        assert sorted(str(error.filename) for error in errors) == ["stubborn a", "stubborn b"]
        process_directory.close()
    folder = Path(path).parents[1]
    assert sum(1 for found in folder.rglob("*") if found.is_file()) == 2
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert reap(folder).files == 2


def test_removal_ends_though_somebody_writes(
    process_directory: ProcessDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, path = process_directory.make_directory()
    listdir, numbers = os.listdir, count()

    def writing(directory: int) -> list[str]:
        found = listdir(directory)
        (Path(path) / f"more {next(numbers)}").write_text("rows")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(os, "listdir", writing)
        (error,) = process_directory.remove(name)
    assert error.errno == errno.ENOTEMPTY
    assert process_directory.remove(name) == []


def test_a_file_that_somebody_else_removes_is_no_error(
    process_directory: ProcessDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, path = process_directory.make_directory()
    (Path(path) / "file").write_text("rows")
    unlink = os.unlink

    def late(name: str, *, dir_fd: int) -> None:
        unlink(name, dir_fd=dir_fd)
        unlink(name, dir_fd=dir_fd)

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", late)
        assert process_directory.remove(name) == []


def test_read_only_files_are_removed_by_path_too(tmp_path: Path) -> None:
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    (tmp_path / "tree" / "sub" / "file").write_text("rows")
    reaped = removal.Reaped()
    removal.remove_path(str(tmp_path / "tree"), reaped)
    removal.remove_path(str(tmp_path / "tree"), reaped)
    assert reaped.errors == []
    assert not (tmp_path / "tree").exists()
