"""The judges are judged: each reads what a foreign writer wrote, and objects to what is wrong."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import xlsxwriter

import readers


class Unseekable(io.RawIOBase):
    """A sink like a socket: `zipfile` cannot go back to fill in the sizes."""

    def __init__(self) -> None:
        self.written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.written += data
        return len(data)


def archive(force_zip64: bool = False, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Two entries written forwards by the standard library, with the attributes of MS-DOS."""
    sink = Unseekable()
    with zipfile.ZipFile(sink, "w", method) as written:
        for name in ("a.xml", "b/c.xml"):
            info = zipfile.ZipInfo(name)
            info.compress_type, info.create_system = method, 0
            with written.open(info, "w", force_zip64=force_zip64) as entry:
                entry.write(b"content " * 10)
            info.external_attr = 0
    return bytes(sink.written)


def workbook() -> bytes:
    """Two sheets by XlsxWriter."""
    sink = io.BytesIO()
    with xlsxwriter.Workbook(sink, {"in_memory": True}) as book:
        orders = book.add_worksheet("Orders")
        orders.write_row(0, 0, ["id", "name"])
        orders.write_row(1, 0, [1, 'Zoë, "x"'])
        book.add_worksheet("Two").write_row(0, 0, ["b", 2.5])
    return sink.getvalue()


def test_the_plain_form_keeps_the_rules() -> None:
    readers.zip_rules(archive())


def test_a_zip64_archive_breaks_the_rules() -> None:
    with pytest.raises(AssertionError, match="version needed is 45"):
        readers.zip_rules(archive(force_zip64=True))


def test_a_stored_entry_breaks_the_rules() -> None:
    with pytest.raises(AssertionError, match="method is 0"):
        readers.zip_rules(archive(method=zipfile.ZIP_STORED))


def test_a_seekable_archive_breaks_the_rules() -> None:
    with pytest.raises(AssertionError, match="flags is 0"):
        readers.zip_rules(workbook())


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        pytest.param(lambda data: data + b"x", "after the end record", id="bytes after"),
        pytest.param(lambda data: data[:-1], "ends inside", id="cut in the end record"),
        pytest.param(lambda data: data[: data.index(b"PK\1\2")], "ends inside", id="no directory"),
        pytest.param(lambda data: b"x" + data, "no local header", id="bytes before"),
        pytest.param(
            lambda data: data.replace(b"PK\7\x08", b"PK\7\x09", 1), "descriptor", id="signature"
        ),
        pytest.param(
            lambda data: data.replace(b"PK\1\2", b"xPK\1\2", 1), "no central header", id="a gap"
        ),
        pytest.param(lambda data: data.replace(b"a.xml", b"/.xml"), "absolute", id="absolute name"),
        pytest.param(
            lambda data: data.replace(b"PK\1\2\x14\x00", b"PK\1\2\x14\x03", 1), "made by", id="unix"
        ),
    ],
)
def test_a_spoiled_archive_breaks_the_rules(spoil: Callable[[bytes], bytes], rule: str) -> None:
    with pytest.raises(AssertionError, match=rule):
        readers.zip_rules(spoil(archive()))


def test_every_way_to_read_an_archive_agrees(tmp_path: Path) -> None:
    expected = {"a.xml": b"content " * 10, "b/c.xml": b"content " * 10}
    assert readers.zip_parts(archive()) == expected
    assert readers.bsdtar_parts(archive(), tmp_path) == expected
    assert readers.unzip_complaints(archive(), tmp_path) == ""


def test_unzip_complains_about_a_cut_archive(tmp_path: Path) -> None:
    assert readers.unzip_complaints(archive()[:-30], tmp_path)


def test_a_workbook_is_read_by_name_and_by_position() -> None:
    assert readers.calamine_rows(workbook()) == [["id", "name"], [1.0, 'Zoë, "x"']]
    assert readers.openpyxl_rows(workbook()) == [["id", "name"], [1, 'Zoë, "x"']]
    assert readers.calamine_rows(workbook(), "Two") == [["b", 2.5]]
    assert readers.openpyxl_rows(workbook(), "Two") == [["b", 2.5]]


@pytest.mark.slow
def test_libreoffice_reads_each_sheet(tmp_path: Path) -> None:
    assert readers.libreoffice_csv(workbook(), tmp_path) == [["id", "name"], ["1", 'Zoë, "x"']]
    assert readers.libreoffice_csv(workbook(), tmp_path, sheet=2) == [["b", "2.5"]]


@pytest.mark.slow
def test_the_validator_accepts_a_good_workbook(tmp_path: Path) -> None:
    assert readers.ooxml_errors(workbook(), tmp_path) == []


@pytest.mark.slow
def test_the_validator_names_what_is_wrong(tmp_path: Path) -> None:
    spoiled = io.BytesIO()
    with zipfile.ZipFile(spoiled, "w") as book:
        for name, part in readers.zip_parts(workbook()).items():
            book.writestr(name, part.replace(b"<sheetData>", b"<sheetData><oops/>"))
    errors = readers.ooxml_errors(spoiled.getvalue(), tmp_path)
    assert "oops" in errors[0]["description"]


def test_xml_readers_agree() -> None:
    nil = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    row = '<row id="7"><a>x &amp; y</a><b/><c xsi:nil="true"/></row>'
    data = f"<rows {nil}>{row}</rows>".encode()
    assert readers.xml_rows(data) == [{"@id": "7", "a": "x & y", "b": "", "c": None}]
    assert readers.lxml_rows(data) == readers.xml_rows(data)


def test_json_readers_refuse_what_is_no_json() -> None:
    with pytest.raises(AssertionError, match="NaN"):
        readers.json_rows(b'[{"a": NaN}]')
    with pytest.raises(AssertionError, match="twice"):
        readers.ndjson_rows(b'{"a": 1, "a": 2}\n')
    with pytest.raises(AssertionError, match="no end"):
        readers.ndjson_rows(b'{"a": 1}')


def test_a_csv_keeps_its_line_breaks_and_its_mark() -> None:
    assert readers.csv_rows(b'\xef\xbb\xbfa,"b\r\nc"\r\n') == [["\ufeffa", "b\r\nc"]]


def test_a_missing_judge_skips_or_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(readers.REQUIRED, raising=False)
    with pytest.raises(pytest.skip.Exception, match="needs unzip"):
        readers.unzip_complaints(archive(), tmp_path)
    monkeypatch.setenv(readers.REQUIRED, "1")
    with pytest.raises(pytest.fail.Exception, match="needs unzip"):
        readers.unzip_complaints(archive(), tmp_path)
