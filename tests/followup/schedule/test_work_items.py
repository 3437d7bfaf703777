"""A matter stands on Today once, and leaves it when it is settled."""

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from followup.schedule.actions import (
    close_items_of_closed_queries,
    close_work_item,
    raise_work_item,
    repair_plans,
)
from followup.schedule.models import ContactAttempt, Visit, VisitAssessment, WorkItem
from registry.patients.models import Query
from registry.patients.queries import QueryFacts, close_query, open_queries
from tests.cast import NOW, TODAY
from tests.followup.schedule.scene import a_patient, planned, visit_of

pytestmark = pytest.mark.django_db


def raise_one(patient: Any, **facts: Any) -> WorkItem:
    wanted: dict[str, Any] = {
        "kind": "suspicion", "source": "neoplasm:12", "patient": patient, "site": patient.site,
        "title": "Suspicious CA 19-9", "url": "/neoplasia/12/", "level": "alarm", "role": "investigator",
        "due_on": TODAY, "now": NOW,
    }  # fmt: skip
    return raise_work_item(**wanted | facts)


def test_raised_twice_it_is_one_and_closed_it_may_come_back(riverside, nora):
    patient = a_patient(riverside)
    first = raise_one(patient)
    assert raise_one(patient) == first
    because = {"kind": "suspicion", "source": "neoplasm:12", "because": "Excluded", "by": nora, "now": NOW}
    assert (close_work_item(**because), close_work_item(**because)) == (1, 0)
    first.refresh_from_db()
    assert (first.closed_by, first.closed_because) == (nora, "Excluded")
    assert raise_one(patient) != first


def questions(
    patient: Any, count: int = 1, kind: str = "deviation", record: str = "schedule.visit"
) -> list[Query]:
    facts = [
        QueryFacts(
            kind=kind, rule=f"rule_{number}", record=f"{record}:1", reason="Held late",
            patient_id=patient.pk, site_id=patient.site_id,
        )
        for number in range(count)
    ]  # fmt: skip
    return open_queries(facts, now=NOW)


def test_each_open_question_is_a_matter_for_the_person_responsible(riverside):
    patient = a_patient(riverside)
    questions(patient)
    questions(patient, kind="contradiction", record="infusions.infusion")
    questions(patient, kind="missing", record="patients.consent")
    items = WorkItem.objects.order_by("pk").values_list("kind", "role", "title", "level")
    assert list(items) == [
        ("deviation", "nurse", "Deviation to explain: Held late", "due"),
        ("contradiction", "investigator", "Facts that contradict each other: Held late", "due"),
    ]


def test_the_sweep_raises_what_was_lost_and_closes_what_was_settled(riverside):
    patient = a_patient(riverside)
    (query,) = questions(patient)
    WorkItem.objects.all().delete()
    repair_plans(NOW)
    item = WorkItem.objects.get()
    Query.objects.filter(pk=query.pk).update(status="closed")
    repair_plans(NOW)
    item.refresh_from_db()
    assert item.closed_at == NOW
    assert close_items_of_closed_queries(now=NOW) == 0


def test_closing_a_query_closes_its_matter_in_the_name_of_who_closed_it(riverside, mona):
    (query,) = questions(a_patient(riverside))
    close_query(query=query, by=mona, now=NOW)
    assert WorkItem.objects.get().closed_by == mona


def test_many_questions_take_few_statements(riverside, django_assert_max_num_queries):
    patient = a_patient(riverside)
    with django_assert_max_num_queries(25):
        questions(patient, count=150)
    assert WorkItem.objects.count() == 150


# Rules the database keeps ------------------------------------------------------------------------------------


def broken(name: str, action: Any) -> None:
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        action()
    assert name in str(refusal.value) or "UNIQUE" in str(refusal.value)


def test_the_database_keeps_the_rules_of_visits(riverside, nora):
    patient = planned(riverside)
    visit = visit_of(patient, "M12")
    visits = Visit.objects.filter(pk=visit.pk)
    broken("done_visit_has_its_date", lambda: visits.update(state="done"))
    broken("excused_visit_has_a_reason", lambda: visits.update(state="missed"))
    broken("window_holds_its_target", lambda: visits.update(window_closes=visit.window_opens))
    broken("planned_visit_once", lambda: visits.update(visit_code="M6"))
    twin = {"patient": patient, "site": riverside, "created_on": TODAY}
    Visit.objects.create(import_key="k", **twin)
    broken("imported_visit_once", lambda: Visit.objects.create(import_key="k", **twin))
    Visit.objects.create(form_token="t", **twin)
    broken("one_unscheduled_visit_per_form", lambda: Visit.objects.create(form_token="t", **twin))
    part = visit.assessments.first()
    broken("not_done_has_a_reason", lambda: visit.assessments.filter(pk=part.pk).update(state="not_done"))
    broken("assessment_once_per_visit", lambda: VisitAssessment.objects.create(visit=visit, code=part.code))
    attempt = {"patient": patient, "at": NOW, "channel": "phone", "outcome": "reached", "by": nora}
    ContactAttempt.objects.create(form_token="t", **attempt)
    broken("one_attempt_per_form", lambda: ContactAttempt.objects.create(form_token="t", **attempt))
