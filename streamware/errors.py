"""Every error of ours.  What the caller's own rows raise passes through unchanged.

StreamwareError(Exception)
├── EncodeError(ValueError)         a row that the format cannot hold
│   ├── CellError                   .sheet .row .column .type
│   └── LimitError(OverflowError)   .limit .actual .name
├── StateError(RuntimeError)        a call out of order, an iterator used twice
├── ScratchError(OSError)           no room, or no safe directory
└── Refused                         admission: .retry_after
"""

from __future__ import annotations


class StreamwareError(Exception):
    """Whatever this library itself finds wrong."""


class EncodeError(StreamwareError, ValueError):
    """A row, a set of columns or an option that the format cannot hold."""


class CellError(EncodeError):
    """A value that has no place in the document.

    The message names the place and the type, never the value: that is somebody's data.  So the
    name of a sheet may be, with `sheet_by=`; `Receipt.problem` tells neither.

    Attributes:
        row: Number of the row in its sheet, from 1, the header not counted.  With `sheet_by=` and
            `Tagged`, too, only the sheet's own rows count; they count on where a full sheet goes
            on in another one.  A title row has its number from the top.
        column: Title of the column, or its number from 1 where it has none.
        type: Name of the value's type.
        sheet: Name of the sheet, as `Sheet`, `Tagged` or `sheet_by=` gave it; None where it has
            none of its own.
    """

    def __init__(
        self,
        row: int,
        column: str,
        type: str,  # noqa: A002 - the contract's name
        problem: str,
        *,
        sheet: str | None = None,
    ) -> None:
        super().__init__(f"{place_of(row, column, sheet)}: a value of type {type} {problem}")
        self.row = row
        self.column = column
        self.type = type
        self.sheet = sheet or None

    def __reduce__(self) -> tuple[object, ...]:
        return _restored, (type(self), self.args, self.__dict__)


class LimitError(EncodeError, OverflowError):
    """More than the format, the zip or the caller's `Limits` allow.

    Attributes:
        limit: What is allowed.
        actual: What it came to when it was noticed.
        name: The field of the caller's `Limits`; None for what the format or the zip cannot hold.
        status: What an `Export` answers where nothing was sent yet; None: the error is raised.
    """

    status: int | None = None

    def __init__(self, what: str, *, limit: float, actual: float, name: str | None = None) -> None:
        super().__init__(f"{what}: {actual:,} is over the limit of {limit:,}")
        self.limit = limit
        self.actual = actual
        self.name = name

    def __reduce__(self) -> tuple[object, ...]:
        return _restored, (type(self), self.args, self.__dict__)


class StateError(StreamwareError, RuntimeError):
    """A call out of order: an iterator used twice, rows where they cannot be read."""


class ScratchError(StreamwareError, OSError):
    """No room for scratch, or no directory that is safe to put it in."""


class Refused(StreamwareError):  # noqa: N818 - it is an answer (503), not a fault
    """Not now: too many exports at once, or no room for another.

    Attributes:
        retry_after: Seconds after which it is worth asking again.
        limit: The field of `Settings` that is used up, where it is one.
    """

    def __init__(self, message: str, *, retry_after: float, limit: str | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.limit = limit

    def __reduce__(self) -> tuple[object, ...]:
        return _restored, (type(self), self.args, self.__dict__)


def place_of(row: int, column: str, sheet: str | None) -> str:
    """What messages call the place of a cell, as `CellError` has it."""
    return (
        f"sheet {sheet!r}, row {row}, column {column}" if sheet else f"row {row}, column {column}"
    )


def _restored(
    cls: type[StreamwareError], args: tuple[object, ...], state: dict[str, object]
) -> StreamwareError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error
