"""C4: whatever was saved as complete is changed with a reason; the trail holds it, and the first value stays readable."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import models
from django.urls import reverse

from registry import clock
from registry.audit.acting import acting_as
from registry.audit.models import AuditEntry
from tests.cast import NOW
from tests.forms.browser import Sent, browser_of, forms_on, opened
from tests.forms.tables import EDITS, WHY, planned, typed
from tests.rights_world import World, make_world

# A full release needs no reason of its own; closing a case gives its conclusion, which is asked for like a reason.
ASKING = sorted(name for name, one in EDITS.items() if one.reason)
RECORDED_AS = {"neoplasia:case_close": "Closed as excluded"}


@pytest.fixture
def world(db: None) -> Iterator[World]:
    with clock.set_to(NOW):
        with acting_as("system:command"):
            made = make_world()
        yield made


def _open(name: str, world: World) -> tuple[models.Model, Any, str, Sent]:
    one = EDITS[name]
    with acting_as("system:command"):
        row = one.row(world)
    url, browser = reverse(name, kwargs=one.kwargs(world, row)), browser_of(world.own[one.role])
    return row, browser, url, opened(browser.get(url))


def _content(row: models.Model) -> list[Any]:
    return list(type(row)._default_manager.filter(pk=row.pk).values_list())


@pytest.mark.parametrize("name", ASKING)
@pytest.mark.parametrize("reason", ["", "   ", None])
def test_nothing_changes_without_a_reason(name: str, reason: str | None, world: World) -> None:
    one = EDITS[name]
    row, browser, url, sent = _open(name, world)
    before, entries = _content(row), AuditEntry.objects.filter(action="update").count()
    answers = typed(one, sent, one.first) | {one.reason: reason or ""}
    if reason is None:
        del answers[one.reason]
    answer = browser.post(url, answers)
    assert answer.status_code == 200
    assert any(
        one.reason in form.errors or form.non_field_errors() for form in forms_on(answer) if form.is_bound
    )
    assert _content(row) == before
    assert AuditEntry.objects.filter(action="update").count() == entries


@pytest.mark.parametrize("name", ASKING)
def test_the_trail_holds_the_reason_and_the_first_value(name: str, world: World) -> None:
    one = EDITS[name]
    row, browser, url, sent = _open(name, world)
    [before] = type(row)._default_manager.filter(pk=row.pk).values()
    last = AuditEntry.objects.order_by("-pk").values_list("pk", flat=True)[0]
    answer = browser.post(url, typed(one, sent, one.first))
    assert answer.status_code == 302, [form.errors for form in forms_on(answer) if form.is_bound]
    about = AuditEntry.objects.filter(table_name=row._meta.db_table, row_id=str(row.pk))
    written = about.filter(pk__gt=last, action="update")
    assert {entry.reason for entry in written} == {RECORDED_AS.get(name, WHY)}
    first = json.loads(written.order_by("pk")[0].old)
    assert first["version"] == before["version"]
    assert all(entry.at.tzinfo is not None for entry in written)
    again = browser.post(url, typed(one, opened(browser.get(url)), one.second))
    assert again.status_code in (302, 200, 409)
    assert json.loads(written.order_by("pk")[0].old) == first, "the first value stays beside each later one"


def test_a_visit_still_in_progress_is_saved_again_without_a_reason(world: World) -> None:
    """Once every part has an answer, it asks."""
    with acting_as("system:command"):
        visit = planned(world)
    url, browser = reverse("schedule:visit_record", args=[visit.pk]), browser_of(world.own["nurse"])
    for note in ("Came late", "Came late, by taxi"):
        sent = opened(browser.get(url)) | {"note": note, "step": "save", "actual_date": "2030-03-04"}
        assert browser.post(url, sent | {"contact_mode": "on_site"}).status_code == 302
    done = opened(browser.get(url)) | {"state_vital_signs": "done", "step": "save"}
    assert browser.post(url, done).status_code == 302
    late = browser.post(
        url, opened(browser.get(url)) | {"note": "Another word", "step": "save", "reason": ""}
    )
    assert "Say why it is changed" in late.content.decode()
    visit.refresh_from_db()
    assert visit.note == "Came late, by taxi"


def test_a_first_booking_asks_nothing_and_moving_it_asks_why(world: World) -> None:
    with acting_as("system:command"):
        visit = planned(world)
    url, browser = reverse("schedule:visit_book", args=[visit.pk]), browser_of(world.own["nurse"])
    first = opened(browser.get(url)) | {"booked_for": "2031-03-18"}
    assert "reason" not in first
    assert browser.post(url, first).status_code == 302
    moved = opened(browser.get(url)) | {"booked_for": "2031-03-19"}
    assert "This field is required" in browser.post(url, moved).content.decode()
