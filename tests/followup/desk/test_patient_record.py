"""The record of one person: two identifiers, what is open, what is next, each by right."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from followup.labs.models import LabResult
from followup.neoplasia.models import Neoplasm
from followup.safety.models import AdverseEvent
from registry.infusions.models import Infusion
from registry.patients.models import Consent, ConsentDocument
from tests.cast import NOW, TODAY
from tests.followup.desk.conftest import counting, own_queries, task_for, visit_of

TREATED_ON = date(2029, 9, 2)


def hba1c(patient, day, percent):
    value = Decimal(percent)
    return LabResult.objects.create(
        patient=patient, site=patient.site, analyte="hba1c", collected_on=day, value_received=percent,
        unit_received="%", value=value, canonical_value=value, canonical_unit="%", flag="high", source="form",
    )  # fmt: skip


@pytest.fixture
def maria(riverside, enrolled):
    patient = enrolled(riverside, 42, family_name="Delgado", birth_date="1973-02-03")
    document = ConsentDocument.objects.create(version="2")
    Consent.objects.create(patient=patient, document=document, signed_on=date(2029, 8, 1), recorded_at=NOW)
    Infusion.objects.create(
        patient=patient, site=riverside, infused_on=TREATED_ON, route="iv_peripheral", weight_kg=Decimal(80)
    )
    hba1c(patient, TREATED_ON - timedelta(days=10), "9.1")
    hba1c(patient, TODAY - timedelta(days=30), "7.4")
    AdverseEvent.objects.create(
        patient=patient, site=riverside, term="Pneumonia", onset_date="2031-03-10", is_serious=True
    )
    Neoplasm.objects.create(
        patient=patient, site=riverside, case_ref="N-1", status="under_work_up", description="CA 19-9",
        suspected_on="2031-03-01",
    )  # fmt: skip
    visit_of(patient, "M18", closes_in=-3)
    task_for(patient, 1, title="Answer about the lot")
    return patient


def page_of(browser, patient, part=""):
    answer = browser.get(f"/patients/{patient.patient_id}/{part}")
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_record_says_who_what_is_open_and_what_is_next(signed_in, nora, maria):
    page = page_of(signed_in(nora), maria)
    for words in (
        "Maria Delgado (b. 3 Feb 1973)", "female, 58", "In follow-up", "Work-up open since 1 Mar 2031",
        "Serious: Pneumonia, since 10 Mar 2031", "3 days late", "version 2, valid", "Answer about the lot",
        "What is next", "−1.7", "1 infusion, 2 HbA1c measurements and 1 adverse event (1 serious)",
    ):  # fmt: skip
        assert words in page


def test_without_the_right_to_names_the_second_identifier_is_sex_and_age(signed_in, mona, maria):
    page = page_of(signed_in(mona), maria)
    assert "Delgado" not in page
    assert "female, 58" in page
    assert "Record visit" not in page


def test_another_site_finds_nothing_and_another_role_is_refused(signed_in, hana, adam, maria):
    assert signed_in(hana).get(f"/patients/{maria.patient_id}/").status_code == 404
    assert signed_in(adam).get(f"/patients/{maria.patient_id}/").status_code == 403


@pytest.mark.parametrize("part", ["events/", "neoplasia/", "infusions/", "consent/"])
def test_each_tab_shows_its_records_and_the_strip(part, signed_in, nora, maria):
    page = page_of(signed_in(nora), maria, part)
    expected = {
        "events/": "Pneumonia",
        "neoplasia/": "N-1",
        "infusions/": "2 Sep 2029",
        "consent/": "Version 2",
    }
    assert expected[part] in page
    assert "Maria Delgado" in page


def test_an_empty_record_says_so(signed_in, nora, riverside, enrolled):
    page = page_of(signed_in(nora), enrolled(riverside, 3))
    assert "Nothing was infused, measured or reported yet." in page
    assert "No visit is planned for this patient." in page
    assert "No laboratory result is recorded yet." in page


def test_a_constant_number_of_queries(signed_in, nora, maria):
    browser = signed_in(nora)
    page_of(browser, maria)
    used = []
    for more in (0, 40):
        for number in range(more):
            hba1c(maria, TODAY - timedelta(days=31 + number), "8.0")
            task_for(maria, 100 + number)
            visit_of(maria, f"V{number}", closes_in=100 + number)
        with counting() as captured:
            page_of(browser, maria)
        used.append(own_queries(captured))
    assert used[0] == used[1]
    assert used[0] <= 15
