"""Writing results and derived values out, pseudonymised."""

from collections.abc import Iterable, Sequence
from typing import Any

from followup.labs.models import DerivedValue, LabResult
from registry.access.masking import unmasked
from registry.exchange.exporting import ExportTable, Scope

RESULT_FIELDS = {
    "patient_id": "patient__patient_id",
    "collected_at": "collected_at",
    "analyte": "analyte",
    "value": "value_received",
    "unit": "unit_received",
    "fasting": "fasting",
    "laboratory": "laboratory__name",
    "accession": "accession",
    "test": "test",
    "minutes": "minutes",
    "specimen": "specimen",
    "method": "method",
    "comment": "comment",
    "result_id": "pk",
    "comparator": "comparator",
    "canonical_value": "canonical_value",
    "canonical_unit": "canonical_unit",
    "flag": "flag",
}
DERIVED_FIELDS = {
    "patient_id": "patient__patient_id",
    "code": "code",
    "at": "at",
    "value": "value",
    "unit": "unit",
    "formula_version": "formula_version",
    "status": "status",
    "reason": "reason",
    "inputs": "inputs",
}


def _results(scope: Scope) -> Iterable[Sequence[Any]]:
    """A result known to the day is written with the day alone; the LOINC it came under, where there was one."""
    names = list(RESULT_FIELDS)
    at, analyte = names.index("collected_at"), names.index("analyte")
    found = unmasked(scope.own(LabResult.objects.filter(withdrawn_at=None, **scope.filter())))
    rows = found.order_by("patient__patient_id", "pk")
    for line in rows.values_list(*RESULT_FIELDS.values(), "collected_on", "loinc").iterator():
        *cells, day, loinc = line
        cells[at] = cells[at] or day
        cells[analyte] = loinc or cells[analyte]
        yield cells


def _derived(scope: Scope) -> Iterable[Sequence[Any]]:
    at = list(DERIVED_FIELDS).index("at")
    rows = unmasked(DerivedValue.objects.filter(**scope.filter("patient__site")))
    ordered = rows.order_by("patient__patient_id", "on_date", "code", "pk")
    for line in ordered.values_list(*DERIVED_FIELDS.values(), "on_date").iterator():
        *cells, day = line
        cells[at] = cells[at] or day
        yield cells


LAB_RESULTS = ExportTable("lab_results", list(RESULT_FIELDS), _results, by_maker=True)
DERIVED_VALUES = ExportTable("derived_values", list(DERIVED_FIELDS), _derived)
