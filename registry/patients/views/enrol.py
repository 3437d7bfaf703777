"""Enrolling a patient: one page, four parts, and a look for people who may be there already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from registry import clock
from registry.access.guards import needs, signed_in
from registry.access.models import User
from registry.patients.actions import ConsentFacts, EnrolmentFacts, NewPatient, PersonFacts, enrol_patient
from registry.patients.forms import (
    EligibilityForm,
    EnrolmentForm,
    FirstConsentForm,
    IdentityForm,
    PersonForm,
    SiteForm,
)
from registry.patients.identity import possible_duplicates
from registry.patients.models import Consent, Patient
from registry.patients.pages import read_identifiers
from registry.patients.status import CannotRecord

Forms = dict[str, Any]


@needs("patients.enrol")
def enrol(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    parts = _parts(request, user)
    checked = [form.is_valid() for form in parts.values()]  # every part, so that all errors show at once
    if request.method == "POST" and all(checked):
        if before := _sent_before(user, parts):
            return redirect("desk:patient_record", before.patient_id)
        doubles = [] if request.POST.get("different_person") else _doubles(user, parts["identity"])
        if not doubles and (patient := _enrol(user, parts)):
            messages.success(
                request, f"Enrolled as {patient.patient_id}. Write this number on the paper file."
            )
            return redirect("desk:patient_record", patient.patient_id)
        return _page(request, parts, doubles)
    return _page(request, parts, [])


def _parts(request: HttpRequest, user: User) -> Forms:
    data = request.POST if request.method == "POST" else None
    return {
        "site": SiteForm(data, user=user),
        "identity": IdentityForm(data),
        "person": PersonForm(data),
        "enrolment": EnrolmentForm(data),
        "consent": FirstConsentForm(data, prefix="consent"),
        "eligibility": EligibilityForm(data, prefix="eligibility"),
    }


def _sent_before(user: User, parts: Forms) -> Patient | None:
    token = parts["site"].cleaned_data["form_token"]
    return Patient.objects.visible_to(user).filter(form_token=token).first()


def _enrol(user: User, parts: Forms) -> Patient | None:
    """None when it was refused; the reason then stands in the form."""
    try:
        with transaction.atomic():
            return enrol_patient(new=_new_patient(parts), by=user, now=clock.now())
    except CannotRecord as refusal:
        parts["enrolment"].add_error(None, str(refusal))
    except IntegrityError:
        if first := _sent_before(user, parts):  # the second of two clicks at the same moment
            return first
        parts["identity"].add_error(
            "local_id", "This record number belongs to another patient of the site. Search for it first."
        )
    return None


def _new_patient(parts: Forms) -> NewPatient:
    clean = {name: form.cleaned_data for name, form in parts.items()}
    return NewPatient(
        site=clean["site"]["site"],
        form_token=clean["site"]["form_token"],
        identity=parts["identity"].facts(),
        person=PersonFacts(**clean["person"]),
        enrolment=EnrolmentFacts(**clean["enrolment"]),
        consent=consent_facts(clean["consent"]),
        eligibility=_answered(parts["eligibility"]),
    )


def consent_facts(answers: Mapping[str, Any]) -> ConsentFacts | None:
    if not answers["signed_on"]:
        return None
    return ConsentFacts(
        signed_on=answers["signed_on"], version=answers["version"], language=answers["language"] or "English",
        form_token=answers.get("form_token", ""),
        tiers={tier: answers[tier] for tier in Consent.TIERS},
    )  # fmt: skip


def _answered(form: forms.ModelForm[Any]) -> dict[str, Any]:
    answers = form.cleaned_data
    return answers if any(value not in (None, "") for value in answers.values()) else {}


def _doubles(user: User, form: IdentityForm) -> list[dict[str, Any]]:
    found = list(possible_duplicates(user, form.facts()).select_related("site")[:10])
    names = read_identifiers(user, found, now=clock.now())
    return [
        {"patient": one, "name": names[one.pk].full_name, "birth_date": names[one.pk].birth_date}
        for one in found
        if one.pk in names
    ]


def _page(request: HttpRequest, parts: Forms, doubles: list[dict[str, Any]]) -> HttpResponse:
    context = {
        "parts": parts, "doubles": doubles, "has_errors": any(form.errors for form in parts.values()),
        "forms": list(parts.values()),
    }  # fmt: skip
    return render(request, "patients/enrol.html", context)
