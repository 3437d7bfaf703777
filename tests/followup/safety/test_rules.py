"""Grades at their boundaries, and every contradiction a safety reader would ask about."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from followup.safety import rules
from followup.safety.rules import EventFacts, contradictions

D = Decimal


@pytest.mark.parametrize(
    ("glucose", "unit", "level"),
    [
        ("70", "mg/dL", 0),
        ("69", "mg/dL", 1),
        ("54", "mg/dL", 1),
        ("53", "mg/dL", 2),
        ("3.9", "mmol/L", 0),
        ("3.8", "mmol/L", 1),
        ("3.0", "mmol/L", 1),
        ("2.9", "mmol/L", 2),
    ],
)
def test_hypoglycaemia_level(glucose: str, unit: str, level: int) -> None:
    assert rules.hypoglycaemia_level(D(glucose), unit) == level
    assert rules.hypoglycaemia_level(D(glucose), unit, needed_help=True) == 3


def test_hypoglycaemia_with_unknown_glucose() -> None:
    assert rules.hypoglycaemia_level(None, "mg/dL", needed_help=True) == 3
    assert rules.hypoglycaemia_level(None, "mg/dL") is None
    with pytest.raises(ValueError, match="g/L"):
        rules.hypoglycaemia_level(D(1), "g/L")


@pytest.mark.parametrize(
    ("temperature", "hours", "grade"),
    [
        ("37.9", None, 0),
        ("38.0", None, 1),
        ("39.0", None, 1),
        ("39.1", None, 2),
        ("40.0", None, 2),
        ("40.1", None, 3),
        ("40.1", 24, 3),
        ("40.1", 25, 4),
    ],
)
def test_fever_grade(temperature: str, hours: int | None, grade: int) -> None:
    assert rules.fever_grade(D(temperature), hours_above_40=None if hours is None else D(hours)) == grade


@pytest.mark.parametrize(
    ("glucose", "unit", "lln", "grade"),
    [
        ("70", "mg/dL", "70", 0),
        ("55", "mg/dL", "70", 1),
        ("55", "mg/dL", None, None),
        ("54", "mg/dL", None, 2),
        ("40", "mg/dL", None, 2),
        ("39", "mg/dL", None, 3),
        ("30", "mg/dL", None, 3),
        ("29", "mg/dL", None, 4),
        ("3.0", "mmol/L", "3.9", 1),
        ("2.9", "mmol/L", None, 2),
        ("2.2", "mmol/L", None, 2),
        ("2.1", "mmol/L", None, 3),
        ("1.7", "mmol/L", None, 3),
        ("1.6", "mmol/L", None, 4),
    ],
)
def test_low_glucose_grade(glucose: str, unit: str, lln: str | None, grade: int | None) -> None:
    assert rules.glucose_low_grade(D(glucose), unit, None if lln is None else D(lln)) == grade


@pytest.mark.parametrize(
    ("alt", "grade"), [(40, 0), (41, 1), (120, 1), (121, 2), (200, 2), (201, 3), (800, 3), (801, 4)]
)
def test_alt_grade_with_an_upper_limit_of_40(alt: int, grade: int) -> None:
    assert rules.liver_enzyme_grade(D(alt), D(40)) == grade


@pytest.mark.parametrize(("alt", "grade"), [(149, 0), (150, 1), (300, 1), (301, 2), (501, 3), (2001, 4)])
def test_alt_grade_with_an_abnormal_baseline_of_100(alt: int, grade: int) -> None:
    assert rules.liver_enzyme_grade(D(alt), D(40), D(100)) == grade


def test_no_limit_means_ungradable_not_grade_0() -> None:
    assert rules.liver_enzyme_grade(D(30), None) is None
    assert rules.creatinine_grade(D(80), None) is None
    assert rules.platelet_grade(D(200), None) is None


@pytest.mark.parametrize(
    ("platelets", "grade"),
    [("150", 0), ("149", 1), ("75", 1), ("74.9", 2), ("50", 2), ("49", 3), ("25", 3), ("24.9", 4)],
)
def test_platelet_grade(platelets: str, grade: int) -> None:
    assert rules.platelet_grade(D(platelets), D(150)) == grade


@pytest.mark.parametrize(
    ("value", "uln", "baseline", "grade"),
    [
        (100, 100, None, 0),
        (101, 100, None, 1),
        (150, 100, None, 1),
        (151, 100, None, 2),
        (301, 100, None, 3),
        (601, 100, None, 4),
        (95, 100, 60, 2),
        (190, 100, 60, 3),
        (95, None, 60, 2),
        (62, None, 60, None),
    ],
)
def test_creatinine_grade(value: int, uln: int | None, baseline: int | None, grade: int | None) -> None:
    limits = [None if limit is None else D(limit) for limit in (uln, baseline)]
    assert rules.creatinine_grade(D(value), *limits) == grade


@pytest.mark.parametrize(
    ("analyte", "value", "expected"),
    [
        ("haemoglobin", "119", ("Anemia", 1)),
        ("haemoglobin", "99", ("Anemia", 2)),
        ("haemoglobin", "60", ("Anemia", 3)),
        ("neutrophils", "0.4", ("Neutrophil count decreased", 4)),
        ("leukocytes", "2.5", ("White blood cell decreased", 2)),
        ("ast", "900", ("Aspartate aminotransferase increased", 2)),
        ("fasting_glucose", "30", None),
    ],
)
def test_a_grade_is_suggested_only_where_numbers_grade(analyte: str, value: str, expected: object) -> None:
    assert rules.suggest_grade(analyte, D(value), lln=D(120), uln=D(200)) == expected


@given(st.decimals("0.1", 1000, places=1), st.decimals("0.1", 1000, places=1))
def test_a_lower_count_never_has_a_milder_grade(first: D, second: D) -> None:
    low, high = sorted([first, second])
    assert (rules.platelet_grade(low, D(150)) or 0) >= (rules.platelet_grade(high, D(150)) or 0)


def kinds(**facts) -> set[str]:
    return {
        one.kind
        for one in contradictions(EventFacts(**{"term": "Fever", "onset_date": "2031-03-05", **facts}))
    }


def test_a_consistent_report_has_no_contradiction() -> None:
    assert (
        kinds(
            severity_grade=1,
            is_serious=False,
            outcome="recovered",
            end_date="2031-03-06",
            aware_at="2031-03-05",
        )
        == set()
    )
    assert kinds() == set()
    fatal = {"severity_grade": 5, "is_serious": True, "seriousness_criteria": ("death",), "outcome": "fatal"}
    assert kinds(**fatal, end_date="2031-03-09", death_date="2031-03-09") == set()


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"term": "Nausea", "severity_grade": 4}, {"impossible_grade"}),
        ({"term": "upper respiratory infection", "severity_grade": 1}, {"impossible_grade"}),
        ({"term": "itching", "severity_grade": 7}, {"impossible_grade"}),
        ({"end_date": "2031-03-04"}, {"end_before_onset"}),
        ({"end_date": "2031-02"}, {"end_before_onset"}),
        ({"end_date": "2031-03"}, set()),
        ({"end_date": "2031"}, set()),
        ({"onset_date": "2031", "end_date": "2030"}, {"end_before_onset"}),
        ({"is_serious": False, "seriousness_criteria": ("hospitalisation",)}, {"criterion_without_serious"}),
        ({"is_serious": None, "seriousness_criteria": ("hospitalisation",)}, {"criterion_without_serious"}),
        ({"is_serious": True}, {"serious_without_criterion"}),
        ({"outcome": "fatal", "is_serious": False}, {"fatal_not_serious"}),
        (
            {"outcome": "fatal", "is_serious": None, "severity_grade": 3},
            {"fatal_not_serious", "fatal_not_grade_5"},
        ),
        ({"severity_grade": 5, "outcome": "recovered"}, {"grade_5_not_fatal"}),
        ({"severity_grade": 5}, {"grade_5_not_fatal"}),
        (
            {"is_serious": True, "seriousness_criteria": ("death",), "outcome": "recovered"},
            {"death_not_fatal"},
        ),
        ({"aware_at": "2031-03-04T23:00"}, {"aware_at_before_onset"}),
        ({"site_aware_at": "2031-03-04"}, {"site_aware_at_before_onset"}),
        ({"site_aware_at": "2031-03-08", "sponsor_received_at": "2031-03-07"}, {"sponsor_before_site"}),
        ({"term": "Pancreatic cancer", "is_serious": False}, {"neoplasm_not_serious"}),
        ({"term": "MALIGNANT FIBROUS HISTIOCYTOMA"}, {"neoplasm_not_serious"}),
        ({"term": "basal cell carcinoma", "is_serious": False}, set()),
        ({"term": "lipoma", "is_serious": False}, set()),
    ],
)
def test_each_contradiction_is_named(facts: dict, expected: set[str]) -> None:
    assert kinds(**facts) == expected


def test_a_death_on_another_day_than_the_fatal_event_ended_is_asked_about() -> None:
    fatal = {"severity_grade": 5, "is_serious": True, "seriousness_criteria": ("death",), "outcome": "fatal"}
    assert kinds(**fatal, end_date="2031-03-09", death_date="2031-03-10") == {"death_date_differs"}
    assert kinds(**fatal, end_date="2031-03", death_date="2031-03-10") == set()


def test_an_impossible_grade_names_the_grades_and_the_offer() -> None:
    (one,) = contradictions(EventFacts(term="Upper respiratory infection", severity_grade=1))
    assert one.field == "severity_grade"
    assert "no grade 1 for Upper respiratory infection (only 2, 3, 4, 5)" in one.reason
    assert "Infections and infestations - Other, specify" in one.reason


@pytest.mark.parametrize(
    ("term", "kind"),
    [
        ("Adenocarcinoma of pancreas", "malignant"),
        ("Leukaemia", "malignant"),
        ("lung tumour", "malignant"),
        ("Neoplasms - Other, specify", "malignant"),
        ("Myelodysplastic syndrome", "malignant"),
        ("malignant polyp", "malignant"),
        ("colon polyp", "benign"),
        ("thyroid adenoma", "benign"),
        ("Basal cell carcinoma", "skin"),
        ("squamous cell carcinoma of the skin", "skin"),
        ("squamous cell carcinoma of the lung", "malignant"),
        ("tumour marker increased", ""),
        ("fever", ""),
    ],
)
def test_a_neoplasm_is_recognised_by_its_words(term: str, kind: str) -> None:
    assert rules.neoplasm_kind(term) == kind


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"behaviour": "3", "morphology": "8140"}, True),
        ({"behaviour": "1"}, True),
        ({"behaviour": ""}, True),
        ({"behaviour": "0", "topography": "C18.9"}, False),
        ({"behaviour": "0", "topography": "C25.9"}, True),
        ({"behaviour": "0", "place": "puncture_site"}, True),
        ({"behaviour": "3", "morphology": "8090", "topography": "C44.3"}, None),
        ({"behaviour": "3", "morphology": "8720", "topography": "C44.3"}, True),
    ],
)
def test_which_neoplasms_are_serious_by_default(facts: dict, expected: bool | None) -> None:
    assert rules.neoplasm_is_serious(**facts) is expected


@pytest.mark.parametrize(
    ("term", "facts", "found"),
    [
        ("thyroid adenoma", {}, "neoplasm"),
        ("Hypoglycemia", {"hypoglycaemia_level": 3}, "level 3 hypoglycaemia"),
        ("Hypoglycemia", {"hypoglycaemia_level": 2}, ""),
        ("Dyspnea", {"hours_after_iv_infusion": D(48)}, "respiratory"),
        ("Dyspnea", {"hours_after_iv_infusion": D(49)}, ""),
        ("Dyspnea", {}, ""),
        ("Infusion related reaction", {"grade": 1}, ""),
        ("Infusion related reaction", {"grade": 2}, "Infusion related reaction"),
        ("Euglycaemic ketoacidosis", {}, "ketoacidosis"),
        ("Worsening of retinopathy", {}, "retinopathy"),
        ("Fever", {"grade": 4}, ""),
    ],
)
def test_events_of_special_interest_say_why(term: str, facts: dict, found: str) -> None:
    reason = rules.special_interest_reason(term, **{"grade": None, **facts})
    assert reason.startswith(found)
    assert bool(reason) == bool(found)
