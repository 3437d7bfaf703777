"""Finding people: the list by site and status, and the search."""

from __future__ import annotations

from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from registry import clock
from registry.access.guards import needs, signed_in
from registry.access.models import User
from registry.patients.forms import FilterForm
from registry.patients.identity import find_patients
from registry.patients.models import Patient, PatientQuerySet, Status
from registry.patients.pages import read_identifiers

PAGE = 50
FOUND_SHOWN = 100
STATUS_KINDS = {
    Status.WITHDRAWN: "quiet",
    Status.DECEASED: "quiet",
    Status.COMPLETED: "done",
    Status.LOST: "late",
}


@needs("patients.view")
@require_GET
def patient_list(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    form = FilterForm(request.GET or None, user=user)
    chosen = form.cleaned_data if form.is_valid() else {}
    everyone = _chosen(Patient.objects.visible_to(user), chosen)
    after, before = request.GET.get("after", ""), request.GET.get("before", "")
    patients, pager = _page(everyone, chosen, after=after, before=before)
    context = {
        "form": form, "rows": _rows(user, patients), "pager": pager, "filtered": any(chosen.values()),
        "shows_names": user.may("identifiers.view"), "may_enrol": user.may("patients.enrol"),
    }  # fmt: skip
    return render(request, "patients/patient_list.html", context)


@needs("patients.view")
@require_POST
def patient_search(request: HttpRequest) -> HttpResponse:
    """By POST, so that a name never stands in an address, a log or the history of a browser."""
    user = signed_in(request)
    text = request.POST.get("q", "").strip()[:200]
    found = list(find_patients(user, text).select_related("site", "enrolment")[: FOUND_SHOWN + 1])
    if len(found) == 1 and found[0].patient_id.casefold() == text.casefold():
        return redirect("desk:patient_record", found[0].patient_id)
    context = {
        "text": text, "rows": _rows(user, found[:FOUND_SHOWN]), "more": len(found) > FOUND_SHOWN,
        "shows_names": user.may("identifiers.view"), "may_enrol": user.may("patients.enrol"),
    }  # fmt: skip
    return render(request, "patients/patient_search.html", context)


def _chosen(patients: PatientQuerySet, chosen: dict[str, Any]) -> PatientQuerySet:
    if chosen.get("site"):
        patients = patients.filter(site=chosen["site"])
    if chosen.get("status"):
        patients = patients.filter(status=chosen["status"])
    return patients.select_related("site", "enrolment")


def _page(
    everyone: PatientQuerySet, chosen: dict[str, Any], *, after: str, before: str
) -> tuple[list[Patient], dict[str, Any]]:
    """Fifty by patient id, from a key onward or back to one."""
    if before:
        found = list(everyone.filter(patient_id__lt=before).order_by("-patient_id")[: PAGE + 1])
        more_before, shown = len(found) > PAGE, found[:PAGE][::-1]
        more_after = True
    else:
        found = list(everyone.filter(patient_id__gt=after).order_by("patient_id")[: PAGE + 1])
        more_after, shown = len(found) > PAGE, found[:PAGE]
        more_before = bool(after)
    count = everyone.count()
    pager: dict[str, Any] = {
        "text": f"{len(shown)} of {count} {'patient' if count == 1 else 'patients'}, by patient id",
        "cut_off": clock.now(),
    }
    if shown and more_before:
        pager["previous_url"] = _url(chosen, before=shown[0].patient_id)
    if shown and more_after:
        pager["next_url"] = _url(chosen, after=shown[-1].patient_id)
    return shown, pager


def _url(chosen: dict[str, Any], **key: str) -> str:
    kept = {"site": chosen["site"].pk if chosen.get("site") else "", "status": chosen.get("status", "")}
    return (
        f"{reverse('patients:patient_list')}?{urlencode({name: v for name, v in (kept | key).items() if v})}"
    )


def _rows(user: User, patients: list[Patient]) -> list[dict[str, Any]]:
    names = read_identifiers(user, patients, now=clock.now())
    return [
        {
            "patient": patient,
            "name": names[patient.pk].full_name if patient.pk in names else "",
            "age": patient.age_on(clock.today(patient.site.time_zone)),
            "enrolled_on": _enrolled_on(patient),
            "status_kind": STATUS_KINDS.get(Status(patient.status), "due"),
            "url": reverse("desk:patient_record", args=[patient.patient_id]),
        }
        for patient in patients
    ]


def _enrolled_on(patient: Patient) -> date | None:
    return patient.enrolment.enrolled_on if hasattr(patient, "enrolment") else None
