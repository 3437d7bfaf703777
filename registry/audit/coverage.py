"""Which tables the trail covers: all of them, but for the exemptions below, each with its reason."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db.models import (
    AutoField,
    BigAutoField,
    BigIntegerField,
    ForeignKey,
    IntegerField,
    Model,
    OneToOneField,
)

EXEMPT = {
    "audit.auditentry": "the trail itself: append-only by its own triggers",
    "audit.auditseal": "part of the trail: append-only by its own triggers",
    "audit.sealedentry": "part of the trail: append-only by its own triggers",
    "auth.permission": "unused by this product: rights come from the policy table",
    "auth.group": "unused by this product: rights come from the policy table",
    "auth.group_permissions": "unused by this product: rights come from the policy table",
    "contenttypes.contenttype": "a list of the program's own tables, made by migrate",
    "signin.browsersession": "state of one browser; signing in and out is in the trail as events",
    "signin.draft": "typed and not saved: encrypted, for its writer alone, gone within a week",
    "signatures.watch": "a bookmark of the sweep: how far it has read the trail",
    "reminders.sweeprun": "a log of its own, one row a sweep, never changed by people",
}

# Kept out of the trail's text: a secret there would outlive its destruction.
HIDDEN_COLUMNS = {
    "access_user": {"password"},
    "access_accountrequest": {"password"},
    "mfa_authenticator": {"data"},
    "patients_patientkey": {"wrapped"},
    "patients_identity": {"local_id_index"},
    "patients_searchword": {"digest"},
}


NUMERIC = (AutoField, BigAutoField, IntegerField, BigIntegerField, OneToOneField)


PATIENT, SITE = "patients.patient", "access.site"
HOPS = 4


@dataclass(frozen=True)
class Step:
    """The row that `key` points at, and the column read there."""

    table: str
    key: str
    column: str


@dataclass(frozen=True)
class Path:
    """The way from a row to the patient or site it belongs to: a column of its own, then through what it hangs on."""

    column: str
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Table:
    name: str
    pk: str
    numeric_pk: bool
    columns: tuple[str, ...]
    hidden: frozenset[str]
    patient: Path | None = None
    site: Path | None = None


def audited_tables() -> Iterator[Table]:
    for model in sorted(audited_models(), key=lambda m: m._meta.db_table):
        meta = model._meta
        columns = tuple(field.column for field in meta.local_concrete_fields)
        hidden = frozenset(HIDDEN_COLUMNS.get(meta.db_table, set()))
        yield Table(
            meta.db_table, meta.pk.column, isinstance(meta.pk, NUMERIC), columns, hidden,
            patient=path_to(model, PATIENT), site=path_to(model, SITE),
        )  # fmt: skip


def path_to(model: type[Model], target: str) -> Path | None:
    """The shortest way, first its own columns, then those of what it hangs on; a staff member is nobody's parent."""
    if model._meta.label_lower == target:
        return Path(model._meta.pk.column)
    if target == PATIENT and (numbered := _by_number(model)):
        return numbered
    level: list[tuple[type[Model], Path | None]] = [(model, None)]
    for _ in range(HOPS):
        reached = [one for here, path in level for one in _further(here, path)]
        found = [path for parent, path in reached if parent._meta.label_lower == target]
        if found:
            return found[0]
        level = [(parent, path) for parent, path in reached]
    return None


def _by_number(model: type[Model]) -> Path | None:
    """Rooms beneath the patients keep the patient's number instead of a key."""
    plain = any(
        one.column == "patient_id" and not one.is_relation for one in model._meta.local_concrete_fields
    )
    patients = apps.get_model(PATIENT)._meta
    if not plain or model._meta.label_lower == PATIENT:
        return None
    return Path("patient_id", (Step(patients.db_table, "patient_id", patients.pk.column),))


def _further(model: type[Model], path: Path | None) -> Iterator[tuple[type[Model], Path]]:
    meta = model._meta
    for one in meta.local_concrete_fields:
        parent = one.related_model
        if (
            not isinstance(one, ForeignKey)
            or not isinstance(parent, type)
            or parent in (model, get_user_model())
        ):
            continue
        if path is None:
            yield parent, Path(one.column)
        else:
            yield parent, Path(path.column, (*path.steps, Step(meta.db_table, meta.pk.column, one.column)))


def audited_models() -> list[type[Model]]:
    every = apps.get_models(include_auto_created=True)
    return [model for model in every if model._meta.managed and model._meta.label_lower not in EXEMPT]


APPEND_ONLY = ("audit_entry", "audit_seal", "audit_sealed_entry")
# In the trail like other tables, and beyond that neither changed nor removed.
WRITTEN_ONCE = ("signatures_signature", "signatures_latereview")
