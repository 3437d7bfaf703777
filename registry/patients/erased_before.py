"""Erasures outlive the backups made before them: each is noted outside the database and carried out again after a restore."""

from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction

from registry.backups import hooks, ledger
from registry.patients.erasing import destroy_key, is_erased
from registry.patients.models import Patient
from registry.patients.signals import identifiers_erased


def register() -> None:
    identifiers_erased.connect(_note, dispatch_uid="ledger-of-erasures")
    hooks.after_restore("erasures", erase_again)


def _note(*, patients: list[int], now: datetime, **_: Any) -> None:
    ids = list(Patient.objects.filter(pk__in=patients).order_by("pk").values_list("patient_id", flat=True))
    transaction.on_commit(partial(ledger.note, ids, now=now))


def erase_again(restored: hooks.Restored) -> dict[str, Any]:
    """Those in the ledger whose key came back with the backup. Needs `acting_as()`."""
    listed = Patient.objects.filter(patient_id__in=restored.erased, key__isnull=False)
    again = [patient for patient in listed.order_by("pk") if not is_erased(patient)]
    for patient in again:
        destroy_key(patient=patient, now=restored.at)
    return {"erased_again": len(again)}
