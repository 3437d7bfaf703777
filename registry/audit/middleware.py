"""Every request that may change something acts as the person who sent it, in one transaction."""

import uuid
from collections.abc import Callable

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse

from registry.audit.acting import acting_as

SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")
REFUSED_BY_THE_ROW = (
    IntegrityError,
    ValidationError,
)  # by the database, or by `full_clean()` a moment before it


class Acting:
    """Of two requests that make the same thing at one moment the database refuses the second. Nothing of it is stored
    then, and it is answered once more from the beginning: now it finds what the first one made.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method in SAFE:
            return self.get_response(request)
        response = self._act(request)
        if vars(request).pop("came_second", False):
            for _, files in request.FILES.lists():
                for file in files:
                    file.seek(0)
            response = self._act(request)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        if isinstance(exception, REFUSED_BY_THE_ROW):
            vars(request)["came_second"] = True

    def _act(self, request: HttpRequest) -> HttpResponse:
        actor = request.user if request.user.is_authenticated else "system:sign-in"
        with acting_as(actor, channel="web", request_id=uuid.uuid4().hex):
            response = self.get_response(request)
            # A refused or failed request must leave nothing behind, and Django has already turned its error into a page.
            if response.status_code >= 400:
                transaction.set_rollback(True)
        return response
