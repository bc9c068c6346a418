"""A workbook that looks as people expect: titles, widths, formats, links, rules and totals.

Start it: flask --app examples/flask_report.py run
Then open http://127.0.0.1:5000/report, or /regions for a sheet a region, in one pass.
"""

import random
from datetime import date, timedelta

from flask import Flask

import streamware as sw

app = Flask(__name__)
chance = random.Random(1)
ORDERS = [
    {
        "id": 1000 + at,
        "placed": date(2026, 10, 1) + timedelta(days=at % 31),
        "customer": chance.choice(["Müller & Söhne", "Åse Bjørn AS", "O'Brien Ltd", "Café Žižkov"]),
        "region": chance.choice(["North", "East", "South", "West"]),
        "margin": chance.uniform(-0.1, 0.4),
        "total": round(chance.uniform(20, 4000), 2),
    }
    for at in range(400)
]
COLUMNS = [
    sw.Column("id", "No.", url="https://shop.example/orders/{}", align="left"),
    sw.Column(
        "placed", "Placed", format="dd mmm yyyy", note="The day in Coordinated Universal Time"
    ),
    sw.Column("customer", "Customer"),
    sw.Column(
        "region", "Region", validation=sw.Validation(choices=["North", "East", "South", "West"])
    ),
    sw.Column("margin", "Margin", format="0.0%", rules=[sw.Condition("<", 0)]),
    sw.Column("total", "Total", format="money:EUR", total="sum", rules=[sw.DataBar()]),
]
HEADER = sw.Style(bold=True, color="#FFFFFF", background="#1F4E78")
XLSX = sw.Xlsx(sheet="Orders", title_rows=["Orders of October 2026", ""], header=HEADER, zebra=True)


@app.get("/report")
def report():
    return sw.Export(ORDERS, columns=COLUMNS, format=XLSX, filename="orders")


@app.get("/regions")
def regions():
    return sw.Export(ORDERS, columns=COLUMNS, sheet_by="region", format=XLSX, filename="regions")
