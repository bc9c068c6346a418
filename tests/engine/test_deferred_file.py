"""A scratch file that is written to later than it is told."""

import io

import pytest

from streamware.engine.deferred_file import DeferredFile


@pytest.fixture
def file() -> io.BytesIO:
    return io.BytesIO()


@pytest.fixture
def changed() -> list[DeferredFile]:
    return []


def test_what_is_written_waits(file: io.BytesIO, changed: list[DeferredFile]) -> None:
    deferred = DeferredFile(file, changed)
    assert (deferred.write(b"one "), deferred.write(b"two")) == (4, 3)
    assert file.getvalue() == b""
    assert changed == [deferred]
    changed.pop().write_pending()
    assert file.getvalue() == b"one two"


def test_it_enters_itself_again_when_more_comes(
    file: io.BytesIO, changed: list[DeferredFile]
) -> None:
    deferred = DeferredFile(file, changed)
    deferred.write(b"one")
    changed.pop().write_pending()
    deferred.write_pending()
    assert changed == []
    deferred.write(b"two")
    assert changed == [deferred]


def test_it_holds_what_it_was_given_not_what_became_of_it(
    file: io.BytesIO, changed: list[DeferredFile]
) -> None:
    deferred, data = DeferredFile(file, changed), bytearray(b"one")
    deferred.write(data)
    data[:] = b"two"
    deferred.write_pending()
    assert file.getvalue() == b"one"


def test_who_reads_it_reads_all(file: io.BytesIO, changed: list[DeferredFile]) -> None:
    deferred = DeferredFile(file, changed)
    assert (deferred.readable(), deferred.writable(), deferred.seekable()) == (True, True, True)
    deferred.write(b"one two")
    assert deferred.tell() == 7
    assert deferred.seek(0) == 0
    assert deferred.read(3) == b"one"
    assert deferred.read() == b" two"
    deferred.write(b" three")
    deferred.flush()
    assert file.getvalue() == b"one two three"
    assert deferred.truncate(3) == 3
    deferred.seek(0)
    assert deferred.read(None) == b"one"


def test_a_file_without_a_descriptor_has_none(
    file: io.BytesIO, changed: list[DeferredFile]
) -> None:
    with pytest.raises(io.UnsupportedOperation):
        DeferredFile(file, changed).fileno()


def test_closed_it_takes_nothing_and_writes_nothing(
    file: io.BytesIO, changed: list[DeferredFile]
) -> None:
    with DeferredFile(file, changed) as deferred:
        deferred.write(b"one")
    assert (deferred.closed, file.closed) == (True, True)
    deferred.close()
    deferred.write_pending()
    with pytest.raises(ValueError, match="closed file"):
        deferred.write(b"two")
