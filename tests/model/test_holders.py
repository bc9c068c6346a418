"""What is recognised by the name of a class and of its library."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest

import streamware as sw
from streamware.model.holders import is_record, names_of_class, reader_of


@dataclass
class Record:
    held: object


def test_a_class_is_named_with_its_library_and_its_bases() -> None:
    library = __name__.partition(".")[0]
    assert list(names_of_class(Record(1))) == [(library, "Record"), ("builtins", "object")]


def test_a_record_declares_its_fields() -> None:
    assert is_record(Record(1))
    for other in (Record, 1, "a", SimpleNamespace(a=1), sw.Cell(1), sw.Formula("=1")):
        assert not is_record(other)


def test_an_object_of_an_orm_is_none() -> None:
    mapped = Record(1)
    mapped._sa_instance_state = object()  # type: ignore[attr-defined]
    assert not is_record(mapped)


def test_what_stands_for_another_is_read() -> None:
    arrow = pytest.importorskip("pyarrow", reason="needs pyarrow")
    scalar = arrow.scalar("a")
    read = reader_of(scalar)
    assert read is not None
    assert read(scalar) == "a"
    assert reader_of("a") is None
