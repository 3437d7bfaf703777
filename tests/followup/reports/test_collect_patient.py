from datetime import date
from decimal import Decimal

import pytest

from followup.labs.models import LabResult
from followup.reports.collect_patient import collect_patient
from registry.patients.identity import IdentityFacts, save_identity
from tests.followup.reports import people

CUT_OFF = date(2030, 12, 31)


@pytest.fixture
def anna(riverside):
    who = people.patient(riverside, "RIV-0001", enrolled=date(2029, 1, 5))
    save_identity(patient=who, facts=IdentityFacts("Anna", "Secretly", birth_date="1970-02-03"), by=None)
    return who


def hba1c(who, on, value):
    return LabResult.objects.create(
        patient=who, site=who.site, analyte="hba1c", collected_on=on, value_received=value, unit_received="%",
        value=Decimal(value), canonical_value=Decimal(value), canonical_unit="%", source="import",
    )  # fmt: skip


def collect(who, **options):
    return collect_patient(patient=who, cut_off=CUT_OFF, **({"with_identifiers": False} | options))


def test_the_baseline_is_recent_and_before_the_first_infusion(anna):
    people.infusion(anna, date(2029, 6, 1))
    for on, value in ((date(2029, 1, 10), "9.9"), (date(2029, 5, 20), "8.8"), (date(2029, 9, 1), "7.1")):
        hba1c(anna, on, value)
    line = collect(anna)["hba1c_percent"]
    assert (line["baseline"], line["baseline_on"]) == (8.8, "2029-05-20")
    assert [point["value"] for point in line["points"]] == [9.9, 8.8, 7.1]


def test_an_old_value_is_no_baseline(anna):
    people.infusion(anna, date(2029, 6, 1))
    hba1c(anna, date(2029, 1, 10), "9.9")
    assert collect(anna)["hba1c_percent"]["baseline"] is None


def test_what_came_after_the_cut_off_is_not_there(anna):
    people.infusion(anna, date(2031, 1, 1))
    people.event(anna, "Fever", "2031-01-01")
    people.check(anna, date(2031, 1, 1))
    people.status(anna, "lost", "2031-01-01")
    people.case(anna, "N-1", "suspected", "2031-01-01")
    hba1c(anna, date(2031, 1, 1), "7.0")
    numbers = collect(anna)
    assert numbers["hba1c_percent"]["points"] == []
    lists = ("infusions", "events", "neoplasia_checks", "status_history", "open_matters")
    assert {name: len(numbers[name]) for name in lists} == dict.fromkeys(lists, 0)


def test_names_stand_in_the_numbers_only_when_asked_for(anna):
    assert "Secretly" not in str(collect(anna))
    numbers = collect(anna, with_identifiers=True)
    assert numbers["patient"]["identity"]["full_name"] == "Anna Secretly"
    assert not numbers["cover"]["is_pseudonymised"]


def test_a_withdrawal_ends_the_consents_before_it_and_an_open_suspicion_is_named(anna):
    people.status(anna, "withdrawn", "2030-03-01", scope="no_visits")
    people.case(anna, "N-1", "suspected", "2030-02-01")
    numbers = collect(anna)
    assert (numbers["patient"]["status"], numbers["patient"]["status_since"]) == ("withdrawn", "2030-03-01")
    assert [matter["kind"] for matter in numbers["open_matters"]] == ["suspicion"]
