"""A signature that a request made void is known before the next page is opened, not only after the next sweep. And
whatever page was to change what is locked is answered by the words of the lock.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from registry import clock
from registry.audit.acting import current
from registry.audit.locks import refused_row
from registry.audit.middleware import SAFE
from registry.signatures.locks import RecordLocked, lock_keeping, words_of
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


class LockedRecords:
    """Stands outside the audit middleware: when it asks who locked what, the refused transaction is over."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        about = vars(request).pop("refused_by_lock", None)
        return _answer(request, about) if about else response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        row = refused_row(exception)
        if isinstance(exception, RecordLocked):
            row = (exception.lock.record, exception.lock.row_pk)
        if row is None:
            return None
        vars(request)["refused_by_lock"] = row
        return HttpResponse(status=409)


def _answer(request: HttpRequest, row: tuple[str, int]) -> HttpResponse:
    lock = lock_keeping(*row)
    words = words_of(lock) if lock else "This was locked a moment ago. Open it again."
    context = {"words": words, "back_url": request.path}
    return render(request, "signatures/refused.html", context, status=409)
