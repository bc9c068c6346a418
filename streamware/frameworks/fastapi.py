"""FastAPI: an export as a `Response`; the class is Starlette's.

FastAPI turns what a view returns into JSON unless it is a `Response`, so return an
`ExportResponse`, not rows.  With `response_class=ExportResponse` the API description shows no
JSON body.  If such a view returns bare rows, FastAPI first converts all of them to JSON values in
memory, and the download is made from those.
"""

from __future__ import annotations

from streamware.frameworks.starlette import ExportResponse

__all__ = ["ExportResponse"]
