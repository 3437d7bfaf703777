"""What waits for a coordinator on Today: a record to unlock, another day of an infusion. Closed by the decision."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.urls import reverse

from followup.schedule.actions.work_items import close_work_item, raise_work_item
from followup.schedule.models import WorkItem
from registry.access.models import Site
from registry.clock import local_date
from registry.infusions.models import DayCorrection
from registry.infusions.signals import day_correction_changed
from registry.patients.models import Patient
from registry.signatures.models import UnlockRequest
from registry.signatures.signable import signable_named
from registry.signatures.signals import unlock_changed

UNLOCK, OTHER_DAY = "unlock_request", "other_day"
# Matters that are nobody's who could not decide on them.
WHO_MAY_ANSWER = {UNLOCK: "records.unlock", OTHER_DAY: "infusions.approve_date"}
COORDINATOR = "coordinator"


def hear_of_approvals() -> None:
    unlock_changed.connect(unlocking, dispatch_uid="schedule-asks-to-unlock")
    day_correction_changed.connect(other_day, dispatch_uid="schedule-asks-for-other-days")


def unlocking(request: UnlockRequest, now: datetime, **_: Any) -> None:
    """One that was approved alone stays on Today until its delay is over: it can be stopped."""
    source, state = f"unlock:{request.pk}", request.state_at(now)
    if state not in ("asked", "waits"):
        close_work_item(kind=UNLOCK, source=source, because=f"Unlocking: {state}", by=None, now=now)
        return
    signable, patient = signable_named(request.record), _patient(request)
    if signable is None or patient is None:
        return
    title = f"{request.asked_by} asks to unlock a {signable.noun}: {request.reason}"
    _raise(UNLOCK, source, patient, patient.site, title, reverse("signatures:lock_list"), now)


def other_day(correction: DayCorrection, now: datetime, **_: Any) -> None:
    source = f"other_day:{correction.pk}"
    if correction.state != DayCorrection.State.ASKED:
        close_work_item(
            kind=OTHER_DAY, source=source, because=correction.get_state_display(), by=correction.decided_by, now=now
        )  # fmt: skip
        return
    title = f"Another day of an infusion touches what is signed or locked: {correction}"
    url = reverse("infusions:day_correction", args=[correction.pk])
    _raise(OTHER_DAY, source, correction.patient, correction.site, title, url, now)


def _patient(request: UnlockRequest) -> Patient | None:
    return Patient.objects.filter(patient_id=request.patient_id).select_related("site").first()


def _raise(kind: str, source: str, patient: Patient, site: Site, title: str, url: str, now: datetime) -> None:
    raise_work_item(
        kind=kind, source=source, patient=patient, site=site, title=title, url=url, level=WorkItem.Level.DUE,
        role=COORDINATOR, due_on=local_date(now, site.time_zone), now=now,
    )  # fmt: skip
