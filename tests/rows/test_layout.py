"""A row of any shape becomes cells."""

import sqlite3
import time
from collections import ChainMap, OrderedDict, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from itertools import chain, islice
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamware as sw
from drive import document
from readers import calamine_rows, csv_rows, json_rows, openpyxl_book
from streamware.kernel import native
from streamware.model.columns import as_columns, names_of
from streamware.rows import layout as layout_module
from streamware.rows.layout import Layout
from workbooks import workbook


@dataclass
class Order:
    id: int
    note: str


@dataclass(slots=True)
class SlottedOrder:
    id: int
    note: str


class NamedOrder(NamedTuple):
    id: int
    note: str


class PlainOrder:
    def __init__(self, id: int, note: str) -> None:  # noqa: A002 - the column is called so
        self.id = id
        self.note = note
        self._hidden = "x"

    @property
    def loud(self) -> str:
        return self.note.upper()


class OwnSequence(Sequence[object]):
    """A sequence that is neither a tuple nor a list."""

    def __init__(self, *cells: object) -> None:
        self.cells = cells

    def __len__(self) -> int:
        return len(self.cells)

    def __getitem__(self, at: Any) -> Any:
        return self.cells[at]


class Cursor:
    """A source that tells its columns as a DB-API cursor does."""

    def __init__(self, names: Sequence[str], rows: Sequence[object]) -> None:
        self.description = tuple((name, *[None] * 6) for name in names)
        self.rows = rows

    def __iter__(self) -> Iterator[object]:
        return iter(self.rows)


class Result:
    """A source that tells its columns as SQLAlchemy's results do."""

    def __init__(self, *rows: object) -> None:
        self.rows = rows

    def keys(self) -> list[str]:
        return ["id", "note"]

    def __iter__(self) -> Iterator[object]:
        return iter(self.rows)


def table(rows: Any, columns: Any = None, **values: Any) -> list[list[str]]:
    """The rows as a CSV reader sees them, the header first."""
    return csv_rows(document(rows, columns=columns, values=sw.Values(**values)).data)


HEADED = [["id", "note"], ["1", "x"], ["2", "y"]]


# The shapes of rows


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([{"id": 1, "note": "x"}, {"id": 2, "note": "y"}], id="dict"),
        pytest.param([{"id": 1, "note": "x"}, {"note": "y", "id": 2}], id="dict in another order"),
        pytest.param([OrderedDict(id=1, note="x"), OrderedDict(id=2, note="y")], id="OrderedDict"),
        pytest.param([MappingProxyType({"id": n, "note": t}) for n, t in ((1, "x"), (2, "y"))]),
        pytest.param([ChainMap({"id": 1, "note": "x"}), {"id": 2, "note": "y"}], id="two mappings"),
        pytest.param([Order(1, "x"), Order(2, "y")], id="dataclass"),
        pytest.param([SlottedOrder(1, "x"), SlottedOrder(2, "y")], id="dataclass with slots"),
        pytest.param([PlainOrder(1, "x"), PlainOrder(2, "y")], id="object"),
        pytest.param([SimpleNamespace(id=1, note="x"), Order(2, "y")], id="two objects"),
        pytest.param([NamedOrder(1, "x"), NamedOrder(2, "y")], id="NamedTuple"),
        pytest.param([NamedOrder(1, "x"), (2, "y")], id="NamedTuple and tuple"),
        pytest.param(Cursor(["id", "note"], [(1, "x"), (2, "y")]), id="cursor"),
        pytest.param(Cursor(["id", "note"], [[1, "x"], (2, "y")]), id="cursor of lists"),
        pytest.param(Result((1, "x"), (2, "y")), id="result"),
        pytest.param(Result(OwnSequence(1, "x"), OwnSequence(2, "y")), id="own sequence"),
        pytest.param([{"id": 1, "note": "x"}, (2, "y")], id="dict and tuple"),
        pytest.param([Order(1, "x"), {"id": 2, "note": "y"}], id="object and dict"),
        pytest.param([{"id": 1, "note": "x"}, Order(2, "y")], id="dict and object"),
        pytest.param([NamedOrder(1, "x"), {"note": "y", "id": 2}], id="NamedTuple and dict"),
        pytest.param([NamedOrder(1, "x"), PlainOrder(2, "y")], id="NamedTuple and object"),
    ],
)
def test_rows_of_any_shape_tell_their_columns(rows: Any) -> None:
    assert table(rows) == HEADED


@pytest.mark.parametrize("row", [(1, "x"), [1, "x"], OwnSequence(1, "x")])
def test_a_bare_sequence_has_no_header(row: object) -> None:
    assert table([row, row]) == [["1", "x"], ["1", "x"]]


def test_rows_of_sqlite_tell_their_columns() -> None:
    with sqlite3.connect(":memory:") as connection:
        connection.row_factory = sqlite3.Row
        rows = connection.execute("select 1 as id, 'x' as note union select 2, 'y'").fetchall()
    connection.close()
    assert table(rows) == HEADED
    assert table(rows, ["note"]) == [["note"], ["x"], ["y"]]


@pytest.mark.parametrize("source", [Cursor(["id", "note"], []), Result()])
def test_a_source_that_tells_its_columns_has_a_header_without_rows(source: object) -> None:
    assert table(source) == [["id", "note"]]


def test_nothing_is_known_of_no_rows() -> None:
    assert document([]).data == b""


def test_the_keys_of_a_mapping_may_be_numbers() -> None:
    assert table([{2023: "x", 2024: "y"}, {2024: "z"}]) == [["2023", "2024"], ["x", "y"], ["", "z"]]
    assert table([{2023: "x", 2024: "y"}], [2024]) == [["2024"], ["y"]]
    assert table([{1: "x", 0: "y"}]) == [["1", "0"], ["x", "y"]]


@pytest.mark.parametrize("key", [None, True, (1, 2), 1.5])
def test_any_other_key_of_a_mapping_is_an_error(key: object) -> None:
    with pytest.raises(
        sw.EncodeError, match=f"the keys of row 1 must be str or int, not {type(key).__name__}"
    ):
        document([{"a": 1, key: 2}])


@pytest.mark.parametrize("row", [{}, object(), SimpleNamespace(), iter(())])
def test_a_row_that_tells_no_columns_is_an_error_that_names_the_remedy(row: object) -> None:
    with pytest.raises(
        sw.EncodeError,
        match=r"columns= must be given: row 1 is of type .*, which has no named cells",
    ):
        document([row])


@pytest.mark.parametrize("row", ["abc", b"", 7, 1.5, None, True, {1, 2}])
def test_what_is_no_row_is_an_error_with_its_number(row: Any) -> None:
    name = type(row).__name__
    for rows, number in (([row], 1), ([(1,), row], 2), ([{"a": 1}] * 100 + [row], 101)):
        with pytest.raises(
            sw.EncodeError,
            match=f"row {number} must be a sequence, a mapping or an object, not {name}",
        ):
            document(rows)


# Ragged rows


@pytest.mark.parametrize("before", [1, 31, 32, 5000])
def test_a_row_too_long_is_an_error_with_its_number(before: int) -> None:
    with pytest.raises(sw.EncodeError, match=f"row {before + 1} must have at most 2 cells, not 3"):
        document([(1, 2)] * before + [(1, 2, 3)])


@pytest.mark.parametrize("rows", [[(1, 2, 3)], [(1, 2), (1, 2, 3), (1, 2, 3)]])
def test_a_row_longer_than_the_source_says_is_an_error(rows: list[Any]) -> None:
    with pytest.raises(sw.EncodeError, match="must have at most 2 cells, not 3"):
        document(Cursor(["id", "note"], rows))
    with pytest.raises(sw.EncodeError, match="must have at most 2 cells, not 3"):
        document(rows, columns=["id", "note"])


def test_a_sequence_among_mappings_may_not_be_longer_than_the_first() -> None:
    with pytest.raises(sw.EncodeError, match="row 2 must have at most 1 cell, not 2"):
        document([{"a": 1}, (1, 2)])


@pytest.mark.parametrize("rows", [[(1, 2, 3), (1,), ()], [(1, 2, 3), [1], OwnSequence()]])
def test_a_row_too_short_has_empty_cells(rows: list[Any]) -> None:
    assert table(rows) == [["1", "2", "3"], ["1", "", ""], ["", "", ""]]


def test_a_batch_of_rows_too_short_has_empty_cells() -> None:
    assert table([(1, 2)] + [(1,)] * 100) == [["1", "2"], *[["1", ""]] * 100]
    assert table([(1,)] * 3, ["a", "b"]) == [["a", "b"], *[["1", ""]] * 3]


# Given columns


def test_given_columns_choose_and_order_and_name() -> None:
    rows = [{"id": 1, "note": "x", "more": 3}]
    assert table(rows, ["note", sw.Column("id", "No.")]) == [["note", "No."], ["x", "1"]]


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([{"id": 1, "note": "x"}, {"id": 2, "new": 3}], id="dict"),
        pytest.param([Order(1, "x"), SimpleNamespace(id=2)], id="object"),
    ],
)
def test_a_key_absent_from_a_later_row_is_an_empty_cell(rows: list[Any]) -> None:
    assert table(rows, ["note", "id"]) == [["note", "id"], ["x", "1"], ["", "2"]]


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([{"id": 1, "note": "x"}], id="dict"),
        pytest.param([NamedOrder(1, "x")], id="NamedTuple"),
        pytest.param([PlainOrder(1, "x")], id="object"),
        pytest.param(Cursor(["id", "note"], []), id="cursor without rows"),
    ],
)
def test_a_key_absent_from_the_first_row_is_an_error_that_lists_those_there_are(rows: Any) -> None:
    with pytest.raises(sw.EncodeError, match=r"there is no column 'nope'.*; there are: id, note"):
        document(rows, columns=["id", "nope"])


def test_a_sequence_without_names_is_named_by_the_columns() -> None:
    assert table([(1, "x"), (2, "y")], ["id", "note"]) == HEADED


def test_columns_may_be_positions() -> None:
    assert table([(1, "x", 2)], [sw.Column(2, "c"), sw.Column(-3, "a")]) == [["c", "a"], ["2", "1"]]
    assert table([(1, "x", 2)], [0, 1]) == [["1", "x"]]
    assert table([NamedOrder(1, "x")], [1]) == [["note"], ["x"]]


@pytest.mark.parametrize("at", [2, -3])
def test_a_position_that_the_first_row_lacks_is_an_error(at: int) -> None:
    with pytest.raises(sw.EncodeError, match=f"no column {at} in row 1, which has 2 cells"):
        document([(1, 2)], columns=[at])


def test_a_position_that_a_later_row_lacks_is_an_empty_cell() -> None:
    assert table([(1, 2), (1,)], [1, 0]) == [["2", "1"], ["", "1"]]
    assert table([(1, 2), (3,), (4,)], [-1]) == [["2"], ["3"], ["4"]]


@pytest.mark.parametrize("row", [{"a": 1}, PlainOrder(1, "x")])
def test_a_position_in_what_has_none_is_an_error(row: object) -> None:
    with pytest.raises(sw.EncodeError, match=r"column 0.* row 1"):
        document([row], columns=[0])


CUSTOMER = {"name": "Ada", "home": SimpleNamespace(town="Ulm")}


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([{"customer": CUSTOMER}, {"customer": None}, {}], id="mapping"),
        pytest.param([SimpleNamespace(customer=CUSTOMER), SimpleNamespace()], id="object"),
        pytest.param(Cursor(["id", "customer"], [(1, CUSTOMER), (2, None), (3,)]), id="sequence"),
    ],
)
def test_a_dotted_path_goes_through_mappings_and_attributes(rows: Any) -> None:
    found = table(rows, ["customer.name", "customer.home.town"])
    assert found[:2] == [["customer.name", "customer.home.town"], ["Ada", "Ulm"]]
    assert set(map(tuple, found[2:])) == {("", "")}


def test_a_key_with_a_dot_comes_before_a_path() -> None:
    assert table([{"a.b": 1, "a": {"b": 2}}], ["a.b"]) == [["a.b"], ["1"]]


def test_a_dotted_path_that_leads_nowhere_is_an_error() -> None:
    with pytest.raises(sw.EncodeError, match=r"no column 'a.c' in row 1; a has no 'c'$"):
        document([{"a": {"b": 1}}], columns=["a.c"])
    within = [{"a": {"b": PlainOrder(1, "x")}}]
    with pytest.raises(sw.EncodeError, match=r"row 1; b has no 'c'; it has: id, note$"):
        document(within, columns=["a.b.c"])
    with pytest.raises(sw.EncodeError, match=r"no column 'c.a' in row 1; there are: a$"):
        document(within, columns=["c.a"])


def test_a_path_as_django_writes_it_is_an_error_with_the_one_to_write() -> None:
    with pytest.raises(sw.EncodeError, match=r"in row 1; a path has dots: 'a.b'$"):
        document([{"a": {"b": 1}}], columns=["a__b"])
    assert document([{"a__b": 1}], columns=["a__b"]).data == b"a__b\r\n1\r\n"


def test_a_property_is_an_attribute() -> None:
    assert table([PlainOrder(1, "x")], ["loud"]) == [["loud"], ["X"]]


def total(row: Any) -> object:
    return row["a"] + row["b"]


def test_a_column_may_be_a_callable_of_the_row() -> None:
    columns = [total, sw.Column(lambda row: row["a"]), sw.Column(total, "Sum")]
    assert table([{"a": 1, "b": 2}], columns) == [["total", "Column 2", "Sum"], ["3", "1", "3"]]


def test_a_callable_sees_rows_of_every_shape() -> None:
    rows: list[object] = [{"a": 1}, (2,), Order(3, "x")]
    assert table(rows, [sw.Column(lambda row: type(row).__name__, "t")])[1:] == [
        ["dict"],
        ["tuple"],
        ["Order"],
    ]


def test_what_a_callable_raises_passes_through() -> None:
    with pytest.raises(KeyError, match="nope"):
        document([{"a": 1}, {"a": 2}], columns=["a", lambda row: row["nope"]])
    with pytest.raises(IndexError):
        document([(1,), (2,)], columns=[lambda row: row[7]])


def test_a_callable_that_has_no_more_does_not_cut_the_rows() -> None:
    rest = iter("ab")
    with pytest.raises(RuntimeError, match="StopIteration"):
        document([{"a": 1}] * 3, columns=[lambda _: next(rest)])


def test_columns_that_nothing_is_known_of_make_a_header_without_rows() -> None:
    assert table([], ["id", sw.Column("note", "Note")]) == [["id", "Note"]]


def test_two_columns_may_have_one_title() -> None:
    assert table(Cursor(["id", "id"], [(1, 2)])) == [["id", "id"], ["1", "2"]]
    assert json_rows(document(Cursor(["id", "id"], [(1, 2)]), "json").data) == [
        {"id": 1, "id_2": 2}
    ]


class Lazy:
    """A text that is translated when it is asked for, as Django's are."""

    def __str__(self) -> str:
        return "Nummer"


@pytest.mark.parametrize("form", ["csv", "xml", "json", "xlsx"])
def test_a_title_may_be_translated_late(form: str) -> None:
    columns = [sw.Column("id", Lazy())]  # type: ignore[arg-type]  # as Django has it
    assert document([{"id": 1}], form, columns=columns).receipt.rows == 1
    assert table([{"id": 1}], columns) == [["Nummer"], ["1"]]


@pytest.mark.parametrize("form", ["csv", "xml", "json", "xlsx"])
def test_a_title_may_be_a_callable(form: str) -> None:
    words = iter(["Nummer"])
    made = document([{"id": 1}], form, columns=[sw.Column("id", lambda: next(words))])
    assert made.receipt.rows == 1
    assert next(words, None) is None
    assert table([{"id": 1}], [sw.Column("id", Lazy)]) == [["Nummer"], ["1"]]


class Proxy(Lazy):
    """One that hands calls on to its text, as Babel's are."""

    def __call__(self) -> str:
        raise AssertionError("it is a text, and cannot be called")


class Maker:
    """A callable that is no function."""

    def __call__(self) -> Lazy:
        return Lazy()


@pytest.mark.parametrize("title", [Proxy(), Maker(), partial(Lazy), Lazy().__str__], ids=type)
def test_only_what_makes_a_text_is_called(title: Any) -> None:
    (found,) = Layout((sw.Column("id", title, note=title),), None, {"id": 1}).head.columns
    assert (found.title, found.note) == ("Nummer", "Nummer")


def test_a_note_that_is_translated_too_long_is_an_error() -> None:
    column = sw.Column("id", note=lambda: "x" * 32_768)
    with pytest.raises(sw.LimitError, match="UTF-16 units in a note: 32,768 is over"):
        Layout((column,), None, {"id": 1})


def test_a_note_is_the_header_s_in_its_language() -> None:
    made = workbook([{"id": 1}], columns=[sw.Column("id", note=Proxy())])
    assert "Nummer" in openpyxl_book(made.data).active["A1"].comment.text


class Key(StrEnum):
    ID = "id"


def test_a_member_of_an_enum_is_the_name_that_it_holds() -> None:
    assert table([{Key.ID: 1}]) == [["id"], ["1"]]
    assert table([{"id": 1}], [Key.ID]) == [["id"], ["1"]]
    assert table([{"id": 1}], [sw.Column("id", Key.ID)]) == [["id"], ["1"]]


# New keys later


def test_a_new_key_later_is_an_error_that_lists_the_known() -> None:
    rows = [{"id": 1, "note": "x"}, {"id": 2, "paid": True}]
    with pytest.raises(sw.EncodeError, match="row 2 has a new key 'paid'; row 1 had: id, note"):
        document(rows)


def test_a_new_key_can_be_left_out() -> None:
    rows = [{"id": 1}, {"id": 2, "paid": True}, {"paid": False}]
    assert table(rows, extra="ignore") == [["id"], ["1"], ["2"], [""]]


@pytest.mark.parametrize("first", [(1, 2), NamedOrder(1, "x"), Order(1, "x")])
def test_a_mapping_with_unknown_keys_is_an_error_among_rows_of_another_shape(first: Any) -> None:
    with pytest.raises(sw.EncodeError, match="row 2 has a new key 'a'"):
        document([first, {"a": 1}])


def test_an_object_cannot_follow_a_sequence_without_names() -> None:
    with pytest.raises(
        sw.EncodeError, match="row 2 must be like row 1 of type tuple, not Order; name the columns"
    ):
        document([(1, "x"), Order(2, "y")])
    assert table([(1, "x"), Order(2, "y")], ["id", "note"]) == HEADED


def test_a_mapping_with_defaults_is_not_changed() -> None:
    rows = [defaultdict(int, a=1, b=2), defaultdict(int, a=3)]
    assert table(rows) == [["a", "b"], ["1", "2"], ["3", ""]]
    assert table(rows, ["b"]) == [["b"], ["2"], [""]]
    assert rows[1] == {"a": 3}


class Lookup:
    """An object whose cells are reached by their position alone."""

    def __getitem__(self, at: int) -> int:
        return at * 10


class OtherLookup(Lookup):
    pass


def test_an_object_may_be_reached_by_position() -> None:
    assert table([Lookup(), Lookup()], [1, 2]) == [["10", "20"]] * 2
    assert table([Lookup(), OtherLookup()], [1, 2]) == [["10", "20"]] * 2


# The same cells, whatever the batches

ROWS = {
    "tuples": st.lists(st.integers(), max_size=3).map(tuple),
    "sequences": st.lists(st.integers(), max_size=3)
    | st.lists(st.integers(), max_size=3).map(tuple)
    | st.lists(st.integers(), max_size=3).map(lambda cells: OwnSequence(*cells)),
    "mappings": st.dictionaries(st.sampled_from("abc"), st.integers(), max_size=3)
    | st.dictionaries(st.sampled_from("abc"), st.integers(), max_size=3).map(MappingProxyType)
    | st.dictionaries(st.sampled_from("abc"), st.integers(), max_size=3).map(
        lambda cells: defaultdict(int, cells)
    ),
    "objects": st.dictionaries(st.sampled_from("abc"), st.integers(), max_size=3).map(
        lambda cells: SimpleNamespace(**cells)
    ),
}
ROWS["any"] = st.one_of(*ROWS.values())


class Abc(NamedTuple):
    a: int
    b: int
    c: int


ABC = {"a": 1, "b": 2, "c": 3}
FIRST = st.sampled_from([(1, 2, 3), ABC, SimpleNamespace(**ABC), Abc(1, 2, 3)])


def cells_of(layout: Layout, rows: list[Any], first: int) -> object:
    try:
        return list(map(list, layout.cells(rows, first)))
    except sw.EncodeError as error:
        return str(error)


@pytest.mark.parametrize("shape", ROWS)
@given(
    data=st.data(), first=FIRST, given=st.none() | st.sampled_from([["c", "a"], ["a", "b", "c"]])
)
def test_rows_together_give_the_same_cells_as_one_by_one(
    shape: str, data: st.DataObject, first: Any, given: Any
) -> None:
    rows = [first, *data.draw(st.lists(ROWS[shape], max_size=5))]
    layout = Layout(as_columns(given), None, first)
    together = cells_of(layout, rows, 1)
    alone = [cells_of(layout, [row], at) for at, row in enumerate(rows, 1)]
    errors = [found for found in alone if isinstance(found, str)]
    if errors:
        assert together == errors[0]
    else:
        assert together == [list(chain(*column)) for column in zip(*alone, strict=True)]


# What is told of the columns


@pytest.mark.parametrize(
    ("source", "names"),
    [
        (Cursor(["a", "b"], []), ["a", "b"]),
        (SimpleNamespace(description=None), None),
        (SimpleNamespace(description="a table"), None),
        (Result(), ["id", "note"]),
        ({"a": 1}, None),
        ([(1, 2)], None),
    ],
)
def test_a_source_tells_its_names(source: object, names: list[str] | None) -> None:
    assert names_of(source) == names


READERS: dict[str, Any] = {"csv": csv_rows, "xlsx": calamine_rows, "json": json_rows}
SPARSE: dict[str, Any] = {
    "dicts": [{"a": 1}, {"a": 2, "b": 3}],
    "objects": [SimpleNamespace(a=1), SimpleNamespace(a=2, b=3)],
    "mappings": [MappingProxyType({"a": 1}), MappingProxyType({"a": 2, "b": 3})],
}


@pytest.mark.parametrize("name", SPARSE)
@pytest.mark.parametrize("form", ["csv", "xlsx", "json"])
def test_a_chosen_key_that_the_first_row_lacks_is_empty_there(name: str, form: str) -> None:
    rows: Any = READERS[form](b"".join(sw.encode(SPARSE[name], form, columns=["a", "b"])))
    if form == "json":
        rows = [["a", "b"], *(list(row.values()) for row in rows)]
    cells = [["" if cell is None else str(cell).removesuffix(".0") for cell in row] for row in rows]
    assert cells == [["a", "b"], ["1", ""], ["2", "3"]]


@pytest.mark.parametrize("path", ["a.b", 7])
def test_so_is_a_path_or_a_number(path: Any) -> None:
    rows: list[Any] = [{"a": {}}, {"a": {"b": 1}, 7: 1}]
    assert b"".join(sw.encode(rows, columns=[path])).split()[1:] == [b'""', b"1"]


@pytest.mark.parametrize("name", SPARSE)
def test_a_key_that_no_row_has_is_an_error_that_names_all(name: str) -> None:
    expected = (
        "there is no column 'c' in the first 2 rows; there are: a, b"
        if name != "objects"
        else "there is no column 'c' in the first 2 rows; there are: a"
    )
    encoding = sw.encode(SPARSE[name], columns=["a", "c"])
    with pytest.raises(sw.EncodeError) as raised:
        next(encoding)  # before the first byte
    assert str(raised.value).startswith(expected)


def test_a_key_that_comes_after_the_first_rows_is_an_error_with_its_cure() -> None:
    rows = [*({"a": 1} for _ in range(32)), {"a": 1, "b": 2}]
    with pytest.raises(
        sw.EncodeError, match=r"if later ones have it, pass Column\(lambda row: …, 'b'"
    ):
        b"".join(sw.encode(rows, columns=["b"]))
    assert b"".join(sw.encode(rows[1:], columns=["b"])).endswith(b"2\r\n")
    cured = sw.Column(lambda row: row.get("b"), "b")
    assert b"".join(sw.encode(rows, columns=[cured])).endswith(b"2\r\n")


def test_a_source_that_gives_a_row_at_a_time_has_as_many_rows_to_show_a_key() -> None:
    def rows(count: int) -> Iterator[Any]:
        for _ in range(count):
            time.sleep(0.002)
            yield {"a": 1}
        yield {"a": 1, "b": 2}

    slow: Any = {"columns": ["b"], "flush_interval": 0.001}
    assert b"".join(sw.encode(rows(20), **slow)).endswith(b"2\r\n")
    with pytest.raises(sw.EncodeError, match="no column 'b' in the first 32 rows"):
        b"".join(sw.encode(rows(32), **slow))
    with pytest.raises(sw.EncodeError, match="no column 'b' in the first 5 rows"):
        b"".join(sw.encode(islice(rows(9), 5), **slow))


def test_a_chosen_key_is_looked_for_in_each_sheet() -> None:
    rows = [{"s": "x"}, {"s": "y", "b": 1}, {"s": "x", "b": 2}]
    data = b"".join(sw.encode(rows, "xlsx", columns=["s", "b"], sheet_by="s"))
    assert calamine_rows(data)[1:] == [["x", ""], ["x", 2]]
    with pytest.raises(sw.EncodeError, match="there is no column 'c' in the first 2 rows"):
        b"".join(sw.encode(rows, "xlsx", columns=["c"], sheet_by="s"))


class Half:
    """An object with a slot and a `__dict__`, and what its class makes."""

    __slots__ = ("__dict__", "b")
    c = 3  # unless an object has one of its own

    @property
    def made(self) -> str:
        return f"made of {self.a}"  # type: ignore[attr-defined]


class Same(str):
    """A key that is equal to others, and no str."""

    __slots__ = ()


class Rude(str):
    """A key that cannot be compared."""

    __slots__ = ()

    def __hash__(self) -> int:
        return hash("a")

    def __eq__(self, other: object) -> bool:
        raise KeyError(other)


def half(**cells: object) -> Half:
    row = Half()
    for name, cell in cells.items():
        setattr(row, name, cell)
    return row


def slotted(**cells: Any) -> object:
    row = object.__new__(SlottedOrder)
    for name, old in {"id": "a", "note": "b"}.items():
        if old in cells:
            setattr(row, name, cells[old])
    return row


def shuffled(cells: Any) -> st.SearchStrategy[dict[Any, object]]:
    return st.permutations(list(cells.items())).map(dict)


some_cells = st.fixed_dictionaries(
    {}, optional=dict.fromkeys("abcd", st.sampled_from([1, "text", None]))
).flatmap(shuffled)
all_cells = st.just({"a": 1, "b": "text", "c": 2.5, "d": None})
odd_keys: dict[Any, object] = {Same("a"): 1, 5: 2, "b": 3}
rude_keys: dict[Any, object] = {"b": 3, Rude("c"): 4}
rows_by_name = st.lists(
    st.one_of(
        all_cells, all_cells.flatmap(shuffled), some_cells, st.sampled_from([odd_keys, rude_keys])
    ),
    max_size=6,
)


def outcome(rows: list[Any], **options: Any) -> object:
    try:
        return document(rows, **options)[0]
    except Exception as error:  # noqa: BLE001 - of any type: both have to raise the same
        return type(error), str(error), getattr(error, "__notes__", None)


def test_an_error_of_a_key_has_the_row_and_the_column() -> None:
    rows = [{"a": 1, "b": 2}, rude_keys]
    assert outcome(rows, columns=["b", "a"]) == (KeyError, "'a'", ["row 2, column a"])


@pytest.mark.skipif(native is None, reason="skipped: needs the compiled kernel")
@given(
    rows_by_name,
    st.sampled_from(
        [dict, OrderedDict, SimpleNamespace, half, slotted, defaultdict, MappingProxyType]
    ),
    st.sampled_from(
        [
            None,
            ["a", "b", "c"],
            ["b", "a", "a"],
            ["id", "note"],
            ["made", "a"],
            ["b", lambda row: repr(row)[:5], sw.Column("a", convert=str)],
            ["a.real", "b"],
            [Same("b"), "a"],
        ]
    ),
    st.sampled_from(["error", "ignore"]),
)
def test_the_kernel_reads_rows_as_python_does(
    cells: list[dict[Any, object]], make: Any, columns: Any, extra: Any
) -> None:
    def rows() -> list[Any]:
        if make is defaultdict:
            return [defaultdict(int, each) for each in cells]
        if make in (dict, OrderedDict, MappingProxyType):
            return [make(each) for each in cells]
        return [make(**{key: each[key] for key in each if type(key) is str}) for each in cells]

    options = {"columns": columns, "values": sw.Values(extra=extra)}
    found = outcome(rows(), **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout_module, "native", None)
        assert outcome(rows(), **options) == found
