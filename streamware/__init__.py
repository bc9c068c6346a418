"""Any iterable of rows as a CSV, XML or XLSX download, in constant memory.

`README.md` shows how it is used.  These are the public names:

- To answer a request: `Export`; `Bundle`, for several in one zip archive.  The response classes of
  frameworks are in `streamware.frameworks`.
- To encode without a request: `encode`, `aencode`, `save`, `asave`; `EncodeOptions`, `Encoding`,
  `AsyncEncoding`.  `Remote` is a target in an object store; `send` and `asend` copy a file there.
- To make an export later, elsewhere: `Jobs`.
- The formats: `Csv`, `Tsv`, `Json`, `Ndjson`, `Xml`, `Xlsx`, `Ods`.
- To describe rows: `Column`, `Sheet`, `Tagged`; `Values` and `Formula`.  For spreadsheets: `Cell`,
  `Style`, `SheetOptions`, `Condition`, `ColorScale`, `DataBar`, `Validation`.
- Scratch files of a request: `WSGIMiddleware`, `ASGIMiddleware`; `current_scratch`, `Scratch`,
  `Spool`, `Usage`.
- Bounds and reports: `Settings`, `Limits`; `Receipt`, `Observer`.
- Errors: `StreamwareError`, `EncodeError`, `CellError`, `LimitError`, `StateError`,
  `ScratchError`, `Refused`.
- To write another format: `Format`, `Encoder`, `Context`, `Head`, `Batch`, `Part`, `TextColumns`,
  `interleave`.
"""

from streamware.engine.aio import AsyncEncoding, aencode
from streamware.engine.options import EncodeOptions
from streamware.engine.saving import asave, save
from streamware.engine.sending import asend, send
from streamware.engine.sync import Encoding, encode
from streamware.errors import (
    CellError,
    EncodeError,
    LimitError,
    Refused,
    ScratchError,
    StateError,
    StreamwareError,
)
from streamware.formats.csv import Csv, Tsv
from streamware.formats.json import Json, Ndjson
from streamware.formats.ods import Ods
from streamware.formats.protocol import Context, Encoder, Format, Part, interleave
from streamware.formats.text_columns import TextColumns
from streamware.formats.xlsx import Xlsx
from streamware.formats.xml import Xml
from streamware.http.bundle import Bundle
from streamware.http.export import Export
from streamware.jobs.jobs import Jobs
from streamware.limits import Limits
from streamware.middleware.asgi import ASGIMiddleware
from streamware.middleware.wsgi import WSGIMiddleware
from streamware.model.cell import Cell
from streamware.model.columns import Batch, Column, Head, Sheet, Tagged
from streamware.model.rules import ColorScale, Condition, DataBar, Validation
from streamware.model.sheet_options import SheetOptions
from streamware.model.style import Style
from streamware.observe import Observer
from streamware.receipt import Receipt
from streamware.scratch.ledger import Scratch, Usage, current_scratch
from streamware.scratch.spool import Spool
from streamware.settings import Settings
from streamware.stores.remote import Remote
from streamware.values import Formula, Values

__all__ = [
    "ASGIMiddleware",
    "AsyncEncoding",
    "Batch",
    "Bundle",
    "Cell",
    "CellError",
    "ColorScale",
    "Column",
    "Condition",
    "Context",
    "Csv",
    "DataBar",
    "EncodeError",
    "EncodeOptions",
    "Encoder",
    "Encoding",
    "Export",
    "Format",
    "Formula",
    "Head",
    "Jobs",
    "Json",
    "LimitError",
    "Limits",
    "Ndjson",
    "Observer",
    "Ods",
    "Part",
    "Receipt",
    "Refused",
    "Remote",
    "Scratch",
    "ScratchError",
    "Settings",
    "Sheet",
    "SheetOptions",
    "Spool",
    "StateError",
    "StreamwareError",
    "Style",
    "Tagged",
    "TextColumns",
    "Tsv",
    "Usage",
    "Validation",
    "Values",
    "WSGIMiddleware",
    "Xlsx",
    "Xml",
    "aencode",
    "asave",
    "asend",
    "current_scratch",
    "encode",
    "interleave",
    "save",
    "send",
]

__version__ = "0.1.0"
