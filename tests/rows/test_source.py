"""Where rows come from, and that whoever opens them closes them."""

import asyncio
import functools
import logging
import sqlite3
from collections.abc import AsyncIterator, Iterator
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest

import streamware as sw
from fakes import AsyncRows, Broken, Rows, aorders, orders
from streamware.rows.source import (
    OpenRows,
    aclose,
    checked,
    close,
    is_async,
    is_opener,
    opens_async,
)


class Iterable:
    """A source whose iterator is another object, and which has to be closed, too."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.closed = 0

    def __iter__(self) -> Rows:
        return self.rows

    def close(self) -> None:
        self.closed += 1


class Indexed:
    """The old protocol: `__getitem__` until an IndexError."""

    def __getitem__(self, at: int) -> tuple[int]:
        return ((1,), (2,))[at]


async def opens_rows() -> AsyncIterator[Any]:
    return aorders(2)


# What can be rows


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([(1,)], id="list"),
        pytest.param(orders(1), id="generator"),
        pytest.param(lambda: [(1,)], id="callable"),
        pytest.param(aorders(1), id="async generator"),
        pytest.param(opens_rows, id="async callable"),
        pytest.param(sw.Sheet("A", []), id="sheet"),
        pytest.param(Indexed(), id="indexed"),
    ],
)
def test_these_can_be_rows(rows: Any) -> None:
    assert checked(rows) is rows


@pytest.mark.parametrize("rows", [None, 7, object(), SimpleNamespace(close=list)])
def test_what_is_neither_iterable_nor_callable_cannot(rows: Any) -> None:
    message = (
        f"rows must be an iterable, .* or a callable that opens one, not {type(rows).__name__}"
    )
    with pytest.raises(TypeError, match=message):
        sw.encode(rows)


@pytest.mark.parametrize("rows", ["abc", b"", bytearray(), {"a": 1}, MappingProxyType({"a": 1})])
def test_text_or_one_mapping_cannot_be_rows(rows: Any) -> None:
    with pytest.raises(TypeError, match=f"an iterable of rows, not a single {type(rows).__name__}"):
        sw.encode(rows)


@pytest.mark.parametrize("opened", ["abc", {"a": 1}, 7, None])
def test_what_a_callable_opens_is_looked_at_too(opened: Any) -> None:
    with pytest.raises(TypeError, match=f"not .*{type(opened).__name__}"):
        OpenRows(lambda: opened)


@pytest.mark.parametrize(
    ("rows", "opener"),
    [
        (list, True),
        (lambda: [(1,)], True),
        (functools.partial(list), True),
        ([], False),
        (iter([]), False),
        (Indexed(), False),
        (aorders(1), False),
        (type("Both", (), {"__call__": list, "__iter__": list})(), False),
    ],
)
def test_a_callable_that_is_no_iterable_opens_rows(rows: Any, opener: bool) -> None:
    assert is_opener(rows) is opener


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (opens_rows, True),
        (functools.partial(opens_rows), True),
        (aorders, True),
        (type("Opener", (), {"__call__": opens_rows})(), True),
        (orders, False),
        ([], False),
    ],
)
def test_a_callable_tells_that_it_is_asynchronous(rows: Any, expected: bool) -> None:
    assert opens_async(rows) is expected


# Opened and closed


def test_a_callable_is_called_and_its_rows_are_closed() -> None:
    rows = Rows([(1,)])
    opened = OpenRows(lambda: rows)
    assert list(opened.iterator) == [(1,)]
    opened.close()
    assert rows.closed == 1


def test_an_iterator_and_its_source_are_closed_both() -> None:
    source = Iterable(Rows([(1,)]))
    opened = OpenRows(source)
    opened.close()
    opened.close()
    assert (source.closed, source.rows.closed) == (1, 1)


def test_each_is_closed_though_the_program_is_to_end_meanwhile() -> None:
    source = Iterable(Rows([], closing=SystemExit()))
    opened = OpenRows(source)
    with pytest.raises(SystemExit):
        opened.close()
    opened.close()
    assert (source.closed, source.rows.closed) == (1, 1)
    rows = [Rows([], closing=KeyboardInterrupt()), Rows([], closing=Broken()), Rows([])]
    with pytest.raises(KeyboardInterrupt):
        close([sw.Sheet("A", each) for each in rows])
    assert [each.closed for each in rows] == [1, 1, 1]


def test_what_cannot_be_iterated_is_closed() -> None:
    class Unreadable(Iterable):
        def __iter__(self) -> Any:
            raise Broken

    source = Unreadable(Rows([]))
    with pytest.raises(Broken):
        OpenRows(source)
    assert source.closed == 1


def test_what_turns_out_to_be_no_rows_is_closed() -> None:
    closed: list[bool] = []
    with pytest.raises(TypeError):
        OpenRows(lambda: SimpleNamespace(close=lambda: closed.append(True)))
    assert closed == [True]


def test_a_source_whose_names_cannot_be_told_is_closed() -> None:
    class Result(Iterable):
        def keys(self) -> list[str]:
            raise Broken

    source = Result(Rows([]))
    with pytest.raises(Broken):
        OpenRows(source)
    assert source.closed == 1


def test_names_may_be_told_after_the_first_row_only() -> None:
    class Cursor:
        """As a server-side cursor: it knows its columns once it has fetched."""

        description: Any = None

        def __iter__(self) -> Iterator[Any]:
            self.description = [("id",), ("note",)]
            yield (1, "x")

    opened = OpenRows(Cursor())
    assert opened.names is None
    next(opened.iterator)
    assert opened.names == ["id", "note"]
    assert b"".join(sw.encode(Cursor())) == b"id,note\r\n1,x\r\n"


def test_the_cursor_of_sqlite_is_closed() -> None:
    connection = sqlite3.connect(":memory:")
    cursor = connection.execute("select 1 as a")
    opened = OpenRows(cursor)
    assert opened.names == ["a"]
    opened.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed cursor"):
        cursor.fetchone()
    connection.close()


def test_one_sheet_is_a_list_of_sheets() -> None:
    sheet = sw.Sheet("A", [])
    assert list(OpenRows(sheet).iterator) == [sheet]


@pytest.mark.parametrize("many", [list, tuple])
def test_the_rows_of_listed_sheets_are_closed_with_them(many: Any) -> None:
    rows = [Rows([]), Rows([])]
    close(many(sw.Sheet("A", each) for each in rows))
    assert [each.closed for each in rows] == [1, 1]


def test_rows_that_a_sheet_would_open_are_left_closed() -> None:
    close([sw.Sheet("A", lambda: pytest.fail("opened"))])
    close(sw.Sheet("A", lambda: pytest.fail("opened")))


def test_closing_never_raises_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    close(Rows([], closing=Broken()))
    assert [record.getMessage() for record in caplog.records] == [
        "closing the rows of an export failed"
    ]


@pytest.mark.parametrize("rows", [[], (), iter(()), None, SimpleNamespace(close=7), AsyncRows([])])
def test_what_has_nothing_to_close_here_is_left_alone(rows: object) -> None:
    close(rows)


def test_the_error_of_another_thread_was_told_before(caplog: pytest.LogCaptureFixture) -> None:
    error = sqlite3.ProgrammingError(
        "SQLite objects created in a thread can only be used in that same thread."
    )
    close(Rows([], closing=error))
    assert caplog.messages == []


# Asynchronous rows


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(lambda: aorders(1), id="opens an async generator"),
        pytest.param(aorders, id="async generator function"),
        pytest.param(opens_rows, id="async callable"),
        pytest.param(lambda: asyncio.sleep(0), id="opens a coroutine"),
        pytest.param(AsyncRows([(1,)]), id="async iterator"),
    ],
)
def test_asynchronous_rows_are_refused_with_the_remedy(rows: Any) -> None:
    rows = functools.partial(rows, 1) if rows is aorders else rows
    for format_ in ("csv", "xlsx"):
        with pytest.raises(sw.StateError, match=r"use sw\.aencode, or serve .* ASGI.* a callable"):
            b"".join(sw.encode(rows, format_))


def test_a_coroutine_that_is_refused_was_awaited_by_nobody() -> None:
    with pytest.raises(sw.StateError):
        OpenRows(opens_rows())


def test_a_source_of_both_kinds_is_read_the_plain_way() -> None:
    class Both(AsyncRows):
        def __iter__(self) -> Iterator[Any]:
            return iter([(1,)])

    assert is_async(Both([]))
    assert list(OpenRows(Both([])).iterator) == [(1,)]


def test_a_feeder_makes_asynchronous_rows_readable() -> None:
    rows = AsyncRows([])
    opened = OpenRows(rows, lambda source: [source])
    assert list(opened.iterator) == [rows]


def test_asynchronous_rows_are_closed_by_either_name(caplog: pytest.LogCaptureFixture) -> None:
    asynchronous, plain = AsyncRows([]), Rows([])
    asyncio.run(aclose(asynchronous))
    asyncio.run(aclose(plain))
    asyncio.run(aclose([]))
    assert (asynchronous.closed, plain.closed) == (1, 1)
    with caplog.at_level(logging.WARNING):
        asyncio.run(aclose(AsyncRows([], closing=Broken())))
    assert "closing the rows of an export failed" in caplog.text
