"""Localized: dates and numbers as a language writes them, where its programs read them back.

A program that opens a CSV takes for text what it does not read, and then neither sorts nor adds
it; and what it reads otherwise than it was meant is worse.  So a date is in the order of its
language, but with all digits of its year, without blanks and words; a clock has 24 hours; and
what LibreOffice, set to the language, does not read back is written as everybody reads it:
`2024-05-06`, and digits without groups.

Source: Unicode CLDR, by way of babel; UTS #35 part 4, "Date Field Symbol Table".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Container
from functools import cache
from operator import add
from typing import Any

from streamware.formats.language import language_of
from streamware.values.cell import SEPARATOR
from streamware.values.kinds import Kind

Rewrite = Callable[[list[bytes]], list[bytes]]
"""Other texts for the cells of a column, none of which is empty."""

_KEPT = 4096  # dates repeat
_QUOTED = re.compile("'[^']*'")
_FIELD = re.compile("y+|M+|d+")
# Lengths of ISO 8601 texts.
_SECONDS = len("07:08:09")
_NAIVE = len("2024-05-06T07:08:09")
_FRACTION = len("2024-05-06T07:08:09.123456")
_LAYOUT = re.compile(r"\{\w+\}([-/.])\{\w+\}\1\{\w+\}")
_ISO = "{y}-{MM}-{dd}"


# Languages whose own dates, and whose groups of digits, LibreOffice 7.4 reads back where it is set
# to them; a territory stands beside its language, unless it is the first that comes to mind.
_READ_DATES = """
    am ar ar-AE ar-BH ar-DZ ar-IQ ar-JO ar-KW ar-LB ar-LY ar-MA ar-OM ar-QA ar-SA ar-SY ar-TN ar-YE
    az be bg br bs ca cs cy de de-AT de-CH de-LI de-LU dsb el en en-AU en-GB en-IE en-IN en-MY en-NZ
    en-PH en-ZA es es-AR es-BO es-CL es-CO es-CR es-DO es-EC es-GT es-HN es-MX es-NI es-PE es-PY
    es-SV es-US es-VE et eu fa fi fil fr fr-BE fr-CH fr-LU fr-MC fy ga gl ha hr hr-BA hu id is it
    it-CH ja kk lb lo lv mk mn ms ms-BN mt nb ne nl nl-BE nn pl pt ro ro-MD ru ru-MD sk sl sr sr-BA
    sr-Latn-RS te th tk tr tt uk ur vi zh zh-Hant-HK zh-Hant-TW
"""
_READ_GROUPS = """
    af am ar-OM as be bg bn-IN bo br bs ca cs cy da de de-AT de-LU el en en-AU en-BZ en-CA en-GB
    en-IE en-IN en-MY en-NZ en-PH en-TT en-ZA en-ZW es es-AR es-BO es-CL es-CO es-CR es-DO es-GT
    es-HN es-MX es-NI es-PA es-PE es-PR es-PY es-SV es-VE et eu fi fil fo fr fr-CA fr-MC fy ga gl
    gu ha he hi hr hr-BA hu id ii is it ja kk kl kn ko kok ky lb lv mk ml mr ms mt nb ne nl nl-BE
    nn or pa pl pt pt-PT ro ro-MD ru ru-MD rw si sk sl sr sr-BA sr-Latn-RS sv sv-FI sw-KE ta te tg
    th tk tr tt ug uk ur ur-IN uz vi yo zh zh-Hant-HK zh-Hant-MO zh-Hant-TW zh-SG
"""
_DATES = frozenset(_READ_DATES.split())
_GROUPS = frozenset(_READ_GROUPS.split())


def with_comma(tokens: list[bytes]) -> list[bytes]:
    """Numbers with a decimal comma."""
    return SEPARATOR.join(tokens).replace(b".", b",").split(SEPARATOR)


class Localized:
    """Rewrites the texts of dates and numbers for readers of a language.

    Args:
        tag: The language, one of `languages()`.
        converted: Counted into: moments whose offset from UTC is left out.
    """

    def __init__(self, tag: str, converted: Counter[str]) -> None:
        locale = _babel().Locale.parse(tag, sep="-")
        symbols = locale.number_symbols["latn"]
        self._converted = converted
        self._decimal: bytes = symbols["decimal"].encode()
        # Programs read the one blank, but not the narrow one that Unicode prefers since 2018.
        self._group: bytes = symbols["group"].replace("\u202f", "\xa0").encode()
        self._last, self._others = locale.decimal_formats[None].grouping
        self._groups = _usual(locale) in _GROUPS
        layout = _date_layout(locale)
        self._dates = _Dates(layout)
        self._days = _Dates(layout + " ")

    def rewrites(self, *, grouped: bool) -> dict[Kind, Rewrite]:
        """What becomes of each kind of cells; the others stay.

        Args:
            grouped: Whether digits before the decimal sign are in groups, if they can be.
        """
        return {
            Kind.NUMBER: self._grouped if grouped and self._groups else self._numbers,
            Kind.DATE: self._whole_days,
            Kind.DATETIME: self._moments,
            Kind.ZONED: self._zoned,
            Kind.TIME: self._times,
        }

    def _numbers(self, tokens: list[bytes]) -> list[bytes]:
        return with_comma(tokens) if self._decimal == b"," else tokens

    def _grouped(self, tokens: list[bytes]) -> list[bytes]:
        return list(map(self._in_groups, self._numbers(tokens)))

    def _in_groups(self, token: bytes) -> bytes:
        whole, point, fraction = token.partition(self._decimal)
        digits = whole.lstrip(b"-")
        start = len(digits) - self._last
        if start <= 0 or not digits.isdigit():  # few of them, or an exponent
            return token
        groups = [digits[start:] + point + fraction]
        while start > 0:
            end, start = start, start - self._others
            groups.append(digits[max(0, start) : end])
        sign = b"-" if token[:1] == b"-" else b""
        return sign + self._group.join(reversed(groups))

    def _whole_days(self, tokens: list[bytes]) -> list[bytes]:
        return list(map(self._dates.__getitem__, tokens))

    def _moments(self, tokens: list[bytes]) -> list[bytes]:
        parts = SEPARATOR.join(tokens).replace(b"T", SEPARATOR).split(SEPARATOR)
        days = map(self._days.__getitem__, parts[::2])
        return list(map(add, days, self._times(parts[1::2])))

    def _zoned(self, tokens: list[bytes]) -> list[bytes]:
        self._converted["offset"] += len(tokens)
        naive = [t[:_FRACTION] if t[_NAIVE : _NAIVE + 1] == b"." else t[:_NAIVE] for t in tokens]
        return self._moments(naive)

    def _times(self, tokens: list[bytes]) -> list[bytes]:
        if max(map(len, tokens)) == _SECONDS:
            return tokens
        return list(map(self._clock, tokens))

    def _clock(self, token: bytes) -> bytes:
        seconds, _, fraction = token.partition(b".")
        if not fraction.isdigit():  # none, or there is an offset behind it
            return token
        return seconds + self._decimal + fraction.rstrip(b"0")


class _Dates(dict[bytes, bytes]):
    """Texts of dates by their ISO 8601 text, kept while they are few."""

    def __init__(self, layout: str) -> None:
        self._layout = layout

    def __missing__(self, iso: bytes) -> bytes:
        if len(self) >= _KEPT:
            self.clear()
        year, month, day = iso.decode().split("-")
        text = self._layout.format(y=year, MM=month, M=month.lstrip("0"), dd=day, d=day.lstrip("0"))
        token = self[iso] = text.encode()
        return token


def _date_layout(locale: Any) -> str:
    """How it writes dates, as a template of `y`, `MM` or `M`, and `dd` or `d`."""
    if _usual(locale) not in _DATES:
        return _ISO
    pattern = _QUOTED.sub("", locale.date_formats["short"].pattern).replace("\u200f", "")
    layout = _FIELD.sub(_field, pattern.replace(". ", ".")).strip("\u202f. ")
    return layout if _LAYOUT.fullmatch(layout) else _ISO


def _field(found: re.Match[str]) -> str:
    return "{y}" if found[0][0] == "y" else f"{{{found[0]}}}"


def _usual(locale: Any) -> str:
    """Its tag, without the script and the territory that are taken for granted."""
    likely = _babel().core.get_global("likely_subtags").get(locale.language, "").split("_")
    if locale.script in {None, *likely} and locale.territory in {None, *likely}:
        return str(locale.language)
    script = [locale.script] if locale.script not in {None, *likely} else []
    return "-".join([locale.language, *script, *([locale.territory] if locale.territory else [])])


@cache
def languages() -> Container[str]:
    """The languages whose dates and numbers are known.

    Raises:
        ImportError: babel is not installed.
    """
    return _Languages(_babel().localedata.locale_identifiers())


class _Languages:
    def __init__(self, identifiers: list[str]) -> None:
        self._tags = {name.replace("_", "-") for name in identifiers}
        # Languages of several scripts: `zh-TW` is short for `zh-Hant-TW`.
        self._tags |= {re.sub("-[A-Z][a-z]{3}", "", tag) for tag in self._tags}

    def __contains__(self, tag: object) -> bool:
        return tag in self._tags and language_of(str(tag)) is not None


def _babel() -> Any:
    try:
        import babel.core  # noqa: PLC0415 - an extra, and 30 ms
    except ImportError as error:
        raise ImportError(
            "localized=True needs babel: pip install 'streamware-exports[babel]'"
        ) from error
    return babel
