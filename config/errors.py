"""Error pages say what happened and what to do, and nothing about the inside."""

import sys
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from registry.access.guards import open_to_all

RETRY_AFTER_S = 5
AWAY = (
    OperationalError,
    InterfaceError,
)  # the database is restarting, cannot be reached, is full or was locked too long


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "400.html", status=400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "403.html", {"why": str(exception)}, status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "404.html", status=404)


@open_to_all
def server_error(request: HttpRequest, *args: Any) -> HttpResponse:
    if _is_away(sys.exc_info()[1]):
        return database_away(request)
    # Without the context of a page: after an error the database may answer no more questions in this transaction.
    return HttpResponse(render_to_string("500.html", {"request": request}), status=500)


def _is_away(error: BaseException | None) -> bool:
    """Also where something else failed while the loss of the database was being handled."""
    while error is not None:
        if isinstance(error, AWAY):
            return True
        error = error.__cause__ or error.__context__
    return False


def database_away(request: HttpRequest) -> HttpResponse:
    """Made without the context of a page, which would ask the database."""
    context = {"request": request, "was_sent": request.method == "POST"}
    page = render_to_string("503.html", context)
    return HttpResponse(
        page, status=503, headers={"Retry-After": str(RETRY_AFTER_S), "Cache-Control": "no-store"}
    )
