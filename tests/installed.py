"""Whether an installed streamware does what it should: `python tests/installed.py compiled|pure`.

Each format is written by it, once more without its kernel, and read by the standard library.  Only
the package is needed, for the tests of a wheel on a machine of another kind.
"""

import csv
import datetime as dt
import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree as ET

import streamware as sw
from streamware import kernel

FORMATS = ("csv", "tsv", "json", "ndjson", "xml", "xlsx", "ods")
TITLES = ("id", "text", "share", "price", "day", "paid")
ROWS = [
    (
        number,
        f'"ä" & <{number}>\n',
        number / 7,
        Decimal(number) / 8,
        dt.date(2026, 1, 1) + dt.timedelta(number),
        None if number % 3 else number % 2 == 0,
    )
    for number in range(1, 2001)
]


def document(name: str) -> bytes:
    return b"".join(sw.encode(ROWS, name, columns=TITLES))


def digests() -> dict[str, str]:
    return {name: hashlib.sha256(document(name)).hexdigest() for name in FORMATS}


def without_kernel() -> dict[str, str]:
    """The digests of a process that is told to do without it."""
    environment = os.environ | {"STREAMWARE_PURE": "1"}
    command = [sys.executable, __file__, "digests"]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def read() -> None:
    """What others read is what was given."""
    table = list(csv.DictReader(io.StringIO(document("csv").decode("utf-8-sig"), newline="")))
    assert [(int(row["id"]), row["text"], float(row["share"])) for row in table] == [
        row[:3] for row in ROWS
    ]
    objects = json.loads(document("json"))
    assert [(row["id"], row["text"], row["share"]) for row in objects] == [row[:3] for row in ROWS]
    assert len(ET.fromstring(document("xml"))) == len(ROWS)
    for name in ("xlsx", "ods"):
        with zipfile.ZipFile(io.BytesIO(document(name))) as book:
            assert book.testzip() is None


def main(expected: str) -> int:
    if expected == "digests":
        print(json.dumps(digests()))
        return 0
    found = "pure" if kernel.native is None else "compiled"
    print(f"{Path(sw.__file__).parent}: {found} {kernel.absent}")
    if found != expected:
        return 1
    assert digests() == without_kernel()
    read()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
