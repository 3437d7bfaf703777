"""A signature that a request made void is known before the next page is opened, not only after the next sweep."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from registry import clock
from registry.audit.acting import current
from registry.audit.middleware import SAFE
from registry.signatures.watching import judge_request, newest_entry


def judge_signatures(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Stands inside the audit middleware, whose transaction and actor it uses."""

    def middleware(request: HttpRequest) -> HttpResponse:
        acting = current()
        if acting is None or request.method in SAFE:
            return get_response(request)
        before = newest_entry()
        response = get_response(request)
        if response.status_code < 400:
            judge_request(after=before, request_id=acting.request_id, now=clock.now())
        return response

    return middleware
