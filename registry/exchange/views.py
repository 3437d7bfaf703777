"""Bringing files in and taking data out, as staff see it."""

import csv
import json
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from registry import clock
from registry.access.conflicts import decided_first
from registry.access.guards import needs, signed_in
from registry.access.masking import masked_analytes
from registry.access.models import User
from registry.access.policy import ACTS
from registry.audit.acting import acting_as
from registry.audit.actions import record_event
from registry.exchange import exports, identified, nudge, runs, tasks
from registry.exchange.forms import ExportForm, IdentifiedExportForm, UploadForm
from registry.exchange.models import ExportRun, ImportRun
from registry.exchange.resources import kinds, resource_for
from registry.saving import NotAccepted

EXPORT_ACTS = (exports.ACT, exports.OWN_ACT)
IMPORT_ACTS = tuple(act for act in ACTS if act.startswith("import."))
SHOWN = 100
State = ImportRun.State
RUNNING: dict[str, int] = {State.WAITING: 10, State.CHECKING: 40, State.CONFIRMED: 60, State.STORING: 80}
MARK: dict[str, str] = {
    State.STORED: "done",
    State.REFUSED: "alarm",
    State.FAILED: "alarm",
    State.CHECKED: "due",
    State.CANCELLED: "quiet",
}


def _runs_of(user: User) -> QuerySet[ImportRun]:
    """One's own, and for those who work across all sites, everybody's of that kind. Where the protocol masks results, a
    file with results is its bringer's alone: what was found in it would tell of them.
    """
    masks = bool(masked_analytes())
    everywhere = [
        resource.kind
        for resource in kinds()
        if user.scope(resource.act).everywhere and not (masks and resource.holds_masked)
    ]
    own = ImportRun.objects.filter(requested_by=user)
    return (own | ImportRun.objects.filter(kind__in=everywhere)).select_related("requested_by")


@needs(*IMPORT_ACTS)
@require_GET
def import_list(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    found = _runs_of(user).order_by("-pk")[:SHOWN]
    lines = [{"run": run, "title": _title(run), "mark": MARK.get(run.state, "due")} for run in found]
    return render(request, "exchange/import_list.html", {"lines": lines})


@needs(*IMPORT_ACTS)
def import_new(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    form = UploadForm(request.POST or None, request.FILES or None, user=user)
    if request.method == "POST" and form.is_valid():
        answers = form.cleaned_data
        run = runs.upload(
            kind=answers["kind"], file=answers["file"], clean_rows=answers["clean_rows"], reason=answers["reason"],
            form_token=answers["form_token"], by=user, now=clock.now(),
        )  # fmt: skip
        nudge.after_commit(tasks.work_waiting)
        return redirect("exchange:import_run", pk=run.pk)
    allowed = [resource for resource in kinds() if user.may(resource.act)]
    return render(
        request,
        "exchange/import_new.html",
        {"form": form, "resources": [{"kind": one.kind, "title": one.title} for one in allowed]},
    )


@needs(*IMPORT_ACTS)
@require_GET
def import_format(request: HttpRequest, kind: str) -> HttpResponse:
    """An empty file with the right headings."""
    known = {resource.kind: resource for resource in kinds()}
    if kind not in known:
        raise Http404
    signed_in(request).require(known[kind].act)
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{kind}.csv"'
    csv.writer(answer).writerow([column.name for column in known[kind].columns])
    return answer


@needs(*IMPORT_ACTS)
@require_GET
def import_run(request: HttpRequest, pk: int) -> HttpResponse:
    user = signed_in(request)
    run = get_object_or_404(_runs_of(user), pk=pk)
    if getattr(request, "htmx", False):
        if run.state in RUNNING:
            return render(request, "components/progress.html", {"job": _job(run)})
        answer = HttpResponse()
        answer["HX-Refresh"] = "true"
        return answer
    report = json.loads(run.report) if run.report else {"errors": [], "flags": []}
    context: dict[str, Any] = {
        "run": run, "title": _title(run), "job": _job(run), "mark": MARK.get(run.state, "due"), "report": report,
        "preview": _preview(run) if run.requested_by_id == user.pk else None,
        "running": run.state in RUNNING, "mine": run.requested_by_id == user.pk,
    }  # fmt: skip
    return render(request, "exchange/import_run.html", context)


@needs(*IMPORT_ACTS)
@require_POST
def import_confirm(request: HttpRequest, pk: int) -> HttpResponse:
    user = signed_in(request)
    run = get_object_or_404(_runs_of(user), pk=pk)
    user.require(resource_for(run.kind).act)
    try:
        runs.confirm(run=run, by=user)
        nudge.after_commit(tasks.work_waiting)
    except runs.CannotContinue as refusal:
        return decided_first(request, run, str(refusal), reverse("exchange:import_run", args=[pk]))
    return redirect("exchange:import_run", pk=pk)


@needs(*IMPORT_ACTS)
@require_POST
def import_cancel(request: HttpRequest, pk: int) -> HttpResponse:
    user = signed_in(request)
    run = get_object_or_404(_runs_of(user), pk=pk)
    try:
        runs.cancel(run=run, by=user, now=clock.now())
        messages.success(request, "The import was cancelled; nothing was stored and the file was removed.")
    except runs.CannotContinue as refusal:
        return decided_first(request, run, str(refusal), reverse("exchange:import_run", args=[pk]))
    return redirect("exchange:import_run", pk=pk)


@needs(*EXPORT_ACTS)
def export_list(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    form = ExportForm(request.POST or None, user=user)
    if request.method == "POST" and form.is_valid():
        answers = form.cleaned_data
        run = exports.request_export(
            site=answers["site"],
            form_token=answers["form_token"],
            by=user,
            now=clock.now(),
            own_rows=form.own_rows,
        )
        nudge.after_commit(tasks.work_waiting)
        return redirect("exchange:export_run", pk=run.pk)
    found = ExportRun.objects.filter(requested_by=user).select_related("site")[:SHOWN]
    context = {
        "form": form, "runs": found, "may_export_names": user.may(identified.ACT), "own_alone": form.own_alone,
    }  # fmt: skip
    return render(request, "exchange/export_list.html", context)


@needs(identified.ACT)
def identified_export(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    form = IdentifiedExportForm(request.POST or None, user=user)
    if request.method == "POST" and form.is_valid():
        answers = form.cleaned_data
        named = identified.Named(answers["reason"], answers["with_birth_dates"])
        try:
            run = exports.request_export(
                site=answers["site"], form_token=answers["form_token"], by=user, now=clock.now(), named=named
            )
            nudge.after_commit(tasks.work_waiting)
            return redirect("exchange:export_run", pk=run.pk)
        except NotAccepted as refusal:
            form.add_error(refusal.field or None, refusal.message)
    return render(request, "exchange/identified_export.html", {"form": form})


@needs(*EXPORT_ACTS)
@require_GET
def export_run(request: HttpRequest, pk: int) -> HttpResponse:
    run = get_object_or_404(
        ExportRun.objects.filter(requested_by=signed_in(request)).select_related("site"), pk=pk
    )
    job = _export_job(run)
    if getattr(request, "htmx", False):
        return render(request, "components/progress.html", {"job": job})
    return render(request, "exchange/export_run.html", {"run": run, "job": job})


@needs(*EXPORT_ACTS)
@require_GET
def export_download(request: HttpRequest, pk: int) -> HttpResponse | FileResponse:
    user = signed_in(request)
    run = get_object_or_404(ExportRun, pk=pk, requested_by=user, state=ExportRun.State.DONE)
    path = exports.exports_folder() / run.stored_as
    if not path.is_file():
        raise Http404
    if not exports.may_still_have(run, user):
        raise PermissionDenied("You may no longer export these rows.")
    with acting_as(user, channel="web", reason=run.reason):
        record_event(action="export downloaded", about=run, detail=run.sha256, now=clock.now())
    kind = "names" if run.identified else "own-results" if run.own_rows else "export"
    name = f"registry-{kind}-{run.requested_at:%Y-%m-%d}.zip"
    return FileResponse(path.open("rb"), as_attachment=True, filename=name)


def _title(run: ImportRun) -> str:
    return resource_for(run.kind).title


def _job(run: ImportRun) -> dict[str, Any]:
    return {
        "running": run.state in RUNNING, "kind": MARK.get(run.state, "due"), "word": run.get_state_display(),
        "text": run.message or f"{run.file_name}", "percent": RUNNING.get(run.state, 100),
        "url": reverse("exchange:import_run", args=[run.pk]),
        "cancel_url": reverse("exchange:import_cancel", args=[run.pk]) if run.state in (State.WAITING, State.CHECKING) else "",
    }  # fmt: skip


def _export_job(run: ExportRun) -> dict[str, Any]:
    done, failed = run.state == ExportRun.State.DONE, run.state == ExportRun.State.FAILED
    return {
        "running": not (done or failed), "kind": "done" if done else ("alarm" if failed else "due"),
        "word": run.get_state_display(), "percent": 100 if done else 40,
        "text": run.message or (f"{run.rows:,} rows, SHA-256 {run.sha256[:16]}…" if done else "The worker writes the tables."),
        "url": reverse("exchange:export_run", args=[run.pk]),
        "result_url": reverse("exchange:export_download", args=[run.pk]) if done and run.stored_as else "",
        "result_label": "Download",
    }  # fmt: skip


def _preview(run: ImportRun) -> dict[str, Any] | None:
    path = runs.preview_path(run)
    if not path.is_file():
        return None
    kept = json.loads(path.read_text())
    for row in kept["rows"]:
        row["cells"] = [
            {
                "heading": heading,
                "text": text,
                "error": row["errors"].get(heading, ""),
                "before": row["changes"].get(heading, [""])[0],
            }
            for heading, text in zip(kept["headings"], row["cells"], strict=True)
        ]  # fmt: skip
        row["other_errors"] = [why for column, why in row["errors"].items() if column not in kept["headings"]]
    return dict(kept)
