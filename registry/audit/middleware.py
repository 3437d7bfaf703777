"""Every request that may change something acts as the person who sent it, in one transaction."""

import sqlite3
import uuid
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from django.apps import apps
from django.contrib.messages import get_messages
from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.http import HttpRequest, HttpResponse

from registry.audit.acting import acting_as, left_the_house

SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")
NOT_UNIQUE_SQLITE = (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
NOT_UNIQUE_POSTGRESQL = "23505"
NOT_UNIQUE_DJANGO = ("unique", "unique_together")


class Acting:
    """Of two requests that make the same thing at one moment the database refuses the second. Nothing of it is stored
    then, and it is answered once more from the beginning: now it finds what the first one made.

    Once, and only where a row stood in the way that may be there once alone; any other mistake is shown at once. Not
    where a message has gone out or the session is a new one: these cannot be taken back.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method in SAFE:
            return self.get_response(request)
        session = request.session
        key, held = session.session_key, deepcopy(dict(session.items()))
        response, may_come_again = self._act(request)
        if may_come_again and session.session_key == key:
            _as_it_came(request, held)
            response, _ = self._act(request)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        vars(request)["came_second"] = is_taken(exception)

    def _act(self, request: HttpRequest) -> tuple[HttpResponse, bool]:
        actor = request.user if request.user.is_authenticated else "system:sign-in"
        with acting_as(actor, channel="web", request_id=uuid.uuid4().hex), left_the_house() as gone:
            response = self.get_response(request)
            # A refused or failed request must leave nothing behind, and Django has already turned its error into a page.
            if response.status_code >= 400:
                transaction.set_rollback(True)
        return response, vars(request).pop("came_second", False) and not gone


def _as_it_came(request: HttpRequest, held: dict[str, Any]) -> None:
    """Without what the first answer did to files, session and the messages on the next page."""
    for _, files in request.FILES.lists():
        for file in files:
            file.seek(0)
    request.session.clear()
    request.session.update(held)
    getattr(get_messages(request), "_queued_messages", []).clear()


def is_taken(exception: BaseException) -> bool:
    """Whether a row stood in the way that may be there once alone: found by the database, or by `full_clean()` a
    moment before it.
    """
    if isinstance(exception, IntegrityError):
        cause = exception.__cause__
        return (
            getattr(cause, "sqlstate", "") == NOT_UNIQUE_POSTGRESQL
            or getattr(cause, "sqlite_errorcode", 0) in NOT_UNIQUE_SQLITE
        )
    if isinstance(exception, ValidationError):
        return all(_says_taken(one) for one in _every(exception))
    return False


def _every(error: ValidationError) -> list[ValidationError]:
    by_field: dict[str, list[ValidationError]] | None = getattr(error, "error_dict", None)
    return [one for some in by_field.values() for one in some] if by_field is not None else error.error_list


def _says_taken(error: ValidationError) -> bool:
    """A unique constraint with a condition says so by its name alone."""
    if error.code in NOT_UNIQUE_DJANGO:
        return True
    constraints = [one for model in apps.get_models() for one in model._meta.constraints]
    unique = [one for one in constraints if isinstance(one, models.UniqueConstraint)]
    return str(error.message) in {str(one.get_violation_error_message()) for one in unique}
