"""The laboratory's pages as staff use them."""

import re
from decimal import Decimal

import pytest
from django.urls import reverse

from followup.labs.actions import Collection, Entry, record_results
from followup.labs.models import DerivedValue, Laboratory, LabResult
from registry.access.models import User
from tests.cast import NOW, TODAY, person


@pytest.fixture(autouse=True)
def today(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def lena(riverside) -> User:
    """Works in the laboratory of Riverside."""
    return person("lena", "laboratory", riverside)


@pytest.fixture
def result(rosa, nora) -> LabResult:
    return record_results(
        patient=rosa,
        visit=None,
        collection=Collection(on=TODAY),
        entries=[Entry("hba1c", "7.2", "%")],
        by=nora,
        now=NOW,
    )[0]


def typed(browser, url, **values):
    """What the grid would post: the page's own hidden fields with the values typed into it."""
    page = browser.get(url).content.decode()
    hidden = {name: re.search(rf'name="{name}" value="([^"]*)"', page)[1] for name in ("rows", "form_token")}
    units = dict(re.findall(r'name="(unit-\w+)".*?<option value="([^"]*)" selected', page, re.DOTALL))
    shared = {"collected_on": "2031-03-14", "collected_time": "", "laboratory": "", "accession": ""}
    return hidden | units | shared | {"fasting": "", "insulin_free": "", "step": "check"} | {
        name.replace("__", "-"): value for name, value in values.items()
    }  # fmt: skip


def test_the_grid_of_a_visit_offers_what_is_planned(signed_in, nora, visit):
    page = signed_in(nora).get(reverse("labs:visit_results", args=[visit.pk])).content.decode()
    for code in ("hba1c", "fasting_c_peptide", "weight", "ca125", "gir", "c_peptide_auc"):
        assert f'name="value-{code}"' in page
    for code in ("psa", "creatinine"):  # for the other sex; not planned
        assert f'name="value-{code}"' not in page
    assert "4.0–5.6 %" in page


def test_results_are_checked_before_anything_is_stored(signed_in, nora, visit):
    browser, url = signed_in(nora), reverse("labs:visit_results", args=[visit.pk])
    form = typed(
        browser, url, value__fasting_glucose="8.0", value__fasting_insulin="72", unit__fasting_insulin="pmol/L",
        fasting="yes", value__weight="70",
    )  # fmt: skip
    page = browser.post(url, form).content.decode()
    assert "Nothing is saved yet" in page
    assert not LabResult.objects.exists()
    for shown in (
        "12.0",
        "HOMA-IR",
        "4.27",
        "Must not be read",
        "insulin treatment at collection unknown",
        "25.7",
    ):
        assert shown in page
    saved = browser.post(url, form | {"step": "save"})
    assert saved.status_code == 302
    assert LabResult.objects.filter(visit=visit).count() == 3
    assert visit.assessments.get(code="glycaemia").state == "done"


def test_saving_twice_stores_once(signed_in, nora, visit):
    browser, url = signed_in(nora), reverse("labs:visit_results", args=[visit.pk])
    form = typed(browser, url, value__hba1c="7.2", step="save")
    browser.post(url, form)
    browser.post(url, form)
    assert LabResult.objects.count() == 1


def test_a_slip_is_marked_and_nothing_typed_is_lost(signed_in, nora, visit):
    browser, url = signed_in(nora), reverse("labs:visit_results", args=[visit.pk])
    page = browser.post(
        url, typed(browser, url, value__hba1c="53", value__weight="70.5", step="save")
    ).content.decode()
    assert "looks like mmol/mol" in page
    assert 'value="53"' in page
    assert 'value="70.5"' in page
    assert not LabResult.objects.exists()


def test_an_unusual_value_must_be_confirmed(signed_in, nora, visit):
    browser, url = signed_in(nora), reverse("labs:visit_results", args=[visit.pk])
    form = typed(browser, url, value__weight="260", step="save")
    assert "tick the box" in browser.post(url, form).content.decode()
    assert not LabResult.objects.exists()
    browser.post(url, form | {"confirmed": "yes"})
    assert LabResult.objects.get().value_received == "260"


def test_going_back_keeps_what_was_typed_and_another_test_may_be_added(signed_in, nora, visit):
    browser, url = signed_in(nora), reverse("labs:visit_results", args=[visit.pk])
    form = typed(browser, url, value__hba1c="7.2")
    page = browser.post(url, form | {"step": "add", "another": "creatinine"}).content.decode()
    assert 'name="value-creatinine"' in page
    assert 'value="7.2"' in page
    assert 'value="7.2"' in browser.post(url, form | {"step": "edit"}).content.decode()


def test_an_empty_grid_and_a_day_to_come_are_explained(signed_in, nora, visit):
    browser, url = signed_in(nora), reverse("labs:visit_results", args=[visit.pk])
    assert "No value was typed yet" in browser.post(url, typed(browser, url)).content.decode()
    page = browser.post(
        url, typed(browser, url, value__hba1c="7.2", collected_on="2031-03-15")
    ).content.decode()
    assert "has not come yet" in page


def test_the_unit_this_site_uses_comes_first(signed_in, nora, visit):
    browser, url = signed_in(nora), reverse("labs:visit_results", args=[visit.pk])
    browser.post(url, typed(browser, url, value__hba1c="55", unit__hba1c="mmol/mol", step="save"))
    assert 'value="mmol/mol" selected' in browser.get(url).content.decode()


# Without a visit ---------------------------------------------------------------------------------------------


def test_the_laboratory_enters_results_by_the_patients_id_alone(signed_in, lena, rosa):
    browser = signed_in(lena)
    found = browser.get(reverse("labs:result_entry"), {"patient": " riv-0042-j"})
    url = reverse("labs:patient_entry", args=["RIV-0042-J"])
    assert (found.status_code, found.url) == (302, url)
    browser.post(url, typed(browser, url, value__hba1c="7.2", step="save"))
    assert LabResult.objects.get().patient == rosa
    page = browser.get(reverse("labs:patient_results", args=["RIV-0042-J"])).content.decode()
    assert "7.2" in page


def test_an_id_of_another_site_is_as_unknown_as_nobodys(signed_in, lena, tane):
    for text in ("HAR-0007-D", "NOBODY-1"):
        page = signed_in(lena).get(reverse("labs:result_entry"), {"patient": text}).content.decode()
        assert f"There is no patient {text} in your sites" in page


# Reading and correcting --------------------------------------------------------------------------------------


def test_the_patients_page_shows_received_values_and_why_an_index_must_not_be_read(
    signed_in, mona, nora, rosa
):
    entries = [Entry("hba1c", "53", "mmol/mol"), Entry("fasting_insulin", "12", "mIU/L")]
    record_results(
        patient=rosa, visit=None, collection=Collection(on=TODAY), entries=entries, by=nora, now=NOW
    )
    page = signed_in(mona).get(reverse("labs:patient_results", args=[rosa.patient_id])).content.decode()
    for shown in ("7.0", "53 mmol/mol", "14 Mar 2031", "Not computable", "glucose unknown"):
        assert shown in page
    assert "Correct" not in page


def test_a_patient_without_results_has_a_page_that_says_so(signed_in, nora, rosa):
    page = signed_in(nora).get(reverse("labs:patient_results", args=[rosa.patient_id])).content.decode()
    assert "No result has been recorded" in page


def test_a_correction_needs_a_reason_and_keeps_the_units_check(signed_in, nora, result):
    browser, url = signed_in(nora), reverse("labs:result_correct", args=[result.pk])
    form = {"value": "6.9", "unit": "%", "fasting": "", "insulin_free": "", "reason": "", "version": "1"}
    assert "required" in browser.post(url, form).content.decode()
    assert "mmol/mol" in browser.post(url, form | {"value": "69", "reason": "Typing error"}).content.decode()
    assert browser.post(url, form | {"reason": "Typing error"}).status_code == 302
    result.refresh_from_db()
    assert (result.value_received, result.version) == ("6.9", 2)


def test_the_second_of_two_corrections_sees_the_first(signed_in, nora, ines, result):
    url = reverse("labs:result_correct", args=[result.pk])
    form = {
        "value": "6.9",
        "unit": "%",
        "fasting": "",
        "insulin_free": "",
        "reason": "Typing error",
        "version": "1",
    }
    signed_in(nora).post(url, form)
    late = signed_in(ines).post(url, form | {"value": "6.5"})
    page = late.content.decode()
    assert late.status_code == 409
    assert '<td data-label="Stored now">6.9</td>' in page
    assert 'value="6.5"' in page
    assert LabResult.objects.get().value_received == "6.9"


def test_a_withdrawn_result_leaves_the_page(signed_in, nora, result, rosa):
    url = reverse("labs:result_withdraw", args=[result.pk])
    assert signed_in(nora).post(url, {"reason": "Other person's tube", "version": "1"}).status_code == 302
    page = signed_in(nora).get(reverse("labs:patient_results", args=[rosa.patient_id])).content.decode()
    assert "No result has been recorded" in page


# Rights ------------------------------------------------------------------------------------------------------


def test_another_sites_pages_do_not_exist(signed_in, hana, visit, result):
    browser = signed_in(hana)
    for name, argument in (
        ("visit_results", visit.pk),
        ("patient_results", "RIV-0042-J"),
        ("patient_entry", "RIV-0042-J"),
        ("result_correct", result.pk),
        ("result_withdraw", result.pk),
    ):
        assert browser.get(reverse(f"labs:{name}", args=[argument])).status_code == 404, name


def test_a_monitor_reads_and_does_not_write(signed_in, mona, visit, result):
    browser = signed_in(mona)
    for name, argument in (
        ("visit_results", visit.pk),
        ("result_correct", result.pk),
        ("patient_entry", "RIV-0042-J"),
    ):
        assert browser.get(reverse(f"labs:{name}", args=[argument])).status_code == 403, name


def test_product_staff_read_no_results(signed_in, paul, rosa):
    assert signed_in(paul).get(reverse("labs:patient_results", args=[rosa.patient_id])).status_code == 403


# Laboratories ------------------------------------------------------------------------------------------------


def test_the_administrator_changes_a_laboratorys_factor(signed_in, adam, nora, rosa):
    laboratory = Laboratory.objects.create(name="Central laboratory")
    pair = [Entry("fasting_glucose", "8.0", "mmol/L"), Entry("fasting_insulin", "72", "pmol/L")]
    shared = Collection(on=TODAY, laboratory=laboratory)
    record_results(patient=rosa, visit=None, collection=shared, entries=pair, by=nora, now=NOW)
    browser, url = signed_in(adam), reverse("labs:laboratory_edit", args=[laboratory.pk])
    assert (
        "less than or equal to 8"
        in browser.post(url, {"insulin_pmol_per_mu": "60", "reason": "x"}).content.decode()
    )
    browser.post(url, {"insulin_pmol_per_mu": "6.945", "reason": "As the assay says", "version": "1"})
    assert round(DerivedValue.objects.get(code="homa_ir").value, 2) == Decimal("3.69")
    assert "6.945" in browser.get(reverse("labs:laboratory_list")).content.decode()


def test_a_nurse_reads_the_laboratories_and_cannot_change_them(signed_in, nora):
    laboratory = Laboratory.objects.create(name="Central laboratory")
    assert "Central laboratory" in signed_in(nora).get(reverse("labs:laboratory_list")).content.decode()
    assert signed_in(nora).get(reverse("labs:laboratory_edit", args=[laboratory.pk])).status_code == 403
