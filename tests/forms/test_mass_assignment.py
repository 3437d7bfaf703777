"""S12: what a form does not ask cannot be written through it, whatever a request carries besides."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import models, transaction
from django.urls import reverse

from registry import clock
from registry.access import policy
from registry.access.models import User
from registry.audit.acting import acting_as
from registry.audit.coverage import audited_models
from registry.audit.models import AuditEntry
from tests.cast import NOW
from tests.forms.browser import Sent, browser_of, forms_on, opened
from tests.forms.tables import EDITS, typed
from tests.rights_cases import every_case
from tests.rights_world import Case, World, make_world
from tests.test_rights import allowed

CASES = every_case()
ROOMS = ("registry.", "followup.")
CANARY = "written-from-outside"
EXTRA = (
    "is_superuser",
    "is_staff",
    "by",
    "now",
    "created_by",
    "signed_by",
    "signed_at",
    "locked",
    "arm",
    "role",
    "pk",
)
# These say which of several acts a page does, or repeat a field of its form under another name.
STEERS = {"step", "reason", "version", "form_token", "rows", "another", "confirmed", "different_person"}


# What an address without a page of its own asks; its form stands on another page.
ASKS = {"patients:query_answer": {"answer"}, "neoplasia:case_note": {"kind", "on_date", "text"}}
BLINDED = {"infusions:unblind", "infusions:unblinding_list"}  # open in blinded protocols alone


@pytest.fixture
def world(db: None) -> Iterator[World]:
    with clock.set_to(NOW):
        with acting_as("system:command"):
            made = make_world()
        yield made


def hostile(world: World) -> Sent:
    """Every column of every table of this product, with a value that would be noticed."""
    sent: Sent = dict.fromkeys(EXTRA, CANARY)
    for model in apps.get_models():
        if not model.__module__.startswith(ROOMS):
            continue
        for field in model._meta.concrete_fields:
            sent[field.attname] = sent[field.name] = _value(field, world)
    return sent


def _value(field: models.Field[Any, Any], world: World) -> str:
    if field.is_relation or field.primary_key:
        return str(world.harbour.pk)
    if isinstance(field, models.BooleanField):
        return "on"
    if isinstance(field, (models.DateTimeField, models.DateField)):
        return "2019-09-09"
    if isinstance(field, (models.IntegerField, models.DecimalField)):
        return "424242"
    return field.flatchoices[-1][0] if field.flatchoices else CANARY


def case_is_open(case: Case) -> bool:
    return any(allowed(role, case) for role in policy.ROLES)


def person_for(case: Case, name: str, world: World) -> User:
    if name in EDITS:
        return world.own[EDITS[name].role]
    return next(world.own[role] for role in sorted(world.own) if allowed(role, case))


def written(person: User, url: str, sent: Sent) -> tuple[int, list[Any]]:
    """The answer's status, and what the request wrote, which is then undone."""
    with transaction.atomic():
        browser = browser_of(person)
        last = AuditEntry.objects.order_by("-pk").values_list("pk", flat=True)[0]
        answer = browser.post(url, sent)
        entries = list(AuditEntry.objects.filter(pk__gt=last).order_by("pk"))
        made = {entry.row_id for entry in entries if entry.action == "insert"}
        found = [_entry(entry, made) for entry in entries]
        transaction.set_rollback(True)
    return answer.status_code, found


def _entry(entry: AuditEntry, made: set[str]) -> tuple[Any, ...]:
    """Without numbers of new rows and without what is new each time: ciphertext, digests of passwords, file names."""
    new = json.loads(entry.new) if entry.new.startswith("{") else entry.new
    if isinstance(new, dict):
        new |= {name: "(new)" for name, value in new.items() if name.endswith("_id") and str(value) in made}
        new = {
            name: _plain(value) for name, value in new.items() if name not in ("id", "stored_as", "password")
        }
    return entry.table_name, entry.action, entry.actor, entry.reason, json.dumps(new, sort_keys=True)


def _plain(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("v1:"):
        return "(encrypted)"
    if isinstance(value, str) and re.fullmatch(r"[0-9a-f]{32,64}(\.\w+)?", value):
        return "(digest)"
    if isinstance(value, str):
        return re.sub(r"(?<=[:/])\d+", "#", value)
    return value


@pytest.mark.parametrize("name", sorted(CASES))
def test_only_what_the_form_asks_is_written(name: str, world: World) -> None:
    case = CASES[name]
    with acting_as("system:command"):
        row = EDITS[name].row(world) if name in EDITS else None
        keys = EDITS[name].kwargs(world, row) if row is not None else case.kwargs(world)
    if not case_is_open(case):
        assert name in BLINDED
        return
    person, url = person_for(case, name, world), reverse(name, kwargs=keys)
    page = browser_of(person).get(url)
    sent = opened(page)
    if name in EDITS:
        sent = typed(EDITS[name], sent, EDITS[name].first)
    own = {key for form in forms_on(page) for key in form.fields} | set(sent) | ASKS.get(name, set())
    more = {key: value for key, value in hostile(world).items() if key not in own | STEERS}
    plain = written(person, url, sent)
    with_more = written(person, url, more | sent)
    assert with_more == plain
    if name in EDITS:
        assert plain[0] == 302, "the plain form must be saved, or this shows nothing"
        assert plain[1]


def test_the_columns_that_matter_are_among_those_sent(world: World) -> None:
    names = set(hostile(world))
    assert {
        "site_id",
        "version",
        "status",
        "state",
        "is_active",
        "withdrawn_at",
        "closed_by",
        "recorded_by",
    } <= names
    assert (
        len({field.name for model in audited_models() for field in model._meta.concrete_fields} - names) < 30
    )


@pytest.mark.parametrize("name", sorted(EDITS))
def test_the_version_of_another_row_or_of_the_future_writes_nothing(name: str, world: World) -> None:
    one = EDITS[name]
    with acting_as("system:command"):
        row = one.row(world)
    url, browser = reverse(name, kwargs=one.kwargs(world, row)), browser_of(world.own[one.role])
    sent = typed(one, opened(browser.get(url)), one.first)
    before = list(type(row)._default_manager.filter(pk=row.pk).values_list())
    for version in ("0", "999", "-1", "", "1e3", "nan", "1" * 40):
        answer = browser.post(url, sent | {"version": version})
        assert answer.status_code in (200, 409), version
    assert list(type(row)._default_manager.filter(pk=row.pk).values_list()) == before
