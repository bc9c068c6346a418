"""Compiles the kernel into the wheel where there is a C++ compiler; elsewhere the wheel is pure.

`STREAMWARE_KERNEL=0` in the environment compiles nothing.  `STREAMWARE_KERNEL=1` makes it an error
if nothing can be compiled, for wheels that are published.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

KERNEL = Path("streamware/kernel")
OPTIONS = (
    ["/O2", "/std:c++17", "/utf-8"] if sys.platform == "win32" else ["-O3", "-std=c++17", "-g0"]
)


class KernelHook(BuildHookInterface[Any]):
    """Adds the extension module to a wheel; for an editable install, puts it beside its sources."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, in a temporary folder that lives until the wheel is written."""
        wanted = os.environ.get("STREAMWARE_KERNEL")
        if wanted == "0":
            return
        self.folder = TemporaryDirectory()
        try:
            module = compiled(self.folder.name)
            if version == "editable":
                place = KERNEL / module.name
                place.unlink(missing_ok=True)  # what a process has loaded must not change
                shutil.copy(module, place)
        except Exception as problem:
            if wanted == "1":
                raise
            self.app.display_warning(f"Pure Python, since the kernel was not compiled: {problem}")
            return
        if version != "editable":
            build_data["force_include"][str(module)] = str(KERNEL / module.name)
            build_data.update(pure_python=False, infer_tag=True)

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the temporary folder."""
        if hasattr(self, "folder"):
            self.folder.cleanup()


def compiled(folder: str) -> Path:
    """Return the extension module, compiled in this folder."""
    from setuptools import Distribution, Extension  # noqa: PLC0415 - it may be absent, too
    from setuptools.command.build_ext import build_ext  # noqa: PLC0415

    if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        raise RuntimeError("it is for CPython with its lock")
    # The compiler of C++ is another, but who names one that is not there wants none.
    if "CC" in os.environ and not shutil.which(os.environ["CC"].partition(" ")[0]):
        raise RuntimeError("there is no compiler of the name that CC has in the environment")
    # The first macOS whose library writes floats by std::to_chars.
    os.environ.setdefault("MACOSX_DEPLOYMENT_TARGET", "13.3")
    extension = Extension(
        "streamware.kernel._native",
        [str(path) for path in sorted(KERNEL.glob("*.cpp"))],
        define_macros=[("STREAMWARE_SOURCES", str(checksum()))],
        extra_compile_args=OPTIONS,
    )
    command = build_ext(Distribution({"ext_modules": [extension]}))
    command.build_lib, command.build_temp = folder, f"{folder}/objects"
    command.ensure_finalized()
    command.run()
    return Path(command.get_ext_fullpath(extension.name))


def checksum() -> int:
    """Return that of the sources; `streamware.kernel` leaves a module of other ones alone."""
    sources = sorted(KERNEL.glob("*.[ch]pp"))
    return zlib.crc32(b"".join(path.read_bytes() for path in sources)) >> 1  # fits a C long
