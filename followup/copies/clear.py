"""A row of the registry in the words of a person: choices spelled out, people named, identifiers readable."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import models

from registry.access.models import User
from registry.audit.coverage import HIDDEN_COLUMNS
from registry.encryption import CannotDecrypt
from registry.patients.contacts import PURPOSE
from registry.patients.identity import keys_of, unseal_for
from registry.patients.models import ContactPoint, Identity, Patient

UNITS = {
    "_kg": "kg", "_cm": "cm", "_iu_per_day": "IU/day", "_percent": "%", "_per_kg": "cells per kg", "_per_week": "per week",
    "minutes": "min", "cells_total": "cells", "cells_ordered": "cells", "viable_cells": "cells", "pack_years": "pack-years",
    "lease_until": "UTC", "_at": "UTC",
}  # fmt: skip
HIDDEN = "(not shown: a key or a search word)"
ERASED = "(erased)"


class Opener:
    """Opens what is encrypted under the person's key; once the key is gone, nothing opens it."""

    def __init__(self, patient: Patient) -> None:
        self.patient = patient
        self.key = keys_of([patient.pk]).get(patient.pk)

    def open(self, table: str, column: str, value: Any) -> Any:
        if column in HIDDEN_COLUMNS.get(table, ()):
            return HIDDEN
        purpose = self._purpose(table, column)
        if purpose is None or not isinstance(value, str) or not value.startswith("v1:"):
            return value
        if self.key is None:
            return ERASED
        try:
            return unseal_for(self.patient.pk, self.key, purpose, value)
        except CannotDecrypt:
            return ERASED

    def _purpose(self, table: str, column: str) -> str | None:
        if table == Identity._meta.db_table and column in Identity.FIELDS:
            return column
        if table == ContactPoint._meta.db_table and column == "value":
            return PURPOSE
        return None


def columns_of(model: type[models.Model]) -> list[dict[str, Any]]:
    """What each column means."""
    return [
        {
            "name": field.column,
            "label": label_of(field),
            "unit": unit_of(field),
            "help": str(field.help_text),
            "choices": {str(code): str(words) for code, words in field.flatchoices},
        }
        for field in model._meta.concrete_fields
    ]


def row_of(row: models.Model, opener: Opener, named: dict[Any, str]) -> dict[str, Any]:
    """`values` as stored, by column; `in_words` for what a code, a key or yes/no stands for."""
    table = row._meta.db_table
    values, words = {}, {}
    for field in row._meta.concrete_fields:
        stored = getattr(row, field.attname)
        values[field.column] = plain(opener.open(table, field.column, stored))
        if said := _words(field, stored, named):
            words[field.column] = said
    return {"id": str(row.pk), "values": values, "in_words": words}


def names_of(rows: Iterable[models.Model]) -> dict[Any, str]:
    """What the keys in these rows stand for, read together: one question for each table that is pointed at."""
    wanted: dict[type[models.Model], set[Any]] = {}
    for row in rows:
        for field in row._meta.concrete_fields:
            key = getattr(row, field.attname)
            if field.is_relation and isinstance(field.related_model, type) and key is not None:
                wanted.setdefault(field.related_model, set()).add(key)
    found = {}
    for model, keys in wanted.items():
        for one in model._base_manager.filter(pk__in=keys):
            found[(model, one.pk)] = f"{one} ({one.username})" if isinstance(one, User) else str(one)
    return found


def _words(field: models.Field[Any, Any], stored: Any, named: dict[Any, str]) -> str:
    if stored is None or stored == "":
        return ""
    if isinstance(field, models.BooleanField):
        return "yes" if stored else "no"
    if field.is_relation:
        return named.get((field.related_model, stored), "")
    return str(dict(field.flatchoices).get(stored, ""))


def label_of(field: models.Field[Any, Any]) -> str:
    words = str(field.verbose_name)
    return words[:1].upper() + words[1:]


def unit_of(field: models.Field[Any, Any]) -> str:
    return next((unit for end, unit in UNITS.items() if field.column.endswith(end)), "")


def plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    return value if value is None or isinstance(value, bool | int | float | str | list | dict) else str(value)
