"""What may be done with a lot, by whom, and who is told."""

from datetime import date
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction

from registry.access.models import Site, User
from registry.infusions.actions import record_infusion
from registry.infusions.judging import DoseGiven
from registry.patients.models import Patient, Query
from registry.products import actions
from registry.products.models import Donor, Lot, ReleaseTest
from registry.saving import ChangedMeanwhile
from tests.cast import NOW, TODAY

pytestmark = pytest.mark.django_db

PASSED = {
    "cd73_percent": "99", "cd90_percent": "98.7", "cd105_percent": "97", "cd45_percent": "0.4",
    "cd34_percent": "0.3", "cd14_percent": "0.5", "cd19_percent": "0.2", "hla_dr_percent": "0.9",
    "sterility": "no_growth", "mycoplasma": "negative", "endotoxin_eu_ml": "<0.2", "karyotype": "normal",
}  # fmt: skip


@pytest.fixture
def lot(acting: None) -> Lot:
    return a_lot("UC-1")


def a_lot(code: str, **columns: object) -> Lot:
    donor, _ = Donor.objects.get_or_create(code="D-1")
    given = {
        "donor_relation": "allogeneic_unrelated", "tissue_source": "umbilical_cord", "cell_type": "msc",
        "cells_total": 1_000_000_000, "viability_percent": Decimal(91),
    } | columns  # fmt: skip
    return Lot.objects.create(code=code, donor=donor, **given)


def give(lot: Lot, site: Site, patient_id: str = "RIV-0001-X", cells: int = 75_000_000) -> Patient:
    patient, _ = Patient.objects.get_or_create(patient_id=patient_id, site=site, defaults={"created_at": NOW})
    record_infusion(
        patient=patient, doses=[DoseGiven(lot, cells, Decimal(91))], infused_on=TODAY, route="iv_peripheral",
        weight_kg=Decimal(75), by=None, now=NOW,
    )  # fmt: skip
    return patient


def change(lot: Lot, state: str, by: User, reason: str = "", **more: object) -> Lot:
    return actions.change_lot_state(lot=lot, state=state, reason=reason, on=TODAY, by=by, now=NOW, **more)


def test_a_lot_with_every_test_passed_is_released_by_product_staff(lot: Lot, paul: User) -> None:
    actions.record_release_tests(lot=lot, results=PASSED, by=paul, now=NOW, tested_on=TODAY)
    change(lot, "released", paul)
    lot.refresh_from_db()
    assert (lot.state, lot.released_on, lot.version) == ("released", TODAY, 3)


def test_release_needs_the_tests_and_says_which_are_missing(lot: Lot, paul: User) -> None:
    with pytest.raises(actions.CannotChangeState, match=r"not known yet: .*Sterility"):
        change(lot, "released", paul)


def test_conditional_release_needs_a_reason_and_only_late_tests_may_be_pending(lot: Lot, paul: User) -> None:
    actions.record_release_tests(lot=lot, results=PASSED | {"sterility": "pending"}, by=paul, now=NOW)
    with pytest.raises(actions.CannotChangeState, match="reason"):
        change(lot, "conditional", paul)
    change(lot, "conditional", paul, "Sterility pending, urgent")
    assert lot.state == "conditional"
    other = a_lot("UC-2")
    with pytest.raises(actions.CannotChangeState, match=r"needed before any release: .*Endotoxin"):
        change(other, "conditional", paul, "No time")


def test_a_failed_lot_is_never_released(lot: Lot, paul: User) -> None:
    actions.record_release_tests(lot=lot, results=PASSED | {"mycoplasma": "positive"}, by=paul, now=NOW)
    for state in ("released", "conditional"):
        with pytest.raises(actions.CannotChangeState, match="failed: Mycoplasma"):
            change(lot, state, paul, "Please")
    change(lot, "rejected", paul, "Mycoplasma positive")
    with pytest.raises(actions.CannotChangeState, match="cannot become released"):
        change(lot, "released", paul)


def test_only_product_staff_change_states(lot: Lot, nora: User) -> None:
    with pytest.raises(PermissionDenied):
        change(lot, "rejected", nora, "I think so")


def test_a_recall_asks_the_site_of_every_recipient_once(
    riverside: Site, harbour: Site, lot: Lot, paul: User
) -> None:
    Lot.objects.filter(pk=lot.pk).update(state="released", released_on=TODAY)
    lot.refresh_from_db()
    here, there = give(lot, riverside), give(lot, harbour, "HAR-0001-X")
    change(lot, "recalled", paul, "Contamination found in the bank")
    asked = Query.objects.filter(rule="lot_recalled").order_by("patient__patient_id")
    assert [(one.patient, one.site) for one in asked] == [(there, harbour), (here, riverside)]
    assert "Contamination" in asked[0].reason
    assert actions.ask_about_recipients(lot, rule="lot_recalled", why="again", now=NOW) == []


def test_a_late_failure_of_a_lot_in_use_asks_the_treating_site(riverside: Site, lot: Lot, paul: User) -> None:
    actions.record_release_tests(lot=lot, results=PASSED | {"sterility": "pending"}, by=paul, now=NOW)
    change(lot, "conditional", paul, "Sterility pending")
    give(lot, riverside)
    actions.record_release_tests(lot=lot, results={"sterility": "growth"}, by=paul, now=NOW)
    assert Query.objects.get(rule="lot_failed_after_release").site == riverside


def test_a_stored_result_changes_only_with_a_reason(lot: Lot, paul: User) -> None:
    actions.record_release_tests(lot=lot, results={"karyotype": "normal"}, by=paul, now=NOW)
    with pytest.raises(actions.ReasonNeeded):
        actions.record_release_tests(lot=lot, results={"karyotype": "abnormal"}, by=paul, now=NOW)
    actions.record_release_tests(lot=lot, results={"karyotype": ""}, by=paul, now=NOW)
    assert ReleaseTest.objects.get(lot=lot).result == "normal"


def test_of_two_people_who_opened_a_lot_one_saves(lot: Lot, paul: User) -> None:
    mine, theirs = Lot.objects.get(pk=lot.pk), Lot.objects.get(pk=lot.pk)
    theirs.passage = 5
    actions.save_lot(lot=theirs, by=paul, version=1, reason="Counted again")
    mine.passage = 6
    with pytest.raises(ChangedMeanwhile):
        actions.save_lot(lot=mine, by=paul, version=1, reason="Typed wrong")
    assert Lot.objects.get(pk=lot.pk).passage == 5


def test_remaining_cells_are_what_was_held_less_what_was_given(riverside: Site, lot: Lot) -> None:
    other = a_lot("UC-2")
    give(lot, riverside, cells=400_000_000)
    give(lot, riverside, "RIV-0002-X", cells=700_000_000)
    assert actions.remaining_cells([lot.pk, other.pk]) == {lot.pk: -100_000_000, other.pk: 1_000_000_000}


def test_an_autologous_donor_is_the_patient_of_that_id(riverside: Site, nora: User) -> None:
    patient = Patient.objects.create(patient_id="RIV-0001-X", site=riverside, created_at=NOW)
    assert actions.save_donor(donor=Donor(code="RIV-0001-X"), by=nora).patient == patient
    assert actions.save_donor(donor=Donor(code="D-9"), by=nora).patient is None


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("donor_code_is_unique", lambda lot: Donor.objects.create(code="D-1")),
        ("lot_code_is_unique", lambda lot: a_lot("UC-1")),
        ("lot_holds_cells", lambda lot: a_lot("UC-2", cells_total=0)),
        (
            "one_result_per_lot_and_test",
            lambda lot: ReleaseTest.objects.bulk_create(
                [ReleaseTest(lot=lot, kind="karyotype", result="normal") for _ in range(2)]
            ),
        ),
    ],
)
def test_the_database_keeps_the_rule(name: str, make: object, lot: Lot) -> None:
    with pytest.raises(IntegrityError) as error, transaction.atomic():
        make(lot)
    columns = {
        "donor_code_is_unique": "products_donor.code", "lot_code_is_unique": "products_lot.code",
        "one_result_per_lot_and_test": "products_releasetest.lot_id, products_releasetest.kind",
    }  # fmt: skip
    assert name in str(error.value) or columns.get(name, name) in str(error.value)


def test_expiry_day_itself_is_usable() -> None:
    lot = Lot(code="X", expires_on=date(2031, 3, 14))
    assert not lot.is_expired_on(date(2031, 3, 14))
    assert lot.is_expired_on(date(2031, 3, 15))
