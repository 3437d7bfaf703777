"""A visit, its forms, and a patient's schedule."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone

from followup.schedule import actions, pages
from followup.schedule.actions.arranging import suggested_day
from followup.schedule.actions.recording import verdict
from followup.schedule.forms import (
    BookingForm,
    ContactAttemptForm,
    ReasonForm,
    RecordVisitForm,
    UnscheduledVisitForm,
)
from followup.schedule.models import ContactAttempt, ContactMode, Visit, VisitAssessment
from registry import clock
from registry.access.conflicts import Edit, Was
from registry.access.guards import needs, signed_in
from registry.access.models import Site, User
from registry.clock import local_date
from registry.partial_dates import in_words
from registry.patients.models import Patient
from registry.patients.pages import patient_within
from registry.saving import ChangedMeanwhile, NotAccepted


def _visit(user: User, pk: int, act: str = "visits.view") -> Visit:
    visible = Visit.objects.visible_to(user, act)
    return get_object_or_404(visible.select_related("patient__site", "site", "timepoint__plan"), pk=pk)


def _page(
    request: HttpRequest, template: str, site: Site, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    """Moments are written in the site's own time."""
    with timezone.override(ZoneInfo(site.time_zone)):
        return render(request, template, context, status=status)


@needs("visits.view")
def visit(request: HttpRequest, pk: int) -> HttpResponse:
    user = signed_in(request)
    found = _visit(user, pk)
    return _page(request, "schedule/visit.html", found.site, pages.visit_page(found, user, clock.now()))


@needs("visits.view")
def patient_schedule(request: HttpRequest, patient_id: str) -> HttpResponse:
    user, now = signed_in(request), clock.now()
    patient = patient_within(user, patient_id, "visits.view")
    today = local_date(now, patient.site.time_zone)
    visits = Visit.objects.filter(patient=patient).select_related("timepoint").order_by("pk")
    parts = _parts_of(patient)
    rows = [pages.line_of(each, today) | parts.get(each.pk, {"parts": 0}) for each in visits]
    rows.sort(key=lambda row: (row["day"] or today, row["visit"].pk))
    context = {
        "patient": patient,
        "now": now,
        "today": today,
        "rows": rows,
        "owed": sum(row["is_owed"] for row in rows),
        "held": sum(row["status"] == "done" for row in rows),
        "attempts": ContactAttempt.objects.filter(patient=patient).select_related("by", "visit__timepoint")[
            :20
        ],
        "may_record": user.may("visits.record", patient.site_id),
    }
    return _page(request, "schedule/patient_schedule.html", patient.site, context)


def _parts_of(patient: Patient) -> dict[int, dict[str, int]]:
    """How many parts each visit has, and how many have an answer."""
    rows = VisitAssessment.objects.filter(visit__patient=patient).order_by("visit").values_list("visit")
    answered = Count("pk", filter=~Q(state=VisitAssessment.State.PENDING))
    return {
        pk: {"parts": parts, "answered": done}
        for pk, parts, done in rows.annotate(parts=Count("pk"), answered=answered)
    }


# Recording ---------------------------------------------------------------------------------------------------


@needs("visits.record")
def visit_record(request: HttpRequest, pk: int) -> HttpResponse:
    """The form, then "check your answers", then the save. Each step carries every answer with it."""
    user, now = signed_in(request), clock.now()
    found = _visit(user, pk, "visits.record")
    form = RecordVisitForm(request.POST or None, visit=found, now=now)
    edit = Edit(form, found, lambda was: _as_recorded(found, was))
    if not edit.ready() or request.POST.get("step") == "edit":
        return _record_page(request, found, form, edit, now)
    if request.POST.get("step") != "save":
        return _check_page(request, found, form, now)
    try:
        saved = _save(found, form, user, now)
    except ChangedMeanwhile:
        edit.moved_on()
        return _record_page(request, _visit(user, pk, "visits.record"), form, edit, now)
    left = saved.assessments.filter(state=VisitAssessment.State.PENDING).count()
    still = f"{left} part{'s' if left != 1 else ''} still due"
    messages.success(request, f"{saved.label} is saved: {still if left else 'done'}.")
    return redirect("schedule:visit", pk=saved.pk)


def _save(found: Visit, form: RecordVisitForm, user: User, now: datetime) -> Visit:
    entered = form.cleaned_data
    return actions.record_visit(
        visit=found,
        actual_date=entered["actual_date"],
        contact_mode=entered["contact_mode"],
        assessments=form.answers(),
        note=entered["note"],
        by=user,
        now=now,
        version=entered["version"],
        reason=entered.get("reason", ""),
        window_reason=entered["window_reason"],
    )


def _as_recorded(visit: Visit, was: Was) -> dict[str, Any]:
    stood = was(visit)
    values: dict[str, Any] = {name: getattr(stood, name) for name in ("actual_date", "contact_mode", "note")}
    for part in visit.assessments.order_by("pk"):
        if answer := was(part):
            values |= {
                f"state_{part.code}": answer.state, f"on_{part.code}": answer.on_date, f"why_{part.code}": answer.reason,
            }  # fmt: skip
    return values


def _record_page(
    request: HttpRequest, found: Visit, form: RecordVisitForm, edit: Edit, now: datetime
) -> HttpResponse:
    if request.POST.get("step") == "edit":
        form.errors.clear()
    context = pages.frame(found, now) | {
        "form": form,
        "sections": list(form.sections()),
        "conflicts": edit.conflicts,
    }
    return _page(request, "schedule/visit_record.html", found.site, context, edit.status)


def _check_page(request: HttpRequest, found: Visit, form: RecordVisitForm, now: datetime) -> HttpResponse:
    entered, answers = form.cleaned_data, form.answers()
    words = dict(VisitAssessment.State.choices)
    lines = [
        {
            "label": form.labels.get(code, code),
            "kind": pages.ANSWERS[answer.state],
            "word": words[VisitAssessment.State(answer.state)],
            "on_date": answer.on_date or (entered["actual_date"] if answer.state == "done" else None),
            "reason": answer.reason,
            "is_open": answer.state == VisitAssessment.State.PENDING,
        }
        for code, answer in answers.items()
    ]
    context = pages.frame(found, now) | {
        "form": form,
        "lines": lines,
        "left": [line for line in lines if line["is_open"]],
        "mode": ContactMode(entered["contact_mode"]).label,
        "is_outside": bool(verdict(found, entered["actual_date"])),
        "carried": [form[name].as_hidden() for name in form.fields if name != "window_reason"],
    }
    return _page(request, "schedule/visit_check.html", found.site, context)


# Arranging and deciding --------------------------------------------------------------------------------------


@needs("visits.record")
def visit_book(request: HttpRequest, pk: int) -> HttpResponse:
    user, now = signed_in(request), clock.now()
    found = _visit(user, pk, "visits.record")
    today = local_date(now, found.site.time_zone)
    suggested = suggested_day(found, on=today)
    initial = {"booked_for": found.booked_for or suggested, "version": found.version}
    form = BookingForm(request.POST or None, initial=initial, visit=found)

    def book() -> str:
        on, reason = form.cleaned_data["booked_for"], form.cleaned_data.get("reason", "")
        actions.book(
            visit=found, on=on, by=user, now=now, version=form.cleaned_data["version"], reason=reason
        )
        return (
            f"{found.label} is booked for {in_words(on)}." if on else f"{found.label} has no appointment now."
        )

    texts = {"title": f"Book {found.label}", "submit": "Save the booking", "suggested": suggested}
    return _small_form(request, found, form, book, texts, now)


@needs("visits.excuse")
def visit_missed(request: HttpRequest, pk: int) -> HttpResponse:
    texts = {
        "title": "Mark as missed",
        "submit": "Mark as missed",
        "lead": "Only a person decides this. The visit leaves the worklist; the next check shows when the patient was last "
        "examined.",
    }
    return _decide(request, pk, actions.mark_missed, texts)


@needs("visits.excuse")
def visit_not_required(request: HttpRequest, pk: int) -> HttpResponse:
    texts = {
        "title": "Not required",
        "submit": "Mark as not required",
        "lead": "The visit leaves the worklist and nobody is reminded of it. The reason stays on record.",
    }
    return _decide(request, pk, actions.mark_not_required, texts)


@needs("visits.excuse")
def visit_reopen(request: HttpRequest, pk: int) -> HttpResponse:
    texts = {
        "title": "Reopen",
        "submit": "Reopen the visit",
        "lead": "The visit is planned again, with its answers as they are.",
    }
    return _decide(request, pk, actions.reopen, texts)


def _decide(
    request: HttpRequest, pk: int, action: Callable[..., Visit], texts: dict[str, Any]
) -> HttpResponse:
    user, now = signed_in(request), clock.now()
    found = _visit(user, pk, "visits.excuse")
    form = ReasonForm(request.POST or None, initial={"version": found.version})

    def decide() -> str:
        entered = form.cleaned_data
        saved = action(visit=found, reason=entered["reason"], by=user, now=now, version=entered["version"])
        return f"{saved.label}: {saved.get_state_display().lower()}."

    return _small_form(request, found, form, decide, texts, now)


def _small_form(
    request: HttpRequest,
    found: Visit,
    form: BookingForm | ReasonForm,
    action: Callable[[], str],
    texts: dict[str, Any],
    now: datetime,
) -> HttpResponse:
    names = [name for name in ("booked_for",) if name in form.fields]
    edit = Edit(form, found, lambda was: {name: getattr(was(found), name) for name in names})
    if edit.ready():
        try:
            messages.success(request, action())
            return redirect("schedule:visit", pk=found.pk)
        except NotAccepted as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, refusal.message)
        except ChangedMeanwhile:
            edit.moved_on()
    shown = {"form": form, "conflicts": edit.conflicts, "lead": "", "suggested": None}
    context = pages.frame(found, now) | shown | texts
    return _page(request, "schedule/visit_decide.html", found.site, context, edit.status)


# Outside the plan --------------------------------------------------------------------------------------------


@needs("visits.record")
def unscheduled_add(request: HttpRequest, patient_id: str) -> HttpResponse:
    user, now = signed_in(request), clock.now()
    patient = patient_within(user, patient_id, "visits.record")
    today = local_date(now, patient.site.time_zone)
    form = UnscheduledVisitForm(request.POST or None, initial={"actual_date": today})
    if request.method == "POST" and form.is_valid():
        try:
            saved = actions.add_unscheduled(patient=patient, by=user, now=now, **form.cleaned_data)
            messages.success(request, f"The unscheduled visit on {in_words(saved.actual_date)} is saved.")
            return redirect("schedule:visit", pk=saved.pk)
        except NotAccepted as refusal:
            form.add_error(refusal.field or None, refusal.message)
    waiting = Visit.objects.not_finished().filter(patient=patient, window_opens__lte=today)
    context = {
        "patient": patient,
        "now": now,
        "form": form,
        "waiting": [pages.line_of(each, today) for each in waiting.select_related("timepoint")],
        "today": today,
        "breadcrumbs": [*pages.crumbs(patient_id), {"label": "Record a visit", "url": ""}],
    }
    return _page(request, "schedule/unscheduled_add.html", patient.site, context)


@needs("visits.record")
def contact_add(request: HttpRequest, patient_id: str) -> HttpResponse:
    user, now = signed_in(request), clock.now()
    patient = patient_within(user, patient_id, "visits.record")
    with timezone.override(ZoneInfo(patient.site.time_zone)):
        initial = {"at": timezone.localtime(now), "visit": request.GET.get("visit", "")}
        form = ContactAttemptForm(request.POST or None, patient=patient, initial=initial)
        if request.method == "POST" and form.is_valid():
            try:
                saved = actions.log_contact_attempt(patient=patient, by=user, now=now, **form.cleaned_data)
                messages.success(request, f"The attempt is on record: {saved.get_outcome_display().lower()}.")
                if saved.visit_id:
                    return redirect("schedule:visit", pk=saved.visit_id)
                return redirect("schedule:patient_schedule", patient_id=patient_id)
            except NotAccepted as refusal:
                form.add_error(refusal.field or None, refusal.message)
        context = {
            "patient": patient,
            "now": now,
            "form": form,
            "breadcrumbs": [*pages.crumbs(patient_id), {"label": "Log a call", "url": ""}],
        }
        return _page(request, "schedule/contact_add.html", patient.site, context)
