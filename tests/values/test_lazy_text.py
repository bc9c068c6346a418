"""Lazy translations become text where they are written."""

from typing import Any

import pytest

import streamware as sw
from readers import calamine_rows, csv_rows

LazyProxy = pytest.importorskip("babel.support").LazyProxy
READERS: dict[str, Any] = {"csv": csv_rows, "xlsx": calamine_rows, "ods": calamine_rows}


def lazy(text: str) -> Any:
    """A lazy translation, which is no str."""
    return LazyProxy(lambda: text, enable_cache=False)


@pytest.mark.parametrize("format_", READERS)
@pytest.mark.parametrize("kind", [None, "text"])
@pytest.mark.parametrize("convert", [None, lazy])
def test_a_lazy_translation_is_written_as_text(format_: str, kind: Any, convert: Any) -> None:
    column = sw.Column("day", kind=kind, convert=convert)
    cell = "Montag & Zoë" if convert else lazy("Montag & Zoë")
    rows = [{"day": cell}, {"day": "Dienstag"}] if not convert else [{"day": cell}]
    data = b"".join(sw.encode(rows, format_, columns=[column]))
    assert READERS[format_](data)[1] == ["Montag & Zoë"]


def test_a_lazy_translation_is_guarded_as_a_text_is() -> None:
    data = b"".join(sw.encode([{"a": lazy("=1+1")}], "csv"))
    assert csv_rows(data)[1] == ["'=1+1"]


def test_an_object_with_another_class_of_that_name_is_none() -> None:
    class LazyProxy:
        pass

    with pytest.raises(sw.CellError, match="LazyProxy"):
        b"".join(sw.encode([{"a": LazyProxy()}], "csv"))
