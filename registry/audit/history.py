"""The trail of a record in plain words: who, when, what changed, and why."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.apps import apps
from django.db import models
from django.db.models import Q

from registry.audit.coverage import audited_models
from registry.audit.models import AuditEntry

SHOWN = 200
ACTIONS = {"insert": "Entered", "update": "Changed", "delete": "Removed"}
SYSTEM = {
    "system:command": "a command on the server",
    "system:worker": "the registry itself",
    "system:sign-in": "somebody not signed in",
    "system:migrate": "an upgrade of the registry",
}
ENCRYPTED = "(encrypted)"
SILENT = {"id", "version", "form_token"}


@dataclass(frozen=True)
class Change:
    field: str
    before: str
    after: str


@dataclass(frozen=True)
class Step:
    """One entry of the trail."""

    at: datetime
    what: str
    record: str
    who: str
    role: str
    site: str
    reason: str
    detail: str
    changes: list[Change]


def history_of(
    row: models.Model, *, below: Callable[[type[models.Model]], bool], before: int | None = None
) -> tuple[list[Step], int | None]:
    """Newest first: the row itself and the rows of the kinds `below` that hang on it. The number is where the next
    page starts.
    """
    entries = AuditEntry.objects.filter(_about(row, below))
    if before:
        entries = entries.filter(pk__lt=before)
    found = list(entries.order_by("-pk")[: SHOWN + 1])
    more = found[SHOWN - 1].pk if len(found) > SHOWN else None
    return [_step(entry) for entry in found[:SHOWN]], more


def _about(row: models.Model, below: Callable[[type[models.Model]], bool]) -> Q:
    about = Q(table_name=row._meta.db_table, row_id=str(row.pk))
    for relation in row._meta.related_objects:
        model = relation.related_model
        if relation.field.name != row._meta.model_name or not isinstance(model, type):
            continue
        if model in audited_models() and below(model):
            ids = [
                str(pk)
                for pk in model._default_manager.filter(**{relation.field.name: row}).values_list(
                    "pk", flat=True
                )
            ]
            about |= Q(table_name=model._meta.db_table, row_id__in=ids)
    return about


def _step(entry: AuditEntry) -> Step:
    model = _model(entry.table_name)
    is_row = entry.action in ACTIONS
    return Step(
        at=entry.at,
        what=ACTIONS.get(entry.action, entry.action.capitalize()),
        record=str(model._meta.verbose_name) if model else entry.table_name,
        who=SYSTEM.get(entry.actor, entry.actor),
        role=entry.role.replace("_", " "),
        site=entry.site,
        reason=entry.reason,
        detail="" if is_row else entry.new,
        changes=_changes(model, entry) if is_row else [],
    )


def _model(table: str) -> type[models.Model] | None:
    return next((model for model in apps.get_models() if model._meta.db_table == table), None)


def _changes(model: type[models.Model] | None, entry: AuditEntry) -> list[Change]:
    old = json.loads(entry.old) if entry.old else {}
    new = json.loads(entry.new) if entry.new else {}
    names = [name for name in (old | new) if name not in SILENT and _differs(old.get(name), new.get(name))]
    return [
        Change(_label(model, name), _words(model, name, old.get(name)), _words(model, name, new.get(name)))
        for name in names
    ]


def _differs(before: Any, after: Any) -> bool:
    return before != after and not (before in (None, "") and after in (None, ""))


def _field(model: type[models.Model] | None, column: str) -> models.Field[Any, Any] | None:
    fields = model._meta.concrete_fields if model else ()
    return next((field for field in fields if field.column == column), None)


def _label(model: type[models.Model] | None, column: str) -> str:
    field = _field(model, column)
    words = str(field.verbose_name) if field else column.replace("_", " ")
    return words[:1].upper() + words[1:]


def _words(model: type[models.Model] | None, column: str, value: Any) -> str:
    field = _field(model, column)
    if value is None or value == "":
        return "–"
    if isinstance(value, str) and value.startswith("v1:"):
        return ENCRYPTED
    if isinstance(field, models.BooleanField):
        return "yes" if value else "no"
    if isinstance(field, models.ForeignKey) and not isinstance(field.related_model, str):
        named = field.related_model._base_manager.filter(pk=value).first()
        return str(named) if named else str(value)
    choices: Iterable[tuple[Any, Any]] = field.flatchoices if field else ()
    return str(dict(choices).get(value, value))
