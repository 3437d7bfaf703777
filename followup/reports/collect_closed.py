"""What only the closed safety report says: who was given what, outcomes by product, masked results, and unblindings.

A person's group is the source and relation of all cells they were given; who had several is a group of their own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, time
from statistics import median
from zoneinfo import ZoneInfo

from followup.labs.catalogue import ANALYTES
from followup.labs.maskable import following, measured
from followup.labs.wording import INDEX_LABELS, unit_words
from followup.reports import numbers as shape
from followup.reports.cohort import Frame, Person, rate, rounded
from followup.reports.collect_events import Counted
from followup.reports.collect_glycaemia import Measure, glycaemia
from followup.reports.collect_neoplasia import Case
from registry.access.masking import masked_analytes
from registry.access.masking import words as masked_words
from registry.infusions.models import InfusionDose, Unblinding
from registry.patients.models import Status

MILLION = 1_000_000
SEVERAL, NO_DOSE = "Several products", "No dose recorded"
INDEX_UNITS = {"homa_beta": "%", "homa_s": "%"}


def closed_part(frame: Frame, counted: Sequence[Counted], cases: Sequence[Case]) -> shape.Closed:
    groups = _groups(frame)
    return {
        "groups": [_group(name, persons, frame, counted, cases) for name, persons in groups.items()],
        "products": _products(frame),
        "masked_words": masked_words(masked_analytes()),
        "masked": _masked(frame, groups),
        "unblindings": _unblindings(frame),
    }


def _doses(frame: Frame) -> dict[int, list[InfusionDose]]:
    found: dict[int, list[InfusionDose]] = defaultdict(list)
    rows = InfusionDose.objects.filter(
        infusion__patient__site__in=frame.site_ids, infusion__infused_on__lte=frame.cut_off
    )
    for dose in rows.select_related("lot", "infusion").order_by("infusion__infused_on", "infusion", "pk"):
        found[dose.infusion.patient_id].append(dose)
    return found


def _groups(frame: Frame) -> dict[str, list[Person]]:
    doses = _doses(frame)
    groups: dict[str, list[Person]] = defaultdict(list)
    for person in frame.infused:
        groups[_name({_words(dose) for dose in doses[person.pk]})].append(person)
    return dict(sorted(groups.items()))


def _name(given: set[str]) -> str:
    if not given:
        return NO_DOSE
    return next(iter(given)) if len(given) == 1 else SEVERAL


def _words(dose: InfusionDose) -> str:
    return f"{dose.get_tissue_source_display()}, {dose.get_donor_relation_display().lower()}"


def _group(
    name: str, persons: Sequence[Person], frame: Frame, counted: Sequence[Counted], cases: Sequence[Case]
) -> shape.ClosedGroup:
    own = {person.pk for person in persons}
    events = [one for one in counted if one.person.pk in own]
    serious = [one for one in events if one.event.counts_as_serious]
    per_kg = [
        float(given.viable_cells_per_kg) / MILLION
        for person in persons
        for given in person.infusions
        if given.viable_cells_per_kg is not None
    ]
    years = rounded(sum(person.years_from(frame.period_from.min, frame.cut_off) for person in persons))
    return {
        "group": name,
        "persons": len(persons),
        "infusions": sum(len(person.infusions) for person in persons),
        "median_million_per_kg": rounded(median(per_kg)) if per_kg else None,
        "lowest_million_per_kg": rounded(min(per_kg)) if per_kg else None,
        "highest_million_per_kg": rounded(max(per_kg)) if per_kg else None,
        "person_years": years,
        "events": len(events),
        "persons_with_event": len({one.person.pk for one in events}),
        "serious": len(serious),
        "persons_with_serious": len({one.person.pk for one in serious}),
        "serious_per_100_person_years": rate(len(serious), years),
        "reactions": sum(
            given.reaction not in ("", "none") for person in persons for given in person.infusions
        ),
        "neoplasms": sum(case.is_counted for case in cases if case.person.pk in own),
        "deaths": sum(person.row == Status.DECEASED for person in persons),
    }


def _products(frame: Frame) -> list[shape.ClosedProduct]:
    doses = _doses(frame)
    return [
        {
            "patient_id": person.patient_id,
            "infused_on": dose.infusion.infused_on.isoformat(),
            "lot": dose.lot.code,
            "product": _words(dose),
            "cell_type": dose.get_cell_type_display(),
            "viability_percent": float(dose.viability_percent),
            "million_per_kg": rounded(float(dose.viable_cells_per_kg) / MILLION),
        }
        for person in frame.infused
        for dose in doses[person.pk]
    ]


def _masked(frame: Frame, groups: dict[str, list[Person]]) -> list[shape.ClosedGlycaemiaRow]:
    measures = _measures()
    if not measures:
        return []
    return [
        {"group": name, "row": row}
        for name, persons in groups.items()
        for row in glycaemia(replace(frame, persons=persons), measures)
    ]


def _measures() -> list[Measure]:
    masked = measured(masked_analytes())
    tests = [
        (one.label, unit_words(one.unit) or "1", code) for code, one in ANALYTES.items() if code in masked
    ]
    worked_out = [
        (INDEX_LABELS.get(code, code), INDEX_UNITS.get(code, "1"), code) for code in sorted(following(masked))
    ]
    return [*tests, *worked_out]


def _unblindings(frame: Frame) -> list[shape.ClosedUnblinding]:
    """Of these persons, to the end of the last day at each site."""
    rows = Unblinding.objects.filter(patient__site__in=frame.site_ids).select_related(
        "patient", "patient__site", "unblinded_by"
    )
    return [
        {
            "patient_id": one.patient.patient_id,
            "site": one.patient.site.code,
            "at": one.unblinded_at.isoformat(),
            "by": str(one.unblinded_by),
            "reason": one.reason,
        }
        for one in rows.order_by("unblinded_at", "pk")
        if one.unblinded_at <= _end_of(frame, one.patient.site.time_zone)
    ]


def _end_of(frame: Frame, zone: str) -> datetime:
    return datetime.combine(frame.cut_off, time.max, tzinfo=ZoneInfo(zone))
