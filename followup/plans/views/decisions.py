"""Deciding on a plan: ask, take back, approve, refuse, put in force, discard. Each is one button with a reason."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from followup.plans import actions, tasks
from followup.plans.actions import Refused
from followup.plans.forms import ReasonForm
from followup.plans.models import PlanDraft
from registry import clock
from registry.access.conflicts import decided_first
from registry.access.guards import needs, signed_in
from registry.exchange import nudge
from registry.saving import ChangedMeanwhile, NotAccepted


def _decide(
    request: HttpRequest,
    pk: int,
    act: Callable[[PlanDraft, str, int], object],
    done: str,
    *,
    to_list: bool = False,
) -> HttpResponse:
    row = get_object_or_404(PlanDraft, pk=pk)
    form = ReasonForm(request.POST)
    url = reverse("plans:draft", args=[pk])
    if not form.is_valid():
        messages.error(
            request, "The form was incomplete or the reason longer than 300 characters. Try again."
        )
        return redirect(url)
    try:
        act(row, form.cleaned_data["reason"], form.cleaned_data["version"])
    except (Refused, NotAccepted) as refusal:
        messages.error(request, str(refusal))
        return redirect(url)
    except ChangedMeanwhile as refusal:
        return decided_first(request, row, str(refusal), url)
    messages.success(request, done)
    return redirect("plans:plan_list" if to_list else url)


@require_POST
@needs("plans.edit")
def draft_ask(request: HttpRequest, pk: int) -> HttpResponse:
    def act(row: PlanDraft, reason: str, version: int) -> None:
        actions.ask(draft=row, reason=reason, version=version, by=signed_in(request), now=clock.now())

    return _decide(request, pk, act, "The plan is fixed and waits for a second person to approve it.")


@require_POST
@needs("plans.edit")
def draft_take_back(request: HttpRequest, pk: int) -> HttpResponse:
    def act(row: PlanDraft, reason: str, version: int) -> None:
        actions.take_back(draft=row, version=version, by=signed_in(request))

    return _decide(request, pk, act, "It is a draft again and may be changed.")


@require_POST
@needs("plans.edit")
def draft_discard(request: HttpRequest, pk: int) -> HttpResponse:
    def act(row: PlanDraft, reason: str, version: int) -> None:
        actions.discard(draft=row, reason=reason, version=version, by=signed_in(request))

    return _decide(request, pk, act, "The draft is discarded. It stays on record.", to_list=True)


@require_POST
@needs("plans.approve")
def draft_approve(request: HttpRequest, pk: int) -> HttpResponse:
    def act(row: PlanDraft, reason: str, version: int) -> None:
        actions.approve(draft=row, reason=reason, version=version, by=signed_in(request), now=clock.now())

    done = "The plan is approved. Look at what it does to patients, then put it in force."
    return _decide(request, pk, act, done)


@require_POST
@needs("plans.approve")
def draft_refuse(request: HttpRequest, pk: int) -> HttpResponse:
    def act(row: PlanDraft, reason: str, version: int) -> None:
        actions.refuse(draft=row, reason=reason, version=version, by=signed_in(request), now=clock.now())

    return _decide(request, pk, act, "It is a draft again, with your reason on it.")


@require_POST
@needs("plans.approve")
def draft_put_in_force(request: HttpRequest, pk: int) -> HttpResponse:
    def act(row: PlanDraft, reason: str, version: int) -> None:
        actions.put_in_force(draft=row, version=version, by=signed_in(request), now=clock.now())
        nudge.after_commit(tasks.reach_everybody)

    done = "The plan is in force. The worker lays everybody's visits against it now."
    return _decide(request, pk, act, done, to_list=True)
