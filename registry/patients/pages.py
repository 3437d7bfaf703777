"""Parts that several of this room's pages share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django import forms
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse

from registry.access.models import User
from registry.audit.acting import acting_as
from registry.audit.actions import record_event
from registry.patients.identity import IdentityFacts, identities_of
from registry.patients.models import Patient


def read_identifiers(user: User, patients: Iterable[Patient], *, now: datetime) -> dict[int, IdentityFacts]:
    """Identifiers of those whose site lets this person read them. The reading itself goes into the trail,
    once a page, with the ids of everybody shown.
    """
    allowed = [patient for patient in patients if user.may("identifiers.view", patient.site_id)]
    found = {pk: facts for pk, facts in identities_of(allowed).items() if facts}
    named = [patient for patient in allowed if patient.pk in found]
    if named:
        about: Patient | str = named[0] if len(named) == 1 else "patients_identity"
        detail = ", ".join(patient.patient_id for patient in named)
        with acting_as(user, channel="web"):
            record_event(action="identifiers read", about=about, detail=detail, now=now)
    return found


def patient_for(user: User, patient_id: str, act: str) -> Patient:
    """404 when the patient cannot be seen at all, 403 when seen but this act is not allowed there."""
    patient = get_object_or_404(
        Patient.objects.visible_to(user).select_related("site"), patient_id=patient_id
    )
    user.require(act, patient.site_id)
    return patient


def patient_within(user: User, patient_id: str, act: str) -> Patient:
    """404 unless this act is allowed at the patient's site, for pages of those who need not see the record."""
    within = Patient.objects.visible_to(user, act).select_related("site")
    return get_object_or_404(within, patient_id=patient_id)


def crumbs(patient: Patient, label: str) -> list[dict[str, str]]:
    return [
        {"label": "Patients", "url": reverse("patients:patient_list")},
        {"label": patient.patient_id, "url": reverse("desk:patient_record", args=[patient.patient_id])},
        {"label": label, "url": ""},
    ]


def conflicts(form: forms.BaseForm, stored: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Field by field what stands stored now and what was typed here, where they differ."""
    return [
        {
            "label": form.fields[name].label or name.replace("_", " ").capitalize(),
            "stored": before,
            "typed": typed,
        }
        for name, before in stored.items()
        if (typed := form.cleaned_data.get(name)) != before and (typed or before)
    ]


def with_version(request: HttpRequest, name: str, version: int) -> dict[str, Any]:
    """The posted answers again, started from the newest version: saving once more is a knowing decision."""
    posted = request.POST.copy()
    posted[name] = str(version)
    return posted
