"""Lets a request read the one record its person has opened, on the pages of that record, and notes every such page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from registry import clock
from registry.access.models import User
from registry.access.opened import Opened
from registry.audit.acting import acting_as
from registry.handover.models import RecordOpening
from registry.handover.opening import current_opening, note_page
from registry.handover.pages import is_page_of

Handler = Callable[[HttpRequest], HttpResponse]


def opened_record(get_response: Handler) -> Handler:
    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        user, opening = request.user, opening_of(request)
        if opening and isinstance(user, User) and user.opened and response.status_code == 200:
            with acting_as(user, channel="web"):
                note_page(opening=opening, path=request.path, now=clock.now())
        return response

    def process_view(request: HttpRequest, view: Any, args: Any, keys: dict[str, Any]) -> None:
        user = request.user
        if not isinstance(user, User):
            return
        opening = current_opening(user, clock.now())
        vars(request)["opening"] = opening
        if opening and is_page_of(opening.patient, request, getattr(view, "acts", ()), keys):
            user.opened = Opened(patient_id=opening.patient_id, site_id=opening.at_site_id)

    vars(middleware)["process_view"] = process_view
    return middleware


def opening_of(request: HttpRequest) -> RecordOpening | None:
    """What the person behind the request has open at this moment, on whatever page."""
    found = vars(request).get("opening")
    return found if isinstance(found, RecordOpening) else None
