"""What tests of several frameworks need."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import streamware as sw
from streamware.scratch.pool import _pools


@pytest.fixture
def scratch_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where scratch goes by default."""
    monkeypatch.setenv("STREAMWARE_SCRATCH_DIR", str(tmp_path))
    yield
    for made in list(_pools.values()):
        if made.directory.path == str(tmp_path):
            made.process_directory.close()
            made.directory.close()


@pytest.fixture
def settings(scratch_dir: None) -> sw.Settings:
    """With room for one export."""
    return sw.Settings(max_concurrent=1, wait_seconds=0)
