from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

import attrs
import msgspec
import pytest
import sqlalchemy.orm
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    RootModel,
    computed_field,
    field_serializer,
    model_serializer,
)

import streamware as sw
from readers import calamine_rows, csv_rows
from streamware.rows.declared import DeclaredCell, declared


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
    assert declared(Plain(1, "Ann")) == {
        "number": DeclaredCell("number", "number"),
        "name": DeclaredCell("name", "name"),
    }
    assert declared(object()) == {}


class Slots:
    __slots__ = ("_hidden", "name", "number", "unset")

    def __init__(self) -> None:
        self.number, self.name, self._hidden = 1, "Ann", 2


class More(Slots):
    def __init__(self) -> None:
        super().__init__()
        self.more = 3


def test_slots_are_attributes() -> None:
    assert list(declared(Slots())) == ["name", "number"]
    assert list(declared(More())) == ["name", "number", "more"]


@attrs.define
class Options:
    number: int
    _private: int = 2
    quiet: int = attrs.field(default=3, repr=False, alias="loud")


def test_fields_of_attrs_have_their_own_names() -> None:
    assert b"".join(sw.encode([Options(1)])) == b"number,_private,quiet\r\n1,2,3\r\n"


class Renamed(msgspec.Struct, rename="camel"):
    first_name: str
    last: str = msgspec.field(name="L", default="")
    age: int | msgspec.UnsetType = msgspec.UNSET


def test_fields_of_msgspec_have_their_encoded_names() -> None:
    rows = [Renamed("Ann"), Renamed("Bo", "X", 7)]
    assert b"".join(sw.encode(rows)) == b"firstName,L,age\r\nAnn,,\r\nBo,X,7\r\n"
    for names in (["first_name"], ["firstName"]):  # either may be chosen
        assert b"".join(sw.encode(rows, columns=names)).split()[1:] == [b"Ann", b"Bo"]


def camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(map(str.title, rest))


class Configured(BaseModel):
    model_config = ConfigDict(alias_generator=camel, extra="allow", validate_by_name=True)
    first_name: str
    day: date = date(2024, 5, 6)
    rate: Annotated[float, PlainSerializer(lambda rate: f"{rate:.0%}")] = 0.25
    zero: int = Field(default=0, exclude_if=lambda value: not value)
    status: str = "p"

    @field_serializer("status")
    def label(self, status: str) -> str:
        return {"p": "Paid"}[status]

    @computed_field(alias="Twice")
    def twice(self) -> str:
        return self.first_name * 2


def test_a_pydantic_model_is_serialised_by_its_own_rules() -> None:
    rows = [Configured(first_name="Ann", extra=1), Configured(first_name="Bo", zero=2)]  # type: ignore[call-arg]
    assert csv_rows(b"".join(sw.encode(rows))) == [
        ["firstName", "day", "rate", "zero", "status", "Twice", "extra"],
        ["Ann", "2024-05-06", "25%", "", "Paid", "AnnAnn", "1"],
        ["Bo", "2024-05-06", "25%", "2", "Paid", "BoBo", ""],
    ]
    workbook = calamine_rows(b"".join(sw.encode(rows, "xlsx")))
    assert workbook[1][1] == date(2024, 5, 6)  # a date, as it is no JSON
    chosen = csv_rows(b"".join(sw.encode(rows, columns=["status", "firstName"])))
    assert chosen == [["status", "firstName"], ["Paid", "Ann"], ["Paid", "Bo"]]


class ByName(Configured):
    model_config = ConfigDict(serialize_by_alias=False)


def test_a_pydantic_model_may_say_that_it_is_serialised_without_aliases() -> None:
    titles = csv_rows(b"".join(sw.encode([ByName(first_name="Ann")])))[0]
    assert titles == ["first_name", "day", "rate", "zero", "status", "twice"]


class Whole(BaseModel):
    number: int

    @model_serializer
    def whole(self) -> dict[str, int]:
        return {"n": self.number, "square": self.number**2}


def test_a_pydantic_model_with_a_serializer_shows_what_that_returns() -> None:
    assert b"".join(sw.encode([Whole(number=3)])) == b"n,square\r\n3,9\r\n"


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        ({"a": 1, "b": 2}, [["a", "b"], ["1", "2"]]),
        ((1, 2), [["Column 1", "Column 2"], ["1", "2"]]),
        (Whole(number=3), [["n", "square"], ["3", "9"]]),
        (Model(number=1, name="Ann"), [["number", "Name", "twice"], ["1", "Ann", "2"]]),
        (7, [["root"], ["7"]]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_root_model_is_what_it_holds(root: Any, expected: list[list[str]]) -> None:
    rows = [RootModel[Any](root)] * 2
    assert csv_rows(b"".join(sw.encode(rows))) == [*expected, expected[1]]


class Base(sqlalchemy.orm.MappedAsDataclass, sqlalchemy.orm.DeclarativeBase):
    pass


class Mapped(Base):
    __tablename__ = "mapped"
    id: sqlalchemy.orm.Mapped[int] = sqlalchemy.orm.mapped_column(primary_key=True)
    parent_id: sqlalchemy.orm.Mapped[int | None] = sqlalchemy.orm.mapped_column(
        sqlalchemy.ForeignKey("mapped.id"), default=None
    )
    parent: sqlalchemy.orm.Mapped["Mapped | None"] = sqlalchemy.orm.relationship(
        default=None, remote_side="Mapped.id"
    )


def test_a_mapped_dataclass_has_the_columns_of_its_table() -> None:
    assert b"".join(sw.encode([Mapped(id=1)])) == b"id,parent_id\r\n1,\r\n"
