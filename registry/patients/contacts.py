"""Ways to reach a person over fifteen years. Values are encrypted under the person's key. Needs `acting_as()`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from registry.access.models import User
from registry.audit.acting import because
from registry.patients.identity import keys_of, keys_to_write, seal_for, unseal_for
from registry.patients.models import ContactPoint, Patient
from registry.saving import ChangedMeanwhile, create_once

PURPOSE = "contact"


@dataclass(frozen=True)
class ContactFacts:
    value: str
    valid_from: date
    person: str = "patient"
    relation: str = ""
    kind: str = "phone"
    verified_on: date | None = None
    may_use: bool = True
    may_leave_message: bool = False
    form_token: str = ""


@dataclass(frozen=True)
class ReadableContact:
    """A contact point with its value in clear; blank once the person was erased."""

    point: ContactPoint
    value: str


def contacts_of(patient: Patient) -> list[ReadableContact]:
    """Current ones first, then those that ended."""
    key = keys_of([patient.pk]).get(patient.pk)
    points = sorted(
        ContactPoint.objects.filter(patient=patient), key=lambda point: point.valid_to is not None
    )
    return [
        ReadableContact(point, unseal_for(patient.pk, key, PURPOSE, point.value) if key else "")
        for point in points
    ]


def add_contact(*, patient: Patient, facts: ContactFacts, by: User | None) -> ContactPoint:
    if by is not None:
        by.require("identifiers.edit", patient.site_id)
    key = keys_to_write([patient.pk])[patient.pk]
    columns = vars(facts) | {"value": seal_for(patient.pk, key, PURPOSE, facts.value)}
    return create_once(
        ContactPoint, facts.form_token, lambda: ContactPoint.objects.create(patient=patient, **columns), patient=patient
    )  # fmt: skip


def verify_contact(*, point: ContactPoint, on: date, by: User | None) -> None:
    if by is not None:
        by.require("identifiers.edit", point.patient.site_id)
    _note(point, "Verified with the person", verified_on=on)


def end_contact(*, point: ContactPoint, on: date, by: User | None) -> None:
    """Kept, and no longer used after that day."""
    if by is not None:
        by.require("identifiers.edit", point.patient.site_id)
    _note(point, "No longer in use", valid_to=on)


def _note(point: ContactPoint, reason: str, **columns: date) -> None:
    """ChangedMeanwhile once the contact point has ended."""
    with because(reason):
        if not ContactPoint.objects.filter(pk=point.pk, valid_to=None).update(**columns):
            raise ChangedMeanwhile("This contact was ended already.")
