"""Values over time for charts and tables, and which of them is the baseline."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

from django.db.models import QuerySet

from followup.labs.derived import FORMULA_VERSIONS
from followup.labs.models import DerivedValue, LabResult
from registry.access.masking import unmasked
from registry.batches import batches
from registry.infusions.models import Infusion
from registry.patients.rules import is_baseline, treatment_start

BATCH = 2000
R = TypeVar("R", bound=QuerySet[Any])
TUMOUR_MARKERS = ("cea", "afp", "ca19_9", "ca125", "ca15_3", "psa")
INSULIN = ("insulin_daily_dose", "insulin_iu_per_kg_day")


@dataclass(frozen=True)
class Point:
    """A value in its canonical unit. `comparator` marks a censored one; `status` is ok, or why an index must not be read."""

    patient_id: int
    code: str
    day: date
    value: Decimal
    unit: str
    comparator: str = ""
    flag: str = ""
    status: str = "ok"


def series(patient_ids: Collection[int], codes: Iterable[str], *, with_masked: bool = False) -> list[Point]:
    """Results and derived values of these codes that have a number, in order of patient, code and day.

    Two queries for every 2,000 patients. An index that must not be read is there with its status, so that whoever draws it
    decides knowingly; `insulin_iu_per_kg_day` of the enrolment day comes from the enrolment. What the protocol masks is
    left out unless a closed report asks for it.
    """
    wanted, points = list(codes), []
    rows = _everything if with_masked else unmasked
    ids = sorted(set(patient_ids))
    for some in batches(ids, BATCH):
        points += _measured(rows(LabResult.objects.filter(patient_id__in=some)), wanted)
        points += _derived(
            rows(DerivedValue.objects.filter(patient_id__in=some)),
            [code for code in wanted if code in FORMULA_VERSIONS],
        )
    return sorted(points, key=lambda point: (point.patient_id, point.code, point.day))


def _everything(rows: R) -> R:
    return rows


def _measured(results: QuerySet[LabResult], codes: list[str]) -> list[Point]:
    rows = results.filter(analyte__in=codes, withdrawn_at=None, canonical_value__isnull=False)
    fields = (
        "patient_id",
        "analyte",
        "collected_on",
        "canonical_value",
        "canonical_unit",
        "comparator",
        "flag",
    )
    ordered = rows.order_by("patient_id", "collected_on", "collected_at", "pk")
    return [Point(*row) for row in ordered.values_list(*fields)]


def _derived(values: QuerySet[DerivedValue], codes: list[str]) -> list[Point]:
    if not codes:
        return []
    rows = values.filter(code__in=codes, value__isnull=False)
    ordered = rows.order_by("patient_id", "on_date", "at", "pk")
    return [
        Point(patient, code, day, value, unit, status=status)
        for patient, code, day, value, unit, status in ordered.values_list(
            "patient_id", "code", "on_date", "value", "unit", "status"
        )
        if value is not None
    ]


def treatment_starts(patient_ids: Collection[int]) -> dict[int, date]:
    """The day of the first infusion of those who had one. Mobilisation and hyperbaric sessions have no day of their own."""
    starts: dict[int, date] = {}
    ids = sorted(set(patient_ids))
    for batch in batches(ids, BATCH):
        rows = Infusion.objects.filter(patient_id__in=batch).order_by("pk")
        for patient, day in rows.values_list("patient_id", "infused_on"):
            first = treatment_start(starts.get(patient), day)
            if first:
                starts[patient] = first
    return starts


def baselines(points: Iterable[Point], starts: Mapping[int, date]) -> dict[tuple[int, str], Decimal]:
    """By patient and code: the latest readable value before treatment that is recent enough, for insulin the mean of the
    seven days before. Missing means that there is no baseline, and is shown as such. Censored values are no baseline.
    """
    usable: dict[tuple[int, str], list[Point]] = {}
    for point in points:
        treated = starts.get(point.patient_id)
        is_readable = point.status == "ok" and not point.comparator
        if treated and is_readable and is_baseline(baseline_kind(point.code), point.day, treated):
            usable.setdefault((point.patient_id, point.code), []).append(point)
    return {key: _baseline(some) for key, some in usable.items()}


def _baseline(points: list[Point]) -> Decimal:
    if points[0].code in INSULIN:
        return sum((point.value for point in points), Decimal(0)) / len(points)
    return max(points, key=lambda point: point.day).value


def baseline_kind(code: str) -> str:
    """The rule of age that applies: insulin 7 days, C-peptide and indices 60, tumour markers and everything else 90."""
    if code in INSULIN:
        return "insulin_dose"
    if "c_peptide" in code:
        return "c_peptide"
    if code in FORMULA_VERSIONS or code.startswith("homa"):
        return "index"
    return "tumour_marker" if code in TUMOUR_MARKERS else "hba1c"
