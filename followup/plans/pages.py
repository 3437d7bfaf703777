"""What the pages of plans show: a draft or a version with its lines, what stands against it, and what may be done."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse

from followup.plans.actions import checked, wrote_it
from followup.plans.models import PlanDraft
from followup.plans.rules.words import (
    MODE_WORDS,
    step_in_words,
    target_in_words,
    window_in_words,
    yearly_in_words,
)
from followup.schedule.actions.plans import plan_in_force
from followup.schedule.actions.repairing import not_following
from followup.schedule.models import FollowUpPlan
from followup.schedule.plan_file import Plan
from registry.access.models import Registry, User
from registry.access.views.settings import frame
from registry.patients.models import Enrolment, Patient

STATES = {
    PlanDraft.State.DRAFT: "quiet",
    PlanDraft.State.ASKED: "due",
    PlanDraft.State.APPROVED: "done",
    PlanDraft.State.IN_FORCE: "done",
    PlanDraft.State.DISCARDED: "quiet",
}


def page_frame(request: HttpRequest, *crumbs: tuple[str, str]) -> dict[str, Any]:
    trail = [{"label": "Follow-up plan", "url": reverse("plans:plan_list")}] if crumbs else []
    return frame(request, "plans:plan_list") | {
        "breadcrumbs": [*trail, *({"label": label, "url": url} for label, url in crumbs)]
    }


def overview(user: User, now: datetime) -> dict[str, Any]:
    in_force = plan_in_force()
    drafts = PlanDraft.objects.exclude(state=PlanDraft.State.IN_FORCE).select_related(
        "created_by", "asked_by"
    )
    versions = FollowUpPlan.objects.select_related("draft__decided_by", "draft__in_force_by").order_by("-pk")
    return {
        "in_force": in_force,
        "reach": reach(in_force, user),
        "versions": [
            {"row": row, "draft": getattr(row, "draft", None), "now": row.pk == in_force.pk}
            for row in versions
        ],
        "plan_drafts": [{"row": row, "kind": STATES[PlanDraft.State(row.state)]} for row in drafts],
        "may_edit": user.may("plans.edit"),
        "may_approve": user.may("plans.approve"),
        "delay": Registry.current().self_approval_hours,
    }


def reach(row: FollowUpPlan, user: User) -> dict[str, int]:
    """How many enrolled patients of the reader's sites the version has reached."""
    theirs = Q(patient__in=Patient.objects.visible_to(user, "plans.view"))
    patients, left = Enrolment.objects.filter(theirs).count(), not_following(row).filter(theirs).count()
    done = patients - left
    return {
        "patients": patients,
        "done": done,
        "left": left,
        "percent": 100 * done // patients if patients else 100,
    }


def draft_frame(request: HttpRequest, draft: PlanDraft, tab: str, now: datetime) -> dict[str, Any]:
    """What every page of one draft shares."""
    names = [
        ("Plan", "plans:draft"), ("Calendar", "plans:draft_calendar"), ("What it changes", "plans:draft_changes"),
        ("What it does to patients", "plans:draft_effects"),
    ]  # fmt: skip
    if not _may_see_effects(request):
        names.pop()
    return page_frame(request, (str(draft), reverse("plans:draft", args=[draft.pk]))) | {
        "draft": draft,
        "plan": draft.rules,
        "kind": STATES[PlanDraft.State(draft.state)],
        "parts": [
            {"label": label, "url": reverse(name, args=[draft.pk]), "active": name == tab}
            for label, name in names
        ],
        "waits": draft.waits_at(now),
        "export_url": reverse("plans:draft_toml", args=[draft.pk]),
    }


def _may_see_effects(request: HttpRequest) -> bool:
    return isinstance(request.user, User) and request.user.may("plans.edit")


def deciding(draft: PlanDraft, user: User) -> dict[str, Any]:
    """What this person may do with the draft as it stands."""
    state, found = PlanDraft.State(draft.state), checked(draft)
    may_edit, may_approve = user.may("plans.edit"), user.may("plans.approve")
    is_mine = may_approve and wrote_it(draft, user)
    return {
        "errors": [one for one in found if one.is_error],
        "warnings": [one for one in found if not one.is_error],
        "may_change": may_edit and state == PlanDraft.State.DRAFT,
        "may_ask": may_edit and state == PlanDraft.State.DRAFT and not any(one.is_error for one in found),
        "may_take_back": may_edit and state == PlanDraft.State.ASKED and draft.asked_by_id == user.pk,
        "may_approve": may_approve and state == PlanDraft.State.ASKED,
        "may_stop": may_approve and state in (PlanDraft.State.ASKED, PlanDraft.State.APPROVED),
        "may_put_in_force": may_approve and state == PlanDraft.State.APPROVED,
        "is_mine": is_mine,
        "delay": Registry.current().self_approval_hours,
    }


def lines_of(plan: Plan) -> Iterator[dict[str, Any]]:
    names = {each.code: each.label.partition(":")[0] for each in plan.assessments}
    for line in plan.lines:
        yield {
            "line": line,
            "target": target_in_words(line),
            "window": window_in_words(line),
            "often": yearly_in_words(line),
            "mode": MODE_WORDS[line.contact_mode],
            "assessments": "; ".join(names.get(code, code) for code in line.assessments),
            "own_steps": [step_in_words(step) for step in line.reminders]
            if line.reminders != plan.reminders
            else [],
        }


def steps_of(plan: Plan) -> list[str]:
    return [step_in_words(step) for step in plan.reminders]


def example_days(today: date) -> dict[str, Any]:
    """An example patient of the days to come: enrolled today, infused a fortnight later, twice more four weeks apart."""
    first = today + timedelta(days=14)
    return {
        "enrolled_on": today, "infusion_1": first, "infusion_2": first + timedelta(days=28),
        "infusion_3": first + timedelta(days=56),
    }  # fmt: skip
