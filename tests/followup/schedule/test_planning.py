"""Visits agree with the plan, however often and in whatever order the news comes."""

from datetime import date, timedelta
from itertools import count

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from followup.schedule.actions import ensure_default_plan, load_plan, plan_visits, repair_plans
from followup.schedule.models import FollowUpPlan, PlanIsFixed, Timepoint, Visit, VisitAssessment
from followup.schedule.plan_file import DEFAULT_PLAN_PATH, PlanError
from registry.access.models import Site
from registry.infusions.models import Infusion
from registry.infusions.signals import infusions_recorded
from registry.patients.models import Enrolment, Patient, Query
from registry.patients.signals import patient_enrolled
from tests.cast import NOW
from tests.followup.schedule.scene import ENROLLED, INFUSED, a_patient, infuse, planned, schedule, visit_of

pytestmark = pytest.mark.django_db

TEXT = DEFAULT_PLAN_PATH.read_text(encoding="utf-8")


# The plan ----------------------------------------------------------------------------------------------------


def test_migrating_loads_the_plan_once(acting):
    before = FollowUpPlan.objects.get()
    assert ensure_default_plan(NOW).pk == before.pk
    assert FollowUpPlan.objects.count() == 1
    assert list(before.timepoints.values_list("code", flat=True))[:3] == ["SCR", "BL", "INF"]


def test_new_software_never_changes_the_plan_that_is_followed(acting):
    followed = load_plan(TEXT.replace("version = 1", "version = 2", 1), now=NOW)
    assert ensure_default_plan(NOW).pk == followed.pk


def test_a_changed_plan_needs_a_higher_version_and_the_old_one_stays(acting):
    changed = TEXT.replace('label = "Day 7"', 'label = "First week"')
    with pytest.raises(PlanError, match="Raise `version` to 2"):
        load_plan(changed, now=NOW)
    newer = load_plan(changed.replace("version = 1", "version = 2", 1), now=NOW)
    assert newer.version == 2
    assert (
        Timepoint.objects.filter(code="D7").order_by("pk").values_list("label", flat=True).last()
        == "First week"
    )
    assert FollowUpPlan.objects.count() == 2


def test_a_new_version_moves_the_visits_ahead_to_it_and_leaves_the_held_ones(riverside):
    patient = planned(riverside)
    held = visit_of(patient, "D7")
    Visit.objects.filter(pk=held.pk).update(state="done", actual_date=INFUSED + timedelta(days=7))
    later = TEXT.replace("version = 1", "version = 2", 1).replace(
        'code = "Y15"\nlabel = "Year 15"', 'code = "Y15"\nlabel = "Last year"'
    )
    newer = load_plan(later, now=NOW)
    repair_plans(NOW)
    assert visit_of(patient, "Y15").label == "Last year"
    assert visit_of(patient, "D7").timepoint.plan.version == 1
    assert Visit.objects.filter(timepoint__plan=newer).count() == Visit.objects.count() - 1
    assert repair_plans(NOW).moved == 0


@pytest.mark.parametrize("model", [FollowUpPlan, Timepoint])
def test_a_loaded_plan_never_changes(acting, model):
    row = model.objects.order_by("pk").first()
    for change in (row.save, row.delete, model.objects.all().delete):
        with pytest.raises(PlanIsFixed):
            change()
    with pytest.raises(PlanIsFixed):
        model.objects.update(code="other")


# Planning ----------------------------------------------------------------------------------------------------


def test_enrolment_plans_screening_and_baseline_alone(riverside):
    patient = a_patient(riverside)
    patient_enrolled.send(sender=Patient, patients=[patient.pk], now=NOW)
    assert list(Visit.objects.values_list("visit_code", "target_date")) == [
        ("SCR", ENROLLED - timedelta(days=28)),
        ("BL", ENROLLED),
    ]


def test_an_infusion_plans_the_rest_to_year_15_with_every_part(riverside):
    patient = a_patient(riverside)
    infuse(patient)
    infusions_recorded.send(sender=Infusion, patients=[patient.pk], now=NOW)
    assert visit_of(patient, "D1").target_date == date(2030, 1, 21)
    assert visit_of(patient, "M6").target_date == date(2030, 7, 20)
    assert visit_of(patient, "Y15").target_date == date(2045, 1, 20)
    assert visit_of(patient, "W12L").target_date == date(2030, 4, 14)
    parts = visit_of(patient, "D1").assessments.values_list("code", "state")
    assert list(parts) == [
        ("interview", "pending"), ("hypoglycaemia_count", "pending"), ("adverse_events", "pending"),
    ]  # fmt: skip


def test_a_recorded_infusion_answers_for_itself_and_leaves_the_rest_of_its_day(riverside):
    patient = a_patient(riverside)
    infuse(patient, INFUSED)
    infusions_recorded.send(sender=Infusion, patients=[patient.pk], now=NOW)
    parts = VisitAssessment.objects.filter(visit__patient=patient, visit__visit_code="INF")
    assert list(parts.filter(state="done").values_list("code", "on_date")) == [("infusion", INFUSED)]
    assert parts.filter(state="pending").exists()
    assert visit_of(patient, "INF").state == "planned"


def test_a_person_without_an_enrolment_has_no_visits(riverside):
    patient = a_patient(riverside, enrolled_on=None)
    infuse(patient)
    assert plan_visits([patient.pk], now=NOW).created == 0


def test_a_visit_is_created_on_the_site_s_own_day(harbour):
    planned(harbour)  # 09:30 UTC on the 14th is still the 14th in Auckland, where it is 22:30
    assert set(Visit.objects.values_list("created_on", flat=True)) == {date(2031, 3, 14)}


def test_planning_again_changes_nothing(riverside):
    patient = planned(riverside)
    before, parts = schedule(patient), VisitAssessment.objects.count()
    again = plan_visits([patient.pk], now=NOW)
    assert (again.created, again.moved, again.judged) == (0, 0, 0)
    assert (schedule(patient), VisitAssessment.objects.count()) == (before, parts)


def test_a_corrected_infusion_moves_what_is_ahead_and_back_again_restores_every_row(riverside):
    patient = planned(riverside)
    before = {v.pk: v.target_date for v in Visit.objects.all()}
    Infusion.objects.update(infused_on=INFUSED + timedelta(days=40))
    plan_visits([patient.pk], now=NOW)
    assert visit_of(patient, "M3").target_date == date(2030, 6, 1)
    assert visit_of(patient, "BL").target_date == ENROLLED
    Infusion.objects.update(infused_on=INFUSED)
    plan_visits([patient.pk], now=NOW)
    assert {v.pk: v.target_date for v in Visit.objects.all()} == before


def test_a_held_visit_keeps_its_dates_and_is_judged_again(riverside):
    patient = planned(riverside)
    held = visit_of(patient, "M3")
    dates = (held.target_date, held.window_opens, held.window_closes)
    Visit.objects.filter(pk=held.pk).update(state="done", actual_date=held.target_date, out_of_window=False)
    Infusion.objects.update(infused_on=INFUSED + timedelta(days=60))
    assert plan_visits([patient.pk], now=NOW).judged == 1
    held.refresh_from_db()
    assert (held.target_date, held.window_opens, held.window_closes) == dates
    assert held.out_of_window is True
    query = Query.objects.get(rule="visit_out_of_window")
    assert (query.status, query.reason) == ("open", "Visit M3 was held on 20 Apr 2030, outside its window")
    Infusion.objects.update(infused_on=INFUSED)
    plan_visits([patient.pk], now=NOW)
    held.refresh_from_db()
    query.refresh_from_db()
    assert (held.out_of_window, query.status) == (False, "closed")


def test_week_12_counts_from_the_last_infusion_and_the_months_from_the_first(riverside):
    patient = planned(riverside)
    infuse(patient, INFUSED + timedelta(days=30))
    plan_visits([patient.pk], now=NOW)
    assert visit_of(patient, "W12L").target_date == INFUSED + timedelta(days=114)
    assert visit_of(patient, "M3").target_date == date(2030, 4, 20)
    assert visit_of(patient, "D7", 2).target_date == INFUSED + timedelta(days=37)


def test_an_earlier_infusion_entered_later_keeps_each_visit_with_its_infusion(riverside):
    patient = planned(riverside)
    first = visit_of(patient, "D7")
    infuse(patient, INFUSED - timedelta(days=10))
    plan_visits([patient.pk], now=NOW)
    first.refresh_from_db()
    assert (first.sequence, first.target_date) == (2, INFUSED + timedelta(days=7))
    assert visit_of(patient, "D7", 1).target_date == INFUSED - timedelta(days=3)


def test_two_infusions_may_change_places(riverside):
    patient = planned(riverside)
    second = infuse(patient, INFUSED + timedelta(days=30))
    plan_visits([patient.pk], now=NOW)
    of_second = visit_of(patient, "W4", 2)
    second.infused_on = INFUSED - timedelta(days=30)
    second.save()
    plan_visits([patient.pk], now=NOW)
    of_second.refresh_from_db()
    assert (of_second.sequence, of_second.infusion_id) == (1, second.pk)


def test_the_repair_finds_lost_news_and_then_has_nothing_to_do(riverside):
    never_planned = a_patient(riverside, 1)
    infuse(never_planned)
    moved = planned(riverside, 2)
    Infusion.objects.filter(patient=moved).update(infused_on=INFUSED + timedelta(days=3))
    enrolled_later = planned(riverside, 3)
    Enrolment.objects.filter(patient=enrolled_later).update(enrolled_on=ENROLLED + timedelta(days=1))
    repaired = repair_plans(NOW)
    assert repaired.created == 26
    assert visit_of(moved, "D1").target_date == INFUSED + timedelta(days=4)
    assert visit_of(enrolled_later, "BL").target_date == ENROLLED + timedelta(days=1)
    again = repair_plans(NOW)
    assert (again.created, again.moved, again.judged) == (0, 0, 0)


def test_a_clinic_s_worth_of_visits_takes_few_statements(riverside, django_assert_max_num_queries):
    people = [a_patient(riverside, number) for number in range(1, 41)]
    for patient in people:
        infuse(patient)
    with django_assert_max_num_queries(120):  # 11,000 rows; SQLite takes 999 values a statement
        done = plan_visits([patient.pk for patient in people], now=NOW)
    assert done.created == 40 * 26


NUMBERS = count(100)
SHIFTS = st.lists(st.integers(min_value=-400, max_value=400), min_size=1, max_size=4, unique=True)


@given(shifts=SHIFTS, order=st.permutations(range(5)), detour=st.integers(min_value=-400, max_value=400))
@settings(
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_order_of_news_ends_in_the_same_visits(riverside: Site, shifts, order, detour):
    """Enrol, infuse, correct there and back, sweep: as if everything had been known at once."""
    days = [INFUSED + timedelta(days=shift) for shift in shifts]
    with transaction.atomic():
        at_once = a_patient(riverside, next(NUMBERS))
        for day in sorted(days):
            infuse(at_once, day)
        plan_visits([at_once.pk], now=NOW)
        stepwise = a_patient(riverside, next(NUMBERS), enrolled_on=None)
        steps = [day for place in order for day in days[place : place + 1]]
        for place, day in enumerate(steps):
            infusion = infuse(stepwise, day + timedelta(days=1000 + place))
            plan_visits([stepwise.pk], now=NOW)
            if place == 0:
                Enrolment.objects.create(patient=stepwise, enrolled_on=ENROLLED + timedelta(days=detour))
            Infusion.objects.filter(pk=infusion.pk).update(infused_on=day)
            plan_visits([stepwise.pk], now=NOW)
        Enrolment.objects.filter(patient=stepwise).update(enrolled_on=ENROLLED)
        repair_plans(NOW)
        assert schedule(stepwise) == schedule(at_once)
        assert VisitAssessment.objects.filter(visit__patient=stepwise).count() == (
            VisitAssessment.objects.filter(visit__patient=at_once).count()
        )
        transaction.set_rollback(True)
