"""What a correction would lead to, found by making it and taking it back: which signed or locked records it touches, and
which dates move. Nothing is stored.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.db import models, transaction

from registry.access.blinding import asks_about_product
from registry.access.models import Registry
from registry.audit.history import model_of, steps
from registry.audit.models import AuditEntry
from registry.patients.models import Patient, Query
from registry.signatures.locks import lock_of
from registry.signatures.models import RecordLock, Signature
from registry.signatures.signable import content_of, signable_named, signables
from registry.signatures.states import standing_of
from registry.signatures.watching import newest_entry

NOT_TOLD = {"Anchor date"}  # says once more what the target says


@dataclass(frozen=True)
class Effects:
    """In words, a line a matter. `touched`: signed or locked records whose signed content would be another."""

    touched: list[str]
    follows: list[str]


class _TakeBack(Exception):
    """Ends the trial: the database forgets all of it."""


def effects_of(change: Callable[[], object], *, patient: Patient) -> Effects:
    """`change` must work on rows it read itself. Its refusals come through. Needs `acting_as()`."""
    before = {(type(row), row.pk): (content_of(row).sha256, words) for row, words in _held(patient)}
    newest = newest_entry()
    found = Effects([], [])
    try:
        with transaction.atomic():
            change()
            touched = [
                words
                for (model, pk), (digest, words) in before.items()
                if content_of(model._base_manager.get(pk=pk)).sha256 != digest
            ]
            found = Effects(touched, list(_what_followed(patient, newest)))
            raise _TakeBack
    except _TakeBack:
        return found


def _held(patient: Patient) -> Iterator[tuple[models.Model, str]]:
    """The records of this person with a valid signature or a lock, and by whom."""
    number = patient.patient_id
    signed = Signature.objects.filter(patient_id=number).order_by("pk").values_list("record", "row_pk")
    locked = RecordLock.objects.filter(patient_id=number, unlocked_at=None).order_by("pk")
    for label, pk in sorted({*signed, *locked.values_list("record", "row_pk")}):
        signable = signable_named(label)
        row = signable.model._base_manager.filter(pk=pk).first() if signable else None
        if signable is None or row is None:
            continue
        names = [state.signature.printed_name for state in standing_of(row).valid]
        held = [f"signed by {', '.join(dict.fromkeys(names))}"] if names else []
        if lock := lock_of(row):
            held.append(f"locked by {lock.locked_by}")
        if held:
            yield row, f"{signable.noun.capitalize()} {row}: {', '.join(held)}"


def _what_followed(patient: Patient, newest: int) -> Iterator[str]:
    tables = {kind.model._meta.db_table for signable in signables() for kind in signable.kinds}
    entries = list(
        AuditEntry.objects.filter(
            pk__gt=newest, about_patient=patient.pk, table_name__in=tables, action__in=("insert", "update")
        ).order_by("pk")
    )
    blinded = Registry.current().blinded
    for entry, step in zip(entries, steps(entries), strict=True):
        model = model_of(entry.table_name)
        if model is Query and blinded and _tells_of_product(entry):
            continue  # that a lot had expired on one day and not on another would tell the lot
        if entry.action == "insert" and model is Query:
            yield str(json.loads(entry.new)["reason"])
        told = [one for one in step.changes if one.field not in NOT_TOLD]
        if entry.action == "update" and told and model is not None:
            row = model._base_manager.filter(pk=entry.row_id).first()
            words = "; ".join(f"{one.field.lower()} {one.before} → {one.after}" for one in told)
            yield f"{step.record.capitalize()} {row}: {words}"


def _tells_of_product(entry: AuditEntry) -> bool:
    asked = Query.objects.get(pk=entry.row_id)
    return asks_about_product(asked.record, asked.rule)
