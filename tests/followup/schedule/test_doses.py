"""In a blinded protocol an infusion without its lot and dose waits on Today for the product staff, and for nobody else."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse

from followup.schedule.actions import raise_work_item, repair_plans
from followup.schedule.models import WorkItem
from registry.access.models import Registry, Site, User
from registry.infusions.actions import correct_infusion, open_hold, record_infusion
from registry.infusions.judging import DoseGiven
from registry.infusions.models import Infusion
from tests.cast import NOW, person
from tests.followup.reports import people

DAY = date(2031, 3, 10)


@pytest.fixture
def infusion(riverside: Site, nora: User) -> Infusion:
    Registry.objects.create(blinded=True)
    return record(riverside, nora)


def record(site: Site, by: User) -> Infusion:
    return record_infusion(
        patient=people.patient(site, "RIV-0001"), doses=[], infused_on=DAY, route="iv_peripheral",
        weight_kg=Decimal(80), by=by, now=NOW,
    )  # fmt: skip


def test_it_waits_for_the_product_staff_of_the_site(
    infusion: Infusion, riverside: Site, nora: User, signed_in: Any
) -> None:
    pharmacist = person("phil", "product", riverside)
    title = b"Enter lot and dose of the infusion on 10 Mar 2031"
    assert title in signed_in(pharmacist).get(reverse("desk:today")).content
    assert title not in signed_in(nora).get(reverse("desk:today")).content
    assert signed_in(pharmacist).get(WorkItem.objects.get(kind="dose").url).status_code == 200


def test_it_ends_when_the_dose_is_entered_and_the_sweep_repairs_what_was_lost(
    infusion: Infusion, riverside: Site
) -> None:
    pharmacist = person("phil", "product", riverside)
    repair_plans(NOW)
    assert WorkItem.objects.filter(kind="dose").count() == 1, "asked again it is one"
    dose = DoseGiven(people.lot(), 96_000_000, Decimal(95))
    correct_infusion(
        infusion=infusion,
        version=infusion.version,
        reason="Dose entered",
        doses=[dose],
        by=pharmacist,
        now=NOW,
    )
    item = WorkItem.objects.get(kind="dose")
    assert (item.closed_at, item.closed_because) == (NOW, "Lot and dose were entered")
    infusion.doses.all().delete()
    repair_plans(NOW)
    assert WorkItem.objects.open().filter(kind="dose").count() == 1


def test_an_open_label_protocol_asks_nobody_apart(riverside: Site, nora: User) -> None:
    record(riverside, nora)
    assert not WorkItem.objects.filter(kind="dose").exists()


def test_the_record_shows_product_staff_their_own_work_and_nothing_of_health(
    infusion: Infusion, riverside: Site, signed_in: Any
) -> None:
    patient = infusion.patient
    raise_work_item(
        kind="suspicion", source="neoplasm:1", patient=patient, site=riverside, title="Suspicion to close: lump",
        url="/neoplasia/cases/1/", level="alarm", role="investigator", due_on=DAY, now=NOW,
    )  # fmt: skip
    open_hold(patient=patient, source="neoplasm:1", reason="Lump under the arm", now=NOW)
    url = reverse("desk:patient_record", args=[patient.patient_id])
    phil = person("phil", "product", riverside)
    ordering = signed_in(phil).get(reverse("infusions:order", args=[patient.patient_id])).content.decode()
    assert "an investigator of the site knows why" in ordering
    assert "Lump under the arm" not in ordering
    shown = signed_in(phil).get(url).content.decode()
    assert "Enter lot and dose" in shown
    assert "on hold, ask the investigator" in shown
    for words in ("Suspicion to close", "Lump under the arm", "Timeline", "adverse event"):
        assert words not in shown, words
    assert (
        "Lump under the arm" in signed_in(person("ida", "investigator", riverside)).get(url).content.decode()
    )
