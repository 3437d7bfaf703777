"""The pages of checks and cases: who may open them, what they say, and that nobody's save is lost."""

import re

import pytest
from django.urls import reverse

from followup.neoplasia.actions import report_neoplasm
from followup.neoplasia.models import NeoplasiaCheck, Neoplasm
from followup.schedule.models import Visit, VisitAssessment
from registry.exchange.exporting import Scope, export_to
from registry.patients.models import Patient
from tests.cast import NOW, TODAY


@pytest.fixture
def maria(riverside):
    return Patient.objects.create(
        patient_id="RIV-0001-A", site=riverside, created_at=NOW, birth_year=1970, sex_at_birth="female"
    )


@pytest.fixture
def case(maria, nora):
    return report_neoplasm(
        patient=maria, description="Breast cancer", diagnosed_on="2024", source="GP", by=nora, now=NOW
    )


def page(response):
    return re.sub(r"\s+", " ", response.content.decode())


def form(**more):
    return {
        "on_date": "2025-03-10", "contact_mode": "phone", "outcome": "no_suspicion", "form_token": "c" * 32,
        "weight_loss": "no",
    } | more  # fmt: skip


def test_a_check_by_phone_is_saved_once_and_says_that_it_is_partial(maria, nora, signed_in):
    browser = signed_in(nora)
    address = reverse("neoplasia:check_add_any", args=[maria.patient_id])
    shown = page(browser.get(address))
    assert "No examination in person is recorded yet" in shown
    assert "CA-125" in shown
    assert "PSA" not in shown
    assert browser.post(address, form()).status_code == 302
    answer = browser.post(address, form(), follow=True)
    assert "examination and imaging stay due" in page(answer)
    assert NeoplasiaCheck.objects.count() == 1


def test_a_check_at_a_visit_answers_the_visit(maria, nora, signed_in):
    visit = Visit.objects.create(
        patient=maria, site=maria.site, visit_code="M12", target_date=TODAY, window_opens=TODAY,
        window_closes=TODAY, created_on=TODAY, neoplasia_check=True,
    )  # fmt: skip
    VisitAssessment.objects.create(visit=visit, code="neoplasia_check")
    browser = signed_in(nora)
    assert browser.get(reverse("neoplasia:check_add", args=[visit.pk])).status_code == 200
    assert browser.post(reverse("neoplasia:check_add", args=[visit.pk]), form()).status_code == 302
    assert visit.assessments.get().state == "done"


def test_a_suspicion_without_words_and_an_abnormal_finding_without_a_reason_are_asked_again(
    maria, nora, signed_in
):
    browser = signed_in(nora)
    address = reverse("neoplasia:check_add_any", args=[maria.patient_id])
    assert "Say in a few words" in page(browser.post(address, form(outcome="suspicion")))
    assert "Say why there is no suspicion" in page(browser.post(address, form(skin="abnormal")))
    assert not NeoplasiaCheck.objects.exists()


def test_a_suspicion_is_opened_noted_closed_and_reopened(maria, nora, ines, signed_in):
    nurse, investigator = signed_in(nora), signed_in(ines)
    address = reverse("neoplasia:check_add_any", args=[maria.patient_id])
    nurse.post(address, form(outcome="suspicion", finding="Mass in the pancreas"))
    pk = Neoplasm.objects.get().pk
    assert "Further infusions are held" in page(nurse.get(reverse("neoplasia:case", args=[pk])))
    note = {"kind": "imaging", "on_date": "2025-03-11", "text": "CT asked for", "form_token": "n" * 32}
    assert nurse.post(reverse("neoplasia:case_note", args=[pk]), note).status_code == 302
    conclusion = {
        "status": "malignant", "topography": "C25.0", "morphology": "8140/3", "diagnosed_on": "2025-03",
        "conclusion": "Biopsy", "version": "2",
    }  # fmt: skip
    wrong = investigator.post(reverse("neoplasia:case_close", args=[pk]), conclusion | {"topography": "C25"})
    assert "This is not an ICD-O-3 code such as C25.9" in page(wrong)
    closed = investigator.post(reverse("neoplasia:case_close", args=[pk]), conclusion, follow=True)
    assert "Report as a serious event" in page(closed)
    event = investigator.post(reverse("neoplasia:case_event", args=[pk]), follow=True)
    assert "Mass in the pancreas" in page(event)
    back = {"reason": "New scan", "version": str(Neoplasm.objects.get().version)}
    assert investigator.post(reverse("neoplasia:case_reopen", args=[pk]), back).status_code == 302
    assert Neoplasm.objects.get().status == "under_work_up"


def test_a_reported_cancer_is_accepted_with_almost_nothing_known(maria, nora, signed_in):
    facts = {
        "description": "Colon cancer",
        "diagnosed_on": "2024",
        "source": "daughter",
        "form_token": "r" * 32,
    }
    address = reverse("neoplasia:case_report", args=[maria.patient_id])
    answer = signed_in(nora).post(address, facts, follow=True)
    assert "Still to find out" in page(answer)


def test_a_save_that_comes_too_late_shows_both_peoples_values(case, nora, signed_in):
    browser = signed_in(nora)
    address = reverse("neoplasia:case_update", args=[case.pk])
    facts = {"description": "Breast cancer", "suspected_on": "2024", "reason": "Letter", "version": "1"}
    assert browser.post(address, facts | {"topography": "C50.4"}).status_code == 302
    late = browser.post(address, facts | {"topography": "C50.9"})
    assert late.status_code == 409
    assert "C50.4" in page(late)
    assert Neoplasm.objects.get().topography == "C50.4"


def test_the_list_shows_who_is_open_and_what_counts(case, nora, signed_in):
    words = page(signed_in(nora).get(reverse("neoplasia:case_list"), {"which": "open"}))
    assert "RIV-0001-A-N1" in words


@pytest.mark.parametrize("name", ["case", "case_update", "case_close"])
def test_a_case_of_another_site_does_not_exist(case, hana, ines, signed_in, name):
    answer = signed_in(hana).get(reverse(f"neoplasia:{name}", args=[case.pk]))
    assert answer.status_code == (403 if name == "case_close" else 404)


def test_only_an_investigator_opens_the_closing_form(case, nora, mona, signed_in):
    assert signed_in(nora).get(reverse("neoplasia:case_close", args=[case.pk])).status_code == 403
    assert signed_in(mona).get(reverse("neoplasia:case_update", args=[case.pk])).status_code == 403


def test_a_safety_officer_assesses_on_the_page_of_the_case(case, nora, sami, signed_in):
    browser = signed_in(sami)
    shown, address = (reverse(f"neoplasia:{name}", args=[case.pk]) for name in ("case", "case_assess"))
    assert "counts as related and unexpected" in page(browser.get(shown))
    listed = {"which": "unassessed"}
    assert case.case_ref in page(browser.get(reverse("neoplasia:case_list"), listed))
    verdict = {
        "relatedness_cells": "unlikely", "relatedness_procedure": "unlikely", "expectedness": "expected",
        "reason": "Known before", "version": str(case.version),
    }  # fmt: skip
    assert "This field is required" in page(browser.post(address, verdict | {"relatedness_cells": ""}))
    assert "Known before" in page(browser.post(address, verdict, follow=True))
    nurse = signed_in(nora)
    assert "Known before" in page(nurse.get(shown))
    assert address not in page(nurse.get(shown))
    assert case.case_ref not in page(browser.get(reverse("neoplasia:case_list"), listed))


def test_both_tables_go_out(maria, case, nora, signed_in, tmp_path):
    signed_in(nora).post(reverse("neoplasia:check_add_any", args=[maria.patient_id]), form())
    export_to(tmp_path, scope=Scope(sites=nora.scope("neoplasia.view"), now=NOW))
    checks = (tmp_path / "neoplasia_checks.csv").read_text().splitlines()
    assert checks[0] == "patient_id,visit_code,on_date,contact_mode,item,result,status"
    assert "RIV-0001-A,,2025-03-10,phone,outcome,no_suspicion,partial" in checks
    assert "RIV-0001-A,,2025-03-10,phone,weight_loss,no,done" in checks
    cases = (tmp_path / "neoplasms.csv").read_text().splitlines()
    assert cases[1] == "RIV-0001-A,RIV-0001-A-N1,suspected,2024,2024,C80.9,8000/3,3,,"
