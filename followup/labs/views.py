"""Pages of the laboratory: entering, checking, reading and correcting results; the laboratories."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from followup.labs.actions import Entry, change_insulin_factor, correct_result, withdraw_result
from followup.labs.catalogue import ANALYTES
from followup.labs.entering import Entering
from followup.labs.forms import ANSWERS, CorrectionForm, LaboratoryForm, PatientForm, WithdrawalForm
from followup.labs.models import DerivedValue, Laboratory, LabResult
from followup.labs.tables import cell, derived_lines, result_table
from followup.labs.units import UnitError, ucum_unit
from followup.labs.wording import unit_words
from followup.schedule.models import Visit
from registry import clock
from registry.access import masking
from registry.access.conflicts import Edit, decided_first
from registry.access.guards import needs, signed_in
from registry.access.masking import codes_of, hidden_from
from registry.access.masking import words as masked_words
from registry.access.models import User
from registry.patients.models import Patient
from registry.patients.pages import patient_within
from registry.saving import ChangedMeanwhile

INDICES_SHOWN = 24
CODES = {True: "yes", False: "no", None: ""}


@needs("labs.record")
def visit_results(request: HttpRequest, pk: int) -> HttpResponse:
    user = signed_in(request)
    visits = Visit.objects.visible_to(user, "labs.record").select_related(
        "patient__site", "site", "timepoint"
    )
    visit = get_object_or_404(visits, pk=pk)
    back = reverse("schedule:visit", args=[visit.pk])
    return _enter(request, user, visit.patient, visit, back)


@needs("labs.record")
def patient_entry(request: HttpRequest, patient_id: str) -> HttpResponse:
    user = signed_in(request)
    patient = patient_within(user, patient_id, "labs.record")
    return _enter(request, user, patient, None, reverse("labs:patient_results", args=[patient.patient_id]))


def _enter(
    request: HttpRequest, user: User, patient: Patient, visit: Visit | None, back: str
) -> HttpResponse:
    return Entering(
        request=request, user=user, patient=patient, visit=visit, today=patient.site.today(), now=clock.now(),
        back_url=back,
    ).respond()  # fmt: skip


@needs("labs.record")
def result_entry(request: HttpRequest) -> HttpResponse:
    """Results without a visit: whose are they?"""
    user = signed_in(request)
    form = PatientForm(request.GET or None)
    if form.is_valid():
        typed = form.cleaned_data["patient"].strip().upper()
        patient = Patient.objects.visible_to(user, "labs.record").filter(patient_id__iexact=typed).first()
        if patient:
            return redirect("labs:patient_entry", patient_id=patient.patient_id)
        form.add_error(
            "patient", f"There is no patient {typed} in your sites. Check the id on the request form."
        )
    return render(request, "labs/result_entry.html", {"form": form})


@needs("labs.view")
def patient_results(request: HttpRequest, patient_id: str) -> HttpResponse:
    user = signed_in(request)
    patient = patient_within(user, patient_id, "labs.view")
    rows = LabResult.objects.visible_to(user).filter(patient=patient, withdrawn_at=None)
    results = list(
        rows.select_related("laboratory", "patient").order_by("collected_on", "collected_at", "pk")
    )
    derived = DerivedValue.objects.visible_to(user).filter(patient=patient)
    derived = derived.order_by("-on_date", "code", "pk")
    number, show_all = derived.count(), "all" in request.GET
    context = {
        "patient": patient,
        "table": result_table(patient, results, skip=_whole(request.GET.get("skip"))),
        "indices": derived_lines(derived if show_all else derived[:INDICES_SHOWN]),
        "number_of_indices": number,
        "masked": masked_words(hidden_from(user, LabResult, patient.site_id)),
        "reads_masked": masked_words(codes_of(LabResult)) if user.may(masking.ACT, patient.site_id) else "",
        "shows_all": show_all or number <= INDICES_SHOWN,
        "may_record": user.may("labs.record", patient.site_id),
        "sees_record": user.may("patients.view", patient.site_id),
        "today": patient.site.today(),
        "now": clock.now(),
    }
    return render(request, "labs/patient_results.html", context)


def _whole(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 6 else 0


# Changing ----------------------------------------------------------------------------------------------------


@needs("labs.record")
def result_correct(request: HttpRequest, pk: int) -> HttpResponse:
    user = signed_in(request)
    result = _result(user, pk)
    if result.withdrawn_at is not None:
        return _withdrawn(request, result)
    form = CorrectionForm(request.POST or None, initial=_as_stored(result), result=result)
    edit = Edit(form, result, lambda was: _as_stored(was(result)))
    if edit.ready():
        answers = form.cleaned_data
        entry = Entry(
            analyte=result.analyte, value=answers["value"], unit=answers["unit"],
            fasting=ANSWERS.get(answers["fasting"]), insulin_free=ANSWERS.get(answers["insulin_free"]),
        )  # fmt: skip
        try:
            correct_result(
                result=result, entry=entry, reason=answers["reason"], version=answers["version"], by=user,
                now=clock.now(),
            )  # fmt: skip
            messages.success(request, "The result was corrected; what depends on it was worked out again.")
            return redirect("labs:patient_results", patient_id=result.patient.patient_id)
        except UnitError as error:
            form.add_error("unit" if error.code.startswith("unit") else "value", error.message)
        except ChangedMeanwhile:
            edit.moved_on()
    return _change_page(
        request, user, result, edit, title="Correct a result", submit_label="Save the correction"
    )


@needs("labs.record")
def result_withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    user = signed_in(request)
    result = _result(user, pk)
    if result.withdrawn_at is not None:
        return _withdrawn(request, result)
    form = WithdrawalForm(request.POST or None, initial={"version": result.version})
    edit = Edit(form, result, lambda was: {})
    if edit.ready():
        answers = form.cleaned_data
        try:
            withdraw_result(
                result=result, reason=answers["reason"], version=answers["version"], by=user, now=clock.now()
            )
            messages.success(request, "The result was withdrawn. It stays in the history.")
            return redirect("labs:patient_results", patient_id=result.patient.patient_id)
        except ChangedMeanwhile:
            edit.moved_on()
    return _change_page(
        request, user, result, edit, title="Withdraw a result", submit_label="Withdraw", danger=True
    )


def _withdrawn(request: HttpRequest, result: LabResult) -> HttpResponse:
    back_url = reverse("labs:patient_results", args=[result.patient.patient_id])
    return decided_first(request, result, "This result was withdrawn.", back_url)


def _result(user: User, pk: int) -> LabResult:
    rows = LabResult.objects.visible_to(user, "labs.record").select_related("patient__site", "laboratory")
    return get_object_or_404(rows, pk=pk)


def _as_stored(result: LabResult) -> dict[str, object]:
    return {
        "value": result.value_received,
        "unit": ucum_unit(ANALYTES[result.analyte], result.unit_received),
        "fasting": CODES[result.fasting],
        "insulin_free": CODES[result.insulin_free],
        "version": result.version,
    }


def _change_page(
    request: HttpRequest,
    user: User,
    result: LabResult,
    edit: Edit,
    *,
    title: str,
    submit_label: str,
    danger: bool = False,
) -> HttpResponse:
    analyte = ANALYTES[result.analyte]
    context = {
        "patient": result.patient,
        "form": edit.form,
        "conflicts": edit.conflicts,
        "title": title,
        "submit_label": submit_label,
        "danger": danger,
        "cancel_url": reverse("labs:patient_results", args=[result.patient.patient_id]),
        "facts": [
            {"label": "Test", "value": analyte.label},
            {"label": "Received", "value": str(result).partition(" ")[2]},
            {
                "label": "Stored as",
                "value": f"{cell(result).shown} {unit_words(result.canonical_unit)}".strip(),
            },
            {"label": "Laboratory", "value": result.laboratory},
            {"label": "Laboratory number", "value": result.accession},
        ],
        "result": result,
        "sees_record": user.may("patients.view", result.site_id),
        "now": clock.now(),
    }
    return render(request, "labs/result_change.html", context, status=edit.status)


# Laboratories ------------------------------------------------------------------------------------------------


@needs("settings.view")
def laboratory_list(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    seen = LabResult.objects.visible_to(user).filter(laboratory=OuterRef("pk")).order_by()
    counts = seen.values("laboratory").annotate(number=Count("pk")).values("number")
    laboratories = Laboratory.objects.annotate(results=Coalesce(Subquery(counts), 0)).order_by("name", "pk")
    context = {"laboratories": laboratories, "may_edit": user.may("settings.sites")}
    return render(request, "labs/laboratory_list.html", context)


@needs("settings.sites")
def laboratory_edit(request: HttpRequest, pk: int) -> HttpResponse:
    user = signed_in(request)
    laboratory = get_object_or_404(Laboratory, pk=pk)
    stored = {"insulin_pmol_per_mu": laboratory.insulin_pmol_per_mu}
    form = LaboratoryForm(request.POST or None, initial=stored | {"version": laboratory.version})
    edit = Edit(form, laboratory, lambda was: {name: getattr(was(laboratory), name) for name in stored})
    if edit.ready():
        answers = form.cleaned_data
        try:
            changed = change_insulin_factor(
                laboratory=laboratory, pmol_per_miu=answers["insulin_pmol_per_mu"], version=answers["version"],
                reason=answers["reason"], by=user, now=clock.now(),
            )  # fmt: skip
            messages.success(
                request, f"Saved. {changed} insulin results of {laboratory} were converted anew."
            )
            return redirect("labs:laboratory_list")
        except ChangedMeanwhile:
            edit.moved_on()
    context = {"form": form, "laboratory": laboratory, "conflicts": edit.conflicts}
    return render(request, "labs/laboratory_edit.html", context, status=edit.status)
