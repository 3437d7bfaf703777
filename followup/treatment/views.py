"""Pages of insulin and other drugs over time."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from followup.treatment.actions import (
    AlreadyRecorded,
    TreatmentFacts,
    add_treatment,
    correct_treatment,
    stop_treatment,
    withdraw_treatment,
)
from followup.treatment.forms import CorrectionForm, StopForm, TreatmentForm, WithdrawalForm
from followup.treatment.models import Treatment
from registry import clock
from registry.access.guards import needs, signed_in
from registry.access.models import User
from registry.partial_dates import in_words
from registry.patients.models import Patient
from registry.patients.pages import patient_within
from registry.saving import ChangedMeanwhile


@needs("treatment.view")
def treatment_list(request: HttpRequest, patient_id: str) -> HttpResponse:
    user = signed_in(request)
    patient = patient_within(user, patient_id, "treatment.view")
    rows = Treatment.objects.visible_to(user).filter(patient=patient, withdrawn_at=None)
    treatments = list(rows.order_by("-start_date", "drug", "pk"))
    context = {
        "patient": patient,
        "parts": [
            {"title": "Running", "treatments": [one for one in treatments if not one.stop_date]},
            {"title": "Stopped", "treatments": [one for one in treatments if one.stop_date]},
        ],
        "has_any": bool(treatments),
        "may_record": user.may("treatment.record", patient.site_id),
        "today": patient.site.today(),
        "now": clock.now(),
    }
    return render(request, "treatment/treatment_list.html", context)


@needs("treatment.record")
def treatment_add(request: HttpRequest, patient_id: str) -> HttpResponse:
    user = signed_in(request)
    patient = patient_within(user, patient_id, "treatment.record")
    form = TreatmentForm(request.POST or None, today=patient.site.today())
    if request.method == "POST" and form.is_valid():
        try:
            add_treatment(patient=patient, facts=form.facts(), by=user, now=clock.now())
        except AlreadyRecorded as error:
            form.add_error("drug", f"{error} Correct that record, or give this one its own start.")
        else:
            messages.success(request, f"{form.cleaned_data['drug']} was recorded.")
            return redirect("treatment:treatment_list", patient_id=patient.patient_id)
    return _form_page(request, patient, form, title="Add a treatment", submit_label="Save treatment")


@needs("treatment.record")
def treatment_stop(request: HttpRequest, pk: int) -> HttpResponse:
    user = signed_in(request)
    treatment = _treatment(user, pk)
    form = StopForm(
        request.POST or None, initial={"version": treatment.version}, start_date=treatment.start_date
    )
    if request.method == "POST" and form.is_valid():
        answers = form.cleaned_data
        try:
            stop_treatment(
                treatment=treatment, stop_date=answers["stop_date"], reason=answers["reason"], version=answers["version"],
                by=user, now=clock.now(),
            )  # fmt: skip
        except ChangedMeanwhile:
            _say_what_stands(form, _treatment(user, pk))
        else:
            messages.success(request, f"{treatment.drug} was stopped.")
            return redirect("treatment:treatment_list", patient_id=treatment.patient.patient_id)
    return _form_page(
        request, treatment.patient, form, title=f"Stop {treatment.drug}", submit_label="Save the stop"
    )


@needs("treatment.record")
def treatment_correct(request: HttpRequest, pk: int) -> HttpResponse:
    user = signed_in(request)
    treatment = _treatment(user, pk)
    stored = {name: getattr(treatment, name) for name in TreatmentFacts.__dataclass_fields__}
    today = treatment.site.today()
    form = CorrectionForm(request.POST or None, initial=stored | {"version": treatment.version}, today=today)
    if request.method == "POST" and form.is_valid():
        answers = form.cleaned_data
        try:
            correct_treatment(
                treatment=treatment, facts=form.facts(), reason=answers["correction_reason"],
                version=answers["version"], by=user, now=clock.now(),
            )  # fmt: skip
        except AlreadyRecorded as error:
            form.add_error("drug", str(error))
        except ChangedMeanwhile:
            _say_what_stands(form, _treatment(user, pk))
        else:
            messages.success(request, "The treatment was corrected; what depends on it was worked out again.")
            return redirect("treatment:treatment_list", patient_id=treatment.patient.patient_id)
    return _form_page(
        request,
        treatment.patient,
        form,
        title=f"Correct {treatment.drug}",
        submit_label="Save the correction",
    )


@needs("treatment.record")
def treatment_withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    user = signed_in(request)
    treatment = _treatment(user, pk)
    form = WithdrawalForm(request.POST or None, initial={"version": treatment.version})
    if request.method == "POST" and form.is_valid():
        answers = form.cleaned_data
        try:
            withdraw_treatment(
                treatment=treatment,
                reason=answers["reason"],
                version=answers["version"],
                by=user,
                now=clock.now(),
            )
        except ChangedMeanwhile:
            _say_what_stands(form, _treatment(user, pk))
        else:
            messages.success(request, f"{treatment.drug} was withdrawn. It stays in the history.")
            return redirect("treatment:treatment_list", patient_id=treatment.patient.patient_id)
    return _form_page(
        request,
        treatment.patient,
        form,
        title=f"Withdraw {treatment.drug}",
        submit_label="Withdraw",
        danger=True,
    )


def _treatment(user: User, pk: int) -> Treatment:
    rows = Treatment.objects.visible_to(user, "treatment.record").select_related("patient__site", "site")
    return get_object_or_404(rows, pk=pk, withdrawn_at=None)


def _say_what_stands(form: CorrectionForm | StopForm | WithdrawalForm, stored: Treatment) -> None:
    """Both people's values stand on the page: the form holds this person's, the message the other's."""
    dose = (
        f"{stored.dose.normalize():f} {stored.unit} per {stored.per}"
        if stored.dose is not None
        else "dose unknown"
    )
    dates = f"from {in_words(stored.start_date)}" + (
        f" to {in_words(stored.stop_date)}" if stored.stop_date else ", still running"
    )
    form.add_error(
        None,
        f"Somebody else changed this treatment while you had it open. It now reads: {stored.drug}, {dose}, {dates}. "
        "Compare, and save again if yours is right.",
    )
    form.data = dict(form.data.items()) | {"version": str(stored.version)}


def _form_page(
    request: HttpRequest,
    patient: Patient,
    form: TreatmentForm | StopForm | WithdrawalForm,
    *,
    title: str,
    submit_label: str,
    danger: bool = False,
) -> HttpResponse:
    context = {
        "patient": patient,
        "form": form,
        "title": title,
        "submit_label": submit_label,
        "danger": danger,
        "cancel_url": reverse("treatment:treatment_list", args=[patient.patient_id]),
        "now": clock.now(),
    }
    return render(request, "treatment/treatment_form.html", context)
