"""Which pages are about one person alone: those an opened record may be read on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.apps import apps
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from registry.access.opened import READ_ACTS
from registry.patients.belongings import belongings
from registry.patients.models import Patient

# Addresses that carry the number of a row instead of a patient id, and what kind of row it is. An address that is not
# named shows nothing of an opened record.
ROW_PAGES = {
    "schedule:visit": "schedule.Visit",
    "infusions:infusion": "infusions.Infusion",
    "safety:event": "safety.AdverseEvent",
    "neoplasia:check": "neoplasia.NeoplasiaCheck",
    "neoplasia:case": "neoplasia.Neoplasm",
    "patients:query": "patients.Query",
}
HISTORY = "audit:history"


def is_page_of(
    patient: Patient, request: HttpRequest, acts: tuple[str, ...], keys: Mapping[str, Any]
) -> bool:
    """Whether this address is a page to read about this person and nobody else."""
    match = request.resolver_match
    if request.method not in ("GET", "HEAD") or match is None or not READ_ACTS.intersection(acts):
        return False
    if "patient_id" in keys:
        return bool(keys["patient_id"] == patient.patient_id)
    label = str(keys.get("label", "")) if match.view_name == HISTORY else ROW_PAGES.get(match.view_name, "")
    return bool(label) and "pk" in keys and _is_row_of(patient, label, keys["pk"])


def _is_row_of(patient: Patient, label: str, pk: object) -> bool:
    try:
        model = apps.get_model(label)
        ways = next((one for one in belongings() if one.model is model), None)
        return ways is not None and ways.rows(patient).filter(pk=pk).exists()
    except (LookupError, ValueError, ValidationError):
        return False
