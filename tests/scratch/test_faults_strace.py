"""The faults once more, from the kernel's side: what Python itself does with them is in it."""

from pathlib import Path
from typing import Any

import pytest

from oracle import disk
from struck import CALLS, LATE, struck

pytestmark = pytest.mark.slow


def swept(folder: Path, what: str, *calls: str) -> dict[str, list[Any]]:
    with disk(folder) as root:
        try:
            return struck(root, what, calls or tuple(CALLS))
        except OSError as error:
            pytest.skip(f"skipped: needs strace and the right to trace ({error.strerror})")


def judged(found: dict[str, list[Any]], *outcomes: str) -> None:
    """Each call was struck, every time it was made, with one of the outcomes and nothing left."""
    for call, runs in found.items():
        assert runs[-1] == [LATE, "", ""], call
        assert len(runs) > 1, call
        for at, (outcome, _, left) in enumerate(runs[:-1], 1):
            assert outcome in outcomes, f"{call} at {at}"
            assert left == "", f"{call} at {at}"


@pytest.mark.parametrize("error", ["ENOSPC", "EIO", "EMFILE"])
def test_an_error_of_the_kernel_is_named_and_nothing_is_left(error: str, tmp_path: Path) -> None:
    judged(swept(tmp_path, f"error={error}"), "passed", error)


def test_a_process_killed_at_any_call_leaves_nothing_to_the_next(tmp_path: Path) -> None:
    found = swept(tmp_path, "signal=KILL")
    judged(found, "killed", "passed")
    before = [left for runs in found.values() for outcome, left, _ in runs if outcome == "killed"]
    # Without names everything is gone at once; a directory waits for the next start.
    assert "" in before
    assert any("name streamware-" in left for left in before)
    assert not any("descriptor" in left or "units" in left for left in before)


def test_a_short_write_is_gone_on_with(tmp_path: Path) -> None:
    found = swept(tmp_path, "retval=100", "pwrite64")
    # The bytes are not there: it is the loop that is looked at, and the request that notices.
    assert found["pwrite64"][-1] == [LATE, "", ""]
    assert all(left == "" for _, _, left in found["pwrite64"])
