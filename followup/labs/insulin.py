"""Insulin treatment at a moment, from everything the record says about it."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import date

from followup.labs.models import LabResult
from followup.treatment.models import Treatment
from followup.treatment.rules import InsulinDose, InsulinSpan, insulin_status, is_insulin
from registry.patients.models import Enrolment

Lookup = Callable[[int, date], str]


def insulin_status_on(
    patient_ids: Sequence[int], also: Mapping[int, Sequence[InsulinDose]] | None = None
) -> Lookup:
    """A lookup (patient, day) to on_insulin, no_insulin or unknown, in three queries for all of them.

    `also` are doses about to be recorded.
    """
    spans, doses = _spans(patient_ids), _doses(patient_ids)
    for patient, more in (also or {}).items():
        doses[patient] += more

    def status(patient_id: int, day: date) -> str:
        return insulin_status(day, spans.get(patient_id, ()), doses.get(patient_id, ()))

    return status


def _spans(patient_ids: Sequence[int]) -> dict[int, list[InsulinSpan]]:
    found = defaultdict(list)
    rows = Treatment.objects.filter(patient_id__in=patient_ids, withdrawn_at=None).order_by("pk")
    for patient, drug, kind, start, stop in rows.values_list(
        "patient_id", "drug", "drug_class", "start_date", "stop_date"
    ):
        if is_insulin(drug, kind):
            found[patient].append(InsulinSpan(start, stop))
    return found


def _doses(patient_ids: Sequence[int]) -> dict[int, list[InsulinDose]]:
    found: dict[int, list[InsulinDose]] = defaultdict(list)
    enrolled = Enrolment.objects.filter(patient_id__in=patient_ids, insulin_iu_per_day__isnull=False)
    for patient, day, dose in enrolled.values_list("patient_id", "enrolled_on", "insulin_iu_per_day"):
        if dose is not None:
            found[patient].append(InsulinDose(day, dose))
    recorded = LabResult.objects.filter(
        patient_id__in=patient_ids, analyte="insulin_daily_dose", comparator="", withdrawn_at=None
    )
    for patient, day, dose in recorded.values_list("patient_id", "collected_on", "canonical_value"):
        if dose is not None:
            found[patient].append(InsulinDose(day, dose))
    return found
