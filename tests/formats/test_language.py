"""The languages a CSV is written for, against Unicode's CLDR as babel has it."""

import pytest
from babel import Locale, localedata
from babel.core import get_cldr_version

from streamware.formats.language import LANGUAGES, Language, canonical_case, fallbacks, language_of

# Drafts without numbers of their own; Windows writes the first three with a comma.
UNFINISHED = ("az_Arab", "az_Cyrl", "kk_Arab", "ff_Adlm", "ms_Arab", "qu_BO")
LOCALES = sorted(
    name
    for name in localedata.locale_identifiers()
    if name != "root" and not name.startswith(UNFINISHED)
)


@pytest.mark.skipif(get_cldr_version() != "47", reason="judged by Unicode CLDR 47")
def test_decimal_signs_are_those_of_unicode() -> None:
    for name in LOCALES:
        sign = Locale.parse(name).number_symbols.get("latn", {}).get("decimal")
        found = language_of(name)
        if found is None:
            assert sign != ",", name
        else:
            assert sign in {found.decimal, None}, name


def test_every_language_is_in_unicode_cldr() -> None:
    for tag, language in LANGUAGES.items():
        assert Locale.parse(tag, sep="-").number_symbols
        assert language.tag == tag == canonical_case(tag)


@pytest.mark.parametrize(
    ("tag", "decimal", "delimiter"),
    [
        ("de-DE", ",", ";"),
        ("de-CH", ".", ";"),
        ("fr-CA", ",", ";"),
        ("en-GB", ".", ","),
        ("en-ZA", ",", ";"),
        ("es", ",", ";"),
        ("es-MX", ".", ","),
        ("es-GT", ".", ";"),
        ("ar-EG", ".", ";"),
        ("ar-MA", ",", ";"),
        ("zh-Hant-TW", ".", ","),
        ("ja", ".", ","),
        ("hi-IN", ".", ","),
        ("pt-BR", ",", ";"),
        ("vi-VN", ",", ";"),
    ],
)
def test_the_delimiter_is_the_list_separator_of_windows(
    tag: str, decimal: str, delimiter: str
) -> None:
    found = language_of(tag)
    assert found is not None
    assert (found.decimal, found.delimiter) == (decimal, delimiter)


def test_a_comma_is_never_both_delimiter_and_decimal_sign() -> None:
    assert not [each for each in LANGUAGES.values() if each.decimal == each.delimiter]


@pytest.mark.parametrize("tag", ["tlh", "x-private", "", "-", "deutsch", "../de"])
def test_a_language_may_be_unknown(tag: str) -> None:
    assert language_of(tag) is None


def test_the_first_known_fallback_counts() -> None:
    assert language_of("DE_ch_1996") == Language("de-CH", ".", ";")
    assert language_of("de-AT") == Language("de", ",", ";")


@pytest.mark.parametrize(
    ("tag", "usual"),
    [
        ("DE", "de"),
        ("de_at", "de-AT"),
        ("ZH-hANT-tw", "zh-Hant-TW"),
        ("es-419", "es-419"),
        ("sl-ROZAJ-1994", "sl-rozaj-1994"),
    ],
)
def test_a_tag_has_a_recommended_case(tag: str, usual: str) -> None:
    assert canonical_case(tag) == usual


def test_a_tag_is_shortened_from_its_end() -> None:
    assert list(fallbacks("zh-hant-cn-x-private1-private2")) == [
        "zh-Hant-CN-x-private1-private2",
        "zh-Hant-CN-x-private1",
        "zh-Hant-CN",
        "zh-Hant",
        "zh",
    ]
