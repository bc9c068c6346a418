# ruff: noqa: DTZ001 - date-times without a zone are what is tested
"""Lines of CSV that are written all at once are those that are written column by column."""

import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamware as sw
from streamware.formats.plain_lines import PlainLines
from streamware.formats.protocol import Context
from streamware.model.columns import Batch, Column, Head, RowColumns
from streamware.receipt import Receipt
from streamware.values.formula_text import guard_of

pytest.importorskip("orjson", reason="needs orjson")


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "of another length"

    def __len__(self) -> int:
        return 1


class Level(StrEnum):
    LOW = "low"


def batch(rows: list[tuple[Any, ...]], *, wide: bool = False) -> Batch:
    columns = tuple(map(Column, range(len(rows[0]))))
    return Batch(Head(None, columns), 1, len(rows), RowColumns(rows) if wide else list(zip(*rows)))  # noqa: B905


def at_once(rows: list[tuple[Any, ...]], form: sw.Csv, **options: Any) -> bytes | None:
    delimiter, null = form.delimiter.encode(), form.null.encode()
    assert PlainLines.can_write(delimiter, null)
    guard = guard_of(form.delimiter) if form.guard else None
    plain = PlainLines(delimiter, form.line_end.encode(), null, guard)
    return plain.lines(batch(rows, **options))


def by_column(rows: list[tuple[Any, ...]], form: sw.Csv) -> tuple[bytes, int]:
    """Lines, and the number of values that were not written as they came."""
    receipt = Receipt("csv")
    given = batch(rows)
    context = Context(values=sw.Values(), limits=sw.Limits(), receipt=receipt)
    return form.encoder(given.head.columns, context).feed(given), receipt.converted.total()


ODD = (
    "null",
    ",null",
    "],[",
    '"],["',
    "[null",
    "true",
    "-1",
    "=1+1",
    "a;-x",
    "\\",
    '"',
    " =a",
    "a]",
)
FORMS = (
    sw.Csv(),
    sw.Csv(guard=False, line_end="\n"),
    sw.Csv(delimiter=";", null="-"),
    sw.Csv(delimiter="|", null="null"),
    sw.Csv(delimiter="/"),
    sw.Tsv(null="=x"),
)
TEXTS = st.one_of(
    st.sampled_from(ODD),
    st.text("abn09 ,;|\t\r\n\"'\\[]{}=+-@/\x00\x1f\x7f\x85\xa0é\u2028\u200b＝\ufeff\ufffe\ud800😀"),  # noqa: RUF001
    st.text("abc"),
)
CELLS = st.one_of(
    TEXTS,
    TEXTS.map(Text),
    st.none(),
    st.booleans(),
    st.integers(-9, 9),
    st.integers(),
    st.integers(-(2**64), 2**64),
    st.floats(),
    st.sampled_from([0.0, -0.0, 1e-5, 1e16, 0.00001234, 123456789.125]),
    st.dates(),
    st.datetimes(timezones=st.sampled_from([None, None, UTC])),
    st.sampled_from([Level.LOW, Decimal("-1.5"), uuid.UUID(int=1), [1], {"a": 1}, b"ab", ("a",)]),
)


def tables(cells: st.SearchStrategy[Any]) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    return st.integers(2, 4).flatmap(
        lambda width: st.lists(st.tuples(*[cells] * width), min_size=1, max_size=4)
    )


@pytest.mark.parametrize("kinds", [1, 2, 3])
@given(data=st.data(), form=st.sampled_from(FORMS))
def test_they_are_the_same_whatever_the_cells(
    kinds: int, data: st.DataObject, form: sw.Csv
) -> None:
    """With few kinds of cells most tables are ordinary."""
    some = data.draw(st.lists(st.sampled_from(CELLS.branches), min_size=kinds, max_size=kinds))
    rows = data.draw(tables(st.one_of(some)))
    for wide in (False, True):
        lines = at_once(rows, form, wide=wide)
        assert lines is None or (lines, 0) == by_column(rows, form)


ORDINARY: dict[str, Callable[[int], object]] = {
    "numbers and texts": lambda at: at - 3 if at % 2 else "a - b",
    "of a subclass": lambda at: Text("abc") if at % 2 else None,
    "empty": lambda at: None if at % 3 else "null",
    "empty texts": lambda at: "" if at % 3 else None,
    "six types": lambda at: (1, "ab", 2.5, None, True, date(2024, 5, 6))[at % 6],
    "date-times": lambda at: datetime(2024, 5, 6, 7, 8, 9, at) if at % 2 else 5,
    "brackets": lambda at: "[a]" if at % 2 else "]",
    "signs": lambda at: "a=b" if at % 2 else "x@y.z",
    "letters": lambda at: "Zoë" if at % 2 else "日本語",
    "spaces": lambda at: " a b " if at % 2 else 1,
}


@pytest.mark.parametrize("form", FORMS[:4], ids=["comma", "unguarded", "semicolon", "bar"])
@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_values_are_written_so(name: str, form: sw.Csv) -> None:
    rows = [tuple(ORDINARY[name](5 * row + at) for at in range(5)) for row in range(7)]
    expected = by_column(rows, form)
    lines = at_once(rows, form)
    if lines is None:  # with a sign anywhere, a text that starts with a blank needs a look
        assert form.guard
        assert name == "spaces"
    else:
        assert (lines, 0) == expected


def test_after_rows_that_need_care_the_next_are_not_tried() -> None:
    plain = PlainLines(b",", b"\r\n", b"", None)
    careful, ordinary = batch([("a,b", 1)]), batch([("a", 1)])
    assert plain.lines(careful) is None
    tried = [plain.lines(ordinary) is not None for _ in range(4)]
    assert tried == [False, True, True, True]
    assert [plain.lines(careful) for _ in range(7)] == [None] * 7
    assert plain.lines(ordinary) is None


@pytest.mark.parametrize(
    ("delimiter", "null"), [(b"[", b""), (b"{", b""), (b",", b"a]"), (b",", b"x,"), (b";", b"a,b")]
)
def test_delimiters_and_empty_cells_of_the_syntax_of_json_are_not_tried(
    delimiter: bytes, null: bytes
) -> None:
    assert not PlainLines.can_write(delimiter, null)
