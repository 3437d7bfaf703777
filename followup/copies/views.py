"""Copies about one person, as staff see them: ask with a reason, watch, download."""

from __future__ import annotations

from typing import Any

from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from followup.copies import actions, tasks
from followup.copies.forms import CopyForm
from followup.copies.models import PersonCopy
from followup.reports.render import weasyprint_problem
from registry import clock
from registry.access.guards import needs, signed_in
from registry.access.models import User
from registry.exchange import nudge
from registry.patients.models import Patient
from registry.patients.pages import crumbs, patient_within
from registry.saving import NotAccepted

SHOWN = 50
State = PersonCopy.State
RUNNING = (State.WAITING, State.RUNNING)
MARK: dict[str, str] = {
    State.WAITING: "due",
    State.RUNNING: "due",
    State.DONE: "done",
    State.REMOVED: "quiet",
    State.FAILED: "alarm",
}


@needs(actions.ACT)
def copy_make(request: HttpRequest, patient_id: str) -> HttpResponse:
    user = signed_in(request)
    patient = patient_within(user, patient_id, actions.ACT)
    form = CopyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        answers = form.cleaned_data
        try:
            run = actions.request_copy(
                patient=patient,
                reason=answers["reason"],
                form_token=answers["form_token"],
                by=user,
                now=clock.now(),
            )
            nudge.after_commit(tasks.make_waiting)
            return redirect("copies:copy_run", pk=run.pk)
        except NotAccepted as refusal:
            form.add_error(refusal.field or None, refusal.message)
    runs = PersonCopy.objects.filter(patient=patient).select_related("requested_by")[:SHOWN]
    return render(request, "copies/copy_make.html", _context(patient, form, list(runs)))


def _context(patient: Patient, form: CopyForm, runs: list[PersonCopy]) -> dict[str, Any]:
    title = "Copy of everything about a person"
    return {
        "patient": patient,
        "title": title,
        "form": form,
        "lines": [{"run": run, "mark": MARK[run.state]} for run in runs],
        "problem": weasyprint_problem(),
        "breadcrumbs": crumbs(patient, title),
    }


@needs(actions.ACT)
@require_GET
def copy_run(request: HttpRequest, pk: int) -> HttpResponse:
    run = _run(signed_in(request), pk)
    if getattr(request, "htmx", False):
        if run.state in RUNNING:
            return render(request, "components/progress.html", {"job": _job(run)})
        answer = HttpResponse()
        answer["HX-Refresh"] = "true"
        return answer
    context = {"run": run, "job": _job(run), "facts": _facts(run), "breadcrumbs": crumbs(run.patient, "Copy")}
    return render(request, "copies/copy_run.html", context)


@needs(actions.ACT)
@require_GET
def copy_download(request: HttpRequest, pk: int) -> FileResponse:
    user = signed_in(request)
    run = _run(user, pk)
    try:
        path = actions.note_download(copy=run, by=user, now=clock.now())
    except actions.CannotContinue as refusal:
        raise Http404(str(refusal)) from refusal
    name = f"person-copy-{run.pk}-{run.requested_at:%Y-%m-%d}.zip"
    return FileResponse(path.open("rb"), as_attachment=True, filename=name)


def _run(user: User, pk: int) -> PersonCopy:
    runs = PersonCopy.objects.visible_to(user).select_related("patient__site", "requested_by")
    return get_object_or_404(runs, pk=pk)


def _job(run: PersonCopy) -> dict[str, Any]:
    done = run.state == State.DONE
    words = {
        State.WAITING: "Waiting for the worker.",
        State.RUNNING: "Rows, trail and report are put together.",
    }
    return {
        "running": run.state in RUNNING, "kind": MARK[run.state], "word": run.get_state_display(),
        "text": run.message or words.get(State(run.state), f"{run.rows:,} rows, {run.entries:,} entries of the trail."),
        "percent": 10 if run.state == State.WAITING else 50,
        "url": reverse("copies:copy_run", args=[run.pk]), "cancel_url": "",
        "result_url": reverse("copies:copy_download", args=[run.pk]) if done else "",
        "result_label": "Download the ZIP",
    }  # fmt: skip


def _facts(run: PersonCopy) -> list[dict[str, Any]]:
    facts: list[tuple[str, Any]] = [("Asked for by", run.requested_by), ("Reason", run.reason)]
    if run.state == State.DONE:
        facts += [("Made in", f"{run.seconds} s"), ("SHA-256", run.sha256)]
    return [{"label": label, "value": value} for label, value in facts]
