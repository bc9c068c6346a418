"""WorkbookContext: what the sheets of a workbook share."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import tzinfo

from streamware.formats.protocol import Context
from streamware.formats.xlsx.records import RecordFile
from streamware.formats.xlsx.strings import SharedStrings
from streamware.formats.xlsx.style_registry import StyleRegistry


@dataclass(frozen=True, slots=True)
class WorkbookContext:
    """What the sheets of a workbook share.

    Attributes:
        export: The context of the export.
        registry: The styles of the workbook.
        strings: The table of shared strings; None if texts are inline.
        records: Takes the links and notes of sheets that are open together, until they end; None
            if one sheet follows another, or there is no place for scratch files.
    """

    export: Context
    registry: StyleRegistry
    strings: SharedStrings | None = None
    records: RecordFile | None = None

    @property
    def compact(self) -> bool:
        """Whether cells and rows have no references."""
        return self.registry.compact

    @property
    def converted(self) -> Counter[str]:
        """The receipt's counts of conversions."""
        return self.export.receipt.converted

    @property
    def since_1904(self) -> bool:
        """Whether the workbook counts its dates from 1904."""
        return self.export.values.negative_duration == "1904"

    @property
    def timezone(self) -> tzinfo:
        """The zone of aware date-times."""
        return self.export.values.timezone
