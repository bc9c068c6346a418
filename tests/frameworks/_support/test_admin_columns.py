import pytest

pytest.importorskip("django", reason="skipped: needs Django")
pytest.importorskip("django_site")  # it makes the settings, which the imports below want

from streamware.frameworks._support.admin_columns import text_of


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("plain", "plain"),
        ("", ""),
        ("<b>1 &lt; 2</b> &amp; 3", "1 < 2 & 3"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<ul><li>a</li><li>b</li></ul>", "a\nb"),
        ('<a href="/x?a=1&amp;b=2">link</a>', "link"),
        ('<img src="/x.png" alt="x">', ""),
        ("&amp;lt;b&amp;gt;", "&lt;b&gt;"),
    ],
)
def test_html_is_its_text(markup: str, text: str) -> None:
    assert text_of(markup) == text
