"""The styles part: number formats, collected while cells are written.

Source: ECMA-376 Part 1 §18.8.
"""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

from streamware.errors import LimitError
from streamware.formats.xlsx.parts import legal

HEADER = 1  # index of the bold style; 0 is the default one
MAX_FORMATS = 65_490  # cell formats in a workbook (Microsoft's limits page)

_FIRST_CUSTOM = 164  # ids below are built in (§18.8.30)
_BUILT_IN = {
    "General": 0,
    "0": 1,
    "0.00": 2,
    "#,##0": 3,
    "#,##0.00": 4,
    "0%": 9,
    "0.00%": 10,
    "@": 49,
}

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    '<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
)
_FONTS = (
    '<fonts count="2">'
    '<font><sz val="11"/><name val="Calibri"/><family val="2"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/><family val="2"/></font>'
    "</fonts>"
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
)
_PLAIN = '<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
_BOLD = '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>'
_FOOT = (
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
    "</styleSheet>"
)


class Styles:
    """The cell formats of a workbook, each once."""

    def __init__(self) -> None:
        self._indices: dict[str, int] = {"General": 0}

    def index(self, number_format: str) -> int:
        """Index of the cell format with this number format."""
        index = self._indices.get(number_format)
        if index is None:
            index = len(self._indices) + HEADER
            if index >= MAX_FORMATS:
                raise LimitError(
                    "cell formats of the workbook", limit=MAX_FORMATS, actual=index + 1
                )
            self._indices[number_format] = index
        return index

    def part(self) -> bytes:
        """`xl/styles.xml`."""
        codes = [code for code in self._indices if code != "General"]
        custom = [code for code in codes if code not in _BUILT_IN]
        ids = _BUILT_IN | {code: _FIRST_CUSTOM + at for at, code in enumerate(custom)}
        formats = "".join(
            f'<numFmt numFmtId="{ids[c]}" formatCode={quoteattr(legal(c))}/>' for c in custom
        )
        if custom:
            formats = f'<numFmts count="{len(custom)}">{formats}</numFmts>'
        cells = "".join(
            f'<xf numFmtId="{ids[c]}" fontId="0" fillId="0" borderId="0" xfId="0"'
            ' applyNumberFormat="1"/>'
            for c in codes
        )
        count = f'<cellXfs count="{len(codes) + 2}">'
        return f"{_HEAD}{formats}{_FONTS}{count}{_PLAIN}{_BOLD}{cells}</cellXfs>{_FOOT}".encode()
