"""Drivers of PEP 249, by fakes that record what they are asked for."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

import streamware as sw
from readers import csv_rows
from streamware.sources import dbapi


class Cursor:
    """Has two rows, and records the calls."""

    described = (("n", None),)

    def __init__(self, connection: "Connection", *arguments: object, **options: object) -> None:
        self.connection = connection
        self.arraysize = 1
        self.rows = [(1,), (2,)]
        self.description: Any = None
        connection.calls.append(("cursor", *arguments, *options.items()))

    def execute(self, query: str, *parameters: object) -> None:
        self.connection.calls.append(("execute", query, *parameters))
        self.description = self.described

    def fetchmany(self, size: int) -> list[Any]:
        self.connection.calls.append(("fetchmany", size, self.arraysize))
        rows, self.rows = self.rows[:size], self.rows[size:]
        return rows

    def close(self) -> None:
        self.connection.calls.append(("close cursor",))


class Connection:
    """Records the calls; a class for each driver is in its module by name."""

    cursor_class: type[Cursor] = Cursor
    autocommit = False

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def cursor(self, *arguments: object, **options: object) -> Any:
        return self.cursor_class(self, *arguments, **options)

    def close(self) -> None:
        self.calls.append(("close",))


class Oracle(Connection):
    """python-oracledb: fetches `arraysize` rows at a time; the connection cancels."""

    def cancel(self) -> None:
        self.calls.append(("cancel",))


class OdbcCursor(Cursor):
    """pyodbc: its cursor cancels."""

    def cancel(self) -> None:
        self.connection.calls.append(("cancel",))


class Odbc(Connection):
    cursor_class = OdbcCursor


class NamedCursor(Cursor):
    """psycopg2: a named cursor has its columns only once it has fetched rows."""

    name = "a"

    def execute(self, query: str, *parameters: object) -> None:
        super().execute(query, *parameters)
        self.description = None

    def fetchmany(self, size: int) -> list[Any]:
        self.description = self.described
        return super().fetchmany(size)


class Psycopg2(Connection):
    cursor_class = NamedCursor

    def cancel(self) -> None:
        self.calls.append(("cancel",))


Psycopg2.__module__ = "psycopg2.extensions"


def document(rows: Any) -> list[list[str]]:
    return csv_rows(b"".join(sw.encode(rows)))


def calls(connection: Connection) -> list[object]:
    return [call[0] for call in connection.calls]


@pytest.mark.parametrize("make", [Oracle, Odbc, Psycopg2])
def test_a_driver_is_asked_for_batches_and_closed(make: Callable[[], Connection]) -> None:
    connection = make()
    rows = dbapi.rows(lambda: connection, "select n", {"a": 1}, batch=7)
    assert document(rows) == [["n"], ["1"], ["2"]]
    assert connection.calls[1:3] == [("execute", "select n", {"a": 1}), ("fetchmany", 7, 7)]
    assert connection.calls[-2:] == [("close cursor",), ("close",)]


@pytest.mark.parametrize("make", [Oracle, Odbc, Psycopg2])
def test_what_a_driver_cancels_by_is_the_reader_s_cancel(make: Callable[[], Connection]) -> None:
    connection = make()
    with closing(dbapi.rows(lambda: connection, "select n").open_rows()) as reader:
        assert reader.cancel is not None
        reader.cancel()
    assert "cancel" in calls(connection)


@pytest.mark.parametrize("autocommit", [False, True])
def test_psycopg2_has_a_named_cursor_which_lasts_without_a_transaction(*, autocommit: bool) -> None:
    connection = Psycopg2()
    connection.autocommit = autocommit
    document(dbapi.rows(connection, "select n"))
    kind, name, *options = connection.calls[0]
    assert kind == "cursor"
    assert str(name).startswith("streamware_")
    assert options == [("withhold", autocommit)]
    assert "close" not in calls(connection)


def test_a_cursor_of_the_caller_is_used_in_place_of_ours() -> None:
    connection = Psycopg2()
    document(dbapi.rows(connection, "select n", cursor_factory=lambda each: each.cursor("own")))
    assert connection.calls[0] == ("cursor", "own")


def test_a_driver_without_a_cancel_has_none() -> None:
    with closing(dbapi.rows(Connection, "select n").open_rows()) as reader:
        assert reader.cancel is None
