"""TextColumns: writes the cells of batches as text, for formats of other packages."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from streamware.formats.protocol import Context
from streamware.formats.text import formatters
from streamware.model.columns import Batch, Column
from streamware.values.cell_formatter import SEPARATOR, Escape, TextRules
from streamware.values.column_formatter import FormattedColumn


class TextColumns:
    """Makes the text of cells, as `Values` says and escaped for one format.

    Numbers, dates and the other types are written as in CSV.  Values that are changed are counted
    in the receipt, and a value that cannot be written is a `CellError` that names its row and
    column.

    Args:
        columns: The columns of the sheet.
        context: The context of the encoder.
        escapes: What replaces each character that has a meaning in the format, such as
            `{"<": "&lt;"}`.  Keys are single ASCII characters.
        null: The text of an empty cell, written as it is.
        formulas: Whether a program that opens the document may take text for a formula, so that
            `Values.formula_text` applies.
        sheet: Name of the sheet, for messages.

    Attributes:
        titles: The titles of the columns, escaped; None if the columns have no titles.

    Raises:
        ValueError: A key of `escapes` is anything but one ASCII character.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        context: Context,
        *,
        escapes: Mapping[str, str] | None = None,
        null: str = "",
        formulas: bool = False,
        sheet: str | None = None,
    ) -> None:
        rules = TextRules(escape=_Escapes(escapes or {}), formulas=formulas)
        self._formatters = formatters(columns, context, rules, sheet=sheet)
        self._null = null.encode("utf-8", "replace")
        titles = [column.title for column in columns if column.title is not None]
        (formatter,) = formatters([Column(0, "title")], context, rules, sheet=sheet)
        self.titles = self._texts(formatter.format(titles, 0)) if titles else None

    def texts(self, batch: Batch) -> list[list[bytes]]:
        """Return the text of each cell of `batch`, in UTF-8, a list for every column.

        Raises:
            CellError: A value cannot be written, or `Values` makes it an error.
            LimitError: A text is too long.
        """
        return [
            self._texts(formatter.format(cells, batch.first))
            for formatter, cells in zip(self._formatters, batch.columns, strict=True)
        ]

    def _texts(self, formatted: FormattedColumn) -> list[bytes]:
        if not formatted.sparse:
            return formatted.tokens
        return [self._null if token is None else token for token in formatted.tokens]


class _Escapes(Escape):
    """Replaces single characters in one pass, so that their order does not matter."""

    def __init__(self, escapes: Mapping[str, str]) -> None:
        for character in escapes:
            if len(character) != 1 or not character.isascii() or character == SEPARATOR.decode():
                raise ValueError(f"escapes must be of single ASCII characters, not {character!r}")
        self.care = "".join(escapes).encode()
        self._replacements = {old.encode(): new.encode() for old, new in escapes.items()}
        self._pattern = re.compile(b"|".join(map(re.escape, self._replacements)))

    def __call__(self, blob: bytes, kept: bytes, converted: Counter[str]) -> list[bytes]:
        """Return the cells of `blob`, each escaped."""
        if self.care:
            blob = self._pattern.sub(lambda found: self._replacements[found[0]], blob)
        return blob.split(SEPARATOR)
