import errno
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from oracle import close, settings, storing
from streamware.errors import ScratchError
from streamware.limits import Limits
from streamware.scratch import pool as module
from streamware.scratch.directory import prefix
from streamware.scratch.ledger import Scratch
from streamware.scratch.pool import ScratchPool, scratch_pool, scratch_pools
from streamware.scratch.removal import Reaped
from streamware.settings import Settings
from streamware.values import Values


@pytest.fixture(autouse=True)
def _no_storages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_pools", {})


def orphan(root: Path) -> Path:
    """What a process that was killed has left."""
    made = root / f"{prefix()}0123456789abcdef"
    made.mkdir(0o700)
    (made / "part").write_bytes(b"x" * 5000)
    return made


def test_equal_settings_share_a_storage(root: Path) -> None:
    assert scratch_pool(settings(root)) is scratch_pool(settings(root))
    assert scratch_pool(settings(root)) is not scratch_pool(settings(root, request_files=1))


def test_what_concerns_cells_divides_no_budget(root: Path) -> None:
    other = settings(root, values=Values(), limits=Limits(rows=1))
    assert scratch_pool(other) is scratch_pool(settings(root))
    assert scratch_pool(other).settings.limits is None


def test_files_of_all_requests_are_counted(root: Path) -> None:
    with storing(root, spool_memory=0, request_files=1) as kept:
        first, second = Scratch(kept), Scratch(kept)
        first.spool().write(b"x")
        second.path()
        assert kept.files == 2
        with pytest.raises(ScratchError):
            second.spool().write(b"x")
        assert kept.files == 2
        first.close()
        second.close()
        assert kept.files == 0


def test_a_child_counts_no_files_of_its_parent(root: Path) -> None:
    with storing(root) as kept:
        kept.count(3)
        kept.forked()
        assert kept.files == 0


def test_all_storages_are_known(root: Path) -> None:
    made = [scratch_pool(settings(root)), scratch_pool(settings(root, request_files=1))]
    assert scratch_pools() == made


def test_without_settings_it_is_what_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, root: Path
) -> None:
    monkeypatch.setenv("STREAMWARE_SCRATCH_DIR", str(root))
    assert scratch_pool().directory.path == str(root)
    assert scratch_pool(None) is scratch_pool(Settings())


def test_nothing_is_opened_before_it_is_needed(root: Path) -> None:
    scratch_pool(settings(root / "missing"))


def test_a_directory_that_was_set_is_verified_at_the_start(root: Path) -> None:
    for _ in range(2):
        with pytest.raises(ScratchError, match=r"Settings\.scratch_dir.* does not exist") as caught:
            scratch_pool(settings(root / "missing")).start()
        assert caught.value.errno == errno.ENOENT


def test_the_default_directory_is_looked_at_quietly(
    monkeypatch: pytest.MonkeyPatch, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("STREAMWARE_SCRATCH_DIR", raising=False)
    monkeypatch.setattr("streamware.scratch.directory._default", lambda: str(root / "missing"))
    made = scratch_pool(Settings())
    with caplog.at_level(logging.INFO, "streamware"):
        made.start()
    assert made.signals.total() == 0
    assert not caplog.records
    with pytest.raises(ScratchError, match="the default"):
        made.directory.verify()


def test_what_killed_processes_left_is_removed_once(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    left, made = orphan(root), scratch_pool(settings(root))
    with caplog.at_level(logging.WARNING, "streamware"):
        made.start()
    assert not left.exists()
    assert made.signals["orphans_reaped"] == 1
    assert made.signals["orphan_bytes"] == 5000
    text = "removed what killed processes left: 1 directory, 1 file, 5,000 bytes; 0 errors"
    assert text in caplog.text
    left = orphan(root)
    made.start()
    assert left.exists()
    close(made)
    (left / "part").unlink()
    left.rmdir()


def test_what_resists_is_counted_and_stops_nobody(
    root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    resisting = Reaped(errors=[OSError(errno.EIO, "no")])
    monkeypatch.setattr(module, "reap", lambda _: resisting)
    made = ScratchPool(settings(root))
    with caplog.at_level(logging.WARNING, "streamware"):
        made.start()
    assert made.signals["cleanup_failures"] == 1
    assert "0 directories, 0 files, 0 bytes; 1 error" in caplog.text
    close(made)


def test_what_lost_its_process_before_its_name_is_told_too(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (root / f"{prefix()}0123456789abcdef").write_bytes(b"x")
    made = ScratchPool(settings(root))
    with caplog.at_level(logging.WARNING, "streamware"):
        made.start()
    assert "0 directories, 1 file, 1 byte; 0 errors" in caplog.text
    close(made)


@pytest.mark.parametrize("given", ["/var/tmp", {}, Settings])
def test_what_is_not_settings_is_refused_by_its_name(given: Any) -> None:
    with pytest.raises(TypeError, match=r"settings must be sw\.Settings, not (str|dict|type)"):
        scratch_pool(given)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_forked_child_finds_the_same_storage(root: Path) -> None:
    made = scratch_pool(settings(root))
    made.budget.take(1000)
    child = os.fork()
    if not child:
        same = scratch_pool(settings(root)) is made and made.budget.used == 0
        os._exit(0 if same else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert made.budget.used == 1000
    made.budget.release(1000)
    close(made)
