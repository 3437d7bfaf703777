"""Today shows everybody who waits for somebody, with full counts, in a fixed number of queries."""

import pytest

from followup.desk import waiting
from followup.desk.waiting import ROWS
from followup.schedule.models import ContactAttempt
from registry import clock
from registry.audit.models import AuditEntry
from registry.patients.models import StatusEvent
from tests.cast import NOW
from tests.followup.desk.conftest import counting, own_queries, task_for, visit_of


def text_of(browser, address="/today/"):
    answer = browser.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_first_page_is_one_the_person_may_see(signed_in, nora, adam):
    assert signed_in(nora).get("/").headers["Location"] == "/today/"
    assert signed_in(adam).get("/").headers["Location"] == "/settings/"


def test_nobody_waiting_is_said_in_plain_words(signed_in, nora):
    page = text_of(signed_in(nora))
    assert "Nobody was overdue on 14 Mar 2031." in page
    assert "Nothing waits for an answer." in page
    assert "reminders have not been looked at yet" in page


def test_a_late_visit_without_any_reminder_is_on_the_list(signed_in, nora, riverside, enrolled):
    visit = visit_of(enrolled(riverside, 1), "M12", closes_in=-19)
    visit.patient.contactattempt_set.add(
        ContactAttempt(
            patient=visit.patient, visit=visit, at=NOW, channel="phone", outcome="no_answer", by=nora
        ),
        bulk=False,
    )
    page = text_of(signed_in(nora))
    assert "19 days late" in page
    assert "1 attempt, last 14 Mar 2031" in page
    assert f'/visits/{visit.pk}/"' in page
    assert "Log a call" in page


@pytest.mark.parametrize(
    ("status", "step", "listed"),
    [
        ("lost", {}, True),
        ("withdrawn", {"scope": "no_visits"}, True),
        ("withdrawn", {"scope": "no_new_data"}, False),
        ("deceased", {"death_confirmed": False}, True),
        ("deceased", {"death_confirmed": True}, False),
        ("completed", {}, True),
    ],
)
def test_only_those_who_cannot_be_followed_leave_the_list(
    status, step, listed, signed_in, nora, riverside, enrolled
):
    patient = enrolled(riverside, 1, status=status)
    StatusEvent.objects.create(patient=patient, status=status, on_date="2031-03-01", recorded_at=NOW, **step)
    visit_of(patient, "M12", closes_in=-1)
    assert (patient.patient_id in text_of(signed_in(nora))) is listed


def test_who_came_back_is_listed_though_an_earlier_withdrawal_ended_everything(
    signed_in, nora, riverside, enrolled
):
    patient = enrolled(riverside, 1, status="withdrawn")
    steps = [("withdrawn", "no_new_data"), ("in_follow_up", ""), ("withdrawn", "no_visits")]
    for month, (status, scope) in enumerate(steps, start=1):
        StatusEvent.objects.create(
            patient=patient, status=status, on_date=f"2031-{month:02}-01", scope=scope, recorded_at=NOW
        )
    visit_of(patient, "M12", closes_in=-1)
    assert patient.patient_id in text_of(signed_in(nora))


def test_the_count_is_whole_when_the_list_is_not(signed_in, nora, riverside, enrolled):
    number = ROWS["late"] + 4
    for one in range(number):
        visit_of(enrolled(riverside, one), "M12", closes_in=-1 - one)
    page = text_of(signed_in(nora))
    assert f"{number} late" in page
    assert page.count(">Late<") == ROWS["late"] + 1
    assert f"Show all {number} late" in page
    assert text_of(signed_in(nora), "/today/?all=late").count(">Late<") == number + 1


def test_a_page_of_all_has_an_end_and_says_so(signed_in, nora, riverside, enrolled, monkeypatch):
    monkeypatch.setattr(waiting, "ROWS_ON_A_PAGE", 3)
    for one in range(5):
        visit_of(enrolled(riverside, one), "M12", closes_in=-1 - one)
    page = text_of(signed_in(nora), "/today/?all=late")
    assert page.count(">Late<") == 3 + 1
    assert "5 late" in page
    assert "The 3 that have been late longest. The others follow as these are dealt with" in page


def test_no_filter_hides_how_many_are_overdue(signed_in, cora, riverside, harbour, enrolled):
    visit_of(enrolled(riverside, 1), "M12", closes_in=-5)
    visit_of(enrolled(harbour, 2), "M12", closes_in=-5)
    page = text_of(signed_in(cora), "/today/?at=HAR&whose=mine")
    assert "HAR-0002-A" in page
    assert "RIV-0001-A" not in page
    assert "2 at all your sites" in page


def test_a_visit_is_late_by_the_day_of_its_site(signed_in, cora, harbour, riverside, enrolled):
    """At 14 Mar 09:30 UTC both sites have 14 Mar; twelve hours later Harbour has the 15th."""
    for number, site in enumerate((riverside, harbour), start=1):
        visit_of(enrolled(site, number), "M12", closes_in=0)
    with clock.set_to(NOW.replace(hour=21)):
        page = text_of(signed_in(cora))
    assert "1 late" in page
    assert "15 Mar 2031 (Harbour)" in page


def test_many_of_one_kind_are_grouped_and_counted(signed_in, nora, riverside, enrolled):
    patient = enrolled(riverside, 1)
    for number in range(9):
        task_for(patient, number)
    task_for(patient, 100, kind="suspicion", level="alarm", title="Suspicious CA 19-9", role="investigator")
    page = text_of(signed_in(nora))
    assert "1 needs an answer now" in page
    assert "9 questions and tasks" in page
    assert "4 more of the kind" in page
    assert text_of(signed_in(nora), "/today/?all=work").count("Deviation ") >= 9
    mine = text_of(signed_in(nora), "/today/?whose=mine")
    assert "Suspicious CA 19-9" not in mine
    assert "1 needs an answer now" in mine


def test_names_are_for_those_who_may_read_them_and_reading_is_noted(
    signed_in, nora, mona, hana, riverside, enrolled
):
    visit_of(enrolled(riverside, 1, family_name="Delgado"), "M12", closes_in=-5)
    page = text_of(signed_in(nora))
    assert "Maria Delgado" in page
    assert "+44 20 7946 0123" in page
    assert AuditEntry.objects.filter(action="identifiers read", actor="nora", new="RIV-0001-A").count() == 1
    page = text_of(signed_in(mona))
    assert "RIV-0001-A" in page
    assert "Delgado" not in page
    assert "Log a call" not in page
    assert "RIV-0001-A" not in text_of(signed_in(hana))


def test_ten_queries_whatever_the_number_of_rows(signed_in, nora, riverside, enrolled):
    used = []
    for first, number in ((0, 2), (100, 30)):
        for one in range(first, first + number):
            patient = enrolled(riverside, one)
            visit_of(patient, "M12", closes_in=-5)
            visit_of(patient, "M18", closes_in=5)
            task_for(patient, one)
        browser = signed_in(nora)
        text_of(browser)
        with counting() as captured:
            text_of(browser, "/today/?all=late")
        used.append(own_queries(captured))
    assert used[0] == used[1]
    assert used[0] <= 10
