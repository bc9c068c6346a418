import os
from pathlib import Path

import pytest

from streamware.scratch.descriptor import Descriptor


class File:
    """A file that counts how often it was closed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.closed = 0
        self.number = -1

    def open(self) -> int:
        self.number = os.open(self.path, os.O_RDONLY)
        return self.number

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def file(tmp_path: Path) -> File:
    path = tmp_path / "file"
    path.touch()
    return File(path)


def test_a_descriptor_is_closed_once(file: File) -> None:
    descriptor = Descriptor(file.open, file.close)
    with descriptor as number, descriptor as again:
        descriptor.close()
        assert number == again
        os.fstat(number)
        assert file.closed == 0
    descriptor.close()
    with pytest.raises(ValueError, match="closed"), descriptor:
        pass
    assert file.closed == 1
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(number)


def test_a_child_closes_its_copy_and_releases_nothing(file: File) -> None:
    descriptor = Descriptor(file.open, file.close)
    with descriptor:
        descriptor.forked()
    descriptor.forked()
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(file.number)
    assert file.closed == 0
