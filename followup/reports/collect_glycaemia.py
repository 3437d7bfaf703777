"""Glycaemic control by visit: levels, and the change from baseline within each person who has both values.

A value belongs to the visit after the first infusion whose window holds it, nearest target first; values below or above a
limit of measurement, and indices that must not be read, are left out. Described, never tested.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from statistics import mean, stdev

from followup.labs.series import Point, baselines, series
from followup.reports import numbers as shape
from followup.reports.cohort import Frame, rounded
from followup.schedule.models import Visit

MEASURES = (
    ("HbA1c", "%", "hba1c"),
    ("Fasting glucose", "mmol/L", "fasting_glucose"),
    ("Fasting C-peptide", "nmol/L", "fasting_c_peptide"),
    ("HOMA-IR", "1", "homa_ir"),
    ("Insulin dose", "IU/kg/day", "insulin_iu_per_kg_day"),
)
BASELINE = "Baseline"
Measure = tuple[str, str, str]

Windows = dict[int, list[tuple[date, date, date, int, str]]]


def glycaemia(frame: Frame, measures: Sequence[Measure] = MEASURES) -> list[shape.GlycaemiaRow]:
    starts = {person.pk: person.first_infusion for person in frame.infused if person.first_infusion}
    found = series(starts, [code for _, _, code in measures], with_masked=frame.shows_product)
    points = [point for point in found if point.day <= frame.cut_off]
    before = {key: float(value) for key, value in baselines(points, starts).items()}
    windows = _windows(frame)
    rows: list[shape.GlycaemiaRow] = []
    for measure, unit, code in measures:
        at_baseline = {pk: value for (pk, of), value in before.items() if of == code}
        if at_baseline:
            rows.append(_row(measure, unit, BASELINE, at_baseline, {}))
        by_visit = _by_visit([p for p in points if p.code == code], windows)
        rows += [
            _row(measure, unit, label, by_visit[place, label], at_baseline)
            for place, label in sorted(by_visit)
        ]
    return rows


def _windows(frame: Frame) -> Windows:
    """Of each person infused: opens, closes, target, place in the plan and label of the visits after the first infusion."""
    found: Windows = defaultdict(list)
    rows = Visit.objects.filter(
        patient__site__in=frame.site_ids, anchor="first_infusion", timepoint__isnull=False
    )
    columns = (
        "patient_id",
        "window_opens",
        "window_closes",
        "target_date",
        "timepoint__position",
        "timepoint__label",
    )
    for pk, opens, closes, target, place, label in rows.order_by("pk").values_list(*columns):
        if opens and closes and target:
            found[pk].append((opens, closes, target, place, label))
    return found


def _by_visit(points: Sequence[Point], windows: Windows) -> dict[tuple[int, str], dict[int, float]]:
    """Values by visit and person: of several in one window the one nearest to the target."""
    nearest: dict[tuple[int, str], dict[int, tuple[int, float]]] = defaultdict(dict)
    for point in points:
        if point.status != "ok" or point.comparator:
            continue
        fitting = [w for w in windows.get(point.patient_id, []) if w[0] <= point.day <= w[1]]
        if not fitting:
            continue
        _, _, target, place, label = min(fitting, key=lambda w: (abs((w[2] - point.day).days), w[2]))
        value = (abs((target - point.day).days), float(point.value))
        chosen = nearest[place, label]
        chosen[point.patient_id] = min(value, chosen.get(point.patient_id, value), key=lambda one: one[0])
    return {visit: {pk: value for pk, (_, value) in some.items()} for visit, some in nearest.items()}


def _row(
    measure: str, unit: str, visit: str, values: Mapping[int, float], at_baseline: Mapping[int, float]
) -> shape.GlycaemiaRow:
    levels = [values[pk] for pk in sorted(values)]
    changes = [values[pk] - at_baseline[pk] for pk in sorted(values) if pk in at_baseline]
    return {
        "measure": measure,
        "unit": unit,
        "visit": visit,
        "n": len(levels),
        "mean": rounded(mean(levels)) if levels else None,
        "sd": rounded(stdev(levels)) if len(levels) > 1 else None,
        "n_change": len(changes),
        "mean_change": rounded(mean(changes)) if changes else None,
        "sd_change": rounded(stdev(changes)) if len(changes) > 1 else None,
    }
