"""Emergency readings: opening one record, closing it, and what the site whose record it was sees of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from registry import clock
from registry.access.guards import needs, signed_in
from registry.access.models import User
from registry.audit.models import AuditEntry
from registry.handover.forms import OpenForm
from registry.handover.models import SEE_OPENED, RecordOpening
from registry.handover.opening import (
    LASTS,
    OPEN,
    close_record,
    current_opening,
    mark_seen,
    open_record,
    pages_read,
)
from registry.saving import ChangedMeanwhile, NotAccepted

SHOWN = 100


@needs(OPEN)
def record_open(request: HttpRequest) -> HttpResponse:
    user, now = signed_in(request), clock.now()
    form = OpenForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            opening = open_record(**form.cleaned_data, by=user, now=now)
        except NotAccepted as refusal:
            form.add_error(refusal.field or None, refusal.message)
        else:
            return redirect("desk:patient_record", opening.patient.patient_id)
    context = {
        "form": form,
        "minutes": int(LASTS.total_seconds() // 60),
        "standing": current_opening(user, now),
    }
    return render(request, "handover/record_open.html", context)


@needs(OPEN)
@require_POST
def record_close(request: HttpRequest) -> HttpResponse:
    user, now = signed_in(request), clock.now()
    if opening := current_opening(user, now):
        close_record(opening=opening, by=user, now=now)
        messages.success(request, "The record is closed.")
    return redirect("desk:home")


@needs(SEE_OPENED)
@require_GET
def opening_list(request: HttpRequest) -> HttpResponse:
    user, now = signed_in(request), clock.now()
    rows = RecordOpening.objects.visible_to(user).select_related("user", "patient", "at_site", "seen_by")
    found = list(rows.order_by("-opened_at", "-pk")[: SHOWN + 1])
    pages = pages_read(found[:SHOWN])
    context = {
        "lines": [_line(one, pages[one.pk], user, now) for one in found[:SHOWN]],
        "has_more": len(found) > SHOWN,
        "shown": SHOWN,
    }
    return render(request, "handover/opening_list.html", context)


def _line(opening: RecordOpening, pages: list[AuditEntry], user: User, now: datetime) -> dict[str, Any]:
    read: dict[str, int] = {}
    for entry in pages:
        read[entry.new] = read.get(entry.new, 0) + 1
    return {
        "opening": opening,
        "pages": [{"path": path, "times": n} for path, n in read.items()],
        "may_open": user.may("patients.view", opening.patient.site_id),
        "may_mark": opening.seen_at is None and user.may(SEE_OPENED, opening.at_site_id),
        "is_open": opening.ended_at > now,
    }


@needs(SEE_OPENED)
@require_POST
def opening_seen(request: HttpRequest, pk: int) -> HttpResponse:
    user = signed_in(request)
    opening = get_object_or_404(RecordOpening.objects.visible_to(user), pk=pk)
    try:
        mark_seen(opening=opening, by=user, now=clock.now())
        messages.success(request, "Noted: your site has looked at this reading.")
    except ChangedMeanwhile as news:
        messages.warning(request, str(news))
    return redirect("handover:opening_list")
