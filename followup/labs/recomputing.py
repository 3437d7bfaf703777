"""Keeping derived values true to their inputs: worked out again whenever one changes, set-based, never deleted."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from followup.labs.derivation import ENROLMENT, INPUT_ANALYTES, Person, Sample, Worked, work_out
from followup.labs.insulin import insulin_status_on
from followup.labs.models import DerivedValue, LabResult
from followup.labs.units import DEFAULT_INSULIN_PMOL_PER_MIU
from followup.treatment.rules import InsulinDose
from registry.batches import batches
from registry.patients.identity import identities_of
from registry.patients.models import Enrolment, Patient

BATCH = 500
COMPARED = ("visit_id", "on_date", "at", "value", "unit", "formula_version", "status", "reason", "inputs")
GONE = "an input was withdrawn or corrected; nothing is left to work this out from"
ENROLMENT_MEASURES = {
    "weight": "weight_kg",
    "height": "height_cm",
    "insulin_daily_dose": "insulin_iu_per_day",
}


@dataclass
class Recomputed:
    created: int = 0
    updated: int = 0
    unchanged: int = 0


def recompute(patient_ids: Iterable[int], *, now: datetime) -> Recomputed:
    """Needs `acting_as()`. Asking again changes nothing. A value whose inputs vanished stays, as not computable, with why."""
    total = Recomputed()
    ids = sorted(set(patient_ids))
    for batch in batches(ids):
        _recompute_some(batch, total)
    return total


def _recompute_some(patient_ids: Sequence[int], total: Recomputed) -> None:
    people, samples = people_of(patient_ids), samples_of(patient_ids)
    stored: dict[int, dict[tuple[str, str], DerivedValue]] = defaultdict(dict)
    for row in DerivedValue.objects.filter(patient_id__in=patient_ids):
        stored[row.patient_id][row.code, row.source_key] = row
    new: list[DerivedValue] = []
    changed: list[DerivedValue] = []
    for patient_id, person in people.items():
        rows = stored[patient_id]
        for worked in work_out(person, samples.get(patient_id, [])):
            wanted = as_row(patient_id, worked)
            if worked.key not in rows:
                new.append(wanted)
            elif _take_over(row := rows.pop(worked.key), wanted):
                changed.append(row)
            else:
                total.unchanged += 1
        changed += [row for row in rows.values() if _mark_gone(row)]
    DerivedValue.objects.bulk_create(new)
    DerivedValue.objects.bulk_update(
        changed, [name.removesuffix("_id") for name in COMPARED], batch_size=BATCH
    )
    total.created += len(new)
    total.updated += len(changed)


def _take_over(row: DerivedValue, wanted: DerivedValue) -> bool:
    differs = [name for name in COMPARED if getattr(row, name) != getattr(wanted, name)]
    for name in differs:
        setattr(row, name, getattr(wanted, name))
    return bool(differs)


def _mark_gone(row: DerivedValue) -> bool:
    before = (row.status, row.value, row.reason)
    row.status, row.value, row.reason = DerivedValue.Status.NOT_COMPUTABLE, None, GONE
    return before != (row.status, row.value, row.reason)


def as_row(patient_id: int, worked: Worked) -> DerivedValue:
    """The row as it is stored; also what a page shows before anything is."""
    anchor, index = worked.anchor, worked.index
    results = [part.result_id for part in worked.parts if part.result_id]
    return DerivedValue(
        patient_id=patient_id,
        visit_id=anchor.visit_id,
        code=index.code,
        on_date=anchor.day,
        at=anchor.at,
        value=index.value,
        unit=index.unit,
        formula_version=index.formula_version,
        status=index.status,
        reason=index.reason[:300],
        inputs=json.dumps({**index.inputs, "results": results}, ensure_ascii=False),
        source_key=anchor.key,
    )


# Reading -----------------------------------------------------------------------------------------------------


def people_of(
    patient_ids: Sequence[int], also: Mapping[int, Sequence[InsulinDose]] | None = None
) -> dict[int, Person]:
    """`also` are insulin doses about to be recorded.

    A birth date known to the day gives the age; without one (or after erasure) the year of birth does.
    """
    identities, status = identities_of(patient_ids), insulin_status_on(patient_ids, also)
    rows = Patient.objects.filter(pk__in=patient_ids).values_list("pk", "sex_at_birth", "birth_year")
    return {
        pk: Person(
            sex_at_birth=sex,
            born=identities[pk].birth_date or (str(year) if year else ""),
            insulin_status=partial(status, pk),
        )
        for pk, sex, year in rows
    }


def samples_of(patient_ids: Sequence[int]) -> dict[int, list[Sample]]:
    """Results that stand, and the measures of enrolment."""
    found: dict[int, list[Sample]] = defaultdict(list)
    rows = LabResult.objects.filter(
        patient_id__in=patient_ids, analyte__in=INPUT_ANALYTES, withdrawn_at=None
    ).select_related("laboratory")
    for row in rows.order_by("pk"):
        found[row.patient_id].append(sample_of(row))
    for enrolment in Enrolment.objects.filter(patient_id__in=patient_ids):
        found[enrolment.patient_id] += [
            Sample(key=ENROLMENT, analyte=analyte, day=enrolment.enrolled_on, value=getattr(enrolment, field))
            for analyte, field in ENROLMENT_MEASURES.items()
            if getattr(enrolment, field) is not None
        ]
    return found


def sample_of(row: LabResult) -> Sample:
    """Works for a result not yet stored, too."""
    laboratory = row.laboratory
    return Sample(
        key=f"result:{row.pk}" if row.pk else f"new:{row.analyte}",
        analyte=row.analyte,
        day=row.collected_on,
        value=row.canonical_value,
        comparator=row.comparator,
        at=row.collected_at,
        result_id=row.pk,
        visit_id=row.visit_id,
        specimen=(row.laboratory_id, row.accession),
        fasting=row.fasting,
        insulin_free=row.insulin_free,
        insulin_pmol_per_miu=laboratory.insulin_pmol_per_mu if laboratory else DEFAULT_INSULIN_PMOL_PER_MIU,
    )
