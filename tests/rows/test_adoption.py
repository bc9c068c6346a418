import subprocess
import sys
from typing import Any

import pytest

import streamware as sw
from streamware.rows.adoption import adopted


@pytest.mark.parametrize("rows", [[(1,)], iter([(1,)]), lambda: [(1,)], {"a": 1}, None])
def test_other_rows_are_left_alone(rows: Any) -> None:
    assert adopted(rows) is rows


def test_a_library_that_is_not_there_is_not_imported() -> None:
    code = "import streamware as sw; list(sw.encode([(1,)])); import sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert not {"django", "sqlalchemy"} & set(loaded)


def test_a_class_is_recognised_by_its_bases() -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy", reason="skipped: needs SQLAlchemy")

    class Ours(sqlalchemy.Select):  # type: ignore[misc, name-defined]
        inherit_cache = True

    with pytest.raises(TypeError, match=r"not a statement \(Ours\)"):
        list(sw.encode(Ours(sqlalchemy.literal(1))))
