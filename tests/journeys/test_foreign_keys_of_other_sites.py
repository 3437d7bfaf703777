"""Whatever number of another site's record is put into a form's choices and hidden fields, nothing of one's own site ever
hangs on it, and nothing of the other site is changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import models
from django.test import Client
from django.urls import reverse

from registry import clock
from registry.access.models import Site, User
from registry.access.views.history import site_of
from registry.audit.models import AuditEntry
from tests.cast import NOW
from tests.journeys.test_site_separation import Place, fill, row_models, two_sites
from tests.pages import Form, forms_of
from tests.rights_cases import every_case
from tests.rights_world import World
from tests.test_rights import BACKEND, addresses, allowed

__all__ = ["two_sites"]  # a fixture

WRITERS = ("data_entry", "nurse", "investigator", "laboratory", "site_manager", "monitor")
NOT_SENT = {"account_logout"}
POSTS_A_FIELD = 3


def foreign_keys(there: list[models.Model], place: Place) -> list[str]:
    numbers = sorted(
        {str(row.pk) for row in there if isinstance(row.pk, int)} | {str(place.patient.pk)}, key=len
    )
    return [place.patient.patient_id, *numbers]


def is_a_reference(form: Form, name: str) -> bool:
    one = form.fields[name]
    if name in ("csrfmiddlewaretoken", "form_token", "version", "form_version"):
        return False
    digits = [option for option in [*one.options, one.value] if option.isdigit()]
    return one.kind in ("select", "hidden", "radio", "checkbox") and bool(digits)


def pages_of(world: World, role: str) -> Iterator[str]:
    for name, case in every_case().items():
        if "own_site" in allowed(role, case) and name not in NOT_SENT:
            keys = case.kwargs(world) if addresses()[name].pattern.converters else {}
            yield reverse(name, kwargs=keys)


def send_everything(user: User, urls: list[str], foreign: list[str]) -> int:
    """How many posts were accepted as they stand, and so show that the others were complete but for the reference."""
    browser = Client(raise_request_exception=False)
    browser.force_login(user, backend=BACKEND)
    accepted = 0
    for url in urls:
        page = browser.get(url)
        if page.status_code != 200 or page.streaming:
            continue
        for form in forms_of(page.content.decode()):
            target = form.action or url
            if not target.startswith("/") or "logout" in target:
                continue
            for name in [name for name in form.fields if is_a_reference(form, name)]:
                for key in foreign[: POSTS_A_FIELD + 1]:
                    answer = browser.post(target, form.filled() | {name: key})
                    assert answer.status_code < 500, f"{target} {name}={key}"
            answer = browser.post(target, form.filled())
            assert answer.status_code < 500, target
            accepted += answer.status_code == 302
    return accepted


def crossings(riverside: Site, harbour: Site) -> list[str]:
    """Rows of one site that hang on a row of the other."""
    wrong = []
    for model in row_models():
        links = [one for one in model._meta.concrete_fields if isinstance(one, models.ForeignKey)]
        for row in model._default_manager.order_by("pk"):
            own = site_of(row)
            for link in links:
                target: Any = getattr(row, link.name)
                if link.related_model in (User, Site) or target is None:
                    continue
                other = site_of(target)
                if own and other and own != other:
                    wrong.append(f"{model.__name__} {row.pk} of {own.code}: {link.name} is of {other.code}")
    return wrong


@pytest.mark.slow
@pytest.mark.parametrize("role", WRITERS)
def test_no_form_takes_a_record_of_another_site(role: str, two_sites: tuple[World, Place, Place]) -> None:
    world, here, there = two_sites
    fill(here)
    foreign = foreign_keys(fill(there), there)
    before = set(crossings(world.riverside, world.harbour))
    last = AuditEntry.objects.order_by("-pk").values_list("pk", flat=True)[0]
    with clock.set_to(NOW):
        accepted = send_everything(world.own[role], list(pages_of(here, role)), foreign)
    assert accepted >= 1, "no form could be sent at all: the test shows nothing"
    assert sorted(set(crossings(world.riverside, world.harbour)) - before) == []
    written = AuditEntry.objects.filter(pk__gt=last, actor=world.own[role].username)
    harbour = {(model._meta.db_table, str(row.pk)) for model, row in there.kept.items()}
    touched = {(entry.table_name, entry.row_id) for entry in written if entry.action in ("update", "delete")}
    assert not harbour & touched
