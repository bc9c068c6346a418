from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from streamware.scratch.home import Home
from streamware.scratch.place import Place


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "scratch"
    made.mkdir(mode=0o700)
    return made


@pytest.fixture
def place(folder: Path) -> Iterator[Place]:
    with closing(Place(str(folder))) as made:
        yield made


@pytest.fixture
def home(place: Place) -> Iterator[Home]:
    with closing(Home(place)) as made:
        yield made
