"""The pages of the cells: who sees which, and what they say."""

from typing import Any

import pytest
from django.urls import reverse

from registry.access.models import Site, User
from registry.products.models import Donor, Lot, ReleaseTest
from tests.registry.products.test_actions import PASSED, a_lot, give

pytestmark = pytest.mark.django_db


@pytest.fixture
def lot(acting: None) -> Lot:
    return a_lot("UC-1", state="released")


def test_the_list_shows_what_is_left_and_filters(
    signed_in: Any, nora: User, riverside: Site, lot: Lot
) -> None:
    give(lot, riverside, cells=250_000_000)
    a_lot("AD-2", tissue_source="adipose")
    browser = signed_in(nora)
    page = browser.get(reverse("products:lot_list")).content.decode()
    assert "UC-1" in page
    assert "75 %" in page
    assert "AD-2" in page
    some = browser.get(reverse("products:lot_list"), {"source": "adipose", "state": ""}).content.decode()
    assert "AD-2" in some
    assert "UC-1" not in some


def test_an_empty_list_says_what_to_do(signed_in: Any, paul: User) -> None:
    assert (
        "No lot of cells is recorded yet"
        in signed_in(paul).get(reverse("products:lot_list")).content.decode()
    )


def test_recipients_are_those_of_your_sites_and_nothing_tells_of_others(
    signed_in: Any, nora: User, paul: User, riverside: Site, harbour: Site, lot: Lot
) -> None:
    give(lot, riverside)
    give(lot, harbour, "HAR-0001-X")
    mine = signed_in(nora).get(reverse("products:lot", args=[lot.pk])).content.decode()
    assert "RIV-0001-X" in mine
    assert "HAR-0001-X" not in mine
    every = signed_in(paul).get(reverse("products:lot", args=[lot.pk])).content.decode()
    assert "RIV-0001-X" in every
    assert "HAR-0001-X" in every


def test_a_nurse_enters_donor_lot_and_tests_and_product_staff_release(
    signed_in: Any, nora: User, paul: User, acting: None
) -> None:
    browser = signed_in(nora)
    browser.post(
        reverse("products:donor_add"),
        {"code": "D-7", "sex": "female", "birth_year": "1999", "form_token": "d"},
    )
    given = {
        "code": "UC-7", "donor": Donor.objects.get().pk, "donor_relation": "allogeneic_unrelated",
        "number_of_donors": "1", "tissue_source": "umbilical_cord", "cell_type": "msc",
        "product_type": "undifferentiated", "cryopreserved": "true", "cells_total": "60000000000",
        "viability_percent": "91", "expires_on": "2033-01-01", "form_token": "l",
    }  # fmt: skip
    browser.post(reverse("products:lot_add"), given)
    lot = Lot.objects.get()
    assert lot.state == "quarantine"
    browser.post(
        reverse("products:lot_tests", args=[lot.pk]), PASSED | {"tested_on": "2031-03-01", "version": "1"}
    )
    assert ReleaseTest.objects.count() == 12
    address = reverse("products:lot_state", args=[lot.pk])
    change = {"state": "released", "on": "2025-03-01", "reason": "", "version": "2"}
    assert browser.post(address, change).status_code == 403
    assert signed_in(paul).post(address, change).status_code == 302
    lot.refresh_from_db()
    assert lot.state == "released"


def test_a_refused_state_says_why(signed_in: Any, paul: User) -> None:
    lot = a_lot("UC-8")
    change = {"state": "released", "on": "2025-03-01", "reason": "", "version": "1"}
    page = signed_in(paul).post(reverse("products:lot_state", args=[lot.pk]), change)
    assert "These tests are not known yet" in page.content.decode()
    lot.refresh_from_db()
    assert lot.state == "quarantine"


def test_an_older_version_shows_both_values(signed_in: Any, paul: User, lot: Lot) -> None:
    given = {
        "code": "UC-1", "donor": lot.donor_id, "donor_relation": lot.donor_relation, "number_of_donors": "1",
        "tissue_source": lot.tissue_source, "cell_type": "msc", "product_type": "undifferentiated",
        "cryopreserved": "unknown", "cells_total": "1000000000", "passage": "5", "version": "1", "reason": "Counted",
    }  # fmt: skip
    browser, address = signed_in(paul), reverse("products:lot_edit", args=[lot.pk])
    assert browser.post(address, given).status_code == 302
    page = browser.post(address, given | {"passage": "6"}).content.decode()
    assert "Somebody else saved this record" in page
    assert Lot.objects.get().passage == 5
    assert 'name="version" value="2"' in page


@pytest.mark.parametrize("name", ["lot_add", "donor_add"])
def test_an_incomplete_form_is_shown_again(signed_in: Any, paul: User, name: str) -> None:
    page = signed_in(paul).post(reverse(f"products:{name}"), {"code": ""})
    assert page.status_code == 200
    assert "Not saved yet" in page.content.decode()


def test_data_entry_sees_no_cells(signed_in: Any, dele: User, lot: Lot) -> None:
    assert signed_in(dele).get(reverse("products:lot_list")).status_code == 403
    assert signed_in(dele).get(reverse("products:lot", args=[lot.pk])).status_code == 403
