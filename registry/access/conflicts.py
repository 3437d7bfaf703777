"""Two people save the same record: the second sees what stood when they opened it, what the other saved, and what
they typed, field by field, and chooses.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, TypeVar

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils import timezone

from registry.access.models import User
from registry.audit.history import SYSTEM, Change, changes_of
from registry.audit.models import AuditEntry
from registry.partial_dates import in_words

M = TypeVar("M", bound=models.Model)
# Gives a row as it stood at some moment; None for one that did not exist then.
Was = Callable[[Any], Any]
Values = Callable[[Was], Mapping[str, Any]]
UNKNOWN = -1
SAME_REQUEST = 5_000  # so many entries before its own, the trail is searched for what a save wrote first


@dataclass(frozen=True)
class Line:
    """One field. `choice`: both changed it; `taken`: only the other one did, so theirs stands in the form."""

    name: str
    label: str
    opened: str
    stored: str
    typed: str
    choice: bool
    taken: bool


@dataclass(frozen=True)
class Save:
    """Who saved in between, when, and why."""

    who: str
    at: datetime
    reason: str


class Edit:
    """A form over a stored record. `values` gives what the form's fields hold for the record, asking `was(row)` for
    each row it reads, so that the same function tells what stands and what stood. `began_empty`: the form may have
    been opened, with version 0, when there was no record yet.
    """

    def __init__(
        self, form: forms.BaseForm, row: models.Model, values: Values, *, began_empty: bool = False
    ) -> None:
        self.form, self.row, self.values, self.version = form, row, values, "version"
        self.began_empty = began_empty
        self.conflicts: dict[str, Any] | None = None
        self.standing = int(vars(row)["version"])
        self.earlier: _Earlier | None = None
        if form.is_bound:
            self._take_what_was_chosen()

    @property
    def status(self) -> int:
        return 409 if self.conflicts else 200

    def ready(self) -> bool:
        """Whether there is something to save: a form without errors, opened from what stands."""
        valid = self.form.is_valid()
        if self.form.is_bound and self._opened() not in (None, self.standing):
            self.moved_on()
            return False
        return valid

    def _opened(self) -> int | None:
        try:
            given = self.form.fields[self.version].clean(
                self.form.data.get(self.form.add_prefix(self.version))
            )
        except ValidationError:
            return None
        return int(given) if given is not None else None

    def moved_on(self) -> None:
        """The page comes back with both, started from the newest version: saving once more is a knowing decision."""
        opened_from = self._opened()
        earlier = self.earlier = _Earlier(self.row, UNKNOWN if opened_from is None else opened_from)
        earlier.is_nothing = self.began_empty and opened_from == 0
        stored, opened = self.values(as_it_stands), self.values(earlier.was)
        lines = [
            line
            for name in stored
            if name in self.form.fields and (line := self._line(name, opened.get(name), stored[name]))
        ]
        data = _copy(self.form.data)
        data[self.form.add_prefix(self.version)] = str(vars(as_it_stands(self.row))["version"])
        for line in lines:
            if line.taken:
                self._put(data, line.name, stored[line.name])
        self.form.data = data
        self.conflicts = {"lines": lines, "saves": earlier.saves()}

    def _take_what_was_chosen(self) -> None:
        chosen = [name for name in self.form.fields if self.form.data.get(f"keep.{name}") == "theirs"]
        if not chosen:
            return
        data, stored = _copy(self.form.data), self.values(as_it_stands)
        for name in chosen:
            if name in stored:
                self._put(data, name, stored[name])
        self.form.data = data

    def _line(self, name: str, opened: Any, stored: Any) -> Line | None:
        field = self.form.fields[name]
        sent = _sent(field, self.form.data, self.form.add_prefix(name))
        texts = [_posted(field, opened), _posted(field, stored), sent]
        then, now, mine = (_comparable(field, text) for text in texts)
        if then == now and now == mine:
            return None
        was, stands, typed = (_in_words(field, text) for text in texts)
        label = str(field.label or name.replace("_", " ").capitalize())
        choice, taken = now not in (then, mine) and mine != then, mine == then != now
        return Line(name, label, was, stands, typed, choice=choice, taken=taken)

    def _put(self, data: QueryDict, name: str, value: Any) -> None:
        key, texts = self.form.add_prefix(name), _posted(self.form.fields[name], value)
        data.pop(key, None)
        if texts:
            data.setlist(key, texts)


class _Earlier:
    """The rows as they stood when a version was opened, from the trail."""

    def __init__(self, row: models.Model, version: int) -> None:
        self.row, self.is_nothing, self.first = row, False, _first_after(row, version)
        self.start = _start_of(self.first) if self.first else 0

    def was(self, row: Any) -> Any:
        if self.is_nothing:
            return None
        if self.first is None:
            return as_it_stands(row)
        entry = _writes_of(row).filter(pk__gte=self.start).order_by("pk").first()
        if entry is None:
            return as_it_stands(row)
        return _rebuilt(row, entry.old) if entry.old else None

    def saves(self) -> list[Save]:
        if self.first is None:
            return []
        found: dict[str, AuditEntry] = {}
        for entry in _writes_of(self.row).filter(pk__gte=self.start).order_by("pk"):
            found[entry.request_id or str(entry.pk)] = entry
        return [Save(name_of(entry), entry.at, entry.reason) for entry in found.values()]


def as_it_stands(row: M) -> M:
    """A row that was never stored stands as it is."""
    return row if row.pk is None else type(row)._default_manager.get(pk=row.pk)


def name_of(entry: AuditEntry) -> str:
    person = User.objects.filter(pk=entry.user_id).first() if entry.user_id else None
    return str(person) if person else SYSTEM.get(entry.actor, entry.actor)


# Decisions -------------------------------------------------------------------------------------------------------


def decided_first(request: HttpRequest, row: models.Model, refusal: str, back_url: str) -> HttpResponse:
    """The page of a decision that came second: who decided, when, and what. Nothing of this request is stored."""
    last = _writes_of(row).order_by("-pk").first()
    changes: list[Change] = changes_of(last) if last else []
    save = Save(name_of(last), last.at, last.reason) if last else None
    context = {"refusal": refusal, "save": save, "changes": changes, "back_url": back_url}
    return render(request, "decided.html", context, status=409)


# The trail -------------------------------------------------------------------------------------------------------


def _writes_of(row: models.Model) -> QuerySet[AuditEntry]:
    """Not the events about it: that somebody read the record changed nothing."""
    of_row = AuditEntry.objects.filter(table_name=row._meta.db_table, row_id=str(row.pk))
    return of_row.filter(action__in=("insert", "update", "delete"))


def _first_after(row: models.Model, version: int) -> AuditEntry | None:
    """The entry that moved the row on from `version`."""
    entries = AuditEntry.objects.filter(table_name=row._meta.db_table, row_id=str(row.pk), action="update")
    found = None
    for entry in entries.order_by("-pk").iterator():
        before = json.loads(entry.old)["version"]
        if before == version:
            found = entry
        elif before < version:
            break
    return found


def _start_of(entry: AuditEntry) -> int:
    """The first entry of the same save: rows that hang on the record may have been written before it."""
    if not entry.request_id:
        return int(entry.pk)
    together = AuditEntry.objects.filter(
        pk__range=(entry.pk - SAME_REQUEST, entry.pk), request_id=entry.request_id
    )
    return int(together.order_by("pk").values_list("pk", flat=True)[0])


def _rebuilt(row: Any, text: str) -> Any:
    content, made = json.loads(text, parse_float=Decimal), copy(row)
    for field in row._meta.concrete_fields:
        if field.column in content:
            setattr(made, field.attname, _python(field, content[field.column]))
    return made


def _python(field: models.Field[Any, Any], value: Any) -> Any:
    given = field.to_python(value) if value is not None else None
    if isinstance(given, datetime) and timezone.is_naive(given):
        return given.replace(tzinfo=UTC)
    return given


# Values as a form sends them -------------------------------------------------------------------------------------


def _copy(data: Any) -> QueryDict:
    made = QueryDict(mutable=True)
    lists = data.lists() if hasattr(data, "lists") else ((name, [value]) for name, value in data.items())
    for name, values in lists:
        made.setlist(name, values)
    return made


def _sent(field: forms.Field, data: Any, name: str) -> list[str]:
    return [str(one) for one in _copy(data).getlist(name)]


def _posted(field: forms.Field, value: Any) -> list[str]:
    """A stored value as a browser would send it back."""
    prepared = field.prepare_value(value)
    if isinstance(field.widget, forms.CheckboxInput):
        return ["on"] if prepared else []
    if isinstance(prepared, (list, tuple)):
        return [str(one) for one in prepared]
    if isinstance(prepared, Decimal):
        prepared = f"{prepared:f}"
    shown = field.widget.format_value(prepared)
    texts = shown if isinstance(shown, (list, tuple)) else [shown]
    return ["" if text is None else str(text) for text in texts]


def _comparable(field: forms.Field, texts: list[str]) -> Any:
    data = QueryDict(mutable=True)
    if texts:
        data.setlist("it", texts)
    given = field.widget.value_from_datadict(data, {}, "it")
    try:
        cleaned = field.clean(given)
    except ValidationError:
        cleaned = given
    if isinstance(cleaned, (list, tuple)):
        return sorted(str(one) for one in cleaned)
    return None if cleaned == "" else cleaned


def _in_words(field: forms.Field, texts: list[str]) -> str:
    if isinstance(field.widget, forms.CheckboxInput):
        return "yes" if texts else "no"
    choices = {str(code): str(label) for code, label in _choices(field)}
    shown = [choices.get(text) or _plain(_comparable(field, [text])) for text in texts if text]
    unit = field.widget.attrs.get("data-unit", "") if shown else ""
    return f"{', '.join(shown)} {unit}".strip()


def _choices(field: forms.Field) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    for code, label in getattr(field, "choices", None) or getattr(field.widget, "choices", None) or ():
        found += list(label) if isinstance(label, (list, tuple)) else [(code, label)]
    return found


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{in_words(timezone.localtime(value).date())}, {timezone.localtime(value):%H:%M}"
    if isinstance(value, date):
        return in_words(value)
    if isinstance(value, time):
        return f"{value:%H:%M}"
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)
