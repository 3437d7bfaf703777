"""Everything the registry holds about one person: each table with a way to them, every row, in plain words."""

from __future__ import annotations

from typing import Any

from django.db.models import Model

from followup.copies.clear import Opener, columns_of, names_of, row_of
from registry.access.blinding import HIDDEN, hides
from registry.access.masking import codes_of, masked_analytes, unmasked
from registry.access.masking import words as masked_words
from registry.access.models import Registry
from registry.patients.belongings import belongings
from registry.patients.models import Patient

MASKED = "Without rows that tell of {}: masked by the protocol."


def collect_person(patient: Patient, opener: Opener) -> dict[str, Any]:
    """The content of `person.json`. Tables without a row are named with none: nothing was left out, except what a blinded
    protocol hides until its end.
    """
    tables, registry = [], Registry.current()
    for belonging in belongings():
        is_hidden = hides(belonging.model, registry)
        rows = [] if is_hidden else list(unmasked(belonging.rows(patient)))
        named = names_of(rows)
        meta = belonging.model._meta
        tables.append(
            {
                "table": meta.db_table,
                "what": str(meta.verbose_name_plural),
                "about": HIDDEN if is_hidden else _about(belonging.model),
                "columns": columns_of(belonging.model),
                "rows": [row_of(row, opener, named) for row in rows],
            }
        )
    return {
        "registry": Registry.current().name,
        "patient_id": patient.patient_id,
        "site": patient.site.name,
        "tables": tables,
    }


def _about(model: type[Model]) -> str:
    first = _first_line(model.__doc__)
    return f"{first} {MASKED.format(masked_words(masked_analytes()))}".strip() if codes_of(model) else first


def _first_line(doc: str | None) -> str:
    """Django writes a signature where a model says nothing about itself."""
    line = (doc or "").strip().split("\n")[0]
    return "" if line.startswith(("PersonCopy(", "(")) or ("(id, " in line) else line


def row_keys(person: dict[str, Any]) -> dict[str, list[str]]:
    """By table, the keys of its rows."""
    return {one["table"]: [row["id"] for row in one["rows"]] for one in person["tables"]}
