"""A directory for scratch, and what a process keeps in it."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from oracle import Oracle, storing
from streamware.scratch.directory import ScratchDirectory
from streamware.scratch.ledger import Scratch
from streamware.scratch.pool import ScratchPool
from streamware.scratch.process_directory import ProcessDirectory


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "scratch"
    made.mkdir(mode=0o700)
    return made


@pytest.fixture
def scratch_directory(folder: Path) -> Iterator[ScratchDirectory]:
    with closing(ScratchDirectory(str(folder))) as made:
        yield made


@pytest.fixture
def process_directory(scratch_directory: ScratchDirectory) -> Iterator[ProcessDirectory]:
    with closing(ProcessDirectory(scratch_directory)) as made:
        yield made


@pytest.fixture
def root(folder: Path) -> Iterator[Path]:
    """The same folder; a test must leave nothing in it."""
    oracle = Oracle(folder)
    yield folder
    oracle.check()


@pytest.fixture
def scratch_pool(root: Path) -> Iterator[ScratchPool]:
    """Of a process with a directory of its own, which waits for nothing."""
    with storing(root) as made:
        yield made


@pytest.fixture
def scratch(scratch_pool: ScratchPool) -> Iterator[Scratch]:
    """The ledger of a request, closed at the end."""
    made = Scratch(scratch_pool)
    yield made
    made.close()
