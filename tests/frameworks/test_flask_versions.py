"""The tests of Flask pass with every Flask from 2.3 on: the oldest, the newest and the next."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import flask_merged

pytest.importorskip("flask")
pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
TESTS = [HERE / "test_flask.py", HERE / "_support" / "test_flask_contexts.py"]
VERSIONS = {
    "2.3": ["flask==2.3.3", "werkzeug==2.3.8"],
    "3.0": ["flask==3.0.3", "werkzeug==3.0.6"],
    "3.1.0": ["flask==3.1.0", "werkzeug==3.1.0"],
    "newest": ["--pre", "--upgrade", "flask", "werkzeug"],
}


def run_tests(folder: Path) -> None:
    """Run the tests of Flask with what is in a folder in place of what is installed."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            f"--basetemp={folder / 'tmp'}",
            *map(str, TESTS),
        ],
        capture_output=True,
        cwd=HERE.parents[1],
        # An old Flask may use what a new Python deprecates.
        env=os.environ | {"PYTHONPATH": str(folder), "PYTHONWARNINGS": "default"},
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    where = f"import flask; assert flask.__file__.startswith({str(folder)!r}), flask.__file__"
    subprocess.run(
        [sys.executable, "-c", where], env=os.environ | {"PYTHONPATH": str(folder)}, check=True
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_the_tests_of_flask_pass_with(version: str, tmp_path: Path) -> None:
    # Without the pins of the project: the newest may be newer than they are.
    environment = {name: os.environ[name] for name in os.environ if name != "PIP_CONSTRAINT"}
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(tmp_path)]
    installed = subprocess.run(
        [*pip, *VERSIONS[version]],
        capture_output=True,
        env=environment,
        text=True,
        timeout=300,
        check=False,
    )
    if installed.returncode:
        pytest.skip(f"pip cannot install it here: {installed.stderr[-200:]}")
    run_tests(tmp_path)


def test_the_tests_of_flask_pass_with_one_context_for_request_and_application(
    tmp_path: Path,
) -> None:
    flask_merged.write(tmp_path)
    run_tests(tmp_path)
