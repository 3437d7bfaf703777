"""Entries as lines of a page or a file: in plain words, with the patient, and the time at the site concerned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from registry.access.blinding import sees_history_of
from registry.access.models import Site, User
from registry.audit.history import Step, steps
from registry.audit.models import AuditEntry
from registry.patients.models import Patient

BATCH = 500


@dataclass(frozen=True)
class Line:
    step: Step
    entry: AuditEntry
    patient_id: str
    zone: str
    local: datetime


def lines_of(entries: list[AuditEntry], user: User) -> list[Line]:
    about = {entry.about_patient for entry in entries if entry.about_patient}
    patients = {one.pk: one for one in Patient.objects.filter(pk__in=about)}
    zones = dict(Site.objects.values_list("pk", "time_zone"))
    found = []
    for entry, step in zip(entries, steps(entries, names=partial(sees_history_of, user)), strict=True):
        patient = patients.get(entry.about_patient or 0)
        zone = zones.get(entry.about_site or (patient.site_id if patient else 0), "UTC")
        local = entry.at.astimezone(ZoneInfo(zone))
        found.append(Line(step, entry, patient.patient_id if patient else "", zone, local))
    return found


def every_line(entries: QuerySet[AuditEntry], user: User) -> Iterator[Line]:
    """Newest first, some hundred at a time; entries written meanwhile do not move what was read."""
    below: int | None = None
    while batch := list((entries.filter(pk__lt=below) if below else entries).order_by("-pk")[:BATCH]):
        yield from lines_of(batch, user)
        below = batch[-1].pk
