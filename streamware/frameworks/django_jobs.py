"""Django: the status, the files and the cancelling of jobs among the URLs of a project.

    urlpatterns = [path("exports/", include(job_urls(jobs)))]

Where it is included, `Jobs(url="/exports")` says.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import re_path
from django.views.decorators.csrf import csrf_exempt

from streamware.frameworks.django import ExportResponse
from streamware.jobs.application import JobApplication, JobKeeper


def job_urls(jobs: JobKeeper) -> list[Any]:
    """Return the URL patterns of jobs, to be included below where they are.

    `authorize(request, record, action)` gets the request of Django, with its user and session.  A
    form of another site cancels nothing: where it comes from is looked at in place of Django's
    token, which programs do not have.

    Args:
        jobs: The jobs.
    """

    @csrf_exempt  # type: ignore[untyped-decorator]  # Django has no types
    def view(request: HttpRequest) -> ExportResponse:
        return ExportResponse(request, JobApplication(jobs, request))

    return [re_path("", view)]
