"""Line breaks and blanks of text are what readers of ODS read, alone and among other texts."""

import io

import pytest

from readers import calamine_rows
from workbooks import workbook

TEXTS = [
    "a\rb",
    "a\r\nb",
    "a\nb",
    "a\r\n\r\nb",
    "\ra",
    "a\r",
    "\r",
    "a\r b",
    "a  b",
    " a ",
    "a\tb",
    "a\x85b\u2028c",
]


def unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def odf_texts(data: bytes) -> list[str]:
    """The texts of the second column as odfpy reads them, a line for each paragraph."""
    opendocument = pytest.importorskip("odf.opendocument", reason="needs odfpy")
    from odf import table, teletype, text

    rows = opendocument.load(io.BytesIO(data)).getElementsByType(table.TableRow)
    cells = [row.getElementsByType(table.TableCell)[1] for row in rows]
    return ["\n".join(map(teletype.extractText, cell.getElementsByType(text.P))) for cell in cells]


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_a_text_alone_keeps_its_lines(text: str) -> None:
    data = workbook([("x", text, "y")], "ods").data
    assert calamine_rows(data) == [["x", unix(text), "y"]]
    assert odf_texts(data) == [unix(text)]


def test_texts_together_keep_their_lines() -> None:
    made = workbook([("x", text, "y") for text in TEXTS], "ods")
    assert [row[1] for row in calamine_rows(made.data)] == list(map(unix, TEXTS))
    assert odf_texts(made.data) == list(map(unix, TEXTS))
    assert made.converted == {"newline": sum("\r" in text for text in TEXTS)}


def test_an_empty_text_is_a_blank_cell() -> None:
    made = workbook([("x", "", "y"), ("x", None, "y")], "ods")
    assert made.parts["content.xml"].count(b"<table:table-cell/>") == 2
