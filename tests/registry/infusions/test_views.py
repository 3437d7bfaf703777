"""Ordering, the infusion day on one page, and correcting it."""

import datetime
import re
from typing import Any

import pytest
from django.urls import reverse

from registry.access.models import Site, User
from registry.infusions.actions import open_hold
from registry.infusions.models import Infusion, InfusionOrder
from registry.patients.models import Patient, Query
from registry.products.models import Lot
from tests.cast import NOW
from tests.registry.infusions.test_actions import a_lot, enrolled, record
from tests.registry.infusions.test_actions import order as place_order

pytestmark = pytest.mark.django_db

DAY = {
    "infused_on": "2024-03-04", "started": "09:30", "ended": "10:15", "route": "iv_peripheral", "weight_kg": "80",
    "origin": "here", "premedication": "none", "reaction": "none", "form_token": "t" * 32,
    "dose-TOTAL_FORMS": "2", "dose-INITIAL_FORMS": "0", "dose-0-cells_total": "100000000",
    "dose-0-viability_percent": "92",
}  # fmt: skip


@pytest.fixture
def rosa(riverside: Site) -> Patient:
    return enrolled("RIV-0001-X", riverside, on=datetime.date(2024, 1, 10))


@pytest.fixture
def lot(acting: None) -> Lot:
    return a_lot("UC-1", released_on=datetime.date(2024, 1, 1))


def day(lot: Lot, **changes: str) -> dict[str, Any]:
    return DAY | {"dose-0-lot": lot.pk} | changes


def the(name: str) -> str:
    return reverse(f"infusions:{name}", args=["RIV-0001-X"])


def test_the_day_is_checked_before_it_is_saved(signed_in: Any, nora: User, rosa: Patient, lot: Lot) -> None:
    browser = signed_in(nora)
    assert 'data-now-zone="Europe/London"' in browser.get(the("record")).content.decode()
    check = browser.post(the("record"), day(lot, step="check")).content.decode()
    assert "1.15 × 10⁶" in check.replace("\u00a0", " ")
    assert "No deviation was found" in check
    assert not Infusion.objects.exists()
    carried = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', check))
    carried.pop("csrfmiddlewaretoken", None)
    saved = browser.post(the("record"), carried | {"step": "save"})
    infusion = Infusion.objects.get()
    assert saved.url == reverse("infusions:infusion", args=[infusion.pk])
    assert f"{infusion.infused_at:%H:%M}" == "09:30"
    again = browser.post(the("record"), carried | {"step": "save"})
    assert (again.url, Infusion.objects.count()) == (saved.url, 1)
    page = browser.get(saved.url).content.decode()
    assert "09:30 to 10:15" in page


def test_deviations_are_shown_before_and_asked_about_after(
    signed_in: Any, nora: User, rosa: Patient, lot: Lot
) -> None:
    browser, given = signed_in(nora), day(lot, infused_on="2024-01-05")
    page = browser.post(the("record"), given | {"step": "check"}).content.decode()
    assert "before enrolment on 10 Jan 2024" in page
    assert "3 deviations" in page or "2 deviations" in page
    browser.post(the("record"), given | {"step": "save"})
    assert "before_enrolment" in set(Query.objects.values_list("rule", flat=True))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"infused_on": "2999-01-01"}, "in the future"),
        ({"weight_kg": "8"}, "greater than or equal to 20"),
        ({"dose-0-cells_total": "100"}, "write all cells"),
        ({"dose-0-viability_percent": "192"}, "less than or equal to 100"),
        ({"started": ""}, "Write when it started"),
        ({"infused_on": "1970-03-04"}, "before the year of birth"),
    ],
)
def test_slips_are_shown_beside_their_box(
    signed_in: Any, nora: User, rosa: Patient, lot: Lot, changes: dict[str, str], words: str
) -> None:
    page = signed_in(nora).post(the("record"), day(lot, step="save", **changes))
    assert words in page.content.decode()
    assert not Infusion.objects.exists()


def test_an_order_prefills_the_day(signed_in: Any, nora: User, ines: User, rosa: Patient, lot: Lot) -> None:
    placed = place_order(rosa, lot, ines)
    page = signed_in(nora).get(the("record")).content.decode()
    assert f'<option value="{placed.pk}" selected>' in page
    assert 'value="88888888"' in page  # 80 million viable cells at 90 %


def test_an_order_is_previewed_placed_and_cancelled(
    signed_in: Any, ines: User, rosa: Patient, lot: Lot
) -> None:
    browser = signed_in(ines)
    given = {
        "planned_on": "2031-03-14", "lot": lot.pk, "route": "iv_peripheral", "weight_kg": "80",
        "cells_ordered": "80000000", "form_token": "o" * 32,
    }  # fmt: skip
    assert "Nothing stands against" in browser.post(the("order"), given | {"step": "check"}).content.decode()
    assert not InfusionOrder.objects.exists()
    assert browser.post(the("order"), given | {"step": "save"}).status_code == 302
    assert browser.post(the("order"), given | {"step": "save"}).status_code == 302
    placed = InfusionOrder.objects.get()
    cancel = reverse("infusions:order_cancel", args=[placed.pk])
    browser.post(cancel, {"reason": ""})
    assert InfusionOrder.objects.get().cancelled_at is None
    browser.post(cancel, {"reason": "Fever"})
    assert InfusionOrder.objects.get().cancelled_at is not None
    assert "cancelled already" in browser.post(cancel, {"reason": "Fever"}, follow=True).content.decode()


def test_a_hold_is_told_before_anything_is_typed(signed_in: Any, ines: User, rosa: Patient) -> None:
    open_hold(patient=rosa, source="neoplasm:1", reason="Work-up open since 1 Mar", now=NOW)
    page = signed_in(ines).get(f"/infusions/{rosa.patient_id}/order/").content.decode()
    assert "Work-up open since 1 Mar" in page


def test_every_reason_against_an_order_is_told_with_what_to_do(
    signed_in: Any, ines: User, rosa: Patient
) -> None:
    old = a_lot("OLD", state="quarantine")
    given = {
        "planned_on": "2033-03-14", "lot": old.pk, "route": "iv_peripheral", "weight_kg": "80",
        "cells_ordered": "80000000", "form_token": "o" * 32, "step": "save",
    }  # fmt: skip
    page = signed_in(ines).post(the("order"), given).content.decode()
    assert "2 things stand against this order" in page
    assert "Ask the cell facility to release the lot" in page
    assert "expired on 1 Jan 2032" in page
    assert not InfusionOrder.objects.exists()


def test_a_correction_says_why_and_keeps_the_first_of_two_savers(
    signed_in: Any, nora: User, rosa: Patient, lot: Lot
) -> None:
    browser, infusion = signed_in(nora), record(rosa, lot, infused_on=datetime.date(2024, 3, 4))
    address = reverse("infusions:correct", args=[infusion.pk])
    given = day(
        lot, version="1", reason="Scale was wrong", weight_kg="82", infused_on=f"{infusion.infused_on}"
    )
    given |= {"dose-INITIAL_FORMS": "1"}
    assert "Write" not in browser.get(address).content.decode()
    assert "required" in browser.post(address, given | {"reason": ""}).content.decode()
    assert browser.post(address, given | {"step": "check"}).status_code == 200
    assert browser.post(address, given | {"step": "save"}).status_code == 302
    page = browser.post(address, given | {"step": "save", "weight_kg": "60"}).content.decode()
    assert "Somebody else saved this record" in page
    assert Infusion.objects.get().weight_kg == 82


def test_another_site_finds_nothing_and_the_wrong_role_is_refused(
    signed_in: Any, hana: User, mona: User, nora: User, rosa: Patient, lot: Lot
) -> None:
    infusion = record(rosa, lot)
    own = [
        reverse("infusions:infusion", args=[infusion.pk]),
        reverse("infusions:correct", args=[infusion.pk]),
    ]
    for address in [the("record"), the("sheet"), *own]:
        assert signed_in(hana).get(address).status_code == 404, address
    assert signed_in(mona).get(own[0]).status_code == 200
    assert [signed_in(mona).get(one).status_code for one in (the("record"), own[1])] == [403, 403]
    assert signed_in(nora).get(the("order")).status_code == 403


def test_the_sheet_for_downtime_carries_the_order(
    signed_in: Any, nora: User, ines: User, rosa: Patient, lot: Lot
) -> None:
    place_order(rosa, lot, ines)
    page = signed_in(nora).get(the("sheet")).content.decode()
    assert "viable cells of lot UC-1" in page
    assert "Identity checked by" in page
