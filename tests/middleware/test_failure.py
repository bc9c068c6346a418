"""Which errors are answered, and how."""

from collections.abc import Iterator
from contextlib import closing
from errno import EACCES, EDQUOT, EIO, ENOSPC

import pytest

import streamware as sw
from streamware.middleware.failure import internal_error, refusal_of
from streamware.scratch.pool import ScratchPool

REFUSED = sw.Refused("no room", retry_after=3)
FULL = sw.ScratchError(ENOSPC, "full")
UNSAFE = sw.ScratchError(EACCES, "not ours")


@pytest.fixture
def scratch(kept: ScratchPool) -> Iterator[sw.Scratch]:
    with closing(sw.Scratch(kept)) as made:
        yield made


def status(error: BaseException, scratch: sw.Scratch) -> int | None:
    answered = refusal_of(error, scratch, head_only=False)
    return None if answered is None else answered.status.value


@pytest.mark.parametrize("error", [REFUSED, FULL], ids=repr)
def test_no_room_is_answered_whatever_the_request_holds(
    scratch: sw.Scratch, error: Exception
) -> None:
    assert status(error, scratch) == 503


@pytest.mark.parametrize("error", [UNSAFE, OSError(EIO, "x"), OSError("x"), ValueError()], ids=repr)
def test_other_errors_are_not_answered(scratch: sw.Scratch, error: Exception) -> None:
    scratch.path()
    assert status(error, scratch) is None


@pytest.mark.parametrize("errno", [ENOSPC, EDQUOT])
def test_a_full_disk_is_no_room_for_a_request_that_has_files_there(
    scratch: sw.Scratch, errno: int
) -> None:
    error = OSError(errno, "No space left on device")
    assert status(error, scratch) is None
    scratch.path()
    assert status(error, scratch) == 503


def test_a_group_is_answered_if_all_its_errors_are(scratch: sw.Scratch) -> None:
    nested = ExceptionGroup("inner", [REFUSED, FULL])
    assert status(ExceptionGroup("outer", [nested, REFUSED]), scratch) == 503
    assert status(ExceptionGroup("outer", [nested, ValueError()]), scratch) is None
    assert status(BaseExceptionGroup("outer", [REFUSED, SystemExit()]), scratch) is None


def test_a_scratch_error_is_a_500_with_its_cause_only_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for head_only, body in ((False, b"Internal Server Error\n"), (True, b"")):
        answered = internal_error(UNSAFE, head_only=head_only)
        assert answered is not None
        assert (answered.status, answered.body) == (500, body)
        assert ("Content-Length", "22") in answered.headers
    assert "not ours" in caplog.text
    for error in (REFUSED, OSError(EACCES, "x"), ValueError()):
        assert internal_error(error, head_only=False) is None
