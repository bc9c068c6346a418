"""Draw the finished workbook of the README: `python -m tests.conformance.picture`.

LibreOffice prints it as PDF, pdftoppm (Debian: poppler-utils) makes an image of the first page.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]
PICTURE = ROOT / "docs" / "workbook.png"
ROWS = 14


def main() -> None:
    import streamware as sw

    report = import_module("examples.flask_report")
    with TemporaryDirectory() as folder:
        book = Path(folder, "orders.xlsx")
        format_ = replace(report.XLSX, fit_to_width=True)
        sw.save(report.ORDERS[:ROWS], book, format_, columns=report.COLUMNS)
        home = f"-env:UserInstallation={Path(folder, 'home').as_uri()}"
        print_ = ["soffice", home, "--headless", "--convert-to", "pdf", "--outdir", folder]
        subprocess.run([*print_, str(book)], check=True, timeout=120, capture_output=True)
        crop = ["-x", "55", "-y", "60", "-W", "850", "-H", "440"]
        draw = ["pdftoppm", "-r", "110", "-singlefile", "-png", *crop]
        subprocess.run(
            [*draw, str(book.with_suffix(".pdf")), str(PICTURE.with_suffix(""))], check=True
        )


if __name__ == "__main__":
    main()
