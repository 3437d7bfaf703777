"""Reports as staff see them: ask, watch, download."""

from datetime import UTC, date
from typing import Any

from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from followup.reports import actions, tasks
from followup.reports.forms import PatientReportForm, SafetyReportForm
from followup.reports.models import NAMES_ACT, PATIENT_ACT, ReportRun
from followup.reports.render import weasyprint_problem
from followup.reports.signed_copies import standings
from registry import clock
from registry.access.conflicts import decided_first
from registry.access.guards import needs, signed_in
from registry.access.models import User
from registry.audit.acting import acting_as
from registry.audit.actions import record_event
from registry.exchange import nudge
from registry.patients.models import Patient
from registry.signatures.states import Standing

SHOWN = 100
State = ReportRun.State
RUNNING = (State.WAITING, State.RUNNING)
MARK: dict[str, str] = {
    State.WAITING: "due",
    State.RUNNING: "due",
    State.DONE: "done",
    State.FAILED: "alarm",
    State.CANCELLED: "quiet",
}
VIEW_ACTS = ("reports.view", PATIENT_ACT)


@needs(*VIEW_ACTS)
def report_list(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    form = None
    if user.may(actions.SAFETY_ACT):
        form = SafetyReportForm(request.POST or None, user=user, today=_today(user))
    if request.method == "POST":
        user.require(actions.SAFETY_ACT)
        if form is not None and form.is_valid():
            return _asked(form, user)
    runs = ReportRun.objects.visible_to(user).select_related("site", "patient", "requested_by")[:SHOWN]
    signed = standings(runs)
    lines = [_line(run) | {"standing": signed.get(run.pk, Standing([]))} for run in runs]
    context = {"form": form, "lines": lines, "problem": weasyprint_problem()}
    return render(request, "reports/report_list.html", context)


def _today(user: User) -> date:
    """The latest calendar day among the sites the report may cover; without a site, the day in UTC."""
    days = [site.today() for site in user.sites(actions.SAFETY_ACT)]
    return max(days, default=clock.now().astimezone(UTC).date())


def _asked(form: SafetyReportForm, user: User) -> HttpResponse:
    answers = form.cleaned_data
    run = actions.request_safety(
        site=answers["site"], period_from=answers["period_from"], period_to=answers["period_to"],
        form_token=answers["form_token"], by=user, now=clock.now(), is_closed=bool(answers.get("is_closed")),
    )  # fmt: skip
    nudge.after_commit(tasks.make_waiting)
    return redirect("reports:report_run", pk=run.pk)


@needs(PATIENT_ACT)
def patient_report_make(request: HttpRequest, patient_id: str) -> HttpResponse:
    user = signed_in(request)
    patient = get_object_or_404(
        Patient.objects.visible_to(user, PATIENT_ACT).select_related("site"), patient_id=patient_id
    )
    may_see_names = user.may(NAMES_ACT, patient.site_id)
    form = PatientReportForm(request.POST or None, may_see_names=may_see_names)
    if request.method == "POST" and form.is_valid():
        answers = form.cleaned_data
        run = actions.request_patient(
            patient=patient, with_identifiers=bool(answers.get("with_identifiers")), reason=answers.get("reason", ""),
            form_token=answers["form_token"], by=user, now=clock.now(),
        )  # fmt: skip
        nudge.after_commit(tasks.make_waiting)
        return redirect("reports:report_run", pk=run.pk)
    context = {
        "form": form, "patient": patient, "may_see_names": may_see_names, "problem": weasyprint_problem(),
        "breadcrumbs": _crumbs(f"Report on {patient.patient_id}"),
    }  # fmt: skip
    return render(request, "reports/patient_report_make.html", context)


@needs(*VIEW_ACTS)
@require_GET
def report_run(request: HttpRequest, pk: int) -> HttpResponse:
    run = _run(signed_in(request), pk)
    if getattr(request, "htmx", False):
        if run.state in RUNNING:
            return render(request, "components/progress.html", {"job": _job(run)})
        answer = HttpResponse()
        answer["HX-Refresh"] = "true"
        return answer
    context = {
        "run": run,
        "is_signable": (run.is_safety and run.state == State.DONE) or run.pk in standings([run]),
        "copies": run.signed_copies.select_related("signature").order_by("-pk"),
        "title": _title(run),
        "job": _job(run),
        "facts": _facts(run),
        "breadcrumbs": _crumbs(_title(run)),
    }
    return render(request, "reports/report_run.html", context)


@needs(*VIEW_ACTS)
@require_GET
def report_download(request: HttpRequest, pk: int) -> FileResponse:
    run = _finished(signed_in(request), pk)
    return _download(request, run, run.stored_as, run.pdf_sha256, "pdf")


@needs(*VIEW_ACTS)
@require_GET
def numbers_download(request: HttpRequest, pk: int) -> FileResponse:
    run = _finished(signed_in(request), pk)
    return _download(request, run, run.numbers_stored_as, run.numbers_sha256, "json")


@needs(*VIEW_ACTS)
@require_GET
def signed_download(request: HttpRequest, pk: int) -> FileResponse:
    """The newest signed copy; the unsigned original has its own address."""
    run = _finished(signed_in(request), pk)
    copy = run.signed_copies.filter(state=State.DONE).order_by("-pk").first()
    if copy is None:
        raise Http404("There is no signed copy of this report yet.")
    return _download(request, run, copy.stored_as, copy.pdf_sha256, "pdf", mark="-signed")


@needs(*VIEW_ACTS)
@require_POST
def report_cancel(request: HttpRequest, pk: int) -> HttpResponse:
    user = signed_in(request)
    run = _run(user, pk)
    if run.requested_by_id != user.pk:
        user.require(_act_to_make(run), run.site)
    try:
        actions.cancel(run=run, now=clock.now())
        messages.success(request, "The report was cancelled before it was begun.")
    except actions.CannotContinue as refusal:
        return decided_first(request, run, str(refusal), reverse("reports:report_run", args=[pk]))
    return redirect("reports:report_run", pk=pk)


def _act_to_make(run: ReportRun) -> str:
    if run.is_closed:
        return actions.CLOSED_ACT
    return actions.SAFETY_ACT if run.is_safety else PATIENT_ACT


def _run(user: User, pk: int) -> ReportRun:
    runs = ReportRun.objects.visible_to(user).select_related("site", "patient", "requested_by")
    return get_object_or_404(runs, pk=pk)


def _finished(user: User, pk: int) -> ReportRun:
    run = _run(user, pk)
    if run.with_identifiers:
        actions.forget_erased()
        run.refresh_from_db()
    if run.state != State.DONE or not run.stored_as:
        raise Http404("This report is not ready, or was removed.")
    return run


def _download(
    request: HttpRequest, run: ReportRun, stored_as: str, sha256: str, suffix: str, *, mark: str = ""
) -> FileResponse:
    path = actions.folder_of(run) / stored_as
    if not path.is_file():
        raise Http404("The stored file is missing; make the report again.")
    with acting_as(signed_in(request), channel="web"):
        record_event(action="report downloaded", about=run, detail=f"{suffix} {sha256}", now=clock.now())
    return FileResponse(path.open("rb"), as_attachment=True, filename=f"{_file_name(run)}{mark}.{suffix}")


def _file_name(run: ReportRun) -> str:
    """Says what it is without a name: kind, scope, cut-off."""
    if run.patient is not None:
        return f"patient-report-{run.patient.patient_id}-{run.requested_at:%Y-%m-%d}"
    kind = "closed-safety-report" if run.is_closed else "safety-report"
    return f"{kind}-{run.site.code if run.site else 'all-sites'}-{run.period_to}"


# What the pages show -----------------------------------------------------------------------------------------


def _title(run: ReportRun) -> str:
    return f"Report on {run.patient.patient_id}" if run.patient else run.get_kind_display()


def _scope(run: ReportRun) -> str:
    return str(run.site) if run.site else "All sites"


def _line(run: ReportRun) -> dict[str, Any]:
    return {"run": run, "title": _title(run), "scope": _scope(run), "mark": MARK[run.state]}


def _job(run: ReportRun) -> dict[str, Any]:
    done = run.state == State.DONE
    words = {
        State.WAITING: "Waiting for the worker.",
        State.DONE: f"{run.pages} pages.",
        State.CANCELLED: "Cancelled before it was begun.",
    }
    return {
        "running": run.state in RUNNING, "kind": MARK[run.state], "word": run.get_state_display(),
        "text": run.message or run.progress or words.get(State(run.state), ""),
        "percent": 10 if run.state == State.WAITING else 50,
        "url": reverse("reports:report_run", args=[run.pk]),
        "cancel_url": reverse("reports:report_cancel", args=[run.pk]) if run.state == State.WAITING else "",
        "result_url": reverse("reports:report_download", args=[run.pk]) if done else "", "result_label": "Download the PDF",
    }  # fmt: skip


def _facts(run: ReportRun) -> list[dict[str, Any]]:
    names = "with name and birth date" if run.with_identifiers else "pseudonymised"
    facts = [
        ("Sites", _scope(run)),
        ("Identifiers", names),
        *(
            [("Closed", "It says what was given: read and signed by the safety officer alone")]
            if run.is_closed
            else []
        ),
        ("Asked for by", run.requested_by or "the system"),
    ]
    if run.state == State.DONE:
        facts += [("SHA-256 of the PDF", run.pdf_sha256), ("SHA-256 of the numbers", run.numbers_sha256)]
    return [{"label": label, "value": value} for label, value in facts]


def _crumbs(label: str) -> list[dict[str, str]]:
    return [{"label": "Reports", "url": reverse("reports:report_list")}, {"label": label, "url": ""}]
