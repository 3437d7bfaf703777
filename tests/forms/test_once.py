"""R8: a form that creates makes one record, however often and however fast it is sent; numbers given out are right."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest
from django.db import connection, connections, models
from django.urls import reverse

from followup.neoplasia.models import Neoplasm
from followup.plans.models import PlanDraft
from followup.safety.models import AdverseEvent
from followup.schedule.models import ContactAttempt, Visit
from followup.treatment.models import Treatment
from registry import clock
from registry.access.models import Site
from registry.audit.acting import acting_as
from registry.infusions.models import Infusion
from registry.patients.models import Consent, ContactPoint, Query, StatusEvent
from registry.products.models import Donor
from tests.cast import NOW
from tests.forms.browser import Sent, browser_of, opened
from tests.forms.tables import EDITS, typed
from tests.rights_world import World, make_world
from tests.sizes import size

TIMES = size(short=5, full=100)
PAIRS = size(short=5, full=50)
AT_ONCE = 20
Creating = tuple[str, type[models.Model], Sent, bool]
CREATIONS: dict[str, Creating] = {
    "treatment:treatment_add": ("nurse", Treatment, {"drug": "Metformin", "start_date": "2026"}, True),
    "safety:event_add": ("nurse", AdverseEvent, {"term": "Fever", "onset_date": "2026-03-02"}, True),
    "neoplasia:case_report": (
        "nurse", Neoplasm, {"description": "Lump", "diagnosed_on": "2026-03", "source": "Letter"}, True
    ),
    "schedule:unscheduled_add": ("nurse", Visit, {"note": "Came in", "contact_mode": "phone"}, True),
    "schedule:contact_add": (
        "nurse", ContactAttempt, {"at": "2031-03-13T10:00", "channel": "phone", "outcome": "no_answer"}, True
    ),
    "patients:consent_add": ("nurse", Consent, {"signed_on": "2026-02-02", "language": "English"}, True),
    "patients:status_add": ("nurse", StatusEvent, {"status": "completed", "on_date": "2026-04-01"}, True),
    "patients:contact_list": (
        "nurse", ContactPoint, {"person": "patient", "kind": "phone", "value": "020 7946 0001"}, True
    ),
    "patients:query_raise": ("monitor", Query, {"question": "Which day was it?"}, True),
    "infusions:date_request": ("nurse", Query, {"day": "2026-03-03", "reason": "The sheet says so"}, True),
    "products:donor_add": ("product", Donor, {"code": "D-77"}, False),
    "plans:draft_new": ("coordinator", PlanDraft, {"start": "three_infusions"}, False),
    "access:site_new": (
        "administrator", Site, {"code": "HIL", "name": "Hill", "country": "GB", "time_zone": "Europe/London"}, False
    ),
}  # fmt: skip


@pytest.fixture
def world(db: None) -> Iterator[World]:
    with clock.set_to(NOW):
        yield _made()


@pytest.fixture
def shared(transactional_db: None) -> Iterator[World]:
    """A world that other connections see too."""
    assert connection.vendor == "postgresql", "two writers at once need PostgreSQL"
    with clock.set_to(NOW):
        yield _made()


def _made() -> World:
    with acting_as("system:command"):
        made = make_world()
        made.make(Infusion, infused_on=date(2026, 3, 2))
    return made


def _ready(name: str, world: World) -> tuple[Any, str, Sent, type[models.Model]]:
    role, model, answers, of_patient = CREATIONS[name]
    url = reverse(name, kwargs={"patient_id": world.patient.patient_id} if of_patient else {})
    browser = browser_of(world.own[role])
    sent = opened(browser.get(url))
    assert len(sent["form_token"]) == 32
    if name == "infusions:date_request":
        sent["infusion"] = Infusion.objects.get().pk
    return browser, url, sent | answers, model


@pytest.mark.figures
@pytest.mark.parametrize("name", sorted(CREATIONS))
def test_a_form_sent_again_and_again_makes_one_record(name: str, world: World) -> None:
    browser, url, sent, model = _ready(name, world)
    before = model._default_manager.count()
    answers = {browser.post(url, sent).status_code for _ in range(TIMES)}
    assert model._default_manager.count() == before + 1
    assert answers == {302}, "the second click is told what the first was told"


@pytest.mark.parametrize("name", sorted(CREATIONS))
def test_a_form_belongs_to_the_record_it_was_opened_for(name: str, world: World) -> None:
    """The token of another patient's form makes nothing and shows nothing of what it made there."""
    if not CREATIONS[name][3]:
        return
    browser, url, sent, model = _ready(name, world)
    assert browser.post(url, sent).status_code == 302
    with acting_as("system:command"):
        other = type(world.patient).objects.create(
            patient_id="RIV-0002-W", site=world.riverside, created_at=NOW
        )
        if name == "infusions:date_request":
            sent["infusion"] = world.make(Infusion, patient=other).pk
    before = model._default_manager.count()
    answer = browser.post(url.replace(world.patient.patient_id, other.patient_id), sent)
    assert answer.status_code == 200
    assert "sent before, for another record" in answer.content.decode()
    assert model._default_manager.count() == before


@pytest.mark.figures
@pytest.mark.parametrize(
    "name", ["patients:enrolment_edit", "treatment:treatment_correct", "safety:event_edit"]
)
def test_pairs_of_people_never_overwrite_one_another(name: str, world: World) -> None:
    one = EDITS[name]
    with acting_as("system:command"):
        row = one.row(world)
    url, browser = reverse(name, kwargs=one.kwargs(world, row)), browser_of(world.own[one.role])
    [start] = type(row)._default_manager.filter(pk=row.pk).values_list("version", flat=True)
    for turn in range(PAIRS):
        sent = opened(browser.get(url))
        answers = (one.first, one.second) if turn % 2 else (one.second, one.first)
        assert browser.post(url, typed(one, sent, answers[0])).status_code == 302
        assert browser.post(url, typed(one, sent, answers[1])).status_code == 409
    assert type(row)._default_manager.get(pk=row.pk).version >= start + PAIRS


# At one moment, on PostgreSQL ------------------------------------------------------------------------------------


def _at_once(posts: list[tuple[Any, str, Sent]]) -> list[int]:
    def post(one: tuple[Any, str, Sent]) -> int:
        browser, url, sent = one
        try:
            with clock.set_to(NOW):
                return int(browser.post(url, sent).status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(post, posts))


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", sorted(CREATIONS))
def test_twenty_clicks_at_one_moment_make_one_record(name: str, shared: World) -> None:
    _, url, sent, model = _ready(name, shared)
    before = model._default_manager.count()
    people = [browser_of(shared.own[CREATIONS[name][0]]) for _ in range(AT_ONCE)]
    answers = _at_once([(browser, url, sent) for browser in people])
    assert model._default_manager.count() == before + 1
    assert set(answers) <= {200, 302}


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "name", ["patients:enrolment_edit", "treatment:treatment_correct", "safety:event_edit"]
)
def test_of_twenty_who_save_at_one_moment_one_saves(name: str, shared: World) -> None:
    one = EDITS[name]
    with acting_as("system:command"):
        row = one.row(shared)
    url = reverse(name, kwargs=one.kwargs(shared, row))
    people = [browser_of(shared.own[one.role]) for _ in range(AT_ONCE)]
    sent = opened(people[0].get(url))
    answers = _at_once([(browser, url, typed(one, sent, one.first)) for browser in people])
    assert sorted(answers) == [302] + [409] * (AT_ONCE - 1)


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_numbers_given_out_at_one_moment_are_each_given_once(shared: World) -> None:
    role, _, answers, _ = CREATIONS["safety:event_add"]
    url = reverse("safety:event_add", args=[shared.patient.patient_id])
    people = [browser_of(shared.own[role]) for _ in range(AT_ONCE)]
    posts = [
        (browser, url, opened(browser.get(url)) | answers | {"term": f"Fever {turn}"})
        for turn, browser in enumerate(people)
    ]
    assert set(_at_once(posts)) == {302}
    refs = set(AdverseEvent.objects.values_list("event_ref", flat=True))
    assert refs == {f"{shared.patient.patient_id}-E{number}" for number in range(1, AT_ONCE + 1)}
