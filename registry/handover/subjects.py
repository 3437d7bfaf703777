"""Whose record an address is about, so that what was typed there and not saved goes with that person's key."""

from __future__ import annotations

from django.apps import apps
from django.urls import ResolverMatch

from registry.patients.identity import keys_of
from registry.patients.models import Patient
from registry.signin.drafts import People, know_people

# Addresses that carry the number of a row, by how their name begins (the longest counts), and what row it is.
ROW_FORMS = {
    "schedule:visit": "schedule.Visit",
    "labs:visit_": "schedule.Visit",
    "labs:result_": "labs.LabResult",
    "neoplasia:check": "neoplasia.NeoplasiaCheck",
    "neoplasia:check_add": "schedule.Visit",
    "neoplasia:case": "neoplasia.Neoplasm",
    "safety:event": "safety.AdverseEvent",
    "treatment:treatment_": "treatment.Treatment",
    "infusions:infusion": "infusions.Infusion",
    "infusions:correct": "infusions.Infusion",
    "infusions:order_": "infusions.InfusionOrder",
    "infusions:day_correction": "infusions.DayCorrection",
    "signatures:unlock": "signatures.RecordLock",
    "signatures:unlock_": "signatures.UnlockRequest",
    "patients:query": "patients.Query",
    "patients:erasure": "patients.ErasureRequest",
    "handover:transfer": "handover.Transfer",
}


def register() -> None:
    know_people(People(patient_of, lambda patient: keys_of([patient]).get(patient)))


def patient_of(match: ResolverMatch) -> int | None:
    """The person's primary key; None for an address that is about nobody."""
    keys = match.kwargs
    if "patient_id" in keys:
        return Patient.objects.filter(patient_id=keys["patient_id"]).values_list("pk", flat=True).first()
    label = str(keys.get("label", "")) or _label_of(match.view_name)
    return _owner(label, keys["pk"]) if label and "pk" in keys else None


def _label_of(view_name: str) -> str:
    fitting = [start for start in ROW_FORMS if view_name.startswith(start)]
    return ROW_FORMS[max(fitting, key=len)] if fitting else ""


def _owner(label: str, pk: int) -> int | None:
    try:
        model = apps.get_model(label)
    except (LookupError, ValueError):
        return None
    columns = {field.name: field for field in model._meta.fields}
    row = model._base_manager.filter(pk=pk)
    owner: int | None = None
    if "patient" in columns and columns["patient"].related_model is Patient:
        owner = row.values_list("patient", flat=True).first()
    elif "patient_id" in columns:  # the number, in a room below the patients
        owner = (
            Patient.objects.filter(patient_id__in=row.values("patient_id"))
            .values_list("pk", flat=True)
            .first()
        )
    return owner
