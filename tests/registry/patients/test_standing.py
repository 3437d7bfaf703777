"""Where a person's history leaves them, whatever the order its steps were recorded in."""

from datetime import date

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from registry.access.models import Site
from registry.audit.acting import acting_as
from registry.patients.models import Consent, ConsentDocument, Patient, StatusEvent
from registry.patients.standing import Standing, standings
from tests.cast import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna(acting: None, riverside: Site) -> Patient:
    return Patient.objects.create(patient_id="RIV-0001", site=riverside, status="enrolled", created_at=NOW)


def step(patient: Patient, status: str, on_date: str, **more: object) -> None:
    StatusEvent.objects.create(patient=patient, status=status, on_date=on_date, recorded_at=NOW, **more)


def standing_of(patient: Patient) -> Standing:
    return standings([patient.pk])[patient.pk]


def test_withdrawals_add_up_and_a_return_ends_them(anna: Patient) -> None:
    step(anna, "in_follow_up", "2031-03-05")
    step(anna, "withdrawn", "2031-03-03", scope="no_cells")
    step(anna, "withdrawn", "2031-03", scope="no_visits")  # the last day it can mean comes after the return
    assert standing_of(anna).scopes == {"no_visits": "2031-03"}
    assert not standing_of(anna).effect.may_visit_on_site
    step(anna, "in_follow_up", "2031-04-01")
    assert standing_of(anna).scopes == {}
    assert standing_of(anna).effect.may_infuse


def test_a_withdrawal_without_a_scope_ends_nothing(anna: Patient) -> None:
    step(anna, "withdrawn", "2031-03-03")
    assert standing_of(anna).effect.may_contact


@pytest.mark.parametrize(("confirmed", "death"), [(True, "confirmed"), (False, "reported"), (None, "")])
def test_a_death_counts_once_it_is_confirmed(anna: Patient, confirmed: bool | None, death: str) -> None:
    step(anna, "deceased", "2031-03-03", death_confirmed=confirmed)
    assert standing_of(anna).death == death
    assert bool(standing_of(anna).died_on) == (confirmed is True)


def test_the_newest_consent_decides_about_linkage(anna: Patient) -> None:
    for number, linkage in enumerate((True, False), start=1):
        document = ConsentDocument.objects.create(version=str(number))
        Consent.objects.create(
            patient=anna,
            document=document,
            signed_on=date(2031, 3, number),
            tier_linkage=linkage,
            recorded_at=NOW,
        )
    step(anna, "withdrawn", "2031-03-03", scope="no_contact")
    assert not standing_of(anna).effect.may_use_records


def test_three_queries_whatever_the_number(anna: Patient, riverside: Site) -> None:
    with acting_as("system:command"):
        others = [
            Patient.objects.create(
                patient_id=f"RIV-{n:04}", site=riverside, status="enrolled", created_at=NOW
            )
            for n in range(2, 9)
        ]
    with CaptureQueriesContext(connection) as asked:
        assert len(standings([anna.pk, *(one.pk for one in others)])) == 8
    assert len(asked) == 3
