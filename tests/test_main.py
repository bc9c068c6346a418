import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from children import PATIENCE, environment
from streamware import __version__, kernel
from streamware.__main__ import main
from streamware.scratch.directory import ScratchDirectory
from streamware.scratch.process_directory import ProcessDirectory


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A scratch directory with what two killed processes left."""
    made = tmp_path / "scratch"
    made.mkdir(mode=0o700)
    for number in range(2):
        left = made / f"streamware-{os.geteuid()}-{number}"
        left.mkdir(mode=0o700)
        (left / "rows").write_bytes(bytes(600))
    return made


def test_reap_says_what_it_removed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reap", str(folder)]) == 0
    said = capsys.readouterr()
    assert said.out == f"removed 2 directories, 2 files, 1,200 bytes from {folder}\n"
    assert said.err == ""
    assert list(folder.iterdir()) == []
    assert main(["reap", str(folder)]) == 0
    assert capsys.readouterr().out.startswith("removed 0 directories, 0 files, 0 bytes")


def test_reap_uses_the_directory_of_the_environment(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMWARE_SCRATCH_DIR", str(folder))
    assert main(["reap"]) == 0
    assert capsys.readouterr().out.startswith("removed 2 directories")


def test_reap_leaves_what_is_held(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ScratchDirectory(str(folder))
    home = ProcessDirectory(place)
    home.make_directory()
    assert main(["reap", str(folder)]) == 0
    assert len(list(folder.iterdir())) == 1
    home.close()
    place.close()


def test_reap_fails_if_something_cannot_be_removed(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stubborn(name: str, *, dir_fd: int) -> None:
        raise OSError(5, "Input/output error", name)

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", stubborn)
        assert main(["reap", str(folder)]) == 1
    said = capsys.readouterr()
    assert said.out.startswith("removed 0 directories")
    assert said.err == "[Errno 5] Input/output error: 'rows'\n" * 2


def test_reap_fails_without_a_safe_directory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reap", str(tmp_path / "nothing")]) == 1
    assert f"{tmp_path / 'nothing'} (DIRECTORY) does not exist" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["", "a\0b"])
def test_reap_says_what_is_wrong_with_its_argument(
    wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reap", wrong]) == 1
    assert "Settings(scratch_dir=…)" in capsys.readouterr().err


def test_reap_says_what_is_wrong_with_the_environment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMWARE_SPOOL_MEMORY", "lots")
    assert main(["reap"]) == 1
    assert (
        "STREAMWARE_SPOOL_MEMORY in the environment must be a whole number, not 'lots'"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("absent", "path"),
    [
        ("", "compiled kernel"),
        ("STREAMWARE_PURE is set", "pure Python (STREAMWARE_PURE is set)"),
        ("x" * 200, f"pure Python ({'x' * 200})"),
    ],
)
def test_the_version_says_what_writes_the_rows(
    absent: str, path: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(kernel, "absent", absent)
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"streamware {__version__}, {path}\n"


def test_the_command_line_reaps(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "streamware", "reap", str(folder)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("removed 2 directories, 2 files, 1,200 bytes")


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module with jobs, which is in the current directory; its folder of exports."""
    (tmp_path / "their_exports.py").write_text(
        "import streamware as sw\n"
        "jobs = sw.Jobs('exports')\n"
        "jobs.define('orders')(lambda: sw.Export([(1,)]))\n"
        "other = 7\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "their_exports", raising=False)
    return tmp_path / "exports"


def test_jobs_sweep_says_what_it_did(application: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["jobs", "sweep", "their_exports:jobs"]) == 0
    said = capsys.readouterr().out
    assert said == "0 resubmitted, 0 ended, 0 expired, 0 forgotten, 0 objects, 0 files\n"
    assert (application / ".jobs.sqlite3").exists()


def test_jobs_migrate_adds_what_is_missing(
    application: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["jobs", "migrate", "their_exports"]) == 0
    assert capsys.readouterr().out == "added streamware_jobs, streamware_jobs_layout\n"
    with sqlite3.connect(application / ".jobs.sqlite3") as database:
        database.execute("ALTER TABLE streamware_jobs DROP COLUMN total")
    database.close()
    assert main(["jobs", "sweep", "their_exports"]) == 1
    assert "run `python -m streamware jobs migrate" in capsys.readouterr().err
    assert main(["jobs", "migrate", "their_exports"]) == 0
    assert main(["jobs", "migrate", "their_exports"]) == 0
    assert capsys.readouterr().out == "added total\nthe records are up to date\n"


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("their_exports:other", "their_exports:other is no sw.Jobs, but a int"),
        ("their_exports:nothing", "their_exports:nothing cannot be imported"),
        ("nowhere:jobs", "nowhere:jobs cannot be imported"),
        (":", ": cannot be imported"),
    ],
)
@pytest.mark.usefixtures("application")
def test_a_place_without_jobs_is_explained(
    place: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["jobs", "sweep", place]) == 1
    assert capsys.readouterr().err.startswith(said)
