from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from followup.reports.cohort import AFTER_CUT_OFF, Frame, load_cohort
from followup.reports.collect_people import disposition, withdrawals
from registry.access.models import Site
from registry.audit.acting import acting_as
from registry.patients.models import Patient, Scope, Status
from tests.followup.reports import people

CUT_OFF = date(2030, 12, 31)
days = st.dates(date(2028, 1, 1), date(2032, 12, 31))
partial = days.flatmap(lambda day: st.sampled_from([f"{day:%Y}", f"{day:%Y-%m}", day.isoformat()]))
steps = st.tuples(st.sampled_from(Status.values), partial, st.sampled_from(["", *Scope.values]))
histories = st.tuples(
    st.none() | days, st.lists(days, max_size=2, unique=True), st.lists(steps, max_size=3, unique=True)
)


class EverybodyInOneRow(TestCase):
    @settings(max_examples=30)
    @given(st.lists(histories, max_size=5))
    def test_whatever_became_of_them(self, everybody):
        with acting_as("system:command"):
            site = Site.objects.create(code="RIV", name="Riverside", country="GB", time_zone="Europe/London")
            for number, (enrolled, infused, history) in enumerate(everybody):
                who = people.patient(site, f"P{number}", enrolled=enrolled)
                for on in infused:
                    people.infusion(who, on)
                recorded = set()
                for status, on, scope in history:
                    scope = scope if status == "withdrawn" else ""
                    if (status, on, scope) not in recorded:
                        recorded.add((status, on, scope))
                        people.status(who, status, on, scope)
            frame = Frame((site.pk,), CUT_OFF - timedelta(days=364), CUT_OFF, load_cohort([site.pk], CUT_OFF))
        rows = disposition(frame)
        named = [patient_id for row in rows for patient_id in row["patient_ids"]]
        assert sorted(named) == sorted(Patient.objects.values_list("patient_id", flat=True))
        assert sum(row["infused"] for row in rows) == len(frame.infused)
        withdrawn = next(row for row in rows if row["status"] == "withdrawn")
        assert sum(row["persons"] for row in withdrawals(frame)) == len(withdrawn["patient_ids"])
        for person in frame.persons:
            assert 0 <= person.years_from(date.min, CUT_OFF) <= 3.01
            assert person.is_counted or not person.is_infused


@pytest.mark.parametrize(
    ("steps", "row"),
    [
        ([], "in_follow_up"),
        ([("withdrawn", "2030-05-01", "no_cells"), ("withdrawn", "2030-06-01", "no_new_data")], "withdrawn"),
        ([("withdrawn", "2030-05-01", "erase"), ("in_follow_up", "2030-06-01", "")], "in_follow_up"),
        ([("deceased", "2031-01-01", "")], "in_follow_up"),
        ([("lost", "2030", "")], "lost"),
    ],
)
def test_the_status_is_that_of_the_cut_off(riverside, steps, row):
    who = people.patient(riverside, "A")
    people.infusion(who, date(2029, 1, 1))
    for step in steps:
        people.status(who, *step)
    (person,) = load_cohort([riverside.pk], CUT_OFF)
    assert person.row == row
    if row == "withdrawn":
        assert person.scope == "no_new_data", "the strictest scope decides"
        assert person.observed_until(CUT_OFF) == date(2030, 6, 1)


def test_cells_given_before_a_later_enrolment_still_count(riverside):
    who = people.patient(riverside, "A", enrolled=date(2031, 5, 1))
    people.infusion(who, date(2030, 5, 1))
    (person,) = load_cohort([riverside.pk], CUT_OFF)
    assert person.row != AFTER_CUT_OFF
    assert person.is_infused
