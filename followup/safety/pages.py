"""What the pages of adverse events show, as plain rows and sentences."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.paginator import Page
from django.db.models import Case, Q, QuerySet, Value, When
from django.http import HttpRequest
from django.urls import reverse

from followup.safety.models import MOMENTS, SERIOUS, SERIOUSNESS_CRITERIA, AdverseEvent
from followup.schedule.models import WorkItem
from registry.access.models import User
from registry.clock import local_date
from registry.patients.models import Query
from registry.patients.queries import record_of

UNASSESSED = Q(relatedness_cells="") | Q(expectedness="")
ANSWERS = {True: "Yes", False: "No", None: "Not known"}


def filtered(events: QuerySet[AdverseEvent], asked: dict[str, Any]) -> QuerySet[AdverseEvent]:
    which = asked.get("which") or ""
    events = events.filter(withdrawn_at=None) if which != "withdrawn" else events.exclude(withdrawn_at=None)
    if asked.get("site"):
        events = events.filter(site=asked["site"])
    if asked.get("term"):
        events = events.filter(term__icontains=asked["term"])
    if which in ("serious", "unassessed"):
        events = events.filter(SERIOUS)
    if which == "unassessed":
        events = events.filter(UNASSESSED)
    if which == "special":
        events = events.filter(is_special_interest=True)
    return events.filter(pk__in=_queried()) if which == "queried" else events


def _queried() -> list[int]:
    prefix = f"{AdverseEvent._meta.label_lower}:"
    records = Query.objects.filter(record__startswith=prefix).exclude(status=Query.State.CLOSED)
    return [int(record.removeprefix(prefix)) for record in records.values_list("record", flat=True)]


def serious_first(events: QuerySet[AdverseEvent]) -> QuerySet[AdverseEvent]:
    rank = Case(When(SERIOUS & UNASSESSED, then=Value(0)), When(SERIOUS, then=Value(1)), default=Value(2))
    return events.annotate(rank=rank).select_related("patient", "site").order_by("rank", "-onset_date", "-pk")


def counts(events: QuerySet[AdverseEvent], suspicions: int | None) -> list[dict[str, str]]:
    """The row of counts: what needs an answer first."""
    waiting = events.filter(SERIOUS & UNASSESSED).count()
    serious = events.filter(SERIOUS).count()
    total = events.count()
    row = [{"kind": "alarm" if waiting else "done", "word": f"{waiting} serious to assess"}]
    if suspicions is not None:
        kind = "alarm" if suspicions else "done"
        noun = "suspicion" if suspicions == 1 else "suspicions"
        row.append({"kind": kind, "word": f"{suspicions} open {noun}"})
    row.append({"kind": "late" if serious else "quiet", "word": f"{serious} serious in all"})
    row.append({"kind": "quiet", "word": f"{total} event{'' if total == 1 else 's'}"})
    return row


def open_suspicions(user: User, now: datetime) -> list[dict[str, Any]]:
    tasks = WorkItem.objects.visible_to(user, "neoplasia.view").open().filter(kind="suspicion")
    return [
        {
            "patient_id": task.patient.patient_id if task.patient else "",
            "title": task.title,
            "url": task.url,
            "due_on": task.due_on,
            "today": local_date(now, task.site.time_zone),
        }
        for task in tasks.select_related("patient", "site").order_by("due_on", "pk")
    ]


def seriousness(event: AdverseEvent) -> dict[str, str]:
    if event.withdrawn_at is not None:
        return {"kind": "quiet", "word": "Withdrawn as a mistake"}
    if not event.counts_as_serious:
        return {
            "kind": "quiet",
            "word": "Not serious" if event.is_serious is False else "Seriousness not known",
        }
    if event.is_assessed:
        return {"kind": "late", "word": "Serious"}
    return {"kind": "alarm", "word": "Serious, to assess"}


def relation(event: AdverseEvent) -> str:
    if event.relatedness_cells:
        return event.get_relatedness_cells_display()
    return "counts as related" if event.counts_as_serious else "not judged"


def row_of(event: AdverseEvent) -> dict[str, Any]:
    return {
        "event": event,
        "seriousness": seriousness(event),
        "relation": relation(event),
        "grade": grade(event),
    }


def grade(event: AdverseEvent) -> str:
    if event.severity_grade is not None:
        return str(event.severity_grade)
    return f"“{event.severity_received}”" if event.severity_received else ""


def pager(request: HttpRequest, page: Page[AdverseEvent], now: datetime) -> dict[str, Any]:
    total = page.paginator.count
    words = f"{len(page.object_list)} of {total} event{'' if total == 1 else 's'}, serious first"
    return {
        "text": words,
        "cut_off": now,
        "previous_url": _page_url(request, page.previous_page_number()) if page.has_previous() else "",
        "next_url": _page_url(request, page.next_page_number()) if page.has_next() else "",
    }


def _page_url(request: HttpRequest, number: int) -> str:
    asked = request.GET.copy()
    asked["page"] = str(number)
    return f"?{asked.urlencode()}"


# One event -------------------------------------------------------------------------------------------------------


def what_happened(event: AdverseEvent) -> list[dict[str, str]]:
    ticked = ", ".join(SERIOUSNESS_CRITERIA.get(code, code) for code in event.criteria)
    return _items(
        {
            "Term": event.term,
            "CTCAE class": event.soc,
            "Grade": grade(event),
            "Serious": ANSWERS[event.is_serious],
            "Why serious": ticked,
            "Outcome": event.get_outcome_display(),
            "Of special interest": "Yes" if event.is_special_interest else "No",
            "Action taken": event.action_taken,
            "Reference": event.event_ref,
        }
    )


def judgement(event: AdverseEvent) -> list[dict[str, str]]:
    return _items(
        {
            "Related to the cells": relation(event),
            "Related to the procedure": event.get_relatedness_procedure_display(),
            "Expected": event.get_expectedness_display()
            or ("counts as unexpected" if event.counts_as_unexpected else ""),
        }
    )


def moments(event: AdverseEvent) -> list[dict[str, Any]]:
    """A day known without its time is shown as a day."""
    labels = {
        "aware_at": "First known",
        "site_aware_at": "Known to the site",
        "sponsor_received_at": "Received by the sponsor",
    }
    return [
        {
            "label": labels[name],
            "moment": getattr(event, name),
            "day": event.received[name] if len(event.received.get(name, "")) == 10 else "",
        }
        for name in MOMENTS
    ]


def _items(facts: dict[str, str]) -> list[dict[str, str]]:
    return [{"label": label, "value": value} for label, value in facts.items()]


def open_queries_about(event: AdverseEvent, user: User) -> list[Query]:
    asked = Query.objects.visible_to(user).filter(record=record_of(event)).exclude(status=Query.State.CLOSED)
    return list(asked.order_by("opened_at", "pk"))


def event_crumbs(event: AdverseEvent, last: str = "") -> list[dict[str, str]]:
    crumbs = [
        {"label": "Safety", "url": reverse("safety:event_list")},
        {
            "label": event.patient.patient_id,
            "url": reverse("desk:patient_record", args=[event.patient.patient_id]),
        },
        {"label": event.term, "url": reverse("safety:event", args=[event.pk]) if last else ""},
    ]
    return [*crumbs, {"label": last, "url": ""}] if last else crumbs
