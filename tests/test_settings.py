import os
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path
from typing import Any

import pytest

from streamware.limits import Limits
from streamware.settings import GIB, MIB, Settings, of_environment
from streamware.values import Values

VARIABLES = {
    "scratch_dir": ("/srv/scratch", "/srv/scratch"),
    "memory_backed": ("Refuse", "refuse"),
    "spool_memory": ("0", 0),
    "request_bytes": ("1000000", 1_000_000),
    "request_files": ("None", None),
    "process_bytes": ("none", None),
    "host_bytes": (str(2 * MIB), 2 * MIB),
    "keep_free_bytes": (" 0 ", 0),
    "silent_transport": ("Stream", "stream"),
    "max_concurrent": ("7", 7),
    "wait_seconds": ("2.5", 2.5),
}


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("STREAMWARE_"):
            monkeypatch.delenv(name)


def made(**chosen: Any) -> Settings:
    return Settings(**chosen)


def test_the_defaults_are_these() -> None:
    assert Settings() == Settings(
        scratch_dir=None,
        memory_backed="warn",
        spool_memory=MIB,
        request_bytes=2 * GIB,
        request_files=1000,
        process_bytes=None,
        host_bytes=None,
        keep_free_bytes=None,
        max_concurrent=64,
        wait_seconds=5.0,
        values=None,
        limits=None,
    )


@pytest.mark.parametrize(("name", "text", "value"), [(n, *v) for n, v in VARIABLES.items()])
def test_a_variable_sets_what_is_not_given(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object
) -> None:
    monkeypatch.setenv(f"STREAMWARE_{name.upper()}", text)
    assert getattr(Settings(), name) == value


def test_every_field_of_the_scratch_has_a_variable() -> None:
    by_keyword = {"values", "limits", "observers"}
    assert {field.name for field in fields(Settings)} - by_keyword == set(VARIABLES)


@pytest.mark.parametrize("name", VARIABLES)
def test_an_empty_variable_counts_as_missing(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"STREAMWARE_{name.upper()}", "  ")
    assert Settings() == Settings()
    monkeypatch.delenv(f"STREAMWARE_{name.upper()}")
    default = getattr(Settings(), name)
    monkeypatch.setenv(f"STREAMWARE_{name.upper()}", "")
    assert getattr(Settings(), name) == default


def test_a_keyword_overrides_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMWARE_REQUEST_FILES", "nonsense")
    assert Settings(request_files=3).request_files == 3


def test_a_variable_is_read_when_settings_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Settings()
    monkeypatch.setenv("STREAMWARE_REQUEST_FILES", "3")
    assert before.request_files == 1000
    assert replace(before, spool_memory=0).request_files == 1000


@pytest.mark.parametrize(
    "name",
    ["request_bytes", "request_files", "process_bytes", "host_bytes", "max_concurrent"],
)
@pytest.mark.parametrize("value", [0, -1])
def test_a_budget_that_allows_nothing_is_refused(name: str, value: int) -> None:
    pattern = (
        rf"Settings\({name}=…\), or STREAMWARE_{name.upper()} .* or None for no bound, not {value}"
    )
    with pytest.raises(ValueError, match=pattern):
        made(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("spool_memory", -1),
        ("keep_free_bytes", -1),
        ("host_bytes", MIB - 1),
        ("wait_seconds", -0.1),
        ("wait_seconds", float("nan")),
        ("wait_seconds", float("inf")),
        ("request_bytes", 1.5),
        ("request_bytes", "1"),
        ("request_bytes", True),
        ("spool_memory", None),
        ("wait_seconds", None),
        ("wait_seconds", "5"),
        ("host_bytes", 2**63),
        ("memory_backed", "ignore"),
        ("memory_backed", None),
        ("memory_backed", ["warn"]),
        ("scratch_dir", ""),
        ("scratch_dir", "/tmp\0"),
        ("scratch_dir", 3),
        ("scratch_dir", b"/tmp"),
        ("values", 3),
        ("limits", {}),
    ],
    ids=repr,
)
def test_an_error_of_range_names_the_field(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"^Settings\({name}=…\).* must be "):
        made(**{name: value})


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("REQUEST_BYTES", "2GiB", "a whole number"),
        ("REQUEST_BYTES", "1e9", "a whole number"),
        ("SPOOL_MEMORY", "none", "a whole number"),
        ("REQUEST_BYTES", "9" * 5000, "a whole number"),
        ("WAIT_SECONDS", "soon", "a number of seconds"),
    ],
    ids=["unit", "float", "none", "digits", "word"],
)
def test_a_variable_that_cannot_be_read_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, problem: str
) -> None:
    monkeypatch.setenv(f"STREAMWARE_{name}", text)
    with pytest.raises(
        ValueError, match=rf"STREAMWARE_{name} in the environment must be {problem}.*, not '"
    ):
        Settings()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("REQUEST_BYTES", "0"),
        ("MEMORY_BACKED", "maybe"),
        ("WAIT_SECONDS", "nan"),
        ("HOST_BYTES", "1"),
    ],
)
def test_a_variable_out_of_range_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    monkeypatch.setenv(f"STREAMWARE_{name}", text)
    with pytest.raises(ValueError, match=f"STREAMWARE_{name} in the environment"):
        Settings()


def test_a_directory_is_made_absolute_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    here = Settings(scratch_dir="scratch")
    monkeypatch.chdir("/")
    assert here.scratch_dir == str(tmp_path / "scratch")
    assert here == Settings(scratch_dir=tmp_path / "scratch")


def test_a_link_is_not_resolved(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    assert Settings(scratch_dir=tmp_path / "link").scratch_dir == str(tmp_path / "link")


def test_settings_compare_by_value_and_are_hashable() -> None:
    chosen = {"request_files": 3, "values": Values(), "limits": Limits(rows=1)}
    assert made(**chosen) == made(**chosen)
    assert hash(made(**chosen)) == hash(made(**chosen))
    assert made(**chosen) != Settings()


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().request_files = 3  # type: ignore[misc]


def test_an_observer_has_the_methods_of_one() -> None:
    with pytest.raises(ValueError, match=r"^Settings\(observers=…\) must be Observers"):
        Settings(observers=(print,))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="must be a list of Observers, not int"):
        Settings(observers=3)  # type: ignore[arg-type]


def test_settings_take_keywords_only() -> None:
    with pytest.raises(TypeError):
        Settings("/tmp")  # type: ignore[call-arg]


def test_what_the_environment_states_holds_for_each_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert of_environment() == Settings()
    assert of_environment() is of_environment()
    monkeypatch.setenv("STREAMWARE_MAX_CONCURRENT", "3")
    assert of_environment().max_concurrent == 3
    monkeypatch.delenv("STREAMWARE_MAX_CONCURRENT")
    monkeypatch.setattr("os.environ", {"STREAMWARE_WAIT_SECONDS": "2"})
    assert of_environment().wait_seconds == 2
