"""What the pages of visits show: each visit with its status and words, each section with its state and its way on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from django.urls import NoReverseMatch, reverse

from followup.schedule.actions.recording import labels_of
from followup.schedule.forms import OTHER, SECTIONS, section_of
from followup.schedule.models import ContactAttempt, Visit, VisitAssessment
from registry.access.models import User
from registry.clock import local_date

STATUS = {
    "planned": ("quiet", "Planned"),
    "open": ("due", "Open"),
    "late": ("late", "Late"),
    "missed": ("late", "Missed"),
    "done": ("done", "Done"),
    "not_required": ("quiet", "Not required"),
}
ANSWERS = {
    "pending": "due",
    "done": "done",
    "done_elsewhere": "done",
    "awaiting_result": "due",
    "not_done": "late",
    "not_applicable": "quiet",
}
# Where each section is entered: the words, the address, the right, and whether it is asked by visit or by patient.
WAYS = {
    "Laboratory": ("Enter results", "labs:visit_results", "labs.record", "visit"),
    "Insulin and drugs": (
        "Record insulin and drugs",
        "treatment:treatment_add",
        "treatment.record",
        "patient",
    ),
    "Events since the last visit": ("Add an event", "safety:event_add", "events.record", "patient"),
    "Neoplasia check": ("Record the check", "neoplasia:check_add", "neoplasia.record", "visit"),
}


def line_of(visit: Visit, today: date) -> dict[str, Any]:
    """One visit as tables and heads show it."""
    status = visit.status_on(today)
    kind, word = STATUS[status]
    if visit.is_partial:
        word = f"{word}, partly done"
    return {
        "visit": visit,
        "status": status,
        "kind": kind,
        "word": word,
        "url": reverse("schedule:visit", args=[visit.pk]),
        "day": visit.target_date or visit.actual_date,
        "is_owed": status in ("open", "late"),
    }


def sections_of(visit: Visit, user: User) -> Iterator[dict[str, Any]]:
    labels = labels_of(visit)
    rows = list(visit.assessments.order_by("pk"))
    for title in [title for title, _ in SECTIONS] + [OTHER]:
        parts = [_part(row, labels) for row in rows if section_of(row.code) == title]
        if parts:
            yield {"title": title, "parts": parts, "way": _way(title, visit, user)}


def _part(row: VisitAssessment, labels: dict[str, str]) -> dict[str, Any]:
    label = labels.get(row.code, row.code)
    return {
        "label": label,
        "short": label.partition(":")[0],
        "kind": ANSWERS[row.state],
        "word": row.get_state_display(),
        "on_date": row.on_date,
        "reason": row.reason,
        "is_missing": row.state == VisitAssessment.State.PENDING,
        "is_awaited": row.state == VisitAssessment.State.AWAITING,
    }


def _way(title: str, visit: Visit, user: User) -> dict[str, str] | None:
    """The link to the form of another room, for those who may use it."""
    if title not in WAYS:
        return None
    label, name, act, by = WAYS[title]
    if not user.may(act, visit.site_id):
        return None
    try:
        url = reverse(name, args=[visit.pk if by == "visit" else visit.patient.patient_id])
    except NoReverseMatch:
        return None
    return {"label": label, "url": url}


def acts_of(visit: Visit, user: User, today: date) -> Iterator[dict[str, Any]]:
    """The buttons of the page, by right and by what the visit still allows."""
    may_record = user.may("visits.record", visit.site_id)
    may_excuse = user.may("visits.excuse", visit.site_id)
    is_open = visit.state == Visit.State.PLANNED
    is_late = visit.status_on(today) == "late"
    chosen = [
        ("Continue recording" if visit.is_partial else "Record this visit", "visit_record", may_record and is_open, True),
        ("Correct", "visit_record", may_record and visit.state == Visit.State.DONE and bool(visit.visit_code), False),
        ("Change the booking" if visit.booked_for else "Book a day", "visit_book", may_record and is_open, False),
        ("Mark as missed", "visit_missed", may_excuse and is_open and is_late, False),
        ("Not required", "visit_not_required", may_excuse and is_open, False),
        ("Reopen", "visit_reopen", may_excuse and not is_open and bool(visit.visit_code), False),
    ]  # fmt: skip
    for label, name, is_offered, is_primary in chosen:
        if is_offered:
            yield {"label": label, "url": reverse(f"schedule:{name}", args=[visit.pk]), "primary": is_primary}


def visit_page(visit: Visit, user: User, now: datetime) -> dict[str, Any]:
    today = local_date(now, visit.site.time_zone)
    sections = list(sections_of(visit, user))
    parts = [part for section in sections for part in section["parts"]]
    attempts = ContactAttempt.objects.filter(visit=visit).select_related("by")
    return frame(visit, now) | {
        "sections": sections,
        "missing": [part for part in parts if part["is_missing"]],
        "awaited": [part for part in parts if part["is_awaited"]],
        "answered": len(parts) - sum(part["is_missing"] for part in parts),
        "parts": len(parts),
        "acts": list(acts_of(visit, user, today)),
        "attempts": list(attempts),
        "may_log": user.may("visits.record", visit.site_id),
    }


def frame(visit: Visit, now: datetime) -> dict[str, Any]:
    """What every page of one visit shares."""
    today = local_date(now, visit.site.time_zone)
    return {
        "visit": visit,
        "patient": visit.patient,
        "line": line_of(visit, today),
        "today": today,
        "now": now,
        "breadcrumbs": [*crumbs(visit.patient.patient_id), {"label": visit.label, "url": ""}],
    }


def crumbs(patient_id: str) -> list[dict[str, str]]:
    """Not the record: the laboratory reads visits without it. The strip leads there for those who may."""
    visits = reverse("schedule:patient_schedule", args=[patient_id])
    return [{"label": f"Visits of {patient_id}", "url": visits}]
