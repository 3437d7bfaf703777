"""What a version would do is told before it is put in force, and is then what happens."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from followup.plans.effects import InAll, effects_on
from followup.schedule.actions import load_plan, repair_plans
from followup.schedule.models import Visit
from followup.schedule.plan_text import write_plan
from tests.cast import NOW, TODAY
from tests.followup.plans.scene import DEFAULT, changed, line, without
from tests.followup.schedule.scene import INFUSED, planned, visit_of

pytestmark = pytest.mark.django_db

# Month 9 is gone, month 48 a month later, month 60 wider; month 30 is new and month 2 would be, but that day is over.
NEW = changed("M48", offset_value=49, plan=without("M9"))
NEW = changed("M60", window_after_days=70, plan=NEW)
NEW = changed("Y6", assessments=(*line("Y6").assessments, "vital_signs"), plan=NEW)
NEW = replace(
    NEW, version=2,
    lines=(
        *NEW.lines,
        replace(line("M18"), code="M30", label="Month 30", offset_value=30),
        replace(line("M3"), code="M2", label="Month 2", offset_value=2),
    ),
)  # fmt: skip


def told(patient):
    [one] = effects_on(NEW, [patient.pk], now=NOW)
    return one


def test_each_consequence_is_told(riverside):
    patient = planned(riverside)
    one = told(patient)
    assert [(each.kind, each.label, each.was, each.now) for each in one.effects] == [
        ("disappears", "Month 9", date(2030, 10, 20), None),
        ("appears", "Month 30", None, date(2032, 7, 20)),
        ("moves", "Month 48", date(2034, 1, 20), date(2034, 2, 20)),
        ("window", "Month 60", date(2035, 1, 20), date(2035, 1, 20)),
        ("content", "Year 6", date(2036, 1, 20), date(2036, 1, 20)),
    ]
    assert one.effects[-1].detail == "+ vital signs"
    assert (one.too_late, one.fixed) == (1, 0)


def test_what_was_told_is_what_happens_and_nothing_is_late_that_was_never_asked(riverside):
    patient = planned(riverside)
    done = visit_of(patient, "M3")
    Visit.objects.filter(pk=done.pk).update(
        state="done", actual_date=INFUSED + timedelta(days=92), out_of_window=False
    )
    before = {visit.pk: visit for visit in Visit.objects.all()}
    one = told(patient)
    assert one.fixed == 1
    load_plan(write_plan(NEW), now=NOW)
    repair_plans(NOW)
    after = {visit.pk: visit for visit in Visit.objects.all()}
    moved = {after[pk].label for pk in before if after[pk].target_date != before[pk].target_date}
    closed = {after[pk].label for pk in before if after[pk].state != before[pk].state}
    added = {visit.label for pk, visit in after.items() if pk not in before and visit.state == "planned"}
    by_kind = {
        kind: {each.label for each in one.effects if each.kind == kind}
        for kind in ("moves", "disappears", "appears")
    }
    assert (moved, closed, added) == (by_kind["moves"], by_kind["disappears"], by_kind["appears"])
    month_2 = visit_of(patient, "M2")
    assert (month_2.state, month_2.status_on(TODAY)) == ("not_required", "not_required")
    assert month_2.state_reason.startswith("Its window had closed before the plan asked for it")
    assert not told(patient).effects


def test_a_patient_who_is_planned_for_the_first_time_gets_the_past_too(riverside):
    """Somebody brought in from an earlier register: what was held is laid against all of it."""
    load_plan(write_plan(NEW), now=NOW)
    assert visit_of(planned(riverside), "M2").state == "planned"


def test_signed_and_done_visits_never_move(riverside):
    patient = planned(riverside)
    Visit.objects.update(state="missed", state_reason="Away")
    rows = list(Visit.objects.order_by("pk").values())
    one = told(patient)
    assert [(each.kind, each.label) for each in one.effects] == [("appears", "Month 30")]
    assert one.fixed == len(rows)
    load_plan(write_plan(NEW), now=NOW)
    repair_plans(NOW)
    assert list(Visit.objects.filter(pk__in=[row["id"] for row in rows]).order_by("pk").values()) == rows


def test_in_all_counts_each_patient_and_each_kind(riverside):
    people = [planned(riverside, number) for number in (1, 2, 3)]
    total = InAll()
    for one in effects_on(NEW, [patient.pk for patient in people], now=NOW):
        total.add(one)
    assert (total.patients, total.touched, total.too_late) == (3, 3, 3)
    assert total.counts == {"moves": 3, "appears": 3, "disappears": 3, "window": 3, "content": 3}


def test_the_same_plan_does_nothing(riverside):
    patient = planned(riverside)
    [one] = effects_on(DEFAULT, [patient.pk], now=NOW)
    assert (one.effects, one.too_late) == ([], 0)


def test_looking_takes_as_many_questions_for_many_as_for_one(riverside, django_assert_max_num_queries):
    people = [planned(riverside, number).pk for number in range(1, 9)]
    with django_assert_max_num_queries(7):
        effects_on(NEW, people, now=NOW)
