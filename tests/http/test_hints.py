import sys
from typing import Any

import pytest

import streamware as sw
from fakes import Get


@pytest.mark.parametrize("app", [sw.Export([]), sw.Bundle([])], ids=["export", "bundle"])
def test_what_is_taken_for_a_mapping_names_the_remedy(app: Any) -> None:
    for attempt in (app.keys, lambda: dict(app), lambda: {**app}):
        with pytest.raises(TypeError, match=r"streamware\.frameworks\.fastapi\.ExportResponse"):
            attempt()


@pytest.mark.parametrize("name", ["status_code", "headers", "streaming"])
def test_what_only_responses_have_names_the_remedy(name: str) -> None:
    with pytest.raises(
        AttributeError, match=r"'Export' object has no attribute .*\.django"
    ) as caught:
        getattr(sw.Export([]), name)
    assert caught.value.name == name


def test_any_other_attribute_is_missing_as_usual() -> None:
    with pytest.raises(AttributeError, match=r"^'Bundle' object has no attribute 'colour'$"):
        getattr(sw.Bundle([]), "colour")  # noqa: B009 - type checkers know that there is none


def test_hints_are_not_public() -> None:
    public = {name for name in dir(sw.Export) if not name.startswith("_")}
    assert public == {"asave", "asgi", "save", "wsgi"}


@pytest.mark.parametrize("framework", ["falcon", "litestar", "quart"])
def test_an_export_that_a_framework_rejects_silently_names_the_remedy(
    framework: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("falcon", "litestar", "quart"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    sw.Export([(1,)])
    assert not caplog.records
    monkeypatch.setitem(sys.modules, framework, sys)
    sw.Export([(1,)])
    assert f"streamware.frameworks.{framework}.ExportResponse" in caplog.text


def test_an_export_that_was_asked_logs_nothing(
    get: Get, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "quart", sys)
    get(sw.Export([(1,)]))
    get(sw.Export([(1,)]), method="HEAD")
    get(sw.Bundle([("a.csv", sw.Export([(1,)]))]))
    with pytest.raises(ValueError, match="none"):
        sw.Export([(1,)], status="none")  # type: ignore[arg-type]
    assert not [record for record in caplog.records if record.levelname == "WARNING"]
