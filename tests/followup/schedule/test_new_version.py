"""A new version of the plan meets patients who are in the middle of the old one."""

from datetime import date, timedelta

import pytest
from django.db import connection

from followup.plans.effects import effects_on
from followup.plans.tasks import reach_everybody
from followup.schedule.actions import load_plan, plan_visits, reopen, repair_plans, repairing
from followup.schedule.actions.deciding import mark_not_required
from followup.schedule.actions.plans import current_plan, rules_of
from followup.schedule.actions.repairing import patients_to_plan
from followup.schedule.models import FollowedPlan, FollowUpPlan, Visit, VisitAssessment
from followup.schedule.plan_file import DEFAULT_PLAN_PATH, parse_plan
from registry.access.models import User
from registry.audit.models import AuditEntry
from registry.backups import unfinished
from registry.infusions.models import Infusion
from registry.patients.models import Query
from registry.saving import NotAccepted
from tests.cast import NOW, TODAY
from tests.followup.schedule.scene import INFUSED, a_patient, infuse, planned, schedule, visit_of

pytestmark = pytest.mark.django_db

TEXT = DEFAULT_PLAN_PATH.read_text(encoding="utf-8")
HEAD, *POINTS = TEXT.split("[[timepoint]]")


def version(number: int, *, without: str = "", plus: str = "", **changes: str) -> str:
    """The default plan as another version: without one timepoint, with one more, or with words replaced."""
    points = [point for point in POINTS if not without or f'code = "{without}"' not in point]
    text = "[[timepoint]]".join([HEAD, *points]) + plus
    for old, new in changes.items():
        text = text.replace(old, new)
    return text.replace("version = 1", f"version = {number}", 1)


MONTH_20 = """
[[timepoint]]
code = "M20"
label = "Month 20"
anchor = "first_infusion"
offset = { value = 20, unit = "month" }
window = { before = 7, after = 7 }
contact_mode = "on_site"
assessments = ["interview"]
neoplasia_check = false
"""
FOR_LIFE = """
[[timepoint]]
code = "L16"
label = "Year 16"
anchor = "first_infusion"
offset = { value = 16, unit = "year" }
window = { before = 90, after = 90 }
contact_mode = "phone"
assessments = ["neoplasia_check"]
neoplasia_check = true
yearly_until = "life"
"""


def follow(text: str) -> FollowUpPlan:
    row = load_plan(text, now=NOW)
    repair_plans(NOW)
    return row


def test_there_and_back_again_restores_the_same_ids_dates_and_parts(riverside):
    patient = planned(riverside)

    def stands():
        rows = Visit.objects.order_by("pk").values_list(
            "pk", "target_date", "window_opens", "window_closes", "state"
        )
        parts = VisitAssessment.objects.order_by("pk").values_list(
            "visit__visit_code", "code", "state", "reason"
        )
        return list(rows), [part for part in parts if part[0] != "M20"]

    before = stands()
    other = version(2, without="M9", plus=MONTH_20).replace("value = 84, unit", "value = 91, unit")
    follow(
        other.replace(
            '"interview", "hypoglycaemia_count", "adverse_events",\n]', '"interview", "adverse_events",\n]'
        )
    )
    assert visit_of(patient, "M9").state == "not_required"
    assert visit_of(patient, "M20").target_date == date(2031, 9, 20)
    assert visit_of(patient, "W12L").target_date == INFUSED + timedelta(days=91)
    dropped = VisitAssessment.objects.get(visit=visit_of(patient, "D1"), code="hypoglycaemia_count")
    assert (dropped.state, dropped.reason[:9]) == ("not_applicable", "Not in th")
    follow(version(3))
    rows, parts = stands()
    assert [row for row in rows if row[0] != visit_of(patient, "M20").pk] == before[0]
    assert parts == before[1]
    assert visit_of(patient, "M20").state == "not_required"


def test_what_was_held_or_decided_stays_with_its_version_and_its_own_window(riverside):
    patient = planned(riverside)
    held, missed = visit_of(patient, "M3"), visit_of(patient, "M6")
    on = held.window_closes
    Visit.objects.filter(pk=held.pk).update(state="done", actual_date=on, out_of_window=False)
    Visit.objects.filter(pk=missed.pk).update(state="missed", state_reason="Away")
    before = list(Visit.objects.filter(pk__in=[held.pk, missed.pk]).order_by("pk").values())
    follow(
        version(2).replace("value = 3, unit", "value = 1, unit").replace("value = 6, unit", "value = 7, unit")
    )
    assert list(Visit.objects.filter(pk__in=[held.pk, missed.pk]).order_by("pk").values()) == before
    assert not Query.objects.exists()
    Infusion.objects.update(infused_on=INFUSED - timedelta(days=1))
    plan_visits([patient.pk], now=NOW)
    held.refresh_from_db()
    assert held.out_of_window is True, "the anchor moved, and the version of then judges"


def test_a_visit_that_was_begun_is_not_taken_away(riverside):
    patient = planned(riverside)
    begun = visit_of(patient, "M9")
    Visit.objects.filter(pk=begun.pk).update(actual_date=begun.target_date)
    follow(version(2, without="M9"))
    begun.refresh_from_db()
    assert begun.state == "planned"
    assert repair_plans(NOW).retired == 0


def test_what_is_booked_or_a_check_that_is_owed_stays_open_until_a_person_settles_it(riverside, nora: User):
    patient = planned(riverside)
    booked, owed, ahead = (visit_of(patient, code) for code in ("M9", "M6", "M24"))
    Visit.objects.filter(pk=booked.pk).update(booked_for=booked.target_date)
    assert (owed.neoplasia_check, ahead.neoplasia_check) == (True, True)
    assert owed.window_opens <= TODAY < ahead.window_opens
    text = version(2)
    for code in ("M6", "M9", "M24"):
        text = text.replace(f'code = "{code}"', f'code = "{code}B"')
    plan = load_plan(text, now=NOW)
    [one] = effects_on(rules_of(plan), [patient.pk], now=NOW)
    assert (one.kept, [each.label for each in one.effects if each.kind == "disappears"]) == (2, ["Month 24"])
    assert repair_plans(NOW).retired == 1
    assert [visit_of(patient, code).state for code in ("M9", "M6", "M24")] == [
        "planned", "planned", "not_required",
    ]  # fmt: skip
    assert not patients_to_plan(current_plan(), NOW)
    mark_not_required(visit=owed, reason="Seen elsewhere", by=nora, now=NOW, version=owed.version)
    owed.refresh_from_db()
    reopen(visit=owed, reason="Not seen after all", by=nora, now=NOW, version=owed.version)
    assert visit_of(patient, "M6").state == "planned"


def test_what_was_too_late_is_asked_for_once_it_is_not(riverside):
    patient = planned(riverside)
    month_2 = MONTH_20.replace("20", "2")
    follow(version(2, plus=month_2))
    assert visit_of(patient, "M2").state == "not_required"
    later = version(3, plus=month_2.replace("value = 2,", "value = 20,"))
    [one] = effects_on(parse_plan(later), [patient.pk], now=NOW)
    assert [(each.kind, each.label) for each in one.effects] == [("appears", "Month 2")]
    follow(later)
    asked = visit_of(patient, "M2")
    assert (asked.state, asked.state_reason, asked.target_date) == ("planned", "", date(2031, 9, 20))


def test_a_visit_the_plan_left_out_is_not_reopened_by_hand(riverside, nora: User):
    patient = planned(riverside)
    follow(version(2, without="M9"))
    visit = visit_of(patient, "M9")
    with pytest.raises(NotAccepted, match="does not ask for this visit any more"):
        reopen(visit=visit, reason="Wanted", by=nora, now=NOW, version=visit.version)


def test_a_visit_missed_before_the_plan_left_it_out_is_not_reopened_by_hand(riverside, nora: User):
    patient = planned(riverside)
    Visit.objects.filter(visit_code="M9").update(state="missed", state_reason="Away")
    follow(version(2, without="M9"))
    visit = visit_of(patient, "M9")
    with pytest.raises(NotAccepted, match="does not ask for this visit any more"):
        reopen(visit=visit, reason="Wanted", by=nora, now=NOW, version=visit.version)
    visit.refresh_from_db()
    assert visit.state == "missed"


def test_what_is_recorded_while_a_version_reaches_the_patient_stays_recorded(riverside):
    """Between reading and writing, people record visits left out, taken up again and moved, and their parts."""
    patient = planned(riverside)
    was = '"interview", "hypoglycaemia_count", "adverse_events",\n]'
    follow(version(2, without="M9").replace(was, was.replace('"hypoglycaemia_count", ', "")))

    def hold_visits():
        for visit in Visit.objects.filter(visit_code__in=["M6", "M9", "M12"]):
            Visit.objects.filter(pk=visit.pk).update(
                state="done", actual_date=visit.target_date, state_reason=""
            )

    parts = VisitAssessment.objects.filter(
        visit=visit_of(patient, "D1"), code__in=["interview", "hypoglycaemia_count"]
    )
    meanwhile = {
        'UPDATE "schedule_visit" ': hold_visits,
        'UPDATE "schedule_visitassessment" ': lambda: parts.update(state="done", reason=""),
    }

    def just_before(execute, sql, params, many, context):
        for start in [each for each in meanwhile if sql.startswith(each)]:
            meanwhile.pop(start)()
        return execute(sql, params, many, context)

    text = version(3, without="M6").replace("value = 12, unit", "value = 13, unit")
    with connection.execute_wrapper(just_before):
        follow(text.replace(was, was.replace('"interview", ', "")))
    assert not meanwhile
    for code in ("M6", "M9", "M12"):
        visit = visit_of(patient, code)
        assert (visit.state, visit.state_reason, visit.actual_date) == ("done", "", visit.target_date)
    assert set(parts.values_list("state", flat=True)) == {"done"}


def test_nobody_is_reached_in_a_registry_that_is_half_restored():
    unfinished.begin("digest")
    with pytest.raises(unfinished.RestoreUnfinished):
        reach_everybody()
    unfinished.end()


def test_everybody_is_reached_also_those_with_nothing_left_to_do(riverside):
    patient = planned(riverside)
    Visit.objects.update(state="missed", state_reason="Away")
    follow(version(2, plus=MONTH_20))
    assert visit_of(patient, "M20").state == "planned"


def test_a_new_version_reaches_people_in_bounded_transactions_and_goes_on_after_a_kill(
    riverside, monkeypatch
):
    people = [planned(riverside, number) for number in range(1, 6)]
    plan = load_plan(version(2, without="M9"), now=NOW)
    monkeypatch.setattr(repairing, "PATIENTS_IN_ONE_TRANSACTION", 2)
    real, calls = repairing.plan_visits, []

    def killed_in_the_second(ids, *, now):
        calls.append(ids)
        done = real(ids, now=now)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return done

    monkeypatch.setattr(repairing, "plan_visits", killed_in_the_second)
    with pytest.raises(KeyboardInterrupt):
        repair_plans(NOW)
    assert [len(ids) for ids in calls] == [2, 2]
    reached = FollowedPlan.objects.filter(plan=plan).values_list("patient_id", flat=True)
    assert list(reached.order_by("patient")) == [people[0].pk, people[1].pk]
    monkeypatch.setattr(repairing, "plan_visits", real)
    assert repair_plans(NOW).retired == 3
    assert FollowedPlan.objects.filter(plan=plan).count() == 5
    assert Visit.objects.filter(visit_code="M9", state="not_required").count() == 5
    again = repair_plans(NOW)
    assert (again.created, again.moved, again.retired) == (0, 0, 0)


def test_the_trail_says_which_version_moved_a_visit(riverside):
    patient = planned(riverside)
    follow(version(2, without="M9"))
    entry = AuditEntry.objects.filter(
        table_name="schedule_visit", row_id=str(visit_of(patient, "M9").pk), action="update"
    ).latest("pk")
    assert entry.actor == "system:worker"
    assert entry.reason.startswith("Follow-up plan: Default plan")
    assert entry.reason.endswith("version 2")


def test_for_life_is_planned_some_years_ahead_and_goes_on_by_itself(riverside):
    patient = a_patient(riverside)
    infuse(patient, date(2018, 1, 20))
    plan_visits([patient.pk], now=NOW)
    follow(version(2, plus=FOR_LIFE))
    life = Visit.objects.filter(patient=patient, visit_code__startswith="L").order_by("target_date")
    assert list(life.values_list("visit_code", "target_date")) == [
        ("L16", date(2034, 1, 20)), ("L17", date(2035, 1, 20)), ("L18", date(2036, 1, 20)),
    ]  # fmt: skip
    assert repair_plans(NOW).created == 0
    assert repair_plans(NOW.replace(year=2033)).created == 2
    assert life.last().label == "Year 20"


def test_hundreds_are_moved_in_few_statements(riverside, django_assert_max_num_queries):
    people = [a_patient(riverside, number) for number in range(1, 41)]
    for patient in people:
        infuse(patient)
    plan_visits([patient.pk for patient in people], now=NOW)
    load_plan(version(2, without="M9"), now=NOW)
    with django_assert_max_num_queries(90):
        repair_plans(NOW)
    assert Visit.objects.filter(visit_code="M9", state="not_required").count() == 40
    assert len(schedule(*people)) == 40 * 26
