"""Adverse events: the overview, one event, and the forms that record, correct, judge and withdraw it."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.core.paginator import Paginator
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone

from followup.safety import pages
from followup.safety.actions import assess_event, correct_event, record_event, withdraw_event
from followup.safety.ctcae import TERMS
from followup.safety.forms import (
    AssessmentForm,
    CorrectEventForm,
    EventFilter,
    EventForm,
    NewEventForm,
    WithdrawForm,
    seriousness_of,
)
from followup.safety.models import AdverseEvent
from registry import clock
from registry.access.conflicts import Edit, decided_first
from registry.access.guards import needs, signed_in
from registry.access.models import User
from registry.patients.models import Patient
from registry.saving import ChangedMeanwhile, NotAccepted

ON_ONE_PAGE = 50
WITHDRAWN = "This event was withdrawn as entered by mistake, so it can no longer be changed."


@needs("events.view")
def event_list(request: HttpRequest) -> HttpResponse:
    user, now = signed_in(request), clock.now()
    form = EventFilter(request.GET, sites=user.sites("events.view"))
    form.is_valid()
    visible = AdverseEvent.objects.visible_to(user)
    page = Paginator(pages.serious_first(pages.filtered(visible, form.cleaned_data)), ON_ONE_PAGE).get_page(
        request.GET.get("page")
    )
    suspicions = pages.open_suspicions(user, now) if user.may("neoplasia.view") else None
    context = {
        "form": form,
        "rows": [pages.row_of(event) for event in page.object_list],
        "counts": pages.counts(visible.standing(), None if suspicions is None else len(suspicions)),
        "suspicions": suspicions,
        "pager": pages.pager(request, page, now),
        "is_filtered": any(form.cleaned_data.values()),
    }
    return render(request, "safety/event_list.html", context)


@needs("events.record")
def grades(request: HttpRequest) -> HttpResponse:
    """The part of the form that changes with the term."""
    words = {name: request.GET.get(name, "") for name in ("term", "severity_grade")}
    form = NewEventForm(initial=words, patient=None, today=clock.now().date(), now=clock.now())
    return render(request, "safety/grades.html", {"form": form})


@needs("events.record")
def event_add(request: HttpRequest, patient_id: str) -> HttpResponse:
    user, now = signed_in(request), clock.now()
    visible = Patient.objects.visible_to(user, "events.record").select_related("site")
    patient = get_object_or_404(visible, patient_id=patient_id)
    with timezone.override(ZoneInfo(patient.site.time_zone)):
        initial = {"term": request.GET.get("term", ""), "onset_date": ""}
        today = clock.local_date(now, patient.site.time_zone)
        form = NewEventForm(request.POST or None, initial=initial, patient=patient, today=today, now=now)
        if form.is_valid():
            token = form.cleaned_data["form_token"]
            try:
                stored = record_event(patient=patient, facts=form.facts(), by=user, now=now, form_token=token)
                return _saved(request, stored)
            except NotAccepted as refusal:
                form.add_error(None, refusal.message)
        crumbs = [
            {"label": "Safety", "url": reverse("safety:event_list")},
            {"label": patient_id, "url": reverse("desk:patient_record", args=[patient_id])},
            {"label": "New event", "url": ""},
        ]
        context = {"form": form, "patient": patient, "terms": TERMS, "breadcrumbs": crumbs, "now": now}
        return render(request, "safety/event_form.html", context)


@needs("events.view")
def event(request: HttpRequest, pk: int) -> HttpResponse:
    user, now = signed_in(request), clock.now()
    shown = _event(user, pk, "events.view")
    standing = shown.withdrawn_at is None
    with timezone.override(ZoneInfo(shown.site.time_zone)):
        context = {
            "event": shown,
            "seriousness": pages.seriousness(shown),
            "facts": pages.what_happened(shown),
            "judgement": pages.judgement(shown),
            "moments": pages.moments(shown),
            "queries": pages.open_queries_about(shown, user),
            "assessments": shown.assessments.select_related("assessed_by").order_by("-assessed_at", "-pk"),
            "may_record": standing and user.may("events.record", shown.site_id),
            "may_assess": standing and user.may("events.assess", shown.site_id),
            "may_see_history": user.may("audit.view", shown.site_id),
            "breadcrumbs": pages.event_crumbs(shown),
            "now": now,
        }
        return render(request, "safety/event.html", context)


@needs("events.record")
def event_edit(request: HttpRequest, pk: int) -> HttpResponse:
    user, now = signed_in(request), clock.now()
    stored = _event(user, pk, "events.record")
    zone = stored.site.time_zone
    with timezone.override(ZoneInfo(zone)):
        form = CorrectEventForm(
            request.POST or None, instance=copy(stored), initial={"version": stored.version},
            patient=stored.patient, today=clock.local_date(now, zone), now=now,
        )  # fmt: skip

        def correct(entered: dict[str, Any]) -> None:
            reason, version = entered["reason"], entered["version"]
            correct_event(
                event=copy(stored), facts=form.facts(), version=version, reason=reason, by=user, now=now
            )

        return _change(request, stored, form, _facts, correct, "Correct")


@needs("events.assess")
def event_assess(request: HttpRequest, pk: int) -> HttpResponse:
    user, now = signed_in(request), clock.now()
    stored = _event(user, pk, "events.assess")
    initial = _standing_verdict(stored) | {"version": stored.version}
    form = AssessmentForm(request.POST or None, initial=initial)

    def assess(entered: dict[str, Any]) -> None:
        reason, version = entered["reason"], entered["version"]
        assess_event(
            event=copy(stored), verdict=form.verdict(), version=version, reason=reason, by=user, now=now
        )

    return _change(request, stored, form, _standing_verdict, assess, "Assess")


@needs("events.record")
def event_withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    user, now = signed_in(request), clock.now()
    stored = _event(user, pk, "events.record")
    form = WithdrawForm(request.POST or None, initial={"version": stored.version})

    def withdraw(entered: dict[str, Any]) -> None:
        reason, version = entered["reason"], entered["version"]
        withdraw_event(event=copy(stored), version=version, reason=reason, by=user, now=now)

    return _change(request, stored, form, lambda event: {}, withdraw, "Withdraw")


# Parts -----------------------------------------------------------------------------------------------------------


def _event(user: User, pk: int, act: str) -> AdverseEvent:
    visible = AdverseEvent.objects.visible_to(user, act).select_related("patient__site", "site", "infusion")
    return get_object_or_404(visible, pk=pk)


def _facts(event: AdverseEvent) -> dict[str, Any]:
    names = (*EventForm.Meta.fields, "severity_grade")
    columns = {column.name: column.attname for column in AdverseEvent._meta.concrete_fields}
    values = {name: getattr(event, columns[name]) for name in names}
    return values | seriousness_of(event)


def _standing_verdict(event: AdverseEvent) -> dict[str, Any]:
    return seriousness_of(event) | {
        "relatedness_cells": event.relatedness_cells,
        "relatedness_procedure": event.relatedness_procedure,
        "expectedness": event.expectedness,
    }


def _change(
    request: HttpRequest, stored: AdverseEvent, form: BaseForm, values: Callable[[AdverseEvent], dict[str, Any]],
    save: Callable[[dict[str, Any]], None], act: str,
) -> HttpResponse:  # fmt: skip
    """A save that came too late shows both people's values; saving again is then a decision."""
    if stored.withdrawn_at is not None:
        return _refused(request, stored)
    edit = Edit(form, stored, lambda was: values(was(stored)))
    if edit.ready():
        try:
            save(form.cleaned_data)
            return _saved(request, stored)
        except ChangedMeanwhile:
            edit.moved_on()
    context = {
        "form": form,
        "event": stored,
        "patient": stored.patient,
        "terms": TERMS,
        "act": act,
        "conflicts": edit.conflicts,
        "breadcrumbs": pages.event_crumbs(stored, act),
        "now": clock.now(),
    }
    template = "safety/event_form.html" if act == "Correct" else "safety/event_act.html"
    return render(request, template, context, status=edit.status)


def _saved(request: HttpRequest, stored: AdverseEvent) -> HttpResponse:
    messages.success(request, f"{stored.term}: saved.")
    return redirect("safety:event", pk=stored.pk)


def _refused(request: HttpRequest, stored: AdverseEvent) -> HttpResponse:
    if request.method == "POST":
        return decided_first(request, stored, WITHDRAWN, reverse("safety:event", args=[stored.pk]))
    messages.error(request, WITHDRAWN)
    return redirect("safety:event", pk=stored.pk)
