"""Settings: what an operator decides for a process, by keyword or in the environment."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, Literal, NoReturn

from streamware.limits import Limits
from streamware.observe import Observer
from streamware.values import Values

MIB = 2**20
GIB = 2**30


def _variable(name: str, read: Callable[[str], object], default: object) -> Any:
    """Return a field whose default is read from the environment when `Settings` are made."""

    def value() -> object:
        text = os.environ.get(name, "").strip()
        if not text:
            return default
        try:
            return read(text)
        except ValueError as expected:
            raise ValueError(
                f"{name} in the environment must be {expected}, not {text!r}"
            ) from None

    return field(default_factory=value, metadata={"variable": name, "default": default})


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("a whole number") from None


def _bound(text: str) -> int | None:
    try:
        return None if text.lower() == "none" else int(text)
    except ValueError:
        raise ValueError("a whole number, or 'none' for no bound") from None


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("a number of seconds") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Choices for a whole process: where scratch files are, and how much of anything is allowed.

    A field that is not given is read from the environment; if it is not there either, it has its
    default.  Sizes are in bytes, times in seconds.  None means no bound ("none" in the
    environment).  Equal settings in a process share their budgets.

    Attributes:
        scratch_dir: An existing directory for scratch files, owned by this user or by root; None
            is `/var/tmp`.
        memory_backed: What to do if that directory is in memory (tmpfs): "warn" or "refuse".
        spool_memory: What a spool keeps in memory before it goes to disk.  A spool that is opened
            while the request has 16 others open goes to disk at once.
        request_bytes: Scratch on disk that one request may hold.
        request_files: Open spools, paths and directories that one request may hold.
        process_bytes: Scratch on disk that all requests of a process may hold together.
        host_bytes: Scratch on disk that all processes with the same directory may hold together;
            counted in steps of 1 MiB, and on Linux only.
        keep_free_bytes: What to leave free on the file system; None is 5 % of it, at most 1 GiB.
        silent_transport: What `delivery="auto"` does if the client would not notice that a CSV
            was cut off: "spool" it first, "stream" it anyway, or "refuse" with 503.
        max_concurrent: Exports that a process answers at the same time.
        wait_seconds: How long an export or a spool waits for its turn or for room before it is
            `Refused`.  It never blocks the thread of an event loop.
        values: The default of `Export(values=…)`.
        limits: The default of `Export(limits=…)`.
        observers: Objects that are notified of every export.

    Raises:
        ValueError: A field is out of its range, or a variable cannot be read.
        TypeError: `observers` is not a list.
    """

    scratch_dir: str | os.PathLike[str] | None = _variable(  # noqa: RUF009 - a field
        "STREAMWARE_SCRATCH_DIR", str, None
    )
    memory_backed: Literal["warn", "refuse"] = _variable(
        "STREAMWARE_MEMORY_BACKED", str.lower, "warn"
    )
    spool_memory: int = _variable("STREAMWARE_SPOOL_MEMORY", _whole_number, MIB)
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
            object.__setattr__(self, "scratch_dir", self._directory())
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                self._refuse(name, " or ".join(map(repr, choices)))
        self._check_numbers()
        for name, kind in (("values", Values), ("limits", Limits)):
            if not isinstance(getattr(self, name), kind | None):
                self._refuse(name, f"a {kind.__name__} or None")
        if not isinstance(self.observers, Iterable):
            kind = type(self.observers).__name__
            raise TypeError(f"Settings(observers=…) must be a list of Observers, not {kind}")
        object.__setattr__(self, "observers", tuple(self.observers))
        for observer in self.observers:
            missing = [name for name in _NOTIFIED if not callable(getattr(observer, name, None))]
            if missing:
                self._refuse(
                    "observers", f"Observers with all methods of sw.Observer, also {missing[0]}()"
                )

    def _directory(self) -> str:
        """Return the absolute path, because a process may change its working directory.

        Links are not resolved, because `ScratchDirectory` checks them.
        """
        given = self.scratch_dir
        path = os.fspath(given) if isinstance(given, str | os.PathLike) else given
        if not isinstance(path, str) or not path or "\0" in path:
            self._refuse("scratch_dir", "the path of a directory")
        return os.path.abspath(path)  # noqa: PTH100 - Path.resolve() would resolve links

    def _check_numbers(self) -> None:
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            optional = name not in ("spool_memory", "wait_seconds")
            if value is None and optional:
                continue
            if type(value) is not int and (type(value) is not float or name != "wait_seconds"):
                number = "a number of seconds" if name == "wait_seconds" else "an int"
                self._refuse(name, f"{number} or None" if optional else number)
            if not value >= least:  # false for NaN
                remedy = ", or None for no bound" if optional and least else ""
                self._refuse(name, f"at least {least:,}{remedy}")
            if value > most:
                self._refuse(name, f"at most {most:,}")

    def _refuse(self, name: str, expected: str) -> NoReturn:
        value = getattr(self, name)
        variable = next(f.metadata.get("variable") for f in fields(self) if f.name == name)
        source = f", or {variable} in the environment," if variable else ""
        raise ValueError(f"Settings({name}=…){source} must be {expected}, not {value!r}")


_NOTIFIED = ("opened", "first_byte", "progress", "done")  # the methods of an Observer
_CHOICES = {
    "memory_backed": ("warn", "refuse"),
    "silent_transport": ("spool", "stream", "refuse"),
}
_MOST = 2**62  # an off_t holds twice as much
# Least and most; a budget of 0 would allow nothing at all.
_RANGES: dict[str, tuple[float, float]] = {
    "spool_memory": (0, _MOST),
    "request_bytes": (1, _MOST),
    "request_files": (1, _MOST),
    "process_bytes": (1, _MOST),
    "host_bytes": (MIB, _MOST),
    "keep_free_bytes": (0, _MOST),
    "max_concurrent": (1, _MOST),
    "wait_seconds": (0, 86_400),
}


def of_environment() -> Settings:
    """Return the settings that the environment states; where it states none, those made before.

    Each request without settings of its own asks for them.
    """
    # Its items are bytes on POSIX.  Asked by its methods for what is not there, it takes long.
    variables = getattr(os.environ, "_data", None)
    if variables is not None and _VARIABLES.isdisjoint(variables):
        return _unstated()
    return Settings()


@cache
def _unstated() -> Settings:
    return Settings()


_NAMES = [field.metadata["variable"] for field in fields(Settings) if field.metadata]
_VARIABLES = frozenset((*_NAMES, *map(os.fsencode, _NAMES)))


def setting(name: str) -> str:
    """Return how messages for operators name a setting: by its field and its variable."""
    return f"Settings.{name} (STREAMWARE_{name.upper()})"
