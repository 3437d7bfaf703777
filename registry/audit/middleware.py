"""Every request that may change something acts as the person who sent it, in one transaction."""

import uuid
from collections.abc import Callable

from django.db import transaction
from django.http import HttpRequest, HttpResponse

from registry.audit.acting import acting_as

SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")


def acting(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    def middleware(request: HttpRequest) -> HttpResponse:
        if request.method in SAFE:
            return get_response(request)
        actor = request.user if request.user.is_authenticated else "system:sign-in"
        with acting_as(actor, channel="web", request_id=uuid.uuid4().hex):
            response = get_response(request)
            # A refused or failed request must leave nothing behind, and Django has already turned its error into a page.
            if response.status_code >= 400:
                transaction.set_rollback(True)
        return response

    return middleware
