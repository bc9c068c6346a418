"""A workbook with a chart: XlsxWriter saves it to a scratch path, Starlette sends it.

Start it: uvicorn examples.starlette_workbook:app
Or: granian --interface asgi examples.starlette_workbook:app
Then open http://127.0.0.1:8000/sales; the file is removed afterwards.  Needs XlsxWriter.
"""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import FileResponse
from starlette.routing import Route
from xlsxwriter import Workbook

import streamware as sw


def sales(request):  # not `async def`, as it blocks: Starlette runs it in a thread
    scratch = sw.current_scratch()
    path = scratch.path(suffix=".xlsx")
    # XlsxWriter's own temporary files go there, too, so an error does not leave them behind.
    book = Workbook(path, {"constant_memory": True, "tmpdir": scratch.directory()})
    sheet = book.add_worksheet("Sales")
    sheet.write_row(0, 0, ["month", "total"])
    for month in range(1, 13):
        sheet.write_row(month, 0, [f"2026-{month:02}", month * 1.25])

    chart = book.add_chart({"type": "column"})
    chart.add_series({"categories": "=Sales!$A$2:$A$13", "values": "=Sales!$B$2:$B$13"})
    sheet.insert_chart("D2", chart)
    book.close()  # not `with`, which would complete the file even after an error
    return FileResponse(path, filename="sales.xlsx")


app = Starlette(
    routes=[Route("/sales", sales)],
    middleware=[Middleware(sw.ASGIMiddleware)],
)
