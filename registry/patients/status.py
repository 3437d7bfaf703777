"""What became of a patient: a dated history and the status it leads to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date, datetime

from registry import clock, partial_dates
from registry.access.models import User
from registry.audit.acting import because
from registry.patients.models import Patient, Status, StatusEvent
from registry.patients.review import review_patients
from registry.patients.signals import status_changed
from registry.saving import create_once, made_by

BATCH = 500


class CannotRecord(Exception):
    """The facts cannot be true, or would do what was not confirmed. The text is for the person."""


@dataclass(frozen=True)
class StatusFacts:
    """One step of the history. A death counts as reported until `death_confirmed`."""

    status: str
    on_date: str
    scope: str = ""
    reason: str = ""
    death_confirmed: bool | None = None
    cause_of_death: str = ""
    autopsy: str = ""
    form_token: str = ""


def record_status(*, patient: Patient, facts: StatusFacts, by: User | None, now: datetime) -> StatusEvent:
    """The same death recorded again as confirmed confirms the first report. `erase` is only noted here: the erasure
    itself is asked for and carried out by two people (`erasing`).
    """
    if by is not None:
        by.require("consent.record", patient.site_id)
    if trouble := status_trouble(facts, today=clock.local_date(now, patient.site.time_zone)):
        raise CannotRecord(trouble)
    if first := made_by(StatusEvent, facts.form_token, patient=patient):
        return first
    step = StatusEvent.objects.filter(
        patient=patient, status=facts.status, on_date=facts.on_date, scope=facts.scope
    )
    if step.exists() and not facts.reason:
        raise CannotRecord("This step is recorded already. To add to it, say in the reason why.")

    def make() -> StatusEvent:
        (event,) = record_statuses(entries=[(patient, facts)], now=now)
        return event

    with because(facts.reason) if facts.reason else nullcontext():
        event = create_once(StatusEvent, facts.form_token, make, patient=patient)
    patient.refresh_from_db(fields=["status", "version"])
    return event


def record_statuses(*, entries: Sequence[tuple[Patient, StatusFacts]], now: datetime) -> list[StatusEvent]:
    """The set-based form for imports; rights and possible dates are the caller's to check."""
    stored = _stored([patient.pk for patient, _ in entries])
    events, new = [], []
    for patient, facts in entries:
        key = (patient.pk, facts.status, facts.on_date, facts.scope)
        event = stored.get(key)
        if event is None:
            event = stored[key] = StatusEvent(patient=patient, recorded_at=now, form_token=facts.form_token)
            new.append(event)
        _write_into(event, facts)
        events.append(event)
    StatusEvent.objects.bulk_create(new, batch_size=BATCH)
    for event in events:
        if event not in new:
            event.save()
    ids = sorted({patient.pk for patient, _ in entries})
    keep_in_step(ids)
    review_patients(ids, now=now)
    status_changed.send(sender=Patient, patients=ids, now=now)
    return events


def status_trouble(facts: StatusFacts, *, today: date) -> str:
    """What makes the step impossible, in words; blank when it can be recorded."""
    if partial_dates.earliest(facts.on_date) > today:
        return f"The date {facts.on_date} lies in the future: record what has happened."
    if facts.scope and facts.status != Status.WITHDRAWN:
        return "Only a withdrawal has a scope. Leave the scope blank, or record a withdrawal."
    return ""


def _stored(patient_ids: Iterable[int]) -> dict[tuple[int, str, str, str], StatusEvent]:
    rows = StatusEvent.objects.filter(patient_id__in=set(patient_ids))
    return {(row.patient_id, row.status, row.on_date, row.scope): row for row in rows}


def _write_into(event: StatusEvent, facts: StatusFacts) -> None:
    event.status, event.on_date, event.scope = facts.status, facts.on_date, facts.scope
    event.reason = facts.reason or event.reason
    if facts.status == Status.DECEASED:
        event.death_confirmed = bool(facts.death_confirmed or event.death_confirmed)
        event.cause_of_death = facts.cause_of_death or event.cause_of_death
        event.autopsy = facts.autopsy or event.autopsy


def keep_in_step(patient_ids: Iterable[int]) -> None:
    """`Patient.status` is that of the latest step; of one day, the one recorded last."""
    ids = set(patient_ids)
    latest: dict[int, tuple[date, int, str]] = {}
    for event in StatusEvent.objects.filter(patient_id__in=ids):
        step = (partial_dates.latest(event.on_date), event.pk, event.status)
        latest[event.patient_id] = max(step, latest.get(event.patient_id, step))
    by_status: dict[str, list[int]] = defaultdict(list)
    for patient in Patient.objects.filter(pk__in=latest):
        status = latest[patient.pk][2]
        if patient.status != status:
            by_status[status].append(patient.pk)
    for status, changed in by_status.items():
        Patient.objects.filter(pk__in=changed).update(status=status)
