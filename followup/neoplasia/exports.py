"""The neoplasia tables of the export."""

from collections.abc import Iterator
from typing import Any

from followup.neoplasia.models import CheckItem, Neoplasm
from registry.exchange.exporting import ExportTable, Scope

_CHECK_PATHS = {
    "patient_id": "check_form__patient__patient_id",
    "visit_code": "check_form__visit__visit_code",
    "on_date": "check_form__on_date",
    "contact_mode": "check_form__contact_mode",
    "item": "item",
    "result": "result",
    "status": "status",
}
_CASE_PATHS = {
    "patient_id": "patient__patient_id",
    **{
        name: name
        for name in (
            *("case_ref", "status", "suspected_on", "diagnosed_on", "topography", "morphology"),
            *("behaviour", "donor_origin", "is_incident"),
        )
    },
}


def _check_rows(scope: Scope) -> Iterator[tuple[Any, ...]]:
    """One row an item; the outcome of the form is the item `outcome`."""
    items = CheckItem.objects.filter(**scope.filter("check_form__site"))
    ordered = items.order_by("check_form__patient__patient_id", "check_form__on_date", "check_form", "pk")
    last = None
    columns = ("check_form", "check_form__outcome", "check_form__is_partial", *_CHECK_PATHS.values())
    for check, outcome, partial, *row in ordered.values_list(*columns).iterator(chunk_size=2000):
        if check != last:
            yield (*row[:4], "outcome", outcome, "partial" if partial else "done")
            last = check
        yield tuple(row)


def _case_rows(scope: Scope) -> Iterator[tuple[Any, ...]]:
    cases = Neoplasm.objects.filter(**scope.filter()).order_by("patient__patient_id", "pk")
    yield from cases.values_list(*_CASE_PATHS.values()).iterator(chunk_size=2000)


NEOPLASIA_CHECKS = ExportTable("neoplasia_checks", list(_CHECK_PATHS), _check_rows)
NEOPLASMS = ExportTable("neoplasms", list(_CASE_PATHS), _case_rows)
