"""Which tables the trail covers: all of them, but for the exemptions below, each with its reason."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.apps import apps
from django.db.models import AutoField, BigAutoField, BigIntegerField, IntegerField, Model, OneToOneField

EXEMPT = {
    "audit.auditentry": "the trail itself: append-only by its own triggers",
    "audit.auditseal": "part of the trail: append-only by its own triggers",
    "audit.sealedentry": "part of the trail: append-only by its own triggers",
    "auth.permission": "unused by this product: rights come from the policy table",
    "auth.group": "unused by this product: rights come from the policy table",
    "auth.group_permissions": "unused by this product: rights come from the policy table",
    "contenttypes.contenttype": "a list of the program's own tables, made by migrate",
    "sessions.session": "state of one browser; signing in and out is in the trail as events",
    "reminders.sweeprun": "a log of its own, one row a sweep, never changed by people",
}

# Kept out of the trail's text: a secret there would outlive its destruction.
HIDDEN_COLUMNS = {
    "access_user": {"password"},
    "access_accountrequest": {"password"},
    "patients_patientkey": {"wrapped"},
    "patients_identity": {"local_id_index"},
    "patients_searchword": {"digest"},
}


NUMERIC = (AutoField, BigAutoField, IntegerField, BigIntegerField, OneToOneField)


@dataclass(frozen=True)
class Table:
    name: str
    pk: str
    numeric_pk: bool
    columns: tuple[str, ...]
    hidden: frozenset[str]


def audited_tables() -> Iterator[Table]:
    for model in sorted(audited_models(), key=lambda m: m._meta.db_table):
        meta = model._meta
        columns = tuple(field.column for field in meta.local_concrete_fields)
        hidden = frozenset(HIDDEN_COLUMNS.get(meta.db_table, set()))
        yield Table(meta.db_table, meta.pk.column, isinstance(meta.pk, NUMERIC), columns, hidden)


def audited_models() -> list[type[Model]]:
    every = apps.get_models(include_auto_created=True)
    return [model for model in every if model._meta.managed and model._meta.label_lower not in EXEMPT]


APPEND_ONLY = ("audit_entry", "audit_seal", "audit_sealed_entry")
