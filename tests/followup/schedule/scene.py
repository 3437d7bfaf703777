"""People with an enrolment and infusions, made directly; the news of them is sent by the test, or not."""

from datetime import date, timedelta
from typing import Any

from followup.schedule.actions import plan_visits
from followup.schedule.models import Visit
from registry.access.models import Site
from registry.infusions.models import Infusion
from registry.patients.models import Enrolment, Patient, StatusEvent
from tests.cast import NOW, TODAY

ENROLLED = date(2030, 1, 10)
INFUSED = date(2030, 1, 20)


def a_patient(site: Site, number: int = 1, enrolled_on: date | None = ENROLLED) -> Patient:
    patient = Patient.objects.create(
        patient_id=f"{site.code}-{number:04}", site=site, status="in_follow_up", created_at=NOW
    )
    if enrolled_on:
        Enrolment.objects.create(patient=patient, enrolled_on=enrolled_on)
    return patient


def infuse(patient: Patient, on: date = INFUSED) -> Infusion:
    return Infusion.objects.create(
        patient=patient, site=patient.site, infused_on=on, route="iv_peripheral", weight_kg=70
    )


def planned(site: Site, number: int = 1, infused_on: date = INFUSED) -> Patient:
    """In follow-up, with every visit of the plan."""
    patient = a_patient(site, number)
    infuse(patient, infused_on)
    plan_visits([patient.pk], now=NOW)
    return patient


def visit_of(patient: Patient, code: str, sequence: int = 1) -> Visit:
    return Visit.objects.get(patient=patient, visit_code=code, sequence=sequence)


def schedule(*patients: Patient) -> list[tuple[Any, ...]]:
    """What can be compared between two ways of getting there."""
    rows = Visit.objects.filter(patient__in=patients).order_by("visit_code", "sequence", "pk")
    return list(
        rows.values_list(
            "visit_code", "sequence", "anchor_date", "target_date", "window_opens", "window_closes", "state",
            "actual_date", "out_of_window",
        )
    )  # fmt: skip


def say(patient: Patient, status: str, on: date = TODAY - timedelta(days=1), **facts: Any) -> StatusEvent:
    """A step of status as the registry stores it."""
    Patient.objects.filter(pk=patient.pk).update(status=status)
    return StatusEvent.objects.create(
        patient=patient, status=status, on_date=on.isoformat(), recorded_at=NOW, **facts
    )
