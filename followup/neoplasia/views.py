"""The neoplasia check, the case from suspicion to outcome, and the list of cases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from followup.neoplasia import actions, pages
from followup.neoplasia.forms import (
    AssessmentForm,
    CaseFilter,
    CheckForm,
    CloseForm,
    NoteForm,
    ReasonForm,
    ReportForm,
    WorkUpForm,
)
from followup.neoplasia.models import NeoplasiaCheck, Neoplasm
from followup.schedule.models import Visit
from registry import clock
from registry.access.conflicts import Edit
from registry.access.guards import needs, signed_in
from registry.access.models import User
from registry.patients.models import Patient
from registry.patients.pages import patient_within
from registry.saving import ChangedMeanwhile, NotAccepted

ON_ONE_PAGE = 50


@needs("neoplasia.view")
def case_list(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    form = CaseFilter(request.GET, sites=user.sites("neoplasia.view"))
    form.is_valid()
    cases = pages.filtered(Neoplasm.objects.visible_to(user), form.cleaned_data)
    page = Paginator(cases, ON_ONE_PAGE).get_page(request.GET.get("page"))
    total = page.paginator.count
    context = {
        "form": form,
        "rows": [pages.row_of(case) for case in page.object_list],
        "is_filtered": any(form.cleaned_data.values()),
        "pager": {
            "text": f"{len(page.object_list)} of {total} case{'' if total == 1 else 's'}",
            "cut_off": clock.now(),
            "previous_url": f"?page={page.previous_page_number()}" if page.has_previous() else "",
            "next_url": f"?page={page.next_page_number()}" if page.has_next() else "",
        },
        "breadcrumbs": [
            {"label": "Safety", "url": reverse("safety:event_list")},
            {"label": "Neoplasms", "url": ""},
        ],
    }
    return render(request, "neoplasia/case_list.html", context)


# The check -----------------------------------------------------------------------------------------------------------


@needs("neoplasia.record")
def check_add(request: HttpRequest, pk: int) -> HttpResponse:
    visible = Visit.objects.visible_to(signed_in(request), "neoplasia.record")
    visit = get_object_or_404(visible.select_related("patient__site", "site", "timepoint"), pk=pk)
    return _check_form(request, visit.patient, visit)


@needs("neoplasia.record")
def check_add_any(request: HttpRequest, patient_id: str) -> HttpResponse:
    return _check_form(request, patient_within(signed_in(request), patient_id, "neoplasia.record"), None)


def _check_form(request: HttpRequest, patient: Patient, visit: Visit | None) -> HttpResponse:
    user, now = signed_in(request), clock.now()
    today = clock.local_date(now, patient.site.time_zone)
    initial = {
        "on_date": (visit.actual_date if visit else None) or today,
        "contact_mode": (visit.planned_mode if visit else "") or "on_site",
    }
    form = CheckForm(request.POST or None, initial=initial, patient=patient, today=today)
    if form.is_valid() and (done := _record(form, patient, visit, user)):
        messages.success(request, f"Neoplasia check of {patient.patient_id}: saved.")
        return redirect("neoplasia:check", pk=done.pk)
    context = {
        "form": form,
        "sections": list(form.sections()),
        "patient": patient,
        "visit": visit,
        "last_examined_on": actions.last_examined_on(patient),
        "breadcrumbs": pages.person_crumbs(patient, "Neoplasia check"),
        "today": today,
        "now": now,
    }
    return render(request, "neoplasia/check_form.html", context)


def _record(form: CheckForm, patient: Patient, visit: Visit | None, user: User) -> NeoplasiaCheck | None:
    entered = form.cleaned_data
    names = ("on_date", "contact_mode", "outcome", "finding", "diagnosed_on", "note", "form_token")
    try:
        return actions.record_check(
            patient=patient, visit=visit, answers=form.answers(), details=form.details(),
            by=user, now=clock.now(), **{name: entered[name] for name in names},
        )  # fmt: skip
    except NotAccepted as refusal:
        form.add_error(refusal.field if refusal.field in form.fields else None, refusal.message)
    except ChangedMeanwhile:
        form.add_error(None, "Somebody else saved the visit at this moment. Save the check again.")
    return None


@needs("neoplasia.view")
def check(request: HttpRequest, pk: int) -> HttpResponse:
    visible = NeoplasiaCheck.objects.visible_to(signed_in(request))
    shown = get_object_or_404(
        visible.select_related("patient__site", "visit__timepoint", "recorded_by"), pk=pk
    )
    context = {
        "check": shown,
        "kind": pages.OUTCOME_KINDS[NeoplasiaCheck.Outcome(shown.outcome)],
        "sections": pages.sections_of(shown),
        "cases": Neoplasm.objects.filter(found_at_check=shown),
        "last_examined_on": actions.last_examined_on(shown.patient),
        "breadcrumbs": pages.person_crumbs(shown.patient, "Neoplasia check"),
        "now": clock.now(),
    }
    return render(request, "neoplasia/check.html", context)


# The case ------------------------------------------------------------------------------------------------------------


@needs("neoplasia.record")
def case_report(request: HttpRequest, patient_id: str) -> HttpResponse:
    user, now = signed_in(request), clock.now()
    patient = patient_within(user, patient_id, "neoplasia.record")
    form = ReportForm(request.POST or None)
    if form.is_valid():
        try:
            stored = actions.report_neoplasm(patient=patient, by=user, now=now, **form.cleaned_data)
            messages.success(request, f"{stored.case_ref}: accepted as reported.")
            return redirect("neoplasia:case", pk=stored.pk)
        except NotAccepted as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, refusal.message)
    context = {
        "form": form, "patient": patient, "title": "Report a neoplasm",
        "breadcrumbs": pages.person_crumbs(patient, "Report a neoplasm"), "submit_label": "Save as reported", "now": now,
        "lead": "It is accepted as reported and counts from its date. What is missing becomes a query.",
        "cancel_url": reverse("desk:patient_record", args=[patient_id]), "danger": False,
    }  # fmt: skip
    return render(request, "neoplasia/case_form.html", context)


@needs("neoplasia.view")
def case(request: HttpRequest, pk: int) -> HttpResponse:
    user, now = signed_in(request), clock.now()
    shown = _case(user, pk, "neoplasia.view")
    return _case_page(request, shown, NoteForm(initial=_new_note(shown, now)))


def _new_note(case: Neoplasm, now: Any) -> dict[str, Any]:
    return {"on_date": clock.local_date(now, case.site.time_zone)}


def _case_page(request: HttpRequest, shown: Neoplasm, note_form: NoteForm) -> HttpResponse:
    user, now = signed_in(request), clock.now()
    context = {
        "case": shown,
        "kind": pages.STATUS_KINDS[Neoplasm.Status(shown.status)],
        "facts": pages.facts_of(shown),
        "close_by": pages.close_by(shown),
        "today": clock.local_date(now, shown.site.time_zone),
        "queries": pages.open_queries_about(shown, user),
        "assessments": shown.assessments.select_related("assessed_by").order_by("-assessed_at", "-pk"),
        "notes": shown.notes.select_related("recorded_by").order_by("on_date", "pk"),
        "note_form": note_form,
        "needs_event": actions.needs_event(shown),
        "ask": pages.ASK_AT_SUSPICION,
        "may_record": user.may("neoplasia.record", shown.site_id),
        "may_report_event": user.may("events.record", shown.site_id),
        "may_see_history": user.may("audit.view", shown.site_id),
        "may_assess": user.may("neoplasia.assess", shown.site_id),
        "may_close": user.may("neoplasia.close", shown.site_id),
        "breadcrumbs": pages.crumbs(shown),
        "now": now,
    }
    return render(request, "neoplasia/case.html", context)


@needs("neoplasia.record")
@require_POST
def case_note(request: HttpRequest, pk: int) -> HttpResponse:
    user, now = signed_in(request), clock.now()
    stored = _case(user, pk, "neoplasia.record")
    form = NoteForm(request.POST)
    if form.is_valid():
        try:
            actions.add_work_up_note(case=stored, by=user, now=now, **form.cleaned_data)
            return redirect("neoplasia:case", pk=pk)
        except NotAccepted as refusal:
            form.add_error(refusal.field or None, refusal.message)
    return _case_page(request, stored, form)


@needs("neoplasia.record")
def case_update(request: HttpRequest, pk: int) -> HttpResponse:
    user, now = signed_in(request), clock.now()
    stored = _case(user, pk, "neoplasia.record")
    form = WorkUpForm(request.POST or None, initial=_standing(stored, WorkUpForm))

    def save(entered: dict[str, Any]) -> None:
        reason, version = entered.pop("reason"), entered.pop("version")
        actions.update_workup(case=stored, details=entered, version=version, reason=reason, by=user, now=now)

    return _case_form(request, stored, form, save, title="Correct the work-up", submit_label="Save")


@needs("neoplasia.close")
def case_close(request: HttpRequest, pk: int) -> HttpResponse:
    user, now = signed_in(request), clock.now()
    stored = _case(user, pk, "neoplasia.close")
    form = CloseForm(request.POST or None, initial=_standing(stored, CloseForm))

    def save(entered: dict[str, Any]) -> None:
        version = entered.pop("version")
        actions.close_neoplasm(case=stored, conclusion=entered, version=version, by=user, now=now)

    lead = "Excluded and benign end the hold on infusions. Malignant and undetermined keep it."
    return _case_form(request, stored, form, save, title="Close", submit_label="Close the case", lead=lead)


@needs("neoplasia.close")
def case_reopen(request: HttpRequest, pk: int) -> HttpResponse:
    user, now = signed_in(request), clock.now()
    stored = _case(user, pk, "neoplasia.close")

    def save(entered: dict[str, Any]) -> None:
        actions.reopen(case=stored, version=entered["version"], reason=entered["reason"], by=user, now=now)

    lead = "The task returns to Today, and further infusions are held again."
    form = ReasonForm(request.POST or None, initial=_standing(stored, ReasonForm))
    return _case_form(request, stored, form, save, title="Reopen", submit_label="Reopen the case", lead=lead)


@needs("neoplasia.assess")
def case_assess(request: HttpRequest, pk: int) -> HttpResponse:
    user, now = signed_in(request), clock.now()
    stored = _case(user, pk, "neoplasia.assess")

    def save(entered: dict[str, Any]) -> None:
        reason, version = entered.pop("reason"), entered.pop("version")
        actions.assess_neoplasm(
            case=stored, verdict=entered, version=version, reason=reason, by=user, now=now
        )

    lead = "Judged as the case stands now. It is also your assessment of its adverse event, where one is recorded."
    form = AssessmentForm(request.POST or None, initial=_standing(stored, AssessmentForm))
    return _case_form(
        request, stored, form, save, title="Assess", submit_label="Save the assessment", lead=lead
    )


@needs("events.record")
@require_POST
def case_event(request: HttpRequest, pk: int) -> HttpResponse:
    user = signed_in(request)
    visible = Neoplasm.objects.visible_to(user, "neoplasia.view").visible_to(user, "events.record")
    stored = get_object_or_404(visible.select_related("patient__site", "site", "adverse_event"), pk=pk)
    event = actions.record_case_event(case=stored, by=user, now=clock.now())
    messages.success(request, f"{stored.case_ref} is reported as a serious event. Complete it here.")
    return redirect("safety:event", pk=event.pk)


# Parts ---------------------------------------------------------------------------------------------------------------


def _case(user: User, pk: int, act: str) -> Neoplasm:
    visible = Neoplasm.objects.visible_to(user, act)
    return get_object_or_404(
        visible.select_related("patient__site", "site", "adverse_event", "closed_by"), pk=pk
    )


def _standing(stored: Neoplasm, form: type[Form]) -> dict[str, Any]:
    return {name: getattr(stored, name) for name in form.base_fields if hasattr(stored, name)}


def _case_form(
    request: HttpRequest,
    stored: Neoplasm,
    form: Form,
    save: Callable[[dict[str, Any]], None],
    *,
    title: str,
    submit_label: str,
    lead: str = "",
) -> HttpResponse:
    names = [name for name in _standing(stored, type(form)) if name != "version"]
    edit = Edit(form, stored, lambda was: {name: getattr(was(stored), name) for name in names})
    if edit.ready():
        try:
            save(dict(form.cleaned_data))
            messages.success(request, f"{stored.case_ref}: saved.")
            return redirect("neoplasia:case", pk=stored.pk)
        except NotAccepted as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, refusal.message)
        except ChangedMeanwhile:
            edit.moved_on()
    context = {
        "form": form, "case": stored, "patient": stored.patient, "title": f"{title}: {stored.case_ref}",
        "submit_label": submit_label, "lead": lead, "conflicts": edit.conflicts, "danger": False,
        "cancel_url": reverse("neoplasia:case", args=[stored.pk]),
        "breadcrumbs": pages.crumbs(stored, title), "now": clock.now(),
    }  # fmt: skip
    return render(request, "neoplasia/case_form.html", context, status=edit.status)
