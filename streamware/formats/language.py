"""Languages: their tags, and the delimiter and decimal sign that their readers expect in a CSV.

Spreadsheet programs read a CSV by the list separator and the decimal sign of the system they run
on.  Where the decimal sign is a comma, the list separator is a semicolon.  Where it is a point,
the separator is a comma or a semicolon.

Source: RFC 5646, RFC 4647; for decimal signs Unicode CLDR 47, Latin digits (`latn`); for list
separators Windows, as in .NET's `TextInfo.ListSeparator`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

MAX_TAG = 35  # characters (RFC 5646 §4.4.1)


class Language(NamedTuple):
    """What readers of a language expect of a CSV.

    Attributes:
        tag: The language tag, such as `de` or `de-CH`.
        decimal: The decimal sign.
        delimiter: The character between the cells.
    """

    tag: str
    decimal: Literal[".", ","]
    delimiter: Literal[",", ";"]


def canonical_case(tag: str) -> str:
    """Return a tag in its recommended case, such as `zh-Hant-TW`, with `-` for `_`.

    Source: RFC 5646 §2.1.1.
    """
    language, *parts = tag.lower().replace("_", "-").split("-")
    for at, part in enumerate(parts):
        if len(part) == 2:
            parts[at] = part.upper()
        elif len(part) == 4 and part.isalpha():
            parts[at] = part.title()
    return "-".join((language, *parts))


def fallbacks(tag: str) -> Iterator[str]:
    """Yield a tag in its recommended case, then each shorter one: `de-AT-1996`, `de-AT`, `de`.

    Source: RFC 4647 §3.4 (lookup).
    """
    parts = canonical_case(tag).split("-")
    while parts:
        yield "-".join(parts)
        parts.pop()
        if parts and len(parts[-1]) == 1:  # a singleton cannot be the last subtag
            parts.pop()


def language_of(tag: str) -> Language | None:
    """Return the language of a tag, or of its first known fallback; None if none is known."""
    return next((LANGUAGES[each] for each in fallbacks(tag) if each in LANGUAGES), None)


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
"""The known languages, by tag.  A territory is listed where it differs from its language."""
