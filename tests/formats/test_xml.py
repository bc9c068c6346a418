"""XML, as expat and libxml2 read it."""

import xml.etree.ElementTree as ET
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamware as sw
from drive import XML_TEXT, column, document
from readers import lxml_rows, xml_rows
from streamware.formats.xml import names, ncname

ROW = {"id": 7, "name": "a & <b>", "note": None}


def text(rows: Any, form: sw.Xml, **options: Any) -> str:
    """The document without its declaration and without line ends."""
    declaration, rest = document(rows, form, **options).data.decode().split("\n", 1)
    assert declaration == '<?xml version="1.0" encoding="UTF-8"?>'
    return rest.replace("\n", "")


def read(rows: Any, form: sw.Xml | str = "xml", **options: Any) -> list[dict[str, Any]]:
    """What both readers see."""
    data = document(rows, form, **options).data
    assert xml_rows(data) == lxml_rows(data)
    return xml_rows(data)


# What the options write

NIL = '<rows xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (
            sw.Xml(),
            "<rows><row><id>7</id><name>a &amp; &lt;b&gt;</name><note></note></row></rows>",
        ),
        (
            sw.Xml(root="orders", row="order", null="absent"),
            "<orders><order><id>7</id><name>a &amp; &lt;b&gt;</name></order></orders>",
        ),
        (
            sw.Xml(null="nil"),
            NIL
            + '<row><id>7</id><name>a &amp; &lt;b&gt;</name><note xsi:nil="true"/></row></rows>',
        ),
        (
            sw.Xml(attributes=["name"]),
            '<rows><row name="a &amp; &lt;b&gt;"><id>7</id><note></note></row></rows>',
        ),
        (
            sw.Xml(attributes=["id", "name", "note"]),
            '<rows><row id="7" name="a &amp; &lt;b&gt;" note=""></row></rows>',
        ),
        (
            sw.Xml(attributes=["note"], null="absent"),
            "<rows><row><id>7</id><name>a &amp; &lt;b&gt;</name></row></rows>",
        ),
    ],
)
def test_the_options_decide_what_is_written(form: sw.Xml, expected: str) -> None:
    assert text([ROW], form) == expected


@pytest.mark.parametrize(
    ("null", "expected"),
    [
        ("empty", [{"a": "x", "b": ""}, {"a": "", "b": ""}, {"a": "", "b": ""}]),
        ("absent", [{"a": "x"}, {"a": ""}, {}]),
        ("nil", [{"a": "x", "b": None}, {"a": "", "b": None}, {"a": None, "b": None}]),
    ],
)
def test_null_and_empty_text_differ_if_the_option_says_so(null: Any, expected: object) -> None:
    rows = [("x", None), ("", None), (None, None)]
    assert read(rows, sw.Xml(null=null), columns=["a", "b"]) == expected


@pytest.mark.parametrize(
    ("null", "expected"),
    [
        ("empty", [{"@a": "x"}, {"@a": ""}, {"@a": ""}]),
        ("absent", [{"@a": "x"}, {"@a": ""}, {}]),
        ("nil", [{"@a": "x"}, {"@a": ""}, {}]),
    ],
)
def test_an_attribute_without_a_value_is_absent_or_empty(null: Any, expected: object) -> None:
    rows = [("x",), ("",), (None,)]
    assert read(rows, sw.Xml(null=null, attributes=["a"]), columns=["a"]) == expected


def test_attributes_come_first_whatever_the_order_of_the_columns() -> None:
    form = sw.Xml(attributes=("c", "a"))
    assert text([(1, 2, 3)], form, columns=["a", "b", "c"]) == (
        '<rows><row a="1" c="3"><b>2</b></row></rows>'
    )


def test_an_attribute_may_be_named_by_title_or_by_key() -> None:
    columns = [sw.Column("id", "No."), "name"]
    for name in ("id", "No."):
        assert read([ROW], sw.Xml(attributes=[name]), columns=columns) == [
            {"@No.": "7", "name": "a & <b>"}
        ]


def test_an_unknown_attribute_is_an_error_that_lists_the_columns() -> None:
    chunks = sw.encode([ROW], sw.Xml(attributes=["nope"]))
    with pytest.raises(
        sw.EncodeError, match="attributes names 'nope', but the columns are: id, name, note"
    ):
        next(chunks)
    assert chunks.receipt.outcome == "encode error"


# Names


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("price", "price"),
        ("Unit price", "Unit_price"),
        (" x ", "x"),
        ("2024", "_2024"),
        ("a&<b>", "a_b_"),
        ("größe", "größe"),
        ("a:b", "a_b"),
        ("-x", "_-x"),
        ("a-b.c_1", "a-b.c_1"),
        ("", "_"),
        ("日本", "日本"),
        ("😀", "_"),
        ("Preț", "Pret\u0326"),
        ("½ & ①", "_1_2_1"),
        ("ﬁn", "fin"),
        ("\ud800", "_"),
        ("xml", "_xml"),
        ("XMLdata", "_XMLdata"),
        ("xmlns", "_xmlns"),
    ],
)
def test_a_title_becomes_a_name(title: str, name: str) -> None:
    assert ncname(title) == name


def test_names_are_all_different() -> None:
    columns = [sw.Column(0, title) for title in ("a b", "a:b", "a_b_2", "a/b")]
    assert names(columns) == ["a_b", "a_b_3", "a_b_2", "a_b_4"]


def test_columns_without_titles_are_numbered() -> None:
    assert read([(1, 2)]) == [{"column1": "1", "column2": "2"}]


def test_an_attribute_never_declares_a_namespace() -> None:
    form = sw.Xml(attributes=["xmlns", "xmlns:a", "xml:space"])
    rows = [{"xmlns": "x", "xmlns:a": "y", "xml:space": "z"}]
    assert read(rows, form) == [{"@_xmlns": "x", "@_xmlns_a": "y", "@_xml_space": "z"}]


@given(st.lists(st.text(st.characters()), min_size=1, max_size=5))
def test_any_titles_make_names_that_readers_accept(titles: list[str]) -> None:
    columns = [sw.Column(at, title) for at, title in enumerate(titles)]
    (row,) = read([tuple(range(len(titles)))], columns=columns)
    assert list(row.values()) == [str(at) for at in range(len(titles))]
    (row,) = read([tuple(range(len(titles)))], sw.Xml(attributes=titles), columns=columns)
    assert set(row.values()) == {str(at) for at in range(len(titles))}


@pytest.mark.parametrize("option", ["root", "row"])
@pytest.mark.parametrize(
    ("name", "better"), [("a b", "a_b"), ("", "_"), ("1st", "_1st"), ("a:b", "a_b")]
)
def test_a_root_that_is_not_a_name_is_an_error_that_suggests_one(
    option: str, name: str, better: str
) -> None:
    with pytest.raises(
        ValueError,
        match=rf"{option} must be an XML name \(NCName\) such as '{better}', not {name!r}",
    ):
        sw.Xml(**{option: name})  # type: ignore[arg-type]  # one of them at a time


def test_a_wrong_option_is_an_error_at_once() -> None:
    with pytest.raises(ValueError, match="null must be 'empty', 'absent' or 'nil', not 'none'"):
        sw.Xml(null="none")  # type: ignore[arg-type]  # that is the test
    with pytest.raises(
        TypeError, match="attributes must be a list of column titles or keys, not a str"
    ):
        sw.Xml(attributes="id")


# What comes out is what went in


@given(rows=st.lists(st.tuples(XML_TEXT, XML_TEXT)))
def test_text_survives_in_elements_and_in_attributes(rows: list[Any]) -> None:
    found = read(rows, sw.Xml(attributes=["b"]), columns=["a", "b"])
    assert [(row["a"], row["@b"]) for row in found] == rows


@given(st.lists(st.tuples(st.integers(), st.floats(allow_nan=False, allow_infinity=False))))
def test_numbers_survive(rows: list[Any]) -> None:
    found = read(rows, columns=["a", "b"])
    assert [(int(row["a"]), float(row["b"])) for row in found] == rows


@pytest.mark.slow
@given(st.lists(st.decimals(allow_nan=False, allow_infinity=False)))
def test_decimals_keep_their_digits(cells: list[Decimal]) -> None:
    found = xml_rows(column(cells, "xml").data)
    assert [row["a"] for row in found] == list(map(str, cells))


@given(st.lists(st.dates()))
def test_dates_survive(cells: list[date]) -> None:
    found = xml_rows(column(cells, "xml").data)
    assert [date.fromisoformat(row["a"] or "") for row in found] == cells


def test_a_document_that_was_cut_is_not_well_formed() -> None:
    data = document([ROW] * 3, "xml").data
    for end in range(len(data) - 8):
        with pytest.raises(ET.ParseError):
            xml_rows(data[:end])


@pytest.mark.parametrize("columns", [["a"], []])
def test_a_document_without_rows_is_one_root(columns: list[str]) -> None:
    assert text([], sw.Xml(), columns=columns) == "<rows></rows>"
