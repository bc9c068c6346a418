"""Sources of rows: what can be exported, and how it is opened and closed.

Rows are an iterable, an async iterable, or a callable that opens one.  An iterable is closed by its
own `close()`, if it has one, on every path: when it was read to its end, failed, was cancelled, or
was never started.  The `finally` of a generator that never started does not run, so closing is
never left to generators.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from itertools import chain, islice
from operator import itemgetter
from typing import Any

from streamware.errors import StateError
from streamware.model.columns import Column, Sheet, names_of
from streamware.rows.adoption import (
    LISTS,
    adopted,
    check_single,
    is_object_row,
    nested_columns,
)
from streamware.rows.columnar import ColumnarRows
from streamware.rows.tables import Pieces, TableRows, is_piece, is_table, table_rows
from streamware.sources.source import Reader, tell

logger = logging.getLogger("streamware")

Rows = Iterable[Any] | AsyncIterable[Any] | Awaitable[Any] | Callable[[], Any] | Sheet
"""What can be exported; see `encode`."""

_SYNC_REMEDY = (
    "these rows are asynchronous: use sw.aencode, or serve the export from an ASGI application;"
    " under WSGI give an ordinary iterable, or a callable that opens one"
)
_LATE = (
    "rows are read when the view has returned: pass what opens the cursor or the session, such as"
    " rows(…) of streamware.sources, or a generator that opens and closes it"
)


def checked(rows: Rows) -> Rows:
    """Return `rows` if they can be exported, as a source if a database's need one.

    Raises:
        TypeError: They are neither iterable nor callable, or they are a text or a single mapping.
    """
    if type(rows) in LISTS:
        return rows
    rows = adopted(rows)
    if isinstance(rows, (str, bytes, bytearray, Mapping)):
        kind = type(rows).__name__
        raise TypeError(f"rows must be an iterable of rows, not a single {kind}{_cure_of(rows)}")
    if (
        isinstance(rows, Sheet)
        or is_table(rows)
        or is_iterable(rows)
        or is_async(rows)
        or callable(rows)
        or is_source(rows)
    ):
        return rows
    raise TypeError(
        "rows must be an iterable, an async iterable, or a callable that opens one,"
        f" not {type(rows).__name__}{_cure_of(rows)}"
    )


def _cure_of(rows: object) -> str:
    """Return what to pass in place of what is no rows, for a message."""
    if isinstance(rows, str):
        is_query = rows.lstrip()[:6].lower() in ("select", "with a")
        return "; pass rows(connection, query) of streamware.sources" if is_query else ""
    if isinstance(rows, int):  # as PyMySQL's `execute` returns
        return "; pass the cursor, and not what its execute() returned"
    if not isinstance(rows, Mapping):
        if isinstance(rows, (bytes, bytearray)):
            return "; read it first"
        return "; for one row pass [row]" if hasattr(rows, "__dict__") else ""
    if any(isinstance(column, (list, tuple)) for column in rows.values()):
        return "; for rows of its lists pass zip(*rows.values()) and columns=list(rows)"
    return "; for one row pass [row]"


def is_iterable(rows: object) -> bool:
    """Return whether `rows` can be read by an ordinary `for`."""
    return hasattr(type(rows), "__iter__") or hasattr(type(rows), "__getitem__")


def is_async(rows: object) -> bool:
    """Return whether `rows` can be read by an event loop."""
    if type(rows) in LISTS:
        return False
    return hasattr(type(rows), "__aiter__") or inspect.isawaitable(rows)


def is_source(rows: object) -> bool:
    """Return whether `rows` is a source of `streamware.sources`, or a like one of the caller."""
    return hasattr(type(rows), "open_rows")


def opens_async(rows: object) -> bool:
    """Return whether `rows` is known to open something asynchronous."""
    if type(rows) in LISTS:
        return False
    call = getattr(rows, "__call__", None)  # noqa: B004 - instances with an async __call__ too
    opens = getattr(rows, "open_rows", None) if is_source(rows) else None
    return any(
        inspect.iscoroutinefunction(f) or inspect.isasyncgenfunction(f) for f in (rows, call, opens)
    )


def is_opener(rows: object) -> bool:
    """Return whether `rows` opens rows: a source, or a callable that is no rows itself."""
    return is_source(rows) or (callable(rows) and not is_iterable(rows) and not is_async(rows))


def open_rows(opener: Any) -> Any:
    """Return what an opener opens: rows, or something to await for them."""
    return opener.open_rows() if is_source(opener) else opener()


def _opened(rows: Rows, columns: Columns) -> tuple[Any, Columns]:
    """Return what `rows` open, unless an event loop has to, and the columns that their source has.

    A source gets the caller's columns first, so that it selects what they need.
    """
    if type(rows) in LISTS:
        return rows, columns
    source: Any = adopted(rows)
    if is_opener(source) and not is_source(source) and not opens_async(source):
        given = open_rows(source)
        source = adopted(given)
        if is_opener(source) and not is_source(source):
            source = open_rows(_not_callable(source, given))
    if is_source(source) and hasattr(source, "prepare"):
        source, known = source.prepare(columns)
        columns = None if known is None else tuple(known)
    opens = is_source(source) and not opens_async(source)
    return open_rows(source) if opens else source, columns


def _not_callable(adopted_rows: Any, given: Any) -> Any:
    """Return what adoption made of what a callable returned; raise TypeError if that is another."""
    if adopted_rows is given:
        kind = type(given).__name__
        raise TypeError(f"the callable given as rows must return rows, not another one ({kind})")
    return adopted_rows


Columns = tuple[Column, ...] | None
"""The columns of a sheet; None if its rows decide."""
Bridge = Callable[[Any], Iterable[Any]]
"""Turns asynchronous rows into ordinary ones, with the help of an event loop."""


END = object()
"""What stands for a first row where there is none."""


class Handed:
    """A source that an async callable returned: it reads on a thread, so the loop hands it over."""

    def __init__(self, source: Any) -> None:
        self.source = source


class Cancelled(BaseException):
    """The document was cancelled.  It is raised inside the engine, never to the caller."""


def _refuse(rows: Any) -> Iterable[Any]:
    """Raise StateError, in place of a bridge where there is no event loop."""
    raise StateError(_SYNC_REMEDY)


def _readable(source: Any, bridge: Bridge | None) -> Any:
    """Return what an ordinary `for` reads: an iterable of rows, or of sheets."""
    if opens_async(source) or (is_async(source) and not is_iterable(source)):
        source = (bridge or _refuse)(source)
    if is_table(source):
        source = table_rows(source)
    return [source] if isinstance(source, Sheet) else checked(source)


class OpenRows:
    """Rows being read: their iterator, the names of their columns, and how they are closed.

    Args:
        rows: What to open; a callable is called now, and an iterable is asked for its iterator.
        bridge: Turns asynchronous rows into ordinary ones; None without an event loop.
        columns: The caller's columns, if there are any.

    Attributes:
        iterator: The rows.
        columns: The columns, with what the source knows of them; None if the rows decide.
        count: The number of rows, if it is known and cannot change; None if it is not.

    Raises:
        StateError: They can only be read by an event loop, and there is no bridge.
    """

    def __init__(self, rows: Rows, bridge: Bridge | None = None, columns: Columns = None) -> None:
        source: Any
        source, self.columns = _opened(rows, columns)  # with what the source knows of them
        # Interrupts a pull that blocks; only a source's own `cancel` is known to do that.
        self.cancel: Callable[[], object] | None = (
            source.cancel if isinstance(source, Reader) else None
        )
        self.iterator: Iterator[Any] = iter(())  # the rows
        try:
            if type(source) not in LISTS:
                source = _readable(source, bridge)
            self._names = names_of(source)  # of the columns, if they are known yet
            self.count = _count(source)  # of the rows, if it cannot change
            # A list that grows while it is read has the rows that it had when it was opened.
            self.iterator = islice(source, self.count) if type(source) is list else iter(source)
        except BaseException:
            close(source)
            raise
        self._source = source  # to be closed after the iterator
        self._of_objects = False  # whether each row is an object, whose only name is its class's
        self._pieces: Pieces | OpenRows | None = None  # to be closed before it

    def start(self) -> tuple[object, Iterable[Any]]:
        """Pull the first row; return it, or `END`, and all rows.

        If the first one is a table, the rows are those of all the tables that come.
        """
        if isinstance(self._source, ColumnarRows):
            return self._source.first() or END, self._source
        rows = self.iterator
        try:
            first = next(rows, END)
        except Exception as error:
            tell(error, _LATE)
            raise
        if is_piece(first):
            self._pieces = Pieces(first, rows, chosen=self.columns is not None)
            self._names, self.count = self._pieces.names, None
            rows = iter(self._pieces)
            first = next(rows, END)
        elif type(first) is Handed:
            self._pieces = inner = OpenRows(first.source, columns=self.columns)
            self.columns, self.cancel = inner.columns, inner.cancel
            started = inner.start()
            self._names = inner.names
            return started
        elif is_object_row(first):
            self._names, self._of_objects = None, True
            rows = map(itemgetter(0), rows)
            first = first[0]  # type: ignore[index]  # a tuple
        elif self.columns is None:
            self.columns = nested_columns(first)
        if first is not END and (self.columns is None or any(map(_is_named, self.columns))):
            check_single(first)
        return first, rows if first is END else chain((first,), rows)

    @property
    def names(self) -> list[str] | None:
        """Names of the columns, if the source has them; some do only after the first row."""
        if self._names is None and not self._of_objects:
            self._names = names_of(self._source)
        return self._names

    def close(self) -> None:
        """Close the iterator and its source.

        Errors are logged.  May raise only KeyboardInterrupt and the like, after both are closed.
        """
        iterator, source, pieces = self.iterator, self._source, self._pieces
        self.iterator, self._source, self._pieces = iter(()), (), None
        try:
            if pieces is not None:
                close(pieces)
        finally:  # each is closed even if an earlier one failed
            try:
                _close(iterator)
            finally:
                if source is not iterator:
                    close(source)


def _is_named(column: Column) -> bool:
    """Return whether a column names a cell that is written as it is."""
    return isinstance(column.key, str) and column.convert is None


def _count(rows: object) -> int | None:
    """Return the number of rows if it is certain; the `len()` of other classes may be wrong."""
    if type(rows) in (list, tuple):
        return len(rows)  # type: ignore[arg-type]  # a list or a tuple
    return rows.count if isinstance(rows, TableRows) else None


def close(rows: object) -> None:
    """Call `rows.close()`, if it has that method and it is not async.

    The rows of sheets in a list are closed too, even if they were never started.  Errors are
    logged.  May raise only KeyboardInterrupt and the like, after everything is closed.
    """
    sheets = _listed_sheets(rows)
    if not sheets:
        _close(rows)
        return
    with ExitStack() as closing:
        closing.callback(_close, rows)
        for sheet in reversed(sheets):
            if not is_opener(sheet.rows):
                closing.callback(close, sheet.rows)


def _close(rows: object) -> None:
    closer = getattr(rows, "close", None)
    if not callable(closer) or inspect.iscoroutinefunction(closer):
        return
    try:
        closer()
    except Exception as error:
        if is_thread_bound(error):
            return  # reading it on this thread has already failed with an error that says so
        logger.warning("closing the rows of an export failed", exc_info=True)


def open_sources(rows: object) -> list[object]:
    """Return what the caller passed open: `rows`, and the rows of the sheets in a list."""
    given = [rows, *(sheet.rows for sheet in _listed_sheets(rows))]
    return [each for each in given if not is_opener(each)]


def async_sources(rows: object) -> list[object]:
    """Return those of `open_sources` that only an event loop can close."""
    if type(rows) in LISTS and not _listed_sheets(rows):
        return []
    return [each for each in open_sources(rows) if is_async(each) and not is_iterable(each)]


def _listed_sheets(rows: object) -> list[Sheet]:
    if isinstance(rows, Sheet):
        return [rows]
    listed = isinstance(rows, (list, tuple)) and bool(rows) and isinstance(rows[0], Sheet)
    return [sheet for sheet in rows if isinstance(sheet, Sheet)] if listed else []  # type: ignore[attr-defined]  # a list


def is_thread_bound(error: Exception) -> bool:
    """Return whether `error` says that an object belongs to another thread."""
    # sqlite3.ProgrammingError and greenlet.error have no error code that shows this.
    return "same thread" in str(error) or "different thread" in str(error)


async def aclose(rows: object) -> None:
    """Call `rows.aclose()` or `rows.close()`, and await the result.  Raises only if cancelled."""
    closer = getattr(rows, "aclose", None) or getattr(rows, "close", None)
    if not callable(closer):
        return
    try:
        closing = closer()
        if inspect.isawaitable(closing):
            await closing
    except Exception:
        logger.warning("closing the rows of an export failed", exc_info=True)


def needs_loop(rows: Any) -> bool:
    """Return whether it is known before they are opened that an event loop has to read them."""
    given = [rows, *(sheet.rows for sheet in _listed_sheets(rows))]
    return any(opens_async(each) or (is_async(each) and not is_iterable(each)) for each in given)


def expected(rows: Any) -> int | None:
    """Return how many rows are expected; None if that is not known before they are read."""
    total = getattr(rows, "total", None) if is_source(rows) else None
    if type(rows) in LISTS and not _listed_sheets(rows):
        total = len(rows)
    return total if isinstance(total, int) else None
