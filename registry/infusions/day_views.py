"""Other days of infusions that wait for a coordinator: the list, one of them with its consequences, and the decision."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from registry import clock
from registry.access.conflicts import decided_first
from registry.access.guards import needs, signed_in
from registry.access.models import User
from registry.access.views.settings import frame
from registry.infusions import day_corrections
from registry.infusions.actions import AlreadyRecorded, NotPlausible
from registry.infusions.forms import DecideDayForm
from registry.infusions.models import DayCorrection
from registry.infusions.pages import page
from registry.saving import ChangedMeanwhile, NotAccepted

SHOWN = 200
KINDS = {"asked": "due", "approved": "done", "refused": "quiet", "taken_back": "quiet"}


@needs("infusions.approve_date")
@require_GET
def day_correction_list(request: HttpRequest) -> HttpResponse:
    rows = DayCorrection.objects.visible_to(signed_in(request)).select_related(
        "patient", "site", "asked_by", "decided_by"
    )
    asked = DayCorrection.State.ASKED
    context = frame(request, "infusions:day_correction_list") | {
        "waiting_lines": [_line(one) for one in rows.filter(state=asked).order_by("-pk")],
        "decided_lines": [_line(one) for one in rows.exclude(state=asked).order_by("-pk")[:SHOWN]],
    }
    return render(request, "infusions/day_correction_list.html", context)


def _line(one: DayCorrection) -> dict[str, Any]:
    return {"one": one, "kind": KINDS[one.state], "touched": len(one.touched.splitlines())}


@needs("infusions.approve_date")
def day_correction(request: HttpRequest, pk: int) -> HttpResponse:
    """All a coordinator needs to decide, without a name: what stands, what is asked, and what it leads to."""
    user = signed_in(request)
    one = _within(user, pk, day_corrections.APPROVE)
    form = DecideDayForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            _decide(one, form.cleaned_data, user)
            messages.success(request, f"{one.get_state_display()}: {one}.")
            return redirect("infusions:day_correction_list")
        except NotAccepted as refusal:
            form.add_error(refusal.field or None, refusal.message)
        except (AlreadyRecorded, NotPlausible) as refusal:
            form.add_error(None, f"{refusal} Refuse it, so that it is looked at again.")
        except ChangedMeanwhile as news:
            return decided_first(request, one, str(news), reverse("infusions:day_correction", args=[pk]))
    waits = one.state == DayCorrection.State.ASKED
    return page(
        request, "infusions/day_correction.html", one.patient, now=clock.now(), one=one, form=form, kind=KINDS[one.state],
        may_decide=waits and one.asked_by_id != user.pk, touched=one.touched.splitlines(),
        follows=one.follows.splitlines(),
    )  # fmt: skip


def _decide(one: DayCorrection, answers: dict[str, str], by: User) -> None:
    decide = day_corrections.approve if answers["decision"] == "approve" else day_corrections.refuse
    decide(correction=one, reason=answers["reason"], by=by, now=clock.now())


@needs("infusions.correct_date")
@require_POST
def day_correction_take_back(request: HttpRequest, pk: int) -> HttpResponse:
    user = signed_in(request)
    one = _within(user, pk, "infusions.correct_date")
    back_url = reverse("infusions:infusion", args=[one.infusion_id])
    try:
        day_corrections.take_back(correction=one, by=user, now=clock.now())
        messages.success(request, "Taken back. The day stays as it is.")
    except ChangedMeanwhile as news:
        return decided_first(request, one, str(news), back_url)
    return redirect(back_url)


def _within(user: User, pk: int, act: str) -> DayCorrection:
    rows = DayCorrection.objects.visible_to(user, act)
    return get_object_or_404(rows.select_related("patient__site", "site", "asked_by", "decided_by"), pk=pk)
