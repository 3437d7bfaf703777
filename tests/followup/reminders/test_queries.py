"""The worklist: one line a visit, own sites only, as many queries for one line as for many."""

from datetime import date, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from followup.reminders.exports import REMINDERS
from followup.reminders.queries import open_worklist, worklist_counts
from followup.schedule.models import ContactAttempt, Visit
from registry.access.models import SiteScope
from registry.exchange.exporting import Scope, tables
from tests.cast import NOW, TODAY
from tests.followup.reminders.scene import a_patient, a_visit, at, sweep_on

pytestmark = pytest.mark.django_db


@pytest.fixture
def visits(riverside, harbour, nora, hana):
    targets = [TODAY, date(2029, 1, 1), TODAY + timedelta(days=20)]
    made = [a_visit(a_patient(riverside, n), target) for n, target in enumerate(targets)]
    made.append(a_visit(a_patient(harbour)))
    sweep_on(TODAY)
    return made


def test_most_severe_first_and_only_what_may_be_seen(visits, nora, hana, cora, riverside):
    assert [line.reminder.step for line in open_worklist(nora)] == ["escalated", "due", "due_soon"]
    assert [line.reminder.visit for line in open_worklist(hana)] == [visits[3]]
    assert len(open_worklist(cora)) == 4
    assert len(open_worklist(cora, site=riverside)) == 3
    assert [line.reminder.step for line in open_worklist(nora, step="due")] == ["due"]
    assert [line.reminder.step for line in open_worklist(nora, start=1, limit=1)] == ["due"]
    assert worklist_counts(nora) == {"escalated": 1, "due": 1, "due_soon": 1}
    assert worklist_counts(nora)["overdue"] == 0


def test_what_was_tried_stands_beside_it(visits, nora):
    for day, outcome in [(2, "no_answer"), (1, "message_left")]:
        ContactAttempt.objects.create(
            patient=visits[0].patient, visit=visits[0], at=NOW - timedelta(days=day), channel="phone",
            outcome=outcome, by=nora,
        )  # fmt: skip
    line = open_worklist(nora)[1]
    assert line.attempts == 2
    assert line.last_attempt.outcome == "message_left"
    assert open_worklist(nora)[0].last_attempt is None


def test_a_visit_just_settled_is_gone_before_the_next_sweep(visits, nora):
    Visit.objects.filter(pk=visits[0].pk).update(state="missed", state_reason="moved away")
    assert [line.reminder.step for line in open_worklist(nora)] == ["escalated", "due_soon"]


def queries_of(user, **options) -> int:
    with CaptureQueriesContext(connection) as seen:
        for line in open_worklist(user, **options):
            str(line.reminder.visit.label), str(line.reminder.patient), str(line.reminder.site)
    return len(seen)


def test_as_many_queries_for_one_line_as_for_many(visits, riverside, nora):
    assert nora.may("worklist.view")  # the grants are read once a request
    few = queries_of(nora, limit=1)
    for number in range(10, 40):
        a_visit(a_patient(riverside, number))
    sweep_on(TODAY)
    assert queries_of(nora, limit=50) == few == 2


def test_an_idle_sweep_asks_as_often_for_many_as_for_few(visits, riverside, nora):
    sweep_on(TODAY)
    with CaptureQueriesContext(connection) as few:
        sweep_on(TODAY)
    for number in range(10, 60):
        a_visit(a_patient(riverside, number))
    tomorrow = TODAY + timedelta(days=1)
    sweep_on(tomorrow)
    with CaptureQueriesContext(connection) as many:
        sweep_on(tomorrow)
    assert len(many) == len(few)


def test_reminders_csv_has_the_columns_of_the_contract(visits, riverside):
    assert ",".join(REMINDERS.columns) == (
        "patient_id,visit_code,sequence,step,recipient_kind,channel,generation,raised_on,state,sent_at"
    )
    assert REMINDERS in tables()
    everywhere = Scope(SiteScope(everywhere=True), NOW)
    rows = list(REMINDERS.rows(everywhere))
    assert ("HAR-0001", "M12", 1, "due", "site_staff", "email", 1, TODAY, "sent", at(TODAY)) in rows
    assert len(rows) == 4
    own = Scope(SiteScope(site_ids=frozenset({riverside.pk})), NOW)
    assert {row[0][:3] for row in REMINDERS.rows(own)} == {"RIV"}
