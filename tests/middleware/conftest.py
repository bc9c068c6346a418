"""Scratch in a directory of the test's own, and nothing left in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import streamware as sw
from streamware.scratch import pool as pool_module
from streamware.scratch.pool import ScratchPool, scratch_pool


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The scratch directory."""
    made = tmp_path / "scratch"
    made.mkdir(mode=0o700)
    return made


@pytest.fixture
def settings(folder: Path) -> Iterator[sw.Settings]:
    made = sw.Settings(scratch_dir=folder, keep_free_bytes=0)
    yield made
    for key in [key for key in pool_module._pools if key.scratch_dir == made.scratch_dir]:
        kept = pool_module._pools.pop(key)
        assert files(folder) == []
        assert kept.signals["leaked_ledgers"] == 0
        kept.process_directory.close()
        kept.budget.close()
        kept.directory.close()
    assert list(folder.glob("streamware-*")) == []


@pytest.fixture
def kept(settings: sw.Settings) -> ScratchPool:
    """What all ledgers of these settings share."""
    return scratch_pool(settings)


def files(folder: Path) -> list[str]:
    """What lies in it with a name, but for the process's own directory."""
    return sorted(path.name for path in folder.glob("streamware-*/*"))
