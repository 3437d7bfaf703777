import pytest

from followup.reports.numbers import canonical_json, sha256
from followup.reports.rules import numbers_add_up
from tests.followup.reports.sample_numbers import safety_numbers


def test_the_sample_adds_up():
    assert numbers_add_up(safety_numbers()) == []


def test_a_person_in_two_rows_of_the_disposition_is_named():
    numbers = safety_numbers()
    person = numbers["disposition"][0]["patient_ids"][0]
    numbers["disposition"][1]["patient_ids"].append(person)
    numbers["disposition"][1]["never_infused"] += 1
    assert numbers_add_up(numbers) == [f"{person} is in 2 rows of the disposition."]


def test_a_lost_person_is_missed():
    numbers = safety_numbers()
    numbers["disposition"][0]["patient_ids"].pop()
    numbers["disposition"][0]["never_infused"] -= 1
    assert numbers_add_up(numbers) == ["Disposition holds 59 persons, the registry 60."]


def _one_infusion_too_many(numbers):
    numbers["exposure"]["rows"][0]["infusions"] += 1


def _an_event_without_grade(numbers):
    numbers["event_terms"][0]["worst"]["1"] -= 1


def _a_serious_event_not_listed(numbers):
    numbers["serious_events"].pop()


def _a_case_not_in_the_listing(numbers):
    numbers["neoplasia"]["rates"][0]["cases"] = 2


def _a_row_dropped_without_rule(numbers):
    numbers["reconciliation"][1]["counted"] -= 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_one_infusion_too_many, "Infusions by source and route: 114, but all: 113."),
        (_an_event_without_grade, "Worst grades of Fever: 8, but persons: 9."),
        (_a_serious_event_not_listed, "Serious events listed: 5, but serious in the overview: 6."),
        (_a_case_not_in_the_listing, "Neoplasia cases (status_known): 2, but counted in the listing: 1."),
        (_a_row_dropped_without_rule, "Infusions counted: 112, but in the registry less excluded: 113."),
    ],
)
def test_each_contradiction_is_said_in_words(change, words):
    numbers = safety_numbers()
    change(numbers)
    assert words in numbers_add_up(numbers)


def test_the_digest_does_not_depend_on_the_order_of_keys():
    numbers = safety_numbers()
    turned = dict(reversed(numbers.items()))
    assert canonical_json(turned) == canonical_json(numbers)
    assert sha256(turned) == sha256(numbers)
    numbers["persons_in_registry"] += 1
    assert sha256(turned) != sha256(numbers)


def test_numbers_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="Out of range"):
        canonical_json({"rate": float("nan")})
