"""Whether everybody was told: control totals, what is held, and messages a person must decide on."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from followup.reminders import actions, queries
from followup.reminders.forms import DecisionForm
from followup.reminders.models import MailMessage, Notice, SweepRun
from followup.reminders.staff import KIND_WORDS
from registry import clock
from registry.access.conflicts import decided_first
from registry.access.guards import needs, signed_in

COLUMNS = ("due", "sent", "held", "excused", "failed", "uncertain", "waiting")


@require_safe
@needs("reminders.control")
def control(request: HttpRequest) -> HttpResponse:
    held = queries.held_by_site()
    context = {
        "sweeps": [_sweep(run) for run in queries.last_sweeps()],
        "columns": COLUMNS,
        "stuck": queries.stuck_messages(),
        "notices": [{"notice": one, "what": one.get_kind_display()} for one in queries.stuck_notices()],
        "held": [row | {"lacks": KIND_WORDS[row["recipient_kind"]]} for row in held],
    }
    return render(request, "reminders/control.html", context)


def _sweep(run: SweepRun) -> dict[str, Any]:
    totals = json.loads(run.totals) if run.totals else {}
    if run.finished_at is None:
        kind, word = "quiet", "Running or ended early"
    elif run.error or not totals.get("add_up"):
        kind, word = "alarm", run.error or "Does not add up"
    else:
        kind, word = "done", "Adds up"
    figures = [totals.get(name) for name in COLUMNS]
    return {"started_at": run.started_at, "kind": kind, "word": word, "figures": figures}


@require_POST
@needs("reminders.control")
def message_again(request: HttpRequest, pk: int) -> HttpResponse:
    message = get_object_or_404(MailMessage, pk=pk)
    return _decide(
        request,
        message,
        partial(actions.try_again, message=message),
        "The message goes out with the next sweep.",
    )


@require_POST
@needs("reminders.control")
def message_settle(request: HttpRequest, pk: int) -> HttpResponse:
    message = get_object_or_404(MailMessage, pk=pk)
    return _decide(
        request, message, partial(actions.settle_as_sent, message=message), "The message counts as sent."
    )


@require_POST
@needs("reminders.control")
def notice_again(request: HttpRequest, pk: int) -> HttpResponse:
    notice = get_object_or_404(Notice, pk=pk)
    return _decide(
        request,
        notice,
        partial(actions.notice_again, notice=notice),
        "The notice goes out with the next sweep.",
    )


@require_POST
@needs("reminders.control")
def notice_settle(request: HttpRequest, pk: int) -> HttpResponse:
    notice = get_object_or_404(Notice, pk=pk)
    return _decide(
        request, notice, partial(actions.notice_arrived, notice=notice), "The notice counts as sent."
    )


def _decide(
    request: HttpRequest, row: MailMessage | Notice, action: Callable[..., None], done: str
) -> HttpResponse:
    form = DecisionForm(request.POST)
    if not form.is_valid():
        messages.error(
            request, "Say how you know that it arrived, or why it is sent again: it stays in the trail."
        )
        return redirect("reminders:control")
    try:
        action(reason=form.cleaned_data["reason"], by=signed_in(request), now=clock.now())
        messages.success(request, done)
    except actions.AlreadySettled as refusal:
        return decided_first(request, row, str(refusal), reverse("reminders:control"))
    return redirect("reminders:control")
