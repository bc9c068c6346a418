import re

import pytest

pytest.importorskip("django", reason="skipped: needs Django")
pytest.importorskip("django_site")  # it makes the settings, which the imports below want

from django.utils.translation import override, trans_real

from streamware.frameworks._support.admin_texts import _TEXTS, translated


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Export as CSV"),
        ("de", "Als CSV exportieren"),
        ("de-ch", "Als CSV exportieren"),
        ("fr", "Exporter en CSV"),
        ("ja", "Export as CSV"),
        (None, "Export as CSV"),
    ],
)
def test_a_text_is_in_the_language_of_the_request(language: str | None, text: str) -> None:
    with override(language):
        assert translated("Export as %(format)s", format="CSV") == text


def test_a_translation_of_the_project_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(trans_real.translation("de")._catalog._catalogs[0], "Export", "Ausleiten")
    with override("de"):
        assert translated("Export") == "Ausleiten"


@pytest.mark.parametrize("text", _TEXTS)
def test_every_text_is_translated_with_the_same_values(text: str) -> None:
    names = re.findall(r"%\(\w+\)s", text)
    assert sorted(_TEXTS[text]) == ["de", "es", "fr"]
    assert [re.findall(r"%\(\w+\)s", one) for one in _TEXTS[text].values()] == [names] * 3
