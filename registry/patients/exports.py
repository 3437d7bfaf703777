"""The tables this room gives out. No identifiers: the birth date goes out as its year."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from registry.access.blinding import about_product
from registry.access.masking import about_masked
from registry.exchange.exporting import ExportTable, Scope, register_table
from registry.patients.eligibility import Eligibility
from registry.patients.models import Consent, Patient, Query, StatusEvent

TIERS = tuple(Consent.TIERS)
ELIGIBILITY = tuple(
    field.name
    for field in Eligibility._meta.concrete_fields
    if field.name not in ("id", "patient", "version")
)
Rows = Iterator[tuple[Any, ...]]


def _patients(scope: Scope) -> Rows:
    first_consents: dict[Any, tuple[str, Any]] = {}
    consents = Consent.objects.filter(**scope.filter("patient__site")).order_by("-signed_on", "-pk")
    for pk, version, signed_on in consents.values_list(
        "patient_id", "document__version", "signed_on"
    ).iterator():
        first_consents[pk] = (version, signed_on)
    rows = Patient.objects.filter(**scope.filter()).order_by("patient_id", "pk").values_list(
        "pk", "site__code", "patient_id", "birth_year", "sex_at_birth", "enrolment__diabetes_diagnosis_date",
        "enrolment__enrolled_on", "enrolment__height_cm", "enrolment__weight_kg", "enrolment__insulin_iu_per_day",
        "status", "gender", "organs_absent",
    )  # fmt: skip
    for pk, site, patient_id, birth_year, sex, diagnosed, enrolled_on, *rest in rows.iterator():
        consent = first_consents.get(pk, ("", None))
        yield (site, patient_id, birth_year, sex, diagnosed, enrolled_on, *consent, *rest)


def _status(scope: Scope) -> Rows:
    rows = StatusEvent.objects.filter(**scope.filter("patient__site"))
    return (
        rows.order_by("patient__patient_id", "on_date", "pk")
        .values_list(
            "patient__patient_id", "status", "on_date", "scope", "reason", "death_confirmed", "cause_of_death",
            "autopsy",
        )
        .iterator()
    )  # fmt: skip


def _consents(scope: Scope) -> Rows:
    rows = Consent.objects.filter(**scope.filter("patient__site"))
    return (
        rows.order_by("patient__patient_id", "signed_on", "pk")
        .values_list("patient__patient_id", "document__version", "language", "signed_on", *TIERS)
        .iterator()
    )


def _eligibility(scope: Scope) -> Rows:
    rows = Eligibility.objects.filter(**scope.filter("patient__site"))
    return rows.order_by("patient__patient_id").values_list("patient__patient_id", *ELIGIBILITY).iterator()


def _queries(scope: Scope) -> Rows:
    rows = Query.objects.filter(**scope.filter()).order_by("opened_at", "pk")
    if not scope.shows_product:
        rows = rows.exclude(about_product())
    rows = rows.exclude(about_masked())
    return rows.values_list(
        "patient__patient_id", "kind", "record", "field", "opened_at", "status", "reason"
    ).iterator()


def register_tables() -> None:
    patients = (
        "site", "patient_id", "birth_date", "sex", "diabetes_diagnosis_date", "enrolment_date", "consent_version",
        "consent_date", "height_cm", "weight_kg", "insulin_iu_per_day", "status", "gender", "organs_absent",
    )  # fmt: skip
    status = (
        "patient_id",
        "status",
        "on_date",
        "scope",
        "reason",
        "death_confirmed",
        "cause_of_death",
        "autopsy",
    )
    consents = ("patient_id", "consent_version", "language", "consent_date", *TIERS)
    queries = ("patient_id", "kind", "record", "field", "opened_at", "status", "reason")
    for table in (
        ExportTable("patients", patients, _patients),
        ExportTable("status", status, _status),
        ExportTable("consents", consents, _consents),
        ExportTable("eligibility", ("patient_id", *ELIGIBILITY), _eligibility),
        ExportTable("queries", queries, _queries),
    ):
        register_table(table)
