"""The trail in plain words: who, when, what changed, what stood there first, and why."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.apps import apps
from django.db import models
from django.db.models import Q

from registry.audit.coverage import audited_models
from registry.audit.models import AuditEntry

SHOWN = 100
ACTIONS = {"insert": "Entered", "update": "Changed", "delete": "Removed"}
SYSTEM = {
    "system:command": "a command on the server",
    "system:worker": "the registry itself",
    "system:sign-in": "somebody not signed in",
    "system:migrate": "an upgrade of the registry",
}
ENCRYPTED = "(encrypted)"
SILENT = {"id", "version", "form_token"}
Kinds = Callable[[type[models.Model]], bool]


@dataclass(frozen=True)
class Change:
    """One field: what stood there before, what after, and what was entered first of all."""

    field: str
    before: str
    after: str
    first: str


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
    about_patient: int | None
    about_site: int | None


def history_of(
    row: models.Model,
    *,
    below: Kinds,
    names: Kinds = lambda model: True,
    without: Q | None = None,
    page: int = 1,
) -> tuple[list[Step], bool]:
    """Newest first: the row itself and the rows of the kinds `below` that hang on it; and whether there are older ones.

    Records that others point at are named where `names` allows their kind. Entries that `without` finds are left out.
    """
    start = (page - 1) * SHOWN
    entries = AuditEntry.objects.filter(_about(row, below)).exclude(without or Q(pk__in=[]))
    found = list(entries.order_by("-pk")[start : start + SHOWN + 1])
    return steps(found[:SHOWN], names=names), len(found) > SHOWN


def steps(entries: list[AuditEntry], *, names: Kinds = lambda model: True) -> list[Step]:
    firsts = _first_contents(entries)
    words = _Words(names)
    return [_step(entry, firsts.get((entry.table_name, entry.row_id), {}), words) for entry in entries]


def _about(row: models.Model, below: Kinds) -> Q:
    about = Q(table_name=row._meta.db_table, row_id=str(row.pk))
    for relation in row._meta.related_objects:
        model = relation.related_model
        if relation.field.name != row._meta.model_name or not isinstance(model, type):
            continue
        if model in audited_models() and below(model):
            hanging = model._default_manager.filter(**{relation.field.name: row})
            ids = [str(pk) for pk in hanging.values_list("pk", flat=True)]
            about |= Q(table_name=model._meta.db_table, row_id__in=ids)
    return about


def _first_contents(entries: list[AuditEntry]) -> dict[tuple[str, str], dict[str, Any]]:
    """What each changed row held when it was first entered."""
    wanted: dict[str, set[str]] = {}
    for entry in entries:
        if entry.action == "update":
            wanted.setdefault(entry.table_name, set()).add(entry.row_id)
    about = Q(pk__in=[])
    for table, ids in wanted.items():
        about |= Q(table_name=table, row_id__in=ids, action="insert")
    found = AuditEntry.objects.filter(about).order_by("-pk").values_list("table_name", "row_id", "new")
    return {(table, row_id): json.loads(new) for table, row_id, new in found}


def _step(entry: AuditEntry, first: dict[str, Any], words: _Words) -> Step:
    model = model_of(entry.table_name)
    is_row = entry.action in ACTIONS
    return Step(
        at=entry.at,
        what=ACTIONS.get(entry.action, entry.action.capitalize()),
        record=str(model._meta.verbose_name) if model else entry.table_name.replace("_", " "),
        who=SYSTEM.get(entry.actor, entry.actor),
        role=entry.role.replace("_", " "),
        site=entry.site,
        reason=entry.reason,
        detail="" if is_row else entry.new,
        changes=_changes(model, entry, first, words) if is_row else [],
        about_patient=entry.about_patient,
        about_site=entry.about_site,
    )


@lru_cache(maxsize=512)
def model_of(table: str) -> type[models.Model] | None:
    return next((model for model in apps.get_models() if model._meta.db_table == table), None)


def changes_of(entry: AuditEntry) -> list[Change]:
    """What one entry about a row changed, in words."""
    first = _first_contents([entry]).get((entry.table_name, entry.row_id), {})
    words = _Words(lambda model: True)
    return _changes(model_of(entry.table_name), entry, first, words) if entry.action in ACTIONS else []


def _changes(
    model: type[models.Model] | None, entry: AuditEntry, first: dict[str, Any], words: _Words
) -> list[Change]:
    old = json.loads(entry.old) if entry.old else {}
    new = json.loads(entry.new) if entry.new else {}
    names = [name for name in (old | new) if name not in SILENT and _differs(old.get(name), new.get(name))]
    return [
        Change(_label(model, name), *(words.of(model, name, row.get(name)) for row in (old, new, first)))
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


def _moment(text: str) -> str:
    """As the database wrote it, which is in UTC."""
    at = datetime.fromisoformat(text)
    return f"{at.day} {at:%b %Y, %H:%M:%S} UTC"


class _Words:
    """Values as people say them. A record that many entries point at is looked up once."""

    def __init__(self, names: Kinds) -> None:
        self.may_name = names
        self.named: dict[tuple[type[models.Model], Any], str] = {}

    def of(self, model: type[models.Model] | None, column: str, value: Any) -> str:
        field = _field(model, column)
        if value is None or value == "":
            return "–"
        if isinstance(value, str) and value.startswith("v1:"):
            return ENCRYPTED
        if isinstance(field, models.BooleanField):
            return "yes" if value else "no"
        if isinstance(field, models.DateTimeField):
            return _moment(str(value))
        if isinstance(field, models.ForeignKey) and not isinstance(field.related_model, str):
            return self._name(field.related_model, value)
        choices: Iterable[tuple[Any, Any]] = field.flatchoices if field else ()
        return str(dict(choices).get(value, value))

    def _name(self, model: type[models.Model], pk: Any) -> str:
        if not self.may_name(model):
            return f"no. {pk}"
        if (model, pk) not in self.named:
            row = model._base_manager.filter(pk=pk).first()
            self.named[model, pk] = str(row) if row else str(pk)
        return self.named[model, pk]
