"""Language: its tag, and how programs set to it separate the cells and the digits of a CSV.

Spreadsheets open a CSV with the list separator and the decimal sign of the system they run on.
Where the decimal sign is a comma, the list separator is a semicolon; where it is a point, it is
one or the other.

Source: RFC 5646, RFC 4647; for decimal signs Unicode CLDR 47, Latin digits (`latn`); for list
separators Windows, as .NET's `TextInfo.ListSeparator` has them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

MAX_TAG = 35  # characters (RFC 5646 §4.4.1)


class Language(NamedTuple):
    """What a CSV for readers of a language is like.

    Attributes:
        tag: Its tag, such as `de` or `de-CH`.
        decimal: Decimal sign.
        delimiter: Between the cells.
    """

    tag: str
    decimal: Literal[".", ","]
    delimiter: Literal[",", ";"]


def cased(tag: str) -> str:
    """A tag in its usual case, such as `zh-Hant-TW`; `_` is taken for `-`.

    Source: RFC 5646 §2.1.1.
    """
    language, *parts = tag.lower().replace("_", "-").split("-")
    return "-".join((language, *map(_cased, parts)))


def _cased(part: str) -> str:
    if len(part) == 2:
        return part.upper()
    return part.title() if len(part) == 4 and part.isalpha() else part


def shortened(tag: str) -> Iterator[str]:
    """A tag in its usual case, then again and again without its last part.

    Source: RFC 4647 §3.4 (lookup).
    """
    parts = cased(tag).split("-")
    while parts:
        yield "-".join(parts)
        parts.pop()
        if parts and len(parts[-1]) == 1:  # it introduces an extension, and stands not at the end
            parts.pop()


def language_of(tag: str) -> Language | None:
    """The language of a tag, or of the nearest shorter one; None where it is not known."""
    return next((LANGUAGES[each] for each in shortened(tag) if each in LANGUAGES), None)


_COMMA = """
    af agq ar-DZ ar-LB ar-LY ar-MA ar-MR ar-TN ast az bas be bg blo br bs ca cs cv da de dsb dua
    dyo el en-AT en-BE en-CZ en-DE en-DK en-ES en-FI en-FR en-HU en-ID en-IT en-NL en-NO en-PL
    en-PT en-RO en-SE en-SI en-SK en-ZA eo es et eu ewo ff fi fo fr fy gl hr hsb ht hu hy ia id ie
    is it jgo jv ka kab kea kgp kk kkj kl ksf ku ky lb lij lld ln lo lt lu lv mgh mk ms-BN ms-ID
    mua nb nl nmg nn nnh no nr pl ps pt rn ro ru rw sah sc se seh sg shi sk sl smn sq sr ss su sv
    sw-CD tg tk tok tr ts tt tzm uk uz ve vec vi wo yav yrl zgh
"""
_POINT = "as bn bo en es-MX es-US gu he hi ii ja km kn ko kok ml mn mr ne or pa ta th ug yue zh"
_POINT_AND_SEMICOLON = """
    ak am ar cy de-CH de-LI es-419 es-BR es-BZ es-CU es-DO es-GT es-HN es-NI es-PA es-PE es-PR es-SV
    fa fil ga gd gsw gv ha haw ig it-CH kw ms mt my om rm si so sw te ti tn to ur xh yo zu
"""

LANGUAGES: dict[str, Language] = {
    **{tag: Language(tag, ",", ";") for tag in _COMMA.split()},
    **{tag: Language(tag, ".", ",") for tag in _POINT.split()},
    **{tag: Language(tag, ".", ";") for tag in _POINT_AND_SEMICOLON.split()},
}
"""The languages that are known; a territory stands where it differs from its language."""
