"""The CTCAE table: terms are found as people write them, and only grades that exist are accepted."""

import pytest

from followup.safety.ctcae import (
    GRADES,
    NEOPLASMS_SOC,
    OTHER_TERMS,
    TERMS,
    grade_exists,
    other_specify_for,
    term_for,
)

MISSING_GRADES = {
    "Chills": {4, 5},
    "Anaphylaxis": {1, 2},
    "Nausea": {4, 5},
    "Abdominal pain": {4, 5},
    "Pancreatitis": {1},
    "Retroperitoneal hemorrhage": {1},
    "Intra-abdominal hemorrhage": {1},
    "Headache": {4, 5},
    "Upper respiratory infection": {1},
    "Catheter related infection": {1},
    "Sepsis": {1, 2},
    "Bruising": {3, 4, 5},
    "Arterial thromboembolism": {1, 2},
    "Hypoxia": {1},
    "Alanine aminotransferase increased": {5},
    "Aspartate aminotransferase increased": {5},
    "Creatinine increased": {5},
    "Lipase increased": {5},
    "Serum amylase increased": {5},
    "Platelet count decreased": {5},
    "Neutrophil count decreased": {5},
    "White blood cell decreased": {5},
    "Treatment related secondary malignancy": {1, 2},
    "Myelodysplastic syndrome": {1, 2, 3},
    "Leukemia secondary to oncology chemotherapy": {1, 2, 3},
    "Tumor pain": {4, 5},
}


@pytest.mark.parametrize("term", TERMS, ids=lambda term: term.name)
def test_exactly_the_grades_of_ctcae_exist(term) -> None:
    absent = {grade for grade in GRADES if not grade_exists(term, grade)}
    assert absent == MISSING_GRADES.get(term.name, set())
    assert not grade_exists(term, 0)
    assert not grade_exists(term, 6)
    assert all(term.grades.values())


def test_names_and_codes_are_unique_and_every_class_has_an_other_term() -> None:
    assert len({term.name for term in TERMS}) == len(TERMS)
    assert len({term.meddra_code for term in TERMS}) == len(TERMS)
    assert all(term.meddra_code.isdigit() and len(term.meddra_code) == 8 for term in TERMS)
    assert {term.soc for term in TERMS} == set(OTHER_TERMS)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Fever", "Fever"),
        ("  FEVER ", "Fever"),
        ("pyrexia", "Fever"),
        ("10016558", "Fever"),
        ("hypoglycaemia", "Hypoglycemia"),
        ("HYPOGLYCEMIA", "Hypoglycemia"),
        ("ALT increased", "Alanine aminotransferase increased"),
        ("Haematoma", "Hematoma"),
        ("Pulmonary embolism", "Thromboembolic event"),
        ("Neoplasms – Other, specify", f"{NEOPLASMS_SOC} - Other, specify"),
        ("10029104", f"{NEOPLASMS_SOC} - Other, specify"),
    ],
)
def test_a_term_is_found_as_people_write_it(text: str, name: str) -> None:
    term = term_for(text)
    assert term is not None
    assert term.name == name


@pytest.mark.parametrize("text", ["", "itching", "99999999", "fever and chills"])
def test_other_words_stay_the_reporters_own(text: str) -> None:
    assert term_for(text) is None
    assert grade_exists(None, 5)
    assert not grade_exists(None, 7)


def test_a_mild_respiratory_infection_is_offered_its_class() -> None:
    infection = term_for("Upper respiratory infection")
    assert infection is not None
    offer = other_specify_for(infection)
    assert offer.name == "Infections and infestations - Other, specify"
    assert offer.is_other_specify
    assert grade_exists(offer, 1)


def test_special_interest_follows_term_and_grade() -> None:
    reaction, fever = term_for("Infusion related reaction"), term_for("Fever")
    assert reaction is not None
    assert fever is not None
    assert [reaction.is_special_interest(grade) for grade in (1, 2, 3, None)] == [False, True, True, True]
    assert not fever.is_special_interest(3)
    assert all(term.is_special_interest(1) for term in TERMS if term.is_neoplasm)
