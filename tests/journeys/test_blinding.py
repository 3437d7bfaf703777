"""In a blinded protocol, what was given changes nothing that a blinded person can get: no page, no file, no count.

The same patient is shown twice: with cells of one lot, source and dose, and with those of another. Product staff, who
may read it, see the difference.
"""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.apps import apps
from django.test import Client
from django.urls import reverse

from followup.reports.collect_patient import collect_patient
from followup.reports.collect_safety import collect_safety
from registry import clock
from registry.access import blinding
from registry.access.models import Registry, User
from registry.exchange.exporting import export_to, scope_of
from registry.infusions.models import Infusion, InfusionDose, InfusionOrder, Unblinding
from registry.patients.models import Query
from registry.patients.queries import QueryFacts, open_queries, record_of
from registry.products.models import Donor, Lot, ReleaseTest
from tests.cast import NOW, TODAY
from tests.journeys.test_site_separation import Place, answers, fill, place_of, urls_of
from tests.rights_world import make_world
from tests.sizes import size
from tests.test_rights import BACKEND, addresses

BLINDED = (  # the first in the suite, all of them at full size
    "nurse", "coordinator", "investigator", "monitor", "safety", "data_entry", "laboratory", "site_manager", "auditor",
)  # fmt: skip
LOTS = {"first": "ZQXBONE7", "second": "ZQXCORD8"}
MILLION = 1_000_000
# What the reader did meanwhile stands there: signing in, reading. They may differ, but must not name what was given.
OWN_DOINGS = ("/settings/account/", "/settings/status/", "/accounts/", "/data/trail/")
UNSEALED = re.compile(r"\d+ entries wait for the next seal")  # telling the story leaves entries of its own


def told(which: str) -> dict[str, Any]:
    """What was given: two stories about one infusion."""
    lot = Lot.objects.get(code=LOTS[which])
    cells, viability = (90 * MILLION, 95) if which == "first" else (210 * MILLION, 71)
    viable = cells * viability // 100
    return {
        "lot": lot, "tissue_source": lot.tissue_source, "donor_relation": lot.donor_relation,
        "cell_type": lot.cell_type, "cells_total": cells, "viability_percent": Decimal(viability),
        "viable_cells": viable, "viable_cells_per_kg": Decimal(viable) / 80,
    }  # fmt: skip


def tell(place: Place, which: str) -> None:
    given, lot = told(which), Lot.objects.get(code=LOTS[which])
    InfusionDose.objects.update(**given)
    InfusionOrder.objects.update(lot=lot, cells_ordered=given["viable_cells"])
    Lot.objects.filter(code="SHARED").update(
        tissue_source=lot.tissue_source, donor_relation=lot.donor_relation, cells_total=given["cells_total"],
        viability_percent=given["viability_percent"], passage=3 if which == "first" else 5,
    )  # fmt: skip
    Donor.objects.update(birth_year=1970 if which == "first" else 1999)
    ReleaseTest.objects.update(result="12" if which == "first" else "93")
    Query.objects.filter(rule="lot_expired").update(
        reason=f"Lot {LOTS[which]} expired", field=f"lot {LOTS[which]}"
    )


@pytest.fixture
def place(acting: None) -> Place:
    """A filled record in a blinded registry, with a question about its lot."""
    Registry.objects.create(blinded=True)
    world = make_world()
    made = place_of(world, world.riverside, world.patient)
    for code, source, relation in (
        (LOTS["first"], "bone_marrow", "allogeneic_related"), (LOTS["second"], "umbilical_cord", "allogeneic_unrelated"),
    ):  # fmt: skip
        donor = Donor.objects.create(code=f"D{code}")
        Lot.objects.create(
            code=code, donor=donor, donor_relation=relation, tissue_source=source, cell_type="msc", cells_total=10**10,
            state="released",
        )  # fmt: skip
    fill(made)
    Lot.objects.exclude(code__in=LOTS.values()).update(code="SHARED")
    infusion = made.kept[Infusion]
    asked = QueryFacts(
        "deviation", "lot_expired", record_of(infusion), "Lot expired", made.patient.pk, made.riverside.pk
    )
    open_queries([asked], now=NOW)
    return made


def probes() -> str:
    """Every column of what is hidden, as filter, order and search of every list at once."""
    names = [
        one.name
        for model in (InfusionDose, InfusionOrder, Lot, Donor, ReleaseTest)
        for one in model._meta.concrete_fields
    ]
    asked = {f"{name}": "1" for name in names} | {f"doses__{name}": LOTS["first"] for name in names}
    words = {
        "q": LOTS["first"],
        "ordering": "doses__lot__code",
        "sort": "-doses__viable_cells",
        "search": "bone_marrow",
    }
    return urlencode(asked | words)


def all_urls(place: Place) -> list[str]:
    rows = [*place.kept.values(), *Lot.objects.order_by("pk"), *Donor.objects.order_by("pk")]
    own = list(dict.fromkeys(urls_of(place, rows)))
    for row in [*InfusionDose.objects.all(), *Query.objects.all(), *Lot.objects.all()]:
        own.append(reverse("audit:history", kwargs={"label": row._meta.label_lower, "pk": row.pk}))
    lists = [
        reverse(name) for name, one in addresses().items() if not one.pattern.converters and _is_ours(name)
    ]
    return [*dict.fromkeys(own), *(f"{url}?{probes()}" for url in lists[: size(short=8, full=len(lists))])]


def _is_ours(name: str) -> bool:
    return ":" in name


def seen(user: User, urls: list[str]) -> dict[str, str]:
    got = answers(User.objects.get(pk=user.pk), urls)
    return {url: UNSEALED.sub("", text) for url, text in got.items()}


@pytest.mark.figures
def test_what_was_given_changes_nothing_that_the_blinded_see(place: Place) -> None:
    urls, roles = all_urls(place), BLINDED[: size(short=1, full=len(BLINDED))]
    assert len(urls) > 150
    tell(place, "first")
    before = {role: seen(place.own[role], urls) for role in roles}
    openly = seen(place.own["product"], product_pages(place))
    tell(place, "second")
    wrong = []
    for role in roles:
        after = seen(place.own[role], urls)
        wrong += [
            f"{role} {url}"
            for url in urls
            if after[url] != before[role][url] and not url.startswith(OWN_DOINGS)
        ]
        wrong += [f"{role} {url} names a lot" for url in urls if "ZQX" in after[url] and "?" not in url]
    assert wrong == [], "\n".join(wrong)
    after = seen(place.own["product"], product_pages(place))
    assert [url for url in after if after[url] == openly[url]] == [], "product staff see what was given"


def product_pages(place: Place) -> list[str]:
    patient, infusion = [place.patient.patient_id], [place.kept[Infusion].pk]
    return [
        reverse("infusions:infusion", args=infusion),
        reverse("infusions:correct", args=infusion),
        reverse("desk:patient_infusions", args=patient),
        reverse("products:lot_list"),
    ]


def exported(user: User | None, place: Place, folder: Path) -> dict[str, str]:
    sites = (
        user.scope("export.pseudonymised") if user else place.own["coordinator"].scope("export.pseudonymised")
    )
    export_to(folder, scope=scope_of(user, sites, now=NOW))
    return {path.name: path.read_text() for path in sorted(folder.iterdir()) if path.suffix == ".csv"}


@pytest.mark.parametrize(
    "role", ["investigator", "site_manager", "monitor", "safety", "coordinator", "server"]
)
def test_no_export_of_the_blinded_says_what_was_given(role: str, place: Place, tmp_path: Path) -> None:
    user = place.own.get(role)
    files = {}
    for which in LOTS:
        tell(place, which)
        files[which] = exported(User.objects.get(pk=user.pk) if user else None, place, tmp_path / which)
    assert files["first"] == files["second"]
    assert "lots.csv" not in files["first"]
    assert "ZQX" not in json.dumps(files)
    Registry.objects.update(blinded=False)
    opened = exported(None, place, tmp_path / "open")
    assert LOTS["second"] in opened["infusions.csv"]
    assert "lots.csv" in opened


def without_trail(numbers: Any) -> str:
    cover = {
        name: value for name, value in numbers["cover"].items() if name not in ("trail_head", "trail_seal")
    }
    return json.dumps(dict(numbers) | {"cover": cover}, default=str)


def test_no_report_of_a_blinded_protocol_says_what_was_given(place: Place) -> None:
    def reports() -> list[str]:
        safety = collect_safety(site=None, period_from=TODAY - timedelta(days=4000), period_to=TODAY)
        return [
            without_trail(safety),
            without_trail(collect_patient(patient=place.patient, cut_off=TODAY, with_identifiers=False)),
        ]

    with clock.set_to(NOW):
        tell(place, "first")
        first = reports()
        tell(place, "second")
        assert reports() == first
        assert "ZQX" not in "".join(first)
        Registry.objects.update(blinded=False)
        assert reports() != first


def page(user: User, url: str, **post: str) -> tuple[int, str]:
    browser = Client()
    browser.force_login(User.objects.get(pk=user.pk), backend=BACKEND)
    with clock.set_to(NOW):
        got = browser.post(url, post, follow=True) if post else browser.get(url)
    return got.status_code, got.content.decode()


def test_an_emergency_unblinds_one_patient_to_one_person_and_tells_of_it(place: Place) -> None:
    tell(place, "second")
    url = reverse("infusions:unblind", args=[place.patient.patient_id])
    doctor, safety, nurse = place.own["investigator"], place.own["safety"], place.own["nurse"]
    assert page(nurse, url)[0] == 403
    status, asked = page(doctor, url)
    assert status == 200
    assert LOTS["second"] not in asked
    assert LOTS["second"] in page(doctor, url, reason="Anaphylaxis in intensive care", form_token="u1")[1]
    assert Unblinding.objects.get(form_token="u1").unblinded_by == doctor
    assert LOTS["second"] not in page(safety, url)[1], "to that person alone"
    assert "Anaphylaxis" in page(safety, reverse("infusions:unblinding_list"))[1]
    assert "Unblinded in an emergency" in page(safety, reverse("desk:today"))[1]


def test_a_blinded_nurse_records_the_infusion_and_product_staff_add_the_dose(place: Place) -> None:
    nurse, product = place.own["nurse"], place.own["product"]
    url = reverse("infusions:record", args=[place.patient.patient_id])
    status, form = page(nurse, url)
    assert (status, "dose-0-lot" in form, "blinded protocol" in form) == (200, False, True)
    day = {
        "infused_on": "2031-03-10",
        "route": "iv_peripheral",
        "weight_kg": "80",
        "origin": "here",
        "form_token": "n1",
    }
    assert "Check your answers" in page(nurse, url, **day, step="check")[1]
    page(nurse, url, **day, step="save")
    infusion = Infusion.objects.get(infused_on=date(2031, 3, 10))
    assert not infusion.doses.exists()
    correct = reverse("infusions:correct", args=[infusion.pk])
    lot = Lot.objects.get(code=LOTS["first"])
    dose = {
        "dose-TOTAL_FORMS": "1", "dose-INITIAL_FORMS": "0", "dose-0-lot": str(lot.pk), "dose-0-cells_total": "100000000",
        "dose-0-viability_percent": "90", "version": "1", "reason": "Dose added", "step": "save",
    }  # fmt: skip
    page(product, correct, **day, **dose)
    assert infusion.doses.get().lot == lot
    page(nurse, correct, **day | {"weight_kg": "82"}, version="2", reason="Scale", step="save")
    infusion.refresh_from_db()
    assert (infusion.weight_kg, infusion.doses.get().lot) == (82, lot), (
        "a blinded correction leaves the dose alone"
    )


def test_the_list_of_what_tells_of_the_product_names_real_records() -> None:
    assert {model._meta.label_lower for model in apps.get_models()} >= blinding.TELLING_MODELS


def test_open_label_nothing_is_hidden(place: Place) -> None:
    Registry.objects.update(blinded=False)
    tell(place, "first")
    url = reverse("infusions:infusion", args=[place.kept[Infusion].pk])
    for role in ("nurse", "investigator", "safety", "coordinator"):
        assert LOTS["first"] in page(place.own[role], url)[1], role
