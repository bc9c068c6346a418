"""Any iterable of rows as a CSV, XML or XLSX download, in constant memory.

Everything public stands here; `README.md` shows how it is used.
"""

from streamware.aencoding import AsyncEncoding, aencode
from streamware.bundle import Bundle
from streamware.columns import Column, Sheet
from streamware.encoder import Context, Encoder, Format
from streamware.encoding import Encoding, encode
from streamware.errors import (
    CellError,
    EncodeError,
    LimitError,
    OrderError,
    Refused,
    ScratchError,
    StreamwareError,
)
from streamware.formats.csv import Csv, Tsv
from streamware.formats.json import Json, Ndjson
from streamware.formats.xlsx import Xlsx
from streamware.formats.xml import Xml
from streamware.http.export import Export
from streamware.limits import Limits
from streamware.receipt import Receipt
from streamware.saving import asave, save
from streamware.values import Formula, Values

__all__ = [
    "AsyncEncoding",
    "Bundle",
    "CellError",
    "Column",
    "Context",
    "Csv",
    "EncodeError",
    "Encoder",
    "Encoding",
    "Export",
    "Format",
    "Formula",
    "Json",
    "LimitError",
    "Limits",
    "Ndjson",
    "OrderError",
    "Receipt",
    "Refused",
    "ScratchError",
    "Sheet",
    "StreamwareError",
    "Tsv",
    "Values",
    "Xlsx",
    "Xml",
    "aencode",
    "asave",
    "encode",
    "save",
]

__version__ = "0.1.0"
