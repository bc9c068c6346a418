"""UTF-16 code units, in which the limits of spreadsheets are counted.

Source: Unicode 15 §3.9 (D91); Microsoft, "Excel specifications and limits".
"""

from __future__ import annotations


def units(text: str) -> int:
    """Return the UTF-16 code units of a text: two for each character outside the basic plane."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
