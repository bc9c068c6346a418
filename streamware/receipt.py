"""What became of an export."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Receipt:
    """Figures of one export, filled while it runs and final once it has ended.

    Attributes:
        format: Name of the format, such as "xlsx".
        rows: Data rows written, over all sheets, headers not counted.
        bytes: Bytes of the document handed out so far.
        seconds: Seconds from the opening of the rows to the end.
        first_byte_seconds: Seconds from the opening to the first bytes; None before them.
        sha256: Hex digest of the whole document; None unless it is complete.
        converted: How often a value was written otherwise than it came, by the name of the rule
            (the fields of `Values`, and "text_cut", "newline", "escape", "text_of_object", …).
        outcome: "running", "complete", "source error", "encode error", "limit" or "closed"
            (given up before its end, as when a client leaves).
    """

    format: str
    rows: int = 0
    bytes: int = 0
    seconds: float = 0.0
    first_byte_seconds: float | None = None
    sha256: str | None = None
    converted: Counter[str] = field(default_factory=Counter)
    outcome: str = "running"
