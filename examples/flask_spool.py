"""A zip of CSV files, written by `zipfile` to a spool: first in memory, then on disk.

Start it: flask --app examples/flask_spool.py run
Then open http://127.0.0.1:5000/invoices.
"""

import csv
from io import SEEK_END, TextIOWrapper
from zipfile import ZIP_DEFLATED, ZipFile

from flask import Flask, send_file

import streamware as sw

app = Flask(__name__)
app.wsgi_app = sw.WSGIMiddleware(app.wsgi_app, sw.Settings(spool_memory=65_536))


@app.get("/invoices")
def invoices():
    spool = sw.current_scratch().spool()
    with ZipFile(spool, "w", ZIP_DEFLATED) as archive:
        for month in range(1, 13):
            with archive.open(f"2026-{month:02}.csv", "w") as member:
                text = TextIOWrapper(member, "utf-8", newline="")
                lines = csv.writer(text)
                lines.writerow(["number", "total"])
                lines.writerows((month * 10_000 + n, n / 8) for n in range(1, 2001))
                text.close()

    size = spool.seek(0, SEEK_END)
    spool.seek(0)
    response = send_file(spool, "application/zip", as_attachment=True, download_name="2026.zip")
    response.content_length = size
    return response
