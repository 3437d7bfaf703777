"""Where a person was, and when: one who moved brings along what happened on the clock of the site before."""

from __future__ import annotations

from datetime import datetime

from registry.handover.models import Transfer
from registry.patients.models import Patient


def zone_at(patient: Patient, moment: datetime) -> str:
    """The time zone of the site the person was at. Before the first transfer that follows `moment`: where it began."""
    later = Transfer.objects.accepted().filter(patient=patient, decided_at__gt=moment)
    first = later.select_related("from_site").order_by("decided_at", "pk").first()
    return first.from_site.time_zone if first else patient.site.time_zone


def transfers_of(patient: Patient) -> list[Transfer]:
    """Every transfer of this person, newest first, whatever became of it."""
    rows = Transfer.objects.filter(patient=patient)
    rows = rows.select_related("from_site", "to_site", "asked_by", "decided_by")
    return list(rows.order_by("-asked_at", "-pk"))
