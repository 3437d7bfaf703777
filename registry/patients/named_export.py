"""The one table with names: the rows of an export that was asked for with names, for a reason."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from registry.batches import batches
from registry.exchange.exporting import Scope
from registry.exchange.identified import PeopleTable, register_people
from registry.patients.identity import identities_of
from registry.patients.models import Patient

COLUMNS = (
    "site", "patient_id", "given_name", "family_name", "previous_names", "birth_date", "local_id", "phone", "email",
    "status",
)  # fmt: skip


def _people(scope: Scope, with_birth_dates: bool) -> Iterator[tuple[Any, ...]]:
    """Those whose identifiers can be read. The birth date is its year unless it was asked for."""
    people = Patient.objects.filter(**scope.filter()).select_related("site").order_by("patient_id", "pk")
    for some in batches(people):
        named = identities_of(some)
        for patient in some:
            facts = named[patient.pk]
            if facts:
                born = facts.birth_date if with_birth_dates else facts.birth_date[:4]
                yield (
                    patient.site.code, patient.patient_id, facts.given_name, facts.family_name, facts.previous_names,
                    born, facts.local_id, facts.phone, facts.email, patient.status,
                )  # fmt: skip


def register() -> None:
    register_people(PeopleTable(COLUMNS, _people))
