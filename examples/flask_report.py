"""A formatted workbook: title rows, number formats, links, colour rules and totals.

Start it: flask --app examples/flask_report.py run
Then open http://127.0.0.1:5000/report, or /regions: one sheet per region, from unsorted rows.
"""

from datetime import date

from flask import Flask

import streamware as sw

REGIONS = ["North", "East", "South", "West"]
NAMES = ["Müller & Söhne", "Åse Bjørn AS", "O'Brien Ltd", "Café Žižkov", "Łódź Textil"]
ORDERS = [
    (n, date(2026, 10, n), NAMES[n % 5], REGIONS[n % 7 % 4], n % 9 / 20 - 0.1, n * 79.9)
    for n in range(1, 32)
]
COLUMNS = [
    sw.Column("id", "No.", url="https://shop.example/orders/{}", align="left"),
    sw.Column("placed", "Placed", format="dd mmm yyyy", note="In UTC"),
    sw.Column("customer", "Customer"),
    sw.Column("region", "Region", validation=sw.Validation(choices=REGIONS)),
    sw.Column("margin", "Margin", format="0.0%", rules=[sw.Condition("<", 0)]),
    sw.Column("total", "Total", format="money:EUR", total="sum", rules=[sw.DataBar()]),
]
HEADER = sw.Style(bold=True, color="#FFFFFF", background="#1F4E78")
XLSX = sw.Xlsx(title_rows=["Orders of October 2026", ""], header=HEADER, zebra=True)
app = Flask(__name__)


@app.get("/report")
def report():
    return sw.Export(ORDERS, columns=COLUMNS, format=XLSX, filename="orders")


@app.get("/regions")
def regions():
    return sw.Export(ORDERS, columns=COLUMNS, sheet_by=3, format=XLSX, filename="regions")
