"""The pages of visits: the right person, another site's person, the wrong role, the form that is not right yet."""

from datetime import date
from typing import Any

import pytest
import time_machine
from django.urls import reverse

from followup.schedule.models import ContactAttempt, Visit
from registry.patients.models import Query
from tests.cast import NOW, TODAY, person
from tests.followup.schedule.scene import a_patient, planned, visit_of

pytestmark = pytest.mark.django_db

BY_VISIT = ["visit", "visit_record", "visit_book", "visit_missed", "visit_not_required", "visit_reopen"]
BY_PATIENT = ["patient_schedule", "unscheduled_add", "contact_add"]


@pytest.fixture(autouse=True)
def _now():
    with time_machine.travel(NOW, tick=False):
        yield


def address(name: str, visit: Visit) -> str:
    key = visit.pk if name in BY_VISIT else visit.patient.patient_id
    return reverse(f"schedule:{name}", args=[key])


@pytest.mark.parametrize("name", BY_VISIT + BY_PATIENT)
def test_the_nurse_opens_every_page_and_nobody_of_another_site_does(riverside, nora, hana, signed_in, name):
    visit = visit_of(planned(riverside), "M12")
    assert signed_in(nora).get(address(name, visit)).status_code == 200
    assert signed_in(hana).get(address(name, visit)).status_code == 404


@pytest.mark.parametrize("name", BY_VISIT[1:] + BY_PATIENT[1:])
def test_those_who_only_read_are_refused_the_forms(riverside, mona, signed_in, name):
    visit = visit_of(planned(riverside), "M12")
    assert signed_in(mona).get(address(name, visit)).status_code == 403
    assert signed_in(mona).post(address(name, visit), {"reason": "x", "version": 1}).status_code == 403


def test_product_staff_and_administrators_see_no_visits(riverside, paul, adam, signed_in):
    visit = visit_of(planned(riverside), "M12")
    for stranger in (paul, adam):
        assert signed_in(stranger).get(address("visit", visit)).status_code == 403


def test_the_visit_says_what_is_missing_and_leads_on_by_right(riverside, nora, mona, signed_in):
    visit = visit_of(planned(riverside), "M12")
    page = signed_in(nora).get(address("visit", visit)).content.decode()
    assert "0 of 15 answered" in page
    assert "23 days late" in page
    assert reverse("safety:event_add", args=["RIV-0001"]) in page
    assert "Mark as missed" in page
    read_only = signed_in(mona).get(address("visit", visit)).content.decode()
    assert "Your role reads visits." in read_only
    assert address("visit_record", visit) not in read_only


def test_the_laboratory_reads_visits_of_its_site(riverside, signed_in):
    lara = person("lara", "laboratory", riverside)
    visit = visit_of(planned(riverside), "M12")
    assert signed_in(lara).get(address("visit", visit)).status_code == 200


def entered(visit: Visit, step: str, **other: Any) -> dict[str, Any]:
    form: dict[str, Any] = {
        "actual_date": "2031-02-01", "contact_mode": "on_site", "rest": "", "note": "", "version": visit.version,
        "step": step,
    }  # fmt: skip
    for part in visit.assessments.all():
        form |= {f"state_{part.code}": part.state, f"on_{part.code}": "", f"why_{part.code}": part.reason}
    return form | other


def test_answers_are_checked_before_they_are_saved(riverside, nora, signed_in):
    visit = visit_of(planned(riverside), "M12")
    browser, url = signed_in(nora), address("visit_record", visit)
    checked = browser.post(url, entered(visit, "check", rest="done")).content.decode()
    assert "Every part has an answer: the visit will be done." in checked
    visit.refresh_from_db()
    assert visit.state == "planned"
    saved = browser.post(url, entered(visit, "save", rest="done"), follow=True)
    assert "Month 12 is saved: done." in saved.content.decode()
    visit.refresh_from_db()
    assert (visit.state, visit.actual_date) == ("done", date(2031, 2, 1))


def test_a_call_leaves_examination_and_imaging_due(riverside, nora, signed_in):
    visit = visit_of(planned(riverside), "M12")
    browser, url = signed_in(nora), address("visit_record", visit)
    form = entered(visit, "save", rest="done", contact_mode="phone", actual_date="2031-03-10")
    checked = browser.post(url, form | {"step": "check"}).content.decode()
    assert "9 of 15 parts stay due" in checked
    assert "lies outside the window" in checked
    browser.post(url, form | {"window_reason": "Abroad"})
    visit.refresh_from_db()
    assert (visit.state, visit.is_partial) == ("planned", True)
    assert "Abroad" in Query.objects.get().reason
    assert "partly done" in browser.get(address("visit", visit)).content.decode()


def test_a_wrong_answer_comes_back_with_its_words(riverside, nora, signed_in):
    visit = visit_of(planned(riverside), "M12")
    form = entered(visit, "save", state_imaging="not_done", actual_date="2031-04-01")
    page = signed_in(nora).post(address("visit_record", visit), form).content.decode()
    assert "1 Apr 2031 has not come yet at Riverside" in page
    assert "say why it was not done" in page
    assert not Visit.objects.exclude(actual_date=None).exists()


def test_change_something_brings_the_answers_back(riverside, nora, signed_in):
    visit = visit_of(planned(riverside), "M12")
    form = entered(visit, "edit", note="Walks daily")
    page = signed_in(nora).post(address("visit_record", visit), form).content.decode()
    assert "Walks daily" in page
    assert "Check your answers" in page


def test_two_people_at_once_see_both_values(riverside, nora, dele, signed_in):
    visit = visit_of(planned(riverside), "M12")
    url, mine = address("visit_record", visit), entered(visit, "save", state_interview="not_applicable")
    signed_in(dele).post(url, entered(visit, "save", state_interview="done"))
    answer = signed_in(nora).post(url, mine)
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "Somebody else saved this record" in page
    assert "Dele saved it on" in page
    assert 'name="keep.state_interview" value="theirs"' in page
    visit.refresh_from_db()
    assert visit.assessments.get(code="interview").state == "done"
    assert f'name="version" value="{visit.version}"' in page


def test_a_correction_of_a_done_visit_asks_why(riverside, nora, signed_in):
    visit = visit_of(planned(riverside), "M12")
    browser, url = signed_in(nora), address("visit_record", visit)
    browser.post(url, entered(visit, "save", rest="done"))
    visit.refresh_from_db()
    assert "Reason for the change" in browser.get(url).content.decode()
    assert "Say why it is changed" in browser.post(url, entered(visit, "save")).content.decode()
    browser.post(url, entered(visit, "save", reason="Typing error", note="Corrected"))
    visit.refresh_from_db()
    assert visit.note == "Corrected"


def test_deciding_leads_back_to_the_visit(riverside, nora, signed_in):
    visit = visit_of(planned(riverside), "M12")
    browser = signed_in(nora)
    form = {"reason": "Not reached", "version": visit.version}
    done = browser.post(address("visit_missed", visit), form, follow=True).content.decode()
    assert "Month 12: missed." in done
    assert "Not reached" in done
    refused = browser.post(address("visit_not_required", visit), form | {"version": 2})
    assert "missed already" in refused.content.decode()
    stale = browser.post(address("visit_reopen", visit), form)
    assert stale.status_code == 409
    browser.post(address("visit_reopen", visit), {"reason": "Came", "version": 2})
    visit.refresh_from_db()
    assert visit.state == "planned"


def test_booking_suggests_an_open_day_and_refuses_a_closed_one(riverside, nora, signed_in):
    visit = visit_of(planned(riverside, infused_on=date(2030, 9, 15)), "M6")  # due on Saturday 15 Mar 2031
    browser, url = signed_in(nora), address("visit_book", visit)
    assert "Nearest open day" in browser.get(url).content.decode()
    closed = browser.post(url, {"booked_for": "2031-03-15", "version": visit.version})
    assert "closed on Saturdays" in closed.content.decode()
    booked = browser.post(url, {"booked_for": "2031-03-17", "version": visit.version}, follow=True)
    assert "Month 6 is booked for 17 Mar 2031." in booked.content.decode()
    again = browser.post(url, {"booked_for": "", "version": visit.version + 1}, follow=True)
    assert "This field is required" in again.content.decode(), (
        "an appointment that stands is not moved without a reason"
    )
    moved = {"booked_for": "", "version": visit.version + 1, "reason": "She is away"}
    again = browser.post(url, moved, follow=True)
    assert "has no appointment now" in again.content.decode()


def test_an_unscheduled_visit_is_saved_once_and_shown_in_the_schedule(riverside, nora, signed_in):
    visit = visit_of(planned(riverside), "M12")
    browser, url = signed_in(nora), address("unscheduled_add", visit)
    assert "Planned visits that wait" in browser.get(url).content.decode()
    form = {"actual_date": str(TODAY), "contact_mode": "phone", "note": "Rash", "form_token": "f" * 32}
    for _ in range(2):
        browser.post(url, form)
    assert Visit.objects.filter(visit_code="").count() == 1
    table = browser.get(address("patient_schedule", visit)).content.decode()
    assert "Unscheduled visit" in table
    assert "1 held, " in table
    future = browser.post(url, form | {"actual_date": "2031-03-15", "form_token": "g" * 32})
    assert "has not come yet" in future.content.decode()


def test_an_attempt_is_logged_in_the_site_s_own_time(harbour, hana, signed_in):
    visit = visit_of(planned(harbour), "M12")
    browser, url = signed_in(hana), address("contact_add", visit)
    assert "2031-03-14T22:30" in browser.get(url).content.decode()
    form = {
        "visit": visit.pk, "at": "2031-03-14T20:00", "channel": "phone", "outcome": "no_answer",
        "next_try_on": "2031-03-17", "note": "", "form_token": "c" * 32,
    }  # fmt: skip
    page = browser.post(url, form, follow=True).content.decode()
    assert "14 Mar 2031, 20:00" in page
    assert ContactAttempt.objects.get().at.isoformat() == "2031-03-14T07:00:00+00:00"
    late = browser.post(url, form | {"at": "2031-03-14T23:00", "form_token": "d" * 32})
    assert "cannot lie in the future" in late.content.decode()
    loose = browser.post(url, form | {"visit": "", "form_token": "e" * 32})
    assert loose.url == address("patient_schedule", visit)


def test_an_attempt_is_never_tied_to_another_patient_s_visit(riverside, nora, signed_in):
    visit, other = visit_of(planned(riverside, 1), "M12"), visit_of(planned(riverside, 2), "M12")
    form = {
        "visit": other.pk,
        "at": "2031-03-14T08:00",
        "channel": "phone",
        "outcome": "reached",
        "form_token": "x",
    }
    page = signed_in(nora).post(address("contact_add", visit), form).content.decode()
    assert "not one of the available choices" in page
    assert not ContactAttempt.objects.exists()


def test_a_patient_with_no_visits_reads_why(riverside, nora, signed_in):
    bare = a_patient(riverside, enrolled_on=None)
    page = signed_in(nora).get(reverse("schedule:patient_schedule", args=[bare.patient_id])).content.decode()
    assert "No visit is planned" in page
