import re
from collections import Counter
from urllib.parse import unquote
from xml.sax.saxutils import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamware as sw
from streamware.formats.xlsx.address import LINKED, Address
from streamware.formats.xlsx.cells import CellText
from streamware.values.kinds import Kind


def token(text: str) -> bytes:
    """A text as it would stand in its cell."""
    blob = text.encode()
    return CellText()(blob, blob, Counter())[0]


def formula(template: str, kind: Kind, token: bytes) -> str | None:
    made = Address(template).formula(kind, token)
    assert Address(template).formulas(kind, [token]) == [made]
    return None if made is None else made.decode()


@pytest.mark.parametrize(
    ("kind", "token", "expected"),
    [
        (Kind.TEXT, b"abc", '"x/abc","abc"'),
        (Kind.TEXT, b"a b/c", '"x/a%20b%2Fc","a b/c"'),
        (Kind.TEXT, b"100%", '"x/100%25","100%"'),
        (Kind.TEXT, "ä€".encode(), '"x/%C3%A4%E2%82%AC","ä€"'),
        (Kind.TEXT, b'say "hi"', '"x/say%20%22hi%22","say ""hi"""'),
        (Kind.TEXT, b"&lt;&amp;amp;&gt;", '"x/%3C%26amp%3B%3E","&lt;&amp;amp;&gt;"'),
        (Kind.TEXT, b"_x005F_x0041_", '"x/_x0041_","_x0041_"'),
        (Kind.TEXT, b"a\nb", '"x/a%0Ab","a\nb"'),
        (Kind.NUMBER, b"42", '"x/42",42'),
        (Kind.NUMBER, b"-1.5e-07", '"x/-1.5e-07",-1.5E-07'),
        (Kind.NUMBER, b"1e+22", '"x/1e%2B22",1E+22'),
        (Kind.BOOL, b"1", '"x/true",TRUE'),
        (Kind.BOOL, b"0", '"x/false",FALSE'),
        (Kind.DATE, b"45429", '"x/2024-05-17",45429'),
        (Kind.DATETIME, b"45429.5", '"x/2024-05-17T12%3A00%3A00",45429.5'),
        (Kind.ZONED, b"45429.5", '"x/2024-05-17T12%3A00%3A00",45429.5'),
        (Kind.TIME, b"0.75", '"x/18%3A00%3A00",0.75'),
        (Kind.DURATION, b"1.5", '"x/P1DT12H",1.5'),
    ],
)
def test_the_text_of_a_cell_stands_in_the_address(kind: Kind, token: bytes, expected: str) -> None:
    assert formula("x/{}", kind, token) == f"<f>HYPERLINK({expected})</f>"


def test_a_template_may_hold_it_more_than_once() -> None:
    made = formula("https://a.example/{}?same={}#top", Kind.NUMBER, b"7")
    assert made == '<f>HYPERLINK("https://a.example/7?same=7#top",7)</f>'


@pytest.mark.parametrize(
    ("template", "text", "expected"),
    [
        ("{}", "https://a.example/b?c=1&d#e", '"https://a.example/b?c=1&amp;d#e"'),
        ("{}", 'https://a.example/"b" c', '"https://a.example/%22b%22%20c"'),
        (
            '{}/x?y="1"&z={}',
            "https://a.example",
            '"https://a.example/x?y=""1""&amp;z=https%3A%2F%2Fa.example"',
        ),
        ("{}", "mailto:a@example.com", '"mailto:a@example.com"'),
        ("{}", "https://a.example/_x0041_", '"https://a.example/_x0041_"'),
    ],
)
def test_a_text_may_be_the_address_itself(template: str, text: str, expected: str) -> None:
    made = formula(template, Kind.TEXT, token(text))
    assert made is not None
    assert made.startswith(f"<f>HYPERLINK({expected},")


@pytest.mark.parametrize("text", ["example", "javascript:alert(1)", "a b", "http://", "x:y"])
def test_a_text_that_is_no_address_leads_nowhere(text: str) -> None:
    assert formula("{}", Kind.TEXT, token(text)) is None
    assert formula("{}", Kind.NUMBER, b"1") is None


def test_a_template_may_have_markup_and_quotes() -> None:
    made = formula('x?a=1&b="{}"<>', Kind.NUMBER, b"7")
    assert made == '<f>HYPERLINK("x?a=1&amp;b=""7""&lt;&gt;",7)</f>'


def test_an_empty_text_is_no_link() -> None:
    assert formula("x/{}", Kind.TEXT, b"") is None
    for kind in (Kind.TEXT, Kind.NUMBER):
        assert Address("x/{}").formulas(kind, [b"1", None, b""])[1:] == [None, None]


@pytest.mark.parametrize(
    ("template", "text", "fits"),
    [
        ("x/{}", "a" * 253, True),
        ("x/{}", "a" * 254, False),
        ("x/{}", " " * 84, True),
        ("x/{}", " " * 85, False),
        ("x{}-{}", "a" * 126, True),
        ("x{}-{}", "a" * 128, False),
        ("x{}", '"' * 84, True),
        ("x{}", '"' * 85, False),
        ("{}", "https://a/" + "a" * 245, True),
        ("{}", "https://a/" + "a" * 246, False),
        ("{}", "https://a/" + '"' * 81, True),
        ("{}", "https://a/" + '"' * 82, False),
        ("{}{}", "https://a/" + "a" * 200, False),
        ("{}", "https://a/" + " " * 246, False),
        ("é" * 250 + "{}", "a" * 5, True),
        ("é" * 250 + "{}", "a" * 6, False),
    ],
)
def test_neither_the_address_nor_the_text_is_over_255_characters(
    template: str, text: str, fits: bool
) -> None:
    assert (formula(template, Kind.TEXT, token(text)) is not None) is fits


def test_one_text_that_is_too_long_leaves_the_others_alone() -> None:
    made = Address("x/{}").formulas(Kind.TEXT, [b"a", b"b" * 255, b"c"])
    assert [item is None for item in made] == [False, True, False]


def test_a_formula_is_no_link() -> None:
    assert Address("x/{}").formula(Kind.FORMULA, b"A1\x1fempty\x1f") is None
    assert {Kind.EMPTY, Kind.FORMULA}.isdisjoint(LINKED)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=90), min_size=1))
def test_every_text_is_found_again_in_its_link(texts: list[str]) -> None:
    tokens = [token(text) for text in texts]
    together = Address("x/{}").formulas(Kind.TEXT, tokens)
    assert together == [Address("x/{}").formula(Kind.TEXT, item) for item in tokens]
    for text, made in zip(texts, together, strict=True):
        if made is None:
            assert not text or len(text.encode()) * 3 > 253
            continue
        found = re.fullmatch(r'<f>HYPERLINK\("x/([^"]*)","(.*)"\)</f>', made.decode(), re.DOTALL)
        assert found is not None
        assert unquote(found[1]) == text
        assert unescape(found[2]).replace('""', '"') == text


@pytest.mark.parametrize(
    ("template", "address"),
    [
        ("internal:Orders!A{}", "#Orders!A5"),
        ("#Orders!A{}", "#Orders!A5"),
        ("external:../{}.pdf", "../5.pdf"),
        ("\\\\server\\share\\{}.pdf", "\\\\server\\share\\5.pdf"),
    ],
)
def test_a_column_can_link_to_places_and_files(template: str, address: str) -> None:
    assert (
        Address(template).formula(Kind.NUMBER, b"5") == f'<f>HYPERLINK("{address}",5)</f>'.encode()
    )


@pytest.mark.parametrize("url", ["javascript:{}", "JavaScript:alert({})", "data:text/html,{}"])
def test_code_is_no_address_of_a_column(url: str) -> None:
    with pytest.raises(ValueError, match="url must be an address such as"):
        sw.Column(0, url=url)
