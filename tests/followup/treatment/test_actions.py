from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied

from followup.treatment.actions import (
    AlreadyRecorded,
    TreatmentFacts,
    add_treatment,
    correct_treatment,
    stop_treatment,
    withdraw_treatment,
)
from followup.treatment.models import Treatment
from followup.treatment.signals import treatments_changed
from registry.audit.models import AuditEntry
from registry.saving import ChangedMeanwhile
from tests.cast import NOW

GLARGINE = TreatmentFacts(
    drug="Insulin glargine",
    start_date="2030-05",
    drug_class="insulin",
    dose=Decimal(20),
    unit="IU",
    per="day",
)


@pytest.fixture
def told():
    heard = []

    def listener(sender, patients, **kwargs):
        heard.append(patients)

    treatments_changed.connect(listener)
    yield heard
    treatments_changed.disconnect(listener)


def test_each_change_is_told_to_whoever_works_with_it(rosa, nora, told):
    treatment = add_treatment(patient=rosa, facts=GLARGINE, by=nora, now=NOW)
    stop_treatment(
        treatment=treatment, stop_date="2031-02-01", reason="Remission", version=1, by=nora, now=NOW
    )
    assert told == [[rosa.pk], [rosa.pk]]


def test_a_drug_from_one_start_is_recorded_once(rosa, nora):
    add_treatment(patient=rosa, facts=GLARGINE, by=nora, now=NOW)
    with pytest.raises(AlreadyRecorded):
        add_treatment(patient=rosa, facts=GLARGINE, by=nora, now=NOW)


def test_a_correction_keeps_what_stood_there_with_its_reason_in_the_trail(rosa, nora):
    treatment = add_treatment(patient=rosa, facts=GLARGINE, by=nora, now=NOW)
    corrected = TreatmentFacts(
        drug="Insulin glargine", start_date="2030-05", drug_class="insulin", dose=Decimal(24)
    )
    correct_treatment(
        treatment=treatment, facts=corrected, reason="Misread the chart", version=1, by=nora, now=NOW
    )
    entry = AuditEntry.objects.filter(table_name="treatment_treatment", row_id=str(treatment.pk)).latest("pk")
    assert entry.reason == "Misread the chart"
    assert "20" in entry.old
    assert "24" in entry.new


def test_the_second_of_two_people_is_told_instead_of_overwriting_the_first(rosa, nora, ines):
    treatment = add_treatment(patient=rosa, facts=GLARGINE, by=nora, now=NOW)
    stop_treatment(
        treatment=treatment, stop_date="2031-02-01", reason="Remission", version=1, by=nora, now=NOW
    )
    with pytest.raises(ChangedMeanwhile):
        withdraw_treatment(treatment=treatment, reason="Wrong person", version=1, by=ines, now=NOW)
    assert Treatment.objects.get().stop_date == "2031-02-01"


def test_staff_of_another_site_cannot_write(rosa, hana):
    with pytest.raises(PermissionDenied):
        add_treatment(patient=rosa, facts=GLARGINE, by=hana, now=NOW)
