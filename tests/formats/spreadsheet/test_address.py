from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamware.formats.spreadsheet.address import address_in, parts_of, percent_encoded


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("https://example.com/orders/7?a=1&b=2", ("https://example.com/orders/7?a=1&b=2", "")),
        ("https://example.com/a b<c>#d e", ("https://example.com/a%20b%3Cc%3E", "d e")),
        ("https://example.com/100%25%", ("https://example.com/100%25%25", "")),
        ("file:///C:\\a b.txt", ("file:///C:\\a%20b.txt", "")),
        ("#'Other sheet'!B2", ("", "'Other sheet'!B2")),
        ("#", None),
        ("http://", None),
        ("not a url", None),
        ("javascript:alert(1)", None),
        ("/orders/5", None),
        ("/orders/5/", None),
        ("/orders?id=5#top", None),
        ("//example.com/orders", None),
        ("external:/orders/5", None),
        ("/srv/a b.pdf", ("/srv/a%20b.pdf", "")),
        ("/srv/a.xlsx#Orders", ("/srv/a.xlsx", "Orders")),
        ("../orders/5", ("../orders/5", "")),
        ("https://example.com/" + "a" * 2060, None),
    ],
)
def test_an_address_has_two_parts(url: str, parts: tuple[str, str] | None) -> None:
    assert parts_of(url) == parts


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("https://example.com/a?b=c&d=%20e#f", "https://example.com/a?b=c&d=%20e#f"),
        (" HTTP://example.com/a b", "HTTP://example.com/a%20b"),
        ("https://example.com/a#b c", "https://example.com/a#b%20c"),
        ('ftp://example.com/"x"', "ftp://example.com/%22x%22"),
        ("mailto:a@example.com", "mailto:a@example.com"),
        ("https://münchen.de/ü", "https://münchen.de/ü"),
        ("mailto:", None),
        ("www.example.com", None),
        ("see https://example.com", None),
        ("https://example.com and more", None),
        ("https://example.com/a\nhttps://example.com/b", None),
        ("javascript:alert(1)", None),
        ("file:///etc/passwd", None),
        ("#A1", None),
        ("", None),
    ],
)
def test_a_text_that_is_an_address_is_one(text: str, address: str | None) -> None:
    assert address_in(text) == address


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x1f")))
def test_what_is_not_unreserved_is_percent_encoded(text: str) -> None:
    assert percent_encoded(text.encode()) == quote(text, safe="").encode()


def test_cells_are_percent_encoded_together() -> None:
    assert percent_encoded(b"a b\x1f100%\x1f~") == b"a%20b\x1f100%25\x1f~"
