"""Looking at a plan: as a calendar, beside the version in force, by what it does to patients, and as a file."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from followup.plans import pages
from followup.plans.effects import WORDS, InAll, effects_on
from followup.plans.forms import ExampleForm
from followup.plans.models import PlanDraft
from followup.plans.rules.calendar import by_year, example
from followup.plans.rules.comparing import changes
from followup.schedule.actions.plans import plan_in_force, rules_of
from followup.schedule.models import FollowUpPlan
from followup.schedule.plan_file import Plan
from registry import clock
from registry.access.guards import needs, signed_in
from registry.access.models import User
from registry.patients.models import Patient

PATIENTS_ON_A_PAGE = 25
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
COUNTED_AT_ONCE = 2_000  # so many are laid against a plan in a few seconds, while somebody waits


@require_safe
@needs("plans.view")
def draft_calendar(request: HttpRequest, pk: int) -> HttpResponse:
    row, now = get_object_or_404(PlanDraft, pk=pk), clock.now()
    context = pages.draft_frame(request, row, "plans:draft_calendar", now)
    return render(
        request,
        "plans/calendar.html",
        context | _calendar(request, row.rules) | {"base": "plans/draft_base.html"},
    )


@require_safe
@needs("plans.view")
def version_calendar(request: HttpRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(FollowUpPlan, pk=pk)
    context = _version_frame(request, row, "plans:version_calendar")
    return render(
        request,
        "plans/calendar.html",
        context | _calendar(request, rules_of(row)) | {"base": "plans/version_base.html"},
    )


def _calendar(request: HttpRequest, plan: Plan) -> dict[str, Any]:
    start = pages.example_days(clock.now().date())
    form = ExampleForm(request.GET if "infusion_1" in request.GET else None, initial=start)
    days = form.cleaned_data if form.is_bound and form.is_valid() else start
    infusions = [day for name in ("infusion_1", "infusion_2", "infusion_3") if (day := days.get(name))]
    entries = [] if form.is_bound and form.errors else example(plan, days["enrolled_on"], infusions)
    presets = [
        {"label": "31 January", "query": "enrolled_on=2027-01-17&infusion_1=2027-01-31"},
        {"label": "29 February", "query": "enrolled_on=2028-02-15&infusion_1=2028-02-29"},
        {
            "label": "Three infusions", "query": "enrolled_on=2027-03-01&infusion_1=2027-03-15&infusion_2=2027-04-12"
            "&infusion_3=2027-05-10",
        },
    ]  # fmt: skip
    return {"form": form, "entries": entries, "years": by_year(entries), "presets": presets, "months": MONTHS}


@require_safe
@needs("plans.view")
def draft_changes(request: HttpRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(PlanDraft, pk=pk)
    context = pages.draft_frame(request, row, "plans:draft_changes", clock.now())
    standing = (
        plan_in_force() if row.state != PlanDraft.State.IN_FORCE else row.compared_with or plan_in_force()
    )
    found = changes(rules_of(standing), row.rules)
    kinds = (("added", "Added", "due"), ("changed", "Changed", "late"), ("removed", "Removed", "alarm"))
    groups = [
        {"word": word, "mark": mark, "rows": [one for one in found if one.kind == kind]} for kind, word, mark in kinds
    ]  # fmt: skip
    return render(
        request, "plans/changes.html", context | {"groups": groups, "found": found, "standing": standing}
    )


@require_safe
@needs("plans.edit")
def draft_effects(request: HttpRequest, pk: int) -> HttpResponse:
    """Counted for the first patients by number, listed for those on the page."""
    row, now, user = get_object_or_404(PlanDraft, pk=pk), clock.now(), signed_in(request)
    context = pages.draft_frame(request, row, "plans:draft_effects", now) | pages.deciding(row, user)
    people = _enrolled(user)
    counted = dict(people.values_list("pk", "patient_id")[:COUNTED_AT_ONCE])
    found, total = effects_on(row.rules, counted, now=now), InAll()
    for one in found:
        total.add(one)
    touched = [one for one in found if one.effects]
    start = _start(request, len(touched))
    shown = touched[start : start + PATIENTS_ON_A_PAGE]
    return render(
        request,
        "plans/effects.html",
        context
        | {
            "total": total,
            "counts": [(WORDS[kind], count) for kind, count in total.counts.items()],
            "rows": [{"id": counted[one.patient_id], "one": one} for one in shown],
            "left_out": max(people.count() - len(counted), 0),
            "first": start + 1,
            "last": start + len(shown),
            "before": start - PATIENTS_ON_A_PAGE if start else None,
            "after": start + PATIENTS_ON_A_PAGE if start + PATIENTS_ON_A_PAGE < len(touched) else None,
            "reached": pages.reach(row.plan, signed_in(request)) if row.plan else None,
        },
    )


def _enrolled(user: User) -> Any:
    visible = Patient.objects.visible_to(user, "visits.view")
    return visible.filter(enrolment__isnull=False).order_by("patient_id")


def _start(request: HttpRequest, rows: int) -> int:
    asked = request.GET.get("from", "0")
    start = int(asked) if asked.isdecimal() and len(asked) < 9 else 0
    return start - start % PATIENTS_ON_A_PAGE if start < rows else 0


# Versions and files ------------------------------------------------------------------------------------------


@require_safe
@needs("plans.view")
def version(request: HttpRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(
        FollowUpPlan.objects.select_related("draft__decided_by", "draft__asked_by"), pk=pk
    )
    plan = rules_of(row)
    shown = {
        "lines": list(pages.lines_of(plan)),
        "steps": pages.steps_of(plan),
        "made_of": getattr(row, "draft", None),
    }
    return render(request, "plans/version.html", _version_frame(request, row, "plans:version") | shown)


def _version_frame(request: HttpRequest, row: FollowUpPlan, tab: str) -> dict[str, Any]:
    names = [("Plan", "plans:version"), ("Calendar", "plans:version_calendar")]
    url = reverse("plans:version", args=[row.pk])
    return pages.page_frame(request, (str(row), url)) | {
        "row": row,
        "plan": rules_of(row),
        "is_in_force": row.pk == plan_in_force().pk,
        "parts": [{"label": label, "url": reverse(name, args=[row.pk]), "active": name == tab} for label, name in names],
        "export_url": reverse("plans:version_toml", args=[row.pk]),
    }  # fmt: skip


@require_safe
@needs("plans.view")
def draft_toml(request: HttpRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(PlanDraft, pk=pk)
    return _file(row.text, row.rules)


@require_safe
@needs("plans.view")
def version_toml(request: HttpRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(FollowUpPlan, pk=pk)
    return _file(row.source, rules_of(row))


def _file(text: str, plan: Plan) -> HttpResponse:
    """To the letter as it was brought in or written."""
    name = f"{plan.code}-{plan.version}.toml"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(text, content_type="application/toml; charset=utf-8", headers=headers)
