"""Ways to reach a person over fifteen years. Values are encrypted under the person's key. Needs `acting_as()`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from registry.access.models import User
from registry.patients.identity import keys_of, keys_to_write, seal_for, unseal_for
from registry.patients.models import ContactPoint, Patient

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
    return ContactPoint.objects.create(patient=patient, **columns)


def verify_contact(*, point: ContactPoint, on: date, by: User | None) -> None:
    if by is not None:
        by.require("identifiers.edit", point.patient.site_id)
    ContactPoint.objects.filter(pk=point.pk).update(verified_on=on)


def end_contact(*, point: ContactPoint, on: date, by: User | None) -> None:
    """Kept, and no longer used after that day."""
    if by is not None:
        by.require("identifiers.edit", point.patient.site_id)
    ContactPoint.objects.filter(pk=point.pk).update(valid_to=on)
