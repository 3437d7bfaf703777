"""Whether everybody was told: control totals, what is held, and messages a person must decide on."""

import json
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from followup.reminders import actions, queries
from followup.reminders.models import MailMessage, SweepRun
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
    return _decide(request, pk, actions.try_again, "The message goes out with the next sweep.")


@require_POST
@needs("reminders.control")
def message_settle(request: HttpRequest, pk: int) -> HttpResponse:
    return _decide(request, pk, actions.settle_as_sent, "The message counts as sent.")


def _decide(request: HttpRequest, pk: int, action: Callable[..., None], done: str) -> HttpResponse:
    message = get_object_or_404(MailMessage, pk=pk)
    try:
        action(message=message, by=signed_in(request), now=clock.now())
        messages.success(request, done)
    except actions.AlreadySettled as refusal:
        return decided_first(request, message, str(refusal), reverse("reminders:control"))
    return redirect("reminders:control")
