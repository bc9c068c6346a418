"""Writes the cells of a column as XML.

Source: ECMA-376 Part 1 §18.3.1.4 (c), §18.18.11 (ST_CellType), §22.9.2.19 (ST_Xstring).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import repeat
from typing import Any, NamedTuple

from streamware.formats.kernel_rows import KernelColumn, kernel_column, markup_of
from streamware.formats.protocol import Part
from streamware.formats.spreadsheet.column_style import ColumnStyle, shown_kind, styled_places
from streamware.formats.spreadsheet.reference import column_letters
from streamware.formats.text import MARKUP
from streamware.formats.xlsx.address import Address
from streamware.formats.xlsx.attachments import Attachments
from streamware.formats.xlsx.context import WorkbookContext
from streamware.formats.xlsx.functions import in_files
from streamware.formats.xlsx.strings import SharedStrings
from streamware.formats.xlsx.style_registry import AROUND, VALUE
from streamware.model.cell import Cell
from streamware.model.columns import Column
from streamware.values.cell_formatter import SEPARATOR, Escape, TextRules
from streamware.values.column_formatter import FormattedColumn
from streamware.values.dates import EPOCH_1904
from streamware.values.kinds import NUMBERS, Kind

_LOOKS_ESCAPED = re.compile(rb"_(?=x[0-9A-Fa-f]{4}_)")
_STRIPPED = b" \t\n\r"
_PRESERVE = b' xml:space="preserve">'
_SHARED = b' t="s"><v>'
# The type attribute of a formula's cell, by the kind of its value.
_TYPED = dict.fromkeys(Kind, b"") | {Kind.TEXT: b' t="str"', Kind.BOOL: b' t="b"'}


class CellText(Escape):
    """Escapes markup, and text that looks like an escape of ST_Xstring."""

    care = b"&<>_"
    replacements = MARKUP
    looked_at = b"_"

    def __call__(self, blob: bytes, kept: bytes, converted: Counter[str]) -> list[bytes]:
        """Return the cells of `blob`, escaped for the element `t`."""
        if b"_" in kept and _LOOKS_ESCAPED.search(blob):
            cells = blob.split(SEPARATOR)
            converted["escape"] += sum(_LOOKS_ESCAPED.search(cell) is not None for cell in cells)
            blob = _LOOKS_ESCAPED.sub(b"_x005F_", blob)
        for mark, reference in MARKUP:
            if mark in kept:
                blob = blob.replace(mark, reference)
        return blob.split(SEPARATOR)


def notation(character: str) -> bytes:
    """Return a character that XML forbids as Excel writes it (§22.9.2.19): `_x0007_`."""
    return b"_x%04X_" % ord(character)


TEXT_RULES = TextRules(escape=CellText(), true=b"1", false=b"0", spreadsheet=True, escaped=notation)
"""How XLSX wants values written."""
_TEXT_RULES_1904 = replace(TEXT_RULES, epoch=EPOCH_1904)


def text_rules(workbook: WorkbookContext) -> TextRules:
    """Return how a workbook wants values written, by the system of its dates."""
    return _TEXT_RULES_1904 if workbook.since_1904 else TEXT_RULES


class CellWriter:
    """Writes the cells of one column.

    Args:
        column: The column.
        at: Its position, from 0.
        workbook: What it shares with other columns and sheets.
        attachments: The links and notes of its sheet.

    Attributes:
        style: The style of its cells.
        strings: The table of its texts; None if they are in their cells.
    """

    def __init__(
        self, column: Column, at: int, workbook: WorkbookContext, attachments: Attachments
    ) -> None:
        linked = column.url is not None
        self.style = ColumnStyle.of(column, workbook.timezone)  # of cells without their own
        self.strings = None if linked else workbook.strings  # a link's text is in its formula
        self._at = at  # position of the column, from 0
        self._compact = workbook.compact  # whether cells have no references
        self._converted = workbook.converted  # counts addresses that are not links
        self._attachments = attachments  # takes links and notes of single cells
        self._address = (
            None if column.url is None else Address(column.url, text_rules(workbook).epoch)
        )  # of every cell
        # Every cell up to the number of its row.
        self._start = b"<c" if self._compact else b'<c r="' + column_letters(at).encode()
        self._markup = workbook.registry.cell_markup(self.style, linked=linked)  # by kind
        # Of the cells with a style, link or note of their own, by their row in the coming batch.
        self._stylings: dict[int, _CellStyling] = {}

    def style_cell(self, row: int, formatted: FormattedColumn, number: int) -> None:
        """Register the style, link and note of a cell that has its own, before `parts` writes it.

        Args:
            row: Its row in the batch, from 0.
            formatted: The column.
            number: Its row in the sheet, from 1.
        """
        cell: Cell = (formatted.styled or {})[row]
        token = formatted.tokens[row]
        kind = formatted.kinds[row] if formatted.kinds else formatted.kind
        if kind is None or token is None:  # an empty cell, whatever kind the others have
            kind = Kind.EMPTY
        if cell.url:
            formula = None
            linked = self._attachments.add_link(number, self._at, cell.url)
        else:
            formula = self._column_link(kind, token)
            linked = formula is not None
        if cell.note:
            self._attachments.add_note(number, self._at, cell.note)
        markup = self._markup.styled(cell.style, shown_kind(kind, token), linked=linked)
        self._stylings[row] = _CellStyling(markup, formula)

    def parts(self, formatted: FormattedColumn, numbers: Sequence[bytes]) -> Sequence[Part]:
        """Return the parts of the column in rows of these numbers.

        `style_cells` and `share_strings` are called for the rows before.
        """
        kind, tokens = formatted.kind, formatted.tokens
        if formatted.styled:
            return (self._styled_column(formatted, numbers),)
        if kind is Kind.EMPTY and not self._compact:
            return ()
        if formatted.kinds and self._are_plain(formatted.kinds):
            return (self._mixed(formatted.kinds, tokens, numbers),)
        if kind is Kind.FORMULA:
            return self._formula_column(formatted, numbers)
        if kind is None:
            return (list(map(self._cell, formatted.kinds or (), tokens, numbers)),)
        if self._address is not None and kind is not Kind.EMPTY:
            return self._link_column(self._address, kind, tokens, numbers)
        before, after = self._markup.around[kind]
        if kind is Kind.TEXT and self.strings is not None:
            ids = self.strings.ids(tokens)
            if ids.count(None) != tokens.count(None):  # the table had no room for some
                return (list(map(self._cell, repeat(kind), tokens, numbers)),)
            tokens, before, after = ids, self._markup.plain[kind] + _SHARED, VALUE[1]
        elif kind is Kind.TEXT and _has_edge_blanks(tokens):
            tokens = [None if token is None else _in_tag(token) for token in tokens]
            before = before[:-1]
        return self._column(tokens, numbers, before, after, formatted.sparse)

    def kernel_column(self, column: Column) -> KernelColumn:
        """Return the markup of the column for the kernel."""
        start, around = self._start, self._markup.around
        if self._compact:
            around = {kind: (start + before, after) for kind, (before, after) in around.items()}
        before, after = around[Kind.TEXT]
        empty = b"<c/>" if self._compact else b""
        markup = markup_of(empty, around, spaced=(before[:-1] + _PRESERVE, after))
        return kernel_column(column.kind, markup, reference=None if self._compact else start)

    # A column of several kinds

    def _are_plain(self, kinds: Sequence[Kind]) -> bool:
        """Return whether every cell is only its value within the markup of its kind."""
        if self._address is not None or Kind.FORMULA in kinds:
            return False
        return self.strings is None or Kind.TEXT not in kinds

    def _mixed(
        self, kinds: Sequence[Kind], tokens: Sequence[bytes | None], numbers: Sequence[bytes]
    ) -> list[bytes]:
        around, start = self._markup.around, self._start
        texts = [token for kind, token in zip(kinds, tokens, strict=True) if kind is Kind.TEXT]
        if texts and _has_edge_blanks(texts):
            before, after = around[Kind.TEXT]
            around = around | {Kind.TEXT: (before[:-1], after)}
            tokens = [
                token if token is None or kind is not Kind.TEXT else _in_tag(token)
                for kind, token in zip(kinds, tokens, strict=True)
            ]
        if self._compact:
            cells = {
                kind: start + before + b"%b" + after for kind, (before, after) in around.items()
            }
            pairs = zip(kinds, tokens, strict=True)
            return [b"<c/>" if t is None else cells[k] % t for k, t in pairs]
        cells = {
            kind: start + b"%b" + before + b"%b" + after
            for kind, (before, after) in around.items()
            if kind in kinds
        }
        triples = zip(kinds, tokens, numbers, strict=True)
        return [b"" if t is None else cells[k] % (n, t) for k, t, n in triples]

    # A column of one kind

    def _column(
        self,
        tokens: Sequence[Any],
        numbers: Sequence[bytes],
        before: bytes,
        after: bytes,
        sparse: bool,
    ) -> Sequence[Part]:
        start = self._start
        if sparse and not self._compact:
            pairs = zip(tokens, numbers, strict=True)
            return ([b"" if t is None else start + n + before + t + after for t, n in pairs],)
        if sparse:
            start += before
            return ([b"<c/>" if t is None else start + t + after for t in tokens],)
        if self._compact:
            return (start + before, tokens, after)
        return (start, numbers, before, tokens, after)

    def _formula_column(
        self, formatted: FormattedColumn, numbers: Sequence[bytes]
    ) -> Sequence[Part]:
        tokens = formatted.tokens
        fields = [] if formatted.sparse else SEPARATOR.join(tokens).split(SEPARATOR)
        kinds = fields[1::3]  # three fields of each formula, but four of an array
        alike = len(fields) == 3 * len(tokens) and kinds.count(kinds[0]) == len(kinds)
        if not alike or self._address is not None:
            return (list(map(self._cell, repeat(Kind.FORMULA), tokens, numbers)),)
        valued = Kind(fields[1].decode())
        markup = self._markup.plain[valued if valued in NUMBERS else Kind.FORMULA]
        reference = (self._start,) if self._compact else (self._start, numbers)
        before, formulas = markup + _TYPED[valued] + b"><f>", in_files(fields[::3])
        if valued is Kind.EMPTY:
            return (*reference, before, formulas, b"</f></c>")
        return (*reference, before, formulas, b"</f><v>", fields[2::3], b"</v></c>")

    def _link_column(
        self, address: Address, kind: Kind, tokens: Sequence[Any], numbers: Sequence[bytes]
    ) -> Sequence[Part]:
        formulas = address.formulas(kind, tokens)
        if None in formulas:
            pairs = zip(formulas, tokens, strict=True)
            self._count_unlinked(sum(formula is None and bool(token) for formula, token in pairs))
            return (list(map(self._plain_cell, repeat(kind), tokens, numbers, formulas)),)
        before, after = self._markup.links[kind] + _TYPED[kind] + b">", b"</v></c>"
        reference = (self._start,) if self._compact else (self._start, numbers)
        return (*reference, before, formulas, b"<v>", tokens, after)

    # Cell by cell

    def _styled_column(self, formatted: FormattedColumn, numbers: Sequence[bytes]) -> list[bytes]:
        stylings, self._stylings = self._stylings, {}
        kinds = formatted.kinds or [formatted.kind or Kind.EMPTY] * len(numbers)
        if self._are_plain(kinds):
            cells = self._mixed(kinds, formatted.tokens, numbers)
            for row, styling in stylings.items():
                cells[row] = self._xml(kinds[row], formatted.tokens[row], numbers[row], *styling)
            return cells
        return [
            self._xml(kind, token, number, *stylings[row])
            if row in stylings
            else self._cell(kind, token, number)
            for row, (kind, token, number) in enumerate(
                zip(kinds, formatted.tokens, numbers, strict=True)
            )
        ]

    def _cell(self, kind: Kind, token: bytes | None, number: bytes) -> bytes:
        return self._plain_cell(kind, token, number, self._column_link(kind, token))

    def _column_link(self, kind: Kind, token: bytes | None) -> bytes | None:
        """Return the formula that links a cell to the address of its column, if there is one."""
        if self._address is None or not token:
            return None
        formula = self._address.formula(kind, token)
        self._count_unlinked(formula is None)
        return formula

    def _count_unlinked(self, count: int) -> None:
        if count:  # a Counter would list 0
            self._converted["url"] += count

    def _plain_cell(
        self, kind: Kind, token: bytes | None, number: bytes, formula: bytes | None
    ) -> bytes:
        """Return a cell with the style of its column."""
        if token is None:
            return b"<c/>" if self._compact else b""
        markup = self._markup.plain if formula is None else self._markup.links
        return self._xml(kind, token, number, markup[shown_kind(kind, token)], formula)

    def _xml(
        self, kind: Kind, token: bytes | None, number: bytes, markup: bytes, formula: bytes | None
    ) -> bytes:
        start = self._start + markup if self._compact else self._start + number + markup
        if token is None:
            return start + b"/>"
        if formula is not None:
            return start + _TYPED[kind] + b">" + formula + b"<v>" + token + b"</v></c>"
        if kind is Kind.FORMULA:
            text, value_kind, cached, *array = token.split(SEPARATOR)
            (text,) = in_files([text])
            valued = Kind(value_kind.decode())
            value = b"" if valued is Kind.EMPTY else b"<v>" + cached + b"</v>"
            opened = b"><f>"
            if array:
                opened = b'><f t="array" ref="%b%b">' % (column_letters(self._at).encode(), number)
            return start + _TYPED[valued] + opened + text + b"</f>" + value + b"</c>"
        if kind is Kind.TEXT:
            return start + text_value(token, self.strings)
        opening, after = AROUND.get(kind, VALUE)
        return start + opening + token + after


class _CellStyling(NamedTuple):
    """What a cell has of its own.

    Attributes:
        markup: What follows the number of its row.
        formula: The formula that makes it a link to the address of its column, or None.
    """

    markup: bytes
    formula: bytes | None


def style_cells(
    writers: Sequence[CellWriter], formatted: Sequence[FormattedColumn], first: int
) -> None:
    """Register the styles, links and notes of the cells of some rows that have their own.

    Args:
        writers: Those of the columns.
        formatted: The columns.
        first: Number of the first row in the sheet, from 1.
    """
    for row, at in styled_places(formatted):
        writers[at].style_cell(row, formatted[at], first + row)


def share_strings(writers: Sequence[CellWriter], formatted: Sequence[FormattedColumn]) -> None:
    """Add the texts of some rows to the table of shared strings, row by row."""
    shared: dict[SharedStrings, list[FormattedColumn]] = {}
    for writer, column in zip(writers, formatted, strict=True):
        if writer.strings is not None:
            shared.setdefault(writer.strings, []).append(column)
    for strings, texts in shared.items():
        strings.collect(texts)


def text_value(token: bytes, strings: SharedStrings | None) -> bytes:
    """Return everything of a text cell that follows its reference and its style."""
    number = None if strings is None else strings.id(token)
    if number is not None:
        return _SHARED + number + b"</v></c>"
    return b' t="inlineStr"><is><t' + _in_tag(token) + b"</t></is></c>"


def _in_tag(token: bytes) -> bytes:
    """Return a text with the rest of the tag `t` before it, which says whether to keep blanks."""
    return (_PRESERVE if token.strip(_STRIPPED) != token else b">") + token


def _has_edge_blanks(tokens: Sequence[bytes | None]) -> bool:
    # bytes.strip returns a text without edge blanks as the same object: comparing is cheap then.
    present = [token for token in tokens if token] if None in tokens else tokens
    return list(map(bytes.strip, present)) != present  # type: ignore[arg-type]  # no None is left
