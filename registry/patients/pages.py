"""Parts that several of this room's pages share."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.shortcuts import get_object_or_404
from django.urls import reverse

from registry.access.models import User
from registry.audit.acting import acting_as
from registry.audit.actions import record_event
from registry.patients.identity import IdentityFacts, identities_of
from registry.patients.models import Patient


def read_identifiers(user: User, patients: Iterable[Patient], *, now: datetime) -> dict[int, IdentityFacts]:
    """Identifiers of those whose site lets this person read them. The reading itself goes into the trail,
    once a page and site, with the ids of everybody shown.
    """
    allowed = [patient for patient in patients if user.may("identifiers.view", patient.site_id)]
    found = {pk: facts for pk, facts in identities_of(allowed).items() if facts}
    named = [patient for patient in allowed if patient.pk in found]
    sites: dict[int, list[Patient]] = {}
    for patient in named:
        sites.setdefault(patient.site_id, []).append(patient)
    for site_id, read in sites.items():
        about: Patient | str = read[0] if len(read) == 1 else "patients_identity"
        detail = ", ".join(patient.patient_id for patient in read)
        with acting_as(user, channel="web"):
            record_event(action="identifiers read", about=about, detail=detail, site_id=site_id, now=now)
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
