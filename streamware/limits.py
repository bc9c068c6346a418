"""How much one export may be."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one export; None is no bound.  Passing one raises `LimitError`.

    Attributes:
        rows: Data rows, over all sheets.
        bytes: Bytes of the document, as sent before any content coding.
        seconds: Seconds from the opening of the rows; looked at whenever a row arrives.
        cell_characters: Characters (code points) in one text cell.
    """

    rows: int | None = None
    bytes: int | None = None
    seconds: float | None = None
    cell_characters: int | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            bound = getattr(self, field.name)
            if bound is not None and bound < 0:
                raise ValueError(f"Limits({field.name}=…) must not be negative")
