"""A line on Today that asks for nothing but to be seen."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from followup.schedule.actions.notices import NOTICES, mark_seen
from followup.schedule.models import WorkItem
from registry import clock
from registry.access.guards import needs, signed_in
from registry.access.models import User


def _notices(user: User) -> QuerySet[WorkItem]:
    roles = [grant.role for grant in user.grants]
    return WorkItem.objects.visible_to(user).filter(kind__in=NOTICES, role__in=roles)


@needs("worklist.view")
def notice(request: HttpRequest, pk: int) -> HttpResponse:
    user = signed_in(request)
    item = get_object_or_404(_notices(user).select_related("site", "patient", "closed_by"), pk=pk)
    if request.method == "POST":
        mark_seen(item=item, by=user, now=clock.now())
        messages.success(request, "Marked as seen.")
        return redirect("desk:today")
    return render(request, "schedule/notice.html", {"item": item, "facts": _facts(item)})


def _facts(item: WorkItem) -> list[dict[str, object]]:
    facts: list[tuple[str, object]] = [
        ("Site", item.site.name),
        ("Patient", item.patient.patient_id if item.patient else "several"),
        ("When", f"{item.opened_at:%d %b %Y %H:%M} UTC"),
    ]
    if item.closed_at:
        facts.append(("Seen", f"{item.closed_by} on {item.closed_at:%d %b %Y %H:%M} UTC"))
    return [{"label": label, "value": value} for label, value in facts]
