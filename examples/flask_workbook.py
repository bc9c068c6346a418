"""A workbook with a chart: openpyxl saves it to a scratch path, Flask sends it, then it is removed.

Start it: flask --app examples/flask_workbook.py run
Then open http://127.0.0.1:5000/sales.  Needs openpyxl.
"""

from flask import Flask, send_file
from openpyxl import Workbook
from openpyxl.chart import BarChart, Reference

import streamware as sw

app = Flask(__name__)
app.wsgi_app = sw.WSGIMiddleware(app.wsgi_app)


@app.get("/sales")
def sales():
    book = Workbook()
    sheet = book.active
    sheet.append(["month", "total"])
    for month in range(1, 13):
        sheet.append([f"2026-{month:02}", month * 1.25])

    chart = BarChart()
    chart.add_data(Reference(sheet, min_col=2, min_row=1, max_row=13), titles_from_data=True)
    chart.set_categories(Reference(sheet, min_col=1, min_row=2, max_row=13))
    sheet.add_chart(chart, "D2")

    path = sw.current_scratch().path(suffix=".xlsx")
    book.save(path)
    return send_file(path, as_attachment=True, download_name="sales.xlsx")
