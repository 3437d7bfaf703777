"""A person withdraws, in each of the five ways: what stops, what goes on, and what no withdrawal may close."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from followup.neoplasia.actions.cases import report_neoplasm
from followup.neoplasia.models import Neoplasm
from followup.reminders.actions import run_sweep
from followup.reminders.models import Reminder
from followup.reminders.standing import reaches
from followup.safety.actions import record_event
from followup.safety.models import AdverseEvent
from followup.schedule.models import Visit, WorkItem
from registry.access.models import Site, User
from registry.infusions.judging import order_refusals
from registry.infusions.models import InfusionDose, InfusionHold
from registry.patients import erasing
from registry.patients.erasing import ErasureFacts
from registry.patients.identity import IdentityFacts, save_identity
from registry.patients.models import Consent, ConsentDocument, Patient, Scope
from registry.patients.status import StatusFacts, record_status
from registry.products.models import Donor, Lot
from tests.cast import NOW, TODAY
from tests.followup.schedule.scene import planned

LINKED = [(scope, True) for scope in Scope.values] + [("no_contact", False)]
STAYS_OPEN = ("neoplasm", "serious_event")


@dataclass
class Matters:
    patient: Patient
    event: AdverseEvent
    case: Neoplasm
    items: list[int]


@pytest.fixture
def open_matters(riverside: Site, ines: User, lot: Lot) -> Matters:
    """Cells given, a serious event that goes on, a tumour under work-up, and a visit due."""
    patient = planned(riverside, infused_on=TODAY - timedelta(days=360))
    save_identity(patient=patient, facts=IdentityFacts("Anna", "Berg"), by=ines)
    given = {
        "infusion": patient.infusion_set.get(),
        "lot": lot,
        "cells_total": 10**8,
        "viable_cells": 9 * 10**7,
    }
    InfusionDose.objects.create(**given, viability_percent=90, viable_cells_per_kg=10**6)
    facts = {
        "term": "Pneumonia",
        "onset_date": "2031-03-01",
        "is_serious": True,
        "seriousness_criteria": "hospitalisation",
    }
    event = record_event(patient=patient, facts=facts, by=ines, now=NOW)
    case = report_neoplasm(
        patient=patient, description="Mass in the pancreas", diagnosed_on="2031-03-02", by=ines, now=NOW
    )
    return Matters(patient, event, case, _open(patient))


@pytest.fixture
def lot(acting: None) -> Lot:
    donor = Donor.objects.create(code="D-1")
    facts = {"donor_relation": "allogeneic_unrelated", "tissue_source": "umbilical_cord", "cell_type": "msc"}
    return Lot.objects.create(code="LOT-1", donor=donor, cells_total=10**9, state="released", **facts)


def _open(patient: Patient) -> list[int]:
    rows = WorkItem.objects.open().filter(patient=patient).exclude(kind__startswith="erasure")
    return list(rows.order_by("pk").values_list("pk", flat=True))


def consent(patient: Patient, *, linkage: bool) -> None:
    document = ConsentDocument.objects.create(version="1.0")
    Consent.objects.create(
        patient=patient, document=document, signed_on="2030-01-09", tier_linkage=linkage, recorded_at=NOW
    )


def withdraw(patient: Patient, scope: str, by: User) -> None:
    facts = StatusFacts("withdrawn", (TODAY - timedelta(days=1)).isoformat(), scope, "Said on the phone")
    record_status(patient=patient, facts=facts, by=by, now=NOW)
    run_sweep(now=NOW, as_of=NOW)
    run_sweep(now=NOW + timedelta(days=30), as_of=NOW + timedelta(days=30))


@pytest.mark.parametrize(("scope", "linkage"), LINKED)
def test_nothing_about_safety_closes(open_matters: Matters, ines: User, scope: str, linkage: bool) -> None:
    patient = open_matters.patient
    assert open_matters.items, "without an open matter nothing is shown here"
    consent(patient, linkage=linkage)
    withdraw(patient, scope, ines)
    assert set(open_matters.items) <= set(_open(patient))
    open_matters.event.refresh_from_db()
    assert open_matters.event.outcome == ""
    open_matters.case.refresh_from_db()
    assert open_matters.case.is_open
    assert InfusionHold.objects.filter(patient=patient, released_at=None).exists()
    dose = InfusionDose.objects.get(infusion__patient=patient)
    assert dose.lot.code == "LOT-1"


@pytest.mark.parametrize(
    ("scope", "linkage", "person", "staff", "modes"),
    [
        ("no_cells", False, True, True, {"on_site", "phone", "video", "letter", "records"}),
        ("no_visits", False, True, True, {"phone", "video", "letter", "records"}),
        ("no_contact", True, False, True, {"records"}),
        ("no_contact", False, False, False, set()),
        ("no_new_data", True, False, False, set()),
        ("erase", True, False, False, set()),
    ],
)
def test_only_the_last_three_scopes_stop_messages_to_the_person(
    open_matters: Matters, ines: User, scope: str, linkage: bool, person: bool, staff: bool, modes: set[str]
) -> None:
    patient = open_matters.patient
    consent(patient, linkage=linkage)
    withdraw(patient, scope, ines)
    reach = reaches([patient.pk])[patient.pk]
    assert (reach.tell_person, reach.tell_staff, set(reach.contact_modes)) == (person, staff, modes)
    assert Reminder.objects.filter(patient=patient, is_open=True).exists() is staff
    assert Visit.objects.filter(patient=patient, state="planned", actual_date=None).exists() is staff


@pytest.mark.parametrize("scope", Scope.values)
def test_every_scope_speaks_against_more_cells_and_the_page_says_what_is_left(
    open_matters: Matters, lot: Lot, ines: User, signed_in: Any, scope: str
) -> None:
    consent(open_matters.patient, linkage=True)
    withdraw(open_matters.patient, scope, ines)
    refusals = order_refusals(
        patient=open_matters.patient, lot=lot, planned_on=TODAY, weight_kg=Decimal(70), cells_ordered=10**6
    )
    assert any(refusal.code == "consent_withdrawn" for refusal in refusals)
    tab = signed_in(ines).get(f"/patients/{open_matters.patient.patient_id}/consent/").content.decode()
    assert "What is left" in tab
    assert "Open serious events" in tab


def test_an_erased_person_can_still_be_traced_and_their_event_closed(
    open_matters: Matters, ines: User, cora: User, signed_in: Any
) -> None:
    patient = open_matters.patient
    withdraw(patient, Scope.ERASE, ines)
    asked = erasing.ask_for_erasure(
        patient=patient, facts=ErasureFacts("consent", "Letter"), form_token="f", by=ines, now=NOW
    )
    erasing.carry_out(request=asked, typed_id=patient.patient_id, by=cora, now=NOW)
    run_sweep(now=NOW, as_of=NOW)
    assert set(open_matters.items) <= set(_open(patient))
    browser = signed_in(ines)
    lot = InfusionDose.objects.get(infusion__patient=patient).lot
    assert patient.patient_id in browser.get(f"/cells/lots/{lot.pk}/").content.decode()
    assert browser.get(f"/safety/events/{open_matters.event.pk}/").status_code == 200
    assert browser.get(f"/neoplasia/cases/{open_matters.case.pk}/").status_code == 200
    assert "Identifiers erased" in browser.get(f"/patients/{patient.patient_id}/consent/").content.decode()
