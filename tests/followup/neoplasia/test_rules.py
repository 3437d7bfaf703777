"""What a check asks of whom, and what counts as first found after the cells."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from followup.neoplasia.rules import (
    abnormal_findings,
    behaviour_of,
    is_incident,
    is_morphology,
    is_partial,
    is_topography,
    items_for,
    missing_codes,
)

GIVEN = date(2029, 6, 15)


def codes(**who):
    return {item.code for item in items_for(**{"sex": "female", "organs_absent": [], "age": 50} | who)}


def test_questions_follow_sex_organs_and_age():
    assert {"ca125", "screening_cervix"} <= codes()
    assert "psa" not in codes()
    assert "screening_cervix" not in codes(organs_absent=["uterus", "cervix"])
    assert "ca125" not in codes(organs_absent=["ovaries"])
    assert "psa" in codes(sex="male")
    assert "ca125" not in codes(sex="male")
    assert "screening_breast" not in codes(age=39)
    assert "screening_breast" in codes(age=40)


def test_where_sex_or_age_is_unknown_nothing_is_left_out():
    assert {"psa", "ca125", "screening_breast"} <= codes(sex="unknown", age=None)


@pytest.mark.parametrize(
    ("mode", "answers", "partial"),
    [
        ("on_site", {"skin": "normal"}, False),
        ("on_site", {"fever": "no", "skin": ""}, True),
        ("phone", {"skin": "normal"}, True),
        ("records", {}, True),
    ],
)
def test_a_check_without_an_examination_in_person_is_partial(mode, answers, partial):
    assert is_partial(contact_mode=mode, answers=answers) is partial


def test_only_what_was_examined_can_be_abnormal():
    assert abnormal_findings({"skin": "abnormal", "nodes": "normal", "fever": "yes"}) == ["Skin"]


@pytest.mark.parametrize("code", ["C25.9", "C80.9"])
def test_topographies(code):
    assert is_topography(code)


@pytest.mark.parametrize("code", ["C25", "25.9", "c25.9", "C25.99", "C25.9 ", "D25.9"])
def test_what_is_no_topography(code):
    assert not is_topography(code)


@pytest.mark.parametrize(
    ("code", "behaviour"), [("8140/3", "3"), ("9080/1", "1"), ("8000/9", "9"), ("8140/4", ""), ("8140", "")]
)
def test_behaviour_is_the_last_digit(code, behaviour):
    assert behaviour_of(code) == behaviour
    assert is_morphology(code) is bool(behaviour)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (["2029-06-16"], True),
        (["2029-06-15"], False),
        (["2029-06-14"], False),
        (["2029"], None),
        (["2029-06"], None),
        (["2028"], False),
        (["2030"], True),
        (["2030-01-01", "2029-01"], False),
        (["2030", ""], True),
        ([""], None),
    ],
)
def test_incident_is_what_was_first_found_after_the_first_infusion(found, verdict):
    assert is_incident(found=found, first_infusion=GIVEN) is verdict


def test_nobody_infused_has_nothing_incident():
    assert is_incident(found=["2031-01-01"], first_infusion=None) is None


@given(st.dates(date(2000, 1, 1), date(2040, 12, 31)))
def test_a_less_precise_date_never_says_the_opposite(day):
    exact = is_incident(found=[day.isoformat()], first_infusion=GIVEN)
    for length in (4, 7):
        assert is_incident(found=[day.isoformat()[:length]], first_infusion=GIVEN) in (exact, None)


def test_what_a_reported_cancer_still_lacks():
    fields = [f for f, _ in missing_codes(topography="C80.9", morphology="8000/3", basis="")]
    assert fields == ["topography", "morphology", "basis_of_diagnosis"]
    assert missing_codes(topography="C25.9", morphology="8140/3", basis="histology_primary") == []
