"""What others read from our bytes: the judges of every test.

None of them is our code: each is a foreign reader, or written from a specification as `zip_rules`
is. One that is not installed skips the test; with STREAMWARE_REQUIRE_JUDGES set, as in CI, it
fails it.
"""

import csv
import io
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import warnings
import xml.etree.ElementTree as ET
import zipfile
import zlib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import pytest

ROOT = Path(__file__).parents[1]
REQUIRED = "STREAMWARE_REQUIRE_JUDGES"
VALIDATOR = "STREAMWARE_OOXML_VALIDATOR"
"""The validator's command, or the folder that `npm install --prefix` put it in."""
PATIENCE = 180
"""Seconds for one program; LibreOffice takes 2 for a small workbook, more on a busy machine."""
NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"

csv.field_size_limit(sys.maxsize if sys.maxsize < 2**31 else 2**31 - 1)


# Text formats


def csv_rows(data: bytes, delimiter: str = ",", encoding: str = "utf-8") -> list[list[str]]:
    """The rows, header included; a byte order mark stays unless `encoding` is utf-8-sig."""
    text = io.StringIO(data.decode(encoding), newline="")
    return list(csv.reader(text, delimiter=delimiter, strict=True))


def xml_rows(data: bytes) -> list[dict[str, str | None]]:
    """One dict a row: tag to text, `@name` to a row's attribute, None where `xsi:nil` says so."""
    return [_xml_row(row) for row in ET.fromstring(data)]


def lxml_rows(data: bytes) -> list[dict[str, str | None]]:
    """The same as `xml_rows`, as libxml2 sees it."""
    etree = _module("lxml.etree")
    parser = etree.XMLParser(resolve_entities=False, huge_tree=True)
    return [_xml_row(row) for row in etree.fromstring(data, parser)]


def _xml_row(row: Any) -> dict[str, str | None]:
    cells: dict[str, str | None] = {f"@{name}": value for name, value in row.items()}
    for cell in row:
        assert cell.tag not in cells, f"two cells called {cell.tag}"
        assert not len(cell), f"an element inside the cell {cell.tag}"
        nil = cell.get(NIL) in {"true", "1"}
        assert not (nil and cell.text), f"the cell {cell.tag} is nil and has text"
        cells[cell.tag] = None if nil else cell.text or ""
    return cells


def json_rows(data: bytes, parse_float: Callable[[str], Any] = float) -> list[Any]:
    """The array's members; NaN, Infinity and a repeated key are errors, as in RFC 8259."""
    rows = _json(data.decode("utf-8"), parse_float)
    assert isinstance(rows, list), "the document is no array"
    return rows


def ndjson_rows(data: bytes, parse_float: Callable[[str], Any] = float) -> list[Any]:
    """One value a line, the last line ended too."""
    assert not data or data.endswith(b"\n"), "the last line has no end"
    return [_json(line, parse_float) for line in data.decode("utf-8").split("\n")[:-1]]


def _json(text: str, parse_float: Callable[[str], Any]) -> Any:
    return json.loads(
        text, parse_float=parse_float, parse_constant=_no_constant, object_pairs_hook=_unique
    )


def _no_constant(name: str) -> NoReturn:
    raise AssertionError(f"{name} is no JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    assert len(found) == len(pairs), f"a key twice among {[key for key, _ in pairs]}"
    return found


# Zip files


def zip_parts(data: bytes) -> dict[str, bytes]:
    """Each entry's bytes, in the order of the central directory, every checksum verified."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert len(set(names)) == len(names), f"a name twice among {names}"
        return {name: archive.read(name) for name in names}


def unzip_complaints(data: bytes, tmp_path: Path) -> str:
    """What Info-ZIP's `unzip -t` has against the archive; empty when nothing."""
    program = _program("unzip")
    folder = _folder(tmp_path)
    ran = _run([program, "-tqq", str(_file(data, folder, "archive.zip"))], folder)
    return "" if ran.returncode == 0 else ran.stdout + ran.stderr or f"exit code {ran.returncode}"


def bsdtar_parts(data: bytes, tmp_path: Path) -> dict[str, bytes]:
    """Each entry's bytes as libarchive reads them from a pipe: forwards, by local headers only."""
    program = _program("bsdtar")
    folder = _folder(tmp_path)
    ran = subprocess.run(
        [program, "-xf", "-", "-C", str(folder)],
        input=data,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr.decode(errors="replace")
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


# Workbooks


def calamine_rows(data: bytes, sheet: str | None = None) -> list[list[Any]]:
    """The cells of a sheet (the first, or by name) as calamine reads them: every number a float."""
    calamine = _module("python_calamine")
    book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
    name = book.sheet_names[0] if sheet is None else sheet
    rows: list[list[Any]] = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
    return rows


def calamine_names(data: bytes) -> list[str]:
    """The names of the sheets as calamine reads them."""
    calamine = _module("python_calamine")
    names: list[str] = calamine.CalamineWorkbook.from_filelike(io.BytesIO(data)).sheet_names
    return names


def openpyxl_rows(data: bytes, sheet: str | None = None) -> list[list[Any]]:
    """The cells of a sheet (the first, or by name) as openpyxl reads them; formulas as written."""
    book = openpyxl_book(data)
    found = book.worksheets[0] if sheet is None else book[sheet]
    return [list(row) for row in found.iter_rows(values_only=True)]


def openpyxl_book(data: bytes) -> Any:
    """The whole workbook, for its number formats, widths, links, tables and frozen panes."""
    return _module("openpyxl").load_workbook(io.BytesIO(data))


def libreoffice_csv(
    data: bytes, tmp_path: Path, sheet: int = 1, name: str = "book.xlsx"
) -> list[list[str]]:
    """The cells of a sheet, counted from 1, as LibreOffice shows them on the screen.

    Each call has a profile of its own, so that calls at the same time do not share one process.
    """
    # Tokens of the filter: comma, quote, UTF-8, first line, no column formats, language, quote all
    # text, detect numbers, as shown, no formulas, no spaces trimmed, and which sheet.
    options = f"44,34,76,1,,0,false,true,true,false,false,{sheet}"
    written = _converted(data, tmp_path, name, f"csv:Text - txt - csv (StarCalc):{options}")
    return csv_rows(written)


def libreoffice_book(data: bytes, tmp_path: Path, name: str) -> Any:
    """What LibreOffice saves as a workbook of Excel when it has opened the file `name`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # extensions that openpyxl does not know
        return openpyxl_book(libreoffice_saved(data, tmp_path, name))


def libreoffice_saved(data: bytes, tmp_path: Path, name: str) -> bytes:
    """The workbook of Excel itself; formulas without a value are calculated in it."""
    return _converted(data, tmp_path, name, "xlsx")


def _converted(data: bytes, tmp_path: Path, name: str, to: str) -> bytes:
    program = _program("soffice")
    folder = _folder(tmp_path)
    ran = _run(
        [
            program,
            "--headless",
            "--norestore",
            f"-env:UserInstallation={(folder / 'profile').as_uri()}",
            "--convert-to",
            to,
            "--outdir",
            str(folder / "out"),
            str(_file(data, folder, name)),
        ],
        folder,
    )
    written = list((folder / "out").glob("*"))
    assert written, f"LibreOffice wrote nothing: {ran.stdout}{ran.stderr}"
    shutil.rmtree(folder / "profile")
    return written[0].read_bytes()


def libreoffice_cells(
    data: bytes, tmp_path: Path, delimiter: str, language: int
) -> list[list[Any]]:
    """The cells of a CSV as LibreOffice reads them, set to a language of [MS-LCID]."""
    program = _program("soffice")
    folder = _folder(tmp_path)
    # Tokens: delimiter, quote, UTF-8, first line, no column formats, language, quoted is no text,
    # detect numbers.
    options = f"{ord(delimiter)},34,76,1,,{language},false,true"
    ran = _run(
        [
            program,
            "--headless",
            "--norestore",
            f"-env:UserInstallation={(folder / 'profile').as_uri()}",
            f"--infilter=CSV:{options}",
            "--convert-to",
            "xlsx",
            "--outdir",
            str(folder / "out"),
            str(_file(data, folder, "table.csv")),
        ],
        folder,
    )
    written = list((folder / "out").glob("*.xlsx"))
    assert written, f"LibreOffice wrote nothing: {ran.stdout}{ran.stderr}"
    shutil.rmtree(folder / "profile")
    return openpyxl_rows(written[0].read_bytes())


def ooxml_errors(data: bytes, tmp_path: Path) -> list[dict[str, Any]]:
    """What Microsoft's Open XML SDK has against the workbook: description, path, xPath, id."""
    program = _validator()
    folder = _folder(tmp_path)
    ran = _run([program, str(_file(data, folder, "book.xlsx"))], folder)
    assert ran.returncode in {0, 1}, f"the validator did not run: {ran.stdout}{ran.stderr}"
    verdict = json.loads(ran.stdout)
    errors: list[dict[str, Any]] = verdict["errors"]
    assert verdict["ok"] == (not errors)
    return errors


# The record rules of a workbook's zip

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_DESCRIPTOR = struct.Struct("<4sIII")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_DEFLATED = 8
_DESCRIPTOR_FLAG = 0x0008


class _Entry(NamedTuple):
    offset: int
    name: bytes
    stamp: tuple[int, int]
    crc: int
    packed: int
    plain: int


def zip_rules(data: bytes) -> None:
    """Hold an archive to the one form that every spreadsheet reader opens.

    Version 2.0, sizes in a 16-byte descriptor, deflate, no extra field, no ZIP64, made by MS-DOS,
    no byte between the records. Read forwards, as a reader of a stream must, then compared with the
    central directory.

    Raises:
        AssertionError: A rule is broken; the message names the entry and the rule.
    """
    entries: list[_Entry] = []
    at = 0
    while data[at : at + 4] == b"PK\x03\x04":
        entry, at = _local_entry(data, at)
        entries.append(entry)
    assert entries, "no local header at the start"
    _rule_names([entry.name for entry in entries])
    directory = at
    for entry in entries:
        at = _central_entry(data, at, entry)
    _rule_end(data, at, directory, len(entries))


def _local_entry(data: bytes, at: int) -> tuple[_Entry, int]:
    fields = _fields(_LOCAL, data, at)
    _, version, flags, method, clock, day, crc, packed, plain, name_size, extra_size = fields
    start = at + _LOCAL.size
    name = data[start : start + name_size]
    _same(name, "version needed", version, 20)
    if name == b"mimetype":
        return _media_type(data, at, fields)
    _same(name, "flags", flags, _DESCRIPTOR_FLAG)
    _same(name, "method", method, _DEFLATED)
    _same(name, "checksum and sizes in the local header", (crc, packed, plain), (0, 0, 0))
    _same(name, "length of the local extra field", extra_size, 0)
    start += name_size
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    content = inflater.decompress(data[start:])
    assert inflater.eof, f"{name!r}: the deflated data has no end"
    end = len(data) - len(inflater.unused_data)
    found = (b"PK\x07\x08", zlib.crc32(content), end - start, len(content))
    _same(name, "descriptor", _fields(_DESCRIPTOR, data, end), found)
    return _Entry(at, name, (clock, day), *found[1:]), end + _DESCRIPTOR.size


def _media_type(data: bytes, at: int, fields: tuple[Any, ...]) -> tuple[_Entry, int]:
    """The first entry of an ODF file: stored, its figures before it."""
    name, end = b"mimetype", at + _LOCAL.size + 8
    content = data[end : end + fields[7]]
    _same(name, "offset", at, 0)
    _same(name, "flags, method", fields[2:4], (0, 0))
    _same(name, "figures", fields[6:9], (zlib.crc32(content), len(content), len(content)))
    _same(name, "length of the local extra field", fields[10], 0)
    return _Entry(at, name, (fields[4], fields[5]), *fields[6:9]), end + len(content)


def _central_entry(data: bytes, at: int, entry: _Entry) -> int:
    fields = _fields(_CENTRAL, data, at)
    name_size: int = fields[10]
    name = data[at + _CENTRAL.size : at + _CENTRAL.size + name_size]
    assert fields[0] == b"PK\x01\x02", f"{entry.name!r}: no central header at {at}"
    _same(entry.name, "name in the central directory", name, entry.name)
    _same(name, "version made by", fields[1], 20)  # 2.0, and host 0, which is MS-DOS
    way = (20, 0, 0) if name == b"mimetype" else (20, _DESCRIPTOR_FLAG, _DEFLATED)
    _same(name, "central version, flags, method", fields[2:5], way)
    _same(name, "central time and date", fields[5:7], entry.stamp)
    _same(name, "central checksum and sizes", fields[7:10], (entry.crc, entry.packed, entry.plain))
    _same(name, "lengths of central extra field and comment", fields[11:13], (0, 0))
    _same(name, "disk and attributes", fields[13:16], (0, 0, 0))
    _same(name, "offset", fields[16], entry.offset)
    return at + _CENTRAL.size + name_size


def _rule_end(data: bytes, at: int, directory: int, count: int) -> None:
    fields = _fields(_END, data, at)
    expected = (b"PK\x05\x06", 0, 0, count, count, at - directory, directory, 0)
    assert fields == expected, f"end record: {fields} instead of {expected}"
    assert at + _END.size == len(data), "bytes after the end record"


def _rule_names(names: list[bytes]) -> None:
    for name in names:
        assert name, "an entry without a name"
        assert name.isascii(), f"{name!r}: not ASCII"
        assert b"\\" not in name, f"{name!r}: a backslash"
        assert not name.startswith(b"/"), f"{name!r}: absolute"
        assert not name.endswith(b"/"), f"{name!r}: a folder"
    assert len({name.lower() for name in names}) == len(names), "names equal but for case"


def _fields(record: struct.Struct, data: bytes, at: int) -> tuple[Any, ...]:
    assert at + record.size <= len(data), f"the archive ends inside the record at {at}"
    return record.unpack_from(data, at)


def _same(name: bytes, rule: str, found: object, expected: object) -> None:
    assert found == expected, f"{name!r}: {rule} is {found}, not {expected}"


# Programs and modules that may be missing


def _module(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        _missing(name)


def _program(name: str) -> str:
    return shutil.which(name) or _missing(name)


def _validator() -> str:
    named = os.environ.get(VALIDATOR, "")
    if named and Path(named).is_file():
        return named
    folder = Path(named) if named else ROOT / ".ci" / "node"
    installed = shutil.which(folder / "node_modules" / ".bin" / "ooxml-validator")
    return installed or _program("ooxml-validator")


def _missing(name: str) -> NoReturn:
    __tracebackhide__ = True
    if os.environ.get(REQUIRED):
        pytest.fail(f"needs {name}, and {REQUIRED} is set")
    pytest.skip(f"needs {name}")


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a judge with its scratch files in `folder`; one that hangs dies with its children."""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=os.environ | {"TMPDIR": str(folder), "DOTNET_EnableDiagnostics": "0"},
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def _folder(tmp_path: Path) -> Path:
    """A new folder, so that one test can ask the same judge twice."""
    folder = tmp_path / f"judge{len(list(tmp_path.glob('judge*')))}"
    folder.mkdir()
    return folder


def _file(data: bytes, folder: Path, name: str) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path
