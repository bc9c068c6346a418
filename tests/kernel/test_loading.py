import sys
from pathlib import Path
from types import ModuleType

import pytest

from streamware import kernel

SOURCES = kernel._checksum()
needs_sources = pytest.mark.skipif(not SOURCES, reason="skipped: needs the sources of the kernel")


@pytest.fixture
def native(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module in the kernel's place, compiled from the sources that are here."""
    module = ModuleType("streamware.kernel._native")
    vars(module).update(__file__="_native.so", VERSION=kernel.VERSION, SOURCES=SOURCES)
    monkeypatch.delenv("STREAMWARE_PURE", raising=False)
    monkeypatch.setattr(kernel, "__path__", list(kernel.__path__))
    monkeypatch.setattr(kernel, "_native", module, raising=False)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def test_a_kernel_of_these_sources_is_used(native: ModuleType) -> None:
    assert kernel._load() == (native, "")


def test_a_kernel_that_was_compiled_by_hand_is_used(native: ModuleType) -> None:
    vars(native).update(SOURCES=0)
    assert kernel._load() == (native, "")


@needs_sources
def test_a_kernel_of_other_sources_is_not_used(native: ModuleType) -> None:
    vars(native).update(SOURCES=SOURCES + 1)
    absent = "_native.so is of other sources: install streamware again"
    assert kernel._load() == (None, absent)


def test_the_kernel_of_a_wheel_without_sources_is_used(
    native: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(kernel, "__file__", str(tmp_path / "__init__.py"))
    assert kernel._load() == (native, "")
    vars(native).update(VERSION=kernel.VERSION + 1)
    assert kernel._load()[0] is None


def test_without_a_kernel_it_is_said_that_none_was_compiled(
    native: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, native.__name__, None)
    assert kernel._load() == (None, "no kernel was compiled")


def test_a_kernel_that_cannot_be_loaded_says_why(
    native: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    suffix = ".pyd" if sys.platform == "win32" else ".so"
    (tmp_path / f"_native{suffix}").write_bytes(b"no library")
    monkeypatch.setattr(kernel, "__path__", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, native.__name__)
    loaded, absent = kernel._load()
    assert loaded is None
    assert absent not in ("", "no kernel was compiled")


@needs_sources
def test_in_a_checkout_the_kernel_is_found_where_it_was_installed(
    native: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    installed = tmp_path / "streamware" / "kernel"
    installed.mkdir(parents=True)
    (installed / "_native.py").write_text(f"VERSION, SOURCES = {kernel.VERSION}, {SOURCES}")
    monkeypatch.setattr(kernel, "__path__", [str(tmp_path / "empty")])
    monkeypatch.delitem(sys.modules, native.__name__)
    monkeypatch.syspath_prepend(tmp_path)
    loaded, absent = kernel._load()
    assert absent == ""
    assert loaded is not None
    assert loaded.__file__ == str(installed / "_native.py")
