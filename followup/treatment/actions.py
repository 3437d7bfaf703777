"""Writing down insulin and other drugs over time. Needs `acting_as()`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal

from followup.treatment.models import Treatment
from followup.treatment.signals import treatments_changed
from registry.access.models import User
from registry.audit.acting import because
from registry.patients.models import Patient
from registry.saving import ChangedMeanwhile, create_once, made_by


class AlreadyRecorded(Exception):
    """The drug with this start stands already; a new dose is a new row with its own start."""


@dataclass(frozen=True)
class TreatmentFacts:
    """Dates may be partial; a blank stop is still running, a blank dose unknown."""

    drug: str
    start_date: str
    drug_class: str = ""
    dose: Decimal | None = None
    unit: str = ""
    per: str = ""
    stop_date: str = ""
    reason: str = ""
    prescribed_or_taken: str = ""


def add_treatment(
    *, patient: Patient, facts: TreatmentFacts, by: User, now: datetime, form_token: str = ""
) -> Treatment:
    """The same form sent twice gives the first."""
    by.require("treatment.record", patient.site_id)
    if first := made_by(Treatment, form_token, patient=patient):
        return first
    same = Treatment.objects.filter(
        patient=patient, drug=facts.drug, start_date=facts.start_date, withdrawn_at=None
    )
    if same.exists():
        raise AlreadyRecorded(f"{facts.drug} from {facts.start_date} is already recorded.")

    def make() -> Treatment:
        made = Treatment.objects.create(
            patient=patient, site_id=patient.site_id, form_token=form_token, **asdict(facts)
        )
        _tell(patient.pk, now)
        return made

    return create_once(Treatment, form_token, make, patient=patient)


def stop_treatment(
    *, treatment: Treatment, stop_date: str, reason: str, version: int, by: User, now: datetime
) -> None:
    """A stop is a new fact, so its reason is part of the record."""
    changes = {"stop_date": stop_date, "reason": reason or treatment.reason}
    with because(reason):
        _change(treatment, changes, version, by, now)


def correct_treatment(
    *, treatment: Treatment, facts: TreatmentFacts, reason: str, version: int, by: User, now: datetime
) -> None:
    """The trail keeps what stood there before, with the reason for the correction."""
    same = Treatment.objects.filter(
        patient=treatment.patient_id, drug=facts.drug, start_date=facts.start_date, withdrawn_at=None
    )
    if same.exclude(pk=treatment.pk).exists():
        raise AlreadyRecorded(f"{facts.drug} from {facts.start_date} is already recorded.")
    with because(reason):
        _change(treatment, asdict(facts), version, by, now)


def withdraw_treatment(*, treatment: Treatment, reason: str, version: int, by: User, now: datetime) -> None:
    """For what was never true: entered for the wrong person, or twice."""
    with because(reason):
        _change(treatment, {"withdrawn_at": now}, version, by, now)


def _change(
    treatment: Treatment, changes: Mapping[str, object], version: int, by: User, now: datetime
) -> None:
    by.require("treatment.record", treatment.site_id)
    rows = Treatment.objects.filter(pk=treatment.pk, version=version, withdrawn_at=None)
    if not rows.update(**changes, version=version + 1):
        raise ChangedMeanwhile("Somebody else changed this treatment after you opened it.")
    _tell(treatment.patient_id, now)


def _tell(patient: int, now: datetime) -> None:
    treatments_changed.send(sender=Treatment, patients=[patient], now=now)
