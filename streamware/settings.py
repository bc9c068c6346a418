"""Settings: what an operator decides for a process, by keyword or by environment."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from streamware.limits import Limits
from streamware.observe import Observer
from streamware.values import Values

MIB = 2**20
GIB = 2**30


def _variable(name: str, read: Callable[[str], object], default: object) -> Any:
    """A field whose default is read from the environment when `Settings` are made."""

    def made() -> object:
        text = os.environ.get(name, "").strip()
        if not text:
            return default
        try:
            return read(text)
        except ValueError as problem:
            raise ValueError(f"{name}={text!r} in the environment: {problem}") from None

    return field(default_factory=made, metadata={"variable": name, "default": default})


def _count(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("a whole number is expected") from None


def _bound(text: str) -> int | None:
    return None if text.lower() == "none" else _count(text)


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("a number of seconds is expected") from None


def _directory(given: object) -> str:
    """Absolute, for a process may change its working directory; links are left for the check."""
    path = os.fspath(given) if isinstance(given, str | os.PathLike) else given
    if not isinstance(path, str) or not path or "\0" in path:
        raise ValueError(f"Settings(scratch_dir={path!r}): the path of a directory is expected")
    return os.path.abspath(path)  # noqa: PTH100 - and its `..` as text, as the shell reads it


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Choices for a whole process: where scratch lies, and how much of anything there may be.

    A field that is not given is read from the environment, else it has its default.  Sizes are
    bytes, times seconds; None is no bound ("none" in the environment).  Equal settings share one
    account of budgets in a process.

    Attributes:
        scratch_dir: An existing directory for scratch files, ours or root's; None is `/var/tmp`.
        memory_backed: What to do where that directory lies in memory (tmpfs): "warn" or "refuse".
        spool_memory: What one spool keeps in memory before it goes to disk; of one request, the
            first 16 do.
        request_bytes: Scratch on disk that one request may hold.
        request_files: Open spools, paths and directories that one request may hold.
        process_bytes: Scratch on disk that all requests of a process may hold.
        host_bytes: Scratch on disk that all processes that share the directory may hold; counted
            in steps of 1 MiB, and on Linux only.
        keep_free_bytes: What is left free on the file system; None is 5 % of it, at most 1 GiB.
        silent_transport: What `delivery="auto"` does where the client would not notice that a
            CSV was cut: "spool" it first, "stream" it all the same, or "refuse" with 503.
        max_concurrent: Exports that a process answers at once.
        wait_seconds: How long an export or a spool waits for its turn or for room before it is
            `Refused`; never waited on the thread of an event loop.
        values: What `Export(values=None)` takes.
        limits: What `Export(limits=None)` takes.
        observers: Who are told of every export.

    Raises:
        ValueError: A field or a variable is out of its range.
    """

    scratch_dir: str | os.PathLike[str] | None = _variable(  # noqa: RUF009 - a field
        "STREAMWARE_SCRATCH_DIR", str, None
    )
    memory_backed: Literal["warn", "refuse"] = _variable(
        "STREAMWARE_MEMORY_BACKED", str.lower, "warn"
    )
    spool_memory: int = _variable("STREAMWARE_SPOOL_MEMORY", _count, MIB)
    request_bytes: int | None = _variable("STREAMWARE_REQUEST_BYTES", _bound, 2 * GIB)
    request_files: int | None = _variable("STREAMWARE_REQUEST_FILES", _bound, 1000)
    process_bytes: int | None = _variable("STREAMWARE_PROCESS_BYTES", _bound, None)
    host_bytes: int | None = _variable("STREAMWARE_HOST_BYTES", _bound, None)
    keep_free_bytes: int | None = _variable("STREAMWARE_KEEP_FREE_BYTES", _bound, None)
    silent_transport: Literal["spool", "stream", "refuse"] = _variable(
        "STREAMWARE_SILENT_TRANSPORT", str.lower, "spool"
    )
    max_concurrent: int | None = _variable("STREAMWARE_MAX_CONCURRENT", _bound, 64)
    wait_seconds: float = _variable("STREAMWARE_WAIT_SECONDS", _seconds, 5.0)
    values: Values | None = None
    limits: Limits | None = None
    observers: tuple[Observer, ...] = ()

    def __post_init__(self) -> None:
        if self.scratch_dir is not None:
            object.__setattr__(self, "scratch_dir", _directory(self.scratch_dir))
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                self._refuse(name, f"it is one of {', '.join(choices)}")
        self._check_numbers()
        for name, kind in (("values", Values), ("limits", Limits)):
            if not isinstance(getattr(self, name), kind | None):
                given = f"Settings({name}={getattr(self, name)!r})"
                raise ValueError(f"{given}: a {kind.__name__} is expected")  # noqa: TRY004 - as the rest
        object.__setattr__(self, "observers", tuple(self.observers))
        for observer in self.observers:
            if not callable(getattr(observer, "done", None)):
                given = f"Settings(observers=…) has a {type(observer).__name__} among them"
                raise ValueError(f"{given}: an Observer is expected")  # noqa: TRY004 - as the rest

    def _check_numbers(self) -> None:
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value is None and name in _OPTIONAL:
                continue
            if type(value) is not int and (type(value) is not float or name != "wait_seconds"):
                self._refuse(
                    name,
                    "a whole number of bytes is expected"
                    if "bytes" in name
                    else "a number is expected",
                )
            if not value >= least:
                self._refuse(name, f"it must be {least:,} at the least" + _REMEDY.get(name, ""))
            if value > (most := _DAY if name == "wait_seconds" else _MOST):
                self._refuse(name, f"it must be {most:,} at the most")

    def _refuse(self, name: str, problem: str) -> None:
        variable = next(f.metadata["variable"] for f in fields(self) if f.name == name)
        value = getattr(self, name)
        raise ValueError(f"Settings({name}={value!r}), or {variable} in the environment: {problem}")


_CHOICES = {
    "memory_backed": ("warn", "refuse"),
    "silent_transport": ("spool", "stream", "refuse"),
}
_MOST = 2**62  # an off_t holds twice as much
_DAY = 86_400  # seconds
_LEAST: dict[str, float] = {
    "spool_memory": 0,
    "request_bytes": 1,
    "request_files": 1,
    "process_bytes": 1,
    "host_bytes": MIB,
    "keep_free_bytes": 0,
    "max_concurrent": 1,
    "wait_seconds": 0,
}
_OPTIONAL = {name for name in _LEAST if name not in ("spool_memory", "wait_seconds")}
_REMEDY = dict.fromkeys(
    ("request_bytes", "request_files", "process_bytes", "host_bytes"),
    ", or None for no bound: nothing could ever be written under it",
) | {"max_concurrent": ", or None for no bound: no export could ever be answered under it"}
