"""EncodeOptions: the options that `encode`, `aencode`, `save` and `asave` share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import UTC
from numbers import Real
from typing import Any, TypedDict

from streamware.limits import Limits
from streamware.model.columns import Column, Key, as_columns
from streamware.model.style import expect
from streamware.values import Values, in_default_zone

CHUNK_SIZE = 65_536
FLUSH_INTERVAL = 1.0
_VALUES = in_default_zone(Values(), UTC)  # made and checked once, as the other defaults
_LIMITS = Limits()


class EncodeOptions(TypedDict, total=False):
    """The options of `encode`, `aencode`, `save` and `asave`.  Each may be left out.

    Attributes:
        columns: The cells of a row, their order and their titles.  By default all cells that the
            source or the first row has.
        sheet_by: How to find the sheet of a row, as `Column.key` finds a cell.  Each row goes
            into the sheet of that name, in one pass over the rows, in any order; None in a row
            stands for the workbook's default sheet.  The first sheet is sent as its rows come;
            the others wait in compressed scratch files until the last row has come.  By default
            there is one sheet, or those of the `Sheet` and `Tagged` objects in the rows.
        values: How to write values that not every format can hold.  By default `Values()`.
        limits: Bounds of the export.  By default `Limits()`, which has none.
        chunk_size: The minimum size of a chunk in bytes; the first, the last and a flushed chunk
            may be smaller.  By default 65,536.
        flush_interval: Seconds after which the rows of a slow source are sent, even if they do
            not fill a chunk.  `aencode` keeps a timer; `encode` checks when the next row arrives.
            By default 1.0.
    """

    columns: Iterable[Column | Key] | None
    sheet_by: Key | None
    values: Values | None
    limits: Limits | None
    chunk_size: int
    flush_interval: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedOptions:
    """`EncodeOptions`, checked and with the defaults filled in."""

    columns: tuple[Column, ...] | None = None
    sheet_by: Key | None = None
    values: Values = _VALUES
    limits: Limits = _LIMITS
    chunk_size: int = CHUNK_SIZE
    flush_interval: float = FLUSH_INTERVAL

    def __post_init__(self) -> None:
        if self.values is not _VALUES:
            expect(self, "sw.Values(…)", Values, "values")
            object.__setattr__(self, "values", in_default_zone(self.values, UTC))
        if self.limits is not _LIMITS:
            expect(self, "sw.Limits(…)", Limits, "limits")
        if self.chunk_size is CHUNK_SIZE and self.flush_interval is FLUSH_INTERVAL:
            return  # the defaults themselves; True is equal to one of them
        expect(self, "a number", Real, "chunk_size", "flush_interval")
        if self.chunk_size < 1 or self.flush_interval <= 0:
            raise ValueError(
                "chunk_size must be at least 1 and flush_interval above 0, not"
                f" {self.chunk_size} and {self.flush_interval}"
            )


def resolve(options: EncodeOptions) -> ResolvedOptions:
    """Return the options, checked and with the defaults filled in; None stands for a default.

    Raises:
        TypeError: An option is unknown, or of the wrong type.
        ValueError: `chunk_size` or `flush_interval` is out of its range.
    """
    if unknown := options.keys() - _KNOWN:
        raise TypeError(f"unknown option {min(unknown)!r}; the options are {', '.join(_KNOWN)}")
    given: dict[str, Any] = {
        name: value
        for name, value in options.items()
        if value is not None and value is not getattr(_DEFAULTS, name)
    }
    if not given:
        return _DEFAULTS
    if "columns" in given:
        given["columns"] = as_columns(given["columns"])
    return ResolvedOptions(**given)


_KNOWN = tuple(option.name for option in fields(ResolvedOptions))
_DEFAULTS = ResolvedOptions()
