"""Writes localized dates and numbers, in forms that spreadsheet programs in the language read back.

A program that opens a CSV takes a date or number that it cannot parse for text, which it neither
sorts nor adds up.  A date that it parses as another date is worse.  So:

- A date has the order of its language, but all digits of its year, no blanks and no words.
- A time has 24 hours.
- What LibreOffice, when set to the language, does not read back is written in the form that every
  program reads: `2024-05-06`, and digits without groups.

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
from streamware.values.cell_formatter import SEPARATOR
from streamware.values.kinds import Kind

Rewrite = Callable[[list[bytes]], list[bytes]]
"""A function from the texts of some cells, none empty, to the texts that replace them."""

_MAX_CACHED = 4096  # dates of a document repeat
_QUOTED = re.compile("'[^']*'")
_FIELD = re.compile("y+|M+|d+")
# Lengths of ISO 8601 texts.
_TIME = len("07:08:09")
_DATETIME = len("2024-05-06T07:08:09")
_DATETIME_FRACTION = len("2024-05-06T07:08:09.123456")
_TEMPLATE = re.compile(r"\{\w+\}([-/.])\{\w+\}\1\{\w+\}")
_ISO_TEMPLATE = "{y}-{MM}-{dd}"

# Languages whose dates, and those whose groups of digits, LibreOffice 7.4 reads back when it is set
# to the language.  The tags have no likely subtags: `de` stands for de-DE.
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
    """Return numbers with a decimal comma."""
    return SEPARATOR.join(tokens).replace(b".", b",").split(SEPARATOR)


class LocaleFormatter:
    """Rewrites ISO 8601 dates and plain numbers as a language writes them.

    Args:
        tag: The language, one of `languages()`.
        converted: Counts the date-times whose offset from UTC is dropped, as "offset".
    """

    def __init__(self, tag: str, converted: Counter[str]) -> None:
        locale = _babel().Locale.parse(tag, sep="-")
        symbols = locale.number_symbols["latn"]
        self._converted = converted  # the counter of dropped offsets
        self._decimal: bytes = symbols["decimal"].encode()  # decimal sign
        # Group separator.  Programs parse the no-break space, but not the narrow one that Unicode
        # prefers since 2018.
        self._group: bytes = symbols["group"].replace("\u202f", "\xa0").encode()
        # Digits of the last group, and of the others: 3 and 2 in India.
        self._last, self._others = locale.decimal_formats[None].grouping
        self._groups = _minimized_tag(locale) in _GROUPS  # whether programs read groups back
        template = _date_template(locale)
        self._dates = _DateTexts(template)  # texts of dates
        self._date_parts = _DateTexts(template + " ")  # texts of the dates of date-times

    def rewrites(self, *, grouped: bool) -> dict[Kind, Rewrite]:
        """Return how to rewrite each kind of cells; other kinds stay as they are.

        Args:
            grouped: Whether to group the digits before the decimal sign, if programs read that.
        """
        return {
            Kind.NUMBER: self._rewrite_grouped
            if grouped and self._groups
            else self._rewrite_numbers,
            Kind.DATE: self._rewrite_dates,
            Kind.DATETIME: self._rewrite_datetimes,
            Kind.ZONED: self._rewrite_zoned,
            Kind.TIME: self._rewrite_times,
        }

    def _rewrite_numbers(self, tokens: list[bytes]) -> list[bytes]:
        return with_comma(tokens) if self._decimal == b"," else tokens

    def _rewrite_grouped(self, tokens: list[bytes]) -> list[bytes]:
        grouped = []
        for token in self._rewrite_numbers(tokens):
            whole, point, fraction = token.partition(self._decimal)
            digits = whole.lstrip(b"-")
            start = len(digits) - self._last
            if start <= 0 or not digits.isdigit():  # at most one group, or an exponent
                grouped.append(token)
                continue
            groups = [digits[start:] + point + fraction]
            while start > 0:
                end, start = start, start - self._others
                groups.append(digits[max(0, start) : end])
            sign = b"-" if token[:1] == b"-" else b""
            grouped.append(sign + self._group.join(reversed(groups)))
        return grouped

    def _rewrite_dates(self, tokens: list[bytes]) -> list[bytes]:
        return list(map(self._dates.__getitem__, tokens))

    def _rewrite_datetimes(self, tokens: list[bytes]) -> list[bytes]:
        parts = SEPARATOR.join(tokens).replace(b"T", SEPARATOR).split(SEPARATOR)
        dates = map(self._date_parts.__getitem__, parts[::2])
        return list(map(add, dates, self._rewrite_times(parts[1::2])))

    def _rewrite_zoned(self, tokens: list[bytes]) -> list[bytes]:
        self._converted["offset"] += len(tokens)
        naive = [
            t[:_DATETIME_FRACTION] if t[_DATETIME : _DATETIME + 1] == b"." else t[:_DATETIME]
            for t in tokens
        ]
        return self._rewrite_datetimes(naive)

    def _rewrite_times(self, tokens: list[bytes]) -> list[bytes]:
        if max(map(len, tokens)) == _TIME:
            return tokens
        rewritten = []
        for token in tokens:
            seconds, _, fraction = token.partition(b".")
            if fraction.isdigit():
                rewritten.append(seconds + self._decimal + fraction.rstrip(b"0"))
            else:  # no fraction, or an offset follows it
                rewritten.append(token)
        return rewritten


class _DateTexts(dict[bytes, bytes]):
    """A cache of the texts of dates, by their ISO 8601 texts."""

    def __init__(self, template: str) -> None:
        self._template = template

    def __missing__(self, iso: bytes) -> bytes:
        if len(self) >= _MAX_CACHED:
            self.clear()
        year, month, day = iso.decode().split("-")
        text = self._template.format(
            y=year, MM=month, M=month.lstrip("0"), dd=day, d=day.lstrip("0")
        )
        token = self[iso] = text.encode()
        return token


def _date_template(locale: Any) -> str:
    """Return the short date of a locale as a template of `y`, `MM` or `M`, and `dd` or `d`."""
    if _minimized_tag(locale) not in _DATES:
        return _ISO_TEMPLATE
    pattern = _QUOTED.sub("", locale.date_formats["short"].pattern).replace("\u200f", "")
    template = _FIELD.sub(
        lambda found: "{y}" if found[0][0] == "y" else f"{{{found[0]}}}", pattern.replace(". ", ".")
    ).strip("\u202f. ")
    return template if _TEMPLATE.fullmatch(template) else _ISO_TEMPLATE


def _minimized_tag(locale: Any) -> str:
    """Return the tag of a locale without likely subtags (UTS #35, "Likely Subtags")."""
    likely = _babel().core.get_global("likely_subtags").get(locale.language, "").split("_")
    if locale.script in {None, *likely} and locale.territory in {None, *likely}:
        return str(locale.language)
    script = [locale.script] if locale.script not in {None, *likely} else []
    return "-".join([locale.language, *script, *([locale.territory] if locale.territory else [])])


@cache
def languages() -> Container[str]:
    """Return the languages whose dates and numbers are known.

    Raises:
        ImportError: babel is not installed.
    """
    return _Languages(_babel().localedata.locale_identifiers())


class _Languages:
    def __init__(self, identifiers: list[str]) -> None:
        self._tags = {name.replace("_", "-") for name in identifiers}
        # The script may be left out: `zh-TW` is `zh-Hant-TW`.
        self._tags |= {re.sub("-[A-Z][a-z]{3}", "", tag) for tag in self._tags}

    def __contains__(self, tag: object) -> bool:
        return tag in self._tags and language_of(str(tag)) is not None


def _babel() -> Any:
    try:
        import babel.core  # noqa: PLC0415 - optional, and takes 30 ms
    except ImportError as error:
        raise ImportError(
            "localized=True needs babel: pip install 'streamware-exports[babel]'"
        ) from error
    return babel
