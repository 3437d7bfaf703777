"""The pages of insulin and drugs as staff use them."""

import pytest
from django.urls import reverse

from followup.treatment.actions import TreatmentFacts, add_treatment
from followup.treatment.models import Treatment
from tests.cast import NOW

FORM = {
    "drug": "Insulin glargine", "drug_class": "insulin", "dose": "20", "unit": "IU", "per": "day",
    "start_date": "2030-05", "stop_date": "", "prescribed_or_taken": "taken", "reason": "",
}  # fmt: skip
NEW = FORM | {"form_token": "one-form"}


@pytest.fixture(autouse=True)
def today(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def glargine(rosa, nora) -> Treatment:
    facts = TreatmentFacts(drug="Insulin glargine", start_date="2030-05", drug_class="insulin")
    return add_treatment(patient=rosa, facts=facts, by=nora, now=NOW)


def test_a_treatment_is_added_and_listed(signed_in, nora, rosa):
    browser = signed_in(nora)
    assert browser.post(reverse("treatment:treatment_add", args=[rosa.patient_id]), NEW).status_code == 302
    page = browser.get(reverse("treatment:treatment_list", args=[rosa.patient_id])).content.decode()
    for shown in ("Insulin glargine", "20", "May 2030", "Running"):
        assert shown in page


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"start_date": "2030-13"}, "2030-13"),
        ({"start_date": "2032"}, "has not come yet"),
        ({"stop_date": "2029"}, "before the start"),
        ({"dose": "-1"}, "greater than or equal to 0"),
        ({"drug": ""}, "required"),
    ],
)
def test_what_cannot_be_right_is_explained_and_kept_on_the_page(signed_in, nora, rosa, change, says):
    page = signed_in(nora).post(reverse("treatment:treatment_add", args=[rosa.patient_id]), NEW | change)
    assert says in page.content.decode()
    assert not Treatment.objects.exists()


def test_the_same_treatment_twice_is_explained(signed_in, nora, rosa, glargine):
    page = signed_in(nora).post(reverse("treatment:treatment_add", args=[rosa.patient_id]), NEW)
    assert "already recorded" in page.content.decode()
    assert Treatment.objects.count() == 1


def test_a_treatment_is_stopped_with_its_reason(signed_in, nora, glargine):
    url = reverse("treatment:treatment_stop", args=[glargine.pk])
    signed_in(nora).post(url, {"stop_date": "2031-02-01", "reason": "Off insulin", "version": "1"})
    glargine.refresh_from_db()
    assert (glargine.stop_date, glargine.reason) == ("2031-02-01", "Off insulin")


def test_the_second_of_two_corrections_sees_the_first(signed_in, nora, ines, glargine):
    url = reverse("treatment:treatment_correct", args=[glargine.pk])
    form = FORM | {"correction_reason": "Misread the chart", "version": "1"}
    assert signed_in(nora).post(url, form).status_code == 302
    late = signed_in(ines).post(url, form | {"dose": "24"})
    assert late.status_code == 409
    page = late.content.decode()
    assert "Nora saved it on" in page
    assert "Misread the chart" in page
    assert 'value="24"' in page


def test_a_withdrawn_treatment_leaves_the_list(signed_in, nora, rosa, glargine):
    url = reverse("treatment:treatment_withdraw", args=[glargine.pk])
    signed_in(nora).post(url, {"reason": "Other person", "version": "1"})
    page = signed_in(nora).get(reverse("treatment:treatment_list", args=[rosa.patient_id])).content.decode()
    assert "No treatment has been recorded" in page


def test_another_sites_pages_do_not_exist_and_a_monitor_only_reads(signed_in, hana, mona, rosa, glargine):
    for name, argument in (
        ("treatment_list", rosa.patient_id),
        ("treatment_add", rosa.patient_id),
        ("treatment_stop", glargine.pk),
    ):
        assert signed_in(hana).get(reverse(f"treatment:{name}", args=[argument])).status_code == 404, name
    assert signed_in(mona).get(reverse("treatment:treatment_list", args=[rosa.patient_id])).status_code == 200
    assert signed_in(mona).get(reverse("treatment:treatment_stop", args=[glargine.pk])).status_code == 403
