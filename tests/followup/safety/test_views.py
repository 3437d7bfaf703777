"""The pages of adverse events: who may open them, what they say, and that nobody's save is lost."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse

from followup.safety.actions import record_event
from followup.safety.models import AdverseEvent
from followup.schedule.models import WorkItem
from registry.patients.models import Patient
from tests.cast import NOW, TODAY

FACTS = {"term": "Fever", "onset_date": "2025-03-10", "severity_grade": 1, "is_serious": True}


@pytest.fixture
def maria(riverside):
    return Patient.objects.create(patient_id="RIV-0001-A", site=riverside, created_at=NOW, birth_year=1970)


@pytest.fixture
def event(maria, nora):
    return record_event(patient=maria, facts=FACTS, by=nora, now=NOW)


def page(response):
    return re.sub(r"\s+", " ", response.content.decode())


def form(**more):
    return {
        "term": "Fever", "onset_date": "2025-03-10", "severity_grade": "2", "is_serious": "no",
        "form_token": "f" * 32,
    } | more  # fmt: skip


def test_a_nurse_records_an_event_once_however_often_she_clicks(maria, nora, signed_in):
    browser = signed_in(nora)
    address = reverse("safety:event_add", args=[maria.patient_id])
    assert "Grade 1" in page(browser.get(address + "?term=Fever"))
    first = browser.post(address, form())
    second = browser.post(address, form())
    assert first.status_code == second.status_code == 302
    assert first.url == second.url
    assert AdverseEvent.objects.get().severity_grade == 2


def test_a_date_to_come_is_asked_again_and_nothing_is_stored(maria, nora, signed_in):
    answer = signed_in(nora).post(
        reverse("safety:event_add", args=[maria.patient_id]), form(onset_date="2099-01-01")
    )
    assert "This day has not come yet" in page(answer)
    assert not AdverseEvent.objects.exists()


@pytest.mark.parametrize("name", ["onset_date", "end_date"])
@pytest.mark.parametrize("text", ["yesterday", "2025-02-30", "0001-01-01", "\u202egnp.exe\u2066"])
def test_what_is_no_day_is_asked_again(text, name, maria, nora, signed_in):
    answer = signed_in(nora).post(reverse("safety:event_add", args=[maria.patient_id]), form(**{name: text}))
    assert answer.status_code == 200
    assert "is not a date: write 2014-03-05, 2014-03 or 2014." in page(answer)
    assert not AdverseEvent.objects.exists()


def test_a_contradiction_is_saved_and_shown(maria, nora, signed_in):
    answer = signed_in(nora).post(
        reverse("safety:event_add", args=[maria.patient_id]),
        form(seriousness_criteria=["hospitalisation"]), follow=True,
    )  # fmt: skip
    assert "Criterion ticked (hospitalisation), but serious is no." in page(answer)


def test_the_grades_of_the_chosen_term_are_described(nora, signed_in):
    words = page(signed_in(nora).get(reverse("safety:grades"), {"term": "Chills"}))
    assert "CTCAE has none for this term" in words
    assert "Other, specify" in words


def test_an_investigator_assesses_and_the_task_closes(event, ines, signed_in):
    verdict = {
        "relatedness_cells": "unlikely", "relatedness_procedure": "unlikely", "expectedness": "expected",
        "is_serious": "yes", "seriousness_criteria": ["hospitalisation"], "reason": "Flu", "version": "1",
    }  # fmt: skip
    answer = signed_in(ines).post(reverse("safety:event_assess", args=[event.pk]), verdict, follow=True)
    assert "Unlikely" in page(answer)
    assert not WorkItem.objects.open().filter(kind="serious_event").exists()


def test_a_save_that_comes_too_late_shows_both_peoples_values(event, nora, signed_in):
    browser = signed_in(nora)
    address = reverse("safety:event_edit", args=[event.pk])
    mine = form(severity_grade="3", is_serious="yes", reason="Read again", version="1")
    assert browser.post(address, mine | {"severity_grade": "2"}).status_code == 302
    late = browser.post(address, mine)
    assert late.status_code == 409
    assert "Somebody else saved this record" in page(late)
    assert AdverseEvent.objects.get().severity_grade == 2
    assert browser.post(address, mine | {"version": "2"}).status_code == 302
    assert AdverseEvent.objects.get().severity_grade == 3


def test_correcting_needs_a_reason(event, nora, signed_in):
    answer = signed_in(nora).post(reverse("safety:event_edit", args=[event.pk]), form(reason="", version="1"))
    assert answer.status_code == 200
    assert AdverseEvent.objects.get().version == 1


def test_a_withdrawn_event_says_so_and_can_no_longer_be_changed(event, nora, signed_in):
    browser = signed_in(nora)
    answer = browser.post(
        reverse("safety:event_withdraw", args=[event.pk]),
        {"reason": "Wrong person", "version": "1"},
        follow=True,
    )
    assert "Wrong person" in page(answer)
    assert browser.get(reverse("safety:event_edit", args=[event.pk])).status_code == 302


def test_the_overview_reads_serious_events_first(maria, event, nora, signed_in):
    record_event(patient=maria, facts=FACTS | {"term": "Nausea", "is_serious": False}, by=nora, now=NOW)
    words = page(signed_in(nora).get(reverse("safety:event_list")))
    assert words.index(">Fever<") < words.index(">Nausea<")
    assert "1 serious to assess" in words


def test_open_suspicions_stand_on_the_overview(maria, nora, signed_in):
    WorkItem.objects.create(
        patient=maria, site=maria.site, kind="suspicion", level="alarm", title="Suspicion to close: mass",
        source="neoplasm:1", url="/neoplasia/cases/1/", due_on=TODAY + timedelta(days=14), opened_at=NOW,
    )  # fmt: skip
    assert "Suspicion to close: mass" in page(signed_in(nora).get(reverse("safety:event_list")))


@pytest.mark.parametrize("name", ["event", "event_edit", "event_withdraw"])
def test_an_event_of_another_site_does_not_exist(event, hana, signed_in, name):
    assert signed_in(hana).get(reverse(f"safety:{name}", args=[event.pk])).status_code == 404


@pytest.mark.parametrize(
    ("name", "who"), [("event_edit", "mona"), ("event_assess", "nora"), ("event", "adam")]
)
def test_a_forbidden_act_is_refused(event, signed_in, name, who, request):
    person = request.getfixturevalue(who)
    assert signed_in(person).get(reverse(f"safety:{name}", args=[event.pk])).status_code == 403
