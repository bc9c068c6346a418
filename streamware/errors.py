"""Every error that the library raises.  Errors of the caller's rows pass through unchanged.

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
    """The base class of all errors that the library itself raises."""


class EncodeError(StreamwareError, ValueError):
    """A row, a set of columns or an option that the format cannot hold."""


class CellError(EncodeError):
    """A value that the document cannot hold.

    The message names the cell and the type, never the value, which is user data.  With
    `sheet_by=` the name of a sheet may be user data, too; `Receipt.problem` contains neither.

    Attributes:
        row: Number of the row in its sheet, from 1; 0 is the header.  With `sheet_by=` or
            `Tagged` only the sheet's own rows count; they count on when a full sheet continues
            in another one.  A title row has its number from the top.
        column: Title of the column, or its number from 1 if it has none.
        type: Name of the value's type.
        sheet: Name of the sheet, as `Sheet`, `Tagged` or `sheet_by=` gave it; None if none did.
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
        limit: The bound.
        actual: The size when it was found to be over the bound.
        name: The field of the caller's `Limits`; None for a bound of the format or the zip.
        status: What an `Export` answers if nothing was sent yet; None if the error is raised.
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
    """No room for scratch files, or no directory that is safe for them."""


class Refused(StreamwareError):  # noqa: N818 - it is an answer (503), not a fault
    """Too many exports at once, or no room for another: try again later.

    Attributes:
        retry_after: Seconds after which it is worth asking again.
        limit: The field of `Settings` that refused it, if one did.
    """

    def __init__(self, message: str, *, retry_after: float, limit: str | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.limit = limit

    def __reduce__(self) -> tuple[object, ...]:
        return _restored, (type(self), self.args, self.__dict__)


def place_of(row: int, column: str, sheet: str | None) -> str:
    """Return what messages call a cell: its sheet, if that has a name, its row and its column.

    The titles are row 0.
    """
    place = f"row {row}, column {column}" if row else "a title in the header"
    return f"sheet {sheet!r}, {place}" if sheet else place


def _restored(
    cls: type[StreamwareError], args: tuple[object, ...], state: dict[str, object]
) -> StreamwareError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error
