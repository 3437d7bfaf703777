"""Visits to be reminded of, made directly: month 12 of the default plan, its steps 30 and 7 days before the target, on
it, 3 days before the window closes, and 7 and 30 days after.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from followup.reminders.actions import run_sweep
from followup.reminders.models import Reminder
from followup.reminders.totals import Totals
from followup.schedule.actions import ensure_default_plan
from followup.schedule.models import Timepoint, Visit
from registry.access.models import Site
from registry.patients.models import Patient, StatusEvent
from tests.cast import NOW, TODAY


def a_patient(site: Site, number: int = 1) -> Patient:
    return Patient.objects.create(
        patient_id=f"{site.code}-{number:04}", site=site, status="in_follow_up", created_at=NOW
    )


def a_visit(patient: Patient, target: date = TODAY, **other: Any) -> Visit:
    ensure_default_plan(NOW)
    timepoint = Timepoint.objects.get(code="M12")
    before, after = timedelta(days=timepoint.days_before), timedelta(days=timepoint.days_after)
    facts = {
        "patient": patient, "site": patient.site, "timepoint": timepoint, "visit_code": "M12", "target_date": target,
        "window_opens": target - before, "window_closes": target + after, "anchor": "first_infusion",
        "anchor_date": target - timedelta(days=365), "created_on": target - timedelta(days=365),
    }  # fmt: skip
    return Visit.objects.create(**facts | other)


def move(visit: Visit, days: int) -> None:
    step = timedelta(days=days)
    visit.target_date += step
    visit.window_opens += step
    visit.window_closes += step
    visit.save()


def at(day: date) -> datetime:
    return datetime.combine(day, time(9, 30), tzinfo=UTC)


def sweep_on(day: date) -> Totals:
    return run_sweep(now=at(day), as_of=at(day))


def steps(visit: Visit, **only: Any) -> list[str]:
    return [row.step for row in Reminder.objects.filter(visit=visit, **only).order_by("pk")]


def has_status(patient, status, **facts):
    patient.status = status
    patient.save()
    StatusEvent.objects.create(patient=patient, status=status, on_date=f"{TODAY}", recorded_at=NOW, **facts)
