"""Codes of number formats, parsed."""

import pytest

from streamware.formats.ods.number_code import Section, Token, parse


def test_a_section_is_a_list_of_tokens() -> None:
    assert parse('#,##0.00 [$EUR]"!"') == [
        Section(
            [
                Token("digits", "#"),
                Token("digits", ","),
                Token("digits", "##0"),
                Token("digits", "."),
                Token("digits", "00"),
                Token("literal", " "),
                Token("currency", "EUR"),
                Token("literal", "!"),
            ]
        )
    ]


def test_semicolons_separate_sections_unless_they_are_quoted() -> None:
    assert [[text for _, text in section.tokens] for section in parse('0;";";\\;')] == [
        ["0"],
        [";"],
        [";"],
    ]


def test_a_condition_a_colour_and_a_locale_belong_to_their_section() -> None:
    assert parse("[Red][>=100]0;[$-C07]mmm") == [
        Section([Token("digits", "0")], ">=", "100", "FF0000"),
        Section([Token("part", "mmm")], language="de", country="AT"),
    ]


@pytest.mark.parametrize("code", ["[Color3]0", "[what]0", "[$-FFFF]0"])
def test_unknown_words_in_brackets_are_left_out(code: str) -> None:
    assert parse(code) == [Section([Token("digits", "0")])]
