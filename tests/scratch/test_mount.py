import os
from pathlib import Path

import pytest

from streamware.scratch import mount
from streamware.scratch.directory import ScratchDirectory


@pytest.mark.parametrize(
    ("system", "kind"),
    [
        ("ext4", "disk"),
        ("tmpfs", "memory"),
        ("ramfs", "memory"),
        ("overlay", "overlay"),
        ("fuse.fuse-overlayfs", "overlay"),
        ("fuse.sshfs", "unknown"),
        (None, "unknown"),
    ],
)
def test_the_kind_goes_by_the_file_system(system: str | None, kind: str) -> None:
    assert mount.kind(system) == kind


@pytest.mark.skipif(not Path("/proc/self/mountinfo").exists(), reason="skipped: needs /proc")
def test_the_file_system_is_that_of_the_descriptor() -> None:
    descriptor = os.open("/proc", os.O_RDONLY)
    try:
        assert mount.file_system(descriptor) == "proc"
    finally:
        os.close(descriptor)


def test_a_descriptor_that_is_none_has_no_file_system() -> None:
    assert mount.file_system(10**6) is None


def test_a_system_without_proc_is_unknown(
    scratch_directory: ScratchDirectory, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mount, "Path", lambda path: folder / "nothing")
    assert mount.file_system(scratch_directory.descriptor()) is None


@pytest.mark.parametrize(
    ("status", "mounts"),
    [("pos: 0\n", ""), ("mnt_id: 7\n", "70 1 0:1 / / rw - ext4 x rw\n"), ("mnt_id: 7\n", "7 -\n")],
    ids=["no mount", "not in sight", "another format"],
)
def test_what_proc_does_not_tell_is_unknown(
    status: str, mounts: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "3").write_text(status)
    (folder / "mountinfo").write_text(mounts)
    monkeypatch.setattr(mount, "Path", lambda path: folder / Path(path).name)
    assert mount.file_system(3) is None
