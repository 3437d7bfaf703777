"""Pages of insulin and other drugs over time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

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
from followup.treatment.forms import (
    CorrectionForm,
    NewTreatmentForm,
    StopForm,
    TreatmentForm,
    WithdrawalForm,
)
from followup.treatment.models import Treatment
from registry import clock
from registry.access.conflicts import Edit, decided_first
from registry.access.guards import needs, signed_in
from registry.access.models import User
from registry.patients.models import Patient
from registry.patients.pages import patient_within
from registry.saving import ChangedMeanwhile, NotAccepted

AnyForm = TreatmentForm | StopForm | WithdrawalForm
FACTS = tuple(TreatmentFacts.__dataclass_fields__)


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
    form = NewTreatmentForm(request.POST or None, today=patient.site.today())
    if request.method == "POST" and form.is_valid():
        token = form.cleaned_data["form_token"]
        try:
            add_treatment(patient=patient, facts=form.facts(), by=user, now=clock.now(), form_token=token)
            messages.success(request, f"{form.cleaned_data['drug']} was recorded.")
            return redirect("treatment:treatment_list", patient_id=patient.patient_id)
        except AlreadyRecorded as error:
            form.add_error("drug", f"{error} Correct that record, or give this one its own start.")
        except NotAccepted as refusal:
            form.add_error(None, refusal.message)
    return _form_page(request, patient, form, title="Add a treatment", submit_label="Save treatment")


@needs("treatment.record")
def treatment_stop(request: HttpRequest, pk: int) -> HttpResponse:
    treatment = _treatment(signed_in(request), pk)
    initial = {"version": treatment.version, "stop_date": treatment.stop_date}
    form = StopForm(request.POST or None, initial=initial, start_date=treatment.start_date)

    def stop(answers: dict[str, Any], **who: Any) -> str:
        names = ("stop_date", "reason", "version")
        stop_treatment(treatment=treatment, **{name: answers[name] for name in names}, **who)
        return f"{treatment.drug} was stopped."

    title, label = f"Stop {treatment.drug}", "Save the stop"
    return _change_page(request, treatment, form, stop, ("stop_date",), title=title, submit_label=label)


@needs("treatment.record")
def treatment_correct(request: HttpRequest, pk: int) -> HttpResponse:
    treatment = _treatment(signed_in(request), pk)
    initial = {name: getattr(treatment, name) for name in FACTS} | {"version": treatment.version}
    form = CorrectionForm(request.POST or None, initial=initial, today=treatment.site.today())

    def correct(answers: dict[str, Any], **who: Any) -> str:
        reason, version = answers["correction_reason"], answers["version"]
        correct_treatment(treatment=treatment, facts=form.facts(), reason=reason, version=version, **who)
        return "The treatment was corrected; what depends on it was worked out again."

    title, label = f"Correct {treatment.drug}", "Save the correction"
    return _change_page(request, treatment, form, correct, FACTS, title=title, submit_label=label)


@needs("treatment.record")
def treatment_withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    treatment = _treatment(signed_in(request), pk)
    form = WithdrawalForm(request.POST or None, initial={"version": treatment.version})

    def withdraw(answers: dict[str, Any], **who: Any) -> str:
        withdraw_treatment(treatment=treatment, reason=answers["reason"], version=answers["version"], **who)
        return f"{treatment.drug} was withdrawn. It stays in the history."

    return _change_page(
        request,
        treatment,
        form,
        withdraw,
        (),
        title=f"Withdraw {treatment.drug}",
        submit_label="Withdraw",
        danger=True,
    )


def _treatment(user: User, pk: int) -> Treatment:
    rows = Treatment.objects.visible_to(user, "treatment.record").select_related("patient__site", "site")
    return get_object_or_404(rows, pk=pk)


def _change_page(
    request: HttpRequest, treatment: Treatment, form: AnyForm, change: Callable[..., str], names: Iterable[str], **texts: Any
) -> HttpResponse:  # fmt: skip
    """`names` are the columns the form holds: both people's values of them are shown when somebody else was first."""
    back_url = reverse("treatment:treatment_list", args=[treatment.patient.patient_id])
    if treatment.withdrawn_at is not None:
        return decided_first(request, treatment, "This treatment was withdrawn.", back_url)
    edit = Edit(form, treatment, lambda was: {name: getattr(was(treatment), name) for name in names})
    if edit.ready():
        try:
            messages.success(request, change(form.cleaned_data, by=signed_in(request), now=clock.now()))
            return redirect(back_url)
        except AlreadyRecorded as error:
            form.add_error("drug", str(error))
        except ChangedMeanwhile:
            edit.moved_on()
    return _form_page(request, treatment.patient, form, edit=edit, **texts)


def _form_page(
    request: HttpRequest, patient: Patient, form: AnyForm, *, title: str, submit_label: str, danger: bool = False,
    edit: Edit | None = None,
) -> HttpResponse:  # fmt: skip
    context = {
        "patient": patient,
        "form": form,
        "conflicts": edit.conflicts if edit else None,
        "title": title,
        "submit_label": submit_label,
        "danger": danger,
        "cancel_url": reverse("treatment:treatment_list", args=[patient.patient_id]),
        "now": clock.now(),
    }
    return render(request, "treatment/treatment_form.html", context, status=edit.status if edit else 200)
