"""FastAPI: a `Response` that is an export; the same as Starlette's.

FastAPI makes JSON of what a view returns unless it is a `Response`.  With
`response_class=ExportResponse` the description of the API says that there is none; a view that
returns bare rows then has them made JSON values first, whole in memory, and becomes a download
of those.
"""

from __future__ import annotations

from streamware.frameworks.starlette import ExportResponse

__all__ = ["ExportResponse"]
