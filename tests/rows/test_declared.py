from dataclasses import dataclass
from typing import Any

import attrs
import msgspec
import pytest
from pydantic import BaseModel, Field, computed_field

import streamware as sw
from streamware.rows.declared import declared


@dataclass
class Dataclass:
    number: int
    name: str


@attrs.define
class Attrs:
    number: int
    name: str


class Struct(msgspec.Struct):
    number: int
    name: str


class Model(BaseModel):
    number: int
    name: str = Field(serialization_alias="Name")
    secret: str = Field(default="x", exclude=True)

    @computed_field
    def twice(self) -> int:
        return 2 * self.number


class Plain:
    def __init__(self, number: int, name: str) -> None:
        self.number = number
        self.name = name
        self._hidden = 1


@pytest.mark.parametrize("kind", [Dataclass, Attrs, Struct, Plain])
def test_the_fields_are_the_columns(kind: Any) -> None:
    rows = [kind(1, "Ann"), kind(2, "Bo")]
    assert b"".join(sw.encode(rows)) == b"number,name\r\n1,Ann\r\n2,Bo\r\n"


def test_a_pydantic_model_shows_what_it_serialises() -> None:
    rows = [Model(number=1, name="Ann")]
    assert b"".join(sw.encode(rows)) == b"number,Name,twice\r\n1,Ann,2\r\n"
    assert b"".join(sw.encode(rows, columns=["name", "secret"])) == b"name,secret\r\nAnn,x\r\n"


def test_an_object_without_a_declaration_has_its_attributes() -> None:
    assert declared(Plain(1, "Ann")) == {"number": "number", "name": "name"}
    assert declared(object()) == {}
